//! Statements of PostgreSQL that end transactions on their own, outside of a transaction block.
//!
//! What refuses to run in a block (the server's `PreventInTransactionBlock`) is committed as soon as it is done, whatever
//! the pipeline brings behind it. A procedure, or a DO, may commit and roll back as it goes.

use super::{
    statement::{Statement, What},
    text::Text,
};

/// What is committed as soon as it is done: how the normalized texts begin.
const AT_ONCE: [&str; 13] = [
    "VACUUM",
    "CREATE DATABASE",
    "DROP DATABASE",
    "CREATE TABLESPACE",
    "DROP TABLESPACE",
    "ALTER SYSTEM",
    "COMMIT PREPARED",
    "ROLLBACK PREPARED",
    "DISCARD ALL",
    "CREATE INDEX CONCURRENTLY",
    "CREATE UNIQUE INDEX CONCURRENTLY",
    "DROP INDEX CONCURRENTLY",
    "REINDEX INDEX CONCURRENTLY",
];
/// What is so by its options, or by what it is about.
const PERHAPS: [&str; 7] = [
    "REINDEX",
    "CLUSTER",
    "ALTER DATABASE",
    "CREATE SUBSCRIPTION",
    "ALTER SUBSCRIPTION",
    "DROP SUBSCRIPTION",
    "ALTER TABLE",
];
/// syntax_error, active_sql_transaction: it did nothing.
const NOT_RUN: [&str; 2] = ["42601", "25001"];

/// Whether it lasts once it is done, with what came before it.
pub(super) fn commits_at_once(done: &Statement) -> bool {
    text(done).is_some_and(|text| AT_ONCE.iter().any(|verb| begins(text, verb)))
}

/// Whether it may have committed something, also where it failed or what came behind it did.
pub(super) fn may_have_committed(statement: &Statement) -> bool {
    let run = statement.end.error.as_ref().is_none_or(|error| !NOT_RUN.contains(&error.sql_state.as_str()));
    let by_itself = |text: &Text| {
        let verbs = AT_ONCE.iter().chain(&PERHAPS);
        let detaches = || says(text, "concurrently");
        verbs.filter(|verb| begins(text, verb)).any(|verb| *verb != "ALTER TABLE" || detaches())
    };
    statement.commits || run && text(statement).is_some_and(by_itself)
}

/// Whether it may have undone something and be done all the same. What a procedure does nobody here sees; the body of a DO is
/// in its text, and a function cannot roll back.
pub(super) fn may_have_rolled_back(statement: &Statement) -> bool {
    let undoes = |text: &Text| {
        let is_whole = text.verb() == "DO" && text.cut.is_none() && text.secrets().is_none();
        !is_whole || ["rollback", "call", "execute"].iter().any(|word| says(text, word))
    };
    statement.commits && text(statement).is_none_or(undoes)
}

fn text(statement: &Statement) -> Option<&Text> {
    match &statement.what {
        What::Sql(text) if !statement.split_uncertain => Some(text),
        _ => None,
    }
}

fn begins(text: &Text, verb: &str) -> bool {
    let Some((head, behind)) = text.normalized().split_at_checked(verb.len()) else { return false };
    let goes_on = behind.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    head.eq_ignore_ascii_case(verb.as_bytes()) && !goes_on
}

/// Whether a word is anywhere in a text, also in a literal or a comment of it.
fn says(text: &Text, word: &str) -> bool {
    text.raw.windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}
