//! Reads the journal for one sink, from its cursor on.

use std::{cell::Cell, future, io, ops::Range, sync::Arc};

use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

use super::{
    cursor::Cursor,
    loss::Loss,
    reader::{Extent, Found, Mark, Reader, Span, start},
    segment,
    shared::{Progress, Shared, count, lock, now},
    tail::Part,
};

/// A cursor is saved at most this often: two syncs of the folder each time. What came after it is repeated after a crash.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// The first time is at once, the second so long after it, and then the pauses double: even a process that is killed again
/// and again comes on.
const FIRST_INTERVAL: Duration = Duration::from_millis(10);

/// A part of the tail of so many bytes is a batch, though there is more behind it: what another part would add costs less to
/// send apart than to read from a file.
const ENOUGH: usize = 64 << 10;

/// One sink's way through the journal.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    /// Which of [`Shared::sinks`].
    sink: usize,
    /// The number that is read next.
    next: u64,
    /// The segment that is read, by its first number.
    reader: Option<(u64, Reader)>,
    /// What was read last, where that is of the tail: then nothing is read from a file.
    part: Option<Part>,
    /// Where the next record stands, where nothing is read from a file.
    hint: Cursor,
    written: watch::Receiver<u64>,
    closed: watch::Receiver<bool>,
    /// When the cursor is saved next; none where it is saved.
    save_at: Cell<Option<Instant>>,
    /// How long it then waits.
    pause: Cell<Duration>,
}

impl Follower {
    pub(crate) fn new(shared: &Arc<Shared>, sink: usize) -> Option<Self> {
        let at = lock(&shared.sinks.get(sink)?.cursors).acknowledged;
        Some(Self::begin(Arc::clone(shared), sink, at, at.seq.saturating_add(1)))
    }

    /// Another that reads on from here. It is not to acknowledge anything.
    pub(crate) fn ahead(&self) -> Self {
        Self::begin(Arc::clone(&self.shared), self.sink, self.position().unwrap_or(self.hint), self.next)
    }

    fn begin(shared: Arc<Shared>, sink: usize, hint: Cursor, next: u64) -> Self {
        let (written, closed) = (shared.written.subscribe(), shared.closed.subscribe());
        let (save_at, pause) = Default::default();
        Self { shared, sink, next, reader: None, part: None, hint, written, closed, save_at, pause }
    }

    /// The number that is read next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many events are still to be read.
    pub(crate) fn backlog(&self) -> u64 {
        (*self.written.borrow()).saturating_add(1).saturating_sub(self.next)
    }

    /// Whether nothing more will be written.
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Until there is something to read, or nothing more will come.
    pub(crate) async fn ready(&mut self) {
        let next = self.next;
        tokio::select! {
            // Both channels live as long as the journal that this holds.
            _ = self.written.wait_for(|&written| written >= next) => {}
            _ = self.closed.wait_for(|&closed| closed) => {}
        }
    }

    /// Until nothing more will be written.
    pub(crate) async fn closed(&self) {
        let _ = self.closed.clone().wait_for(|&closed| closed).await;
    }

    /// Until nothing more will be written, and all of it is read.
    pub(crate) async fn ended(&self) {
        self.closed().await;
        if self.backlog() > 0 {
            future::pending::<()>().await;
        }
    }

    /// Until a good part of what can be had from memory is new.
    pub(crate) async fn filled(&self) {
        self.shared.tail.filled().await;
    }

