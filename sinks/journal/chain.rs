//! The chain: each event names the hash of the one before it, and a signed `checkpoint` event vouches, now and then,
//! for all up to itself. Without a key there is none, and it costs nothing.
//!
//! The hash is SHA-256 over the JSON of an event, byte for byte as sinks get it; the event that comes next has it as its
//! `prev`. So a file of lines can be checked with nothing but the file and the public key. A chain that its own writer
//! alone has checked proves nothing: what counts are the checkpoints that others have, in each sink.
//!
//! What comes behind the last checkpoint nobody vouches for yet: at most [`CHECKPOINT_EVENTS`] events or
//! [`CHECKPOINT_INTERVAL`], whichever is first.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use panoptes_event::{
    Batch, Kind, Uuid,
    batch::{Encoded, Hash},
    json::Object,
    time,
};

use super::{keys::SigningKey, loss::Origin, record};

/// Events between two checkpoints, at most.
pub(crate) const CHECKPOINT_EVENTS: u64 = 1_000;
/// Time from an event to the checkpoint that covers it, at most.
pub(crate) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);
/// What every event of this version begins with.
const BEFORE_KIND: usize = r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1"#.len();
/// What the signature stands behind: the bytes before this are what it covers.
pub(crate) const SIGNATURE: &str = r#","signature":""#;
/// What stands behind the signature: the ends of `checkpoint` and of the event.
pub(crate) const BEHIND_SIGNATURE: &str = r#""}}"#;

/// Chains the events of one run.
pub(crate) struct Chain {
    key: SigningKey,
    /// This run.
    boot: Uuid,
    /// What the next event is chained to.
    pub(crate) link: Link,
}

/// What the next event is chained to.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    head: Hash,
    /// Events that no checkpoint covers yet.
    uncovered: u64,
    /// When the first of them was written.
    since: Option<Instant>,
}

impl Chain {
    /// Goes on behind `last`, the JSON of the last event there is.
    pub(crate) fn new(key: SigningKey, last: Option<&[u8]>) -> Self {
        let head = last.map_or([0; 32], hash);
        // Whatever an earlier run left without a checkpoint is covered by this run's first.
        let uncovered = last.filter(|json| !is_checkpoint(json));
        let since = uncovered.map(|_| Instant::now());
        let link = Link { head, uncovered: u64::from(uncovered.is_some()), since };
        Self { key, boot: Uuid::now_v7(), link }
    }

    /// Writes the record of a checkpoint.
    pub(crate) fn write(
        &self,
        link: &mut Link,
        origin: &Origin,
        seq: u64,
        unix_micros: i64,
        out: &mut Vec<u8>,
    ) {
        let checkpoint = self.unsigned(origin, unix_micros);
        for (event, unix_micros) in checkpoint.iter() {
            record::write(out, record::Kind::Event, seq, unix_micros, |out| {
                let start = out.len();
                event.write_chained(seq, &link.head, out);
                out.truncate(out.len().saturating_sub(BEHIND_SIGNATURE.len() - 1));
                let signature = self.key.sign(out.get(start..).unwrap_or_default());
                for part in [SIGNATURE, &signature, BEHIND_SIGNATURE] {
                    out.extend_from_slice(part.as_bytes());
                }
                link.head = hash(out.get(start..).unwrap_or_default());
            });
        }
        (link.uncovered, link.since) = (0, None);
    }

    /// The checkpoint, less its signature.
    fn unsigned(&self, origin: &Origin, unix_micros: i64) -> Batch {
        let mut batch = Batch::default();
        batch.event(Uuid::now_v7(), Kind::Checkpoint, unix_micros, |event| {
            origin.write(event, unix_micros, "default:checkpoint");
            let mut checkpoint = event.object("checkpoint");
            checkpoint.uuid("boot", self.boot).plain("key", self.key.id());
            checkpoint.end();
        });
        batch
    }
}

impl Link {
    /// Writes the record of an event.
    pub(crate) fn write(&mut self, event: Encoded<'_>, seq: u64, unix_micros: i64, out: &mut Vec<u8>) {
        let start = out.len() + record::HEADER;
        record::write(out, record::Kind::Event, seq, unix_micros, |out| {
            event.write_chained(seq, &self.head, out)
        });
        self.head = hash(out.get(start..).unwrap_or_default());
        self.uncovered += 1;
    }

    /// Whether a checkpoint is due for the number of events.
    pub(crate) fn is_long(&self) -> bool {
        self.uncovered >= CHECKPOINT_EVENTS
    }

    /// Whether there are events that no checkpoint covers.
    pub(crate) fn is_open(&self) -> bool {
        self.uncovered > 0
    }

    /// When a checkpoint is due, at the latest; none where all is covered.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        if self.uncovered > 0 && self.since.is_none() {
            self.since = Some(Instant::now());
        }
        self.since.map(|since| since + CHECKPOINT_INTERVAL)
    }
}

impl Origin {
    /// Writes `meta`.
    pub(crate) fn write(&self, event: &mut Object<'_>, unix_micros: i64, reason: &str) {
        let mut meta = event.object("meta");
        meta.member("appName", &self.app_name)
            .member("environment", &self.environment)
            .member("instance", &self.instance);
        time::Clock::default().write(&mut meta, unix_micros);
        meta.plain("reason", reason);
        meta.end();
    }
}

/// Whether an event, as it is written here, is a checkpoint.
fn is_checkpoint(json: &[u8]) -> bool {
    let kind = br#","kind":"checkpoint","seq":"#;
    json.get(BEFORE_KIND..).is_some_and(|rest| rest.starts_with(kind))
}

/// The hash of an event's JSON.
pub(crate) fn hash(json: &[u8]) -> Hash {
    digest(&SHA256, json).as_ref().try_into().unwrap_or_default()
}
