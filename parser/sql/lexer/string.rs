//! Strings and identifiers in quotes of every kind.

use memchr::{memchr, memchr2, memmem};

use super::byte::{DIGIT, GAP, PART, is};
use super::{Kind, Lexer};
use crate::sql::{Dialect, Server};

/// What MySQL 9 and MariaDB 11 know, sorted.
#[rustfmt::skip]
const CHARACTER_SETS: [&[u8]; 42] = [
    b"armscii8", b"ascii", b"big5", b"binary", b"cp1250", b"cp1251", b"cp1256", b"cp1257", b"cp850", b"cp852", b"cp866", b"cp932",
    b"dec8", b"eucjpms", b"euckr", b"gb18030", b"gb2312", b"gbk", b"geostd8", b"greek", b"hebrew", b"hp8", b"keybcs2", b"koi8r",
    b"koi8u", b"latin1", b"latin2", b"latin5", b"latin7", b"macce", b"macroman", b"sjis", b"swe7", b"tis620", b"ucs2", b"ujis",
    b"utf16", b"utf16le", b"utf32", b"utf8", b"utf8mb3", b"utf8mb4",
];

/// From here on MySQL warns of words that begin with a dollar; some version of 8.0 began to read strings instead.
const DOLLAR_DEPRECATED: u32 = 80_032;
/// From here on it is a string.
const DOLLAR_QUOTES: u32 = 80_100;
/// Where the server is not known, an end is looked for behind so many dollar words that have none: each costs a look at the
/// whole rest of the text.
const MAX_DOLLAR_SEARCHES: u8 = 32;

/// Bytes before a body that are looked through for `LANGUAGE JAVASCRIPT AS`.
const MAX_LANGUAGE: usize = 128;

