//! What a destination will never take: `dead-letters/<sink>.jsonl` in the journal's folder, a line each:
//! `{"at":"…","reason":"…","event":{…}}`.

use std::{
    fs::{DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use panoptes_event::{json::Object, time};

use crate::{
    journal::{now, private},
    sink::Record,
};

/// A file that is larger takes no more: the sink stands still until someone has looked.
const MAX_SIZE: u64 = 1 << 30;

/// One sink's dead letters.
pub(crate) struct DeadLetters {
    path: PathBuf,
}

impl DeadLetters {
    /// The file is created with the first letter.
    pub(crate) fn new(journal: &Path, sink: &str) -> Self {
        Self { path: journal.join("dead-letters").join(format!("{sink}.jsonl")) }
    }

    /// Adds events with the reason for each; durable when this returns. On an error none is added.
    pub(crate) fn add<'r>(&self, letters: impl Iterator<Item = (Record<'r>, &'r str)>) -> io::Result<()> {
        let mut lines = Vec::new();
        let at = time::rfc3339(now());
        for (record, reason) in letters {
            let mut letter = Object::begin(&mut lines);
            letter.member("at", &at).member("reason", reason).encoded("event", record.json);
            letter.end();
            lines.push(b'\n');
        }
        let mut file = self.open()?;
        let size = file.metadata()?.len();
        if size.saturating_add(lines.len() as u64) > MAX_SIZE {
            return Err(io::Error::other(format!(
                "{} is full: look at it and move it away",
                self.path.display()
            )));
        }
        let written = file.write_all(&lines).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(file.set_len(size)))
    }

    fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        private().append(true).create(true).open(&self.path)
    }
}
