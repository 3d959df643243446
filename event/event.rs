//! [`Event`] and its parts. Unknown values are `None` and left out of the JSON.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    notice::{Blind, Cancel, Checkpoint, Gap},
    session::{Actor, Request, Session},
    statement::{Operation, Sql, Transaction},
};

/// One thing that happened on a database session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// UUIDv7, made when the statement was seen: the idempotency key at every sink.
    pub id: Uuid,
    /// Version of this form.
    pub version: u32,
    /// What kind of thing happened.
    pub kind: Kind,
    /// Number in this proxy's journal, without holes.
    pub seq: u64,
    /// Where the journal is chained: SHA-256, in hex, of the JSON of the event before, byte for byte as sinks get it.
    /// All zeros where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// Where and when.
    pub meta: Meta,
    /// The database behind the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<Db>,
    /// What was done, and to what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The statement and its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sql>,
    /// Who is behind the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The application's own request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// The transaction around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction>,
    /// The `intent` event that told it before it went to the server (mode `strict`); of several, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<Uuid>,
    /// How many intents it is the outcome of, where that is not one: that of `intent_id`, and those that follow it in
    /// the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_count: Option<u32>,
    /// Of a `cancel` event: whom it aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// Of a `blind` event: why the proxy cannot read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blind: Option<Blind>,
    /// Of a `gap` event: what was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Of a `checkpoint` event: who vouches for all up to here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

/// What kind of thing an event tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Kind {
    /// One execution of one statement.
    #[default]
    Statement,
    /// A login, also a failed one.
    Login,
    /// The end of a session, with the reason.
    Logout,
    /// A request to cancel another session's statement.
    Cancel,
    /// From here on the proxy passes bytes that it cannot read.
    Blind,
    /// Events that were lost.
    Gap,
    /// A transaction's end, where its statements were written before it was known.
    Verdict,
    /// A statement that is about to go to the server.
    Intent,
    /// The signed head of the chain.
    Checkpoint,
}

impl Kind {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Cancel => "cancel",
            Self::Blind => "blind",
            Self::Gap => "gap",
            Self::Verdict => "verdict",
            Self::Intent => "intent",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// Where and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// From the configuration.
    pub app_name: String,
    /// From the configuration.
    pub environment: String,
    /// This proxy.
    pub instance: String,
    /// The application as it names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_app: Option<String>,
    /// RFC 3339, UTC, microseconds: when the first byte reached the proxy.
    pub timestamp: String,
    /// The same, whole seconds since 1970.
    pub timestamp_unix: i64,
    /// The same, `YYYY-MM-DD`.
    pub date: String,
    /// The same, `HH:MM:SS`.
    pub time: String,
    /// First byte in from the client to last byte of the outcome in from the server, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The rule that decided that this is recorded.
    pub reason: String,
}

/// The database behind the proxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Db {
    /// `postgres`, `mysql` or `mariadb`.
    pub engine: String,
    /// Host of the real server.
    pub host: String,
    /// Port of the real server.
    pub port: u16,
    /// Database of the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// User of the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Schema, where the wire tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// As the server announced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
}
