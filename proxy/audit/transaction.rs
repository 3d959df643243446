//! Transactions of a session: what was written in them, and whether it lasted.
//!
//! That a statement completed does not say that it lasts: a later error of the same pipeline, a ROLLBACK or a lost link
//! undoes it. So statements are held until the server is ready again; most then know their verdict. In a transaction
//! block they are written without it, and a `verdict` event tells it when the block ends.

use std::{mem, rc::Rc};

use panoptes_event::{Outcome, Uuid, Verdict};
use panoptes_parser::{sql::Effect, wire::TransactionStatus};

use super::statement::{Error, Statement, What};

/// So many statements wait for a verdict; more of them are written without it, as in a transaction block.
pub(crate) const MAX_HELD: usize = 1_000;
/// Savepoints of one transaction that are followed; of further ones only the transaction's end is told.
const MAX_SAVEPOINTS: usize = 1_000;

/// What is held, and the block it stands in.
#[derive(Debug)]
pub(crate) struct Transactions {
    held: Vec<Item>,
    block: Option<Block>,
    /// The error that came with the commit.
    commit_failed: Option<Rc<Error>>,
}

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Item {
    /// A statement.
    Statement(Box<Statement>),
    /// What became of statements that were written before.
    Verdict(Told),
}

/// What became of the statements from one `session.seq` to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) transaction: Uuid,
    pub(crate) verdict: Verdict,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) savepoint: Option<String>,
}

/// A transaction block, or a group of statements that was too large to be held.
#[derive(Debug)]
struct Block {
    id: Uuid,
    /// Nobody began it: it ends when the server is ready.
    implicit: bool,
    failed: bool,
    /// Written without a verdict: the first `session.seq`, and the last.
    written: Option<(u64, u64)>,
    savepoints: Vec<(String, Mark)>,
}

/// Where a savepoint was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// By the held item at this place.
    Held(usize),
    /// By the event of this `session.seq`.
    Written(u64),
}

impl Transactions {
    /// Outside of any.
    pub(crate) fn new() -> Self {
        Self { held: Vec::new(), block: None, commit_failed: None }
    }


