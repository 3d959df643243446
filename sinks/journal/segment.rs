//! One file of the journal: `<first number, 20 digits>.journal`.
//!
//! ```text
//! magic "PANOPJRN" | version u32 | crc32c u32 of what follows | first u64 | reserved u64        (little-endian)
//! ```
//!
//! Records follow without a gap. A segment's numbers end where those of the next segment begin; whatever stands behind
//! them in the file is superseded. A file may have been another segment before (see `spares`): behind its records there
//! may be older ones, whose numbers are all below its first; they are none of its records. Or there may be zeros, where
//! it was given room ahead. The chain, where there is one, is in the events themselves (see `chain`).

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use rustix::fs::{FallocateFlags, fallocate};

use super::{directory::Directory, record};

/// Bytes before the first record.
pub(crate) const HEADER: u64 = SIZE as u64;
/// What a file's name ends with.
pub(crate) const SUFFIX: &str = ".journal";

const SIZE: usize = 32;
const MAGIC: &[u8; 8] = b"PANOPJRN";
const VERSION: u32 = 1;
const DIGITS: usize = 20;

/// What a file's first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Good,
    Bad,
    /// That of an earlier segment, whose file was to become this one when the machine crashed.
    Earlier,
    /// Written by a later Panoptes.
    Newer(u32),
}

/// The name of the segment that begins with this number.
pub(crate) fn name(first: u64) -> String {
    format!("{first:0width$}{SUFFIX}", width = DIGITS)
}

/// The number in a segment's name; none where it is no segment's.
pub(crate) fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == DIGITS)?;
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    number.filter(|&number| number < record::END)
}

/// Opens a segment to be read. One that is a folder now is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "a folder has its place")),
        false => Ok(file),
    }
}

/// Creates an empty segment. The folder is not synced yet.
pub(crate) fn create(directory: &Directory, first: u64) -> io::Result<File> {
    let file = directory.create(&name(first))?;
    match file.write_all_at(&header(first), 0) {
        Ok(()) => Ok(file),
        Err(error) => {
            // Best effort: the error is what counts, and an empty segment does no harm.
            let _ = directory.remove(&name(first));
            Err(error)
        }
    }
}

/// Begins a segment in the file of a spare. The folder is not synced yet.
pub(crate) fn reuse(directory: &Directory, spare: &str, first: u64) -> io::Result<File> {
    let file = directory.open_file(spare)?;
    file.write_all_at(&header(first), 0)?;
    directory.rename(spare, &name(first))?;
    Ok(file)
}

/// Makes a file longer, by blocks that are its own and read as zeros: a sync of what is written into them need not write
/// the file's size, nor find room. Not every file system can.
pub(crate) fn lengthen(file: &File, from: u64, to: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::empty(), from, to.saturating_sub(from))?)
}

/// The first bytes of the segment that begins with this number.
pub(crate) fn header(first: u64) -> [u8; SIZE] {
    let mut rest = [0; 16];
    let (at_first, _) = rest.split_at_mut(8);
    at_first.copy_from_slice(&first.to_le_bytes());
    let mut header = [0; SIZE];
    let fields: [&[u8]; 4] = [MAGIC, &VERSION.to_le_bytes(), &crc32c::crc32c(&rest).to_le_bytes(), &rest];
    for (to, from) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    header
}

/// Checks a file's header against the number in its name.
pub(crate) fn check(file: &File, first: u64) -> io::Result<Header> {
    let mut found = [0; SIZE];
    match file.read_exact_at(&mut found, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Header::Bad),
        read => read?,
    }
    let version = found.strip_prefix(MAGIC).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes);
    let number = found.get(16..).and_then(<[u8]>::first_chunk).copied().map_or(first, u64::from_le_bytes);
    Ok(match version {
        _ if found == header(first) => Header::Good,
        Some(version) if version > VERSION => Header::Newer(version),
        _ if number < first && found == header(number) => Header::Earlier,
        _ => Header::Bad,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_first_number_and_sort_by_it() {
        for number in [1, 4182, record::END - 1] {
            assert_eq!(first(&name(number)), Some(number));
        }
        assert_eq!(first(&name(u64::MAX)), None);
        assert!(name(9) < name(10));
        for other in
            ["1.journal", "cursors", "00000000000000000001.journal.damaged", "+0000000000000000001.journal"]
        {
            assert_eq!(first(other), None, "{other}");
        }
    }

    #[test]
    fn a_header_is_checked_against_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let file = create(&directory, 9).unwrap();
        assert_eq!(check(&file, 9).unwrap(), Header::Good);
        assert_eq!(check(&file, 8).unwrap(), Header::Bad);
        assert_eq!(check(&file, 10).unwrap(), Header::Earlier);
        file.write_all_at(&2_u32.to_le_bytes(), 8).unwrap();
        assert_eq!(check(&file, 9).unwrap(), Header::Newer(2));
        file.set_len(31).unwrap();
        assert_eq!(check(&file, 9).unwrap(), Header::Bad);
        assert!(create(&directory, 9).is_err(), "a segment is never overwritten");
    }
}
