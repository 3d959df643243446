//! `panoptes check`: whether `run` would take a configuration, and what it is.

use std::process::ExitCode;

use panoptes_config::{Config, Mode};
use panoptes_sinks::{Sinks, journal::SigningKey};
use tracing_subscriber::EnvFilter;

use super::output::{complain, print};
use crate::{EXIT_FAILURE, EXIT_USAGE, Options, configuration};

pub(crate) fn run(options: Options) -> ExitCode {
    let Ok(config) = configuration(options) else { return ExitCode::from(EXIT_USAGE) };
    let told = match checked(&config) {
        Ok(told) => told,
        Err(what) => {
            complain(what);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match print(told) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("panoptes: {error}"));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// What the configuration is, in lines; else what is wrong with it.
fn checked(config: &Config) -> Result<String, String> {
    EnvFilter::try_new(&config.log.level).map_err(|error| format!("log.level: {error}"))?;
    let mut lines = String::new();
    for listen in &config.listen {
        lines += &format!("{} → {} ({})\n", listen.address, listen.upstream, listen.protocol);
    }
    let place = match config.journal.mode {
        Mode::Memory => "in memory".to_owned(),
        _ => config.journal.dir.display().to_string(),
    };
    lines += &format!("journal: {place}, up to {}\n", config.journal.max_size);
    if let Some(path) = &config.journal.signing_key_file {
        let key = SigningKey::load(path)
            .map_err(|error| format!("journal.signing_key_file: {}: {error}", path.display()))?;
        lines += &format!("chain: signed with the key {} of {}\n", key.id(), path.display());
    }
    Sinks::check(&config.sinks).map_err(|error| error.to_string())?;
    if let Some(told) = panoptes::check_files(config).map_err(|error| error.to_string())? {
        lines += &format!("under the limits of this shell: {told}\n");
    }
    let sinks = config.sinks.keys().cloned().collect::<Vec<_>>().join(", ");
    lines += &format!("sinks: {sinks}\nok\n");
    Ok(lines)
}
