//! The verb of a statement and its category, from the first words alone, so that they never fail.

use super::cursor::Cursor;
use super::lexer::Kind;

/// The groups of event.md's `operation.category`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Reads and writes rows; cursors, COPY, CALL, DO and EXECUTE too.
    Dml,
    /// Defines objects.
    Ddl,
    /// Rights, and the roles and users who hold them.
    Dcl,
    /// Transactions.
    Tcl,
    /// Settings of the session.
    Session,
    /// Work on the server or about statements: EXPLAIN, VACUUM, LOCK, LISTEN, PREPARE.
    Utility,
    /// No verb that we know.
    Other,
}

impl Category {
    /// The name in an event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dml => "DML",
            Self::Ddl => "DDL",
            Self::Dcl => "DCL",
            Self::Tcl => "TCL",
            Self::Session => "SESSION",
            Self::Utility => "UTILITY",
            Self::Other => "OTHER",
        }
    }
}

/// No verb could be found.
pub(super) const UNKNOWN: &str = "UNKNOWN";

/// Verbs by their first word. The second column is the name in an event.
#[rustfmt::skip]
static VERBS: [(&str, &str, Category); 78] = [
    ("select", "SELECT", Category::Dml), ("insert", "INSERT", Category::Dml), ("update", "UPDATE", Category::Dml),
    ("delete", "DELETE", Category::Dml), ("merge", "MERGE", Category::Dml), ("replace", "REPLACE", Category::Dml),
    ("values", "SELECT", Category::Dml), ("table", "SELECT", Category::Dml), ("with", "SELECT", Category::Dml),
    ("copy", "COPY", Category::Dml), ("call", "CALL", Category::Dml), ("do", "DO", Category::Dml),
    ("execute", "EXECUTE", Category::Dml), ("handler", "HANDLER", Category::Dml), ("import", "IMPORT", Category::Ddl),
    ("declare", "DECLARE", Category::Dml), ("fetch", "FETCH", Category::Dml), ("move", "MOVE", Category::Dml),
    ("close", "CLOSE", Category::Dml), ("load", "LOAD", Category::Utility), ("exec", "EXECUTE", Category::Dml),
    ("create", "CREATE", Category::Ddl), ("alter", "ALTER", Category::Ddl), ("drop", "DROP", Category::Ddl),
    ("truncate", "TRUNCATE", Category::Ddl), ("rename", "RENAME", Category::Ddl), ("comment", "COMMENT", Category::Ddl),
    ("refresh", "REFRESH", Category::Ddl), ("reassign", "REASSIGN", Category::Ddl), ("security", "SECURITY_LABEL", Category::Ddl),
    ("grant", "GRANT", Category::Dcl), ("revoke", "REVOKE", Category::Dcl),
    ("begin", "BEGIN", Category::Tcl), ("start", "BEGIN", Category::Tcl), ("commit", "COMMIT", Category::Tcl),
    ("end", "COMMIT", Category::Tcl), ("rollback", "ROLLBACK", Category::Tcl), ("abort", "ROLLBACK", Category::Tcl),
    ("savepoint", "SAVEPOINT", Category::Tcl), ("release", "RELEASE", Category::Tcl), ("xa", "XA", Category::Tcl),
    ("set", "SET", Category::Session), ("reset", "RESET", Category::Session), ("show", "SHOW", Category::Session),
    ("use", "USE", Category::Session), ("discard", "DISCARD", Category::Session),
    ("explain", "EXPLAIN", Category::Utility), ("describe", "DESCRIBE", Category::Utility), ("desc", "DESCRIBE", Category::Utility),
    ("analyze", "ANALYZE", Category::Utility), ("analyse", "ANALYZE", Category::Utility), ("vacuum", "VACUUM", Category::Utility),
    ("cluster", "CLUSTER", Category::Utility), ("reindex", "REINDEX", Category::Utility), ("repack", "REPACK", Category::Utility),
    ("checkpoint", "CHECKPOINT", Category::Utility), ("lock", "LOCK", Category::Utility), ("unlock", "UNLOCK", Category::Utility),
    ("listen", "LISTEN", Category::Utility), ("notify", "NOTIFY", Category::Utility), ("unlisten", "UNLISTEN", Category::Utility),
    ("prepare", "PREPARE", Category::Utility), ("deallocate", "DEALLOCATE", Category::Utility), ("kill", "KILL", Category::Utility),
    ("flush", "FLUSH", Category::Utility), ("optimize", "OPTIMIZE", Category::Utility), ("repair", "REPAIR", Category::Utility),
    ("check", "CHECK", Category::Utility), ("checksum", "CHECKSUM", Category::Utility), ("install", "INSTALL", Category::Utility),
    ("uninstall", "UNINSTALL", Category::Utility), ("purge", "PURGE", Category::Utility), ("change", "CHANGE", Category::Utility),
    ("signal", "SIGNAL", Category::Utility), ("help", "HELP", Category::Utility), ("shutdown", "SHUTDOWN", Category::Utility),
    ("cache", "CACHE", Category::Utility), ("get", "GET", Category::Utility),
];

