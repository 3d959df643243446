//! Reads the records of one segment, block by block, and finds the way on behind damage.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use super::{
    record::{self, Decoded, Kind, Record},
    segment,
};

/// What is searched at a time behind damage.
const SEARCH_BLOCK: usize = 1 << 20;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Offset in the segment.
    pub(crate) offset: u64,
    /// The number expected there.
    pub(crate) next: u64,
}

/// The part of a segment that holds its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The segment's first number. A record with a lower one is of the segment that the file was before.
    pub(crate) first: u64,
    /// Where the file's valid bytes end.
    pub(crate) end: u64,
    /// The first number that is no longer this segment's.
    pub(crate) limit: u64,
}

/// An event within the block that was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) seq: u64,
    pub(crate) unix_micros: i64,
    start: usize,
    end: usize,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// At least one event.
    Events,
    /// The extent's end.
    End,
    /// No whole record with the expected number.
    Damage,
}

/// Reads one segment.
pub(crate) struct Reader {
    file: Arc<File>,
    at: Mark,
    block: Block,
    /// Where in the block the records of the last read begin, and where they end.
    from: usize,
    whole: usize,
    spans: Vec<Span>,
}

impl Span {
    /// An event whose record was just written, from `record` on up to the end of `bytes`.
    pub(crate) fn written(seq: u64, unix_micros: i64, record: usize, bytes: &[u8]) -> Self {
        Self { seq, unix_micros, start: record + record::HEADER, end: bytes.len() }
    }

    /// Where its record begins in the block.
    pub(crate) fn record_start(self) -> usize {
        self.start.saturating_sub(record::HEADER)
    }

    /// Where its record ends in the block.
    pub(crate) fn record_end(self) -> usize {
        self.end
    }

    /// The event's JSON, in the block that the span is of.
    pub(crate) fn json(self, block: &[u8]) -> &[u8] {
        block.get(self.start..self.end).unwrap_or_default()
    }

    /// Part of a block.
    #[cfg(test)]
    pub(crate) fn part(seq: u64, start: usize, end: usize) -> Self {
        Self { seq, unix_micros: 0, start, end }
    }

    /// An event that is all of its block.
    #[cfg(test)]
    pub(crate) fn whole(seq: u64, json: &[u8]) -> Self {
        Self { seq, unix_micros: 0, start: 0, end: json.len() }
    }
}

impl Reader {
    /// Reads from `at` on.
    pub(crate) fn new(file: Arc<File>, at: Mark) -> Self {
        Self { file, at, block: Block::default(), from: 0, whole: 0, spans: Vec::new() }
    }

    /// Goes on in another segment, with the memory of this one.
    pub(crate) fn switch(&mut self, file: Arc<File>, at: Mark) {
        (self.file, self.at) = (file, at);
        self.spans.clear();
        self.forget();
    }

    /// Where the next read begins.
    pub(crate) fn at(&self) -> Mark {
        self.at
    }

    /// The events found by the last read.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What the spans point into.
    pub(crate) fn block(&self) -> &[u8] {
        self.block.bytes()
    }

    /// The records of the last read, as they stand in the file.
    pub(crate) fn raw(&self) -> &[u8] {
        self.block.bytes().get(self.from..self.whole).unwrap_or_default()
    }

    /// Finds the next events: at most `max_events`, in at most `max_bytes` unless one alone is larger.
    pub(crate) fn read(&mut self, extent: Extent, max_events: usize, max_bytes: usize) -> io::Result<Found> {
        let mut want = max_bytes.max(record::HEADER);
        let mut fresh = false;
        loop {
            self.spans.clear();
            self.from = self.whole;
            match self.parse(extent, max_events) {
                _ if !self.spans.is_empty() => return Ok(Found::Events),
                Parsed::End => return Ok(Found::End),
                Parsed::Damage => return Ok(Found::Damage),
                // The file is shorter than it was.
                Parsed::Rest(needed) if fresh && self.whole == self.from && needed <= want => {
                    return Ok(Found::Damage);
                }
                Parsed::Rest(needed) => want = want.max(needed),
            }
            self.forget();
            self.block.fill(&self.file, self.at.offset, extent.end, want)?;
            fresh = true;
        }
    }

    /// What was read ahead is not what comes next.
    fn forget(&mut self) {
        self.block.filled = 0;
        (self.from, self.whole) = (0, 0);
    }

