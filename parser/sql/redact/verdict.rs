//! What a literal of a walk is: by the statement, by the word before it, by the brackets around it.

use super::super::lexer::Kind;
use super::about::{About, is_any};
use super::frame::{Frame, Verdict};
use super::walk::{Next, Walk};

impl Walk<'_, '_> {
    /// What a literal is that comes next.
    pub(super) fn verdict(&self) -> Verdict {
        let in_options = self.frames.last().is_some_and(Frame::is_options);
        match self.inherited() {
            Verdict::Stays if !in_options => self.allowed(),
            verdict => verdict,
        }
    }

    /// What the words and brackets around it make of it.
    pub(super) fn inherited(&self) -> Verdict {
        if self.open {
            return Verdict::Goes("password");
        }
        match self.next {
            Next::Password | Next::Passwords | Next::Assigned => return Verdict::Goes(self.rule()),
            Next::Connection => return Verdict::Connection,
            Next::Program => return Verdict::Program,
            Next::Ordinary => {}
        }
        self.frames.last().map_or(Verdict::Stays, Frame::verdict)
    }

    /// What the statement makes of it.
    fn allowed(&self) -> Verdict {
        if !self.about.is_secret() {
            return Verdict::Stays;
        }
        let postgres = self.cursor.dialect.is_postgres();
        let named = !postgres && self.about != About::Unknown && self.is_name();
        let allowed = self.about.allows_after(self.last_word(), self.identified, postgres);
        let pair = self.about == About::Server && self.last_spelling() == "=";
        if named || allowed || pair { Verdict::Stays } else { Verdict::Goes(self.rule()) }
    }

    /// `'user'@'host'`, and the next one of a list.
    fn is_name(&self) -> bool {
        let comma = self.last.is_some_and(|last| last.kind == Kind::Comma) && self.frames.is_empty();
        // Behind a password another literal is an account only where something says so.
        let account = || {
            let next = self.cursor.peek().map_or("", |next| self.cursor.spelling(next));
            !self.identified || next == "@" || is_any(next, &["account", "identified", "require", "with"])
        };
        self.last_spelling() == "@" || comma && self.about == About::Role && account()
    }

    pub(super) fn rule(&self) -> &'static str {
        if self.identified { "identified" } else { "password" }
    }

    pub(super) fn reset_next(&mut self) {
        let stays = matches!(self.next, Next::Ordinary | Next::Passwords | Next::Assigned);
        self.next = if stays { self.next } else { Next::Ordinary };
    }
}
