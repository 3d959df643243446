//! The bounds of everything that a peer can make grow, and of the stage that makes events.

use std::time::Duration;

use serde::Deserialize;

use crate::{size::ByteSize, value};

/// The stage that turns records into events, off the path of the bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Threads that parse and encode. Default 1.
    #[serde(deserialize_with = "value::count")]
    pub threads: usize,
    /// Bound of the queue between the connections and the audit threads. Default 64 MiB.
    pub queue: ByteSize,
    /// Bound of the cache from a statement's fingerprint to its class. Default 16 MiB.
    pub statement_cache: ByteSize,
}

/// What one peer may take. All must be above zero.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sessions at a time, over all listeners; further ones get the database's "too many connections". Each takes two
    /// files: where the process may not open so many, it is lowered at the start. Default 10,000.
    #[serde(deserialize_with = "value::count")]
    pub max_connections: usize,
    /// Client connections at a time that have not logged in, beside those; where one more comes, the oldest goes.
    /// Default 1,000.
    #[serde(deserialize_with = "value::count")]
    pub max_pending_logins: usize,
    /// How much of a statement's text an event keeps; the database gets all of it. Default 64 KiB.
    pub max_sql_bytes: ByteSize,
    /// How much is kept of a text of several statements, until each has its event; of a longer one a single event keeps the
    /// head. Default 4 MiB.
    pub max_script_bytes: ByteSize,
    /// How much an event keeps of all parameters of one execution. Beyond it short ones are told whole and of long ones the
    /// first KiB. Default 64 KiB.
    pub max_parameter_bytes: ByteSize,
    /// Statements of one session asked and not yet answered. Default 65,536.
    #[serde(deserialize_with = "value::count")]
    pub max_pending_statements: usize,
    /// What the statements of one session that wait for their answer may take in memory; of further ones an event
    /// keeps the first 256 bytes. Default 16 MiB.
    pub max_pending_bytes: ByteSize,
    /// Prepared statements that are remembered for a session. Default 10,000.
    #[serde(deserialize_with = "value::count")]
    pub max_prepared_statements: usize,
    /// What the prepared statements of one session may take in memory, and as much again their runs whose rows are not all
    /// fetched: of further runs only what came at once is told. Default 16 MiB.
    pub max_prepared_bytes: ByteSize,
    /// How long a client may take from connecting to the end of its login. Default 60 s, as PostgreSQL's
    /// `authentication_timeout`.
    #[serde(deserialize_with = "value::duration")]
    pub login_timeout: Duration,
    /// How long connecting to the database may take. Default 10 s.
    #[serde(deserialize_with = "value::duration")]
    pub connect_timeout: Duration,
    /// How long running statements may take to end once the proxy was told to stop. Default 20 s: with the last words to
    /// clients and the last deliveries to sinks, up to 7 s, the proxy is gone before Kubernetes' 30 s are over.
    #[serde(deserialize_with = "value::duration")]
    pub drain_timeout: Duration,
    /// How long passing on a cancel request may take. Default 10 s.
    #[serde(deserialize_with = "value::duration")]
    pub cancel_timeout: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { threads: 1, queue: ByteSize::mib(64), statement_cache: ByteSize::mib(16) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_pending_logins: 1_000,
            max_sql_bytes: ByteSize::kib(64),
            max_script_bytes: ByteSize::mib(4),
            max_parameter_bytes: ByteSize::kib(64),
            max_pending_statements: 65_536,
            max_pending_bytes: ByteSize::mib(16),
            max_prepared_statements: 10_000,
            max_prepared_bytes: ByteSize::mib(16),
            login_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
            cancel_timeout: Duration::from_secs(10),
        }
    }
}
