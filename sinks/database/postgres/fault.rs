//! What an error of PostgreSQL means to the rows that it is for.
//!
//! SQLSTATE's class tells (Appendix A of the manual): 22 data exception, 23 integrity constraint, 44 rule of a view and 54
//! limit of the program are about the rows, but for an `id` that the table itself gives; so is what a trigger of the table
//! says of them: 09, 27, 45 as the SQL standard has it, and what PL/pgSQL raises where its author names no SQLSTATE. All
//! else is tried again until someone has mended it: nothing is lost meanwhile. A trigger that wants this, too, raises e.g. 53000.

use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use crate::database::Fault;

/// Enough for a message; a value that it repeats may be long.
const MAX_SHOWN: usize = 300;

pub(super) fn fault(error: &Error) -> Fault {
    let reason = describe(error);
    match error.as_db_error() {
        Some(error) if has_number_of_another(error) => Fault::Destination(format!(
            "{reason}: the sequence of the column id is behind the rows that are there; set it with setval()"
        )),
        Some(error) if is_about_rows(error) => Fault::Events(reason),
        _ => Fault::Destination(reason),
    }
}

/// What went wrong, with what is behind it.
pub(super) fn describe(error: &Error) -> String {
    let text = match error.as_db_error() {
        Some(error) => {
            let where_ = error.column().or(error.constraint()).map(|name| format!(" ({name})"));
            format!("{} {}{}", error.code().code(), error.message(), where_.unwrap_or_default())
        }
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    };
    text.chars().take(MAX_SHOWN).collect()
}

/// Whether the column `id`, which the table fills, has a number that is taken. The detail names the columns in every language.
fn has_number_of_another(error: &DbError) -> bool {
    let of_id = |detail: &str| detail.contains("(id)=(") || detail.contains("(id, ");
    *error.code() == SqlState::UNIQUE_VIOLATION && error.detail().is_some_and(of_id)
}

fn is_about_rows(error: &DbError) -> bool {
    // A partition that is missing is a check without a name.
    let no_partition = *error.code() == SqlState::CHECK_VIOLATION && error.constraint().is_none();
    let class = error.code().code().get(..2).unwrap_or_default();
    let raised = [SqlState::RAISE_EXCEPTION, SqlState::ASSERT_FAILURE].contains(error.code());
    (matches!(class, "09" | "22" | "23" | "27" | "44" | "45" | "54") || raised) && !no_partition
}
