//! What is handed over: records and their bytes, and the queue that they go through.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use panoptes_parser::wire::{Nanos, Observation};
use tokio::sync::Notify;

use super::BATCH_BYTES;
use crate::{
    clock::Anchor,
    landed::Landing,
    session::{CancelRequest, Ending, Opened, SessionNumber},
};

/// One thing that happened on a session.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) session: SessionNumber,
    pub(crate) note: Note,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Note {
    /// A session began.
    Opened(Box<Opened>),
    /// Something was seen on its wire.
    Observed(Observation<Span>),
    /// It ended.
    Ended { at: Nanos, ending: Ending },
    /// Someone asked to cancel a statement of it.
    Cancel(Box<CancelRequest>),
    /// The last so many statements that were told before they went on never reached the server.
    Unsent { count: u32 },
    /// Statements were left out.
    Gap { count: u64, from: Nanos, to: Nanos },
}

/// A place in a batch's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Records of one worker, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) bytes: Vec<u8>,
    /// Both clocks when the batch was handed over.
    pub(crate) anchor: Anchor,
    /// Told when all of it is on disk, where someone waits for that.
    pub(crate) landing: Option<Landing>,
    /// The way back: empty batches, and a word that there is room.
    pub(super) home: Home,
    /// What it takes of the queue, once it is in there.
    pub(super) load: Option<Load>,
}

#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) spare: SyncSender<(Vec<Record>, Vec<u8>)>,
    pub(super) room: Arc<Notify>,
}

/// The way to an auditor, which several workers may share.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    batches: SyncSender<Batch>,
    /// Told to all of them when there is room: what fills the queue may be another's.
    pub(super) room: Arc<Notify>,
    loaded: Arc<AtomicUsize>,
    most: usize,
}

/// Bytes of a queue that are taken, and free again when this is dropped.
#[derive(Debug)]
pub(super) struct Load {
    bytes: usize,
    loaded: Arc<AtomicUsize>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.loaded.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Queue {
    /// A queue of so many bytes, or of one batch.
    pub(crate) fn new(bytes: usize) -> (Self, Receiver<Batch>) {
        let (batches, auditor) = sync_channel((bytes / BATCH_BYTES).max(1));
        (Self { batches, room: Arc::default(), loaded: Arc::default(), most: bytes }, auditor)
    }

    /// Hands over a batch; gives it back where there is no room for it.
    pub(super) fn try_send(&self, mut batch: Batch) -> Option<Batch> {
        let Some(load) = self.load(batch.size()) else { return Some(batch) };
        batch.load = Some(load);
        match self.batches.try_send(batch) {
            Err(TrySendError::Full(batch)) => Some(Batch { load: None, ..batch }),
            // Without an auditor the process ends.
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
        }
    }

    /// Into an empty queue goes what is larger than all of it.
    fn load(&self, bytes: usize) -> Option<Load> {
        let more = |loaded: usize| Some(loaded + bytes).filter(|all| loaded == 0 || *all <= self.most);
        let taken = self.loaded.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Load { bytes, loaded: Arc::clone(&self.loaded) })
    }
}

impl Batch {
    /// The bytes at a place.
    pub(crate) fn at(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.bytes.get(start..start + span.length as usize).unwrap_or_default()
    }

    /// What it takes in memory.
    fn size(&self) -> usize {
        self.records.len() * size_of::<Record>() + self.bytes.len()
    }

    /// Gives the batch back to its worker.
    pub(crate) fn recycle(mut self) {
        self.load = None;
        self.records.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * BATCH_BYTES);
        // A worker that has enough of them lets this one go.
        let _ = self.home.spare.try_send((self.records, self.bytes));
        self.home.room.notify_waiters();
    }
}
