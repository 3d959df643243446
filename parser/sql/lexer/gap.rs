//! What stands between tokens: white space and comments.

use memchr::{memchr, memchr2, memmem};

use super::Lexer;
use super::byte::DIGIT;

impl Lexer<'_> {
    #[inline(always)] // once per token: as a call it costs a tenth of the whole pass
    pub(super) fn skip_gap(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' && self.dashes_comment() => self.skip_line(),
                b'#' if !self.dialect.is_postgres() => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block(),
                b'*' if self.in_version_comment && self.peek(1) == b'/' => {
                    self.in_version_comment = false;
                    self.at += 2;
                }
                _ => return,
            }
        }
    }

    /// MySQL wants white space, a control character or the end after `--`.
    fn dashes_comment(&self) -> bool {
        self.dialect.is_postgres() || self.peek(2) <= b' '
    }

    pub(super) fn skip_line(&mut self) {
        let rest = self.rest();
        let end = if self.dialect.is_postgres() { memchr2(b'\n', b'\r', rest) } else { memchr(b'\n', rest) };
        self.at += end.unwrap_or(rest.len());
    }

    fn skip_block(&mut self) {
        if self.dialect.is_postgres() {
            return self.skip_nested_block();
        }
        let marker = match (self.peek(2), self.peek(3)) {
            (b'!', _) => 3,
            (b'M', b'!') => 4,
            _ => {
                let end = memmem::find(self.text.get(self.at + 2..).unwrap_or_default(), b"*/");
                let end = end.map(|found| self.at + 2 + found + 2);
                return self.finish(end);
            }
        };
        // `/*!50003 …`: the server runs what is inside.
        self.at += marker;
        self.skip_while(DIGIT);
        self.in_version_comment = true;
    }

    fn skip_nested_block(&mut self) {
        let mut depth = 0u32;
        while let Some(found) = memchr2(b'/', b'*', self.rest()) {
            self.at += found;
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
        self.finish(None);
    }
}
