//! Transactions of a session: what was written in them, and whether it lasted.
//!
//! That a statement completed does not say that it lasts: a later error of the same pipeline, a ROLLBACK or a lost link
//! undoes it. So statements are held until the server is ready again; most then know their verdict. In a transaction
//! block they are written without it, and a `verdict` event tells it when the block ends.

mod verdict;

use std::{mem, rc::Rc};

use panoptes_config::Protocol;
use panoptes_event::{Outcome, Uuid, Verdict};
use panoptes_parser::{sql::Effect, wire::TransactionStatus};

use super::{
    alone,
    block::{Block, Mark},
    implicit::may_have_ended,
    item::{Item, TakenBack, Told},
    lost::{awaits_commit, is_harmless},
    statement::{Error, Statement},
};

/// So many statements wait for a verdict; more of them are written without it, as in a transaction block.
pub(crate) const MAX_HELD: usize = 1_000;
/// So many bytes of texts and parameters, likewise.
const MAX_HELD_BYTES: usize = 2 << 20;

/// Errors that may roll back all of the transaction, as the next status tells: ER_LOCK_WAIT_TIMEOUT with
/// `innodb_rollback_on_timeout`, ER_CHECKREAD with MariaDB's `innodb_snapshot_isolation`, ER_LOCK_TABLE_FULL.
const PERHAPS_ALL: [u16; 3] = [1205, 1020, 1206];

/// What is held, and the block it stands in.
#[derive(Debug)]
pub(crate) struct Transactions {
    held: Vec<Item>,
    /// Texts and parameters of what was held since it was last given out.
    held_bytes: usize,
    /// How much was held when the text at hand began.
    text_from: usize,
    block: Option<Block>,
    /// The error that came with the commit.
    commit_failed: Option<Rc<Error>>,
    /// What was asked and not answered may have committed what came before it.
    perhaps_committed: bool,
    /// An error undoes its own statement alone, and statements may commit what came before them (MySQL).
    each_alone: bool,
}

impl Transactions {
    /// Outside of any.
    pub(crate) fn of(protocol: Protocol) -> Self {
        let each_alone = protocol == Protocol::Mysql;
        Self {
            held: Vec::new(),
            held_bytes: 0,
            text_from: 0,
            block: None,
            commit_failed: None,
            perhaps_committed: false,
            each_alone,
        }
    }

