//! Tokens on their way into the normalized text, with one space between them or none.

use super::super::lexer::Token;
use super::{Form, Last};

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    /// Writes a token as it is in the text.
    #[inline(always)] // once per token
    pub(super) fn write(&mut self, token: Token, last: Last) {
        self.gap(token, last);
        (self.run.1, self.end, self.last) = (token.end, token.end, last);
    }

    #[inline(never)]
    pub(super) fn write_lower(&mut self, token: Token, last: Last) {
        self.gap(token, last);
        self.flush();
        let spelling = self.text.get(token.start..token.end).unwrap_or_default();
        self.out.extend(spelling.chars().map(|letter| letter.to_ascii_lowercase()));
        (self.run, self.end, self.last) = ((token.end, token.end), token.end, last);
    }

    pub(super) fn write_as(&mut self, token: Token, spelling: &str, last: Last) {
        self.gap(token, last);
        self.flush();
        self.out.push_str(spelling);
        (self.run, self.end, self.last) = ((token.end, token.end), token.end, last);
    }

    /// Writes what stands before a token: one space or none. `last` is what the token will have been.
    #[inline(always)] // once per token
    pub(super) fn gap(&mut self, token: Token, last: Last) {
        self.space(token, self.is_spaced(token));
        if self.levels.folds {
            self.begin(token, last);
        }
    }

    /// Where the text has the same before a token, it is copied with it.
    #[inline(always)] // once per token
    pub(super) fn space(&mut self, token: Token, space: bool) {
        let same = match token.start - self.end {
            0 => !space,
            1 => space && self.text.as_bytes().get(self.end) == Some(&b' '),
            _ => false,
        };
        if same && self.run.1 == self.end {
            self.run.1 = token.start;
            return;
        }
        self.flush();
        if space {
            self.out.push(' ');
        }
        self.run = (token.start, token.start);
    }

    /// Copies what is due.
    #[inline(never)]
    pub(super) fn flush(&mut self) {
        let (start, end) = self.run;
        if start < end {
            self.out.push_str(self.text.get(start..end).unwrap_or_default());
        }
        self.run.0 = end;
    }
}
