//! The journal: the log on disk that events go to first and that sinks follow.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{size::ByteSize, value};

/// The append-only log of events on disk.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// The directory, created where missing. Default: `/var/lib/panoptes` for root or where it is writable; else
    /// `$XDG_STATE_HOME/panoptes`, `~/.local/state/panoptes`, `./panoptes-journal`.
    pub dir: PathBuf,
    /// What all segments together may take. Default 20 GiB.
    pub max_size: ByteSize,
    /// The size at which a new segment is begun; at most a quarter of `max_size`. Default 64 MiB.
    pub segment_size: ByteSize,
    /// What happens at `max_size`, while a sink has not yet read the oldest segment. Default block.
    #[serde(deserialize_with = "value::choice")]
    pub on_full: OnFull,
    /// What statements and answers wait for, where a listener does not say otherwise. Default async.
    #[serde(deserialize_with = "value::choice")]
    pub mode: Mode,
    /// How long an event may wait for the fsync that it shares with others. Default 100 ms.
    #[serde(deserialize_with = "value::duration")]
    pub sync_interval: Duration,
    /// How long a segment is kept that every required sink has passed, for `panoptes journal export` and `replay`, where it
    /// does not fill more than half of `max_size`. Default 0: it goes at once.
    #[serde(deserialize_with = "value::duration")]
    pub retention: Duration,
    /// PEM file of the Ed25519 key, made by `panoptes keys`, that signs the chain of events. Default: no chain.
    pub signing_key_file: Option<PathBuf>,
}

/// What a statement waits for on its way to the server, and its answer on the way to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing: its event is on disk within `sync_interval`.
    #[default]
    Async,
    /// The answer, until its event is on disk. Statements that are under way at once share a sync.
    Durable,
    /// Statement and answer both wait: a statement goes to the server when an `intent` event that tells it is on disk, and
    /// its answer comes as with `durable`.
    Strict,
    /// Nothing, and the journal is in memory, for places without a volume: what a sink has not taken is lost with the
    /// process. Dead letters stay, in `dir`, where that can be written. Of the whole journal only.
    Memory,
}

impl Mode {
    /// Whether an answer waits until its event is on disk.
    #[must_use]
    pub fn holds_answers(self) -> bool {
        matches!(self, Self::Durable | Self::Strict)
    }

    /// Whether a statement waits until its intent is.
    #[must_use]
    pub fn withholds_statements(self) -> bool {
        self == Self::Strict
    }
}

/// What happens when the journal is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// Statements wait until there is space again: no event is lost.
    #[default]
    Block,
    /// Events are dropped and counted, and a gap event says how many.
    Drop,
    /// No event is lost and nobody waits: new sessions are refused, running ones are ended when their statement is
    /// answered, until there is space again.
    FailClosed,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("panoptes-journal"),
            max_size: ByteSize::gib(20),
            segment_size: ByteSize::mib(64),
            on_full: OnFull::default(),
            mode: Mode::default(),
            sync_interval: Duration::from_millis(100),
            retention: Duration::ZERO,
            signing_key_file: None,
        }
    }
}
