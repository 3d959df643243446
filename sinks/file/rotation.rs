//! Old files: when a file is put aside, under which name, and what becomes of it.
//!
//! A file that is put aside is renamed, so that whoever reads it reads on. It is compressed on a thread of its own, to a
//! temporary name first; the plain one goes when the other is whole. After a crash in between, the next start finishes it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use panoptes_config::{Compression, Rotate};
use panoptes_event::time;

use crate::journal::{now, private, sync_folder};

/// Added to a name while its file is being compressed.
const TEMPORARY: &str = "part";
/// What compressed files end in.
const EXTENSIONS: [&str; 2] = ["gz", "zst"];
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 6;

/// When a file is put aside.
pub(super) struct Rotation {
    /// Where it really is, behind links.
    path: PathBuf,
    options: Rotate,
    /// It is a file, and no pipe or device, which stay where they are.
    is_regular: bool,
    /// Which multiple of `every` the file is of.
    period: Option<i64>,
    /// Tells the thread that looks after old files.
    tidy: Option<mpsc::SyncSender<()>>,
}

impl Rotation {
    pub(super) fn new(path: &Path, options: &Rotate) -> Self {
        Self { path: path.to_owned(), options: options.clone(), is_regular: true, period: None, tidy: None }
    }

    /// Whether there is any.
    pub(super) fn is_on(&self) -> bool {
        self.is_regular && (self.options.max_size.is_some() || self.options.every.is_some())
    }

    /// The file at `path` was opened, as it is.
    pub(super) fn opened(&mut self, path: &Path, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        self.is_regular = metadata.is_file();
        self.path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let modified = metadata.modified().map_or_else(|_| now(), time::unix_micros);
        self.period = self.period_of(if metadata.len() > 0 { modified } else { now() });
        self.tidy();
        Ok(())
    }

    /// Whether the file is to be put aside before so many bytes more. An empty one never is.
    pub(super) fn is_due(&self, size: u64, more: usize) -> bool {
        let full = self.options.max_size.is_some_and(|max| size.saturating_add(more as u64) > max.bytes());
        let over = self.options.every.is_some() && self.period != self.period_of(now());
        size > 0 && (full || over)
    }

    /// Puts the file aside, under the time of now.
    pub(super) fn put_aside(&self) -> io::Result<()> {
        let time = time::rfc3339(now()).replace([':', '-'], "").replace('.', "-");
        let mut aside = suffixed(&self.path, &time);
        for n in 1.. {
            if !exists(&aside) {
                break;
            }
            aside = suffixed(&self.path, &format!("{time}-{n}"));
        }
        fs::rename(&self.path, &aside)?;
        sync_folder(folder(&self.path))
    }

    fn period_of(&self, unix_micros: i64) -> Option<i64> {
        let every = i64::try_from(self.options.every?.as_micros()).unwrap_or(i64::MAX);
        unix_micros.checked_div_euclid(every)
    }

    /// Lets old files be compressed and the oldest deleted, beside the delivery.
    fn tidy(&mut self) {
        if !self.is_on() || (self.options.max_files == 0 && self.options.compression == Compression::None) {
            return;
        }
        let told = self.tidy.as_ref().map(|tidy| tidy.try_send(()));
        if matches!(told, Some(Ok(()) | Err(mpsc::TrySendError::Full(())))) {
            return;
        }
        let (send, wanted) = mpsc::sync_channel(1);
        let (path, options) = (self.path.clone(), self.options.clone());
        let run = move || {
            tidy(&path, &options);
            while wanted.recv().is_ok() {
                tidy(&path, &options);
            }
        };
        // Without a thread old files stay as they are until the next one is put aside.
        self.tidy = thread::Builder::new().name("old-files".to_owned()).spawn(run).ok().map(|_| send);
    }
}

fn tidy(path: &Path, options: &Rotate) {
    let done = old_files(path).and_then(|files| {
        let kept = if options.max_files == 0 { files.len() } else { options.max_files };
        let (delete, keep) = files.split_at(files.len().saturating_sub(kept));
        delete.iter().try_for_each(fs::remove_file)?;
        keep.iter()
            .filter(|file| !is_compressed(file))
            .try_for_each(|file| compress(file, options.compression))
    });
    if let Err(error) = done {
        tracing::warn!(path = %path.display(), %error, "old files are not looked after; tried again with the next one");
    }
}

