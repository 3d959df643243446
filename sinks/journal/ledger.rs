//! Which segments there are, how far each is written and synced, and whether there is room for more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

use super::reader::{Extent, Mark, start};

/// The segments by their first number. Only the last one is written to.
pub(crate) struct Ledger {
    segments: BTreeMap<u64, Segment>,
    /// Size of all segments.
    bytes: u64,
    /// The number that comes next.
    next: u64,
    /// A segment was created or became a spare, and the folder is not synced yet.
    pub(crate) unsynced_entry: bool,
    /// Why nothing can be written, and when to try again.
    pub(crate) trouble: Option<Trouble>,
    /// Why what is written cannot be made durable.
    pub(crate) unsafe_because: Option<String>,
    pub(crate) closed: bool,
    /// The size from which on someone should look.
    high_water: u64,
    /// It was reached, and told.
    is_high: bool,
    /// Where damage was found while reading, by the first number lost.
    told: BTreeSet<u64>,
}

/// Writing failed.
pub(crate) struct Trouble {
    pub(crate) reason: String,
    pub(crate) retry_at: Instant,
}

/// One segment.
pub(crate) struct Segment {
    /// Where its records end.
    length: u64,
    /// What of it survives a crash.
    pub(crate) synced: Mark,
    /// Open as long as it is written or not wholly synced.
    pub(crate) file: Option<Arc<File>>,
    /// A sync failed: this file is not trusted with another one.
    pub(crate) failed: bool,
    /// This process began it, and nothing failed on it: what its file holds is known.
    sound: bool,
    /// When another one was begun behind it, or it was found.
    ended: Option<Instant>,
}

/// A segment that every sink has passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
    /// Whether its file may be written over.
    pub(crate) reusable: bool,
}

/// What is to be synced of a segment.
pub(crate) struct Unsynced {
    pub(crate) first: u64,
    pub(crate) file: Arc<File>,
    pub(crate) synced: Mark,
    /// Where its records end now.
    pub(crate) end: Mark,
    pub(crate) failed: bool,
}

impl Ledger {
    pub(crate) fn new(next: u64) -> Self {
        Self {
            segments: BTreeMap::new(),
            bytes: 0,
            next,
            unsynced_entry: false,
            trouble: None,
            unsafe_because: None,
            closed: false,
            high_water: u64::MAX,
            is_high: false,
            told: BTreeSet::new(),
        }
    }

    /// Sets the size from which on someone should look.
    pub(crate) fn watch(&mut self, high_water: u64) {
        self.high_water = high_water;
    }

    /// Whether that size was reached, or left again, since this was asked last.
    pub(crate) fn crossed(&mut self) -> Option<bool> {
        let is_high = self.bytes >= self.high_water;
        (std::mem::replace(&mut self.is_high, is_high) != is_high).then_some(is_high)
    }

