//! Some events as a journal of their own, from which one sink delivers them once more: the one at work is not touched.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{cursor::Cursor, directory::Directory, private, record, segment};

/// So many bytes are enough.
const FULL: u64 = 256 << 20;

/// A journal in a new folder, while it is written. It is for one sink, which is to have all of it.
pub(crate) struct Slice<'d> {
    dir: &'d Path,
    sink: &'d str,
    out: Option<BufWriter<File>>,
    /// The number that comes next, once there is an event.
    next: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<'d> Slice<'d> {
    /// Bytes of the largest event.
    pub(crate) const LARGEST: usize = record::MAX_PAYLOAD;

    pub(crate) fn new(dir: &'d Path, sink: &'d str) -> Self {
        Self { dir, sink, out: None, next: 0, bytes: 0, buffer: Vec::new() }
    }

    /// Whether an event of this number is for another slice: this one is large enough, or past it.
    pub(crate) fn is_behind(&self, seq: u64) -> bool {
        self.bytes > FULL || seq < self.next
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, seq: u64, unix_micros: i64, json: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        if self.next < seq && self.next > 0 {
            record::write_lost(&mut self.buffer, self.next, seq - self.next, unix_micros);
        }
        record::write(&mut self.buffer, record::Kind::Event, seq, unix_micros, |out| {
            out.extend_from_slice(json);
        });
        let out = match &mut self.out {
            Some(out) => out,
            none => none.insert(begin(self.dir, self.sink, seq)?),
        };
        out.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.next = seq + 1;
        Ok(())
    }

    /// It has all that it is to have. Gives back the number behind it; none where there is no event.
    pub(crate) fn end(self) -> io::Result<Option<u64>> {
        let Some(mut out) = self.out else { return Ok(None) };
        out.flush()?;
        Ok(Some(self.next))
    }
}

/// The segment that begins with a number, and a cursor before it.
fn begin(dir: &Path, sink: &str, seq: u64) -> io::Result<BufWriter<File>> {
    let cursors = Directory::open(&dir.join("cursors"))?;
    Cursor { segment: seq, offset: segment::HEADER, seq: seq.saturating_sub(1) }.save(&cursors, sink)?;
    let file = private().write(true).create_new(true).open(dir.join(segment::name(seq)))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    file.write_all(&segment::header(seq))?;
    Ok(file)
}