    /// Reads the next batch: at most `max_events` in at most `max_bytes`, unless one alone is larger. `false` where
    /// there is none.
    pub(crate) fn read(&mut self, max_events: usize, max_bytes: usize) -> io::Result<bool> {
        if self.take_part(max_events, max_bytes) {
            return Ok(true);
        }
        let mut doubted = false;
        while self.backlog() > 0 {
            let Some((first, extent)) = lock(&self.shared.ledger).locate(self.next) else { return Ok(false) };
            let reader = match self.open(first, doubted) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && doubted => {
                    self.lose(first, extent.limit);
                    doubted = false;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Nobody waited for this sink, perhaps, and it went just now.
                    doubted = true;
                    continue;
                }
                opened => opened?,
            };
            let found = reader.read(extent, max_events.max(1), max_bytes)?;
            let at = reader.at();
            if found == Found::Events {
                self.next = at.next;
                return Ok(true);
            }
            if at.next > self.next {
                // Numbers that are known to be lost.
                self.next = at.next;
            } else if doubted {
                self.skip(first, extent)?;
            } else {
                // The cursor may be off, or the segment was written anew since it was opened.
                doubted = true;
                self.reader = None;
            }
        }
        Ok(false)
    }

    /// Takes the next batch from the tail, if it is all there is, or enough.
    fn take_part(&mut self, max_events: usize, max_bytes: usize) -> bool {
        self.part = self.shared.tail.find(self.next, max_events, max_bytes).filter(|part| {
            let all = part.end().seq >= *self.written.borrow();
            all || part.is_rest()
                || part.size() >= ENOUGH.min(max_bytes / 2)
                || part.batch().1.len() >= max_events
        });
        let Some(part) = &self.part else { return false };
        self.reader = None;
        self.hint = part.end();
        self.next = self.hint.seq.saturating_add(1);
        true
    }

    /// What was read last: the bytes, and where the events are in them.
    pub(crate) fn batch(&self) -> (&[u8], &[Span]) {
        match (&self.part, &self.reader) {
            (Some(part), _) => part.batch(),
            (None, Some((_, reader))) => (reader.block(), reader.spans()),
            (None, None) => (&[], &[]),
        }
    }

    /// Behind what was read last; `None` where nothing was.
    fn position(&self) -> Option<Cursor> {
        let seq = self.next.saturating_sub(1);
        match (&self.part, &self.reader) {
            (Some(part), _) => Some(part.end()),
            (None, Some((first, reader))) => {
                Some(Cursor { segment: *first, offset: reader.at().offset, seq })
            }
            (None, None) => None,
        }
    }

    /// The sink is done with what was read last: all but `without` of it was delivered, and `filtered` is not for it.
    pub(crate) fn acknowledge(&mut self, without: usize, filtered: usize) {
        let Some(cursor) = self.position() else { return };
        let delivered = self.batch().1.len().saturating_sub(without) as u64;
        if let Some(progress) = self.progress() {
            lock(&progress.cursors).acknowledged = cursor;
            count(&progress.delivered, delivered);
            count(&progress.filtered, filtered as u64);
        }
        if self.save_at.get().is_none() {
            self.save_at.set(Some(Instant::now() + self.pause.get()));
        }
    }

    /// When [`Follower::save`] is due.
    pub(crate) fn save_at(&self) -> Option<Instant> {
        self.save_at.get()
    }

    /// Whether it is.
    pub(crate) fn is_save_due(&self) -> bool {
        self.save_at().is_some_and(|at| at <= Instant::now())
    }

    /// Goes back to the cursor that was saved last: what was delivered since is read again.
    pub(crate) fn rewind(&mut self) {
        self.save_at.set(None);
        let Some(progress) = self.progress() else { return };
        let mut cursors = lock(&progress.cursors);
        cursors.acknowledged = cursors.saved;
        let saved = cursors.saved;
        drop(cursors);
        (self.reader, self.part) = (None, None);
        (self.hint, self.next) = (saved, saved.seq.saturating_add(1));
    }

    /// Saves the cursor, and lets go of the segments that it has passed.
    pub(crate) fn save(&self) {
        self.save_at.set(None);
        self.pause.set((2 * self.pause.get()).clamp(FIRST_INTERVAL, SAVE_INTERVAL));
        let Some(progress) = self.progress() else { return };
        let cursor = lock(&progress.cursors).acknowledged;
        let save = || cursor.save(&self.shared.cursors, &progress.sink);
        let saved = save();
        lock(&progress.cursors).saved = cursor;
        // The segments go all the same: on a full disk that alone makes room for the cursor.
        self.shared.release(saved.is_ok());
        if let Err(error) = saved.or_else(|_| save()) {
            // After a crash the older cursor begins with the oldest event kept, and what is between was delivered.
            tracing::warn!(sink = %progress.sink, %error, "cannot save the cursor; a crash now repeats events");
        }
    }

    /// The counters of this sink.
    pub(crate) fn progress(&self) -> Option<&Progress> {
        self.shared.sinks.get(self.sink)
    }

    fn open(&mut self, first: u64, doubted: bool) -> io::Result<&mut Reader> {
        if first > self.next {
            if let Some(progress) = self.progress() {
                count(&progress.missed, first - self.next);
                tracing::error!(
                    sink = %progress.sink, from = self.next, to = first - 1,
                    "events that this sink is not known to have are no longer in the journal"
                );
            }
            self.next = first;
        }
        match &mut self.reader {
            Some((open, _)) if *open == first => {}
            reader => {
                let file = Arc::new(segment::open(&self.shared.directory.join(&segment::name(first)))?);
                let known =
                    !doubted && first == self.hint.segment && self.next == self.hint.seq.saturating_add(1);
                let offset = if known { self.hint.offset } else { start(first).offset };
                let at = Mark { offset, next: self.next };
                match reader {
                    Some((open, reader)) => {
                        *open = first;
                        reader.switch(file, at);
                    }
                    None => *reader = Some((first, Reader::new(file, at))),
                }
            }
        }
        match &mut self.reader {
            Some((_, reader)) => Ok(reader),
            None => Err(io::Error::other("no segment is open")),
        }
    }

    /// Goes on behind damage, and tells what it took.
    fn skip(&mut self, first: u64, extent: Extent) -> io::Result<()> {
        let Some((_, reader)) = &mut self.reader else { return Ok(()) };
        let to = reader.resync(extent)?.map_or(extent.limit, |_| reader.at().next);
        self.lose(first, to);
        Ok(())
    }

    /// Goes on with a number, or the next one that is written: those before it are gone.
    fn lose(&mut self, first: u64, to: u64) {
        let to = to.min(self.written.borrow().saturating_add(1));
        let lost = self.next..to;
        self.next = to;
        if !lost.is_empty() && lock(&self.shared.ledger).is_news(lost.start) {
            self.tell(first, &lost);
        }
    }

    fn tell(&self, first: u64, lost: &Range<u64>) {
        let segment = segment::name(first);
        tracing::error!(%segment, first = lost.start, end = lost.end, "the journal is damaged: events are lost");
        let (count, now) = (lost.end.saturating_sub(lost.start), now());
        let reason = format!("journal damaged: {segment}");
        self.shared.lose(&Loss { count, from: now, to: now, reason });
    }
}
