//! Where in a statement the search is: one frame a parenthesis, and what brackets, commas and WITH do to it.

use super::super::Dialect;
use super::super::lexer::Token;
use super::super::name::folded;
use super::{Kind, Mode, Tables, is_name};

/// One level of parentheses; the first is the statement itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) fresh: Fresh,
    pub(super) verb: Verb,
    pub(super) list: List,
    pub(super) with: With,
    pub(super) recursive: bool,
    /// Opened as the body of a common table expression.
    pub(super) body: bool,
    pub(super) expressions: usize,
}

/// What may begin with the next token.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fresh {
    #[default]
    Nothing,
    /// SELECT, VALUES, TABLE, WITH.
    Query,
    /// These and INSERT, UPDATE, DELETE, MERGE.
    Statement,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    /// CREATE, ALTER and the like, whose target is already known.
    Define,
}

/// Where in a list of tables the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Idle,
    /// A table comes next.
    Expect(Mode, bool),
    /// One was there: a comma or JOIN brings the next.
    After(Mode, bool),
}

/// Where in a WITH clause the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum With {
    #[default]
    None,
    Name,
    /// After the name: its columns, then AS.
    Header,
    /// After AS: the body.
    Body,
    /// After a body: a comma, or the statement.
    Next,
}

impl Tables<'_> {
    pub(super) fn begin(&mut self, fresh: Fresh, verb: Verb) {
        let frame = self.frame();
        *frame = Frame { list: frame.list, expressions: frame.expressions, fresh, verb, ..Frame::default() };
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        // Never absent: pushed above where it was.
        #[allow(clippy::indexing_slicing)]
        &mut self.frames[last]
    }

    pub(super) fn open(&mut self) {
        let expressions = self.expressions.len();
        let frame = self.frame();
        let mut inner = Frame { fresh: Fresh::Query, expressions, ..Frame::default() };
        match (frame.with, frame.list) {
            (With::Body, _) => {
                frame.with = With::Next;
                (inner.fresh, inner.body) = (Fresh::Statement, true);
            }
            (With::None, List::Expect(mode, target)) => {
                frame.list = List::After(mode, target);
                inner.list = List::Expect(mode, target);
            }
            _ if frame.fresh == Fresh::Statement => inner.fresh = Fresh::Statement,
            _ => {}
        }
        self.frames.push(inner);
    }

    pub(super) fn close(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(closed) = self.frames.pop() else { return };
        self.expressions.truncate(closed.expressions);
        // The body's own name was noted before it opened; from here on it is in sight.
        if let Some((_, in_sight)) = self.expressions.last_mut().filter(|_| closed.body) {
            *in_sight = true;
        }
        if self.frame().with == With::None {
            self.frame().fresh = Fresh::Nothing;
        }
    }

    pub(super) fn comma(&mut self) {
        let defines = self.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open)
            || self.cursor.word_at(1).eq_ignore_ascii_case("as");
        let frame = self.frame();
        match (frame.with, frame.list) {
            (With::Next, _) if defines => frame.with = With::Name,
            (With::None, List::After(mode, target)) => frame.list = List::Expect(mode, target),
            _ => {}
        }
    }

    /// Inside a rule's or routine's body the next statement begins.
    pub(super) fn semicolon(&mut self) {
        let Frame { expressions, body, .. } = *self.frame();
        self.expressions.truncate(expressions);
        *self.frame() = Frame { fresh: Fresh::Statement, expressions, body, ..Frame::default() };
    }

    /// The name of a common table expression, or RECURSIVE before the first.
    pub(super) fn expression(&mut self, token: Token) {
        let named = self.cursor.peek().is_some_and(|next| is_name(&next)) && !self.cursor.at("as");
        let recursive = self.cursor.spelling(token).eq_ignore_ascii_case("recursive") && named;
        let frame = self.frame();
        if recursive {
            frame.recursive = true;
            return;
        }
        frame.with = With::Header;
        let in_sight = frame.recursive;
        let key = folded(self.cursor.text, token, Dialect::POSTGRES).into_owned();
        self.note_expression(key, in_sight);
    }
}