    /// Whether it has that size.
    pub(crate) fn is_high(&self) -> bool {
        self.is_high
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn count(&self) -> usize {
        self.segments.len()
    }

    /// The number that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The oldest number kept.
    pub(crate) fn oldest(&self) -> u64 {
        self.segments.keys().next().copied().unwrap_or(self.next)
    }

    /// Adds a segment that is on disk, synced up to its end.
    pub(crate) fn insert(&mut self, first: u64, end: Mark) {
        self.found(first, end, Duration::ZERO);
    }

    /// The same of one that an earlier process wrote last so long ago.
    pub(crate) fn found(&mut self, first: u64, end: Mark, age: Duration) {
        self.remove(first);
        let now = Instant::now();
        let (file, ended) = (None, Some(now.checked_sub(age).unwrap_or(now)));
        let segment = Segment { length: end.offset, synced: end, file, failed: false, sound: false, ended };
        self.segments.insert(first, segment);
        self.bytes += end.offset;
        self.next = self.next.max(end.next);
    }

    /// Adds the segment that is written from now on, or opens one that is there already.
    pub(crate) fn open(&mut self, first: u64, file: Arc<File>) {
        let begin = start(first);
        if let Some((_, last)) = self.segments.range_mut(..first).next_back() {
            last.ended.get_or_insert_with(Instant::now);
        }
        let segment = self.segments.entry(first).or_insert_with(|| {
            self.bytes += begin.offset;
            self.unsynced_entry = true;
            let (length, synced) = (begin.offset, begin);
            Segment { length, synced, file: None, failed: false, sound: true, ended: None }
        });
        segment.file = Some(file);
    }

    /// Forgets a segment.
    pub(crate) fn remove(&mut self, first: u64) {
        if let Some(segment) = self.segments.remove(&first) {
            self.bytes = self.bytes.saturating_sub(segment.length);
        }
    }

    /// Records were written to the end of a segment; gives back the trouble that this ends.
    pub(crate) fn extend(&mut self, first: u64, end: Mark) -> Option<Trouble> {
        if let Some(segment) = self.segments.get_mut(&first) {
            self.bytes += end.offset.saturating_sub(segment.length);
            segment.length = end.offset;
            self.next = end.next;
        }
        self.trouble.take()
    }

    /// Why there is no room for so many more bytes.
    pub(crate) fn full(&self, more: u64, limit: u64) -> Option<&str> {
        let trouble = self.trouble.as_ref().filter(|trouble| Instant::now() < trouble.retry_at);
        let full = (self.bytes.saturating_add(more) > limit).then_some("journal full");
        trouble.map(|trouble| trouble.reason.as_str()).or(self.unsafe_because.as_deref()).or(full)
    }

    /// What was wrong with writing, until it has been tried again; for so long whoever waits may take for that.
    pub(crate) fn troubled(&self, within: Duration) -> Option<String> {
        let trouble = self.trouble.as_ref().filter(|trouble| Instant::now() < trouble.retry_at + within);
        trouble.map(|trouble| trouble.reason.clone())
    }

    /// Whether damage at this number is told for the first time.
    pub(crate) fn is_news(&mut self, seq: u64) -> bool {
        let oldest = self.oldest();
        self.told.retain(|&told| told >= oldest);
        self.told.insert(seq)
    }

    /// A segment ends where it is synced; what came behind stands elsewhere.
    pub(crate) fn cut(&mut self, first: u64) {
        if let Some(segment) = self.segments.get_mut(&first) {
            self.bytes = self.bytes.saturating_sub(segment.length.saturating_sub(segment.synced.offset));
            segment.length = segment.synced.offset;
            segment.file = None;
        }
    }

    /// The segment that holds a number, or else the oldest one; and where its records end.
    pub(crate) fn locate(&self, seq: u64) -> Option<(u64, Extent)> {
        let (&first, segment) =
            self.segments.range(..=seq).next_back().or_else(|| self.segments.iter().next())?;
        Some((first, Extent { first, end: segment.length, limit: self.limit(first) }))
    }

    /// The first number behind a segment; `u64::MAX` for the last one.
    pub(crate) fn limit(&self, first: u64) -> u64 {
        self.segments.range(first.saturating_add(1)..).next().map_or(u64::MAX, |(&next, _)| next)
    }

    /// What is not synced yet, oldest first.
    pub(crate) fn unsynced(&self) -> Vec<Unsynced> {
        let open = self
            .segments
            .iter()
            .filter_map(|(&first, segment)| Some((first, segment, segment.file.as_ref()?)));
        open.filter(|(_, segment, _)| segment.synced.offset < segment.length)
            .map(|(first, segment, file)| Unsynced {
                first,
                file: Arc::clone(file),
                synced: segment.synced,
                end: Mark { offset: segment.length, next: self.limit(first).min(self.next) },
                failed: segment.failed,
            })
            .collect()
    }

    /// A segment is durable up to `end`.
    pub(crate) fn synced(&mut self, first: u64, end: Mark) {
        let is_last = self.limit(first) == u64::MAX;
        if let Some(segment) = self.segments.get_mut(&first) {
            segment.synced = end;
            if !is_last && segment.length <= end.offset {
                segment.file = None;
            }
        }
    }

    /// A sync of this segment failed.
    pub(crate) fn failed(&mut self, first: u64) {
        if let Some(segment) = self.segments.get_mut(&first) {
            segment.failed = true;
            segment.sound = false;
        }
    }

    /// A write to this segment failed: its file may hold records that it does not count.
    pub(crate) fn distrust(&mut self, first: u64) {
        if let Some(segment) = self.segments.get_mut(&first) {
            segment.sound = false;
        }
    }

    /// Takes out the segments whose numbers are all at most `passed`, but never the last one; and those that ended within
    /// `retention` only as long as all of them take more than `room`.
    pub(crate) fn release(&mut self, passed: u64, retention: Duration, room: u64) -> Vec<Released> {
        let mut released = Vec::new();
        while let Some((&first, segment)) = self.segments.first_key_value() {
            let limit = self.limit(first);
            if limit == u64::MAX || limit > passed.saturating_add(1) {
                break;
            }
            let is_young = segment.ended.is_none_or(|ended| ended.elapsed() < retention);
            if is_young && !retention.is_zero() && self.bytes <= room {
                break;
            }
            released.push(Released { first, bytes: segment.length, reusable: segment.sound });
            self.remove(first);
        }
        if let Some(trouble) = self.trouble.as_mut().filter(|_| !released.is_empty()) {
            // Soon there is room on the disk.
            trouble.retry_at = Instant::now();
        }
        released
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_by_number_and_released_when_passed() {
        let mut ledger = Ledger::new(1);
        ledger.insert(1, Mark { offset: 100, next: 5 });
        ledger.insert(5, Mark { offset: 100, next: 9 });
        ledger.open(9, Arc::new(tempfile::tempfile().unwrap()));
        ledger.extend(9, Mark { offset: 50, next: 10 });
        let first = |ledger: &Ledger, seq| ledger.locate(seq).unwrap().0;
        assert_eq!([1, 4, 5, 9, 12].map(|seq| first(&ledger, seq)), [1, 1, 5, 9, 9]);
        assert_eq!(ledger.locate(4).unwrap().1.limit, 5);
        assert_eq!((ledger.bytes(), ledger.next(), ledger.oldest()), (250, 10, 1));
        let mut release = |passed| ledger.release(passed, Duration::ZERO, 0);
        assert!(release(3).is_empty());
        let released = |first| [Released { first, bytes: 100, reusable: false }];
        assert_eq!(release(7), released(1));
        assert_eq!(release(u64::MAX), released(5), "the last one stays");
        assert_eq!((ledger.bytes(), ledger.count(), first(&ledger, 2)), (50, 1, 9));
        assert_eq!(ledger.unsynced().len(), 1);
        ledger.synced(9, Mark { offset: 50, next: 10 });
        assert!(ledger.unsynced().is_empty());
    }

    #[test]
    fn what_every_sink_has_is_kept_for_a_while_where_there_is_room() {
        let mut ledger = Ledger::new(1);
        ledger.insert(1, Mark { offset: 100, next: 5 });
        ledger.insert(5, Mark { offset: 100, next: 9 });
        ledger.open(9, Arc::new(tempfile::tempfile().unwrap()));
        let hour = Duration::from_secs(3_600);
        assert!(ledger.release(u64::MAX, hour, 300).is_empty());
        assert_eq!(ledger.release(u64::MAX, hour, 150).len(), 1, "the oldest makes room");
        assert_eq!(ledger.release(u64::MAX, Duration::from_nanos(1), 300).len(), 1, "its time is over");
    }
}
