//! The statements of MySQL and MariaDB by their first word.

use crate::sql::verb::Category;

/// The verb and category of a statement that does not begin with SELECT, INSERT, UPDATE, DELETE, REPLACE, VALUES, TABLE or WITH.
pub(super) fn command(word: &str) -> Option<(&'static str, Category)> {
    let found = COMMANDS.iter().find(|(first, ..)| word.eq_ignore_ascii_case(first))?;
    Some((found.1, found.2))
}

/// First word, verb in an event, category. START and others are told apart by their second word.
#[rustfmt::skip]
static COMMANDS: [(&str, &str, Category); 61] = [
    ("call", "CALL", Category::Dml), ("do", "DO", Category::Dml), ("execute", "EXECUTE", Category::Dml),
    ("handler", "HANDLER", Category::Dml), ("load", "LOAD", Category::Dml), ("import", "IMPORT", Category::Ddl),
    ("create", "CREATE", Category::Ddl), ("alter", "ALTER", Category::Ddl), ("drop", "DROP", Category::Ddl),
    ("truncate", "TRUNCATE", Category::Ddl), ("rename", "RENAME", Category::Ddl),
    ("grant", "GRANT", Category::Dcl), ("revoke", "REVOKE", Category::Dcl),
    ("begin", "BEGIN", Category::Tcl), ("commit", "COMMIT", Category::Tcl), ("rollback", "ROLLBACK", Category::Tcl),
    ("savepoint", "SAVEPOINT", Category::Tcl), ("release", "RELEASE", Category::Tcl), ("xa", "XA", Category::Tcl),
    ("set", "SET", Category::Session), ("show", "SHOW", Category::Session), ("use", "USE", Category::Session),
    ("reset", "RESET", Category::Session), ("explain", "EXPLAIN", Category::Utility), ("desc", "DESCRIBE", Category::Utility),
    ("describe", "DESCRIBE", Category::Utility), ("analyze", "ANALYZE", Category::Utility), ("lock", "LOCK", Category::Utility),
    ("unlock", "UNLOCK", Category::Utility), ("prepare", "PREPARE", Category::Utility), ("kill", "KILL", Category::Utility),
    ("deallocate", "DEALLOCATE", Category::Utility), ("flush", "FLUSH", Category::Utility), ("check", "CHECK", Category::Utility),
    ("checksum", "CHECKSUM", Category::Utility), ("optimize", "OPTIMIZE", Category::Utility), ("repair", "REPAIR", Category::Utility),
    ("install", "INSTALL", Category::Utility), ("uninstall", "UNINSTALL", Category::Utility), ("purge", "PURGE", Category::Utility),
    ("change", "CHANGE", Category::Utility), ("start", "START", Category::Utility), ("stop", "STOP", Category::Utility),
    ("slave", "START", Category::Utility), ("signal", "SIGNAL", Category::Utility), ("resignal", "RESIGNAL", Category::Utility),
    ("get", "GET", Category::Utility), ("help", "HELP", Category::Utility), ("shutdown", "SHUTDOWN", Category::Utility),
    ("restart", "RESTART", Category::Utility), ("cache", "CACHE", Category::Utility), ("clone", "CLONE", Category::Utility),
    ("binlog", "BINLOG", Category::Utility), ("backup", "BACKUP", Category::Utility),
    // Blocks outside of routines (MariaDB): a DO of many statements, as in PostgreSQL.
    ("if", "DO", Category::Dml), ("case", "DO", Category::Dml), ("loop", "DO", Category::Dml), ("while", "DO", Category::Dml),
    ("repeat", "DO", Category::Dml), ("for", "DO", Category::Dml), ("declare", "DO", Category::Dml),
];
