//! `panoptes verify`: whether a trail is whole, with nothing but the trail and the public key.

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, value_parser};
use panoptes_sinks::journal::{
    VerifyingKey,
    verify::{self, Report, Verdict},
};

use serde_json::json;

use super::output::{complain, print_line};
use crate::EXIT_USAGE;

/// Something is missing, changed, out of place or not of the trail.
const EXIT_VIOLATED: u8 = 1;
/// Nothing speaks against the trail, but not all of it can be vouched for; or it cannot be read, or the report not be written.
const EXIT_UNKNOWN: u8 = 3;

/// What is checked, and with which keys.
///
/// Exit codes: 0 whole, 1 violated, 2 usage, 3 cannot say.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 whole up to the last checkpoint, 1 violated, 2 usage, 3 cannot say.")]
pub(crate) struct Verify {
    /// A journal's folder; or the files of a sink, in any order: JSON lines in the native format, also gzip or zstd.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The public key, in PEM; may be repeated. Without it only the chain is checked, and nobody vouches for it.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Number of the event that the trail must begin with: 1 where nothing of it was ever let go.
    #[arg(long, value_name = "SEQ", value_parser = value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(&self) -> ExitCode {
        let mut keys = Vec::new();
        for path in &self.keys {
            match VerifyingKey::load(path) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    complain(format_args!("panoptes: {}: {error}", path.display()));
                    return ExitCode::from(EXIT_USAGE);
                }
            }
        }
        match self.check(&keys) {
            Ok(report) => {
                let shown = self.show(&report);
                if let Err(error) = &shown {
                    complain(format_args!("panoptes: {error}"));
                }
                match report.verdict {
                    Verdict::Violated => ExitCode::from(EXIT_VIOLATED),
                    Verdict::Whole if shown.is_ok() => ExitCode::SUCCESS,
                    _ => ExitCode::from(EXIT_UNKNOWN),
                }
            }
            Err(error) => {
                complain(format_args!("panoptes: cannot say: {error}"));
                if self.json {
                    // That nobody hears it has the same exit code.
                    let _ = print_line(json!({"verdict": Verdict::Unknown, "error": error.to_string()}));
                }
                ExitCode::from(EXIT_UNKNOWN)
            }
        }
    }

    fn check(&self, keys: &[VerifyingKey]) -> io::Result<Report> {
        let report = match self.paths.as_slice() {
            [folder] if folder.is_dir() => verify::folder(folder, keys)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
            files => verify::files(files, keys),
        }?;
        Ok(match self.from {
            Some(from) => report.from(from),
            None => report,
        })
    }

    fn show(&self, report: &Report) -> io::Result<()> {
        match self.json {
            true => print_line(serde_json::to_string(report)?),
            false => print_line(report),
        }
    }
}
