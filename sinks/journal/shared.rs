//! What the threads of the journal share.
//!
//! Locks are taken in this order: writer, ledger, a sink's cursor; the spares', the tail's and the intents' alone. The ledger is never held over a system call that
//! writes, so that a slow disk holds up neither readers nor the figures.

use std::{
    io,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use panoptes_event::time;
use tokio::sync::watch;

use super::{
    cursor::Cursor,
    directory::Directory,
    dirty::Dirty,
    durable::Durable,
    intents::Intents,
    ledger::{Ledger, Released, Trouble},
    loss::{Loss, Origin},
    segment,
    spares::Spares,
    tail::Tail,
    writer::Writer,
};

/// How full the journal is, in percent of what events may take, when that is told.
pub(crate) const HIGH_WATER: u64 = 80;
/// How long a failed write waits to be tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) cursors: Directory,
    /// Held as long as the journal is open.
    pub(crate) _lock: std::fs::File,
    pub(crate) bounds: Bounds,
    pub(crate) origin: Origin,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) spares: Mutex<Spares>,
    /// Room became free, or the journal closed.
    pub(crate) room: Condvar,
    pub(crate) dirty: Dirty,
    pub(crate) durable: Durable,
    pub(crate) tail: Tail,
    pub(crate) intents: Mutex<Intents>,
    /// The last number written.
    pub(crate) written: watch::Sender<u64>,
    pub(crate) closed: watch::Sender<bool>,
    pub(crate) sinks: Vec<Progress>,
    pub(crate) counters: Counters,
    /// How many of the next syncs fail, for tests.
    #[cfg(test)]
    pub(crate) failing_syncs: AtomicU64,
}

/// The limits of the journal, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max_size: u64,
    pub(crate) segment_size: u64,
    /// By how much the file of a segment is made longer than its records at a time.
    pub(crate) ahead: u64,
    /// Part of `max_size` that only gap events may use.
    pub(crate) reserve: u64,
    /// What is written at a time, unless one event alone is larger.
    pub(crate) write: usize,
    pub(crate) payload: usize,
    pub(crate) drop_when_full: bool,
    pub(crate) sync_interval: Duration,
    /// How long segments are kept that every required sink has passed.
    pub(crate) retention: Duration,
}

/// How far one sink has come.
pub(crate) struct Progress {
    pub(crate) sink: String,
    /// Segments wait for it.
    pub(crate) required: AtomicBool,
    pub(crate) cursors: Mutex<Cursors>,
    pub(crate) delivered: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    /// Events that were gone before it came to them.
    pub(crate) missed: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// How often it ended in a panic.
    pub(crate) panics: AtomicU64,
    pub(crate) last_error: Mutex<Option<String>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Cursors {
    pub(crate) acknowledged: Cursor,
    pub(crate) saved: Cursor,
}

/// Why events are not taken.
pub(crate) enum Refusal {
    Full(String),
    Closed,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) appended: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) blocked_micros: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_failures: AtomicU64,
    pub(crate) write_failures: AtomicU64,
}

impl Shared {
    /// Lets go of the segments that every required sink has passed, once their retention is over: some become spares, if
    /// room may be used for that and the disk is not full; the others are deleted.
    pub(crate) fn release(&self, spare: bool) {
        let passed = self.required().map(|sink| lock(&sink.cursors).saved.seq).min().unwrap_or(u64::MAX);
        let passed = self.outcomes_behind(passed);
        let mut ledger = lock(&self.ledger);
        let released = ledger.release(passed, self.bounds.retention, self.bounds.for_retained());
        let (crossed, oldest) = (ledger.crossed(), ledger.oldest());
        let spare = spare && ledger.trouble.is_none() && !ledger.closed;
        // One more segment may be on disk than is counted: the file of the last one may be longer than its records.
        let room = self.bounds.max_size.saturating_sub(ledger.bytes() + self.bounds.segment_size);
        drop(ledger);
        self.alarm(crossed);
        if !spare {
            self.remove_spares(Spares::all);
        }
        if released.is_empty() {
            return;
        }
        self.let_go_of_intents(oldest.saturating_sub(1));
        for segment in released {
            if !(spare && segment.reusable && self.spare(&segment, room)) {
                self.remove(&segment::name(segment.first));
            }
        }
        self.room.notify_all();
    }

    /// The sinks that segments wait for.
    fn required(&self) -> impl Iterator<Item = &Progress> {
        self.sinks.iter().filter(|sink| sink.required.load(Relaxed))
    }