    /// Whether more is held than should be.
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() >= MAX_HELD || self.held_bytes >= MAX_HELD_BYTES
    }

    /// How much is held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// What is settled from here on is of another text.
    pub(crate) fn begin_text(&mut self) {
        self.text_from = self.held.len();
    }

    /// A statement was settled; `rolled_back` if the server's tag says that a transaction was. `id` makes the id of a
    /// transaction that it begins.
    pub(crate) fn settle(&mut self, statement: Statement, rolled_back: bool, id: impl FnOnce() -> Uuid) {
        let effect = statement.effect();
        let outcome = statement.end.outcome;
        let success = statement.end.is_success();
        // PostgreSQL's waits for its commit like any other.
        let lost = outcome == Some(Outcome::Lost) && (self.each_alone || !awaits_commit(&statement));
        let uncertain = statement.split_uncertain || lost;
        self.perhaps_committed |= lost && !self.each_alone && !is_harmless(&statement);
        // The only warnings of a ROLLBACK are that not all was: rows of tables without transactions stay (1196).
        let in_part = self.each_alone && statement.end.warnings > 0;
        let undone = if in_part { Verdict::Unknown } else { Verdict::RolledBack };
        if self.each_alone && success && effect == Effect::Begin && self.block.is_some() {
            // It commits what came before it.
            self.end(Verdict::Committed, None);
        }
        self.hold(statement);
        if uncertain {
            self.judge_last(Verdict::Unknown);
        }
        match effect {
            _ if matches!(outcome, Some(Outcome::Lost | Outcome::Skipped)) => {}
            _ if !success => self.fail(),
            Effect::Begin => self.begin(id),
            Effect::Savepoint(name) => self.set_savepoint(&name),
            Effect::Release(name) => self.release(&name),
            Effect::RollbackTo(name) => self.roll_back_to(&name, undone),
            Effect::CommitsItself | Effect::DiscardAll if !self.each_alone && !self.is_in_block() => {
                self.end(Verdict::Committed, None);
            }
            // Where there is no block it ends what was begun by itself, and the tag is that of nothing prepared.
            Effect::PrepareTransaction if rolled_back && !self.is_in_block() => {
                self.end(Verdict::Committed, None);
            }
            // COMMIT of a failed transaction rolls it back, as does PREPARE TRANSACTION, and the tag says so.
            Effect::Commit { chain: false } | Effect::PrepareTransaction if rolled_back => {
                self.end(Verdict::RolledBack, None);
            }
            Effect::PrepareTransaction => self.end(Verdict::Unknown, None),
            Effect::Commit { chain } if !rolled_back => self.end_chained(Verdict::Committed, chain, id),
            Effect::Commit { chain } | Effect::Rollback { chain } => self.end_chained(undone, chain, id),
            _ => {}
        }
    }

    /// What had completed was undone when it was to be committed.
    pub(crate) fn fail_commit(&mut self, error: Rc<Error>) {
        self.commit_failed = Some(error);
    }

    /// The server is ready: what is held can be written. `id` makes the id of a transaction that was begun unseen.
    pub(crate) fn ready(&mut self, status: TransactionStatus, id: impl FnOnce() -> Uuid) {
        let undone_by = self.commit_failed.take();
        self.perhaps_committed = false;
        // An error tells no status.
        let answered = self.last().is_some_and(|last| last.end.is_success());
        let verdict = if undone_by.is_some() { Verdict::RolledBack } else { Verdict::Committed };
        match (status, &mut self.block) {
            (TransactionStatus::Idle, Some(block)) if !block.implicit && self.each_alone => {
                let verdict = self.ended_by_last();
                let last = self.last().filter(|_| verdict == Verdict::RolledBack);
                let undone_by = last.and_then(|last| last.end.error.clone());
                self.end(verdict, undone_by);
            }
            (TransactionStatus::Idle, Some(block)) if !block.implicit => {
                // What ended it was not seen (a statement that was left out), or was a COMMIT that failed.
                let verdict = if block.failed { Verdict::RolledBack } else { Verdict::Unknown };
                self.end(verdict, None);
            }
            (TransactionStatus::Idle, _) => {
                self.doubt_what_undoes_itself();
                self.end(verdict, undone_by);
            }
            (_, Some(block)) => {
                block.implicit = false;
                block.perhaps_over &= !answered;
                block.failed = status == TransactionStatus::Failed;
            }
            (_, None) => self.open(Block::new(id(), false)),
        }
        self.mark_last(status);
        let each_alone = self.each_alone;
        if status != TransactionStatus::Idle
            && self.last().is_some_and(|last| each_alone && may_have_ended(last))
        {
            self.part();
        }
    }

    /// What is held is to be written, without a verdict where none is known.
    pub(crate) fn spill(&mut self, id: impl FnOnce() -> Uuid) {
        self.doubt_what_undoes_itself();
        if self.block.is_none() && self.held.iter().any(Item::is_open) {
            self.open(Block::new(id(), true));
        }
    }

    /// The session is over; `unanswered` if a commit may have been under way.
    pub(crate) fn close(&mut self, unanswered: bool) {
        let unknown = mem::take(&mut self.perhaps_committed) || unanswered;
        self.end(if unknown { Verdict::Unknown } else { Verdict::RolledBack }, None);
    }

    /// Gives out what is held, to be written.
    pub(crate) fn take(&mut self) -> Vec<Item> {
        self.held_bytes = 0;
        self.text_from = 0;
        mem::take(&mut self.held)
    }

    /// An item was written under this `session.seq`; `place` is its place among those given out.
    pub(crate) fn written(&mut self, place: usize, item: &Item, seq: u64) {
        let Some(block) = &mut self.block else { return };
        block.settle_marks(place, seq);
        if let Item::Statement(statement) = item
            && statement.is_open()
            && statement.transaction == Some(block.id)
        {
            let alone = !self.each_alone;
            let commits = if alone { alone::may_have_committed(statement) } else { statement.commits };
            block.wrote(seq, commits, alone && alone::may_have_rolled_back(statement));
        }
    }

    /// Where nothing is held, what comes is held in the memory of `spare`: an idle session has none of its own.
    pub(crate) fn borrow(&mut self, spare: &mut Vec<Item>) {
        if self.held.capacity() == 0 {
            self.held = mem::take(spare);
        }
    }

    /// What is settled from here on is in this schema; empty for none.
    pub(crate) fn choose(&mut self, schema: String) {
        self.held.push(Item::Schema(schema));
    }

    /// The schema that was chosen last, if what is held tells.
    pub(crate) fn chosen(&self) -> Option<&str> {
        self.held.iter().rev().find_map(|item| match item {
            Item::Schema(schema) => Some(schema.as_str()),
            _ => None,
        })
    }

    /// What is held of the text at hand is so no longer: one event will stand for all of it.
    pub(crate) fn take_back(&mut self) -> TakenBack {
        let (mut taken, mut schema, mut verdicts) = (TakenBack::default(), None, Vec::new());
        let from = self.text_from.min(self.held.len());
        for item in self.held.drain(from..) {
            match item {
                Item::Statement(statement) => {
                    self.held_bytes = self.held_bytes.saturating_sub(statement.size());
                    taken.add(&statement);
                }
                Item::Schema(_) => schema = Some(item),
                // Of what was written before; what ended its transaction, and how, is uncertain now.
                Item::Verdict(mut told) => {
                    (told.verdict, told.undone_by) = (Verdict::Unknown, None);
                    verdicts.push(Item::Verdict(told));
                }
            }
        }
        self.held.extend(verdicts.into_iter().chain(schema));
        taken
    }

    /// A statement that is held.
    pub(crate) fn find(&mut self, event: Uuid) -> Option<&mut Statement> {
        self.held.iter_mut().rev().find_map(|item| match item {
            Item::Statement(statement) if statement.id == event => Some(statement),
            _ => None,
        })
    }

    fn hold(&mut self, mut statement: Statement) {
        if let Some(block) = &self.block {
            // What never ran is no part of it: its verdict is not for that.
            statement.transaction = statement.may_last().then_some(block.id);
            statement.status = block.status();
        }
        self.held_bytes += statement.size();
        self.held.push(Item::Statement(statement));
    }

    fn begin(&mut self, id: impl FnOnce() -> Uuid) {
        match &mut self.block {
            // BEGIN within a block only earns a warning.
            Some(block) => block.implicit = false,
            None => self.open(Block::new(id(), false)),
        }
        self.mark_last(TransactionStatus::Active);
    }

    /// What is held without a verdict is part of the block.
    fn open(&mut self, block: Block) {
        for item in &mut self.held {
            if let Item::Statement(statement) = item
                && statement.is_open()
            {
                statement.transaction = Some(block.id);
            }
        }
        self.block = Some(block);
    }

    /// Whether there is a transaction that was begun, and is to be ended.
    fn is_in_block(&self) -> bool {
        self.block.as_ref().is_some_and(|block| !block.implicit)
    }

    fn set_savepoint(&mut self, name: &str) {
        let place = self.held.len().saturating_sub(1);
        let is_followed = self.is_followed(name);
        match &mut self.block {
            Some(block) if is_followed => block.set_savepoint(name.to_owned(), place),
            Some(block) => block.lose_savepoints(),
            None => {}
        }
    }

    /// By MySQL's collation of names `À` is `a`.
    fn is_followed(&self, name: &str) -> bool {
        !self.each_alone || name.is_ascii()
    }

    fn release(&mut self, name: &str) {
        if let Some(block) = &mut self.block {
            block.release(name);
        }
    }

    fn roll_back_to(&mut self, name: &str, undone: Verdict) {
        let is_followed = self.is_followed(name);
        let Some(block) = &mut self.block else { return };
        if !is_followed {
            block.lose_savepoints();
        }
        let mark = block.roll_back_to(name);
        let (transaction, written) = (block.id, block.written);
        self.mark_last(TransactionStatus::Active);
        let held_from = match mark {
            None => return,
            Some(Mark::Held(place)) => place + 1,
            Some(Mark::Written(_)) => 0,
        };
        let itself = self.held.len().saturating_sub(1);
        for item in self.held.iter_mut().take(itself).skip(held_from) {
            if let Item::Statement(statement) = item
                && statement.is_open()
            {
                statement.verdict = Some(undone);
            }
        }
        if let (Some(Mark::Written(seq)), Some((first, to))) = (mark, written)
            && seq < to
        {
            let (from, verdict, savepoint) = (first.max(seq + 1), undone, Some(name.to_owned()));
            let unix_micros = self.last().map(|last| last.answered());
            let told = Told { transaction, verdict, from, to, savepoint, undone_by: None, unix_micros };
            self.held.push(Item::Verdict(Box::new(told)));
        }
    }

    fn judge_last(&mut self, verdict: Verdict) {
        if let Some(last) = self.last().filter(|last| last.may_last()) {
            last.verdict = Some(verdict);
        }
    }

    fn mark_last(&mut self, status: TransactionStatus) {
        if let Some(last) = self.last() {
            last.status = status;
        }
    }

    fn last(&mut self) -> Option<&mut Statement> {
        self.held.iter_mut().rev().find_map(|item| match item {
            Item::Statement(statement) => Some(statement),
            Item::Verdict(_) | Item::Schema(_) => None,
        })
    }
}
