//! The chain: which record fits to the one before, which checkpoint covers it.

use std::collections::{BTreeMap, BTreeSet};

use panoptes_event::batch::Hash;

use super::{
    due::{Due, Overdue},
    order::{Item, Order, Step},
    record::{Record, Signed},
    report::{Finding, Notes, Report},
};
use crate::journal::keys::VerifyingKey;

/// How many records back one may come late, or come again.
const WINDOW: usize = 1 << 18;
/// How often it is looked where a record that does not fit might fit: each look is as long as the window.
const MAX_SEARCHES: usize = 1_000;
/// Broken links and holes that are told apart; a trail with more is no trail.
const MAX_BREAKS: usize = 10_000;

/// Checks records as they come.
pub(super) struct Checker {
    order: Order,
    links: Links,
}

/// What is known of a record that was seen.
#[derive(Clone, Copy)]
struct Known {
    hash: Hash,
    prev: Option<Hash>,
    /// Of another record with the same number: the next one tells which of them is right.
    other: Option<Hash>,
}

/// The records that are in their places.
struct Links {
    window: BTreeMap<u64, Known>,
    first: Option<u64>,
    last: Option<u64>,
    /// Ranges that are missing, by their first number; whether the chain leads over them.
    holes: BTreeMap<u64, Hole>,
    /// Records that do not fit to the one before.
    broken: BTreeSet<u64>,
    /// Good checkpoints.
    checkpoints: BTreeSet<u64>,
    /// Bad ones.
    forged: BTreeSet<u64>,
    covered_time: Option<String>,
    due: Due,
    has_keys: bool,
    notes: Notes,
    findings: Vec<Finding>,
}

struct Hole {
    to: u64,
    /// The chain leads over it: these numbers were lost before they could be chained.
    linked: bool,
}

impl Checker {
    /// Checks signatures with these keys.
    pub(super) fn new(keys: &[VerifyingKey]) -> Self {
        let links = Links {
            window: BTreeMap::new(),
            first: None,
            last: None,
            holes: BTreeMap::new(),
            broken: BTreeSet::new(),
            checkpoints: BTreeSet::new(),
            forged: BTreeSet::new(),
            covered_time: None,
            due: Due::default(),
            has_keys: !keys.is_empty(),
            notes: Notes::default(),
            findings: Vec::new(),
        };
        Self { order: Order::default(), links }
    }

    /// Takes the record that comes next in the trail; `place` tells where it stands, if its number does not.
    pub(super) fn take(&mut self, record: Record, place: Option<String>) {
        self.links.notes.records += 1;
        self.order.take(Item { record, place }, &mut |step| self.links.step(step));
    }

    /// Something stands in the trail that is no record.
    pub(super) fn unreadable(&mut self, place: String, reason: String) {
        self.links.find(Finding::Unreadable { place, reason });
    }

    /// The end: what was found. All numbers up to `at_least` must have been there.
    pub(super) fn finish(mut self, at_least: u64) -> Report {
        self.order.finish(&mut |step| self.links.step(step));
        self.links.finish(at_least)
    }
}

impl Links {
    fn step(&mut self, step: Step) {
        match step {
            Step::Next(item) => self.next(&item),
            Step::Ahead { seq, place } => self.find(Finding::Misplaced { seq, place }),
            Step::Late(item) => self.late(item),
            Step::Astray(item) => self.find(Finding::Inserted { seq: item.record.seq, place: item.place }),
        }
    }

    fn next(&mut self, item: &Item) {
        let record = &item.record;
        let before = self.window.last_key_value().map(|(&seq, &known)| (seq, known));
        match (before, record.prev) {
            (_, None) => self.notes.unchained += 1,
            (Some((seq, known)), Some(prev)) => self.link(seq, known, record.seq, prev),
            (None, Some(_)) => {}
        }
        if let Some((seq, _)) = before.filter(|(seq, _)| seq + 1 < record.seq) {
            let linked = before.is_some_and(|(_, known)| Some(known.hash) == record.prev);
            self.note_break(seq + 1, Hole { to: record.seq - 1, linked });
        }
        self.first.get_or_insert(record.seq);
        self.last = Some(record.seq);
        self.due.take(record);
        self.keep(item);
    }

