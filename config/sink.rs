//! The sinks: where events are delivered, which of them, how many at a time, and how failures are retried.
//!
//! A kind's own options: `file.rs`, `http.rs` (Splunk's too), `elasticsearch.rs`, `syslog.rs`, `database.rs`, `kafka.rs`;
//! `effect.rs`: options that have none beside others; `exposed.rs`: secrets that go in clear; `filter.rs`: which events a sink gets; `secret.rs`: secrets, and how a sink proves who it is.

mod check;
mod database;
mod effect;
mod elasticsearch;
mod exposed;
mod file;
mod filter;
mod http;
mod kafka;
mod secret;
mod syslog;

use std::time::Duration;

use serde::Deserialize;

pub(crate) use self::check::check;
pub use self::{
    database::{Database, DatabaseEngine, DatabaseUrl, Partitions},
    elasticsearch::{Elasticsearch, Install},
    file::{File, Rotate},
    filter::Filter,
    http::{Compression, Http, HttpBody, Splunk},
    kafka::{Kafka, KafkaCompression, SecurityProtocol},
    secret::{Auth, Secret, Tls},
    syslog::{Facility, Framing, Syslog, Transport},
};
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
    /// Which events it gets.
    pub filter: Filter,
    /// How many events are delivered at a time.
    pub batch: Batch,
    /// How failed deliveries are repeated.
    pub retry: Retry,
    /// Whether the journal keeps events until this sink has them. What one that is not required misses is counted.
    /// Default true.
    pub required: bool,
}

/// A sink's kind with its own options.
#[derive(Clone, Debug)]
pub enum SinkOptions {
    /// Standard output.
    Console(Console),
    /// A file.
    File(File),
    /// An HTTP endpoint.
    Http(Http),
    /// Splunk's HTTP Event Collector.
    Splunk(Splunk),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(Elasticsearch),
    /// A syslog server.
    Syslog(Syslog),
    /// A table.
    Database(Database),
    /// A topic of Kafka.
    Kafka(Kafka),
}

impl SinkOptions {
    /// The kinds that exist.
    pub const KINDS: [&str; 8] =
        ["console", "file", "http", "splunk", "elasticsearch", "syslog", "database", "kafka"];

    /// How many events are delivered at a time where nobody says otherwise. To index each request anew costs Elasticsearch
    /// more than to read a larger one.
    #[must_use]
    pub fn batch(&self) -> Batch {
        match self {
            Self::Elasticsearch(_) => {
                Batch { max_events: 2_000, max_bytes: ByteSize::mib(2), ..Batch::default() }
            }
            _ => Batch::default(),
        }
    }

    /// Deliveries under way at once.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        match self {
            Self::Console(_) | Self::File(_) | Self::Syslog(_) | Self::Kafka(_) => 1,
            Self::Http(http) => http.concurrency,
            Self::Splunk(splunk) => splunk.concurrency,
            Self::Elasticsearch(elasticsearch) => elasticsearch.concurrency,
            Self::Database(database) => database.concurrency,
        }
    }
}

/// How an event is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it is: Panoptes's own form.
    #[default]
    Native,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework, Datastore Activity.
    Ocsf,
    /// CloudEvents, JSON.
    Cloudevents,
}

impl Format {
    /// Its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "the native form",
            Self::Ecs => "ECS",
            Self::Ocsf => "OCSF",
            Self::Cloudevents => "CloudEvents",
        }
    }
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
    /// Elastic Common Schema, one JSON object a line.
    Ecs,
    /// OCSF, one JSON object a line.
    Ocsf,
    /// CloudEvents, one JSON object a line.
    Cloudevents,
}

/// How many events are delivered at a time. The first bound that is reached ends the batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Events. Default 500; of Elasticsearch 2,000.
    #[serde(deserialize_with = "value::count")]
    pub max_events: usize,
    /// Bytes of encoded events; a single larger event still goes, alone. Default 256 KiB; of Elasticsearch 2 MiB.
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
        Self {
            options,
            filter: Filter::default(),
            batch: Batch::default(),
            retry: Retry::default(),
            required: true,
        }
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
