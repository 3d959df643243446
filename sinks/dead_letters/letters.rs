//! Dead letters that are sent once more.
//!
//! The file is put aside (`<sink>.jsonl.<time>.resending`), so that new letters begin another one; it is called `….resent` when
//! all of it was taken, or is among the new letters. What an end before that left is taken up by the next time: a repeat
//! does no harm, as events have ids.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use panoptes_event::Uuid;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::DeadLetters;
use crate::journal::{Slice, sync_folder};

/// A line that is longer is none of ours: the largest event, with a reason.
const MAX_LINE: u64 = (Slice::LARGEST + (64 << 10)) as u64;
/// How often, and how long apart, a file is asked for that another process has: who only looks is gone soon.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
const RESENDING: &str = ".resending";
const RESENT: &str = ".resent";

/// The dead letters of one sink, in the order of their events' numbers.
#[derive(Debug)]
pub struct Letters {
    files: Vec<Aside>,
    places: Vec<Place>,
    /// How many of them were copied.
    copied: usize,
    unreadable: u64,
}

/// A file of letters.
#[derive(Debug)]
struct Aside {
    path: PathBuf,
    file: File,
    /// Whether it was put aside to be sent: nobody else sends it meanwhile, and it is renamed in the end.
    is_ours: bool,
}

/// Where a letter stands, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    seq: u64,
    id: Uuid,
    unix_micros: i64,
    /// Of [`Letters::files`].
    file: usize,
    offset: u64,
    len: usize,
}

#[derive(Deserialize)]
struct Letter<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

impl Letter<'_> {
    fn is_possible(&self) -> bool {
        self.event.get().len() <= Slice::LARGEST
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    id: Uuid,
    seq: u64,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

impl Letters {
    /// Puts a sink's dead letters aside, those in the journal's folder, and reads where each stands.
    ///
    /// # Errors
    ///
    /// A file cannot be read or renamed, or another process is sending these.
    pub fn take(journal: &Path, sink: &str) -> io::Result<Self> {
        let letters = DeadLetters::new(journal, sink);
        let now = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S%6fZ");
        letters.put_aside(&letters.folder.join(format!("{sink}.jsonl.{now}{RESENDING}")))?;
        // One that was begun since is the proxy's.
        let files = files(journal, sink)?.into_iter().filter(|path| *path != letters.path);
        Self::read(files.map(|path| Aside::open(&path, true)))
    }

    /// Reads where each letter of a file stands. The file stays as it is.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn of(file: &Path) -> io::Result<Self> {
        Self::read([Aside::open(file, false)].into_iter())
    }

    fn read(files: impl Iterator<Item = io::Result<Aside>>) -> io::Result<Self> {
        let files = files.collect::<io::Result<Vec<_>>>()?;
        let mut letters = Self { files, places: Vec::new(), copied: 0, unreadable: 0 };
        for (number, Aside { file, .. }) in letters.files.iter().enumerate() {
            letters.unreadable += find(file, number, &mut letters.places)?;
        }
        letters.places.sort_unstable();
        letters.places.dedup_by_key(|place| (place.seq, place.id));
        Ok(letters)
    }

    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Lines that are no letters: a crash may leave the beginning of one, whose event was then delivered again, or told
    /// again in another.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Copies the next of them, some 256 MiB, to a journal of their own in a new folder, where one sink is to deliver them.
    /// Gives back how many were copied by now; none where there are no more.
    ///
    /// # Errors
    ///
    /// What a letter said cannot be read again, or the copy cannot be written.
    pub fn copy(&mut self, to: &Path, sink: &str) -> io::Result<Option<usize>> {
        let mut slice = Slice::new(to, sink);
        let mut line = Vec::new();
        while let Some(place) = self.places.get(self.copied).filter(|place| !slice.is_behind(place.seq)) {
            let Some(aside) = self.files.get(place.file) else { break };
            line.resize(place.len, 0);
            aside.file.read_exact_at(&mut line, place.offset)?;
            let letter: Letter<'_> = serde_json::from_slice(&line)?;
            slice.add(place.seq, place.unix_micros, letter.event.get().as_bytes())?;
            self.copied += 1;
        }
        Ok(slice.end()?.map(|_| self.copied))
    }

    /// Each of them was taken, or is a dead letter once more: renames the files that were put aside for it. Gives back what they
    /// are called now.
    ///
    /// # Errors
    ///
    /// A file cannot be renamed: it would be sent again.
    pub fn end(self) -> io::Result<Vec<PathBuf>> {
        let mut ended = Vec::new();
        for Aside { path, .. } in self.files.iter().filter(|aside| aside.is_ours) {
            let name = path.to_string_lossy();
            let to = PathBuf::from(format!("{}{RESENT}", name.strip_suffix(RESENDING).unwrap_or(&name)));
            fs::rename(path, &to)?;
            ended.push(to);
        }
        if let Some(folder) = ended.first().and_then(|path| path.parent()) {
            sync_folder(folder)?;
        }
        Ok(ended)
    }
}

