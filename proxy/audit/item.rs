//! What a session holds to be written.

use std::rc::Rc;

use panoptes_event::{Uuid, Verdict};

use super::statement::{End, Error, Statement};

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Item {
    /// A statement.
    Statement(Statement),
    /// What became of statements that were written before.
    Verdict(Box<Told>),
    /// The schema of what comes; empty for none.
    Schema(String),
}

/// What became of the statements from one `session.seq` to another.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) transaction: Uuid,
    pub(crate) verdict: Verdict,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) savepoint: Option<String>,
    /// The error that undid them: when they were to be committed, or with all of their transaction.
    pub(crate) undone_by: Option<Rc<Error>>,
    /// When it was decided, in microseconds since 1970: by the answer to the statement that did.
    pub(crate) unix_micros: Option<i64>,
}

/// What is held no longer, as one event will stand for all of it.
#[derive(Debug, Default)]
pub(crate) struct TakenBack {
    /// Of how many intents it was the outcome.
    pub(crate) intents: u32,
    /// How it ended, all together.
    pub(crate) end: End,
}

impl TakenBack {
    /// Takes one more.
    pub(super) fn add(&mut self, statement: &Statement) {
        self.intents += statement.intents();
        self.end.add(statement.end.clone(), false);
    }
}

impl Item {
    /// Whether it is a statement that waits for its verdict.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Statement(statement) if statement.is_open())
    }
}
