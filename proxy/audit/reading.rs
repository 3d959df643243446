//! Whether a text can be cut where the server cuts it. MySQL reads each statement of a text as those before it have set
//! sql_mode and the character set, and we cut it before any of them has run.

use panoptes_parser::{
    mysql::encoding_of_charset,
    sql::{Dialect, Effect, effect, split},
    text::Encoding,
};

use super::{query::Query, session::Session};

/// Statements that leave the session's sql_mode and character set alone. What a routine sets ends with it.
const NEUTRAL: [&str; 22] = [
    "select",
    "insert",
    "update",
    "delete",
    "replace",
    "with",
    "values",
    "table",
    "create",
    "alter",
    "drop",
    "truncate",
    "commit",
    "rollback",
    "start",
    "savepoint",
    "release",
    "show",
    "use",
    "do",
    "call",
    "kill",
];
/// What stands in any statement that may change them, in lower case.
const TELLING: [&str; 5] = ["sql_mode", "names", "char", "execute", "immediate"];

/// Whether what follows this statement may be read in another way than it was read so far.
pub(super) fn may_change(statement: &str, dialect: Dialect, encoding: Encoding) -> bool {
    let verb = split(statement.as_bytes(), dialect).next().and_then(|range| statement.get(range));
    let first = verb.and_then(|verb| verb.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    let first = first.unwrap_or_default();
    if NEUTRAL.iter().any(|word| word.eq_ignore_ascii_case(first)) {
        return false;
    }
    let lower = statement.to_ascii_lowercase();
    // A letter of another alphabet may be the server's `s`.
    let tells = !lower.is_ascii() || TELLING.iter().any(|word| lower.contains(word));
    tells && !keeps(statement, dialect, encoding)
}

/// `SET NAMES` of what was spoken already.
fn keeps(statement: &str, dialect: Dialect, encoding: Encoding) -> bool {
    match effect(statement, dialect) {
        Effect::Set {
            ansi_quotes: None,
            no_backslash_escapes: None,
            charset: Some(charset),
            unknown: false,
        } => !statement.contains([',', '@', '(', '/']) && encoding_of_charset(&charset) == encoding,
        _ => false,
    }
}

impl Session {
    /// Whether the statements of this text may be others to the server.
    pub(super) fn may_be_cut_otherwise(&self, query: &Query) -> bool {
        let text = query.text();
        let escapes = text.contains('\\');
        if self.dialect.is_postgres() {
            // What ran ahead of it in the pipeline, or the functions that it called, may have changed a setting.
            let doubted = self.may_read_otherwise && text.contains(';');
            return doubted && (!text.is_ascii() || escapes && !self.is_cut_alike(query));
        }
        if !self.several {
            return false;
        }
        // Behind a letter it may be the end of a character.
        if self.encoding_assumed && (escapes || text.contains('`')) && !text.is_ascii() && text.contains(';')
        {
            return true;
        }
        let doubted = self.escapes_unknown || self.quotes_unknown && text.contains('"');
        if doubted && escapes && text.contains(';') && !self.is_cut_alike(query) {
            return true;
        }
        let mut before = query.statements();
        before.next_back();
        (escapes || !text.is_ascii()) && before.any(|piece| may_change(piece, self.dialect, self.encoding))
    }

    /// Whether the statements of a text are the same in each way in which the server may read its quotation marks and backslashes.
    fn is_cut_alike(&self, query: &Query) -> bool {
        let both = |known: bool, unknown: bool| [known, !known].into_iter().take(1 + usize::from(unknown));
        match self.dialect {
            Dialect::Postgres { standard_conforming_strings: known } => {
                both(known, true).all(|standard_conforming_strings| {
                    query.is_cut_alike(Dialect::Postgres { standard_conforming_strings })
                })
            }
            Dialect::Mysql { ansi_quotes, no_backslash_escapes, server } => {
                both(ansi_quotes, self.quotes_unknown).all(|ansi_quotes| {
                    both(no_backslash_escapes, self.escapes_unknown).all(|no_backslash_escapes| {
                        query.is_cut_alike(Dialect::Mysql { ansi_quotes, no_backslash_escapes, server })
                    })
                })
            }
        }
    }
}
