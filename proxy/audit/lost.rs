//! Statements of PostgreSQL that were never answered: what of their transaction is known all the same.

use panoptes_parser::sql::{Category, Effect};

use super::statement::Statement;

/// Whether it cannot last unless what comes behind it commits it, as a Sync does: it only reads and writes.
pub(super) fn awaits_commit(lost: &Statement) -> bool {
    category(lost) == Some(Category::Dml) && !lost.commits
}

/// Whether it leaves what came before it as it is, or undoes it.
pub(super) fn is_harmless(lost: &Statement) -> bool {
    let Some(text) = lost.text() else { return false };
    let commits = matches!(text.effect, Effect::Commit { .. } | Effect::PrepareTransaction);
    !commits
        && !lost.commits
        && matches!(category(lost), Some(Category::Dml | Category::Tcl | Category::Session))
}

fn category(lost: &Statement) -> Option<Category> {
    lost.text().map(|text| text.form.operation.category)
}
