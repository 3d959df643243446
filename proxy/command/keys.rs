//! `panoptes keys`: makes the pair that signs the chain, and checks it.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use panoptes_sinks::journal::SigningKey;

use super::output::{complain, print_line};

/// Where the pair goes.
#[derive(Args)]
pub(crate) struct Keys {
    /// The files: NAME.key, for `journal.signing_key_file`, and NAME.pub, for whoever verifies.
    #[arg(value_name = "NAME", default_value = "signing")]
    name: PathBuf,
}

impl Keys {
    pub(crate) fn run(&self) -> ExitCode {
        let file = |half: &str| {
            let mut file = self.name.clone().into_os_string();
            file.push(half);
            PathBuf::from(file)
        };
        let (private, public) = (file(".key"), file(".pub"));
        let made = SigningKey::generate().and_then(|key| key.save(&private, &public).map(|()| key));
        let shown = match &made {
            Ok(key) => show(&private, &public, key).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match shown {
            Ok(()) => ExitCode::SUCCESS,
            Err(what) => {
                complain(format_args!("panoptes: {what}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn show(private: &Path, public: &Path, key: &SigningKey) -> io::Result<()> {
    print_line(format_args!(
        "{}: the private key, for journal.signing_key_file; keep it to the proxy\n\
         {}: the public key, for panoptes verify; give it to those who check\n\
         checkpoints name it {}",
        private.display(),
        public.display(),
        key.id()
    ))
}
