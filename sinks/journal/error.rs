//! Why events are not taken, and why a journal cannot be opened.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::keys::KeyError;

/// Events that the journal did not take. They are counted, and a gap event tells of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// There is no room, and the policy is to drop.
    #[error("{events} events dropped: {reason}")]
    Dropped {
        /// How many of the batch.
        events: usize,
        /// Why there is no room.
        reason: String,
    },
    /// The journal was closed, perhaps while this batch waited for room.
    #[error("{events} events came after the journal was closed")]
    Closed {
        /// How many of the batch.
        events: usize,
    },
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has it open.
    #[error("the journal in {} is in use by another Panoptes; give this one a journal.dir of its own", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// A segment is of a later version.
    #[error("{} was written by a later Panoptes (format {version}); start that one, or give this one another journal.dir", file.display())]
    Newer {
        /// The segment.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The chain's key cannot be used.
    #[error("journal.signing_key_file: {} {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// There can be no folder of this name.
    #[error("journal.dir: {} cannot be made or opened: {source}; give a folder that this user may write", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A sink's name is no file name.
    #[error("sink name {0:?}: use letters, digits, - and _")]
    SinkName(String),
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
