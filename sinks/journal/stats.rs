//! The journal's figures.

use std::{
    os::unix::fs::FileExt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    cursor::Cursor,
    reader::start,
    record, segment,
    shared::{Progress, Shared, lock, now},
};

/// The journal's figures since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Size of all segments in bytes.
    pub bytes: u64,
    /// What `bytes` may come to.
    pub max_bytes: u64,
    /// Whether it is so full that someone should look: 80 % of the size from which on it counts as full.
    pub high_water: bool,
    /// Segments on disk.
    pub segments: usize,
    /// Number of the last event; 0 before the first.
    pub last_seq: u64,
    /// Events taken.
    pub appended: u64,
    /// Events lost: dropped, too large or damaged. Gap events tell of them.
    pub dropped: u64,
    /// How long appenders waited for room, all together.
    pub blocked: Duration,
    /// Intents taken (mode `strict`).
    pub intents: u64,
    /// Those that have no outcome yet.
    pub open_intents: u64,
    /// Syncs of segments.
    pub syncs: u64,
    /// Syncs that failed.
    pub sync_failures: u64,
    /// Writes that failed.
    pub write_failures: u64,
    /// The sinks, in the order of the configuration.
    pub sinks: Vec<SinkStats>,
}

/// One sink's figures since the journal was opened.
#[derive(Clone, Debug, Default)]
pub struct SinkStats {
    /// The sink's name.
    pub name: String,
    /// Events that it acknowledged.
    pub delivered: u64,
    /// Events that its filter leaves out.
    pub filtered: u64,
    /// Events that were sent again.
    pub retried: u64,
    /// Events that it can never take.
    pub dead_lettered: u64,
    /// Events that were gone before it came to them: it was not configured for a while, or is not required.
    pub missed: u64,
    /// Deliveries that failed.
    pub failures: u64,
    /// How often it ended in a panic, by a defect of Panoptes, and was begun anew.
    pub panics: u64,
    /// Events that it does not have yet.
    pub lag_events: u64,
    /// Age of the oldest of them; zero where there is none.
    pub lag: Duration,
    /// The failure that lasts.
    pub last_error: Option<String>,
}

impl Shared {
    pub(crate) fn stats(&self) -> Stats {
        let counter = |counter: &AtomicU64| counter.load(Relaxed);
        let ledger = lock(&self.ledger);
        let high_water = ledger.is_high();
        let (bytes, segments, last_seq) = (ledger.bytes(), ledger.count(), ledger.next().saturating_sub(1));
        drop(ledger);
        let intents = lock(&self.intents);
        let (told, open_intents) = (intents.told(), intents.open());
        drop(intents);
        Stats {
            bytes,
            max_bytes: self.bounds.max_size,
            high_water,
            segments,
            last_seq,
            appended: counter(&self.counters.appended),
            dropped: counter(&self.counters.dropped),
            blocked: Duration::from_micros(counter(&self.counters.blocked_micros)),
            intents: told,
            open_intents,
            syncs: counter(&self.counters.syncs),
            sync_failures: counter(&self.counters.sync_failures),
            write_failures: counter(&self.counters.write_failures),
            sinks: self.sinks.iter().map(|sink| self.sink_stats(sink, last_seq)).collect(),
        }
    }

    fn sink_stats(&self, sink: &Progress, last_seq: u64) -> SinkStats {
        let cursor = lock(&sink.cursors).acknowledged;
        let lag_events = last_seq.saturating_sub(cursor.seq);
        let oldest = (lag_events > 0).then(|| self.time_behind(cursor)).flatten();
        let age = oldest.map_or(0, |oldest| now().saturating_sub(oldest));
        SinkStats {
            name: sink.sink.clone(),
            delivered: sink.delivered.load(Relaxed),
            filtered: sink.filtered.load(Relaxed),
            retried: sink.retried.load(Relaxed),
            dead_lettered: sink.dead_lettered.load(Relaxed),
            missed: sink.missed.load(Relaxed),
            failures: sink.failures.load(Relaxed),
            panics: sink.panics.load(Relaxed),
            lag_events,
            lag: Duration::from_micros(u64::try_from(age).unwrap_or(0)),
            last_error: lock(&sink.last_error).clone(),
        }
    }

    /// The time of the record behind a cursor, read from its header: the path of the events keeps no such figure.
    fn time_behind(&self, cursor: Cursor) -> Option<i64> {
        let seq = cursor.seq.saturating_add(1);
        let (first, _) = lock(&self.ledger).locate(seq)?;
        let offset = if first == cursor.segment { cursor.offset } else { start(first).offset };
        let file = segment::open(&self.directory.join(&segment::name(first))).ok()?;
        let mut header = [0; record::HEADER];
        file.read_exact_at(&mut header, offset).ok()?;
        record::time(&header, seq)
    }
}