    /// Whether a record fits to the one that stands before it.
    fn link(&mut self, before: u64, known: Known, seq: u64, prev: Hash) {
        if prev == known.hash || before + 1 < seq {
            return;
        }
        if known.other == Some(prev) {
            // Of two with the same number this one is right; that the other fitted worse is no news.
            self.window.insert(before, Known { hash: prev, other: None, ..known });
        } else if let Some(fork) = self.fork(before, prev) {
            self.notes.orphaned.push((fork + 1, before));
        } else {
            self.break_at(seq);
        }
    }

    /// The record further back that one fits to: what stands between was lost from the journal.
    fn fork(&self, before: u64, prev: Hash) -> Option<u64> {
        if self.broken.len() + self.notes.orphaned.len() >= MAX_SEARCHES {
            return None;
        }
        let mut back = self.window.range(..before).rev();
        back.find(|(_, known)| known.hash == prev).map(|(&seq, _)| seq)
    }

    fn late(&mut self, item: Item) {
        let record = &item.record;
        let seq = record.seq;
        match self.window.get(&seq).copied() {
            Some(known) if known.hash == record.hash => self.notes.repeats += 1,
            Some(known) => self.twice(known, item),
            None if self.fill(seq) => {
                self.find(Finding::Misplaced { seq, place: item.place.clone() });
                self.relink(&item);
            }
            None if self.first.is_some_and(|first| seq < first) && self.window.contains_key(&(seq + 1)) => {
                self.find(Finding::Misplaced { seq, place: item.place.clone() });
                self.first = Some(seq);
                self.relink(&item);
            }
            // Too far back to be compared.
            None if self.window.first_key_value().is_some_and(|(&oldest, _)| seq < oldest) => {
                self.notes.far_back += 1;
            }
            None => self.find(Finding::Inserted { seq, place: item.place }),
        }
    }

    /// Two records with one number. Where the next one vouches for the second of them, the first was edited and a sink's
    /// repeat of it was not.
    fn twice(&mut self, known: Known, item: Item) {
        let seq = item.record.seq;
        let after = self.window.get(&(seq + 1)).copied();
        let better = after.is_some_and(|after| after.prev == Some(item.record.hash));
        if better {
            self.broken.remove(&(seq + 1));
            self.find(Finding::Changed { seq });
        } else {
            self.find(Finding::Inserted { seq, place: item.place });
        }
        let known = match (better, after) {
            (true, _) => Known { hash: item.record.hash, prev: item.record.prev, other: None },
            (false, None) => Known { other: Some(item.record.hash), ..known },
            (false, Some(_)) => known,
        };
        self.window.insert(seq, known);
    }

    /// Takes a number out of the hole that it is in; whether it was in one.
    fn fill(&mut self, seq: u64) -> bool {
        let Some((&from, hole)) = self.holes.range(..=seq).next_back() else { return false };
        let Hole { to, linked } = *hole;
        if seq > to || linked {
            return false;
        }
        self.holes.remove(&from);
        if from < seq {
            self.holes.insert(from, Hole { to: seq - 1, linked });
        }
        if seq < to {
            self.holes.insert(seq + 1, Hole { to, linked });
        }
        true
    }

    /// A record came late into its place: looks at its links to both sides.
    fn relink(&mut self, item: &Item) {
        let Record { seq, hash, prev, .. } = item.record;
        let (before, after) = (seq.checked_sub(1), seq + 1);
        if let (Some(known), Some(prev)) = (before.and_then(|seq| self.window.get(&seq)), prev)
            && known.hash != prev
        {
            self.break_at(seq);
        }
        if self.window.get(&after).and_then(|known| known.prev).is_some_and(|prev| prev != hash) {
            self.break_at(after);
        }
        self.keep(item);
    }