    fn parse(&mut self, extent: Extent, max_events: usize) -> Parsed {
        loop {
            let left = extent.end.saturating_sub(self.at.offset);
            if self.at.next >= extent.limit || left == 0 {
                return Parsed::End;
            }
            if self.spans.len() >= max_events {
                return Parsed::Rest(0);
            }
            let rest = self.block.bytes().get(self.whole..).unwrap_or_default();
            let record = match record::decode(rest) {
                Decoded::Record(record) => record,
                Decoded::Short(needed) if needed as u64 <= left => return Parsed::Rest(needed),
                Decoded::Short(_) | Decoded::Bad => return Parsed::Damage,
            };
            if record.seq > self.at.next || record.seq < extent.first {
                return Parsed::Damage;
            }
            if record.seq == self.at.next && record.kind == Kind::Event {
                let start = self.whole + record::HEADER;
                let end = start + record.payload.len();
                self.spans.push(Span { seq: record.seq, unix_micros: record.unix_micros, start, end });
            }
            self.at.next = self.at.next.max(record.next());
            self.at.offset += record.size() as u64;
            self.whole += record.size();
        }
    }

    /// From damage on, goes to the next whole record whose number can be right. `None` where there is none before the
    /// extent's end; else the time of that record.
    pub(crate) fn resync(&mut self, extent: Extent) -> io::Result<Option<i64>> {
        let mut offset = self.at.offset;
        let mut block = Block::default();
        self.forget();
        while offset < extent.end {
            block.fill(&self.file, offset, extent.end, SEARCH_BLOCK)?;
            // Room kept ahead is passed over quickly.
            if !block.is_blank()
                && let Some(unix_micros) = self.search(&block, offset, extent)?
            {
                return Ok(Some(unix_micros));
            }
            offset += (block.filled.saturating_sub(record::HEADER - 1)).max(1) as u64;
            if block.filled < SEARCH_BLOCK {
                break;
            }
        }
        Ok(None)
    }

    /// Goes to the first whole record of a block that stands at `offset`; gives back its time.
    fn search(&mut self, block: &Block, offset: u64, extent: Extent) -> io::Result<Option<i64>> {
        for (begin, head) in (offset..).zip(block.bytes().windows(record::HEADER)) {
            if record::may_begin(head, self.plausible(begin, extent))
                && let Some(unix_micros) = self.verify(begin, extent)?
            {
                return Ok(Some(unix_micros));
            }
        }
        Ok(None)
    }

    /// The numbers that a record at `offset` may have: damage cannot hide more records than fit into its bytes.
    fn plausible(&self, offset: u64, extent: Extent) -> std::ops::Range<u64> {
        let hidden = offset.saturating_sub(self.at.offset) / record::HEADER as u64;
        let limit = if hidden == 0 { extent.limit } else { self.at.next.saturating_add(hidden + 1) };
        self.at.next..limit.min(extent.limit)
    }

    fn verify(&mut self, offset: u64, extent: Extent) -> io::Result<Option<i64>> {
        let mut want = record::HEADER;
        let mut block = Block::default();
        loop {
            block.fill(&self.file, offset, extent.end, want)?;
            match record::decode(block.bytes()) {
                Decoded::Record(Record { seq, unix_micros, .. }) => {
                    self.at = Mark { offset, next: seq };
                    return Ok(Some(unix_micros));
                }
                Decoded::Short(needed) if needed > want => want = needed,
                Decoded::Short(_) | Decoded::Bad => return Ok(None),
            }
        }
    }
}

/// Why parsing a block ended.
enum Parsed {
    /// More is in the file; the next record needs so many bytes.
    Rest(usize),
    End,
    Damage,
}

/// Bytes of a file, in memory that is kept: it is only ever cleared once.
#[derive(Default)]
struct Block {
    memory: Vec<u8>,
    filled: usize,
}

impl Block {
    fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }

    /// Whether it is nothing but zeros.
    fn is_blank(&self) -> bool {
        const ZEROS: [u8; 4096] = [0; 4096];
        self.bytes().chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
    }

    /// Reads up to `want` bytes from `offset` on, but none beyond `end`, in place of what there was.
    fn fill(&mut self, file: &File, offset: u64, end: u64, want: usize) -> io::Result<()> {
        let want = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(want);
        if self.memory.len() < want {
            self.memory.resize(want, 0);
        }
        self.filled = 0;
        while let Some(rest) = self.memory.get_mut(self.filled..want).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + self.filled as u64) {
                // The file is shorter than its records were: what is missing is damage, not an error.
                Ok(0) => break,
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a file holds nothing but zeros from a place on.
pub(crate) fn is_blank(file: &File, from: u64) -> io::Result<bool> {
    let (mut block, mut at) = (Block::default(), from);
    loop {
        block.fill(file, at, u64::MAX, SEARCH_BLOCK)?;
        if block.filled == 0 || !block.is_blank() {
            return Ok(block.filled == 0);
        }
        at += block.filled as u64;
    }
}

/// Where a segment's first record stands.
pub(crate) fn start(first: u64) -> Mark {
    Mark { offset: segment::HEADER, next: first }
}
