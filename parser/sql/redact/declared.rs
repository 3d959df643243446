//! Variables and parameters of routines that are declared, set or selected into, and whose names say that they hold a secret.

use std::borrow::Cow;

use super::super::lexer::Kind;
use super::about::is_any;
use super::hidden::LITERAL;
use super::name;
use super::walk::{Next, Walk};

impl Walk<'_, '_> {
    /// In a routine `password constant text := '…'`, `DECLARE a, pwd VARCHAR(20) DEFAULT '…'`, `password = '…'`.
    pub(super) fn begins_assignment(&self, name: &str) -> bool {
        let routine = self.code && (self.nesting > 0 || !self.cursor.dialect.is_postgres());
        let listed = || {
            self.declares && self.frames.is_empty() && self.last.is_some_and(|last| last.kind == Kind::Comma)
        };
        let begins = || {
            self.last.is_none_or(|last| last.kind == Kind::Semicolon)
                || is_any(self.last_word(), &["declare", "begin", "then", "else", "loop"])
                || listed()
        };
        routine && begins() && name::is_secret_variable(name) && !self.cursor.at("cursor")
    }

    /// `CREATE FUNCTION f(a int, password text DEFAULT '…')`
    pub(super) fn declares_parameter(&self, name: &str) -> bool {
        let begins = matches!(self.last.map(|last| last.kind), Some(Kind::Open | Kind::Comma))
            || is_any(self.last_word(), &["in", "inout", "out", "variadic"]);
        self.routine && self.frames.len() == 1 && begins && name::is_secret_variable(name)
    }

    /// `SELECT '…' INTO @password`, `SELECT … INTO password` in a routine: hides what was selected so far, or else what follows.
    pub(super) fn is_into_secret(&mut self) -> bool {
        let Some(selected) = self.selected.take() else { return false };
        let variables = !self.cursor.dialect.is_postgres() || self.code && self.nesting > 0;
        if !(variables && self.names_secret()) {
            return false;
        }
        self.began = true;
        self.next = if selected.is_empty() { Next::Assigned } else { Next::Ordinary };
        for literal in selected {
            self.hidden.hide(literal.start..literal.end, LITERAL, "password");
        }
        true
    }

    /// Is one of the variables secret that come next?
    fn names_secret(&self) -> bool {
        let mut cursor = self.cursor.clone();
        cursor.eat("strict");
        loop {
            cursor.eat_kind(Kind::Operator);
            let Some(name) = cursor.take() else { return false };
            let name = match name.kind {
                Kind::Word => Cow::Borrowed(cursor.spelling(name)),
                Kind::Quoted | Kind::String => self.unquote(name),
                _ => return false,
            };
            if name::is_secret_variable(&name) {
                return true;
            }
            if cursor.eat_kind(Kind::Comma).is_none() {
                return false;
            }
        }
    }
}