    /// Whether more is held than should be.
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() >= MAX_HELD
    }

    /// A statement was settled; `committed` if the server's tag says that a transaction was. `id` makes the id of a
    /// transaction that it begins.
    pub(crate) fn settle(&mut self, statement: Statement, committed: bool, id: impl FnOnce() -> Uuid) {
        let effect = match &statement.what {
            What::Sql(text) => text.effect.clone(),
            What::Command(_) => Effect::None,
        };
        let (outcome, opaque) = (statement.end.outcome, statement.what.operation().opaque);
        let success = statement.end.is_success();
        self.hold(statement);
        match effect {
            _ if outcome == Some(Outcome::Lost) => self.judge_last(Verdict::Unknown),
            _ if outcome == Some(Outcome::Skipped) => {}
            _ if !success => self.fail(opaque),
            Effect::Begin => self.begin(id),
            Effect::Savepoint(name) => self.set_savepoint(name.into_owned()),
            Effect::Release(name) => self.release(&name),
            Effect::RollbackTo(name) => self.roll_back_to(&name),
            Effect::PrepareTransaction => self.end(Verdict::Unknown),
            // COMMIT of a failed transaction rolls it back, and the tag says so.
            Effect::Commit { chain } if committed => self.end_chained(Verdict::Committed, chain, id),
            Effect::Commit { chain } | Effect::Rollback { chain } => {
                self.end_chained(Verdict::RolledBack, chain, id);
            }
            _ => {}
        }
    }

    /// What had completed was undone when it was to be committed.
    pub(crate) fn fail_commit(&mut self, error: Rc<Error>) {
        self.commit_failed = Some(error);
    }

    /// The server is ready: what is held is given out, to be written.
    pub(crate) fn ready(&mut self, status: TransactionStatus, id: impl FnOnce() -> Uuid) -> Vec<Item> {
        let undone_by = self.commit_failed.take();
        let verdict = if undone_by.is_some() { Verdict::RolledBack } else { Verdict::Committed };
        match (status, &mut self.block) {
            // What ended it was not seen: a procedure, or a statement that was left out.
            (TransactionStatus::Idle, Some(block)) if !block.implicit => self.end(Verdict::Unknown),
            (TransactionStatus::Idle, Some(_)) => self.end(verdict),
            (TransactionStatus::Idle, None) => self.judge(verdict, undone_by.as_ref()),
            (_, Some(block)) => {
                block.implicit = false;
                block.failed = status == TransactionStatus::Failed;
            }
            (_, None) => self.open(Block::new(id(), false)),
        }
        if let Some(Item::Statement(last)) = self.held.last_mut() {
            last.status = status;
        }
        mem::take(&mut self.held)
    }

    /// Gives out what is held, without a verdict where none is known.
    pub(crate) fn spill(&mut self, id: impl FnOnce() -> Uuid) -> Vec<Item> {
        if self.block.is_none() && self.held.iter().any(Item::is_open) {
            self.open(Block::new(id(), true));
        }
        mem::take(&mut self.held)
    }

    /// The session is over; `unanswered` if a commit may have been under way.
    pub(crate) fn close(&mut self, unanswered: bool) -> Vec<Item> {
        self.end(if unanswered { Verdict::Unknown } else { Verdict::RolledBack });
        mem::take(&mut self.held)
    }

    /// An item was written under this `session.seq`; `place` is its place among those given out.
    pub(crate) fn written(&mut self, place: usize, item: &Item, seq: u64) {
        let Some(block) = &mut self.block else { return };
        for (_, mark) in &mut block.savepoints {
            if *mark == Mark::Held(place) {
                *mark = Mark::Written(seq);
            }
        }
        if item.is_open() && matches!(item, Item::Statement(s) if s.transaction == Some(block.id)) {
            block.written = Some((block.written.map_or(seq, |(first, _)| first), seq));
        }
    }

    /// What was taken from the end of what is held, down to `length`; for a text that turned out to be one.
    pub(crate) fn take_back(&mut self, length: usize) {
        self.held.truncate(length);
    }

    /// How much is held.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, mut statement: Statement) {
        if let Some(block) = &self.block {
            statement.transaction = Some(block.id);
            statement.status = match (block.implicit, block.failed) {
                (true, _) => TransactionStatus::Idle,
                (false, false) => TransactionStatus::Active,
                (false, true) => TransactionStatus::Failed,
            };
        }
        self.held.push(Item::Statement(Box::new(statement)));
    }

    fn begin(&mut self, id: impl FnOnce() -> Uuid) {
        match &mut self.block {
            // BEGIN within a block only earns a warning.
            Some(block) => block.implicit = false,
            None => self.open(Block::new(id(), false)),
        }
        if let Some(Item::Statement(last)) = self.held.last_mut() {
            last.status = TransactionStatus::Active;
        }
    }

    /// What is held without a verdict is part of the block.
    fn open(&mut self, block: Block) {
        for item in &mut self.held {
            if item.is_open()
                && let Item::Statement(statement) = item
            {
                statement.transaction = Some(block.id);
            }
        }
        self.block = Some(block);
    }

    fn end(&mut self, verdict: Verdict) {
        self.judge(verdict, None);
        let Some(block) = self.block.take() else { return };
        if let Some((from, to)) = block.written {
            self.held.push(Item::Verdict(Told { transaction: block.id, verdict, from, to, savepoint: None }));
        }
        if let Some(Item::Statement(last)) = self.held.iter_mut().rfind(|item| matches!(item, Item::Statement(_))) {
            last.status = TransactionStatus::Idle;
        }
    }

    fn end_chained(&mut self, verdict: Verdict, chain: bool, id: impl FnOnce() -> Uuid) {
        self.end(verdict);
        if chain {
            self.block = Some(Block::new(id(), false));
        }
    }

    /// After an error: outside of a block everything since the last commit is undone; in one, its end will tell.
    fn fail(&mut self, opaque: bool) {
        match &mut self.block {
            Some(block) if !block.implicit => {
                block.failed = true;
                if let Some(Item::Statement(last)) = self.held.last_mut() {
                    last.status = TransactionStatus::Failed;
                }
            }
            _ => {
                // A procedure may have committed some of its work before it failed.
                if opaque {
                    self.judge_last(Verdict::Unknown);
                }
                self.end(Verdict::RolledBack);
            }
        }
    }

    fn judge(&mut self, verdict: Verdict, undone_by: Option<&Rc<Error>>) {
        for item in &mut self.held {
            if item.is_open()
                && let Item::Statement(statement) = item
            {
                statement.verdict = Some(verdict);
                statement.undone_by = undone_by.cloned();
            }
        }
    }

    fn judge_last(&mut self, verdict: Verdict) {
        if let Some(Item::Statement(last)) = self.held.last_mut() {
            last.verdict = Some(verdict);
        }
    }

    fn set_savepoint(&mut self, name: String) {
        let mark = Mark::Held(self.held.len().saturating_sub(1));
        if let Some(block) = &mut self.block
            && block.savepoints.len() < MAX_SAVEPOINTS
        {
            block.savepoints.push((name, mark));
        }
    }

    fn release(&mut self, name: &str) {
        if let Some(block) = &mut self.block
            && let Some(place) = block.savepoints.iter().rposition(|(known, _)| known == name)
        {
            block.savepoints.truncate(place);
        }
    }

    /// What came after the savepoint is undone; the savepoint stays.
    fn roll_back_to(&mut self, name: &str) {
        let Some(block) = &mut self.block else { return };
        block.failed = false;
        let Some(place) = block.savepoints.iter().rposition(|(known, _)| known == name) else { return };
        block.savepoints.truncate(place + 1);
        let Some((_, mark)) = block.savepoints.last() else { return };
        let (held_from, told) = match *mark {
            Mark::Held(place) => (place + 1, None),
            Mark::Written(seq) => {
                let to = block.written.map_or(0, |(_, last)| last);
                let told = Told {
                    transaction: block.id,
                    verdict: Verdict::RolledBack,
                    from: seq + 1,
                    to,
                    savepoint: Some(name.to_owned()),
                };
                (0, (seq < to).then_some(told))
            }
        };
        let itself = self.held.len().saturating_sub(1);
        for item in self.held.iter_mut().take(itself).skip(held_from) {
            if item.is_open()
                && let Item::Statement(statement) = item
            {
                statement.verdict = Some(Verdict::RolledBack);
            }
        }
        if let Some(Item::Statement(last)) = self.held.last_mut() {
            last.status = TransactionStatus::Active;
        }
        self.held.extend(told.map(Item::Verdict));
    }
}

impl Item {
    /// Whether its verdict is not known yet. What never ran has none.
    fn is_open(&self) -> bool {
        matches!(self, Self::Statement(s) if s.verdict.is_none() && s.end.outcome != Some(Outcome::Skipped))
    }
}

impl Block {
    fn new(id: Uuid, implicit: bool) -> Self {
        Self { id, implicit, failed: false, written: None, savepoints: Vec::new() }
    }
}
