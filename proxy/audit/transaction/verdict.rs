//! Ends of transactions, and what of them nobody can say.

use std::rc::Rc;

use panoptes_event::{Outcome, Uuid, Verdict};
use panoptes_parser::{sql::Category, wire::TransactionStatus};

use super::{
    super::{
        alone,
        block::Block,
        implicit::{may_have_committed, may_have_rolled_back},
        item::{Item, Told},
        statement::{Error, Statement},
    },
    PERHAPS_ALL, Transactions,
};

impl Transactions {
    pub(super) fn end(&mut self, verdict: Verdict, undone_by: Option<Rc<Error>>) {
        let block = self.block.take();
        let doubtful = self.doubtful(block.as_ref(), verdict);
        let block_doubts = block.as_ref().is_some_and(|block| block.doubts(verdict));
        let told_verdict = if doubtful > 0 || block_doubts { Verdict::Unknown } else { verdict };
        // A procedure that was written before leaves no doubt about what came after it.
        let all = block
            .as_ref()
            .is_some_and(|block| verdict == Verdict::Committed && !block.implicit || block.perhaps_committed);
        let held_verdict = if all && block_doubts { Verdict::Unknown } else { verdict };
        for (place, item) in self.held.iter_mut().enumerate() {
            if let Item::Statement(statement) = item
                && statement.is_open()
            {
                statement.verdict = Some(if place < doubtful { Verdict::Unknown } else { held_verdict });
                statement.undone_by.clone_from(&undone_by);
            }
        }
        let Some(block) = block else { return };
        self.mark_last(TransactionStatus::Idle);
        if let Some((from, to)) = block.written {
            let told = Told {
                transaction: block.id,
                verdict: told_verdict,
                from,
                to,
                savepoint: None,
                undone_by,
                unix_micros: self.last().map(|last| last.answered()),
            };
            self.held.push(Item::Verdict(Box::new(told)));
        }
    }

    /// A transaction goes on of which nobody can say that it is still the same: what came before has no verdict.
    pub(super) fn part(&mut self) {
        for item in &mut self.held {
            if let Item::Statement(statement) = item
                && statement.is_open()
            {
                statement.verdict = Some(Verdict::Unknown);
            }
        }
        let unix_micros = self.last().map(|last| last.answered());
        let Some(block) = &mut self.block else { return };
        if let Some((from, to)) = block.part() {
            let (transaction, verdict) = (block.id, Verdict::Unknown);
            let told = Told { transaction, verdict, from, to, savepoint: None, undone_by: None, unix_micros };
            self.held.push(Item::Verdict(Box::new(told)));
        }
    }

    /// A procedure, or a block, may have rolled back its own work; the status is the same (MySQL).
    pub(super) fn doubt_what_undoes_itself(&mut self) {
        let last = if self.each_alone { self.last() } else { None };
        if let Some(last) = last.filter(|last| last.is_open() && may_have_rolled_back(last)) {
            last.verdict = Some(Verdict::Unknown);
        }
    }

    /// How many of the held items may have another verdict than their transaction: outside of a block, a procedure commits
    /// what came before it, or rolls it back.
    pub(super) fn doubtful(&self, block: Option<&Block>, verdict: Verdict) -> usize {
        if block.is_some_and(|block| !block.implicit) {
            return 0;
        }
        let doubts = |statement: &Statement| match verdict {
            Verdict::RolledBack if self.each_alone => statement.commits,
            Verdict::RolledBack => alone::may_have_committed(statement),
            Verdict::Committed => !self.each_alone && alone::may_have_rolled_back(statement),
            Verdict::Unknown => false,
        };
        let doubted = |item: &Item| matches!(item, Item::Statement(statement) if doubts(statement));
        self.held.iter().rposition(|item| item.is_open() && doubted(item)).map_or(0, |place| place + 1)
    }

    pub(super) fn end_chained(&mut self, verdict: Verdict, chain: bool, id: impl FnOnce() -> Uuid) {
        self.end(verdict, None);
        if chain {
            self.block = Some(Block::new(id(), false));
            self.mark_last(TransactionStatus::Active);
        }
    }

    /// A block is over without a COMMIT or a ROLLBACK: the last statement has committed it, as DDL does even where it
    /// fails; or the server rolled it back for the sake of its error, as for a deadlock.
    pub(super) fn ended_by_last(&mut self) -> Verdict {
        let perhaps_over = self.block.as_ref().is_some_and(|block| block.perhaps_over);
        let Some(last) = self.last() else { return Verdict::Unknown };
        let operation = last.what.operation();
        let by_what_it_runs = last.commits || operation.executes;
        if perhaps_over {
            // It was: what only reads and writes ends no block.
            let ends_none = operation.category == Category::Dml && !by_what_it_runs;
            return if ends_none { Verdict::RolledBack } else { Verdict::Unknown };
        }
        if last.split_uncertain || by_what_it_runs || last.end.outcome == Some(Outcome::Lost) {
            Verdict::Unknown
        } else if last.end.is_success() || matches!(operation.category, Category::Ddl | Category::Dcl) {
            Verdict::Committed
        } else {
            Verdict::RolledBack
        }
    }

    /// After an error: outside of a block everything since the last commit is undone; in one, its end will tell.
    pub(super) fn fail(&mut self) {
        match &mut self.block {
            _ if self.each_alone => self.fail_alone(),
            Some(block) if !block.implicit => {
                block.failed = true;
                self.mark_last(TransactionStatus::Failed);
            }
            _ => self.end(Verdict::RolledBack, None),
        }
    }

    /// The statement's own work is undone, less what a procedure committed, or what ran before it in a text that could not
    /// be split; perhaps all of the block with it.
    pub(super) fn fail_alone(&mut self) {
        let Some(last) = self.last() else { return };
        let in_part = last.commits || last.split_uncertain;
        let verdict = if in_part { Verdict::Unknown } else { Verdict::RolledBack };
        let committed = may_have_committed(last);
        let over = last.end.error.as_ref().is_some_and(|error| PERHAPS_ALL.contains(&error.code));
        last.verdict = Some(verdict);
        if let Some(block) = &mut self.block {
            block.perhaps_over |= over;
            block.perhaps_committed |= committed;
        }
    }
}
