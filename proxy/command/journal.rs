//! `panoptes journal`: what is in it, a range of it as lines, a range of it to a sink once more.

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use panoptes_config::Config;
use panoptes_sinks::{
    Journal as Log, Origin, Sinks,
    journal::look::{self, State},
};

use crate::{EXIT_FAILURE, EXIT_USAGE, Options, configuration, start_log};

/// How long a sink may take for a slice of a replay.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks into the journal; works beside a running process, and changes nothing in it.
#[derive(Args)]
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
        /// The name of the sink, as in the configuration.
        #[arg(long, value_name = "NAME")]
        sink: String,
    },
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
struct Range {
    /// Number of the first event; without it the oldest.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    from: u64,
    /// Number of the last event; without it the newest.
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX)]
    to: u64,
}

impl Range {
    fn numbers(&self) -> RangeInclusive<u64> {
        self.from..=self.to
    }
}

impl Place {
    /// The configuration; what is wrong with it was told.
    fn config(&self) -> Result<Config, ExitCode> {
        let (config, journal) = (self.config.clone(), self.journal.clone());
        configuration(Options { config, journal, ..Options::default() })
            .map_err(|()| ExitCode::from(EXIT_USAGE))
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
            Command::Export { place, range } => place.dir().map(|dir| (export(&dir, range.numbers()), dir)),
            Command::Replay { place, range, sink } => {
                place.config().map(|config| (replay(&config, range.numbers(), &sink), config.journal.dir))
            }
        }
        .map_or_else(
            |usage| usage,
            |(done, dir)| match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("panoptes: {}: {error}", dir.display());
                    ExitCode::from(EXIT_FAILURE)
                }
            },
        )
    }
}

fn export(dir: &Path, numbers: RangeInclusive<u64>) -> Result<(), Box<dyn Error>> {
    match look::export(dir, numbers, &mut io::stdout().lock()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        exported => Ok(exported.map(drop)?),
    }
}

fn state(dir: &Path, json: bool) -> Result<(), Box<dyn Error>> {
    let state = look::state(dir)?;
    if json {
        println!("{}", serde_json::to_string(&state)?);
    } else {
        show(dir, &state);
    }
    Ok(())
}

fn show(dir: &Path, state: &State) {
    let is = match (state.open, state.crashed) {
        (true, _) => "open: a process writes it",
        (false, true) => "not open; the last process ended without closing it",
        (false, false) => "not open; closed in order",
    };
    println!("{}: {is}", dir.display());
    let numbers = match (state.first, state.last) {
        (Some(first), Some(last)) => format!("numbers {first} to {last}"),
        _ => "no event".to_owned(),
    };
    println!("{} segments, {} bytes, {numbers}", state.segments, state.bytes);
    if state.damaged > 0 {
        println!("{} damaged segments were put aside, for someone to look at", state.damaged);
    }
    for sink in &state.sinks {
        let at = sink
            .acknowledged
            .map_or("a cursor that cannot be read".to_owned(), |seq| format!("number {seq}"));
        let lag = match sink.lag_events {
            0 => "nothing behind".to_owned(),
            events => format!("{events} events, {:.1} s behind", sink.lag_seconds),
        };
        println!("sink {}: at {at}, {lag}, {} dead letters", sink.name, sink.dead_letters);
    }
}

/// Delivers slices of the range, each from a journal of its own, so that the one at work is not touched.
fn replay(config: &Config, numbers: RangeInclusive<u64>, name: &str) -> Result<(), Box<dyn Error>> {
    start_log(config)?;
    let Some(sink) = config.sinks.get(name) else {
        let known = config.sinks.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(format!("no sink {name:?} is configured; known here: {known}").into());
    };
    let sinks = BTreeMap::from([(name.to_owned(), sink.clone())]);
    let (mut next, to, mut sum) = (*numbers.start(), *numbers.end(), 0);
    while next <= to {
        let dir = tempfile::Builder::new().prefix("panoptes-replay-").tempdir()?;
        let (events, then) = look::copy(&config.journal.dir, next..=to, dir.path(), name)?;
        if events == 0 {
            break;
        }
        let options =
            panoptes_config::Journal { dir: dir.path().to_owned(), ..panoptes_config::Journal::default() };
        let slice = Log::open(&options, Origin::default(), &[name])?;
        let running = Sinks::start(&sinks, &slice)?;
        slice.close()?;
        let behind = running.finish(PATIENCE);
        let refused: u64 = slice.stats().sinks.iter().map(|sink| sink.dead_lettered).sum();
        if refused > 0 {
            let kept = dir.keep();
            eprintln!("{refused} events will never be taken; see {}", kept.join("dead-letters").display());
        }
        if !behind.is_empty() {
            return Err(format!("the sink did not take all from number {next} on").into());
        }
        sum += events;
        next = then;
    }
    println!("{sum} events delivered to {name} once more");
    Ok(())
}
