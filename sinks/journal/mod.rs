//! The journal: the append-only, numbered log on disk that events go to first and that sinks follow.
//!
//! ```text
//! auditors → Journal::append → writer (numbers, one write) → segments ← follower ← driver of each sink
//!                                        sync (every 100 ms) ↗            ↘ cursor, saved after acknowledgement
//! ```
//!
//! * `record`, `segment`: the format on disk; `reader`: reads it block by block and finds the way behind damage.
//! * `writer`: numbers and writes; `sync`, `dirty`: makes durable, many events at a time; `ledger`: segments and room.
//! * `durable`: who waits for what to be durable. `spares`: segments that every sink has passed, to be written over.
//! * `follower`, `cursor`: one sink's way through the journal, and how far it has come. `tail`: the newest of it, in memory.
//! * `chain`: the hash that ties an event to the one before, and signed checkpoints; `keys`: what they are signed with.
//! * `intents`: those without an outcome, and what becomes of them. `recovery`: what a start finds and mends; `loss`: what is lost, told by a `gap` event.
//! * `scan`: reads a journal from outside; [`look`]: its state, and ranges of it; [`verify`]: checks the chain of a
//!   journal, or of what a sink wrote. `slice`: some events as a journal of their own.
//! * `error`: why events are not taken. `directory`: files that stay; `memory`: or do not; `shared`: what the threads share; `stats`: the figures.
//!
//! On disk: `lock`, `running` (while it is open), `<first number>.journal`, `<n>.spare`, `cursors/<sink>`, `dead-letters/<sink>.jsonl`, and, put aside for a
//! person to look at, `….damaged`.
//!
//! What holds: an event that `append` took is delivered to each sink at least once, over crashes of this process; over
//! crashes of the machine, if it is older than the sync interval; of every crash a gap event tells. Numbers have no
//! holes but those that a gap event tells of. A number that a sink acknowledged is not given again.

mod chain;
mod cursor;
mod directory;
mod dirty;
mod durable;
mod error;
mod follower;
mod intents;
mod keys;
mod ledger;
pub mod look;
mod loss;
mod memory;
mod open;
mod reader;
mod record;
mod recovery;
mod scan;
mod segment;
mod shared;
mod slice;
mod spares;
mod stats;
mod sync;
mod tail;
#[cfg(test)]
mod tests;
pub mod verify;
mod writer;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use panoptes_event::{Batch, batch};

pub(crate) use self::{
    directory::{private, sync_folder},
    follower::Follower,
    reader::Span,
    scan::is_there,
    shared::{Progress, count, lock, now},
    slice::Slice,
};
pub use self::{
    error::{AppendError, Error},
    keys::{KeyError, SigningKey, VerifyingKey},
    loss::Origin,
    stats::{SinkStats, Stats},
};
use self::{
    loss::Loss,
    shared::{Refusal, Shared},
    spares::Spares,
};
use crate::vital::Vital;

/// Bytes that a record takes beside its event's JSON, the number in it included.
const OVERHEAD: usize = record::HEADER + r#","seq":"#.len() + 20 + batch::PREV.len() + 65;

/// The journal. Clones are the same journal; it ends when the last one is gone.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    syncing: Mutex<Option<JoinHandle<()>>>,
    /// Its folder goes with it.
    in_memory: bool,
    /// Whose dead letters are those of its sinks.
    letters: PathBuf,
}

/// The numbers that a batch was given; `first` is beyond `last` for an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Number of the first event.
    pub first: u64,
    /// Number of the last event.
    pub last: u64,
}

