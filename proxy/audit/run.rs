//! Prepared statements that the server numbers: their runs, values that are sent ahead of one, and rows that are fetched
//! after it. One run is one statement, whatever it takes to send its values and to fetch its rows.

use std::rc::Rc;

use panoptes_parser::wire::{Answer, Failure, Settled};

use super::{
    Tools,
    ahead::{Ahead, SentAhead},
    names::{Prepared, numbered},
    operation::Operated,
    session::Session,
    statement::{End, Statement, What},
    values::{self, Sent},
};

/// Runs with rows to be fetched that a session may have; of more of them, or of those beyond
/// `limits.max_prepared_bytes`, only what came at once is told.
const MAX_OPEN: usize = 1_000;
/// ER_MALFORMED_PACKET.
const MALFORMED_PACKET: u16 = 1835;
/// ER_WRONG_ARGUMENTS.
const WRONG_ARGUMENTS: u16 = 1210;

/// What a session has under way of such statements.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(super) sent_ahead: SentAhead,
    /// Runs whose rows are not all fetched.
    open: Vec<Statement>,
    open_bytes: usize,
}

impl Runs {
    fn take_open(&mut self, statement: [u8; 5]) -> Option<Statement> {
        let place = self.open.iter().position(|open| open.is_of(&statement))?;
        let statement = self.open.swap_remove(place);
        self.open_bytes = self.open_bytes.saturating_sub(size(&statement));
        Some(statement)
    }

    /// Takes a run; gives it back where there is no room for it.
    fn add_open(&mut self, statement: Statement, most: usize) -> Option<Statement> {
        let bytes = self.open_bytes.saturating_add(size(&statement));
        if self.open.len() >= MAX_OPEN || bytes > most {
            return Some(statement);
        }
        self.open_bytes = bytes;
        self.open.push(statement);
        None
    }
}

/// What a run takes in memory.
fn size(statement: &Statement) -> usize {
    size_of::<Statement>() + statement.size()
}

/// A run, as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) statement: &'a [u8],
    /// With the first answer only.
    pub(super) parameters: Option<&'a [u8]>,
    pub(super) length: u64,
    pub(super) bulk: bool,
    pub(super) named: bool,
}

impl Run<'_> {
    /// The command that it is.
    pub(super) fn command(&self) -> &'static str {
        if self.bulk { "COM_STMT_BULK_EXECUTE" } else { "COM_STMT_EXECUTE" }
    }
}

impl Session {
    /// An answer to a run.
    pub(super) fn run(&mut self, run: Run<'_>, settled: Settled<&[u8]>, tools: &mut Tools) {
        let Some(body) = run.parameters else { return self.go_on(&settled, tools) };
        let key = numbered(run.statement);
        let overflowed = self.runs.as_ref().is_some_and(|runs| runs.sent_ahead.overflowed);
        let refused = if let Answer::Failed(Failure { code, .. }) = settled.answer { code } else { 0 };
        let ahead = match &self.runs {
            None => Vec::new(),
            // It was refused before anything of it was looked at: what was sent ahead is still there.
            Some(runs) if refused == MALFORMED_PACKET => runs.sent_ahead.of(key),
            Some(_) => self.begin_again(key, tools),
        };
        let known = self.names.statement(&key).cloned();
        let prepared = known.unwrap_or_else(|| Rc::new(Prepared::unknown(&key)));
        let (Run { length, bulk, named, .. }, most) = (run, self.limits.ahead);
        let sent = Sent { body, length, bulk, named, ahead: &ahead, overflowed, most };
        let read = values::read(&sent, &prepared, (&self.encoding, self.dialect), &mut tools.encoded);
        // Of one whose values could not be read the types are not kept.
        if let Some(types) = read.types.filter(|_| ![MALFORMED_PACKET, WRONG_ARGUMENTS].contains(&refused)) {
            self.names.describe(&key, types);
        }
        let what = match &prepared.text {
            Some(text) => What::Sql(Rc::clone(text)),
            None => What::Command(Operated::command(run.command(), None)),
        };
        let Some(mut statement) = self.statement(what, settled, tools) else { return };
        if !tools.encoded.is_empty() {
            statement.parameters = tools.encoded.as_slice().into();
        }
        (statement.secrets, statement.parameters_truncated) = (read.secrets, read.truncated);
        if let Some(aside) = read.aside {
            statement.aside().request = aside.request;
        }
        let unknown = prepared.text.is_none();
        statement.prepared = Some(prepared);
        match settled.answer {
            Answer::Suspended { .. } => self.open(statement, &settled, tools),
            Answer::Returned { .. } if unknown || self.may_go_on(&statement) => {
                self.running = Some(Box::new(statement));
            }
            _ => self.hold(statement, &settled.answer, tools),
        }
    }

