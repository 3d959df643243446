//! The file that lines go to, while it is open.

use std::{
    fs::{self, DirBuilder},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::journal::{private, sync_folder};

/// How much room the file is given ahead of its end, at most; while it is small, as much again as it has. Blocks that the
/// file system gives at once cost a third less to write.
const ROOM_AHEAD: u64 = 4 << 20;

/// An open file, and what is known of it.
pub(super) struct Output {
    file: fs::File,
    /// The folder that it is in.
    folder: PathBuf,
    /// Neither a pipe nor a device: of those nothing is kept, and nothing can be put aside.
    is_regular: bool,
    size: u64,
    /// How much more it has room for, beyond its end; none where the file system gives none.
    room: Option<u64>,
    /// Something was written since the last sync.
    unsynced: bool,
    /// It may be new in its folder, which was not synced since.
    is_new: bool,
    /// A sync failed. The next one may succeed and yet not have what that one lost.
    failed: bool,
}

impl Output {
    /// Opens the file, creates it where missing (0600, its folder 0750), and cuts off half an event at its end.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        }
        let file = private().read(true).append(true).create(true).open(path)?;
        mend(&file)?;
        let metadata = file.metadata()?;
        // Where it really is, behind links; a pipe is nowhere.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = real.parent().map(Path::to_owned).unwrap_or_default();
        let is_regular = metadata.is_file();
        Ok(Self {
            file,
            folder,
            is_regular,
            size: metadata.len(),
            room: is_regular.then_some(0),
            unsynced: false,
            is_new: true,
            failed: false,
        })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &fs::File {
        &self.file
    }

    /// Its size, as far as this process knows.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes more of a batch, of which `written` bytes are in the file: how many are then. Where that fails, none of it is.
    pub(super) fn append(&mut self, mut written: usize, lines: &[u8]) -> io::Result<usize> {
        let mut rest = lines;
        self.take_room(lines.len() as u64);
        self.unsynced = true;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(n) if n > 0 => {
                    written += n;
                    rest = rest.get(n..).unwrap_or_default();
                }
                Ok(_) => return cut(&self.file, written, io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return cut(&self.file, written, error),
            }
        }
        self.size += lines.len() as u64;
        Ok(written)
    }

    /// Sees to room for so many bytes.
    fn take_room(&mut self, bytes: u64) {
        let left = |room: u64| room.checked_sub(bytes).or_else(|| self.make_room(bytes).ok());
        self.room = self.room.and_then(left);
    }

    /// Gives the file room for so many bytes and some more; how much more. Its size stays.
    fn make_room(&self, bytes: u64) -> io::Result<u64> {
        // Another may have cut it.
        let end = self.file.metadata()?.len();
        let ahead = ROOM_AHEAD.min(end + bytes);
        fallocate(&self.file, FallocateFlags::KEEP_SIZE, end, bytes + ahead)?;
        Ok(ahead)
    }

    /// Makes what was written survive a crash of the machine. What was deleted under us is an error: nobody will read it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("a sync failed"));
        }
        let synced = if self.is_regular { self.sync_regular() } else { Ok(()) };
        self.failed = synced.is_err();
        synced
    }

    fn sync_regular(&mut self) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was deleted while it was written"));
        }
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data()?;
        }
        if std::mem::take(&mut self.is_new) {
            sync_folder(&self.folder)?;
        }
        Ok(())
    }
}

impl Drop for Output {
    /// Gives back the room that is left, unless another writes to the file as well, whose lines that might cut.
    fn drop(&mut self) {
        if self.room.is_some() && self.file.metadata().is_ok_and(|metadata| metadata.len() == self.size) {
            let _ = self.file.set_len(self.size);
        }
    }
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
    use super::*;

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
            Output::open(&path).unwrap();
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

    #[test]
    fn room_is_made_ahead_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let taken = || fs::metadata(&path).unwrap().blocks() * 512;
        let line = vec![b'x'; 100_000];
        let mut output = Output::open(&path).unwrap();
        for _ in 0..3 {
            output.append(0, &line).unwrap();
        }
        output.sync().unwrap();
        let (ahead, size) = (taken(), fs::metadata(&path).unwrap().len());
        let has_room = output.room.is_some_and(|room| room > 0);
        // Another has cut the file: room is made behind its end, not far beyond it.
        fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        for _ in 0..5 {
            output.append(0, &line).unwrap();
        }
        drop(output);
        assert_eq!((size, fs::metadata(&path).unwrap().len()), (300_000, 500_000));
        fs::write(&path, &line).unwrap();
        let mut output = Output::open(&path).unwrap();
        output.append(0, &line).unwrap();
        drop(output);
        assert!(taken() < 250_000, "{} of 200,000", taken());
        // Not every file system gives room.
        assert!(!has_room || ahead >= 400_000, "{ahead}");
    }

    #[test]
    fn a_file_that_was_deleted_is_not_synced_as_if_it_were_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut output = Output::open(&path).unwrap();
        output.append(0, b"{}\n").unwrap();
        output.sync().unwrap();
        // Who moves it still has it.
        fs::rename(&path, dir.path().join("moved")).unwrap();
        output.append(0, b"{}\n").unwrap();
        output.sync().unwrap();
        fs::remove_file(dir.path().join("moved")).unwrap();
        assert_eq!(output.sync().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(output.sync().is_err(), "nor is it the next time");
        Output::open(Path::new("/dev/null")).unwrap().sync().unwrap();
    }
}
