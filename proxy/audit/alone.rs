//! Statements of PostgreSQL that end transactions on their own, outside of a transaction block.
//!
//! What refuses to run in a block (the server's `PreventInTransactionBlock`) is committed as soon as it is done, whatever
//! the pipeline brings behind it. A procedure, or a DO, may commit and roll back as it goes.

use panoptes_parser::sql::Effect;

use super::{statement::Statement, text::Text};

/// Classes of errors that come before anything is done: invalid_transaction_state, syntax_error_or_access_rule_violation.
const NOT_RUN: [&str; 2] = ["25", "42"];

/// Whether it may have committed something, also where it failed or what came behind it did.
pub(super) fn may_have_committed(statement: &Statement) -> bool {
    let error = statement.end.error.as_ref();
    let run = error.is_none_or(|error| !NOT_RUN.iter().any(|class| error.sql_state.starts_with(class)));
    let may = |text: &Text| {
        matches!(text.effect, Effect::CommitsItself | Effect::MayCommitItself | Effect::DiscardAll)
    };
    statement.commits || run && statement.text().is_some_and(|text| may(text))
}

/// Whether it may have undone something and be done all the same. What a procedure does nobody here sees; the body of a DO is
/// in its text, and a function cannot roll back.
pub(super) fn may_have_rolled_back(statement: &Statement) -> bool {
    // What says so itself, or by another; and what may be spelled otherwise: in another language, or by escapes.
    const TELLING: [&str; 6] = ["rollback", "call", "execute", "language", r"\\", "uescape"];
    let undoes = |text: &Text| {
        let is_whole = text.verb() == "DO" && text.cut.is_none() && text.secrets().is_none();
        !is_whole || TELLING.iter().any(|word| text.says(word))
    };
    statement.commits && statement.text().is_none_or(|text| undoes(text))
}