    /// The first rows of a run, of which more are to be fetched.
    fn open(&mut self, statement: Statement, settled: &Settled<&[u8]>, tools: &mut Tools) {
        let most = self.limits.bytes;
        if let Some(statement) = self.runs.get_or_insert_default().add_open(statement, most) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// A statement is run anew: what was fetched of its last run is all, and what was sent ahead is used up.
    fn begin_again(&mut self, statement: [u8; 5], tools: &mut Tools) -> Vec<Ahead> {
        self.close_run(statement, tools);
        self.runs.as_mut().map_or_else(Vec::new, |runs| runs.sent_ahead.take(statement))
    }

    /// What was fetched of a run is all that will be.
    fn close_run(&mut self, statement: [u8; 5], tools: &mut Tools) {
        if let Some(open) = self.runs.as_mut().and_then(|runs| runs.take_open(statement)) {
            self.hold(open, &Answer::Empty, tools);
        }
    }

    /// So with all runs: the server forgets them.
    pub(super) fn close_runs(&mut self, tools: &mut Tools) {
        for open in self.runs.take().map_or_else(Vec::new, |runs| runs.open) {
            self.hold(open, &Answer::Empty, tools);
        }
    }

    /// A value, or a part of one, that is sent ahead. It is never answered.
    pub(super) fn append(&mut self, statement: &[u8], parameter: u16, data: &[u8], length: u64) {
        let sent_ahead = &mut self.runs.get_or_insert_default().sent_ahead;
        sent_ahead.add(numbered(statement), parameter, data, length, self.limits.ahead);
    }

    /// Rows of a run that were fetched later.
    pub(super) fn fetch(&mut self, statement: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        let open = self.runs.as_mut().and_then(|runs| runs.take_open(numbered(statement)));
        let Some(mut open) = open else {
            let what = What::Command(Operated::command("COM_STMT_FETCH", None));
            return self.settle_one(what, settled, tools);
        };
        self.add(&mut open, &settled, tools);
        match settled.answer {
            Answer::Suspended { .. } => self.open(open, &settled, tools),
            _ => self.hold(open, &settled.answer, tools),
        }
    }

    /// A run ends before its rows do, and what was sent ahead is forgotten.
    pub(super) fn reset_run(&mut self, statement: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        match settled.answer {
            Answer::Skipped | Answer::Lost => {}
            Answer::Failed(_) => {
                let what = What::Command(Operated::command("COM_STMT_RESET", None));
                self.settle_one(what, settled, tools);
            }
            _ => drop(self.begin_again(numbered(statement), tools)),
        }
    }

    /// A statement that the server numbered is forgotten.
    pub(super) fn close_numbered(&mut self, statement: &[u8], tools: &mut Tools) {
        let key = numbered(statement);
        if self.runs.is_some() {
            drop(self.begin_again(key, tools));
        }
        self.names.deallocate(&key);
    }

    /// Whether more results may belong to a statement that has returned rows: those of a procedure or of a block.
    pub(super) fn may_go_on(&self, statement: &Statement) -> bool {
        let What::Sql(text) = &statement.what else { return false };
        statement.commits
            || text.executes().is_some_and(|name| {
                let known = self.names.statement(name.as_bytes()).and_then(|known| known.text.as_ref());
                known.is_some_and(|body| body.form.operation.commits)
            })
    }

    /// One more result of a statement that goes on. MySQL's last has no rows; a command of PostgreSQL's replication ends when
    /// the server is ready.
    pub(super) fn go_on(&mut self, settled: &Settled<&[u8]>, tools: &mut Tools) {
        let Some(mut running) = self.running.take() else { return };
        self.add(&mut running, settled, tools);
        match settled.answer {
            Answer::Returned { .. } | Answer::Complete { .. } => self.running = Some(running),
            _ => self.hold(*running, &settled.answer, tools),
        }
    }

    /// The server is ready: what went on has ended.
    pub(super) fn finish_running(&mut self, tools: &mut Tools) {
        if let Some(running) = self.running.take() {
            self.hold(*running, &Answer::Empty, tools);
        }
    }

    fn add(&mut self, statement: &mut Statement, settled: &Settled<&[u8]>, tools: &Tools) {
        let text = |bytes: &[u8]| self.encoding.decode(bytes).into_owned();
        if let Some(end) = End::of(&settled.answer, settled.warnings, text) {
            let end = end.behind(self.broke_off.take());
            statement.end.add(end, matches!(settled.answer, Answer::Affected { .. }));
        }
        let answered = tools.anchor.unix_micros(settled.answered);
        let duration = u64::try_from(answered.saturating_sub(statement.unix_micros)).unwrap_or(0);
        statement.duration_micros = duration.max(statement.duration_micros);
    }
}
