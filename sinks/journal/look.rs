//! What there is in a journal, seen from outside: its state, and ranges of it, to be exported or replayed.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, BufWriter, Write},
    ops::{ControlFlow, RangeInclusive},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    cursor::{Cursor, Saved},
    open::RUNNING,
    reader::{Extent, start},
    recovery::salvage,
    scan::{Seen, scan, segments},
    segment,
    shared::now,
    slice::Slice,
    verify::range,
};

/// So many missing pieces of a range are told apart.
const MAX_PIECES: usize = 10;

/// A journal's state.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Whether a process has it open.
    pub open: bool,
    /// Whether the last one that had it open ended without closing it.
    pub crashed: bool,
    /// Files of records.
    pub segments: usize,
    /// The size of their records.
    pub bytes: u64,
    /// Number of the oldest event.
    pub first: Option<u64>,
    /// Number of the newest event.
    pub last: Option<u64>,
    /// Segments that recovery put aside.
    pub damaged: usize,
    /// Those that follow it.
    pub sinks: Vec<SinkState>,
}

/// How far a sink has come, as far as it was saved: a running sink is up to a second further.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// Number of the last event that it acknowledged; none where the cursor cannot be read.
    pub acknowledged: Option<u64>,
    /// Events that it does not have yet.
    pub lag_events: u64,
    /// Age of the oldest of them, in seconds.
    pub lag_seconds: f64,
    /// Events that it will never take.
    pub dead_letters: u64,
}

/// What of a range was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many events.
    pub events: u64,
    /// Numbers that were not, first and last of each piece.
    pub missing: Vec<(u64, u64)>,
    /// The number that is to come next; none where any may be the first.
    next: Option<u64>,
}

impl Found {
    /// Nothing yet, of a range that begins with a number, or with whatever is the oldest.
    #[must_use]
    pub fn from(first: Option<u64>) -> Self {
        Self { next: first, ..Self::default() }
    }

    fn see(&mut self, seq: u64) {
        let expected = self.next.unwrap_or(seq);
        if expected < seq {
            self.missing.push((expected, seq - 1));
        }
        self.events += 1;
        self.next = seq.checked_add(1);
    }

    /// The range ends with a number, or with whatever is the newest.
    pub fn end(&mut self, last: Option<u64>) {
        if let (Some(next), Some(last)) = (self.next, last)
            && next <= last
        {
            self.missing.push((next, last));
        }
    }

    /// What of the range was not there, for people; none where all of it was.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        match self.missing.as_slice() {
            [] if self.events > 0 => None,
            [] => Some("there is no event in it".to_owned()),
            missing => {
                let pieces: Vec<_> =
                    missing.iter().take(MAX_PIECES).map(|(from, to)| range(*from, *to)).collect();
                let more = if missing.len() > MAX_PIECES { " and more" } else { "" };
                Some(format!("these numbers are not in it: {}{more}", pieces.join(", ")))
            }
        }
    }
}

/// Looks at a journal's folder, and changes nothing.
pub fn state(dir: &Path) -> io::Result<State> {
    let firsts = segments(dir)?;
    let mut state = State { segments: firsts.len(), ..State::default() };
    let has_mark = fs::exists(dir.join(RUNNING))?;
    state.open = has_mark && is_locked(&dir.join("lock"))?;
    state.crashed = has_mark && !state.open;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(first) = segment::first(&name).filter(|first| firsts.contains(first)) {
            // That of the newest is longer than its records, where room is kept ahead.
            let newest = firsts.last().is_some_and(|newest| *newest == first);
            state.bytes += if newest { 0 } else { entry.metadata().map_or(0, |meta| meta.len()) };
        } else if name.contains(".damaged") {
            state.damaged += 1;
        }
    }
    state.first = first(dir, 0)?.map(|(seq, _)| seq);
    if let Some(&newest) = firsts.last() {
        // The newest segment is empty in the moment after it was begun.
        state.last = last(dir, newest)?.or(last(dir, firsts.iter().rev().nth(1).copied().unwrap_or(newest))?);
        state.bytes += end(dir, newest)?;
    }
    for name in names(&dir.join("cursors"))? {
        state.sinks.push(sink(dir, name, state.last.unwrap_or(0))?);
    }
    Ok(state)
}

