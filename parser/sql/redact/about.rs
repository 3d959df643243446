//! What a statement is about: it decides which of its literals are secret.

use super::super::cursor::Cursor;
use super::super::lexer::Kind;
use super::name;

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Rows: a name like `password` is a column's.
    Rows,
    /// Definitions of what holds rows: the same, but for options and connection strings.
    Definition,
    /// COMMENT and SECURITY LABEL on who may log in, and where: a literal stays if it speaks of no secret.
    Remark,
    /// CREATE, ALTER and GRANT of roles and users: no literal stays but names and what is known to be harmless.
    Role,
    /// MySQL's SET PASSWORD: only the user's name stays.
    SetPassword,
    /// SET: each value is what its name says.
    Set,
    /// Servers, user mappings, subscriptions: no literal stays outside of what is known.
    Server,
    /// A definition of who may log in that nobody here has heard of: no literal stays.
    Unknown,
    /// Anything else: what follows a name like `password` is one.
    Other,
}

const ROWS: [&str; 9] =
    ["select", "insert", "update", "delete", "merge", "with", "values", "table", "replace"];

const DEFINITIONS: [&str; 9] =
    ["create", "alter", "drop", "comment", "security", "rename", "reassign", "import", "truncate"];

/// Statements that may speak of roles, users and servers without a secret.
#[rustfmt::skip]
const KNOWN: [&str; 26] = [
    "analyze", "begin", "call", "check", "copy", "declare", "desc", "describe", "do", "execute", "explain", "fetch",
    "flush", "handler", "help", "if", "kill", "load", "lock", "notify", "perform", "prepare", "return", "show", "start",
    "use",
];

/// Who may log in, and where.
const LOGINS: [&str; 10] =
    ["role", "user", "group", "server", "login", "account", "credential", "principal", "link", "secret"];

impl About {
    /// Of the statement that the cursor stands before; `code` where it stands in a literal that is one.
    pub(super) fn read(cursor: &Cursor<'_>, code: bool) -> Self {
        if cursor.kind() == Some(Kind::Open) || cursor.at_any(&ROWS) {
            return Self::Rows;
        }
        if cursor.at_any(&DEFINITIONS) {
            let noun = cursor.word_at(2);
            let remark = cursor.at("comment") && (is_any(noun, &LOGINS) || is_any(noun, &["subscription"]))
                || cursor.at("security");
            return if remark { Self::Remark } else { Self::Definition };
        }
        if cursor.at_any(&["grant", "revoke"]) {
            return Self::Role;
        }
        if cursor.at("set") {
            return if cursor.word_at(1).eq_ignore_ascii_case("password") {
                Self::SetPassword
            } else {
                Self::Set
            };
        }
        let logs_in = (1..=3).any(|place| is_any(cursor.word_at(place), &LOGINS));
        let known = code || cursor.word().is_empty() || cursor.at_any(&KNOWN);
        if logs_in && !known { Self::Unknown } else { Self::Other }
    }

