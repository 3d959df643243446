//! Makes what is written durable, some time after it was written and on a thread of its own: many events share one
//! sync.
//!
//! A sync that failed may have thrown away what it could not write, and the next one on that file would say that all
//! is well. So such a file gets no second one: its unsynced records are read back, checked, and written to a segment
//! of their own, whose numbers supersede them. Until that succeeds the journal counts as full.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    mem,
    sync::Arc,
    time::Duration,
};

use super::{
    directory::TEMPORARY,
    dirty::Due,
    ledger::Unsynced,
    reader::{Extent, Mark},
    recovery::salvage,
    segment,
    shared::{RETRY, Shared, count, lock, now},
    spares::Spares,
};

/// What is written at a time when records move to a new segment.
const BLOCK: usize = 1 << 20;

/// Syncs each interval in which something was written, until told to stop.
pub(crate) fn run(shared: &Shared) {
    let doze = || if shared.durable.is_used() { shared.bounds.sync_interval } else { Duration::ZERO };
    while let Some(due) = shared.dirty.wait(doze()) {
        match due {
            Due::Tell => {
                if let Err(error) = lock(&shared.writer).tell_loss(shared) {
                    shared.cannot_write(&error);
                }
            }
            Due::Sign => {
                if let Err(error) = lock(&shared.writer).sign(shared) {
                    shared.cannot_write(&error);
                }
            }
            Due::Sync { gathered } => {
                if !gathered {
                    shared.dirty.gather(shared.bounds.sync_interval);
                }
                if shared.sync().is_err() {
                    // Told already; and tried again, but not at once.
                    shared.dirty.rest(RETRY);
                    shared.dirty.mark();
                    if shared.durable.is_awaited() {
                        shared.dirty.hurry();
                    }
                }
            }
        }
    }
}

impl Shared {
    /// Makes all that is written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let _turn = self.dirty.begin();
        let last = lock(&self.ledger).next().saturating_sub(1);
        let synced = self.sync_entries().and_then(|()| self.sync_segments());
        self.remove_spares(Spares::expired);
        let mut ledger = lock(&self.ledger);
        match &synced {
            Ok(()) if ledger.unsafe_because.take().is_some() => {
                self.room.notify_all();
                tracing::info!("the journal is durable again");
            }
            Ok(()) => {}
            Err(error) => {
                if ledger.unsafe_because.is_none() {
                    tracing::error!(dir = %self.directory.path().display(), %error, "cannot sync the journal");
                }
                ledger.unsafe_because = Some(format!("cannot sync the journal: {error}"));
            }
        }
        drop(ledger);
        // Where nobody is to wait for a journal in trouble, what waits is let go; what is lost of it is told.
        if synced.is_ok() || self.bounds.drop_when_full {
            self.durable.reached(last);
        }
        synced
    }

    fn sync_entries(&self) -> io::Result<()> {
        if !mem::take(&mut lock(&self.ledger).unsynced_entry) {
            return Ok(());
        }
        let spares = lock(&self.spares).count();
        self.directory.sync().inspect_err(|_| lock(&self.ledger).unsynced_entry = true)?;
        lock(&self.spares).synced(spares);
        Ok(())
    }

    fn sync_segments(&self) -> io::Result<()> {
        let unsynced = lock(&self.ledger).unsynced();
        for segment in unsynced {
            if !segment.failed && self.sync_file(&segment.file).is_ok() {
                lock(&self.ledger).synced(segment.first, segment.end);
            } else {
                lock(&self.ledger).failed(segment.first);
                self.rewrite(segment.first)?;
            }
        }
        Ok(())
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        count(&self.counters.syncs, 1);
        let synced = match self.sync_fails() {
            Some(error) => Err(error),
            None => file.sync_data(),
        };
        synced.inspect_err(|error| {
            count(&self.counters.sync_failures, 1);
            tracing::error!(%error, "a sync of the journal failed; writing its events again");
        })
    }

    /// A sync that fails on purpose, in tests.
    fn sync_fails(&self) -> Option<io::Error> {
        #[cfg(test)]
        {
            use std::sync::atomic::Ordering::Relaxed;
            let failing = self.failing_syncs.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
            failing.is_ok().then(|| io::Error::other("a sync that fails for a test"))
        }
        #[cfg(not(test))]
        None
    }

    /// Writes the unsynced records of a segment to one of their own.
    fn rewrite(&self, first: u64) -> io::Result<()> {
        lock(&self.writer).seal(first);
        let Some(source) = lock(&self.ledger).unsynced().into_iter().find(|segment| segment.first == first)
        else {
            return Ok(());
        };
        let begin = source.synced.next;
        let (end, losses) = self.copy(&source, begin)?;
        let mut ledger = lock(&self.ledger);
        if begin != first {
            ledger.cut(first);
        }
        ledger.insert(begin, end);
        drop(ledger);
        for loss in losses {
            self.lose(&loss);
        }
        Ok(())
    }

    fn copy(&self, source: &Unsynced, begin: u64) -> io::Result<(Mark, Vec<super::loss::Loss>)> {
        let name = segment::name(begin);
        let temporary = format!("{name}.{TEMPORARY}");
        self.directory.remove(&temporary)?;
        let mut copy = BufWriter::with_capacity(BLOCK, self.directory.create(&temporary)?);
        copy.write_all(&segment::header(begin))?;
        let extent = Extent { first: source.first, end: source.end.offset, limit: source.end.next };
        let salvage = salvage(&Arc::clone(&source.file), source.synced, extent, now(), &mut copy)?;
        let copy = copy.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.sync_file(&copy)?;
        self.directory.rename(&temporary, &name)?;
        self.directory.sync()?;
        let losses = salvage.lost.iter().map(|lost| lost.loss("journal could not be synced".to_owned()));
        Ok((Mark { offset: copy.metadata()?.len(), next: source.end.next }, losses.collect()))
    }
}
