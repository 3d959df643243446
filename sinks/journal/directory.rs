//! A folder of the journal: its files are the owner's alone, and what was created or renamed in it stays so.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What a file is called while it is written, before it takes its place.
pub(crate) const TEMPORARY: &str = "tmp";

/// Makes what was created, renamed or removed in a folder survive a crash. Not every folder may be read: then so be it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(error),
    })
}

/// An open folder.
pub(crate) struct Directory {
    path: PathBuf,
    handle: File,
}

impl Directory {
    /// Opens the folder, creates it where missing (0700).
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let directory = Self { path: path.to_owned(), handle: File::open(path)? };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // So that the folder itself is still there after a crash.
            sync_folder(parent)?;
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes what was created, renamed or removed in the folder survive a crash.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Takes the lock file, and the folder itself, as someone may remove the file; `None` where another process holds either. It
    /// is free again when the file and this are dropped.
    pub(crate) fn lock(&self, name: &str) -> io::Result<Option<File>> {
        let file = private().read(true).write(true).create(true).truncate(false).open(self.join(name))?;
        match (file.try_lock(), self.handle.try_lock()) {
            (Err(TryLockError::WouldBlock), _) | (_, Err(TryLockError::WouldBlock)) => Ok(None),
            (Err(TryLockError::Error(error)), _) => Err(error),
            // Not every file system locks folders.
            (Ok(()), _) => Ok(Some(file)),
        }
    }

    /// Creates a file that must not exist yet, to be read and written. Its entry is not synced yet.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        private().read(true).write(true).create_new(true).open(self.join(name))
    }

    /// Opens a file that exists, to be read and written.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.join(name))
    }

    /// Gives a file new content: before a crash the old, after it the old or the new, never a mix.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = self.join(&format!("{name}.{TEMPORARY}"));
        let mut file = private().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, self.join(name))?;
        self.sync()
    }

    /// Renames within the folder; not synced yet.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.join(from), self.join(to))
    }

    /// Removes a file; one that is not there is fine.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.join(name)).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// The names of files in the folder that are text, sorted.
    pub(crate) fn files(&self) -> io::Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| !self.is_folder(name));
        Ok(names)
    }

    /// Whether a name in the folder is that of another one, which is none of ours.
    pub(crate) fn is_folder(&self, name: &str) -> bool {
        self.join(name).is_dir()
    }

    /// The names in the folder that are text, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Files for the owner's eyes only.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