    /// What begins with `word`, which stands behind `last` and before the cursor, wherever that is: behind EXPLAIN, in a block,
    /// in a body.
    pub(super) fn begun_by(last: &str, word: &str, cursor: &Cursor<'_>, now: Self) -> Option<Self> {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        match word.len() {
            6 if is("create") => Self::defined(cursor, 0),
            5 if is("alter") => Self::defined(cursor, 0),
            10 if is("identified") => {
                let introduces = cursor.at_any(&["by", "with", "via", "as", "using"]);
                (introduces || cursor.kind() == Some(Kind::String)).then_some(Self::Role)
            }
            5 if is("clone") && cursor.at("instance") => Some(Self::Role),
            6 if is("change") && cursor.at_any(&["master", "replication"]) => Some(Self::Other),
            5 if is("start") && cursor.at_any(&["slave", "replica", "group_replication"]) => {
                Some(Self::Other)
            }
            // `ON DELETE SET NULL`
            3 if is("set") && is_any(last, &["delete", "update"]) => None,
            3 if is("set") && now != Self::Rows && now != Self::SetPassword => {
                Some(if cursor.at("password") && !cursor.dialect.is_postgres() {
                    Self::SetPassword
                } else {
                    Self::Set
                })
            }
            // The statement that another one defines, explains, prepares.
            // The event of a trigger or a rule begins none.
            _ if is_any(last, &["before", "after", "or", "on", "of"]) => None,
            _ if matches!(now, Self::Other | Self::Set | Self::Definition) => {
                is_any(word, &["select", "insert", "update", "delete", "merge"]).then_some(Self::Rows)
            }
            _ => None,
        }
    }

    /// What is behind CREATE or ALTER, `from` words on.
    fn defined(cursor: &Cursor<'_>, from: usize) -> Option<Self> {
        let word = |place: usize| cursor.word_at(from + place);
        let is = |place: usize, other: &str| word(place).eq_ignore_ascii_case(other);
        if from == 0 && is(0, "or") && is(1, "replace") {
            return Self::defined(cursor, 2);
        }
        if is(0, "user") && is(1, "mapping") || is_any(word(0), &["server", "subscription"]) {
            return Some(Self::Server);
        }
        if is_any(word(0), &["role", "user", "group"]) {
            return Some(Self::Role);
        }
        // `CREATE [PUBLIC] DATABASE LINK`, `CREATE DATABASE SCOPED CREDENTIAL`
        #[rustfmt::skip]
        const MODIFIERS: [&str; 11] = [
            "database", "default", "exists", "external", "if", "not", "public", "scoped", "shared", "temporary", "tenant",
        ];
        let noun = (0..4).find(|place| !is_any(word(*place), &MODIFIERS)).unwrap_or(4);
        is_any(word(noun), &LOGINS).then_some(Self::Unknown)
    }

    pub(super) fn is_rows(self) -> bool {
        self == Self::Rows
    }

    /// Is every literal a secret, unless something says that it is none?
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Role | Self::SetPassword | Self::Unknown | Self::Server)
    }

    /// May a literal stay that stands behind this word?
    pub(super) fn allows_after(self, word: &str, identified: bool, postgres: bool) -> bool {
        #[rustfmt::skip]
        const NAMES: [&str; 19] = [
            "admin", "attribute", "cipher", "comment", "database", "exists", "for", "from", "grant", "group", "issuer",
            "on", "proxy", "revoke", "role", "subject", "to", "until", "user",
        ];
        match self {
            Self::Role if postgres => word.eq_ignore_ascii_case("until"),
            Self::Role => is_any(word, &NAMES) || identified && is_any(word, &["with", "via", "or"]),
            Self::SetPassword => word.eq_ignore_ascii_case("for"),
            // The name itself, where it may be a string.
            Self::Server if !postgres && is_any(word, &["server", "exists"]) => true,
            Self::Server => is_any(word, &["type", "version", "wrapper"]),
            _ => false,
        }
    }
}

/// May a word stand behind PASSWORD, or BY, that is none?
pub(super) fn is_clause(word: &str) -> bool {
    #[rustfmt::skip]
    const CLAUSES: [&str; 24] = [
        "as", "by", "current", "current_timestamp", "default", "discard", "expire", "for", "from", "history", "interval",
        "lock", "never", "null", "old", "optional", "password", "random", "replace", "require", "retain", "reuse",
        "to", "using",
    ];
    is_any(word, &CLAUSES)
}

/// What the name of a setting says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// No name so far, or none that can be read.
    Unread,
    /// The parameter at this place.
    Parameter(u16),
    Plain,
    Secret,
    Connection,
    Command,
}

impl Setting {
    pub(super) fn named(name: &str) -> Self {
        match () {
            () if name::is_secret(name) => Self::Secret,
            // An application's own, which is no setting of the server's.
            () if name.contains('.') && name::is_secret_variable(name) => Self::Secret,
            () if name::is_connection(name) => Self::Connection,
            () if name::is_command(name) => Self::Command,
            () => Self::Plain,
        }
    }
}

pub(super) fn is_any(word: &str, words: &[&str]) -> bool {
    !word.is_empty() && words.iter().any(|other| word.eq_ignore_ascii_case(other))
}
