//! `panoptes keys`: makes the pair that signs the chain, and checks it.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use panoptes_sinks::journal::SigningKey;

use crate::said;

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
        match SigningKey::generate().and_then(|key| key.save(&private, &public).map(|()| key)) {
            Ok(key) => {
                let (private, public) = (private.display(), public.display());
                said(&format!(
                    "{private}: the private key, for journal.signing_key_file; keep it to the proxy\n\
                     {public}: the public key, for panoptes verify; give it to those who check\n\
                     checkpoints name it {}",
                    key.id()
                ))
            }
            Err(error) => {
                eprintln!("panoptes: {}: {error} (an existing key is never overwritten)", private.display());
                ExitCode::FAILURE
            }
        }
    }
}
