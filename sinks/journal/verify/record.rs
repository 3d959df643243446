//! One event, as far as the check must know it.

use std::{borrow::Cow, str};

use jiff::Timestamp;
use panoptes_event::{Checkpoint, batch::Hash};
use serde::Deserialize;

use crate::journal::{
    chain::{BEHIND_SIGNATURE, SIGNATURE, hash},
    keys::VerifyingKey,
    record::END,
};

/// What the console writes before an event.
const CONSOLE: &[u8] = b"[Panoptes][audit-event] ";

/// One event of the trail.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) seq: u64,
    /// Of its JSON.
    pub(super) hash: Hash,
    /// The hash that it names for the event before it; none where it is not chained.
    pub(super) prev: Option<Hash>,
    /// What it tells as its time.
    pub(super) time: String,
    /// When what it tells had ended, in microseconds since 1970: it was not written before.
    pub(super) ended: Option<i64>,
    /// Whether it tells that events were lost.
    pub(super) is_gap: bool,
    pub(super) signed: Signed,
}

/// Whether it is a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    No,
    /// And its signature is right.
    Good,
    /// And it is not.
    Bad,
    /// By a key that is not at hand.
    Unknown(String),
}

#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    prev: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    meta: Meta<'a>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    duration_ms: f64,
}

impl Meta<'_> {
    fn ended(&self) -> Option<i64> {
        let began: Timestamp = self.timestamp.parse().ok()?;
        // Beyond what an i64 holds is no time: it is cut off there.
        Some(began.as_microsecond().saturating_add((self.duration_ms * 1e3) as i64))
    }
}

impl Record {
    /// Reads an event; else says why it is none.
    pub(super) fn parse(line: &[u8], keys: &[VerifyingKey]) -> Result<Self, String> {
        let json = line.strip_prefix(CONSOLE).unwrap_or(line);
        let head: Head<'_> = serde_json::from_slice(json).map_err(|error| format!("is no event: {error}"))?;
        if head.seq == 0 || head.seq >= END {
            return Err(format!("has the number {}, which no event has", head.seq));
        }
        let prev = head.prev.as_deref().map(|prev| unhex(prev).ok_or("prev is no SHA-256 in hex"));
        let signed = match (&*head.kind, &head.checkpoint) {
            ("checkpoint", Some(checkpoint)) => signed(json, checkpoint, keys),
            ("checkpoint", None) => Signed::Bad,
            _ => Signed::No,
        };
        Ok(Self {
            seq: head.seq,
            hash: hash(json),
            prev: prev.transpose()?,
            ended: head.meta.ended(),
            is_gap: head.kind == "gap",
            time: head.meta.timestamp.into_owned(),
            signed,
        })
    }
}

/// The signature covers what stands before it, and nothing may stand behind it.
fn signed(json: &[u8], checkpoint: &Checkpoint, keys: &[VerifyingKey]) -> Signed {
    let Some(key) = keys.iter().find(|key| key.id() == checkpoint.key) else {
        return Signed::Unknown(checkpoint.key.clone());
    };
    let tail = [SIGNATURE, &checkpoint.signature, BEHIND_SIGNATURE].concat();
    match json.strip_suffix(tail.as_bytes()) {
        Some(message) if key.verifies(message, &checkpoint.signature) => Signed::Good,
        _ => Signed::Bad,
    }
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let digits = text.as_bytes();
    if digits.len() != 2 * hash.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
