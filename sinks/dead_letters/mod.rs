//! What a destination will never take: `dead-letters/<sink>.jsonl` in the journal's folder, a line each:
//! `{"at":"…","reason":"…","event":{…}}`. Someone who has mended the cause has them sent once more: [`Letters`].

mod letters;

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, fchown},
    path::{Path, PathBuf},
};

use panoptes_event::{json::Object, time};

pub use self::letters::Letters;
pub(crate) use self::letters::files;
use crate::{
    journal::{is_there, now, private, sync_folder},
    sink::Record,
};

/// A file that is larger takes no more: the sink stands still until someone has looked.
const MAX_SIZE: u64 = 1 << 30;

/// One sink's dead letters.
pub(crate) struct DeadLetters {
    folder: PathBuf,
    path: PathBuf,
}

impl DeadLetters {
    /// The file is created with the first letter.
    pub(crate) fn new(journal: &Path, sink: &str) -> Self {
        let folder = journal.join("dead-letters");
        Self { path: folder.join(format!("{sink}.jsonl")), folder }
    }

    /// Adds events with the reason for each; durable when this returns. On an error none is added.
    pub(crate) fn add<'r>(&self, letters: impl Iterator<Item = (Record<'r>, &'r str)>) -> io::Result<()> {
        let file = self.open()?;
        let size = file.metadata()?.len();
        let mut lines = Vec::new();
        if is_torn(&file, size)? {
            lines.push(b'\n');
        }
        let at = time::rfc3339(now());
        for (record, reason) in letters {
            let mut letter = Object::begin(&mut lines);
            letter.member("at", &at).member("reason", reason).encoded("event", record.json);
            letter.end();
            lines.push(b'\n');
        }
        if size.saturating_add(lines.len() as u64) > MAX_SIZE {
            return Err(io::Error::other(format!(
                "{} is full: look at it, and send it again (panoptes journal resend) or move it away",
                self.path.display()
            )));
        }
        let written = (&file).write_all(&lines).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(file.set_len(size)))
    }

    /// Puts the file aside under another name, with all that anybody has written to it; `false` where there is none.
    fn put_aside(&self, aside: &Path) -> io::Result<bool> {
        if !fs::exists(&self.path)? {
            return Ok(false);
        }
        // Who holds the lock is at the end of a letter.
        let _file = self.open()?;
        fs::rename(&self.path, aside)?;
        sync_folder(&self.folder)?;
        Ok(true)
    }

    /// The file, locked against those who would put it aside meanwhile.
    fn open(&self) -> io::Result<File> {
        if !fs::exists(&self.folder)? {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            if let Some(parent) = self.folder.parent() {
                give_away(&File::open(&self.folder)?, parent);
            }
        }
        loop {
            let file = private().read(true).append(true).create(true).open(&self.path)?;
            file.lock()?;
            if is_there(&self.path, &file) {
                give_away(&file, &self.folder);
                return Ok(file);
            }
        }
    }
}

/// Whether a crash left a piece of a letter at the end.
fn is_torn(file: &File, size: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(place) = size.checked_sub(1) {
        file.read_exact_at(&mut last, place)?;
    }
    Ok(last != *b"\n")
}

/// Makes a file its folder's owner's: where root sends again, the proxy is to write what comes next.
fn give_away(file: &File, folder: &Path) {
    if let (Ok(ours), Ok(theirs)) = (file.metadata(), fs::metadata(folder))
        && ours.uid() != theirs.uid()
    {
        // Nobody else may, and need not.
        let _ = fchown(file, Some(theirs.uid()), Some(theirs.gid()));
    }
}
