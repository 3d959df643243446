//! What was asked and not yet answered: a queue of questions, each with the bytes that will tell what it was.

use std::collections::VecDeque;

use crate::wire::{Digest, Nanos};

/// A buffer that grew past this is given back once it is empty: an idle session holds little.
const KEPT_BYTES: usize = 4 << 10;
/// The same, for the number of questions.
const KEPT_ENTRIES: usize = 128;

/// Questions in the order in which they were asked. `K` is the protocol's name for their kinds.
#[derive(Debug)]
pub struct Inflight<K> {
    entries: VecDeque<Entry<K>>,
    /// The digests of the entries that have one, in their order: few do.
    digests: VecDeque<Digest>,
    /// The bytes of all entries, one after the other; those before `start` are answered.
    bytes: Vec<u8>,
    start: usize,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Entry<K> {
    /// Its kind.
    pub kind: K,
    /// When its first byte came.
    pub asked: Nanos,
    /// Its whole length on the wire, of which `kept` bytes are here.
    pub length: u64,
    /// How often it was asked, one directly after the other.
    pub times: u32,
    kept: usize,
    digested: bool,
}

impl<K> Default for Inflight<K> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), digests: VecDeque::new(), bytes: Vec::new(), start: 0 }
    }
}

impl<K: Copy> Inflight<K> {
    /// Adds a question of which `body` is kept, and the digest of its text where that is not all of it.
    pub fn push(&mut self, kind: K, asked: Nanos, body: &[u8], length: u64, digest: Option<&Digest>) {
        self.bytes.extend_from_slice(body);
        self.entries.push_back(Entry {
            kind,
            asked,
            length,
            times: 1,
            kept: body.len(),
            digested: digest.is_some(),
        });
        if let Some(digest) = digest {
            self.digests.push_back(*digest);
        }
    }

    /// Adds what was asked last once more, if it is of this kind and kept no bytes; whether it is.
    pub fn repeat(&mut self, kind: K) -> bool
    where
        K: PartialEq,
    {
        let last =
            self.entries.back_mut().filter(|last| last.kind == kind && last.kept == 0 && !last.digested);
        let more = last.and_then(|last| Some((last.times.checked_add(1)?, last)));
        more.map(|(times, last)| last.times = times).is_some()
    }

    /// The question that is answered next.
    #[must_use]
    pub fn front(&self) -> Option<(Entry<K>, &[u8], Option<&Digest>)> {
        let entry = *self.entries.front()?;
        let body = self.bytes.get(self.start..self.start + entry.kept).unwrap_or_default();
        Some((entry, body, self.digests.front().filter(|_| entry.digested)))
    }

    /// The kind of the question that is answered next.
    #[must_use]
    pub fn front_kind(&self) -> Option<K> {
        self.entries.front().map(|entry| entry.kind)
    }

    /// The question at a place in the queue; 0 is the front.
    #[must_use]
    pub fn entry(&self, place: usize) -> Option<&Entry<K>> {
        self.entries.get(place)
    }

    /// Forgets the question at the front, once.
    pub fn pop(&mut self) {
        if let Some(front) = self.entries.front_mut()
            && front.times > 1
        {
            front.times -= 1;
            return;
        }
        let Some(entry) = self.entries.pop_front() else { return };
        self.start += entry.kept;
        if entry.digested {
            self.digests.pop_front();
        }
        if self.entries.is_empty() {
            self.reset();
        } else if self.start > KEPT_BYTES && self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Forgets a question that kept no bytes, wherever it stands, however often it was asked.
    pub fn remove_empty(&mut self, place: usize) {
        if self.entries.get(place).is_some_and(|entry| entry.kept == 0 && !entry.digested) {
            self.entries.remove(place);
        }
    }

    /// Adds a question that keeps no bytes, asked so often, where others stand already; not for 0 times.
    pub fn insert_empty(&mut self, place: usize, kind: K, times: u32) {
        if let Some(front) = self.entries.front().filter(|_| times > 0 && place <= self.entries.len()) {
            let asked = front.asked;
            self.entries.insert(place, Entry { kind, asked, length: 0, times, kept: 0, digested: false });
        }
    }

    /// Number of questions, with those that were repeated counted once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all is answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes kept.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn reset(&mut self) {
        self.start = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.entries.shrink_to(KEPT_ENTRIES);
        self.digests = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_their_question() {
        let mut inflight = Inflight::default();
        for n in 0..10_000_usize {
            inflight.push(n, 0, n.to_string().as_bytes(), 9, None);
        }
        inflight.push(10_000, 0, b"", 0, None);
        inflight.remove_empty(10_000);
        for n in 0..10_000_usize {
            let (entry, body, _) = inflight.front().unwrap();
            assert_eq!((entry.kind, body), (n, n.to_string().as_bytes()));
            inflight.pop();
        }
        assert!(inflight.is_empty() && inflight.front().is_none() && inflight.size() == 0);
        assert!(inflight.bytes.capacity() <= KEPT_BYTES);
    }

    #[test]
    fn what_keeps_no_bytes_may_be_put_between() {
        let mut inflight = Inflight::default();
        inflight.insert_empty(0, 'x', 1);
        assert!(inflight.is_empty());
        for kind in ['a', 'b'] {
            inflight.push(kind, 0, &[kind as u8], 1, None);
        }
        inflight.insert_empty(1, 's', 0);
        inflight.insert_empty(1, 's', 2);
        assert_eq!(inflight.len(), 3);
        for kind in ['a', 's', 's', 'b'] {
            let (entry, body, _) = inflight.front().unwrap();
            let kept = [kind as u8];
            assert_eq!((entry.kind, body), (kind, kept.get(usize::from(kind == 's')..).unwrap()));
            inflight.pop();
        }
    }

    #[test]
    fn what_is_repeated_takes_one_place() {
        let mut inflight = Inflight::default();
        assert!(!inflight.repeat('s'));
        inflight.push('s', 0, b"", 0, None);
        assert!(inflight.repeat('s') && inflight.repeat('s') && !inflight.repeat('t'));
        inflight.push('t', 0, b"kept", 4, None);
        assert!(!inflight.repeat('t'));
        assert_eq!(inflight.len(), 2);
        for kind in ['s', 's', 's', 't'] {
            assert_eq!(inflight.front_kind(), Some(kind));
            inflight.pop();
        }
        assert!(inflight.is_empty());
    }
}
