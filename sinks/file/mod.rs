//! Events in a file, one JSON object a line.
//!
//! A batch goes to the end of the file. What a failed write left of it is cut off again, and so is what a killed process
//! left, so that no half line stays. A file that grows too large or too old is put aside (`rotation`), always between
//! events. On SIGHUP the file is opened anew, for whoever has moved it away.

mod rotation;

use std::{
    fs::{self, DirBuilder},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt},
    path::PathBuf,
};

use panoptes_config::{self as config, Format};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::rotation::Rotation;
use crate::{
    format,
    journal::private,
    sink::{Failure, Records, Sink},
};

/// Lines are written so many bytes at a time: enough for the system to allot its pages by the dozen, few enough to be
/// still in the core's own cache.
const WRITE_BYTES: usize = 256 << 10;

/// The file sink.
pub(crate) struct File {
    path: PathBuf,
    format: Format,
    rotation: Rotation,
    /// Opened with the first batch, and again after a failure, a rotation or SIGHUP.
    file: Option<fs::File>,
    /// Its size, where that counts.
    size: u64,
    lines: Vec<u8>,
    hangups: Option<Signal>,
}

/// How far a batch has come.
#[derive(Default)]
struct Progress {
    /// What cannot be told in the format.
    refused: Vec<(usize, String)>,
    /// How many of its events are done with, in a file that was put aside.
    settled: usize,
}

impl File {
    pub(crate) fn new(options: &config::File) -> Self {
        Self {
            path: options.path.clone(),
            format: options.format,
            rotation: Rotation::new(&options.path, &options.rotate),
            file: None,
            size: 0,
            lines: Vec::new(),
            hangups: None,
        }
    }

    /// Writes a batch. On a failure nothing of it is in the file but what is settled.
    fn write(&mut self, batch: &Records<'_>, progress: &mut Progress) -> io::Result<()> {
        // Of the batch, in the file that is open.
        let mut written = 0;
        self.lines.clear();
        for (place, record) in batch.iter().enumerate() {
            let start = self.lines.len();
            match format::write(self.format, &record, &mut self.lines) {
                Ok(()) => self.lines.push(b'\n'),
                Err(reason) => progress.refused.push((place, reason)),
            }
            if self.rotation.is_on() {
                let size = self.whole_size()?;
                if self.rotation.is_due(size + start as u64, self.lines.len() - start) {
                    self.rotate(written, start)?;
                    (written, progress.settled) = (0, place);
                }
            }
            if self.lines.len() >= WRITE_BYTES {
                written = self.append(written)?;
            }
        }
        self.append(written).map(drop)
    }

    /// Puts the file aside with all lines up to `end`, and keeps the rest for the next one.
    fn rotate(&mut self, written: usize, end: usize) -> io::Result<()> {
        let rest = self.lines.split_off(end);
        self.append(written)?;
        self.rotation.put_aside()?;
        self.file = None;
        self.lines = rest;
        Ok(())
    }

    /// Writes the lines in hand to the end of the file, of which `written` bytes are of this batch: how many are then.
    fn append(&mut self, written: usize) -> io::Result<usize> {
        self.whole_size()?;
        let Some(file) = &mut self.file else { return Ok(written) };
        let now = append(file, written, &self.lines)?;
        self.size += self.lines.len() as u64;
        self.lines.clear();
        Ok(now)
    }

    /// The size of the file, which is opened where it is not.
    fn whole_size(&mut self) -> io::Result<u64> {
        if self.file.is_none() {
            let file = open(&self.path)?;
            self.rotation.opened(&file)?;
            self.size = file.metadata()?.len();
            self.file = Some(file);
        }
        Ok(self.size)
    }

    /// Lets go of the file where someone asked to.
    fn heed_hangup(&mut self) {
        let hangups = match &mut self.hangups {
            Some(hangups) => hangups,
            empty => match signal(SignalKind::hangup()) {
                Ok(hangups) => empty.insert(hangups),
                Err(_) => return,
            },
        };
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if hangups.poll_recv(&mut context).is_ready() {
            self.file = None;
        }
    }
}

