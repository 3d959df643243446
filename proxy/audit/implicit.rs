//! Statements of MySQL that commit what came before them, and do so before they fail; and those that may roll back their own work.
//! <https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html>

use std::rc::Rc;

use panoptes_parser::sql::{Category, Effect};

use super::{
    statement::{Statement, What},
    text::Text,
};

/// ER_PARSE_ERROR: it was never run, where it is one statement.
const PARSE_ERROR: u16 = 1064;
/// Verbs of work on the session or about statements, which commits nothing.
const QUIET: [&str; 10] =
    ["EXPLAIN", "DESCRIBE", "PREPARE", "DEALLOCATE", "KILL", "SIGNAL", "RESIGNAL", "GET", "HELP", "CHECKSUM"];

impl Statement {
    /// What it does to its session's transaction: an EXECUTE does what it runs does.
    pub(super) fn effect(&self) -> Effect<'static> {
        let Some(text) = self.text() else { return Effect::None };
        let text = match text.effect {
            Effect::Execute(_) | Effect::ExecuteImmediate { .. } => runs(self, text).unwrap_or(text),
            _ => text,
        };
        text.effect.clone()
    }
}

/// Whether a statement that failed may have committed what came before it.
pub(super) fn may_have_committed(failed: &Statement) -> bool {
    let parse_error = failed.end.error.as_ref().is_some_and(|error| error.code == PARSE_ERROR);
    may_commit(failed) && (!parse_error || failed.split_uncertain)
}

/// Whether the transaction that goes on behind a statement may be another than that before it: the statement, or the
/// procedure that it called, may have ended it, in one way or the other, and begun one.
pub(super) fn may_have_ended(statement: &Statement) -> bool {
    let ran = statement.end.is_success() || statement.split_uncertain;
    statement.commits || ran && may_commit(statement)
}

/// Whether a statement may have rolled back some of its own work and be done all the same: a procedure, or a block of
/// statements. Outside of a transaction no status tells; of a block its words do.
pub(super) fn may_have_rolled_back(statement: &Statement) -> bool {
    let operation = statement.what.operation();
    if !statement.commits && !operation.executes {
        return false;
    }
    let What::Sql(text) = &statement.what else { return true };
    match text.verb() {
        "EXECUTE" => runs(statement, text).is_none_or(|body| rolls_back(body)),
        _ => rolls_back(text),
    }
}

/// A handler goes on where a deadlock has rolled back the transaction.
fn rolls_back(text: &Text) -> bool {
    const TELLING: [&str; 4] = ["rollback", "call", "execute", "handler"];
    let mut words = text.form.normalized.split(|byte| !byte.is_ascii_alphanumeric());
    let is_telling = |word: &[u8]| TELLING.iter().any(|told| word.eq_ignore_ascii_case(told.as_bytes()));
    text.form.operation.commits && (text.cut.is_some() || words.any(is_telling))
}

fn may_commit(statement: &Statement) -> bool {
    let What::Sql(text) = &statement.what else { return false };
    match text.verb() {
        _ if statement.split_uncertain => true,
        "EXECUTE" => runs(statement, text).is_none_or(|body| commits(body)),
        _ => commits(text),
    }
}

/// The statement that an EXECUTE runs, where it is known.
fn runs<'a>(statement: &'a Statement, text: &'a Text) -> Option<&'a Rc<Text>> {
    let prepared = statement.prepared.as_ref().and_then(|prepared| prepared.text.as_ref());
    prepared.or(text.prepares.as_ref())
}

fn commits(text: &Text) -> bool {
    match text.form.operation.category {
        Category::Ddl | Category::Dcl => !is_temporary(text),
        Category::Utility => !QUIET.contains(&text.verb()),
        // RESET MASTER and the like; and what nobody here understands.
        Category::Session => text.verb() == "RESET",
        Category::Other => true,
        Category::Dml | Category::Tcl => false,
    }
}

/// `CREATE [OR REPLACE] TEMPORARY`, `DROP TEMPORARY`.
fn is_temporary(text: &Text) -> bool {
    let is = |word: &[u8], other: &str| word.eq_ignore_ascii_case(other.as_bytes());
    let words =
        text.form.normalized.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut behind = words.skip_while(|word| !is(word, "create") && !is(word, "drop")).skip(1);
    behind.find(|word| !is(word, "or") && !is(word, "replace")).is_some_and(|word| is(word, "temporary"))
}
