//! The tables that a statement names: brackets behind such a name call nothing, and rows of some of them are secrets.

use super::super::lexer::{Kind, Token};
use super::about::is_any;
use super::walk::Walk;

/// Whether a name is that of a table or its like, which brackets may follow that are no call's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    No,
    /// It comes next, or its next part; the statement writes it or does not.
    Comes(bool),
    /// It was the last token.
    Name(bool),
}

impl Object {
    /// Behind one more token.
    fn behind(self, kind: Kind, spelling: &str) -> Self {
        match kind {
            Kind::Word if is_any(spelling, &["insert", "into", "replace", "update"]) => Self::Comes(true),
            Kind::Word if is_any(spelling, &["exists", "index", "references", "table", "view"]) => {
                Self::Comes(false)
            }
            Kind::Word
                if is_any(
                    spelling,
                    &["delayed", "high_priority", "if", "ignore", "low_priority", "not", "only"],
                ) =>
            {
                self
            }
            Kind::Word | Kind::Quoted => match self {
                Self::Comes(written) => Self::Name(written),
                _ => Self::No,
            },
            Kind::Dot => match self {
                Self::Name(written) => Self::Comes(written),
                _ => Self::No,
            },
            _ => Self::No,
        }
    }
}

impl Walk<'_, '_> {
    /// A token went by.
    pub(super) fn passes_object(&mut self, token: Token) {
        self.object = self.object.behind(token.kind, self.cursor.spelling(token));
        if token.kind != Kind::Dot {
            let mysql = matches!(self.object, Object::Name(true)) && !self.cursor.dialect.is_postgres();
            self.of_system = mysql && self.name_of(token).eq_ignore_ascii_case("mysql");
        }
    }

    /// Rows of the server's own tables that hold secrets: no literal stays.
    pub(super) fn writes_catalog(&mut self, name: &str) {
        const MYSQL: [&str; 5] = ["global_priv", "password_history", "servers", "slave_master_info", "user"];
        const POSTGRES: [&str; 4] = ["pg_authid", "pg_foreign_server", "pg_subscription", "pg_user_mapping"];
        let known = match self.cursor.dialect.is_postgres() {
            true => is_any(name, &POSTGRES),
            false => self.of_system && is_any(name, &MYSQL),
        };
        // USE may have named the database, and a join may write the table.
        let hash = !self.cursor.dialect.is_postgres()
            && self.code
            && self.about.is_rows()
            && self.selected.is_none()
            && name.eq_ignore_ascii_case("authentication_string");
        self.open |= hash || known && self.object == Object::Comes(true);
    }
}
