//! Of an [`Event`](crate::Event): what a statement did, how it ended, and the transaction around it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

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
    /// Bound values in order. One that JSON has no form for is `{"type":…,"hex":…}`; one of which only the head was kept is
    /// `{"type":…,"head":…,"length":…}`, or `"hex"` in place of `"head"` where it is no text, with its length in bytes.
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
    /// Of a `verdict` event: the first `session.seq` that it is about. Of several that are about one the first counts: what a
    /// ROLLBACK TO undid lies within what the COMMIT around it tells of.
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