    /// Tells that the journal fills up, or no longer does.
    pub(crate) fn alarm(&self, crossed: Option<bool>) {
        match crossed {
            Some(true) => {
                let acknowledged = |sink: &&Progress| lock(&sink.cursors).acknowledged.seq;
                let behind = self.required().min_by_key(acknowledged).map(|sink| sink.sink.as_str());
                tracing::warn!(
                    dir = %self.directory.path().display(), max_size = self.bounds.max_size, behind,
                    "the journal is {HIGH_WATER} % full: look at the sink that is furthest behind"
                );
            }
            Some(false) => tracing::info!("the journal is less than {HIGH_WATER} % full again"),
            None => {}
        }
    }

    /// Makes a segment a spare; whether it is one now.
    fn spare(&self, segment: &Released, room: u64) -> bool {
        let name = segment::name(segment.first);
        let kept = lock(&self.spares).keep(&self.directory, &name, segment.bytes, room);
        let kept = kept.unwrap_or_else(|error| {
            tracing::warn!(segment = %name, %error, "cannot rename a segment to use it again");
            false
        });
        if kept {
            lock(&self.ledger).unsynced_entry = true;
            self.dirty.mark();
        }
        kept
    }

    /// Deletes these spares.
    pub(crate) fn remove_spares(&self, which: impl FnOnce(&mut Spares) -> Vec<String>) {
        let spares = which(&mut lock(&self.spares));
        for name in spares {
            self.remove(&name);
        }
    }

    fn remove(&self, name: &str) {
        if let Err(error) = self.directory.remove(name) {
            tracing::warn!(file = %name, %error, "cannot delete a segment that every sink has passed");
        }
    }

    /// Counts events that are lost for good, and tells of them by a gap event, at the latest as soon as there is room.
    pub(crate) fn lose(&self, loss: &Loss) {
        let mut writer = lock(&self.writer);
        writer.lose(self, loss);
        if let Err(error) = writer.tell_loss(self) {
            self.cannot_write(&error);
        }
    }

    /// Takes the end of the journal once there is room for so many bytes. `Err` says why the events are lost instead.
    pub(crate) fn admit(
        &self,
        bytes: u64,
    ) -> Result<MutexGuard<'_, Writer>, (MutexGuard<'_, Writer>, Refusal)> {
        let mut blocked = None;
        let admitted = loop {
            let writer = lock(&self.writer);
            let ledger = lock(&self.ledger);
            if ledger.closed {
                break Err((writer, Refusal::Closed));
            }
            let Some(reason) = ledger.full(bytes, self.bounds.for_events()) else {
                break Ok(writer);
            };
            if self.bounds.drop_when_full {
                break Err((writer, Refusal::Full(reason.to_owned())));
            }
            if blocked.is_none() {
                tracing::warn!(reason, "the journal takes no more events: statements wait");
            }
            blocked.get_or_insert_with(Instant::now);
            drop(writer);
            // Bounded, so that a failed write is tried again.
            drop(self.room.wait_timeout(ledger, RETRY).unwrap_or_else(PoisonError::into_inner));
        };
        if let Some(since) = blocked {
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            count(&self.counters.blocked_micros, micros);
        }
        admitted
    }

    /// Remembers that writing failed, so that it is not tried again with every event.
    pub(crate) fn cannot_write(&self, error: &io::Error) {
        let mut ledger = lock(&self.ledger);
        if ledger.trouble.is_none() {
            tracing::error!(dir = %self.directory.path().display(), %error, "cannot write to the journal");
        }
        let reason = format!("cannot write to the journal: {error}");
        ledger.trouble = Some(Trouble { reason, retry_at: Instant::now() + RETRY });
        drop(ledger);
        // The next try may need their room.
        self.remove_spares(Spares::all);
    }
}

impl Bounds {
    /// What one write takes at most.
    pub(crate) fn largest_write(&self) -> u64 {
        (self.write + self.payload) as u64
    }

    /// The part of `max_size` up to which segments are kept that no sink waits for: they alone never fill a journal.
    fn for_retained(&self) -> u64 {
        self.max_size / 2
    }

    /// The part of `max_size` that is not for gap events alone.
    pub(crate) fn for_events(&self) -> u64 {
        self.max_size.saturating_sub(self.reserve)
    }
}

impl Progress {
    pub(crate) fn new(sink: &str, cursor: Cursor) -> Self {
        Self {
            sink: sink.to_owned(),
            required: AtomicBool::new(true),
            cursors: Mutex::new(Cursors { acknowledged: cursor, saved: cursor }),
            delivered: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            dead_lettered: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }
}

/// A poisoned lock is taken all the same: what it guards is changed in steps that cannot panic half-way.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    time::unix_micros(SystemTime::now())
}

/// Counts.
pub(crate) fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