    fn keep(&mut self, item: &Item) {
        let record = &item.record;
        match &record.signed {
            Signed::No => {}
            Signed::Good => {
                if self.checkpoints.last().is_none_or(|&last| last < record.seq) {
                    self.covered_time = Some(record.time.clone());
                }
                self.checkpoints.insert(record.seq);
            }
            Signed::Bad if self.forged.len() >= MAX_BREAKS => {}
            Signed::Bad => {
                self.forged.insert(record.seq);
                self.find(Finding::Forged { seq: record.seq, place: item.place.clone() });
            }
            Signed::Unknown(key) => {
                self.notes.other_keys.insert(key.clone());
            }
        }
        self.window.insert(record.seq, Known { hash: record.hash, prev: record.prev, other: None });
        if self.window.len() > WINDOW {
            self.window.pop_first();
        }
    }

    fn break_at(&mut self, seq: u64) {
        if self.broken.len() < MAX_BREAKS {
            self.broken.insert(seq);
        }
    }

    fn note_break(&mut self, from: u64, hole: Hole) {
        if self.holes.len() < MAX_BREAKS {
            self.holes.insert(from, hole);
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MAX_BREAKS {
            self.findings.push(finding);
        }
    }

    fn finish(mut self, at_least: u64) -> Report {
        let mut breaks = BTreeSet::new();
        for (from, Hole { to, linked }) in std::mem::take(&mut self.holes) {
            if linked {
                self.notes.lost.push((from, to));
            } else {
                breaks.insert(from);
                self.find(Finding::Missing { from, to });
            }
        }
        for seq in self.changed() {
            breaks.insert(seq);
            self.find(Finding::Changed { seq });
        }
        let last = self.last.unwrap_or(0);
        if at_least > last {
            self.find(Finding::Missing { from: last + 1, to: at_least });
        }
        match self.due.overdue() {
            Some(Overdue::Certain { from }) => self.find(Finding::Uncovered { from, to: last }),
            Some(Overdue::Perhaps { from }) => self.notes.overdue = Some((from, last)),
            None => {}
        }
        self.unproven(&breaks);
        Report::new(
            self.findings,
            self.notes,
            (self.first, self.last),
            (self.checkpoints.len() as u64, self.checkpoints.last().copied(), self.covered_time),
            self.has_keys,
        )
    }

    /// The records that broken links are the traces of. Several in a row: the records between them. One alone: the record
    /// before it, unless a signature vouches for that one or a wrong one gives the other away; at the end, either.
    fn changed(&self) -> Vec<u64> {
        let mut changed = Vec::new();
        let starts = self.broken.iter().copied().filter(|seq| !self.broken.contains(&(seq - 1)));
        for start in starts {
            let run = (start..).take_while(|seq| self.broken.contains(seq)).count() as u64;
            match run {
                1 if self.checkpoints.contains(&(start - 1)) || self.forged.contains(&start) => {
                    changed.push(start);
                }
                1 if self.last == Some(start) && !self.checkpoints.contains(&start) => {
                    changed.extend([start - 1, start]);
                }
                1 => changed.push(start - 1),
                _ => changed.extend(start..start + run - 1),
            }
        }
        changed
    }

    /// What stands between a checkpoint and a break was covered by a checkpoint behind the break only.
    fn unproven(&mut self, breaks: &BTreeSet<u64>) {
        for &at in breaks {
            let first = self.first.unwrap_or(at);
            let from = self.checkpoints.range(..at).next_back().map_or(first, |checkpoint| checkpoint + 1);
            let other = breaks.range(from..at).next_back().map_or(from, |other| other + 1);
            let is_covered_at_all = self.checkpoints.range(at..).next().is_some();
            if other < at && is_covered_at_all {
                self.notes.unproven.push((other, at - 1));
            }
        }
    }
}
