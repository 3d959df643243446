//! Segments that every sink has passed, kept to be written over: their pages are in the cache, where a new file pays
//! for each page and a deleted one for freeing it.
//!
//! What a spare holds is never taken for new, since a record whose number is below its segment's first is none of its
//! records, and a spare holds no others:
//!
//! * Only a segment that this process began, and that no write or sync ever failed on, becomes a spare. So its file
//!   holds the records that were numbered in it, and older ones of the same kind behind them.
//! * Within a process numbers only grow. So all of these are below the number that comes next, with which the segment
//!   begins that is written over them.
//! * Spares do not outlive the process: a start removes them. Numbers that a crash of the machine took back and that
//!   are given again so never meet a file in which they stand already; the segment that was last is cut behind its
//!   last whole record, and that is synced, before anything is added to it.
//!
//! What a crash of the machine may find on disk: the folder is synced between a segment's becoming a spare and its
//! first new byte, so no file under an old name has new content. A spare's new header is written before it takes its
//! new name, but is synced only with its first records: under a new name there may be the old header. Then no record
//! was synced in it, and none is missed.

use std::{
    io,
    time::{Duration, Instant},
};

use super::directory::Directory;

/// What a spare's name ends with.
pub(crate) const SUFFIX: &str = ".spare";

/// How many are kept.
const MOST: usize = 4;
/// An older one may have lost its pages, and would have them read from the disk again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The spares, oldest first.
#[derive(Default)]
pub(crate) struct Spares {
    kept: Vec<Spare>,
    /// How many there were, ever.
    count: u64,
}

struct Spare {
    /// Its place among all that there were.
    number: u64,
    bytes: u64,
    since: Instant,
    /// A crash does not bring its old name back.
    durable: bool,
}

impl Spares {
    /// Makes a segment of so many bytes a spare, if there is room for it within `limit` and few enough are kept. The
    /// folder is not synced yet.
    pub(crate) fn keep(
        &mut self,
        directory: &Directory,
        name: &str,
        bytes: u64,
        limit: u64,
    ) -> io::Result<bool> {
        let taken: u64 = self.kept.iter().map(|spare| spare.bytes).sum();
        if self.kept.len() >= MOST || taken.saturating_add(bytes) > limit {
            return Ok(false);
        }
        directory.rename(name, &file_name(self.count))?;
        self.kept.push(Spare { number: self.count, bytes, since: Instant::now(), durable: false });
        self.count += 1;
        Ok(true)
    }

    /// How many there were, ever: those that a sync of the folder from now on makes durable.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The first so many are durable.
    pub(crate) fn synced(&mut self, count: u64) {
        for spare in self.kept.iter_mut().filter(|spare| spare.number < count) {
            spare.durable = true;
        }
    }

    /// The name of one that may be written over.
    pub(crate) fn take(&mut self) -> Option<String> {
        let place = self.kept.iter().position(|spare| spare.durable && spare.since.elapsed() < MAX_AGE)?;
        Some(file_name(self.kept.remove(place).number))
    }

    /// The names of those that are too old to be written over; they are spares no longer.
    pub(crate) fn expired(&mut self) -> Vec<String> {
        self.without(|spare| spare.since.elapsed() >= MAX_AGE)
    }

    /// The names of all; they are spares no longer.
    pub(crate) fn all(&mut self) -> Vec<String> {
        self.without(|_| true)
    }

    fn without(&mut self, gone: impl FnMut(&mut Spare) -> bool) -> Vec<String> {
        self.kept.extract_if(.., gone).map(|spare| file_name(spare.number)).collect()
    }
}

fn file_name(number: u64) -> String {
    format!("{number}{SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spares_keep_to_their_room() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let mut spares = Spares::default();
        for (name, kept) in [("a", true), ("b", true), ("c", false)] {
            directory.create(name).unwrap();
            assert_eq!(spares.keep(&directory, name, 10, 25).unwrap(), kept);
        }
        assert_eq!(directory.names().unwrap(), ["0.spare", "1.spare", "c"]);
        spares.synced(1);
        assert_eq!((spares.take().as_deref(), spares.take()), (Some("0.spare"), None));
        assert_eq!(spares.all(), ["1.spare"]);
    }
}
