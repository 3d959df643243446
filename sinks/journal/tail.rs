//! The newest writes, kept in memory: a sink that keeps up takes them from here, and no file is read, nor a checksum
//! computed, to tell it what this process has just written.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use super::{cursor::Cursor, reader::Span, shared::lock};

/// Bytes that are kept, in whole writes.
const MAX_BYTES: usize = 2 << 20;
/// Writes that are kept.
const MAX_WRITES: usize = 64;
/// Sinks that let events gather are called after so many bytes, while these are still here.
const CALL_BYTES: usize = MAX_BYTES / 4;

/// The newest writes.
#[derive(Default)]
pub(crate) struct Tail {
    state: Mutex<State>,
    /// Told after each [`CALL_BYTES`].
    filled: Notify,
}

#[derive(Default)]
struct State {
    writes: VecDeque<Arc<Write>>,
    bytes: usize,
    since_call: usize,
}

/// What was written at once: records with numbers in a row, and where the events are in them.
#[derive(Default)]
pub(crate) struct Write {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: Vec<Span>,
    /// The segment, by its first number.
    pub(crate) segment: u64,
    /// Where in the segment it begins.
    pub(crate) offset: u64,
}

/// Some events of a write, in a row.
pub(crate) struct Part {
    write: Arc<Write>,
    from: usize,
    to: usize,
}

impl Tail {
    /// Adds a write of at least one event. Gives back the memory of one that is no longer kept.
    pub(crate) fn push(&self, write: Write) -> Write {
        let mut state = lock(&self.state);
        state.bytes += write.bytes.len();
        state.since_call += write.bytes.len();
        state.writes.push_back(Arc::new(write));
        if state.since_call >= CALL_BYTES {
            state.since_call = 0;
            self.filled.notify_waiters();
        }
        let mut memory = Write::default();
        while state.bytes > MAX_BYTES || state.writes.len() > MAX_WRITES {
            let Some(oldest) = state.writes.pop_front() else { break };
            state.bytes -= oldest.bytes.len();
            // Where a sink still has it, the sink lets it go.
            memory = Arc::try_unwrap(oldest).unwrap_or(memory);
        }
        memory.clear();
        memory
    }

    /// The events from this number on that were written along with it: at most `max_events` in at most `max_bytes`, unless
    /// one alone is larger.
    pub(crate) fn find(&self, seq: u64, max_events: usize, max_bytes: usize) -> Option<Part> {
        let state = lock(&self.state);
        let place = state.writes.partition_point(|write| write.first() <= seq).checked_sub(1)?;
        let write = state.writes.get(place)?;
        let from = usize::try_from(seq - write.first()).ok().filter(|from| *from < write.spans.len())?;
        Some(Part::new(Arc::clone(write), from, max_events, max_bytes))
    }

    /// Forgets them all: what is read then is in the files.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        lock(&self.state).writes.clear();
    }

    /// Until a good part of what is kept is new.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }
}

impl Write {
    fn first(&self) -> u64 {
        self.spans.first().map_or(u64::MAX, |span| span.seq)
    }

    /// Forgets what was written, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Takes back the last record.
    pub(crate) fn drop_last(&mut self) {
        if let Some(last) = self.spans.pop() {
            self.bytes.truncate(last.record_start());
        }
    }

    /// This, written at a place; what is left is empty.
    pub(crate) fn take(&mut self, segment: u64, offset: u64) -> Self {
        Self { segment, offset, ..mem::take(self) }
    }
}

impl Part {
    fn new(write: Arc<Write>, from: usize, max_events: usize, max_bytes: usize) -> Self {
        let rest = write.spans.get(from..).unwrap_or_default();
        let start = rest.first().map_or(0, |span| span.record_start());
        let fitting = rest.partition_point(|span| span.record_end() - start <= max_bytes);
        let to = from + fitting.min(max_events).max(1);
        Self { write, from, to }
    }

    /// The bytes, and where the events are in them.
    pub(crate) fn batch(&self) -> (&[u8], &[Span]) {
        (&self.write.bytes, self.write.spans.get(self.from..self.to).unwrap_or_default())
    }

    /// Whether it is what was left of its write.
    pub(crate) fn is_rest(&self) -> bool {
        self.from > 0
    }

    /// Bytes of its records.
    pub(crate) fn size(&self) -> usize {
        let spans = self.batch().1;
        spans.first().zip(spans.last()).map_or(0, |(first, last)| last.record_end() - first.record_start())
    }

    /// The place behind it.
    pub(crate) fn end(&self) -> Cursor {
        let Write { segment, offset, .. } = &*self.write;
        let (end, seq) = self.batch().1.last().map_or((0, 0), |last| (last.record_end(), last.seq));
        Cursor { segment: *segment, offset: offset + end as u64, seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record;

    /// `count` events of some size from `first` on.
    fn write(first: u64, count: usize, size: usize) -> Write {
        let part = |place: usize| {
            Span::part(first + place as u64, place * size + record::HEADER, (place + 1) * size)
        };
        Write { bytes: vec![b'x'; count * size], spans: (0..count).map(part).collect(), ..Write::default() }
    }

    #[test]
    fn an_event_is_found_in_its_write_and_nothing_beside() {
        let tail = Tail::default();
        tail.push(write(5, 3, 100));
        tail.push(Write { segment: 5, offset: 1_000, ..write(8, 2, 100) });
        // 10 was lost.
        tail.push(write(11, 1, 100));
        let find = |seq, events, bytes| tail.find(seq, events, bytes);
        let seqs = |part: Part| part.batch().1.iter().map(|span| span.seq).collect();
        let found = |seq| find(seq, 9, 1 << 20).map(seqs);
        assert_eq!(found(6), Some(vec![6, 7]));
        assert_eq!(found(8), Some(vec![8, 9]));
        assert_eq!([4, 10, 12].map(found), [None, None, None]);
        assert_eq!(find(5, 2, 1 << 20).map(seqs), Some(vec![5, 6]));
        assert_eq!([99, 250, 300].map(|bytes| find(5, 9, bytes).unwrap().batch().1.len()), [1, 2, 3]);
        let part = find(8, 1, 1 << 20).unwrap();
        let end = part.end();
        assert_eq!((part.size(), end.segment, end.offset, end.seq), (100, 5, 1_100, 8));
    }

    #[test]
    fn only_so_much_is_kept_and_its_memory_is_used_again() {
        let tail = Tail::default();
        let mut reused = 0;
        for place in 0..20 {
            let memory = tail.push(write(1 + place * 10, 10, MAX_BYTES / 40));
            reused += usize::from(memory.bytes.capacity() > 0);
            assert!(memory.bytes.is_empty() && memory.spans.is_empty());
        }
        assert_eq!(reused, 16, "four are kept");
        let is_kept = |seq| tail.find(seq, 1, 1).is_some();
        assert!(!is_kept(1) && !is_kept(160) && is_kept(161) && is_kept(200));
        tail.push(write(201, 1, 2 * MAX_BYTES));
        assert!(!is_kept(200) && !is_kept(201), "what is too large is in the file");
    }
}
