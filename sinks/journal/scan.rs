//! Reads a journal from outside: without its lock, beside a process that writes it, and changing nothing.
//!
//! Segments may be deleted, or their files written over, while they are read: what is gone then was passed by every sink.

use std::{
    fs::{self, File},
    io,
    ops::{ControlFlow, Range, RangeInclusive},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
};

use super::{
    reader::{Extent, Found, Reader, start},
    segment::{self, Header},
};

/// What is read at a time.
const BLOCK: usize = 1 << 20;

/// What stands in a journal.
pub(crate) enum Seen<'a> {
    /// An event, in order of the numbers.
    Event { seq: u64, unix_micros: i64, json: &'a [u8] },
    /// Records that cannot be read.
    Damage { segment: &'a str, seqs: Range<u64> },
}

/// The first numbers of the segments, in order.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let first = entry.file_name().to_str().and_then(segment::first);
        firsts.extend(first.filter(|_| !entry.path().is_dir()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Shows all that has these numbers, until `each` has enough.
pub(crate) fn scan(
    dir: &Path,
    numbers: RangeInclusive<u64>,
    mut each: impl FnMut(Seen<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut next = *numbers.start();
    let mut done: Option<u64> = None;
    loop {
        let firsts = segments(dir)?;
        let holds = firsts.iter().rev().find(|&&first| first <= next);
        let Some(&first) = holds.or(firsts.first()) else { return Ok(()) };
        if done == Some(first) || first > *numbers.end() {
            return Ok(());
        }
        let limit = firsts.iter().copied().find(|&other| other > first).unwrap_or(u64::MAX);
        let mut reached = |seen: Seen<'_>| match &seen {
            Seen::Event { seq, .. } if *seq < next => Ok(ControlFlow::Continue(())),
            Seen::Event { seq, .. } if !numbers.contains(seq) => Ok(ControlFlow::Break(())),
            _ => each(seen),
        };
        match read(dir, first, limit, &mut reached)? {
            ControlFlow::Break(()) => return Ok(()),
            // It went while it was read.
            ControlFlow::Continue(None) => done = None,
            ControlFlow::Continue(Some(end)) => {
                next = next.max(end);
                done = Some(first);
            }
        }
    }
}

/// Shows a segment; gives back the number behind it, or nothing if the segment went meanwhile.
fn read(
    dir: &Path,
    first: u64,
    limit: u64,
    each: &mut impl FnMut(Seen<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<ControlFlow<(), Option<u64>>> {
    let name = segment::name(first);
    let file = match segment::open(&dir.join(&name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ControlFlow::Continue(None)),
        opened => {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
            Arc::new(opened.map_err(named)?)
        }
    };
    match segment::check(&file, first)? {
        Header::Newer(version) => {
            return Err(io::Error::other(format!(
                "{name} was written by a later Panoptes (format {version})"
            )));
        }
        Header::Bad => tracing::warn!(segment = %name, "the head of this segment is damaged"),
        Header::Good | Header::Earlier => {}
    }
    let extent = Extent { first, end: file.metadata()?.len(), limit };
    let mut reader = Reader::new(Arc::clone(&file), start(first));
    loop {
        let found = reader.read(extent, usize::MAX, BLOCK)?;
        for span in reader.spans() {
            let (seq, unix_micros, json) = (span.seq, span.unix_micros, span.json(reader.block()));
            if each(Seen::Event { seq, unix_micros, json })?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let from = reader.at().next;
        match found {
            Found::Events => continue,
            Found::End if from >= limit || limit == u64::MAX => return Ok(ControlFlow::Continue(Some(from))),
            Found::End | Found::Damage if !is_there(&dir.join(&name), &file) => {
                return Ok(ControlFlow::Continue(None));
            }
            // Whoever looks sees the numbers between: the next segment is gone, or the end of this one.
            Found::End => return Ok(ControlFlow::Continue(Some(limit))),
            Found::Damage => {}
        }
        let damage = reader.at();
        let resumed = reader.resync(extent)?.is_some();
        if resumed && Reader::new(Arc::clone(&file), damage).read(extent, 1, 0)? != Found::Damage {
            // It was being written when it was read: what stands behind it was there before it was looked at again.
            reader.switch(Arc::clone(&file), damage);
            continue;
        }
        let to = if resumed { reader.at().next } else { limit };
        if to == u64::MAX {
            // The end of the last segment: what stands there was never a whole record, or is about to be one.
            return Ok(ControlFlow::Continue(Some(from)));
        }
        if to > from && each(Seen::Damage { segment: &name, seqs: from..to })?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if !resumed {
            return Ok(ControlFlow::Continue(Some(to)));
        }
    }
}

/// Whether the file still is the one under this name.
pub(crate) fn is_there(path: &Path, file: &File) -> bool {
    let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
    matches!((fs::metadata(path).map(inode), file.metadata().map(inode)), (Ok(a), Ok(b)) if a == b)
}
