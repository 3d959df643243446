//! Numbers events and writes them to the last segment.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use panoptes_event::batch::Encoded;

use super::{
    chain::{Chain, Link},
    loss::Loss,
    reader::{Mark, Span, start},
    record::{self, Kind},
    recovery::clear,
    segment,
    shared::{Shared, count, lock, now},
    tail::Write,
};

/// More than a gap event takes.
const GAP_ROOM: u64 = 4 << 10;

/// The end of the journal. Whoever holds it numbers the next events.
#[derive(Default)]
pub(crate) struct Writer {
    /// The segment that is written to; none before the first write and after a failure.
    active: Option<Active>,
    /// The number that comes next.
    next: u64,
    /// What is written next, and was not before.
    buffer: Write,
    /// What was lost and is not told yet.
    loss: Option<Loss>,
    /// Where there is a key to sign with.
    chain: Option<Chain>,
}

struct Active {
    file: Arc<File>,
    first: u64,
    offset: u64,
    /// Where the file ends, if that is behind the offset; `u64::MAX` where it cannot be made longer ahead.
    end: u64,
}

/// What one write took.
pub(crate) struct Written {
    /// Events of the batch, those that were too large included.
    pub(crate) events: usize,
    /// Number of the first.
    pub(crate) first: u64,
    /// Number of the last.
    pub(crate) last: u64,
}

impl Writer {
    /// Goes on with a number, in a segment that has records already or in a new one.
    pub(crate) fn new(next: u64, active: Option<(u64, Arc<File>, u64)>) -> Self {
        let active = active.map(|(first, file, offset)| Active { file, first, offset, end: offset });
        Self { active, next, ..Self::default() }
    }

    /// Chains events from now on.
    pub(crate) fn chain(&mut self, chain: Option<Chain>) {
        self.chain = chain;
    }

    /// Writes as many events as go into one write, at least one, behind the gap event that is due, if one is.
    pub(crate) fn write<'e>(
        &mut self,
        shared: &Shared,
        events: impl Iterator<Item = (Encoded<'e>, i64)>,
    ) -> io::Result<Written> {
        let mut next = self.next;
        let mut link = self.chain.as_ref().map(|chain| chain.link);
        self.buffer.clear();
        if let Some(loss) = &self.loss {
            encode_gap(shared, loss, next, &mut link, &mut self.buffer);
            next += 1;
        }
        let (first, mut last, mut taken, mut oversize) = (next, next.saturating_sub(1), 0, 0);
        for (event, unix_micros) in events {
            let before = link;
            if encode(event, next, unix_micros, &mut link, &mut self.buffer) > shared.bounds.payload {
                self.buffer.drop_last();
                link = before;
                encode_gap(shared, &too_large(unix_micros), next, &mut link, &mut self.buffer);
                oversize += 1;
            }
            last = next;
            next += 1;
            taken += 1;
            if let (Some(chain), Some(link)) = (&self.chain, link.as_mut().filter(|link| link.is_long())) {
                encode_checkpoint(shared, chain, next, link, &mut self.buffer);
                next += 1;
            }
            if self.buffer.bytes.len() >= shared.bounds.write {
                break;
            }
        }
        self.put(shared, next)?;
        self.linked(shared, link);
        self.loss = None;
        count(&shared.counters.appended, taken as u64);
        count(&shared.counters.dropped, oversize);
        Ok(Written { events: taken, first, last })
    }

    /// Vouches for the events that no checkpoint covers yet. Where even the room for gap events is used up, it waits.
    pub(crate) fn sign(&mut self, shared: &Shared) -> io::Result<()> {
        let mut link = self.chain.as_ref().map(|chain| chain.link);
        let (Some(chain), Some(open)) = (&self.chain, link.as_mut().filter(|link| link.is_open())) else {
            return Ok(());
        };
        if lock(&shared.ledger).bytes() + GAP_ROOM > shared.bounds.max_size {
            return Ok(());
        }
        self.buffer.clear();
        encode_checkpoint(shared, chain, self.next, open, &mut self.buffer);
        self.put(shared, self.next + 1)?;
        self.linked(shared, link);
        Ok(())
    }

