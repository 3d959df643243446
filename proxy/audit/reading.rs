//! Whether a text can be cut where the server cuts it. MySQL reads each statement of a text as those before it have set
//! sql_mode and the character set, and we cut it before any of them has run.

use panoptes_parser::{
    mysql::encoding_of_charset,
    sql::{Assignment, Dialect, Effect, Server, Setting, assignments, effect, split},
    text::Encoding,
};

use super::{query::Query, session::Session};

/// Statements that leave the session's sql_mode and character set alone. What a routine sets ends with it.
const NEUTRAL: [&str; 24] = [
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
    "lock",
    "unlock",
];
/// What stands in any statement that may change them, in lower case.
const TELLING: [&str; 5] = ["sql_mode", "names", "char", "execute", "immediate"];
/// Those of them that run no routine and no trigger, unless there is a query in them.
const ROUTINELESS: [&str; 6] = ["create", "alter", "drop", "lock", "unlock", "use"];
/// Variables in which a text saves a setting: those of a dump are fewer.
const MAX_SAVED: usize = 16;

/// What stands the same through a text so far, of how the server reads it.
struct Course {
    dialect: Dialect,
    encoding: Encoding,
    /// Whether all of the dialect is known.
    known: bool,
    /// Variables of the user's that have the value of a setting.
    saved: Vec<(String, Setting)>,
}

impl Course {
    /// Whether what follows this statement may be read in another way than it was read so far.
    fn may_change(&mut self, statement: &str) -> bool {
        let verb = split(statement.as_bytes(), self.dialect).next().and_then(|range| statement.get(range));
        let verb = verb.map(|verb| self.behind_version(verb));
        let first = verb.and_then(|verb| verb.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
        let first = first.unwrap_or_default();
        let is_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(first));
        if is_of(&NEUTRAL) {
            // A routine or a trigger may set any variable.
            if !self.saved.is_empty() && (!is_of(&ROUTINELESS) || has_query(statement)) {
                self.saved.clear();
            }
            return false;
        }
        let lower = statement.to_ascii_lowercase();
        // A letter of another alphabet may be the server's `s`.
        let tells = !lower.is_ascii() || TELLING.iter().any(|word| lower.contains(word));
        if !tells && self.saved.is_empty() {
            return false;
        }
        let assigned = assignments(statement, self.dialect);
        if assigned.is_none() || assigns_within(statement) {
            self.saved.clear();
        }
        assigned.map_or(tells, |assigned| !self.keeps(&assigned, statement))
    }

    /// What a server runs of `/*!40000 ALTER …`, where it is known which server it is.
    fn behind_version<'a>(&self, statement: &'a str) -> &'a str {
        let inside = match self.dialect {
            Dialect::Mysql { server: Server::Unknown, .. } | Dialect::Postgres { .. } => None,
            Dialect::Mysql { .. } => statement.strip_prefix("/*!").or(statement.strip_prefix("/*M!")),
        };
        let number =
            |inside: &'a str| inside.trim_start_matches(|c: char| c.is_ascii_digit()).trim_ascii_start();
        inside.map_or(statement, number)
    }

    /// Whether a SET leaves all as it is: it sets what was so already, or goes back to what was saved in this text.
    fn keeps(&mut self, assignments: &[Assignment<'_>], statement: &str) -> bool {
        let (mut sets, mut saves) = (false, Vec::new());
        for assignment in assignments {
            match assignment {
                Assignment::Saves(name, setting) => {
                    self.saved.retain(|(saved, _)| saved != name);
                    saves.retain(|(saved, _)| saved != name);
                    // What the same SET goes back to is what it was before.
                    saves.extend(setting.map(|setting| (name.clone().into_owned(), setting)));
                }
                Assignment::Restores(setting, name) => {
                    if !self.saved.iter().any(|(saved, of)| saved == name && of == setting) {
                        return false;
                    }
                }
                Assignment::Sets(setting) => {
                    sets = true;
                    if *setting == Setting::Mode && !self.known {
                        return false;
                    }
                }
                Assignment::Other => {}
            }
        }
        if !assigns_within(statement) {
            let room = MAX_SAVED.saturating_sub(self.saved.len());
            self.saved.extend(saves.into_iter().take(room));
        }
        !sets || self.is_as_set(statement)
    }

    /// Whether a SET says what is so already.
    fn is_as_set(&self, statement: &str) -> bool {
        let Effect::Set { ansi_quotes: quotes, no_backslash_escapes: escapes, charset, unknown: false } =
            effect(statement, self.dialect)
        else {
            return false;
        };
        let Dialect::Mysql { ansi_quotes, no_backslash_escapes, server } = self.dialect else { return false };
        // Of a server that is not known nobody can say which comments run.
        let read = server != Server::Unknown || !statement.contains("/*");
        read && quotes.is_none_or(|quotes| quotes == ansi_quotes)
            && escapes.is_none_or(|escapes| escapes == no_backslash_escapes)
            && charset.is_none_or(|charset| encoding_of_charset(&charset) == self.encoding)
    }
}

/// Whether a SET may set another variable than those that it names first: within a value (`@a = @b := 1`), or a function.
fn assigns_within(statement: &str) -> bool {
    statement.contains('(') || statement.contains(":=") || !statement.is_ascii()
}

/// Whether a query may be in a statement.
fn has_query(statement: &str) -> bool {
    let mut words = statement.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| ["select", "values"].iter().any(|query| word.eq_ignore_ascii_case(query)))
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
        if !escapes && text.is_ascii() {
            return false;
        }
        let mut course = Course {
            dialect: self.dialect,
            encoding: self.encoding,
            known: !self.quotes_unknown && !self.escapes_unknown,
            saved: Vec::new(),
        };
        let changed = before.position(|piece| course.may_change(piece));
        let behind = changed.map_or("", |place| query.behind(place));
        behind.contains('\\') || !behind.is_ascii()
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
