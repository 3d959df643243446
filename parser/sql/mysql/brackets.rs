//! Brackets and commas, and the names that WITH brings into sight.
//!
//! <https://mariadb.com/kb/en/with/>, <https://dev.mysql.com/doc/refman/8.4/en/with.html>

use super::frame::{Expression, Frame, Fresh, List, Verb, With};
use super::reader::Reader;
use crate::sql::lexer::{Kind, Token};
use crate::sql::name::unquoted;
use crate::sql::{Dialect, Server};

/// More common table expressions than this are not told from tables.
const MAX_EXPRESSIONS: usize = 256;

impl Reader<'_> {
    pub(super) fn open(&mut self) {
        let expressions = self.expressions.len();
        let frame = self.frame();
        let mut inner = Frame { fresh: Fresh::Query, expressions, ..Frame::default() };
        match (frame.with, frame.list) {
            (With::Body, _) => {
                frame.with = With::Next;
                inner.body = true;
            }
            (With::None, List::Expect(mode)) => {
                frame.list = List::After(mode);
                (inner.list, inner.number) = (List::Expect(mode), frame.number);
            }
            (With::Header, _) => inner.fresh = Fresh::Nothing,
            _ if frame.fresh == Fresh::Statement => inner.fresh = Fresh::Statement,
            _ => {}
        }
        self.frames.push(inner);
    }

    pub(super) fn close(&mut self) {
        if self.frames.len() < 2 {
            self.doubt = true;
            return;
        }
        let Some(closed) = self.frames.pop() else { return };
        self.expressions.truncate(closed.expressions);
        // The body's own name was noted before it opened; from here on it is in sight.
        if let Some(own) = self.expressions.last_mut().filter(|_| closed.body) {
            own.in_sight = true;
        }
        let frame = self.frame();
        if frame.with == With::None {
            frame.fresh = if frame.verb == Verb::Create { Fresh::Query } else { Fresh::Nothing };
        }
    }

    pub(super) fn comma(&mut self) {
        let defines = self.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open)
            || self.cursor.word_at(1).eq_ignore_ascii_case("as");
        let frame = self.frame();
        match (frame.with, frame.list) {
            (With::Next, _) if defines => frame.with = With::Name,
            (With::None, List::After(mode)) => frame.list = List::Expect(mode),
            (With::None, _) if frame.assigns => self.assignment(),
            _ => {}
        }
    }

    /// The name of a common table expression, or RECURSIVE before the first.
    pub(super) fn expression(&mut self, token: Token) {
        if self.cursor.spelling(token).eq_ignore_ascii_case("recursive") {
            self.frame().recursive = true;
            return;
        }
        let name = unquoted(self.cursor.text, token).into_owned();
        let frame = self.frame();
        frame.with = With::Header;
        let (in_sight, from) = (frame.recursive, frame.tables);
        let mysql = matches!(self.cursor.dialect, Dialect::Mysql { server: Server::Mysql(_), .. });
        if in_sight && !mysql {
            // MariaDB lets an expression refer to a later one: what was taken for a table is none.
            let mut at = 0;
            self.tables.retain(|table| {
                at += 1;
                at <= from || table.target || !table.name.eq_ignore_ascii_case(&name)
            });
        }
        if self.expressions.len() < MAX_EXPRESSIONS {
            self.expressions.push(Expression { name, in_sight });
        } else {
            self.doubt = true;
        }
    }
}
