//! `panoptes journal`: what is in it, a range of it as lines, a range of it to a sink once more, and what that refused.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use panoptes_config::Config;
use panoptes_sinks::journal::look::{self, Found, State};

use super::{
    output::{complain, print, print_line},
    replay::{replay, resend},
};
use crate::{EXIT_FAILURE, EXIT_USAGE, Options, configuration};

/// Looks into the journal; works beside a running process, and changes nothing in its segments.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 all of it was there and was taken, 1 not all, or an error, 2 usage.")]
pub(crate) struct Journal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Segments, numbers, and how far each sink has come.
    State {
        #[command(flatten)]
        place: Place,
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
    },
    /// Write events as JSON lines to standard output.
    Export {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        range: Range,
    },
    /// Deliver events to a sink of the configuration once more, under the ids that they had.
    Replay {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        to: To,
    },
    /// Deliver what a sink refused once more, when the cause is mended. The file of its dead letters is put aside for it, and
    /// renamed when all of it was taken or is a dead letter again; what an end before that left is sent the next time.
    Resend {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        to: To,
        /// Dead letters that were moved elsewhere; the file stays as it is. Without it those in the journal's folder.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Which sink.
#[derive(Args)]
struct To {
    /// The name of the sink, as in the configuration.
    #[arg(long, value_name = "NAME")]
    sink: String,
    /// What became of the events as JSON, one object.
    #[arg(long)]
    json: bool,
}

/// Which journal.
#[derive(Args)]
struct Place {
    /// Configuration file (TOML).
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the journal; without it that of the configuration.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// Which events.
#[derive(Args)]
pub(super) struct Range {
    /// Number of the first event; without it the oldest.
    #[arg(long, value_name = "SEQ")]
    pub(super) from: Option<u64>,
    /// Number of the last event; without it the newest.
    #[arg(long, value_name = "SEQ")]
    pub(super) to: Option<u64>,
}

impl Place {
    /// The configuration; what is wrong with it was told.
    fn config(&self) -> Result<Config, ExitCode> {
        let (config, journal) = (self.config.clone(), self.journal.clone());
        configuration(Options { config, journal, ..Options::default() }).map_err(|()| {
            if self.config.is_none() {
                complain("panoptes: this needs the configuration of the proxy; give it by --config");
            }
            ExitCode::from(EXIT_USAGE)
        })
    }

    fn dir(&self) -> Result<PathBuf, ExitCode> {
        match &self.journal {
            Some(dir) => Ok(dir.clone()),
            None => self.config().map(|config| config.journal.dir),
        }
    }
}

impl Journal {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::State { place, json } => place.dir().map(|dir| (state(&dir, json), dir)),
            Command::Export { place, range } => place.dir().map(|dir| (export(&dir, &range), dir)),
            Command::Replay { place, range, to } => {
                place.config().map(|config| (replay(&config, &range, &to.sink, to.json), config.journal.dir))
            }
            Command::Resend { place, to, file } => place
                .config()
                .map(|config| (resend(&config, file.as_deref(), &to.sink, to.json), config.journal.dir)),
        }
        .map_or_else(
            |usage| usage,
            |(done, dir)| match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    complain(format_args!("panoptes: {}: {error}", dir.display()));
                    ExitCode::from(EXIT_FAILURE)
                }
            },
        )
    }
}

/// An error where not all of a range was there, or nothing at all.
pub(super) fn expect_all(found: &Found) -> Result<(), Box<dyn Error>> {
    found.lack().map_or(Ok(()), |lack| Err(lack.into()))
}

fn export(dir: &Path, range: &Range) -> Result<(), Box<dyn Error>> {
    match look::export(dir, range.from, range.to, &mut io::stdout().lock()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        exported => expect_all(&exported?),
    }
}

fn state(dir: &Path, json: bool) -> Result<(), Box<dyn Error>> {
    let state = look::state(dir)?;
    match json {
        true => print_line(serde_json::to_string(&state)?)?,
        false => print(lines(dir, &state))?,
    }
    Ok(())
}

fn lines(dir: &Path, state: &State) -> String {
    let is = match (state.open, state.crashed) {
        (true, _) => "open: a process writes it",
        (false, true) => "not open; the last process ended without closing it",
        (false, false) => "not open; closed in order",
    };
    let mut lines = format!("{}: {is}\n", dir.display());
    let numbers = match (state.first, state.last) {
        (Some(first), Some(last)) => format!("numbers {first} to {last}"),
        _ => "no event".to_owned(),
    };
    lines += &format!("{} segments, {} bytes, {numbers}\n", state.segments, state.bytes);
    if state.damaged > 0 {
        lines += &format!("{} damaged segments were put aside, for someone to look at\n", state.damaged);
    }
    for sink in &state.sinks {
        let at = sink
            .acknowledged
            .map_or("a cursor that cannot be read".to_owned(), |seq| format!("number {seq}"));
        let lag = match sink.lag_events {
            0 => "nothing behind".to_owned(),
            events => format!("{events} events, {:.1} s behind", sink.lag_seconds),
        };
        lines += &format!("sink {}: at {at}, {lag}, {} dead letters\n", sink.name, sink.dead_letters);
    }
    lines
}
