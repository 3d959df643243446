//! What a start finds on disk, and how it is mended.
//!
//! A torn tail of the last segment is cut: its record was never taken. So is the room that was kept ahead of its records,
//! which is zeros, and what an earlier segment left in the file: its numbers are too low (see `spares`). Anything else
//! that is bad puts the segment aside as `….damaged`; a new one with its good records takes its place, where a record
//! of lost numbers stands for the others. Mending comes after the gap events are on disk: a crash in between tells them
//! twice rather than never.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    sync::Arc,
};

use super::{
    Error,
    directory::{Directory, TEMPORARY},
    intents::Intents,
    loss::Loss,
    reader::{self, Extent, Found, Mark, Reader, Span},
    record,
    segment::{self, Header},
};

/// What is appended to the name of a segment put aside.
pub(crate) const DAMAGED: &str = "damaged";

/// What is read at a time.
const BLOCK: usize = 1 << 20;

/// The segments as they were found.
#[derive(Default)]
pub(crate) struct Findings {
    /// Those with good records, oldest first.
    pub(crate) segments: Vec<Kept>,
    /// The number that comes next.
    pub(crate) next: u64,
    /// Time of the last record.
    pub(crate) last_micros: i64,
    /// The JSON of the last event.
    pub(crate) last_event: Option<Vec<u8>>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) intents: Intents,
}

/// A segment that holds records.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) first: u64,
    /// Where its records end.
    pub(crate) end: Mark,
    pub(crate) damaged: bool,
}

/// What was read of a segment.
pub(crate) struct Salvage {
    /// Behind its last good record.
    pub(crate) end: Mark,
    pub(crate) last_micros: Option<i64>,
    last_event: Option<Vec<u8>>,
    pub(crate) lost: Vec<Lost>,
}

/// Numbers whose events are gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) seqs: Range<u64>,
    /// The times of the events around them.
    from: i64,
    to: i64,
}

impl Lost {
    pub(crate) fn loss(&self, reason: String) -> Loss {
        Loss { count: self.seqs.end.saturating_sub(self.seqs.start), from: self.from, to: self.to, reason }
    }
}

/// Reads all segments, cuts the torn tail of the last one, and syncs what an earlier process may have left unsynced.
pub(crate) fn inspect(directory: &Directory, now: i64) -> Result<Findings, Error> {
    let at = |source| Error::io("read", directory.path(), source);
    let names = directory.names().map_err(at)?;
    for name in names.iter().filter(|name| segment::first(name).is_some() && directory.is_folder(name)) {
        clear(directory, name).map_err(|source| Error::io("put aside", &directory.join(name), source))?;
    }
    let names = directory.files().map_err(at)?;
    let firsts: Vec<u64> = names.iter().filter_map(|name| segment::first(name)).collect();
    let mut findings = Findings { next: 1, ..Findings::default() };
    for (n, &first) in firsts.iter().enumerate() {
        let limit = firsts.get(n + 1).copied();
        let path = directory.join(&segment::name(first));
        examine(directory, first, limit, now, &mut findings)
            .map_err(|source| Error::io("recover", &path, source))?
            .map_or(Ok(()), |version| Err(Error::Newer { file: path, version }))?;
    }
    Ok(findings)
}

/// Gives back the version of a segment that is too new to be read.
fn examine(
    directory: &Directory,
    first: u64,
    limit: Option<u64>,
    now: i64,
    findings: &mut Findings,
) -> io::Result<Option<u32>> {
    let name = segment::name(first);
    let file = Arc::new(directory.open_file(&name)?);
    file.sync_data()?;
    let header = segment::check(&file, first)?;
    if let Header::Newer(version) = header {
        return Ok(Some(version));
    }
    let length = file.metadata()?.len();
    let extent = Extent { first, end: length, limit: limit.unwrap_or(u64::MAX) };
    let intents = &mut findings.intents;
    let mut see = |span: &Span, block: &[u8]| intents.see(span.seq, span.json(block));
    let salvage = salvage_seen(&file, reader::start(first), extent, now, &mut io::sink(), &mut see)?;
    findings.next = limit.unwrap_or(salvage.end.next);
    findings.last_micros = salvage.last_micros.unwrap_or(findings.last_micros);
    findings.last_event = salvage.last_event.or(findings.last_event.take());
    for lost in &salvage.lost {
        tracing::error!(segment = %name, first = lost.seqs.start, end = lost.seqs.end, "the journal is damaged: events are lost");
        findings.losses.push(lost.loss(format!("journal damaged: {name}")));
    }
    let is_empty = salvage.end.next == first;
    let damaged = header != Header::Good || !salvage.lost.is_empty();
    if is_empty && (damaged || length > segment::HEADER) {
        // Nothing in it can be read: its name must be free for the segment that begins with the same number.
        tracing::warn!(segment = %name, bytes = length, "the last segment holds no readable record");
        // Its head may not have come to the disk before a crash of the machine.
        if length > segment::HEADER && header == Header::Bad && !reader::is_blank(&file, 0)? {
            put_aside(directory, &name)?
        } else {
            directory.remove(&name)?
        }
        return Ok(None);
    }
    if limit.is_none() && !damaged && salvage.end.offset < length {
        if !reader::is_blank(&file, salvage.end.offset)? {
            let bytes = length - salvage.end.offset;
            tracing::warn!(segment = %name, bytes, "cut what is behind the last record: the last run ended without closing the journal");
        }
        file.set_len(salvage.end.offset)?;
        file.sync_all()?;
    }
    findings.segments.push(Kept { first, end: salvage.end, damaged });
    Ok(None)
}

