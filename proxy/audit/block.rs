//! A transaction block: its savepoints, and which of its events still wait for a verdict.

use panoptes_event::{Uuid, Verdict};
use panoptes_parser::wire::TransactionStatus;

/// Savepoints of one transaction that are followed.
const MAX_SAVEPOINTS: usize = 1_000;

/// A transaction block, or a group of statements that was too large to be held.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: Uuid,
    /// Nobody began it: it ends when the server is ready.
    pub(crate) implicit: bool,
    pub(crate) failed: bool,
    /// The server may have rolled back all of it with the statement that failed (MySQL).
    pub(crate) perhaps_over: bool,
    /// A statement that failed may have committed what came before it (MySQL). No later status says that it did not: with
    /// `autocommit = 0` another transaction may have begun.
    pub(crate) perhaps_committed: bool,
    /// Something was rolled back to a savepoint that was not followed: not all of the block shares its verdict.
    astray: bool,
    /// Written without a verdict: the first `session.seq`, and the last.
    pub(crate) written: Option<(u64, u64)>,
    savepoints: Vec<(String, Mark)>,
    /// There were more savepoints than are followed.
    overflowed: bool,
    /// Something that was written may have committed on its own.
    commits: bool,
    /// Or may have rolled back.
    undoes: bool,
}

/// Where a savepoint was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// By the held item at this place.
    Held(usize),
    /// By the event of this `session.seq`.
    Written(u64),
}

impl Block {
    /// Without statements yet.
    pub(crate) fn new(id: Uuid, implicit: bool) -> Self {
        Self {
            id,
            implicit,
            failed: false,
            perhaps_over: false,
            perhaps_committed: false,
            astray: false,
            written: None,
            savepoints: Vec::new(),
            overflowed: false,
            commits: false,
            undoes: false,
        }
    }

    /// As the server would call it.
    pub(crate) fn status(&self) -> TransactionStatus {
        match (self.implicit, self.failed) {
            (true, _) => TransactionStatus::Idle,
            (false, false) => TransactionStatus::Active,
            (false, true) => TransactionStatus::Failed,
        }
    }

    /// The held item at `place` set a savepoint.
    pub(crate) fn set_savepoint(&mut self, name: String, place: usize) {
        self.overflowed |= self.savepoints.len() >= MAX_SAVEPOINTS;
        if !self.overflowed {
            self.savepoints.push((name, Mark::Held(place)));
        }
    }

    /// One was set, or is named, of which nobody can say which it is: none is followed any more.
    pub(crate) fn lose_savepoints(&mut self) {
        self.overflowed = true;
    }

    /// A savepoint is gone, with those set after it.
    pub(crate) fn release(&mut self, name: &str) {
        if let Some(place) = self.find(name) {
            self.savepoints.truncate(place);
        }
    }

    /// What came after a savepoint is undone; the savepoint stays. Tells where it was set.
    pub(crate) fn roll_back_to(&mut self, name: &str) -> Option<Mark> {
        self.failed = false;
        let place = if self.overflowed { None } else { self.find(name) };
        let Some(place) = place else {
            self.astray = true;
            return None;
        };
        self.savepoints.truncate(place + 1);
        self.savepoints.last().map(|(_, mark)| *mark)
    }

    /// The item at `place` of those that were held was written under this `session.seq`.
    pub(crate) fn settle_marks(&mut self, place: usize, seq: u64) {
        // Those set last are at the end, and those that are held come after those that are written.
        for (_, mark) in self.savepoints.iter_mut().rev() {
            match mark {
                Mark::Held(held) if *held == place => *mark = Mark::Written(seq),
                Mark::Held(_) => {}
                Mark::Written(_) => break,
            }
        }
    }

    /// A statement was written without a verdict; `commits` if it may have committed on its own, `undoes` if it may have
    /// rolled back.
    pub(crate) fn wrote(&mut self, seq: u64, commits: bool, undoes: bool) {
        self.written = Some((self.written.map_or(seq, |(first, _)| first), seq));
        self.commits |= commits && self.implicit;
        self.undoes |= undoes && self.implicit;
    }

    /// What was written so far is told; what comes has a verdict of its own.
    pub(crate) fn part(&mut self) -> Option<(u64, u64)> {
        (self.perhaps_over, self.perhaps_committed, self.astray) = (false, false, false);
        (self.commits, self.undoes) = (false, false);
        self.written.take()
    }

    /// Whether a verdict may not be that of all that was written.
    pub(crate) fn doubts(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Committed => self.astray || self.perhaps_over || self.undoes,
            Verdict::RolledBack => self.commits || self.perhaps_committed,
            Verdict::Unknown => false,
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(known, _)| known == name)
    }
}