impl Journal {
    /// Opens the journal in its folder, which is created where missing, and mends what a crash left. `origin` is whose
    /// events it holds; `sinks` are the names of those that follow: a segment is kept until all of them have passed
    /// it. A sink that is new begins with the next event.
    pub fn open(config: &panoptes_config::Journal, origin: Origin, sinks: &[&str]) -> Result<Self, Error> {
        let in_memory = in_memory(config)?;
        let letters = match &in_memory {
            Some(in_memory) => memory::letters(&config.dir).unwrap_or(&in_memory.dir),
            None => &config.dir,
        };
        let letters = letters.to_owned();
        let config = in_memory.as_ref().unwrap_or(config);
        let shared = Arc::new(open::open(config, origin, sinks)?);
        let syncing = std::thread::Builder::new().name("journal-sync".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _vital = Vital;
                sync::run(&shared);
            }
        });
        let syncing =
            syncing.map_err(|source| Error::io("start the thread that syncs", &config.dir, source))?;
        let in_memory = in_memory.is_some();
        Ok(Self(Arc::new(Inner { shared, syncing: Mutex::new(Some(syncing)), in_memory, letters })))
    }

    /// Numbers the events and writes them, in order. Blocks for the write; and, where there is no room and the policy
    /// says so, until there is, or until the journal is closed. An event of more than 16 MiB (or an eighth of
    /// `max_size`) becomes a gap event with its number.
    pub fn append(&self, batch: &Batch) -> Result<Appended, AppendError> {
        let shared = &*self.0.shared;
        let size = batch.size() + batch.len() * OVERHEAD;
        let needed = shared.bounds.largest_write().min(size as u64);
        let mut done = 0;
        let mut appended = Appended { first: 1, last: 0 };
        while done < batch.len() {
            let mut writer = match shared.admit(needed) {
                Ok(writer) => writer,
                Err((mut writer, Refusal::Full(reason))) => {
                    let loss = Loss::of(batch, done, reason.clone());
                    shared.give_up_outcomes(batch, done);
                    writer.lose(shared, &loss);
                    return Err(AppendError::Dropped { events: batch.len() - done, reason });
                }
                Err((writer, Refusal::Closed)) => {
                    drop(writer);
                    shared.lose(&Loss::of(batch, done, "journal closed".to_owned()));
                    return Err(AppendError::Closed { events: batch.len() - done });
                }
            };
            match writer.write(shared, batch.iter().skip(done)) {
                Ok(written) => {
                    shared.intend(batch, done, written.events, written.first);
                    appended.first = if done == 0 { written.first } else { appended.first };
                    appended.last = written.last;
                    done += written.events;
                }
                Err(error) => shared.cannot_write(&error),
            }
        }
        Ok(appended)
    }

    /// Whether a batch of any size can be written now; else why not.
    pub fn writable(&self) -> Result<(), String> {
        let shared = &self.0.shared;
        let ledger = lock(&shared.ledger);
        match (ledger.closed, ledger.full(shared.bounds.largest_write(), shared.bounds.for_events())) {
            (true, _) => Err("the journal is closed".to_owned()),
            (false, Some(reason)) => Err(reason.to_owned()),
            (false, None) => Ok(()),
        }
    }

    /// Calls back, from another thread, as soon as all that was appended so far survives a crash of the machine. The sync
    /// for it is not put off; those who ask while one is under way share the next.
    pub fn when_durable(&self, then: impl FnOnce() + Send + 'static) {
        let shared = &self.0.shared;
        let last = *shared.written.borrow();
        if shared.durable.wait(last, Box::new(then)) {
            shared.dirty.hurry();
        }
    }

    /// Why nothing can be written, also while that is about to be tried again: for those who end sessions over it.
    pub fn full(&self) -> Option<String> {
        let shared = &self.0.shared;
        let ledger = lock(&shared.ledger);
        let full = ledger.full(shared.bounds.largest_write(), shared.bounds.for_events()).map(str::to_owned);
        full.or_else(|| ledger.troubled(shared::RETRY))
    }

    /// The figures, for metrics. Reads a few bytes of a file for each sink that lags.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Whether it is in memory, and ends with the process.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.0.in_memory
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.0.shared.directory.path()
    }

    /// The folder where `dead-letters/` of its sinks is: the journal's own; of one in memory the configured one, so that they
    /// stay, if it can be written.
    #[must_use]
    pub fn letters(&self) -> &Path {
        &self.0.letters
    }

    /// Takes no more events, lets go of those who wait for room, and makes what it has durable. Sinks go on to the
    /// last event and then end.
    pub fn close(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        lock(&shared.ledger).closed = true;
        shared.room.notify_all();
        self.0.stop_syncing();
        let mut writer = lock(&shared.writer);
        let told = writer.tell_loss(shared).and_then(|()| writer.sign(shared));
        drop(writer);
        let synced = shared.sync();
        lock(&shared.writer).trim();
        shared.remove_spares(Spares::all);
        shared.closed.send_replace(true);
        told.and(synced)
            .and_then(|()| shared.end_in_order())
            .map_err(|source| Error::io("close the journal in", self.dir(), source))
    }

    /// Whether segments wait for a sink. Until it is said they do.
    pub(crate) fn require(&self, sink: &str, required: bool) {
        for progress in self.0.shared.sinks.iter().filter(|progress| progress.sink == sink) {
            progress.required.store(required, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// One sink's way through the journal; `None` for a sink that was not named to [`Journal::open`].
    pub(crate) fn follow(&self, sink: &str) -> Option<Follower> {
        let shared = &self.0.shared;
        let place = shared.sinks.iter().position(|progress| progress.sink == sink)?;
        Follower::new(shared, place)
    }
}

impl Inner {
    fn stop_syncing(&self) {
        self.shared.dirty.stop();
        if let Some(thread) = lock(&self.syncing).take() {
            // It ends without a value, or has panicked; both is its end.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_syncing();
        if let Err(error) = self.shared.sync().and_then(|()| self.shared.end_in_order()) {
            tracing::error!(%error, "the last events may not survive a crash of the machine");
        }
        lock(&self.shared.writer).trim();
        self.shared.remove_spares(Spares::all);
        if self.in_memory
            && let Err(error) = fs::remove_dir_all(self.shared.directory.path())
        {
            tracing::warn!(%error, "the journal in memory could not be removed; the next start does");
        }
    }
}

/// Where the journal is to be in memory: the same in a folder there, and no larger than there is room.
fn in_memory(config: &panoptes_config::Journal) -> Result<Option<panoptes_config::Journal>, Error> {
    if config.mode != panoptes_config::Mode::Memory {
        return Ok(None);
    }
    let (dir, room) = memory::folder().map_err(|source| {
        Error::io("keep the journal in memory, as journal.mode says, for", &config.dir, source)
    })?;
    let max_size = panoptes_config::ByteSize::new(config.max_size.bytes().min(room));
    tracing::warn!(dir = %dir.display(), %max_size, "the journal is in memory: what a sink has not taken is lost with this process");
    Ok(Some(panoptes_config::Journal { dir, max_size, ..config.clone() }))
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("dir", &self.dir()).finish_non_exhaustive()
    }
}
