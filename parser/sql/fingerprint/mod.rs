//! The normalized text of a statement and its fingerprint: equal for statements that differ in literals alone.
//!
//! Literals become `?`; a list of literals after `IN` or `ARRAY` becomes one, and so do the rows of `VALUES`, equal ones
//! without literals too; comments go; keywords become upper case. Other words without quotes become lower case: in PostgreSQL
//! all of them, as it folds them itself; in MySQL, whose tables may be told apart by case, types and names of functions. Where
//! a space stands is said by the tokens alone (see `space`), so that `a=1` and `a = 1` are one form. NULL, TRUE and FALSE are
//! literals where a value stands, not where they are the form of the statement (`IS NULL`, `NOT NULL`, `SET NULL`).
//! Parameters stay as written, and quoted names; but a list of parameters, and rows of them, become one as those of literals
//! do, and the parameters that are left count without those that went: `a IN ($1, $2) AND b = $3` is
//! `a IN ($1) AND b = $2`. The form is a contract (tests/data/sql/fingerprints.txt): who
//! keeps fingerprints over years compares them across versions.

mod fold;
mod mysql;
mod parameter;
mod space;
#[cfg(test)]
mod tests;
mod value;
mod write;

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::Dialect;
use super::keyword::keyword;
use super::lexer::{Kind, Lexer, Token};
use fold::{Fold, Levels};
use parameter::Dropped;
use value::{ends_value, precedes_value};

/// Hash of a normalized text: XXH3, 64 bits, seed 0. Shown as 16 hex digits. Stable across versions and machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The fingerprint of a text that [`normalize`] made.
pub fn fingerprint(normalized: &str) -> Fingerprint {
    Fingerprint(xxh3_64(normalized.as_bytes()))
}

/// Writes the normalized form of one statement into `out`, which is cleared first and kept by the caller, so that the
/// steady state allocates nothing. `out` never grows beyond three times the text.
pub fn normalize(text: &str, dialect: Dialect, out: &mut String) {
    out.clear();
    match dialect.is_postgres() {
        true => Form::<true>::new(text, out, dialect).read(),
        false => Form::<false>::new(text, out, dialect).read(),
    }
    let length = out.trim_end_matches([';', ' ']).len();
    out.truncate(length);
}

/// The text under construction. Made for each dialect by itself, so that the one does not pay for the other's rules.
struct Form<'t, 'o, const POSTGRES: bool> {
    text: &'t str,
    dialect: Dialect,
    out: &'o mut String,
    /// What comes next in the output as it is in the text, up to the end of the last token. Copied in one go, as late as can be.
    run: (usize, usize),
    /// Where the last token ended in the text.
    end: usize,
    last: Last,
    levels: Levels,
    /// A sign that belongs to the number after it, should one follow.
    sign: Option<usize>,
    dropped: Dropped,
}

/// What the last token was, as far as it says how to read the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A value ended: what follows is a binary operator.
    Operand,
    /// The same, with a bracket, or with a word of MySQL's that is no name.
    Close,
    Term,
    /// A string literal: another one continues it.
    String,
    /// MySQL's `@` before a variable, and before the host of an account.
    At,
    Account,
    /// `.`, `::`, `:`
    Dot,
    Cast,
    Colon,
    Keyword(&'static str),
    /// An opening bracket, or the begin of the text.
    Open,
    Comma,
    Other,
}

impl<'t, 'o, const POSTGRES: bool> Form<'t, 'o, POSTGRES> {
    fn new(text: &'t str, out: &'o mut String, dialect: Dialect) -> Self {
        Self {
            text,
            dialect,
            out,
            run: (0, 0),
            end: 0,
            last: Last::Open,
            levels: Levels::default(),
            sign: None,
            dropped: Dropped::default(),
        }
    }

    /// Reads the text to its end.
    #[inline(always)] // so that the form is kept in registers
    fn read(mut self) {
        let mut lexer = Lexer::new(self.text.as_bytes(), self.dialect);
        while let Some(token) = lexer.token() {
            self.token(token);
        }
        self.write_sign();
        self.flush();
        if POSTGRES {
            self.dropped.renumber(self.out);
        }
    }

