//! How far a sink has come: `cursors/<sink>`, replaced whole, so that a crash leaves the old one or the new one.
//!
//! A cursor is saved after the sink acknowledged, but not after each batch: what was delivered after the last save is
//! delivered again after a crash, with the same ids.

use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{
    directory::{Directory, TEMPORARY},
    record,
};

/// The place behind the last event that the sink acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The segment that holds it, by its first number.
    pub(crate) segment: u64,
    /// Where the next record begins there. A hint: the number decides.
    pub(crate) offset: u64,
    /// The number of that event; 0 before the first.
    pub(crate) seq: u64,
}

/// What the cursor's file said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    Cursor(Cursor),
    /// There is no file.
    Never,
    /// There is one that cannot be read.
    Unreadable,
}

impl Cursor {
    /// Reads a sink's cursor.
    pub(crate) fn load(directory: &Directory, sink: &str) -> io::Result<Saved> {
        match fs::read(directory.join(sink)) {
            Ok(json) => match serde_json::from_slice::<Self>(&json) {
                Ok(cursor) if cursor.seq < record::END => Ok(Saved::Cursor(cursor)),
                _ => Ok(Saved::Unreadable),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Saved::Never),
            Err(error) => Err(io::Error::new(error.kind(), format!("{sink}: {error}"))),
        }
    }

    /// Saves it; durable when this returns.
    pub(crate) fn save(self, directory: &Directory, sink: &str) -> io::Result<()> {
        directory.replace(sink, &serde_json::to_vec(&self)?)
    }

    /// The names of all sinks that have a cursor.
    pub(crate) fn names(directory: &Directory) -> io::Result<Vec<String>> {
        let is_cursor = |name: &String| !name.ends_with(&format!(".{TEMPORARY}"));
        Ok(directory.files()?.into_iter().filter(is_cursor).collect())
    }
}

/// Whether a sink's name can be a file's name: letters, digits, `-` and `_`, at most 64.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_an_unreadable_one_is_told_from_none() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let cursor = Cursor { segment: 1, offset: 32, seq: 9 };
        assert_eq!(Cursor::load(&directory, "file").unwrap(), Saved::Never);
        cursor.save(&directory, "file").unwrap();
        assert_eq!(Cursor::load(&directory, "file").unwrap(), Saved::Cursor(cursor));
        let beyond = serde_json::to_vec(&Cursor { seq: u64::MAX, ..cursor }).unwrap();
        for unreadable in [b"{".to_vec(), beyond] {
            fs::write(directory.join("file"), unreadable).unwrap();
            assert_eq!(Cursor::load(&directory, "file").unwrap(), Saved::Unreadable);
        }
        assert_eq!(Cursor::names(&directory).unwrap(), ["file"]);
        assert!(is_name("bus-1") && !is_name("../x") && !is_name("") && !is_name("a.tmp"));
    }
}
