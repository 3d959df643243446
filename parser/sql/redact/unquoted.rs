//! Passwords that nobody quoted: from a word on, up to white space or a word that is known.

use super::super::lexer::{Kind, Token};
use super::about::{About, is_clause};
use super::connection;
use super::hidden::LITERAL;
use super::prose;
use super::said::is_statement;
use super::variable::Role;
use super::walk::{Next, Walk};

/// What may stand behind the password of a PostgreSQL role.
#[rustfmt::skip]
const ROLE_CLAUSES: [&str; 20] = [
    "admin", "bypassrls", "connection", "createdb", "createrole", "encrypted", "in", "inherit", "login", "nobypassrls",
    "nocreatedb", "nocreaterole", "noinherit", "nologin", "noreplication", "nosuperuser", "role", "superuser", "user",
    "valid",
];

/// And behind that of a MySQL user.
#[rustfmt::skip]
const USER_CLAUSES: [&str; 20] = [
    "account", "and", "as", "attribute", "by", "comment", "data", "default", "discard", "factor", "failed_login_attempts",
    "identified", "or", "password", "password_lock_time", "replace", "require", "retain", "using", "with",
];

impl Walk<'_, '_> {
    /// A password that somebody forgot to quote?
    pub(super) fn is_unquoted_password(&self, token: Token, word: &str) -> bool {
        let call = self.cursor.kind() == Some(Kind::Open);
        let after = self.cursor.text.as_bytes().get(token.end..).unwrap_or_default();
        let alone = after.first().is_none_or(|byte| byte.is_ascii_whitespace() || b";,='\"".contains(byte))
            || after.starts_with(b"/*");
        if call || alone && is_clause(word) {
            return false;
        }
        let operator = self.last.is_some_and(|last| last.kind == Kind::Operator);
        // `PASSWORD('a', $$b`
        if self.about == About::SetPassword && !self.frames.is_empty() && !operator {
            return true;
        }
        match self.next {
            Next::Password if self.about == About::Other => operator && self.alone,
            // `REMOTE_PASSWORD=…` of a table
            Next::Password if self.about == About::Definition => operator,
            Next::Password => self.about.is_secret() && !self.is_talk(word),
            Next::Passwords => self.last.is_none_or(|last| last.kind != Kind::Dot),
            _ => false,
        }
    }

    /// Does a text only speak of statements: `what does IDENTIFIED BY mean`?
    fn is_talk(&self, word: &str) -> bool {
        let dialect = self.cursor.dialect;
        self.nesting > 0 && !self.code && !is_statement(self.cursor.text, dialect) && !prose::is_random(word)
    }

    /// Does a word touch this literal, as in `''secret''` and `'it's'`? It is of the secret.
    pub(super) fn is_touched(&self, token: Token) -> bool {
        self.cursor.peek().is_some_and(|next| {
            next.start == token.end && matches!(next.kind, Kind::Word | Kind::Number | Kind::Quoted)
        })
    }

    /// Hides from `token` up to the next white space.
    pub(super) fn unquoted(&mut self, token: Token) {
        // What `format` fills in: its arguments are the password.
        if self.nesting > 0 && self.last_spelling() == "%" {
            self.open = true;
            return;
        }
        if token.start < self.unquoted_end {
            return self.go_on();
        }
        // In a list of parameters a bracket or a comma ends it as well.
        let listed = self.about == About::Definition && !self.frames.is_empty();
        let goes_on = |byte: u8| {
            !byte.is_ascii_whitespace() && byte != b';' && !(listed && matches!(byte, b')' | b','))
        };
        let end = connection::skip(self.cursor.text, token.end, goes_on);
        let comma = self.cursor.text.get(token.end..end).is_some_and(|tail| tail.ends_with(','));
        let end = end - usize::from(comma);
        self.began = true;
        // `SET PASSWORD = PASSWORD(k)`, `SET PASSWORD = @k`
        if self.about == About::SetPassword {
            self.mention([self.cursor.spelling(token)], Role::Secret);
        }
        self.unquoted_end = end;
        self.hidden.hide(token.start..end, LITERAL, self.rule());
        self.go_on();
    }

    /// A password without quotes may be of several words, up to one that is known.
    pub(super) fn go_on(&mut self) {
        let clauses = if self.cursor.dialect.is_postgres() { &ROLE_CLAUSES[..] } else { &USER_CLAUSES };
        let more = self.next == Next::Password
            && self.about == About::Role
            && matches!(self.cursor.kind(), Some(Kind::Word | Kind::Number | Kind::Quoted | Kind::String))
            && !self.cursor.at_any(clauses);
        self.next = if self.next == Next::Passwords || more { self.next } else { Next::Ordinary };
    }
}
