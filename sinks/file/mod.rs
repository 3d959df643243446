//! Events in a file, one JSON object a line.
//!
//! A batch goes to the end of the file. What a failed write left of it is cut off again, and so is what a killed process
//! left, so that no half line stays. A file that grows too large or too old is put aside (`rotation`), always between
//! events. On SIGHUP the file is opened anew, for whoever has moved it away. The file is synced ahead of each cursor: what
//! that says was delivered is still there when the machine has crashed.

mod output;
mod rotation;

use std::{io, path::PathBuf};

use panoptes_config::{self as config, Format};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{output::Output, rotation::Rotation};
use crate::{
    format,
    sink::{Failure, OptionError, Records, Sink},
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
    output: Option<Output>,
    /// Why what was written since the last [`Sink::settle`] may not stay.
    doubt: Option<String>,
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
    pub(crate) fn new(options: &config::File) -> Result<Self, OptionError> {
        if options.path.is_dir() {
            let what = format!("{} is a folder; name a file in it", options.path.display());
            return Err(OptionError::new("path", what));
        }
        Ok(Self {
            path: options.path.clone(),
            format: options.format,
            rotation: Rotation::new(&options.path, &options.rotate),
            output: None,
            doubt: None,
            lines: Vec::new(),
            hangups: None,
        })
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
                let size = self.output()?.size();
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
        self.output()?.sync()?;
        self.rotation.put_aside()?;
        self.output = None;
        self.lines = rest;
        Ok(())
    }

    /// Writes the lines in hand to the end of the file, of which `written` bytes are of this batch: how many are then.
    fn append(&mut self, written: usize) -> io::Result<usize> {
        let lines = std::mem::take(&mut self.lines);
        let appended = self.output()?.append(written, &lines);
        self.lines = lines;
        self.lines.clear();
        appended
    }

    /// The file, which is opened where it is not.
    fn output(&mut self) -> io::Result<&mut Output> {
        match &mut self.output {
            Some(output) => Ok(output),
            empty => {
                let output = Output::open(&self.path)?;
                self.rotation.opened(&self.path, output.file())?;
                Ok(empty.insert(output))
            }
        }
    }

    /// Syncs the file, or lets go of it and says why what was written may not stay.
    fn sync(&mut self) {
        if let Some(Err(error)) = self.output.as_mut().map(Output::sync) {
            self.output = None;
            self.doubt = Some(format!("{}: {error}", self.path.display()));
        }
    }

    /// Lets go of the file, whatever there is to come.
    fn close(&mut self) {
        self.sync();
        self.output = None;
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
            self.close();
        }
    }
}

impl Sink for File {
    async fn open(&mut self) -> Result<(), Failure> {
        self.heed_hangup();
        self.output().map(drop).map_err(|error| Failure::retry(format!("{}: {error}", self.path.display())))
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        self.heed_hangup();
        let mut progress = Progress::default();
        let written = self.write(batch, &mut progress);
        let Progress { mut refused, settled } = progress;
        let Err(error) = written else { return Failure::partial(Vec::new(), refused, None) };
        self.close();
        refused.retain(|(place, _)| *place < settled);
        let reason = format!("{}: {error}", self.path.display());
        Failure::partial((settled..batch.len()).collect(), refused, Some((reason, None)))
    }

    fn settle(&mut self) -> Result<(), String> {
        self.sync();
        self.doubt.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;
    use crate::journal::Span;

    fn write(path: &Path, event: &str) -> io::Result<()> {
        let spans = [Span::whole(1, event.as_bytes())];
        let mut sink = File::new(&config::File { path: path.to_owned(), ..config::File::default() }).unwrap();
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
}