/// The files of a sink's dead letters that wait to be sent: the one that is written, and those that were put aside for it.
pub(crate) fn files(journal: &Path, sink: &str) -> io::Result<Vec<PathBuf>> {
    let DeadLetters { folder, path } = DeadLetters::new(journal, sink);
    if !fs::exists(&folder)? {
        return Ok(Vec::new());
    }
    let aside = format!("{sink}.jsonl.");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.path() == path || name.starts_with(&aside) && name.ends_with(RESENDING) {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl Aside {
    fn open(path: &Path, is_ours: bool) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(named)?;
        let locked = !is_ours || (0..TRIES).any(|_| file.try_lock().inspect_err(|_| sleep(PAUSE)).is_ok());
        match locked {
            true => Ok(Self { path: path.to_owned(), file, is_ours }),
            false => Err(named(io::Error::other("another process is sending these"))),
        }
    }
}

/// Finds the letters of a file; how many lines are none.
fn find(file: &File, number: usize, places: &mut Vec<Place>) -> io::Result<u64> {
    let (mut lines, mut line) = (BufReader::with_capacity(1 << 20, file), Vec::new());
    let (mut offset, mut unreadable) = (0, 0);
    loop {
        line.clear();
        let len = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if len == 0 {
            return Ok(unreadable);
        }
        match head(&line) {
            Some((id, seq, unix_micros)) => {
                places.push(Place { seq, id, unix_micros, file: number, offset, len });
            }
            None => unreadable += 1,
        }
        offset += len as u64;
    }
}

/// Id, number and time of a letter's event.
fn head(line: &[u8]) -> Option<(Uuid, u64, i64)> {
    let letter: Letter<'_> = serde_json::from_slice(line).ok().filter(Letter::is_possible)?;
    let head: Head<'_> = serde_json::from_str(letter.event.get()).ok()?;
    // The journal's numbers begin with 1.
    let seq = (1..u64::MAX).contains(&head.seq).then_some(head.seq)?;
    let timestamp: Timestamp = head.meta.timestamp.parse().ok()?;
    Some((head.id, seq, timestamp.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Span,
        sink::{Record, Records},
    };

    fn event(seq: u64) -> Vec<u8> {
        let id = Uuid::from_u128(seq.into());
        let meta = r#""meta":{"timestamp":"2026-11-22T09:14:03.218411Z"}"#;
        format!(r#"{{"id":"{id}","seq":{seq},{meta}}}"#).into_bytes()
    }

    /// Makes letters of events with these numbers.
    fn write(dir: &Path, seqs: &[u64]) {
        for seq in seqs {
            let (json, letters) = (event(*seq), DeadLetters::new(dir, "bus"));
            let spans = [Span::whole(*seq, &json)];
            let records: Vec<Record<'_>> = Records::new(&json, &spans).iter().collect();
            letters.add(records.into_iter().map(|record| (record, "\"event\": no"))).unwrap();
        }
    }

    /// The numbers of the slices that letters make.
    fn slices(letters: &mut Letters) -> Vec<Vec<u64>> {
        let mut slices = Vec::new();
        loop {
            let to = tempfile::tempdir().unwrap();
            if letters.copy(to.path(), "bus").unwrap().is_none() {
                return slices;
            }
            let mut lines = Vec::new();
            crate::journal::look::export(to.path(), None, None, &mut lines).unwrap();
            let text = String::from_utf8(lines).unwrap();
            let seq = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64();
            slices.push(text.lines().map(|line| seq(line).unwrap()).collect());
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir.join("dead-letters")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn letters_are_sent_in_order_and_once_and_a_torn_one_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[7, 3, 7]);
        let file = dir.path().join("dead-letters/bus.jsonl");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 9]).unwrap();
        write(dir.path(), &[1]);
        let mut letters = Letters::take(dir.path(), "bus").unwrap();
        assert_eq!((letters.len(), letters.unreadable()), (3, 1));
        assert_eq!(slices(&mut letters), [[1, 3, 7]]);
        letters.end().unwrap();
        assert!(matches!(names(dir.path()).as_slice(), [kept] if kept.ends_with(".resent")));
        assert!(Letters::take(dir.path(), "bus").unwrap().is_empty());
    }

    #[test]
    fn what_an_end_left_is_sent_along_with_what_came_since_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[2]);
        let first = Letters::take(dir.path(), "bus").unwrap();
        write(dir.path(), &[1, 3]);
        let busy = Letters::take(dir.path(), "bus").unwrap_err();
        assert!(busy.to_string().ends_with("another process is sending these"), "{busy}");
        drop(first);
        assert_eq!(files(dir.path(), "bus").unwrap().len(), 2);
        let mut second = Letters::take(dir.path(), "bus").unwrap();
        assert_eq!(slices(&mut second), [[1, 2, 3]]);
        assert_eq!(second.end().unwrap().len(), 2);
        assert_eq!(files(dir.path(), "bus").unwrap(), [] as [PathBuf; 0]);
    }

    #[test]
    fn numbers_of_two_journals_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[1, 2]);
        let other = String::from_utf8(event(2)).unwrap().replace("00000002", "00000009");
        let file = dir.path().join("dead-letters/bus.jsonl");
        let text = fs::read_to_string(&file).unwrap() + &format!("{{\"event\":{other}}}\n");
        fs::write(&file, text).unwrap();
        let mut letters = Letters::of(&file).unwrap();
        assert_eq!(slices(&mut letters), [vec![1, 2], vec![2]]);
        assert_eq!(letters.end().unwrap(), [] as [PathBuf; 0]);
        assert_eq!(names(dir.path()), ["bus.jsonl"]);
    }
}
