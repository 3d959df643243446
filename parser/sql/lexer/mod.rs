//! One pass over a SQL text: bytes to tokens. It takes anything, always goes forward and allocates nothing.
//!
//! PostgreSQL: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>,
//! MySQL: <https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>.

mod byte;
mod gap;
mod number;
mod operator;
mod string;
#[cfg(test)]
mod tests;

pub(super) use self::gap::gap_between_pieces;

use self::byte::{DIGIT, OPERATOR, PART, START, is};
use super::Dialect;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keyword or unquoted identifier; MariaDB's `\N`.
    Word,
    /// Identifier in quotes: `"a"`, `` `a` ``, `U&"a"`.
    Quoted,
    /// String literal of any form, quotes and prefix included: `'a'`, `E'a'`, `$$a$$`, `X'0F'`. The pieces that the server
    /// joins to one literal are one token.
    String,
    /// Number of any form, without sign.
    Number,
    /// Parameter: `$1`, or `?` (MySQL).
    Parameter,
    /// Operator.
    Operator,
    /// `::`
    Cast,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// `:`, `:=`
    Colon,
    /// A byte that no rule takes.
    Other,
}

/// One token: `text[start..end]`. Bounds never fall inside a UTF-8 character of valid text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Iterator over the tokens of a text; white space and comments are the gaps between them.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    dialect: Dialect,
    in_version_comment: bool,
    /// Where the last version comment that runs begins, and one past the end of the last that has one.
    opened: usize,
    closed: usize,
    /// Ends of dollar quotes that were looked for in vain.
    dollar_searches: u8,
    certain: bool,
}

impl<'a> Lexer<'a> {
    /// Reads `text` by the rules of `dialect`.
    pub fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
            in_version_comment: false,
            opened: 0,
            closed: 0,
            dollar_searches: 0,
            certain: true,
        }
    }

    /// False once a string, comment or quoted identifier ran into the end of the text.
    pub fn certain(&self) -> bool {
        self.certain
    }

    /// Where the version comment begins whose inside is being read.
    pub(super) fn version_comment(&self) -> Option<usize> {
        self.in_version_comment.then_some(self.opened)
    }

    /// One past the last version comment that ended.
    pub(super) fn version_comment_end(&self) -> usize {
        self.closed
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_while(&mut self, class: u8) {
        while is(self.peek(0), class) {
            self.at += 1;
        }
    }

    /// Moves to the end of a construct, or to the end of the text where it has none.
    fn finish(&mut self, end: Option<usize>) {
        self.at = end.unwrap_or_else(|| {
            self.certain = false;
            self.text.len()
        });
    }

    #[inline(always)] // most tokens are words
    fn word(&mut self) -> Kind {
        let mut at = self.at + 1;
        while self.text.get(at).is_some_and(|byte| is(*byte, PART)) {
            at += 1;
        }
        self.at = at;
        Kind::Word
    }

    fn colon(&mut self) -> Kind {
        let (length, kind) = match self.peek(1) {
            b':' => (2, Kind::Cast),
            b'=' => (2, Kind::Colon),
            _ => (1, Kind::Colon),
        };
        self.at += length;
        kind
    }

    /// MySQL's `t.1`: the dot belongs to the name before it.
    fn after_name(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.text.get(before)).copied();
        !self.dialect.is_postgres() && before.is_some_and(|byte| is(byte, PART) || byte == b'`')
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }
}

impl Lexer<'_> {
    /// The next token. Inlined, so that the loop over a text keeps it in registers: given back through memory, in parts that are
    /// read as one, it would cost a fifth of the normalized text.
    #[inline(always)]
    pub(super) fn token(&mut self) -> Option<Token> {
        self.skip_gap();
        let start = self.at;
        let Some(&first) = self.text.get(start) else {
            self.certain &= !self.in_version_comment;
            return None;
        };
        let postgres = self.dialect.is_postgres();
        let kind = match first {
            b'b' | b'B' | b'e' | b'E' | b'n' | b'N' | b'u' | b'U' | b'x' | b'X' => self.prefixed(first),
            b'_' => self.introducer(),
            _ if is(first, START) => self.word(),
            b'0'..=b'9' => self.number_or_word(),
            b',' => self.one(Kind::Comma),
            b'(' => self.one(Kind::Open),
            b')' => self.one(Kind::Close),
            b'.' if is(self.peek(1), DIGIT) && !self.after_name() => self.number(),
            b'.' => self.one(Kind::Dot),
            b'\'' => {
                let backslash = self.backslash();
                self.string(0, b'\'', backslash)
            }
            b'$' if postgres => self.dollar(),
            b'$' => self.dollar_or_word(),
            b'?' if !postgres => self.one(Kind::Parameter),
            b'"' => self.double_quote(),
            b'`' if !postgres => self.identifier(0, b'`'),
            b';' => self.one(Kind::Semicolon),
            b':' => self.colon(),
            b'[' => self.one(Kind::OpenBracket),
            b']' => self.one(Kind::CloseBracket),
            _ if is(first, OPERATOR) => self.operator(),
            _ => self.other(),
        };
        if self.in_version_comment {
            // A string joined of pieces may have begun before the comment.
            let start = start.max(self.opened);
            self.doubt_version_comment(self.text.get(start..self.at).unwrap_or_default());
        }
        Some(Token { kind, start, end: self.at })
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.token()
    }
}
