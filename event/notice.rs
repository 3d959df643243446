//! Of an [`Event`](crate::Event) that tells of no statement: cancels, what the proxy cannot read, what was lost, checkpoints.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
/// by [`Event::prev`](crate::Event::prev), all events before it.
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
