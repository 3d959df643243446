//! [`Event`] and its parts. Unknown values are `None` and left out of the JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

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

/// What was done, and to what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The verb, upper case.
    #[serde(rename = "type")]
    pub kind: String,
    /// DML, DDL, DCL, TCL, SESSION, UTILITY, OTHER.
    pub category: String,
    /// The protocol's own command, where there is no SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Of DDL and DCL: TABLE, VIEW, INDEX, ROLE, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The table written, or the first one read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_table: Option<String>,
    /// Name of a DDL target that is no table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_name: Option<String>,
    /// Every table or view named, each once, in order of appearance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables_involved: Vec<String>,
    /// How each of them is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
    /// `full` (a grammar took it), `partial` (tokens only), `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsed: Option<String>,
}

/// How a statement uses a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The table, as written less the quoting.
    pub table: String,
    /// `read`, `write` or `both`.
    pub mode: String,
}

/// The statement and its outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sql {
    /// The text as sent, less what redaction took out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Literals replaced by `?`, white space folded, comments gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized: Option<String>,
    /// 16 hex digits: equal for statements that differ in literals alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// `uncertain` where one event stands for a text whose statements could not be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Bound values in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<Value>>,
    /// Name of the prepared statement, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// Original size in bytes of each field cut at its cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Map<String, Value>>,
    /// SHA-256 of the whole text, in hex, where `raw` is only its head and nothing of it was hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_sha256: Option<String>,
    /// What was hidden, by rule name: those of the text, and `parameters` where some of these were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<Vec<String>>,
    /// Rows returned or affected, as the server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// Size of the result on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_returned: Option<u64>,
    /// Size of the COPY data, or of the file, that the client sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// The client's file that the server asked for, as it named it (`LOAD DATA LOCAL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The server's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The server's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// SQLSTATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// Warnings that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<u64>,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The server completed it.
    Ok,
    /// Completed, with warnings.
    Warning,
    /// The server refused it.
    Error,
    /// Ended at a user's request.
    Cancelled,
    /// The link went before an answer.
    Lost,
    /// Never run: an earlier statement of the pipeline failed.
    Skipped,
}

impl Outcome {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Skipped => "skipped",
        }
    }
}

/// Who is behind the login.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// USER, SYSTEM, SERVICE, ADMIN, API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_type: Option<String>,
    /// The person's or service's id in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_user_id: Option<String>,
    /// The name in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_username: Option<String>,
    /// The roles in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_roles: Option<Vec<String>>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// `verified` or `claimed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
}

/// The application's own request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Address of the application's client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Its user agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Its request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Its session id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Whatever else the context carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
}

/// The connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// UUIDv7 of the connection.
    pub id: Uuid,
    /// Address and port of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Number of the event in its session, without holes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// TLS version of the client's leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// How the server authenticated the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// The server's process id or thread id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_pid: Option<u32>,
    /// Startup parameters or connection attributes, less secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
    /// Of a `logout`: why the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}

/// The transaction around a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// This proxy's id of the transaction block; absent in autocommit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// `idle`, `active`, `failed` after the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `committed`, `rolledBack`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Of a `verdict` event: the first `session.seq` that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_seq: Option<u64>,
    /// Of a `verdict` event: the last `session.seq` that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<u64>,
    /// Of a `verdict` event: the savepoint that was rolled back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
    /// SQLSTATE of an error that came with the commit and undid what had completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Whether what a statement did became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It did.
    Committed,
    /// It was undone.
    RolledBack,
    /// The link went before the server said so.
    Unknown,
}

/// Whom a cancel request aimed at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// Whether key and process belonged to a session of this proxy.
    pub matched: bool,
    /// The session aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
    /// The server's process id or thread id aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_pid: Option<u32>,
}

/// Why the proxy cannot read on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blind {
    /// What was seen.
    pub reason: String,
}

/// Events that were lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// How many; 0 where nobody can tell.
    pub count: u64,
    /// When the first was lost, RFC 3339.
    pub from: String,
    /// When the last was lost, RFC 3339.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// A signature over the chain. It covers this event's JSON up to the comma before `signature`: its number, its time and,
/// by [`Event::prev`], all events before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The run of the proxy that signed.
    pub boot: Uuid,
    /// The key, by the first 16 hex digits of the SHA-256 of its public half in DER.
    pub key: String,
    /// Ed25519, in base64.
    pub signature: String,
}
