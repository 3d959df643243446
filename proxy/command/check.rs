//! `panoptes check`: whether `run` would take a configuration, and what it is.

use std::{
    fs, io,
    path::{self, Path},
    process::ExitCode,
};

use panoptes_config::{Config, DatabaseEngine, Mode, SinkOptions};
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
    if config.journal.mode != Mode::Memory {
        try_folder(&config.journal.dir).map_err(|what| format!("journal.dir: {what}"))?;
    }
    if let Some(path) = &config.journal.signing_key_file {
        let key = SigningKey::load(path)
            .map_err(|error| format!("journal.signing_key_file: {}: {error}", path.display()))?;
        lines += &format!("chain: signed with the key {} of {}\n", key.id(), path.display());
    }
    Sinks::check(&config.sinks).map_err(|error| error.to_string())?;
    for (name, sink) in &config.sinks {
        let (option, file) = match &sink.options {
            SinkOptions::File(file) => ("path", file.path.as_path()),
            SinkOptions::Database(database) if database.url.engine == DatabaseEngine::Sqlite => {
                ("url", Path::new(&database.url.database))
            }
            _ => continue,
        };
        // No refusal: a start with it does its work, and the journal keeps what is for this sink.
        if let Err(what) = try_file(file) {
            lines += &format!("warning: sinks.{name}.{option}: {what}\n");
        }
    }
    if let Some(told) = panoptes::check_files(config).map_err(|error| error.to_string())? {
        lines += &format!("under the limits of this shell: {told}\n");
    }
    for (name, exposed) in config.sinks.iter().filter_map(|(name, sink)| Some((name, sink.exposed()?))) {
        lines += &format!("warning: sinks.{name}: {exposed}\n");
    }
    let sinks = config.sinks.keys().cloned().collect::<Vec<_>>().join(", ");
    lines += &format!("sinks: {sinks}\nok\n");
    Ok(lines)
}

/// Whether this user may write a file, or make it. A pipe or a device is not touched.
fn try_file(file: &Path) -> Result<(), String> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => fs::File::options()
            .append(true)
            .open(file)
            .map(drop)
            .map_err(|error| format!("{} cannot be written: {error}", file.display())),
        Ok(_) => Ok(()),
        Err(_) => try_folder(file.parent().unwrap_or(Path::new(""))),
    }
}

/// Whether this user may make files in a folder, or the folder itself; tried with one that has no name.
fn try_folder(folder: &Path) -> Result<(), String> {
    let tried = path::absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).and_then(
        |folder| match folder.ancestors().find(|above| above.exists()) {
            Some(above) if above.is_dir() => match tempfile::tempfile_in(above) {
                // Full is what it is now.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
                {
                    Ok(())
                }
                tried => tried.map(drop),
            },
            _ => Err(io::ErrorKind::NotADirectory.into()),
        },
    );
    tried.map_err(|error| {
        format!(
            "{} cannot be made or written: {error}; give a folder that this user may write",
            folder.display()
        )
    })
}