/// The verb and its category. `cursor` stands at the begin of the statement; it is left after the verb's words.
pub(super) fn read(cursor: &mut Cursor<'_>) -> (&'static str, Category) {
    while cursor.eat_kind(Kind::Open).is_some() {}
    let word = cursor.word();
    let found = VERBS.iter().find(|(first, ..)| word.eq_ignore_ascii_case(first));
    let Some((_, verb, category)) = found else { return (UNKNOWN, Category::Other) };
    cursor.take();
    longer(verb, cursor).unwrap_or((*verb, *category))
}

/// The verbs of which the first word says too little.
fn longer(verb: &str, cursor: &Cursor<'_>) -> Option<(&'static str, Category)> {
    let string_next = cursor.peek_at(1).is_some_and(|token| token.kind == Kind::String);
    Some(match verb {
        "PREPARE" if cursor.at("transaction") && string_next => ("PREPARE_TRANSACTION", Category::Tcl),
        "COMMIT" if cursor.at("prepared") => ("COMMIT_PREPARED", Category::Tcl),
        "ROLLBACK" if cursor.at("prepared") => ("ROLLBACK_PREPARED", Category::Tcl),
        "BEGIN" if cursor.at("not") => ("DO", Category::Dml),
        "LOAD" if cursor.at_any(&["data", "xml"]) => ("LOAD", Category::Dml),
        "DROP" if cursor.at("prepare") => ("DEALLOCATE", Category::Utility),
        "EXPLAIN" | "DESCRIBE" | "UNLOCK" => return None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::*;

    #[test]
    fn first_words() {
        for (sql, verb, category) in [
            ("((select 1))", "SELECT", "DML"),
            ("TABLE t", "SELECT", "DML"),
            ("start transaction", "BEGIN", "TCL"),
            ("END", "COMMIT", "TCL"),
            ("ABORT", "ROLLBACK", "TCL"),
            ("PREPARE TRANSACTION 'x'", "PREPARE_TRANSACTION", "TCL"),
            ("PREPARE transaction AS SELECT 1", "PREPARE", "UTILITY"),
            ("COMMIT PREPARED 'x'", "COMMIT_PREPARED", "TCL"),
            ("DISCARD ALL", "DISCARD", "SESSION"),
            ("LOAD 'lib'", "LOAD", "UTILITY"),
            ("LOAD DATA INFILE 'x' INTO TABLE t", "LOAD", "DML"),
            ("selec 1", "UNKNOWN", "OTHER"),
            ("", "UNKNOWN", "OTHER"),
        ] {
            let (actual, group) = read(&mut Cursor::new(sql, Dialect::POSTGRES));
            assert_eq!((actual, group.as_str()), (verb, category), "{sql}");
        }
    }
}
