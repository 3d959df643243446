//! The sinks: where events are delivered, how many at a time, and how failures are retried.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{size::ByteSize, value};

/// One sink. In the file it is flat: the keys of its kind beside `kind`, `batch` and `retry`.
///
/// ```toml
/// [sinks.trail]
/// kind = "file"                  # may be left out where the sink's name is a kind, as in [sinks.file]
/// path = "/var/log/panoptes.log"
/// batch.max_events = 1000
/// ```
#[derive(Clone, Debug)]
pub struct Sink {
    /// What kind of sink it is, and that kind's own options.
    pub options: SinkOptions,
    /// How many events are delivered at a time.
    pub batch: Batch,
    /// How failed deliveries are repeated.
    pub retry: Retry,
}

/// A sink's kind with its own options.
#[derive(Clone, Debug)]
pub enum SinkOptions {
    /// Standard output.
    Console(Console),
    /// A file.
    File(File),
}

impl SinkOptions {
    /// The kinds that exist.
    pub const KINDS: [&str; 2] = ["console", "file"];
}

/// Events on standard output.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// How an event looks. Default auto.
    #[serde(deserialize_with = "value::choice")]
    pub format: ConsoleFormat,
}

/// How an event looks on the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleFormat {
    /// Pretty on a terminal, else lines.
    #[default]
    Auto,
    /// One JSON object a line, behind `[Panoptes][audit-event] `.
    Lines,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Events in a file, one JSON object a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The file; it and its directory are created where missing. Default `./logs/panoptes.log`.
    pub path: PathBuf,
}

/// How many events are delivered at a time. The first bound that is reached ends the batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Events. Default 500.
    #[serde(deserialize_with = "value::count")]
    pub max_events: usize,
    /// Bytes of encoded events; a single larger event still goes, alone. Default 256 KiB.
    pub max_bytes: ByteSize,
    /// How long the first event of a batch waits for others. Default 100 ms.
    #[serde(deserialize_with = "value::duration")]
    pub max_wait: Duration,
}

/// The pauses between repeated deliveries: doubling from `initial` to `max`, for as long as it takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The first pause. Default 200 ms.
    #[serde(deserialize_with = "value::duration")]
    pub initial: Duration,
    /// The longest pause. Default 30 s.
    #[serde(deserialize_with = "value::duration")]
    pub max: Duration,
}

impl Default for Sink {
    /// The console.
    fn default() -> Self {
        let options = SinkOptions::Console(Console::default());
        Self { options, batch: Batch::default(), retry: Retry::default() }
    }
}

impl Default for File {
    fn default() -> Self {
        Self { path: PathBuf::from("./logs/panoptes.log") }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { max_events: 500, max_bytes: ByteSize::kib(256), max_wait: Duration::from_millis(100) }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Duration::from_millis(200), max: Duration::from_secs(30) }
    }
}
