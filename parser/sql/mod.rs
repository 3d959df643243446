//! SQL as an auditor needs it: what a text says, without understanding all of it.
//!
//! A text goes `split` → per statement: `redact` → `normalize` → `fingerprint` → (first sight only) `classify`.
//!
//! | file | what |
//! |---|---|
//! | `lexer` | bytes to tokens; takes anything, allocates nothing, says when it is unsure |
//! | `split` | the statements of a text, cut where the server cuts |
//! | `fingerprint` | normalized text and its stable hash |
//! | `statement` | what a statement does to the session: prepared names, savepoints, transaction ends |
//! | `classify` | verb, category, object, tables; from tokens, and for PostgreSQL sqlparser as a second reader |
//! | `redact` | takes passwords out before anything is stored |
//! | `cursor`, `keyword`, `name` | tokens with look-ahead, the words we fold, identifiers as the server folds them |
//! | `literal`, `constant` | what a literal says, and an expression of several |
//! | `verb`, `target`, `tables`, `grammar` | the parts of `classify`, for PostgreSQL |
//! | `mysql` | all of `classify`, and the blocks that `split` follows, for MySQL and MariaDB |
//!
//! Normalize the redacted text, never the raw one: a password written without quotes reads as an identifier.

pub mod classify;
mod constant;
mod cursor;
pub mod fingerprint;
mod grammar;
mod keyword;
pub mod lexer;
mod literal;
mod mysql;
mod name;
pub mod redact;
pub mod split;
pub mod statement;
mod tables;
mod target;
mod verb;

pub use classify::{Access, Class, Mode, Parsed, classify};
pub use fingerprint::{Fingerprint, fingerprint, normalize};
pub use mysql::{Assignment, Setting, assignments};
pub use redact::{
    Redacted, SecretNames, SecretParameter, SecretPart, is_secret_setting, may_tell, redact, redact_among,
    redact_arguments, redact_head, redact_head_among, redact_message, redact_quotation, redact_text,
    redact_text_head, redact_value,
};
pub use split::{Statements, semicolons, split};
pub use statement::{Effect, Reading, effect, prepared};
pub use verb::Category;

/// Whose rules a text follows, with the session's settings that change how bytes become tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres {
        /// `on` (the default since 9.1): a backslash in `'…'` is an ordinary character.
        standard_conforming_strings: bool,
    },
    /// MySQL and MariaDB.
    Mysql {
        /// sql_mode `ANSI_QUOTES`: `"…"` is an identifier, not a string.
        ansi_quotes: bool,
        /// sql_mode `NO_BACKSLASH_ESCAPES`: a backslash in a string is an ordinary character.
        no_backslash_escapes: bool,
        /// Who reads it: `/*!50700 … */` runs on some servers and is a comment on others.
        server: Server,
    },
}

/// <https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html>, <https://mariadb.com/kb/en/sql-mode/>
#[rustfmt::skip]
const SQL_MODES: [&str; 37] = [
    "ALLOW_INVALID_DATES", "ANSI", "ANSI_QUOTES", "DB2", "DEFAULT", "EMPTY_STRING_IS_NULL", "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE", "IGNORE_BAD_TABLE_OPTIONS", "IGNORE_SPACE", "MAXDB", "MSSQL", "MYSQL323", "MYSQL40",
    "NO_AUTO_CREATE_USER", "NO_AUTO_VALUE_ON_ZERO", "NO_BACKSLASH_ESCAPES", "NO_DIR_IN_CREATE", "NO_ENGINE_SUBSTITUTION",
    "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS", "NO_UNSIGNED_SUBTRACTION", "NO_ZERO_DATE", "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY", "ORACLE", "PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT", "POSTGRESQL", "REAL_AS_FLOAT",
    "SIMULTANEOUS_ASSIGNMENT", "STRICT_ALL_TABLES", "STRICT_TRANS_TABLES", "TIME_ROUND_FRACTIONAL",
    "TIME_TRUNCATE_FRACTIONAL", "TRADITIONAL",
];

/// The server behind [`Dialect::Mysql`]. Versions as it numbers them itself: 8.4.3 is 80403, 10.11.6 is 101106.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// Not known: what may run counts as run, and where the end of the text hangs on it, the lexer is unsure.
    Unknown,
    /// MySQL, or a server that follows it.
    Mysql(u32),
    /// MariaDB.
    Mariadb(u32),
}

impl Server {
    /// By the version that a server of MySQL's protocol announces.
    #[must_use]
    pub fn of(version: &str) -> Self {
        let mariadb = version.contains("MariaDB");
        let mut parts = Self::own_version(version)
            .split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse::<u32>().unwrap_or(0).min(99));
        let mut part = || parts.next().unwrap_or(0);
        match (part() * 10_000 + part() * 100 + part(), mariadb) {
            (0, _) => Self::Unknown,
            (number, true) => Self::Mariadb(number),
            (number, false) => Self::Mysql(number),
        }
    }

    /// The announced version less the `5.5.5-` behind which a MariaDB before 11 hides.
    #[must_use]
    pub fn own_version(version: &str) -> &str {
        let mariadb = version.contains("MariaDB");
        version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(version)
    }
}

impl Dialect {
    /// PostgreSQL with its default settings.
    pub const POSTGRES: Self = Self::Postgres { standard_conforming_strings: true };
    /// MySQL with its default settings, whoever reads it.
    pub const MYSQL: Self =
        Self::Mysql { ansi_quotes: false, no_backslash_escapes: false, server: Server::Unknown };

    /// The same in a session of this `sql_mode`, as it is set: names with commas between them. PostgreSQL has none.
    #[must_use]
    pub fn with_sql_mode(self, modes: &str) -> Self {
        // What holds ANSI_QUOTES: MySQL's ANSI, MariaDB's modes of other databases.
        const QUOTES: [&str; 7] = ["ANSI_QUOTES", "ANSI", "ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"];
        let has = |names: &[&str]| {
            modes.split(',').any(|mode| names.iter().any(|name| mode.trim().eq_ignore_ascii_case(name)))
        };
        match self {
            Self::Postgres { .. } => self,
            Self::Mysql { server, .. } => Self::Mysql {
                ansi_quotes: has(&QUOTES),
                no_backslash_escapes: has(&["NO_BACKSLASH_ESCAPES"]),
                server,
            },
        }
    }

    /// The first of these modes that neither MySQL nor MariaDB knows, of any version.
    #[must_use]
    pub fn unknown_sql_mode(modes: &str) -> Option<&str> {
        let known = |mode: &&str| SQL_MODES.iter().any(|known| mode.eq_ignore_ascii_case(known));
        modes.split(',').map(str::trim).filter(|mode| !mode.is_empty()).find(|mode| !known(mode))
    }

    /// Whether it is PostgreSQL's.
    #[must_use]
    pub fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_who_it_is() {
        for (version, server) in [
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", Server::Mariadb(101_119)),
            ("11.4.2-MariaDB-log", Server::Mariadb(110_402)),
            ("9.7.0", Server::Mysql(90_700)),
            ("8.0.36-0ubuntu0.22.04.1", Server::Mysql(80_036)),
            ("5.7.44-log", Server::Mysql(50_744)),
            ("8.4", Server::Mysql(80_400)),
            ("", Server::Unknown),
            ("nonsense", Server::Unknown),
        ] {
            assert_eq!(Server::of(version), server, "{version}");
        }
    }
}
