//! `panoptes journal`: what is in it, a range of it as lines, a range of it to a sink once more.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write},
    ops::RangeInclusive,
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

/// How long a sink may take for a slice of a replay; it is asked again after as long.
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
        options: Options,
        /// As JSON, one object.
        #[arg(long = "as-json")]
        as_json: bool,
    },
    /// Write events as JSON lines to standard output.
    Export {
        #[command(flatten)]
        options: Options,
        #[command(flatten)]
        range: Range,
    },
    /// Deliver events to a sink of the configuration once more, under the ids that they had.
    Replay {
        #[command(flatten)]
        options: Options,
        #[command(flatten)]
        range: Range,
        /// The name of the sink, as in the configuration.
        #[arg(long = "to-sink", value_name = "NAME")]
        sink: String,
    },
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
