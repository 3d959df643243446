//! A journal in memory, for places without a volume: its folder is one on a file system in memory, and goes with the
//! process. What a sink has not taken by then is lost; its dead letters stay where a journal on disk would have them.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use panoptes_event::Uuid;
use rustix::fs::{Access, access, statfs, statvfs};

/// Where Linux has one.
const ROOT: &str = "/dev/shm";
const PREFIX: &str = "panoptes-journal-";
/// What statfs calls such a file system (`TMPFS_MAGIC`, `RAMFS_MAGIC`).
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Makes a folder, and removes those of processes that ended without doing so. Gives back what it may take, in bytes.
pub(crate) fn folder() -> io::Result<(PathBuf, u64)> {
    let root = Path::new(ROOT);
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the type is the platform's")]
    let kind = statfs(root)?.f_type as i64;
    if !IN_MEMORY.contains(&kind) {
        return Err(io::Error::other(format!("{ROOT} is no file system in memory")));
    }
    sweep(root)?;
    let space = statvfs(root)?;
    let path = root.join(format!("{PREFIX}{}", Uuid::now_v7()));
    DirBuilder::new().mode(0o700).create(&path)?;
    // The rest is for cursors and dead letters.
    Ok((path, space.f_bavail.saturating_mul(space.f_frsize) / 10 * 9))
}

/// The folder for dead letters, which are to stay: the one that is configured for a journal on disk, and made when there are
/// any. None where it cannot be.
pub(crate) fn letters(dir: &Path) -> Option<&Path> {
    let there = dir.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Some(dir),
        Err(error) => {
            tracing::warn!(
                dir = %dir.display(), %error,
                "dead letters cannot be written there, so they are in memory as well, and lost with this process"
            );
            None
        }
    }
}

fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_left(&entry.path()) {
            tracing::info!(folder = %entry.path().display(), "removed a journal in memory that its process left");
            // Another user's stays; it is none of ours.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Whether nobody has it open.
fn is_left(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok())
}