/// The files that were put aside, oldest first.
pub(super) fn old_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = folder(path);
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let entry_name = entry.file_name();
        let suffix = entry_name.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
        match suffix {
            // Of a process that was killed.
            Some(suffix) if is_time(suffix) && suffix.ends_with(TEMPORARY) => fs::remove_file(entry.path())?,
            Some(suffix) if is_time(suffix) => files.push((suffix.to_owned(), entry.path())),
            _ => {}
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Whether a suffix is one of ours, `20261122T101500-000000Z` with what may follow it: what others have put beside the file
/// stays.
fn is_time(suffix: &str) -> bool {
    let suffix = suffix.strip_suffix(&format!(".{TEMPORARY}")).unwrap_or(suffix);
    let suffix =
        EXTENSIONS.iter().find_map(|end| suffix.strip_suffix(end)?.strip_suffix('.')).unwrap_or(suffix);
    let Some((time, number)) = suffix.split_once('Z') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shape = time.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"00000000T000000-000000")
        && (number.is_empty() || number.strip_prefix('-').is_some_and(is_number))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn compress(plain: &Path, compression: Compression) -> io::Result<()> {
    let extension = match compression {
        Compression::None => return Ok(()),
        Compression::Gzip => "gz",
        Compression::Zstd => "zst",
    };
    let target = suffixed(plain, extension);
    let temporary = suffixed(&target, TEMPORARY);
    let mut source = File::open(plain)?;
    let out = private().write(true).create(true).truncate(true).open(&temporary)?;
    let out = match compression {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
            io::copy(&mut source, &mut encoder)?;
            encoder.finish()?
        }
        _ => {
            let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
            io::copy(&mut source, &mut encoder)?;
            encoder.finish()?
        }
    };
    out.sync_all()?;
    fs::rename(&temporary, &target)?;
    sync_folder(folder(plain))?;
    fs::remove_file(plain)
}

fn is_compressed(file: &Path) -> bool {
    EXTENSIONS.iter().any(|extension| file.extension().is_some_and(|end| end == *extension))
}

fn exists(plain: &Path) -> bool {
    plain.exists() || EXTENSIONS.iter().any(|extension| suffixed(plain, extension).exists())
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(dir: &Path, options: Rotate) -> Rotation {
        Rotation::new(&dir.join("audit.log"), &options)
    }

    #[test]
    fn a_file_is_put_aside_before_it_grows_beyond_its_size_and_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = rotation(
            dir.path(),
            Rotate { max_size: Some(panoptes_config::ByteSize::kib(1)), ..Rotate::default() },
        );
        assert!(!rotation.is_due(0, 5_000) && !rotation.is_due(1_000, 24) && rotation.is_due(1_000, 25));
    }

    #[test]
    fn a_period_ends_at_its_multiple() {
        let dir = tempfile::tempdir().unwrap();
        let mut rotation = rotation(
            dir.path(),
            Rotate { every: Some(std::time::Duration::from_secs(3_600)), ..Rotate::default() },
        );
        rotation.period = rotation.period_of(now());
        assert!(!rotation.is_due(1, 1));
        rotation.period = rotation.period_of(now() - 3_600_000_000);
        assert!(rotation.is_due(1, 1) && !rotation.is_due(0, 1));
    }

    #[test]
    fn old_files_are_compressed_and_the_oldest_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let names = [
            "audit.log",
            "audit.log.20261120T000000-000000Z.gz",
            "audit.log.20261121T000000-000000Z",
            "audit.log.20261122T000000-000000Z",
        ];
        for name in names.into_iter().chain([
            "audit.log.20261121T000000-000000Z.zst.part",
            "audit.log.20240101",
            "audit.log.20240102.part",
            "audit.log.12345678-notes.txt",
            "audit.log.bak",
            "other",
        ]) {
            fs::write(dir.path().join(name), name).unwrap();
        }
        tidy(&path, &Rotate { max_files: 2, compression: Compression::Zstd, ..Rotate::default() });
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(
            left,
            [
                "audit.log",
                "audit.log.12345678-notes.txt",
                "audit.log.20240101",
                "audit.log.20240102.part",
                "audit.log.20261121T000000-000000Z.zst",
                "audit.log.20261122T000000-000000Z.zst",
                "audit.log.bak",
                "other"
            ]
        );
        let old = fs::read(dir.path().join("audit.log.20261121T000000-000000Z.zst")).unwrap();
        assert_eq!(zstd::stream::decode_all(old.as_slice()).unwrap(), names[2].as_bytes());
    }
}
