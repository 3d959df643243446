//! One pass over a SQL text: bytes to tokens. It takes anything, always goes forward and allocates nothing.
//!
//! PostgreSQL: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>,
//! MySQL: <https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>.

use memchr::{memchr, memchr2, memmem};

use super::Dialect;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keyword or unquoted identifier.
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
    certain: bool,
}

impl<'a> Lexer<'a> {
    /// Reads `text` by the rules of `dialect`.
    pub fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self { text, at: 0, dialect, in_version_comment: false, certain: true }
    }

    /// False once a string, comment or quoted identifier ran into the end of the text.
    pub fn certain(&self) -> bool {
        self.certain
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

    #[inline(always)] // once per token: as a call it costs a tenth of the whole pass
    fn skip_gap(&mut self) {
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

    fn skip_line(&mut self) {
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

    fn string(&mut self, prefix: usize, mut quote: u8, backslash: bool) -> Kind {
        self.at += prefix;
        loop {
            self.quoted(quote, backslash);
            // Most strings end here: a comma, a bracket, or one space and a word come next.
            if !is(self.peek(usize::from(self.peek(0) == b' ')), GAP) {
                return Kind::String;
            }
            let Some(next) = next_piece(self.text, self.at, self.dialect) else { return Kind::String };
            self.at = next;
            quote = self.peek(0);
        }
    }

    /// MySQL's `X'0F'`, `B'1'`: no text, so that a string after it is another one.
    fn bits(&mut self) -> Kind {
        self.identifier(1, b'\'');
        Kind::String
    }

    fn identifier(&mut self, prefix: usize, quote: u8) -> Kind {
        self.at += prefix;
        self.quoted(quote, false);
        Kind::Quoted
    }

    fn dollar(&mut self) -> Kind {
        self.at += 1;
        if is(self.peek(0), DIGIT) {
            self.skip_while(DIGIT);
            return Kind::Parameter;
        }
        let tag = self.rest().iter().take_while(|byte| is(**byte, PART) && **byte != b'$').count();
        if self.peek(tag) != b'$' {
            return Kind::Other;
        }
        let body = self.at + tag + 1;
        let delimiter = self.text.get(self.at - 1..body).unwrap_or_default();
        let found = memmem::find(self.text.get(body..).unwrap_or_default(), delimiter);
        self.finish(found.map(|found| body + found + delimiter.len()));
        Kind::String
    }

    fn number(&mut self) -> Kind {
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

    fn word(&mut self) -> Kind {
        self.at += 1;
        self.skip_while(PART);
        Kind::Word
    }

    /// A string prefix of PostgreSQL (`E'`, `B'`, `X'`, `N'`, `U&'`, `U&"`), else a word.
    fn prefixed(&mut self, first: u8) -> Kind {
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

    fn backslash(&self) -> bool {
        match self.dialect {
            Dialect::Postgres { standard_conforming_strings } => !standard_conforming_strings,
            Dialect::Mysql { no_backslash_escapes, .. } => !no_backslash_escapes,
        }
    }

    fn double_quote(&mut self) -> Kind {
        match self.dialect {
            Dialect::Mysql { ansi_quotes: false, no_backslash_escapes } => {
                self.string(0, b'"', !no_backslash_escapes)
            }
            _ => self.identifier(0, b'"'),
        }
    }

    fn operator(&mut self) -> Kind {
        let length =
            if self.dialect.is_postgres() { self.postgres_operator() } else { self.mysql_operator() };
        self.at += length.max(1);
        Kind::Operator
    }

    /// The longest run of operator characters, cut before a comment; `+` and `-` end a long operator only
    /// where it holds one of the characters that SQL's own operators do not have.
    fn postgres_operator(&self) -> usize {
        let run = self.rest();
        let mut length = run.iter().take_while(|byte| is(**byte, OPERATOR)).count();
        if length == 1 {
            return length;
        }
        let run = run.get(..length).unwrap_or_default();
        if let Some(comment) = run.windows(2).position(|pair| pair == b"--" || pair == b"/*") {
            length = comment;
        }
        let special = |bytes: &[u8]| bytes.iter().any(|byte| b"~!@#%^&|`?".contains(byte));
        while length > 1
            && run.get(length - 1).is_some_and(|last| matches!(last, b'+' | b'-'))
            && !special(run.get(..length - 1).unwrap_or_default())
        {
            length -= 1;
        }
        length
    }

    fn mysql_operator(&self) -> usize {
        const LONG: [&[u8]; 13] =
            [b"<=>", b"->>", b"->", b"<=", b">=", b"<>", b"!=", b"<<", b">>", b"||", b"&&", b"@@", b":="];
        LONG.iter().find(|operator| self.rest().starts_with(operator)).map_or(1, |operator| operator.len())
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

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    /// MySQL lets a word begin with digits: `1st`.
    fn number_or_word(&mut self) -> Kind {
        let kind = self.number();
        if !self.dialect.is_postgres() && is(self.peek(0), START) {
            self.skip_while(PART);
            return Kind::Word;
        }
        kind
    }
}

/// The opening quote of a string's next piece, read by the rules of the first, where the last one ended at `at`.
#[inline(never)] // few strings have one
fn next_piece(text: &[u8], at: usize, dialect: Dialect) -> Option<usize> {
    let lexer = Lexer { at, ..Lexer::new(text, dialect) };
    if dialect.is_postgres() { lexer.piece_below() } else { lexer.piece_beside() }
}

impl Lexer<'_> {
    /// PostgreSQL joins across white space with a line end in it; `--` comments are white space, `/*` ones are not.
    fn piece_below(mut self) -> Option<usize> {
        let mut line_end = false;
        loop {
            match self.peek(0) {
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'\n' | b'\r' => {
                    line_end = true;
                    self.at += 1;
                }
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'\'' if line_end => return Some(self.at),
                _ => return None,
            }
        }
    }

    /// MySQL joins neighbours, whatever their quotes and whatever gap is between them.
    fn piece_beside(mut self) -> Option<usize> {
        self.skip_gap();
        let double = matches!(self.dialect, Dialect::Mysql { ansi_quotes: false, .. });
        let quote = self.peek(0) == b'\'' || (double && self.peek(0) == b'"');
        (quote && !self.in_version_comment).then_some(self.at)
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_gap();
        let start = self.at;
        let Some(&first) = self.text.get(start) else {
            self.certain &= !self.in_version_comment;
            return None;
        };
        let postgres = self.dialect.is_postgres();
        let kind = match first {
            b'b' | b'B' | b'e' | b'E' | b'n' | b'N' | b'u' | b'U' | b'x' | b'X' => self.prefixed(first),
            _ if is(first, START) => self.word(),
            b'0'..=b'9' => self.number_or_word(),
            b',' => self.one(Kind::Comma),
            b'(' => self.one(Kind::Open),
            b')' => self.one(Kind::Close),
            b'.' if is(self.peek(1), DIGIT) => self.number(),
            b'.' => self.one(Kind::Dot),
            b'\'' => {
                let backslash = self.backslash();
                self.string(0, b'\'', backslash)
            }
            b'$' if postgres => self.dollar(),
            b'$' => self.word(),
            b'?' if !postgres => self.one(Kind::Parameter),
            b'"' => self.double_quote(),
            b'`' if !postgres => self.identifier(0, b'`'),
            b';' => self.one(Kind::Semicolon),
            b':' => self.colon(),
            b'[' => self.one(Kind::OpenBracket),
            b']' => self.one(Kind::CloseBracket),
            _ if is(first, OPERATOR) => self.operator(),
            _ => self.one(Kind::Other),
        };
        Some(Token { kind, start, end: self.at })
    }
}

const START: u8 = 1;
const PART: u8 = 2;
const DIGIT: u8 = 4;
const OPERATOR: u8 = 8;
/// Part of a word or number, but no `$`.
const WORD: u8 = 16;
/// What may stand between two pieces of a string, and begin the second one.
const GAP: u8 = 32;

static CLASSES: [u8; 256] = classes();

fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: out of bounds would not build
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => START | PART | WORD,
            b'0'..=b'9' => DIGIT | PART | WORD,
            b'$' => PART,
            b'#' | b'-' | b'*' | b'/' => OPERATOR | GAP,
            b'~' | b'!' | b'@' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'%' | b'<' | b'>' | b'=' => {
                OPERATOR
            }
            b' ' | b'\t'..=b'\r' | b'\'' | b'"' => GAP,
            _ => 0,
        };
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tokens as `kind:text`, then `unsure` where it is.
    fn tokens(text: &str, dialect: Dialect) -> String {
        let mut lexer = Lexer::new(text.as_bytes(), dialect);
        let mut out: Vec<String> = lexer
            .by_ref()
            .map(|token| format!("{:?}:{}", token.kind, &text[token.start..token.end]))
            .collect();
        if !lexer.certain() {
            out.push("unsure".into());
        }
        out.join(" ")
    }

    #[test]
    fn postgres() {
        for (sql, expected) in [
            ("a'b''c'd", "Word:a String:'b''c' Word:d"),
            (r"'a\' b", r"String:'a\' Word:b"),
            (r"E'a\'b' c", r"String:E'a\'b' Word:c"),
            (r#"U&'\0061' U&"b""c""#, r#"String:U&'\0061' Quoted:U&"b""c""#),
            ("b'1' X'f' n'x'", "String:b'1' String:X'f' String:n'x'"),
            ("$$a;b$$ $t$ $$ $t$", "String:$$a;b$$ String:$t$ $$ $t$"),
            ("a$b $1 $12c", "Word:a$b Parameter:$1 Parameter:$12 Word:c"),
            ("a/* /* ' */ -- */b--c\nd", "Word:a Word:b Word:d"),
            (
                "1 1.5e3 .5 5. 0xFF 1_000 1e",
                "Number:1 Number:1.5e3 Number:.5 Number:5. Number:0xFF Number:1_000 Number:1 Word:e",
            ),
            ("1..2", "Number:1 Dot:. Number:.2"),
            (
                "a=-1 b@-1 c<=--d",
                "Word:a Operator:= Operator:- Number:1 Word:b Operator:@- Number:1 Word:c Operator:<=",
            ),
            (
                "a->>'b'::text[1]:=2",
                "Word:a Operator:->> String:'b' Cast::: Word:text OpenBracket:[ Number:1 CloseBracket:] Colon::= Number:2",
            ),
            ("a?|b", "Word:a Operator:?| Word:b"),
            ("é.ß", "Word:é Dot:. Word:ß"),
            ("'a", "String:'a unsure"),
            ("a /* b", "Word:a unsure"),
            ("$x$ a $y$", "String:$x$ a $y$ unsure"),
            ("\"a", "Quoted:\"a unsure"),
            (r"E'\", r"String:E'\ unsure"),
            ("'a'\n'b' c", "String:'a'\n'b' Word:c"),
            ("E'a' -- x'\r\n\t-- '\n'\\''; d", "String:E'a' -- x'\r\n\t-- '\n'\\'' Semicolon:; Word:d"),
            ("'a'\n'\\'; d", "String:'a'\n'\\' Semicolon:; Word:d"),
            ("X'0'\n'f' U&'a'\n'b'\n'c'", "String:X'0'\n'f' String:U&'a'\n'b'\n'c'"),
            ("'a' 'b'", "String:'a' String:'b'"),
            ("'a' /*\n*/ 'b'", "String:'a' String:'b'"),
            ("'a'\n/* */ 'b'", "String:'a' String:'b'"),
            ("'a'\nE'b'", "String:'a' String:E'b'"),
            ("$$a$$\n'b'", "String:$$a$$ String:'b'"),
            ("\"a\"\n'b'", "Quoted:\"a\" String:'b'"),
            ("'a'\n--", "String:'a'"),
            ("'a'\n'b", "String:'a'\n'b unsure"),
            ("", ""),
        ] {
            assert_eq!(tokens(sql, Dialect::POSTGRES), expected, "{sql}");
        }
        let old = Dialect::Postgres { standard_conforming_strings: false };
        assert_eq!(tokens(r"'a\'b' c", old), r"String:'a\'b' Word:c");
    }

    #[test]
    fn mysql() {
        for (sql, expected) in [
            ("`a``b` \"c\\\"d\" ?", "Quoted:`a``b` String:\"c\\\"d\" Parameter:?"),
            ("1--1 # x\n2 -- y\n3", "Number:1 Operator:- Operator:- Number:1 Number:2 Number:3"),
            ("a /*!50003 b */ c /* d */ e /*M! f */", "Word:a Word:b Word:c Word:e Word:f"),
            (
                "1st 1e5 @@x @y := 2",
                "Word:1st Number:1e5 Operator:@@ Word:x Operator:@ Word:y Colon::= Number:2",
            ),
            ("a<=>b", "Word:a Operator:<=> Word:b"),
            (r#"'a' "b\"" /* c */ '\'' d"#, r#"String:'a' "b\"" /* c */ '\'' Word:d"#),
            ("X'0f' 'a'", "String:X'0f' String:'a'"),
            ("'a' /*! b */ 'c'", "String:'a' Word:b String:'c'"),
            ("'a' /* b", "String:'a' unsure"),
        ] {
            assert_eq!(tokens(sql, Dialect::MYSQL), expected, "{sql}");
        }
        let ansi = Dialect::Mysql { ansi_quotes: true, no_backslash_escapes: true };
        assert_eq!(tokens(r#""a" 'b\' c"#, ansi), r#"Quoted:"a" String:'b\' Word:c"#);
        assert_eq!(tokens(r#"'a' "b""#, ansi), r#"String:'a' Quoted:"b""#);
    }

    proptest! {
        #[test]
        fn any_bytes_give_ordered_tokens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                let mut end = 0;
                for token in Lexer::new(&bytes, dialect) {
                    prop_assert!(token.start >= end && token.end > token.start && token.end <= bytes.len());
                    end = token.end;
                }
            }
        }

        #[test]
        fn bounds_fall_on_characters(text in r#"([$'"`/*\-#;:E]|[a-z]|é|\PC){0,60}"#) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                for token in Lexer::new(text.as_bytes(), dialect) {
                    prop_assert!(text.get(token.start..token.end).is_some());
                }
            }
        }
    }
}