    /// What is written is chained as it stands.
    fn linked(&mut self, shared: &Shared, link: Option<Link>) {
        if let (Some(chain), Some(mut link)) = (&mut self.chain, link) {
            shared.dirty.sign_at(link.due());
            chain.link = link;
        }
    }

    /// Writes the gap event that is due into the room kept for it. Where even that is used up, it stays due.
    pub(crate) fn tell_loss(&mut self, shared: &Shared) -> io::Result<()> {
        if self.loss.is_none() || lock(&shared.ledger).bytes() + GAP_ROOM > shared.bounds.max_size {
            return Ok(());
        }
        self.write(shared, std::iter::empty()).map(|_| ())
    }

    /// Counts lost events, to be told by a gap event.
    pub(crate) fn lose(&mut self, shared: &Shared, loss: &Loss) {
        count(&shared.counters.dropped, loss.count);
        shared.dirty.owe();
        match &mut self.loss {
            Some(pending) => pending.add(loss),
            None => {
                tracing::warn!(reason = %loss.reason, "events are lost; a gap event will say how many");
                self.loss = Some(loss.clone());
            }
        }
    }

    /// Gives numbers away that were used in an earlier life of this journal.
    pub(crate) fn skip_to(&mut self, shared: &Shared, next: u64) -> io::Result<()> {
        self.buffer.clear();
        record::write_lost(&mut self.buffer.bytes, self.next, next.saturating_sub(self.next), now());
        self.put(shared, next)
    }

    /// Nothing more goes to this segment.
    pub(crate) fn seal(&mut self, first: u64) {
        self.active = self.active.take().filter(|active| active.first != first);
    }

    /// Writes the buffer. A file that failed once is not written again: a new segment is begun, and tried once.
    fn put(&mut self, shared: &Shared, next: u64) -> io::Result<()> {
        let size = self.buffer.bytes.len() as u64;
        let fits = |active: &Active| {
            active.offset == segment::HEADER || active.offset + size <= shared.bounds.segment_size
        };
        if let Some(mut active) = self.active.take_if(|active| fits(active)) {
            active.reach(shared, size);
            match active.file.write_all_at(&self.buffer.bytes, active.offset) {
                Ok(()) => {
                    self.commit(shared, active, next);
                    return Ok(());
                }
                Err(error) => abandon(shared, &active, &error),
            }
        }
        let mut active = self.begin(shared)?;
        active.reach(shared, size);
        match active.file.write_all_at(&self.buffer.bytes, active.offset) {
            Ok(()) => {
                self.commit(shared, active, next);
                Ok(())
            }
            Err(error) => {
                abandon(shared, &active, &error);
                Err(error)
            }
        }
    }

    /// Cuts the room kept ahead, or what an earlier segment left in the file, behind the records of this one. Best effort:
    /// nothing there is taken for a record.
    pub(crate) fn trim(&self) {
        if let Some(active) = &self.active {
            let _ = active.file.set_len(active.offset);
        }
    }

    fn commit(&mut self, shared: &Shared, mut active: Active, next: u64) {
        let offset = active.offset;
        active.offset += self.buffer.bytes.len() as u64;
        self.next = next;
        let mut ledger = lock(&shared.ledger);
        let recovered = ledger.extend(active.first, Mark { offset: active.offset, next });
        let crossed = ledger.crossed();
        drop(ledger);
        shared.alarm(crossed);
        if let Some(trouble) = recovered {
            tracing::info!(after = %trouble.reason, "the journal can be written again");
        }
        if !shared.sinks.is_empty() && !self.buffer.spans.is_empty() {
            self.buffer = shared.tail.push(self.buffer.take(active.first, offset));
        }
        self.active = Some(active);
        shared.dirty.mark();
        shared.written.send_replace(next.saturating_sub(1));
    }

