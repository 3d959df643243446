//! Numbers of all forms.

use super::byte::{DIGIT, PART, WORD, is};
use super::{Kind, Lexer};

impl Lexer<'_> {
    /// MySQL lets a word begin with digits: `1st`, `0xfg`, `1_000`; and after a dot it is always one: `t.1`.
    pub(super) fn number_or_word(&mut self) -> Kind {
        if self.dialect.is_postgres() {
            return self.number();
        }
        let after_dot = self.at.checked_sub(1).and_then(|before| self.text.get(before)) == Some(&b'.');
        let length = if after_dot { 0 } else { self.mysql_number() };
        if length == 0 {
            return self.word();
        }
        self.at += length;
        Kind::Number
    }

    /// Length of the number that MySQL reads here; 0 where it reads a word.
    fn mysql_number(&self) -> usize {
        let digits =
            |from: usize| self.rest().iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        if let (b'0', letter @ (b'x' | b'b')) = (self.peek(0), self.peek(1)) {
            let digit = |byte: u8| byte.is_ascii_hexdigit() && (letter == b'x' || byte <= b'1');
            let length = 2 + self.rest().iter().skip(2).take_while(|byte| digit(**byte)).count();
            return if length > 2 && !is(self.peek(length), PART) { length } else { 0 };
        }
        let mut length = digits(0);
        let point = self.peek(length) == b'.' && self.peek(length + 1) != b'.';
        if point {
            length += 1 + digits(length + 1);
        }
        if self.peek(length) | 0x20 == b'e' {
            let sign = usize::from(matches!(self.peek(length + 1), b'+' | b'-'));
            let exponent = digits(length + 1 + sign);
            if exponent > 0 {
                return length + 1 + sign + exponent;
            }
        }
        if point || !is(self.peek(length), PART) { length } else { 0 }
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