    #[inline(always)] // once per token
    fn token(&mut self, mut token: Token) {
        if let Some(sign) = self.sign {
            match token.kind {
                Kind::Number => (token.start, self.sign) = (sign, None),
                _ => self.write_sign(),
            }
        }
        match token.kind {
            Kind::Word => self.word(token),
            Kind::Operator if self.is_sign(token) => self.sign = Some(token.start),
            Kind::Operator if !POSTGRES => self.mysql_operator(token),
            Kind::String if self.last == Last::String => self.end = token.end,
            Kind::String if !POSTGRES && self.last == Last::At => self.variable(token),
            Kind::String | Kind::Number => self.literal(token),
            Kind::Quoted | Kind::Parameter => self.write(token, Last::Operand),
            Kind::Open | Kind::OpenBracket => self.open(token),
            Kind::Close | Kind::CloseBracket => self.close(token),
            Kind::Comma => self.comma(token),
            Kind::Dot => self.write(token, Last::Dot),
            Kind::Cast => self.write(token, Last::Cast),
            Kind::Colon if token.end - token.start == 1 => self.write(token, Last::Colon),
            _ => self.write(token, Last::Other),
        }
    }

    fn word(&mut self, token: Token) {
        let spelling = self.text.as_bytes().get(token.start..token.end).unwrap_or_default();
        let Some(word) = keyword(spelling) else { return self.name(token, spelling) };
        if matches!(word, "NULL" | "TRUE" | "FALSE") && self.last != Last::Dot && self.wants_value(word) {
            return self.literal(token);
        }
        let last = if ends_value(word) { Last::Operand } else { Last::Keyword(word) };
        match spelling == word.as_bytes() {
            true => self.write(token, last),
            // A name.
            false if self.last == Last::Dot => return self.folded_name(token, spelling),
            false => self.write_as(token, word, last),
        }
        if word == "VALUES" {
            self.levels.begin(Fold::Rows);
        }
    }

    /// A word that is no keyword of both dialects: it stays as it is.
    #[inline(always)] // once per name
    fn name(&mut self, token: Token, spelling: &[u8]) {
        if !POSTGRES {
            return self.mysql_name(token, spelling);
        }
        // `U&'…' UESCAPE '!'` is one literal: what follows is a part of it as a second string would be.
        if self.last == Last::String && spelling.eq_ignore_ascii_case(b"UESCAPE") {
            self.end = token.end;
            return;
        }
        self.folded_name(token, spelling);
    }

    /// A name without quotes: PostgreSQL folds it to lower case, letters of ASCII alone. A parameter's name is the client's.
    #[inline(always)] // once per name
    fn folded_name(&mut self, token: Token, spelling: &[u8]) {
        let folds = POSTGRES && self.last != Last::Colon && spelling.iter().any(u8::is_ascii_uppercase);
        match folds {
            true => self.write_lower(token, Last::Operand),
            false => self.write(token, Last::Operand),
        }
    }

    /// Where NULL, TRUE and FALSE are values, unlike in `IS NULL`, `IS NOT TRUE`, `NOT NULL`, `SET NULL`, `ABSENT ON NULL`.
    fn wants_value(&mut self, value: &str) -> bool {
        match self.last {
            Last::Keyword("ON") => value != "NULL",
            Last::Keyword("NOT") => {
                self.flush();
                value != "NULL" && !self.out.ends_with("IS NOT")
            }
            Last::Keyword(word) => precedes_value(word),
            last => matches!(last, Last::Open | Last::Comma | Last::Other | Last::Colon),
        }
    }

    fn literal(&mut self, token: Token) {
        let last = if token.kind == Kind::String { Last::String } else { Last::Operand };
        self.write_as(token, "?", last);
    }

    /// May `token` be the sign of a number after it?
    fn is_sign(&self, token: Token) -> bool {
        let sign = token.end - token.start == 1
            && matches!(self.text.as_bytes().get(token.start), Some(b'-' | b'+'));
        sign && (!self.after_operand() || self.after(b"mod"))
    }

    fn after_operand(&self) -> bool {
        matches!(self.last, Last::Operand | Last::String | Last::Close | Last::Term)
    }

    /// It was no sign of a number.
    #[inline(never)]
    fn write_sign(&mut self) {
        if let Some(start) = self.sign.take() {
            self.write(Token { kind: Kind::Operator, start, end: start + 1 }, Last::Other);
        }
    }

    fn open(&mut self, token: Token) {
        let list = matches!(self.last, Last::Keyword("IN" | "ARRAY"))
            || (token.kind == Kind::OpenBracket && !matches!(self.last, Last::Operand | Last::Close));
        if self.after(b"value") {
            self.levels.begin(Fold::Rows);
        }
        self.write(token, Last::Open);
        self.levels.open(list);
    }

    fn close(&mut self, token: Token) {
        self.finish(Fold::List);
        self.levels.close();
        self.write(token, Last::Close);
        self.finish(Fold::Rows);
    }

    fn comma(&mut self, token: Token) {
        self.finish(Fold::List);
        self.space(token, false);
        (self.run.1, self.end, self.last) = (token.end, token.end, Last::Comma);
    }
}