    /// Begins the segment of the next number.
    fn begin(&mut self, shared: &Shared) -> io::Result<Active> {
        let first = self.next;
        self.trim();
        self.active = None;
        // No event has this number yet.
        clear(&shared.directory, &segment::name(first))?;
        let (file, end) = match reuse(shared, first) {
            Some(file) => file,
            None => (segment::create(&shared.directory, first)?, segment::HEADER),
        };
        let file = Arc::new(file);
        lock(&shared.ledger).open(first, Arc::clone(&file));
        Ok(Active { file, first, offset: start(first).offset, end })
    }
}

impl Active {
    /// Gives the file room for so many bytes more and for some that come later, where someone waits for syncs; but not
    /// beyond what the journal may take.
    fn reach(&mut self, shared: &Shared, size: u64) {
        let needed = self.offset + size;
        if needed <= self.end || shared.bounds.ahead == 0 || !shared.durable.is_used() {
            return;
        }
        let room = shared.bounds.max_size.saturating_sub(lock(&shared.ledger).bytes());
        let end = (needed + shared.bounds.ahead).min(shared.bounds.segment_size).min(self.offset + room);
        if end <= needed {
            return;
        }
        match segment::lengthen(&self.file, self.offset, end) {
            Ok(()) => self.end = end,
            Err(error) => {
                // What a full disk gave of it is written first; the rest comes as it is written.
                tracing::debug!(segment = %segment::name(self.first), %error, "no room is kept ahead");
                self.end = u64::MAX;
            }
        }
    }
}

/// The file of a spare, as the segment that begins with this number; and where it ends.
fn reuse(shared: &Shared, first: u64) -> Option<(File, u64)> {
    let spare = lock(&shared.spares).take()?;
    let reused = segment::reuse(&shared.directory, &spare, first)
        .and_then(|file| file.metadata().map(|meta| (file, meta.len())));
    if let Err(error) = &reused {
        tracing::warn!(file = %spare, %error, "cannot use this file again");
        let _ = shared.directory.remove(&spare);
    }
    reused.ok()
}

/// Leaves a segment whose file failed with the records that it has.
fn abandon(shared: &Shared, active: &Active, error: &io::Error) {
    count(&shared.counters.write_failures, 1);
    let name = segment::name(active.first);
    if lock(&shared.ledger).trouble.is_none() {
        tracing::error!(segment = %name, %error, "cannot write to this segment; going on in a new one");
    }
    // Best effort: what is behind the last whole record is cut at the next start, or superseded.
    let _ = active.file.set_len(active.offset);
    lock(&shared.ledger).distrust(active.first);
    if active.offset == segment::HEADER {
        lock(&shared.ledger).remove(active.first);
        let _ = shared.directory.remove(&name);
    }
}

/// Writes an event's record, chained where events are; gives back its size.
fn encode(event: Encoded<'_>, seq: u64, unix_micros: i64, link: &mut Option<Link>, out: &mut Write) -> usize {
    let start = out.bytes.len();
    match link {
        Some(link) => link.write(event, seq, unix_micros, &mut out.bytes),
        None => record::write(&mut out.bytes, Kind::Event, seq, unix_micros, |bytes| event.write(seq, bytes)),
    }
    out.spans.push(Span::written(seq, unix_micros, start, &out.bytes));
    out.bytes.len() - start
}

/// Writes a checkpoint's record.
fn encode_checkpoint(shared: &Shared, chain: &Chain, seq: u64, link: &mut Link, out: &mut Write) {
    let (start, unix_micros) = (out.bytes.len(), now());
    chain.write(link, &shared.origin, seq, unix_micros, &mut out.bytes);
    out.spans.push(Span::written(seq, unix_micros, start, &out.bytes));
}

/// Writes a gap event.
fn encode_gap(shared: &Shared, loss: &Loss, seq: u64, link: &mut Option<Link>, out: &mut Write) {
    for (event, unix_micros) in loss.event(&shared.origin, now()).iter() {
        encode(event, seq, unix_micros, link, out);
    }
}

fn too_large(unix_micros: i64) -> Loss {
    Loss {
        count: 1,
        from: unix_micros,
        to: unix_micros,
        reason: "event too large for the journal".to_owned(),
    }
}
