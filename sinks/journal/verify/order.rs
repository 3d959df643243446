//! Puts records where their numbers belong. A record ahead of its place is told from a hole by the one that follows it:
//! behind a hole the numbers go on, behind a misplaced record they come back.

use std::collections::BTreeMap;

use super::record::Record;

/// How many records may be ahead of their place at a time.
const MAX_AHEAD: usize = 4_096;

/// A record, and where it was found.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) place: Option<String>,
}

/// What becomes of a record.
pub(super) enum Step {
    /// It comes next, or behind a hole.
    Next(Item),
    /// It stands ahead of its place; it comes again as [`Step::Next`] where it belongs, or as [`Step::Astray`].
    Ahead { seq: u64, place: Option<String> },
    /// Its number was passed already.
    Late(Item),
    /// Its number is never reached.
    Astray(Item),
}

/// The records that are under way to their places.
#[derive(Default)]
pub(super) struct Order {
    /// The number that comes next; none before the first.
    next: Option<u64>,
    /// The record taken last: what follows it says where it belongs.
    held: Option<Item>,
    ahead: BTreeMap<u64, Item>,
}

impl Order {
    /// Takes the record that stands next in the trail.
    pub(super) fn take(&mut self, item: Item, step: &mut impl FnMut(Step)) {
        let follows = item.record.seq;
        if let Some(held) = self.held.replace(item) {
            self.place(held, Some(follows), step);
        }
    }

    /// There are no more.
    pub(super) fn finish(&mut self, step: &mut impl FnMut(Step)) {
        if let Some(held) = self.held.take() {
            self.place(held, None, step);
        }
        for (_, item) in std::mem::take(&mut self.ahead) {
            step(Step::Astray(item));
        }
    }

    fn place(&mut self, item: Item, follows: Option<u64>, step: &mut impl FnMut(Step)) {
        let seq = item.record.seq;
        let comes_back = follows.is_some_and(|follows| follows < seq) && self.ahead.len() < MAX_AHEAD;
        match self.next {
            Some(next) if seq < next => return step(Step::Late(item)),
            Some(next) if seq == next => {}
            // The same line twice is a repeat, also ahead of its place.
            _ if comes_back && !self.ahead.contains_key(&seq) => {
                step(Step::Ahead { seq, place: item.place.clone() });
                self.ahead.insert(seq, item);
                return;
            }
            _ => {
                // Behind a hole; those ahead that belong into it come first.
                while let Some(entry) = self.ahead.first_entry().filter(|entry| *entry.key() < seq) {
                    step(Step::Next(entry.remove()));
                }
            }
        }
        self.next = Some(seq.saturating_add(1));
        step(Step::Next(item));
        self.catch_up(step);
    }

    /// Those ahead whose turn has come.
    fn catch_up(&mut self, step: &mut impl FnMut(Step)) {
        while let Some(item) = self.next.and_then(|next| self.ahead.remove(&next)) {
            self.next = Some(item.record.seq.saturating_add(1));
            step(Step::Next(item));
        }
    }
}
