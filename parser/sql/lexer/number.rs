//! Numbers of all forms.

use super::byte::{DIGIT, PART, START, WORD, is};
use super::{Kind, Lexer};

impl Lexer<'_> {
    /// MySQL lets a word begin with digits: `1st`.
    pub(super) fn number_or_word(&mut self) -> Kind {
        let kind = self.number();
        if !self.dialect.is_postgres() && is(self.peek(0), START) {
            self.skip_while(PART);
            return Kind::Word;
        }
        kind
    }

    pub(super) fn number(&mut self) -> Kind {
        if self.peek(0) == b'0' && matches!(self.peek(1) | 0x20, b'x' | b'o' | b'b') {
            self.at += 2;
            self.skip_while(WORD);
            return Kind::Number;
        }
        self.digits();
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            self.digits();
        }
        if self.peek(0) | 0x20 == b'e' {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if is(self.peek(1 + sign), DIGIT) {
                self.at += 1 + sign;
                self.digits();
            }
        }
        Kind::Number
    }

    fn digits(&mut self) {
        while is(self.peek(0), DIGIT) || (self.peek(0) == b'_' && is(self.peek(1), DIGIT)) {
            self.at += 1;
        }
    }
}
