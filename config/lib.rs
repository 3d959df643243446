//! The typed configuration of Panoptes: defaults, then a TOML file, then the environment, then flags.
//!
//! | file | what |
//! |---|---|
//! | `listen.rs`, `upstream.rs` | where clients connect, and the URL of the database behind |
//! | `journal.rs` `sink.rs` `limits.rs` `operate.rs` | the other tables; each option is documented at its field |
//! | `size.rs` `value.rs` | sizes, durations, counts, addresses as people write them |
//! | `flags.rs` | what the command line may say |
//! | `errors.rs` | every problem found: where, which key, what is wrong, what to do |
//!
//! `examples/full.toml` names every option with its default.

mod errors;
mod flags;
mod journal;
mod limits;
mod listen;
mod operate;
mod sink;
mod size;
mod upstream;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::{
    errors::{Errors, Problem},
    flags::Flags,
    journal::{Journal, OnFull},
    limits::{Audit, Limits},
    listen::{Listen, Protocol, Upstream},
    operate::{Admin, Log, LogFormat},
    sink::{Batch, Console, ConsoleFormat, File, Retry, Sink, SinkOptions},
    size::{ByteSize, SizeError},
};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose statements these are: `meta.appName` of every event. Default `panoptes-app`.
    pub app_name: String,
    /// `dev`, `stage` or `prod` (`development`, `staging` and `production` are folded): `meta.environment`.
    /// Default `dev`.
    pub environment: String,
    /// The name of this proxy: `meta.instance`. Default: the host's name.
    pub instance: String,
    /// Threads for the connections; 0 is one per core. Default 0.
    #[serde(deserialize_with = "value::count")]
    pub workers: usize,
    /// The listeners, at least one, in the file as `[[listen]]`.
    pub listen: Vec<Listen>,
    /// The log on disk that sinks follow.
    pub journal: Journal,
    /// The sinks by name, in the file as `[sinks.NAME]`. Default: `console`.
    #[serde(skip)]
    pub sinks: BTreeMap<String, Sink>,
    /// The stage that makes events.
    pub audit: Audit,
    /// The bounds of what a peer may take.
    pub limits: Limits,
    /// The HTTP endpoint for metrics and health.
    pub admin: Admin,
    /// The program's own log.
    pub log: Log,
}

impl Default for Config {
    /// Every option's default, but no listener: that one must be given.
    fn default() -> Self {
        Self {
            app_name: "panoptes-app".to_owned(),
            environment: "dev".to_owned(),
            instance: "panoptes".to_owned(),
            workers: 0,
            listen: Vec::new(),
            journal: Journal::default(),
            sinks: BTreeMap::from([("console".to_owned(), Sink::default())]),
            audit: Audit::default(),
            limits: Limits::default(),
            admin: Admin::default(),
            log: Log::default(),
        }
    }
}