/// Replaces a damaged segment by its good records; `limit` is the next segment's first number.
pub(crate) fn mend(directory: &Directory, kept: &Kept, limit: u64, now: i64) -> io::Result<Mark> {
    let name = segment::name(kept.first);
    let temporary = format!("{name}.{TEMPORARY}");
    directory.remove(&temporary)?;
    let source = Arc::new(directory.open_file(&name)?);
    let end = source.metadata()?.len();
    let mut copy = BufWriter::with_capacity(BLOCK, directory.create(&temporary)?);
    copy.write_all(&segment::header(kept.first))?;
    let extent = Extent { first: kept.first, end, limit };
    let salvage = salvage(&source, reader::start(kept.first), extent, now, &mut copy)?;
    let copy = copy.into_inner().map_err(io::IntoInnerError::into_error)?;
    copy.sync_all()?;
    put_aside(directory, &name)?;
    directory.rename(&temporary, &name)?;
    directory.sync()?;
    tracing::warn!(segment = %name, "put a damaged segment aside and kept its good records");
    Ok(Mark { offset: copy.metadata()?.len(), next: salvage.end.next })
}

/// Makes a name free for a segment: of what an attempt left that could not even be removed, and of a folder, which is
/// somebody's and is put aside.
pub(crate) fn clear(directory: &Directory, name: &str) -> io::Result<()> {
    if !directory.is_folder(name) {
        return directory.remove(name);
    }
    tracing::warn!(folder = %directory.join(name).display(), "a folder has the name of a segment: it is put aside");
    put_aside(directory, name)
}

/// Renames a segment, so that it is no longer one.
pub(crate) fn put_aside(directory: &Directory, name: &str) -> io::Result<()> {
    let taken = directory.names()?;
    let mut aside = format!("{name}.{DAMAGED}");
    for n in 2_u64.. {
        if !taken.contains(&aside) {
            break;
        }
        aside = format!("{name}.{DAMAGED}.{n}");
    }
    directory.rename(name, &aside)?;
    directory.sync()
}

/// Copies the good records from a place on to `out`, with a record of lost numbers in place of those that are bad.
/// What is bad at the end of the last segment (`limit` is `u64::MAX`) was never numbered and is not lost.
pub(crate) fn salvage(
    file: &Arc<File>,
    from: Mark,
    extent: Extent,
    now: i64,
    out: &mut impl Write,
) -> io::Result<Salvage> {
    salvage_seen(file, from, extent, now, out, &mut |_, _| {})
}

/// The same; `see` is shown each event, with the block that it is in.
fn salvage_seen(
    file: &Arc<File>,
    from: Mark,
    extent: Extent,
    now: i64,
    out: &mut impl Write,
    see: &mut impl FnMut(&Span, &[u8]),
) -> io::Result<Salvage> {
    let mut reader = Reader::new(Arc::clone(file), from);
    let mut salvage = Salvage { end: from, last_micros: None, last_event: None, lost: Vec::new() };
    loop {
        let found = reader.read(extent, usize::MAX, BLOCK)?;
        out.write_all(reader.raw())?;
        reader.spans().iter().for_each(|span| see(span, reader.block()));
        if let Some(last) = reader.spans().last() {
            salvage.last_micros = Some(last.unix_micros);
            salvage.last_event = Some(last.json(reader.block()).to_vec());
        }
        salvage.end = reader.at();
        let resumed = match found {
            Found::Events => continue,
            Found::Damage => reader.resync(extent)?,
            Found::End => None,
        };
        let (lost_end, to) = match resumed {
            Some(unix_micros) => (reader.at().next, unix_micros),
            None if extent.limit == u64::MAX => (salvage.end.next, now),
            None => (extent.limit, now),
        };
        if lost_end > salvage.end.next {
            let seqs = salvage.end.next..lost_end;
            let from = salvage.last_micros.unwrap_or(to);
            let mut record = Vec::new();
            record::write_lost(&mut record, seqs.start, seqs.end - seqs.start, from);
            out.write_all(&record)?;
            salvage.lost.push(Lost { seqs, from, to });
            salvage.end.next = lost_end;
        }
        if resumed.is_none() {
            return Ok(salvage);
        }
    }
}