impl Lexer<'_> {
    /// A string prefix of PostgreSQL (`E'`, `B'`, `X'`, `N'`, `U&'`, `U&"`), else a word.
    pub(super) fn prefixed(&mut self, first: u8) -> Kind {
        let (next, postgres) = (self.peek(1), self.dialect.is_postgres());
        match (first | 0x20, next) {
            (b'e', b'\'') if postgres => self.string(1, b'\'', true),
            (b'b' | b'x', b'\'') if postgres => self.string(1, b'\'', false),
            (b'b' | b'x', b'\'') => self.bits(),
            (b'n', b'\'') => {
                let backslash = self.backslash();
                self.string(1, b'\'', backslash)
            }
            (b'u', b'&') if postgres && self.peek(2) == b'\'' => self.string(2, b'\'', false),
            (b'u', b'&') if postgres && self.peek(2) == b'"' => self.identifier(2, b'"'),
            _ => self.word(),
        }
    }

    pub(super) fn backslash(&self) -> bool {
        match self.dialect {
            Dialect::Postgres { standard_conforming_strings } => !standard_conforming_strings,
            Dialect::Mysql { no_backslash_escapes, .. } => !no_backslash_escapes,
        }
    }

    pub(super) fn double_quote(&mut self) -> Kind {
        match self.dialect {
            Dialect::Mysql { ansi_quotes: false, no_backslash_escapes, .. } => {
                self.string(0, b'"', !no_backslash_escapes)
            }
            _ => self.identifier(0, b'"'),
        }
    }

    /// A quoted run from its opening quote on; a doubled quote stays inside.
    fn quoted(&mut self, quote: u8, backslash: bool) {
        let mut at = self.at + 1;
        let end = loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let found = if backslash { memchr2(quote, b'\\', rest) } else { memchr(quote, rest) };
            let Some(found) = found else { break None };
            at += found + 1;
            let escape = rest.get(found) == Some(&b'\\');
            if !escape && self.text.get(at) != Some(&quote) {
                break Some(at);
            }
            at += 1;
        };
        self.finish(end);
    }

    /// A string with the pieces that the server joins to it; MySQL's `@'a'` and the host of an account have none.
    pub(super) fn string(&mut self, prefix: usize, mut quote: u8, backslash: bool) -> Kind {
        let joins = self.dialect.is_postgres() || !self.follows(b"@");
        self.at += prefix;
        loop {
            let start = self.at;
            self.quoted(quote, backslash);
            // Most strings end here: a comma, a bracket, or one space and a word come next.
            if !joins || !is(self.peek(usize::from(self.peek(0) == b' ')), GAP) {
                return Kind::String;
            }
            let Some(next) = next_piece(self.clone()) else { return Kind::String };
            self.doubt_version_comment(self.text.get(start..self.at).unwrap_or_default());
            *self = Self { certain: self.certain & next.certain, ..next };
            quote = self.peek(0);
        }
    }

    /// A byte that begins nothing, or the `\N` that MySQL took for NULL up to 8.0, and MariaDB takes.
    #[inline(never)]
    pub(super) fn other(&mut self) -> Kind {
        let taken = matches!(
            self.dialect,
            Dialect::Mysql { server: Server::Unknown | Server::Mysql(..80_000) | Server::Mariadb(_), .. }
        );
        if !(taken && self.rest().starts_with(b"\\N")) {
            return self.one(Kind::Other);
        }
        self.at += 2;
        Kind::Word
    }

    /// MySQL's `X'0F'`, `B'1'`: no text, so that a string after it is another one.
    fn bits(&mut self) -> Kind {
        self.identifier(1, b'\'');
        Kind::String
    }

    pub(super) fn identifier(&mut self, prefix: usize, quote: u8) -> Kind {
        self.at += prefix;
        self.quoted(quote, false);
        Kind::Quoted
    }

    /// MySQL's `_utf8mb4'a'`: the name of a character set before a string is a part of it. Other words are columns, and a
    /// string behind one its label.
    pub(super) fn introducer(&mut self) -> Kind {
        let name = self.at + 1;
        self.word();
        let name = self.text.get(name..self.at).unwrap_or_default();
        if self.dialect.is_postgres() || !CHARACTER_SETS.iter().any(|set| name.eq_ignore_ascii_case(set)) {
            return Kind::Word;
        }
        let mut literal = self.clone();
        literal.skip_gap();
        let kind = match (literal.peek(0), literal.peek(1) | 0x20) {
            (b'\'', _) => literal.string(0, b'\'', literal.backslash()),
            (b'"', _) => literal.double_quote(),
            (b'x' | b'X' | b'b' | b'B', b'\'') => literal.bits(),
            (b'0', b'x' | b'b') => literal.number_or_word(),
            _ => Kind::Word,
        };
        match kind {
            Kind::String | Kind::Number => *self = literal,
            _ => return Kind::Word,
        }
        Kind::String
    }

    /// MySQL 9 quotes the body of a routine in another language with `$$` or `$tag$`; elsewhere that is a word, and behind a
    /// dot or an `@` always.
    pub(super) fn dollar_or_word(&mut self) -> Kind {
        let Dialect::Mysql { server, .. } = self.dialect else { return self.dollar() };
        let tag = self.rest().iter().skip(1).take_while(|byte| is(**byte, PART) && **byte != b'$').count();
        let delimiter = self.rest().get(..tag + 2).filter(|delimiter| delimiter.ends_with(b"$"));
        let Some(delimiter) = delimiter.filter(|_| !self.follows(b".@")) else { return self.word() };
        match server {
            Server::Mysql(DOLLAR_QUOTES..) => self.dollar_quoted(delimiter.len()),
            Server::Unknown if self.follows_language() => self.dollar_quoted(delimiter.len()),
            Server::Unknown | Server::Mysql(DOLLAR_DEPRECATED..) if self.ends_again(delimiter) => {
                self.dollar_quoted(delimiter.len())
            }
            _ => self.word(),
        }
    }

    /// Does the token stand behind `LANGUAGE JAVASCRIPT AS`? What has a word there is no routine.
    fn follows_language(&self) -> bool {
        let near = self.at.saturating_sub(MAX_LANGUAGE);
        let before = self.text.get(near..self.at).unwrap_or_default();
        let mut words = before.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"as"))
            && words.next().is_some()
            && words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"language"))
    }

    /// Is the byte before the token one of `signs`?
    fn follows(&self, signs: &[u8]) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.text.get(before));
        before.is_some_and(|before| signs.contains(before))
    }

    /// Does `delimiter`, which is next, come again? Then, or where it was asked too often, the text is doubtful.
    fn ends_again(&mut self, delimiter: &[u8]) -> bool {
        let body = self.rest().get(delimiter.len()..).unwrap_or_default();
        let asked = self.dollar_searches < MAX_DOLLAR_SEARCHES;
        let found = asked && memmem::find(body, delimiter).is_some();
        self.dollar_searches += u8::from(asked && !found);
        self.certain &= asked && !found;
        found
    }

    pub(super) fn dollar(&mut self) -> Kind {
        if is(self.peek(1), DIGIT) {
            self.at += 1;
            self.skip_while(DIGIT);
            return Kind::Parameter;
        }
        let tag = self.rest().iter().skip(1).take_while(|byte| is(**byte, PART) && **byte != b'$').count();
        if self.peek(tag + 1) != b'$' {
            return self.one(Kind::Other);
        }
        self.dollar_quoted(tag + 2)
    }

    /// From the delimiter of so many bytes, which is next, to where it comes again.
    fn dollar_quoted(&mut self, delimiter: usize) -> Kind {
        let (delimiter, body) = self.rest().split_at_checked(delimiter).unwrap_or_default();
        let found = memmem::find(body, delimiter);
        self.finish(found.map(|found| self.at + found + 2 * delimiter.len()));
        Kind::String
    }
}

/// At the opening quote of a string's next piece, where the last one ended.
#[inline(never)] // few strings have one
fn next_piece(lexer: Lexer<'_>) -> Option<Lexer<'_>> {
    if lexer.dialect.is_postgres() { lexer.piece_below() } else { lexer.piece_beside() }
}

impl Lexer<'_> {
    /// PostgreSQL joins across white space with a line end in it; `--` comments are white space, `/*` ones are not.
    fn piece_below(mut self) -> Option<Self> {
        let mut line_end = false;
        loop {
            match self.peek(0) {
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'\n' | b'\r' => {
                    line_end = true;
                    self.at += 1;
                }
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'\'' if line_end => return Some(self),
                _ => return None,
            }
        }
    }

    /// MySQL joins neighbours, whatever their quotes and whatever gap is between them, the ends of version comments too.
    fn piece_beside(mut self) -> Option<Self> {
        self.skip_gap();
        let double = matches!(self.dialect, Dialect::Mysql { ansi_quotes: false, .. });
        let quote = self.peek(0) == b'\'' || (double && self.peek(0) == b'"');
        quote.then_some(self)
    }
}
