//! Statements of MySQL that commit what came before them, and do so before they fail.
//! <https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html>

use panoptes_parser::sql::Category;

use super::{
    statement::{Statement, What},
    text::Text,
};

/// ER_PARSE_ERROR: it was never run, where it is one statement.
const PARSE_ERROR: u16 = 1064;
/// Verbs of work on the session or about statements, which commits nothing.
const QUIET: [&str; 10] =
    ["EXPLAIN", "DESCRIBE", "PREPARE", "DEALLOCATE", "KILL", "SIGNAL", "RESIGNAL", "GET", "HELP", "CHECKSUM"];

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

fn may_commit(statement: &Statement) -> bool {
    let What::Sql(text) = &statement.what else { return false };
    let runs =
        || statement.prepared.as_ref().and_then(|prepared| prepared.text.as_ref()).or(text.prepares.as_ref());
    match text.verb() {
        _ if statement.split_uncertain => true,
        "EXECUTE" => runs().is_none_or(|body| commits(body)),
        _ => commits(text),
    }
}

fn commits(text: &Text) -> bool {
    match text.form.operation.category {
        Category::Ddl | Category::Dcl => !is_temporary(text),
        Category::Utility => !QUIET.contains(&text.verb()),
        // What nobody here understands.
        Category::Other => true,
        Category::Dml | Category::Tcl | Category::Session => false,
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
