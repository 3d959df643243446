//! What a statement does to its session: prepared statements, savepoints, the ends of transactions.
//! Decided on the first tokens alone, so it may run for every statement.

mod explain;
mod lasting;
mod read;
mod setting;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use super::Dialect;
use super::constant::Constant;
use super::cursor::Cursor;
pub(super) use explain::explain_options;
pub(super) use read::read;
pub use setting::Reading;

/// A change of the session's state that later statements depend on. Names are as the server keeps them: unquoted ones
/// in lower case, quoted ones exact, cut at 63 bytes (PostgreSQL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Nothing of the kind; nearly every statement.
    None,
    /// `PREPARE name [(types)] AS body`; MySQL's `PREPARE name FROM 'body'`, whose range is the literal or variable itself.
    Prepare {
        /// The name of the statement.
        name: Cow<'a, str>,
        /// Where its text is, in bytes.
        body: Range<usize>,
    },
    /// `EXECUTE name`, or what runs it as well in PostgreSQL: `EXPLAIN ANALYZE EXECUTE name`, `CREATE TABLE … AS EXECUTE name`.
    Execute(Cow<'a, str>),
    /// `EXPLAIN EXECUTE name`, which runs nothing: but its arguments are those of what it explains.
    Explain(Cow<'a, str>),
    /// MySQL's `EXECUTE IMMEDIATE 'body'`: prepared, run and forgotten. None where the text does not tell the body.
    ExecuteImmediate {
        /// Where the literal is, or the expression of several, in bytes.
        body: Range<usize>,
    },
    /// `DEALLOCATE [PREPARE] name`, MySQL's `DROP PREPARE name`.
    Deallocate(Cow<'a, str>),
    /// `DEALLOCATE [PREPARE] ALL`.
    DeallocateAll,
    /// `DISCARD ALL`: prepared statements, cursors, settings, everything of the session goes.
    DiscardAll,
    /// `DECLARE name … CURSOR`: in PostgreSQL the cursor is a portal of this name, which the protocol can execute too. MySQL's
    /// `HANDLER table OPEN AS name`.
    Declare {
        /// The name of the cursor.
        name: Cow<'a, str>,
        /// `WITH HOLD`: it outlives its transaction.
        hold: bool,
    },
    /// `FETCH … name`, `MOVE … name`, `HANDLER name READ …`.
    Fetch(Cow<'a, str>),
    /// `CLOSE name`, `HANDLER name CLOSE`.
    Close(Cow<'a, str>),
    /// `CLOSE ALL`.
    CloseAll,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`; with `chain` the next transaction begins at once.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`, of the whole transaction.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `PREPARE TRANSACTION`: the transaction leaves the session, neither committed nor rolled back.
    PrepareTransaction,
    /// `SAVEPOINT name`.
    Savepoint(Cow<'a, str>),
    /// `RELEASE [SAVEPOINT] name`.
    Release(Cow<'a, str>),
    /// `ROLLBACK [WORK] TO [SAVEPOINT] name`.
    RollbackTo(Cow<'a, str>),
    /// What PostgreSQL runs outside of any transaction alone, and commits at once, whatever comes behind it in the pipeline:
    /// CREATE DATABASE, VACUUM, `CREATE INDEX CONCURRENTLY`, `COMMIT PREPARED`, … (PreventInTransactionBlock).
    CommitsItself,
    /// The same, if its options or what it is about ask for it, which its text alone does not tell.
    MayCommitItself,
    /// MySQL's SET of what decides how the texts behind it are read.
    Set {
        /// Whether `"…"` is an identifier now, where that was set.
        ansi_quotes: Option<bool>,
        /// Whether a backslash in a string is an ordinary character now, where that was set.
        no_backslash_escapes: Option<bool>,
        /// MySQL's name of the character set that the client writes in, where that was set; empty where the text does not
        /// tell which.
        charset: Option<Cow<'a, str>>,
        /// The text does not tell all of what sql_mode is now: it comes of a variable, or of a parameter.
        unknown: bool,
    },
    /// PostgreSQL's change of how the texts behind it are read.
    Read(Reading<'a>),
    /// MySQL's `USE name`: the schema of names without one.
    Use(Cow<'a, str>),
    /// MySQL's `KILL`: another session, or its statement, is to end.
    Kill {
        /// Its number, where the text tells it.
        session: Option<u32>,
    },
}

impl Effect<'_> {
    /// The same, with names of its own.
    #[must_use]
    pub fn into_owned(self) -> Effect<'static> {
        let own = |name: Cow<'_, str>| Cow::Owned(name.into_owned());
        match self {
            Effect::None => Effect::None,
            Effect::Prepare { name, body } => Effect::Prepare { name: own(name), body },
            Effect::Execute(name) => Effect::Execute(own(name)),
            Effect::Explain(name) => Effect::Explain(own(name)),
            Effect::ExecuteImmediate { body } => Effect::ExecuteImmediate { body },
            Effect::Deallocate(name) => Effect::Deallocate(own(name)),
            Effect::DeallocateAll => Effect::DeallocateAll,
            Effect::DiscardAll => Effect::DiscardAll,
            Effect::Declare { name, hold } => Effect::Declare { name: own(name), hold },
            Effect::Fetch(name) => Effect::Fetch(own(name)),
            Effect::Close(name) => Effect::Close(own(name)),
            Effect::CloseAll => Effect::CloseAll,
            Effect::Begin => Effect::Begin,
            Effect::Commit { chain } => Effect::Commit { chain },
            Effect::Rollback { chain } => Effect::Rollback { chain },
            Effect::PrepareTransaction => Effect::PrepareTransaction,
            Effect::CommitsItself => Effect::CommitsItself,
            Effect::MayCommitItself => Effect::MayCommitItself,
            Effect::Savepoint(name) => Effect::Savepoint(own(name)),
            Effect::Release(name) => Effect::Release(own(name)),
            Effect::RollbackTo(name) => Effect::RollbackTo(own(name)),
            Effect::Set { ansi_quotes, no_backslash_escapes, charset, unknown } => {
                Effect::Set { ansi_quotes, no_backslash_escapes, charset: charset.map(own), unknown }
            }
            Effect::Use(name) => Effect::Use(own(name)),
            Effect::Kill { session } => Effect::Kill { session },
            Effect::Read(reading) => Effect::Read(reading.into_owned()),
        }
    }
}

/// The effect of one statement (see [`split`](super::split())).
pub fn effect(text: &str, dialect: Dialect) -> Effect<'_> {
    if !may_have_effect(text, dialect) {
        return Effect::None;
    }
    let mut cursor = Cursor::new(text, dialect);
    let first = cursor.word();
    cursor.take();
    read(first, &mut cursor).unwrap_or(Effect::None)
}

/// The statement that the `body` of a PREPARE or EXECUTE IMMEDIATE prepares; none where the text does not tell (a variable).
pub fn prepared(body: &str, dialect: Dialect) -> Option<Cow<'_, str>> {
    if dialect.is_postgres() {
        Some(Cow::Borrowed(body))
    } else {
        let body = Constant::read(Cursor::new(body, dialect));
        body.is_known().then_some(Cow::Owned(body.text))
    }
}

/// The first letter tells most statements apart; a comment or a bracket before the verb costs a closer look.
fn may_have_effect(text: &str, dialect: Dialect) -> bool {
    let first = text.bytes().find(|byte| !byte.is_ascii_whitespace());
    match first.map(|byte| byte | 0x20) {
        None | Some(b'i' | b'w' | b'l') => false,
        // UPDATE, or MySQL's USE.
        Some(b'u') => !dialect.is_postgres(),
        // VALUES, or PostgreSQL's VACUUM.
        Some(b'v') => dialect.is_postgres(),
        _ if !text.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("select")) => true,
        _ => dialect.is_postgres() && setting::calls_set_config(text),
    }
}