/// Writes the events from one number to another, or as far as there are any, a line each.
pub fn export(dir: &Path, from: Option<u64>, to: Option<u64>, out: &mut impl Write) -> io::Result<Found> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let mut found = Found::from(from);
    scan(dir, from.unwrap_or(0)..=to.unwrap_or(u64::MAX), |seen| {
        if let Seen::Event { seq, json, .. } = whole(seen) {
            out.write_all(json)?;
            out.write_all(b"\n")?;
            found.see(seq);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    out.flush()?;
    found.end(to);
    Ok(found)
}

/// Copies events with these numbers, some 256 MiB at a time, to a journal of their own in a new folder, where one sink
/// is to deliver them; `found` counts them. Gives back the number to go on with, or none where there are no more.
pub fn copy(
    dir: &Path,
    numbers: RangeInclusive<u64>,
    to: &Path,
    sink: &str,
    found: &mut Found,
) -> io::Result<Option<u64>> {
    let mut slice = Slice::new(to, sink);
    scan(dir, numbers, |seen| {
        let Seen::Event { seq, unix_micros, json } = whole(seen) else {
            return Ok(ControlFlow::Continue(()));
        };
        if slice.is_behind(seq) {
            return Ok(ControlFlow::Break(()));
        }
        slice.add(seq, unix_micros, json)?;
        found.see(seq);
        Ok(ControlFlow::Continue(()))
    })?;
    slice.end()
}

/// Says what cannot be read.
fn whole(seen: Seen<'_>) -> Seen<'_> {
    if let Seen::Damage { segment, seqs } = &seen {
        tracing::warn!(%segment, first = seqs.start, end = seqs.end, "these events cannot be read");
    }
    seen
}

fn sink(dir: &Path, name: String, last: u64) -> io::Result<SinkState> {
    let directory = super::directory::Directory::open(&dir.join("cursors"))?;
    let acknowledged = match Cursor::load(&directory, &name)? {
        Saved::Cursor(cursor) => Some(cursor.seq),
        Saved::Never | Saved::Unreadable => None,
    };
    let lag_events = last.saturating_sub(acknowledged.unwrap_or(0));
    let oldest = if lag_events > 0 { first(dir, acknowledged.unwrap_or(0) + 1)? } else { None };
    let age = oldest.map_or(0, |(_, unix_micros)| now().saturating_sub(unix_micros));
    let letters = crate::dead_letters::files(dir, &name)?;
    let dead_letters = letters.iter().try_fold(0, |sum, file| lines(file).map(|lines| sum + lines))?;
    let lag_seconds = Duration::from_micros(u64::try_from(age).unwrap_or(0)).as_secs_f64();
    Ok(SinkState { name, acknowledged, lag_events, lag_seconds, dead_letters })
}

/// Number and time of the first event from a number on.
fn first(dir: &Path, from: u64) -> io::Result<Option<(u64, i64)>> {
    let mut first = None;
    scan(dir, from..=u64::MAX, |seen| match seen {
        Seen::Event { seq, unix_micros, .. } => {
            first = Some((seq, unix_micros));
            Ok(ControlFlow::Break(()))
        }
        Seen::Damage { .. } => Ok(ControlFlow::Continue(())),
    })?;
    Ok(first)
}

/// Number of the last event from a segment on.
fn last(dir: &Path, segment: u64) -> io::Result<Option<u64>> {
    let mut last = None;
    scan(dir, segment..=u64::MAX, |seen| {
        if let Seen::Event { seq, .. } = seen {
            last = Some(seq);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last)
}

/// Where the records of a segment end; 0 where it went meanwhile.
fn end(dir: &Path, first: u64) -> io::Result<u64> {
    let file = match segment::open(&dir.join(segment::name(first))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => Arc::new(opened?),
    };
    let extent = Extent { first, end: file.metadata()?.len(), limit: u64::MAX };
    Ok(salvage(&file, start(first), extent, now(), &mut io::sink())?.end.offset)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    match fs::exists(folder)? {
        true => Cursor::names(&super::directory::Directory::open(folder)?),
        false => Ok(Vec::new()),
    }
}

fn lines(path: &Path) -> io::Result<u64> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => BufReader::with_capacity(1 << 16, opened?),
    };
    file.split(b'\n').try_fold(0, |sum, line| line.map(|_| sum + 1))
}

/// Whether a process holds the lock. It is taken for a moment to see; a start in just that moment tries again.
fn is_locked(path: &Path) -> io::Result<bool> {
    match File::open(path)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