impl Sink for File {
    async fn open(&mut self) -> Result<(), Failure> {
        self.heed_hangup();
        self.whole_size()
            .map(drop)
            .map_err(|error| Failure::retry(format!("{}: {error}", self.path.display())))
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        self.heed_hangup();
        let mut progress = Progress::default();
        let written = self.write(batch, &mut progress);
        let Progress { mut refused, settled } = progress;
        let Err(error) = written else { return Failure::partial(Vec::new(), refused, None) };
        self.file = None;
        refused.retain(|(place, _)| *place < settled);
        let reason = format!("{}: {error}", self.path.display());
        Failure::partial((settled..batch.len()).collect(), refused, Some((reason, None)))
    }
}

fn open(path: &PathBuf) -> io::Result<fs::File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    }
    let file = private().read(true).append(true).create(true).open(path)?;
    mend(&file)?;
    Ok(file)
}

/// Cuts off half an event at the end, which the journal sends again as a whole. Half a line that is no event of ours, or
/// that the file does not let go of, is ended.
fn mend(mut file: &fs::File) -> io::Result<()> {
    const EVENT: &[u8] = br#"{"id":""#;
    let metadata = file.metadata()?;
    let size = metadata.len();
    let Some(start) =
        metadata.is_file().then(|| last_line(file, size)).transpose()?.filter(|start| *start < size)
    else {
        return Ok(());
    };
    let mut head = [0; EVENT.len()];
    let read = file.read_at(&mut head, start)?;
    match head.get(..read).is_some_and(|head| EVENT.starts_with(head)) {
        true => file.set_len(start).or_else(|_| file.write_all(b"\n")),
        false => file.write_all(b"\n"),
    }
}

/// Where what follows the last newline begins. No further back than any event reaches.
fn last_line(file: &fs::File, size: u64) -> io::Result<u64> {
    const CHUNK: usize = 64 << 10;
    const FAR: u64 = 32 << 20;
    let mut chunk = [0; CHUNK];
    let mut end = size;
    while end > size.saturating_sub(FAR) {
        let start = end.saturating_sub(CHUNK as u64);
        let read = file.read_at(&mut chunk, start)?;
        let known = usize::try_from(end - start).unwrap_or(CHUNK).min(read);
        if let Some(place) = chunk.get(..known).and_then(|chunk| chunk.iter().rposition(|b| *b == b'\n')) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(end)
}

/// Writes more of a batch, of which `written` bytes are in the file: how many are then. Where that fails, none of it is.
fn append(file: &mut fs::File, mut written: usize, lines: &[u8]) -> io::Result<usize> {
    let mut rest = lines;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(n) if n > 0 => {
                written += n;
                rest = rest.get(n..).unwrap_or_default();
            }
            Ok(_) => return cut(file, written, io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return cut(file, written, error),
        }
    }
    Ok(written)
}

/// Takes the first part of a batch off again. Others may write to the file as well: only the end is ours to cut.
fn cut(file: &fs::File, written: usize, error: io::Error) -> io::Result<usize> {
    if written > 0 {
        let size = file.metadata()?.len();
        file.set_len(size.saturating_sub(written as u64))?;
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::Path};

    use super::*;
    use crate::journal::Span;

    fn write(path: &Path, event: &str) -> io::Result<()> {
        let spans = [Span::whole(1, event.as_bytes())];
        let mut sink = File::new(&config::File { path: path.to_owned(), ..config::File::default() });
        sink.write(&Records::new(event.as_bytes(), &spans), &mut Progress::default())
    }

    #[test]
    fn the_folder_is_made_and_the_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/events.jsonl");
        write(&path, "{}").unwrap();
        write(&path, "[]").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n[]\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_is_a_failure() {
        let error = write(Path::new("/dev/full"), "{}").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn half_an_event_of_a_killed_process_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let long = format!("{{\"id\":\"1\",\"text\":\"{}", "x".repeat(200_000));
        for (left, mended) in [
            ("", ""),
            ("{}\n", "{}\n"),
            ("{}\n{\"i", "{}\n"),
            ("{\"id\":\"01938c5e", ""),
            (&format!("{{}}\n{long}"), "{}\n"),
            ("{}\nanother's", "{}\nanother's\n"),
        ] {
            fs::write(&path, left).unwrap();
            open(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), mended);
        }
    }

    #[test]
    fn half_a_batch_is_cut_off_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        fs::write(&path, "{\"whole\":1}\n{\"ha").unwrap();
        let file = private().append(true).open(&path).unwrap();
        let error = cut(&file, 4, io::ErrorKind::StorageFull.into()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"whole\":1}\n");
    }
}
