//! The normalized text of a statement and its fingerprint: equal for statements that differ in literals alone.
//!
//! Literals become `?`; a list of literals after `IN` or `ARRAY`, and the rows of `VALUES`, become one; comments go; white
//! space becomes one space, none inside a bracket's edge, one after a comma; keywords become upper case. Identifiers and
//! parameters stay as written. The form is a contract (tests/data/sql/fingerprints.txt): who keeps fingerprints
//! over years compares them across versions.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::Dialect;
use super::keyword::keyword;
use super::lexer::{Kind, Lexer, Token};

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
/// steady state allocates nothing. `out` never grows beyond twice the text.
pub fn normalize(text: &str, dialect: Dialect, out: &mut String) {
    out.clear();
    let mut lexer = Lexer::new(text.as_bytes(), dialect);
    let mut form = Form { text, out, end: 0, last: Last::Open, levels: [Level::default(); LEVELS], depth: 0 };
    let mut next = lexer.next();
    while let Some(token) = next {
        next = lexer.next();
        if let Some(number) = next.filter(|next| form.is_sign(token, *next)) {
            form.literal(Token { start: token.start, ..number });
            next = lexer.next();
        } else {
            form.token(token);
        }
    }
    let length = out.trim_end_matches([';', ' ']).len();
    out.truncate(length);
}

/// Lists nested deeper than this are written out.
const LEVELS: usize = 16;

/// No position yet.
const NONE: usize = usize::MAX;

/// The text under construction.
struct Form<'t, 'o> {
    text: &'t str,
    out: &'o mut String,
    /// Where the last token ended in the text.
    end: usize,
    last: Last,
    levels: [Level; LEVELS],
    depth: usize,
}

/// What the last token was, as far as it says how to read the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A value ended: what follows is a binary operator.
    Operand,
    /// A string literal: another one continues it.
    String,
    Keyword(&'static str),
    /// An opening bracket, or the begin of the text.
    Open,
    Comma,
    Other,
}

/// The elements inside one pair of brackets.
#[derive(Clone, Copy)]
struct Level {
    fold: Fold,
    /// The element being written, and the last one kept: positions in the output.
    start: usize,
    kept: (usize, usize),
}

/// Which equal neighbours become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Nothing,
    /// Elements between commas: `IN (…)`, `ARRAY[…]`.
    List,
    /// Rows in parentheses: `VALUES (…), (…)`.
    Rows,
}

impl Default for Level {
    fn default() -> Self {
        Self { fold: Fold::Nothing, start: NONE, kept: (NONE, NONE) }
    }
}

impl Form<'_, '_> {
    fn token(&mut self, token: Token) {
        match token.kind {
            Kind::Word => self.word(token),
            Kind::String if self.last == Last::String => self.end = token.end,
            Kind::String | Kind::Number => self.literal(token),
            Kind::Quoted | Kind::Parameter => self.write(token, Last::Operand),
            Kind::Open | Kind::OpenBracket => self.open(token),
            Kind::Close | Kind::CloseBracket => self.close(token),
            Kind::Comma => self.comma(token),
            _ => self.write(token, Last::Other),
        }
    }

    fn word(&mut self, token: Token) {
        let spelling = self.text.get(token.start..token.end).unwrap_or_default();
        let Some(word) = keyword(spelling.as_bytes()) else { return self.write(token, Last::Operand) };
        if matches!(word, "NULL" | "TRUE" | "FALSE") && self.wants_value() {
            return self.literal(token);
        }
        self.write_as(token, word, if ends_value(word) { Last::Operand } else { Last::Keyword(word) });
        if word == "VALUES"
            && let Some(level) = self.levels.get_mut(self.depth)
        {
            *level = Level { fold: Fold::Rows, ..Level::default() };
        }
    }

    /// Where NULL, TRUE and FALSE are values, unlike in `IS NULL`, `NOT NULL`, `SET NULL`, `ON true`.
    fn wants_value(&self) -> bool {
        match self.last {
            Last::Keyword(word) => matches!(
                word,
                "SELECT"
                    | "THEN"
                    | "ELSE"
                    | "DEFAULT"
                    | "WHERE"
                    | "AND"
                    | "OR"
                    | "WHEN"
                    | "HAVING"
                    | "BETWEEN"
                    | "RETURN"
            ),
            last => matches!(last, Last::Open | Last::Comma | Last::Other),
        }
    }

    fn literal(&mut self, token: Token) {
        let last = if token.kind == Kind::String { Last::String } else { Last::Operand };
        self.write_as(token, "?", last);
    }

    /// Is `token` a sign that belongs to the number after it?
    fn is_sign(&self, token: Token, next: Token) -> bool {
        token.kind == Kind::Operator
            && next.kind == Kind::Number
            && !matches!(self.last, Last::Operand | Last::String)
            && matches!(self.text.as_bytes().get(token.start..token.end), Some(b"-" | b"+"))
    }

    fn open(&mut self, token: Token) {
        let list = matches!(self.last, Last::Keyword("IN" | "ARRAY"))
            || (token.kind == Kind::OpenBracket && self.last != Last::Operand);
        self.write(token, Last::Open);
        self.depth += 1;
        if let Some(level) = self.levels.get_mut(self.depth) {
            *level = Level { fold: if list { Fold::List } else { Fold::Nothing }, ..Level::default() };
        }
    }

    fn close(&mut self, token: Token) {
        self.finish(Fold::List);
        self.depth = self.depth.saturating_sub(1);
        self.write(token, Last::Operand);
        self.finish(Fold::Rows);
    }

    fn comma(&mut self, token: Token) {
        self.finish(Fold::List);
        self.end = token.start;
        self.out.push(',');
        (self.last, self.end) = (Last::Comma, token.end);
    }

    fn write(&mut self, token: Token, last: Last) {
        let spelling = self.text.get(token.start..token.end).unwrap_or_default();
        self.write_as(token, spelling, last);
    }

    fn write_as(&mut self, token: Token, spelling: &str, last: Last) {
        let tight = matches!(token.kind, Kind::Close | Kind::CloseBracket | Kind::Semicolon);
        if self.last == Last::Comma || (token.start > self.end && self.last != Last::Open && !tight) {
            self.out.push(' ');
        }
        self.begin(token.kind, spelling);
        self.out.push_str(spelling);
        (self.last, self.end) = (last, token.end);
    }

    /// Notes where an element begins; anything but rows ends a list of rows.
    fn begin(&mut self, kind: Kind, spelling: &str) {
        let at = self.out.len();
        let Some(level) = self.levels.get_mut(self.depth).filter(|level| level.fold != Fold::Nothing) else {
            return;
        };
        if level.start == NONE {
            level.start = at;
        }
        if level.fold == Fold::Rows && !matches!(kind, Kind::Open | Kind::Close) && spelling != "ROW" {
            level.fold = Fold::Nothing;
        }
    }

    /// An element ended: drops it where it equals the one before and holds a literal.
    fn finish(&mut self, fold: Fold) {
        let end = self.out.len();
        let Some(level) = self.levels.get_mut(self.depth).filter(|level| level.fold == fold) else { return };
        let (start, kept) = (std::mem::replace(&mut level.start, NONE), level.kept);
        let Some(element) = self.out.get(start..end) else { return };
        if element.contains('?') && self.out.get(kept.0..kept.1) == Some(element) {
            self.out.truncate(kept.1);
        } else {
            level.kept = (start, end);
        }
    }
}

/// Keywords that are values, or end one.
fn ends_value(word: &str) -> bool {
    matches!(word, "END" | "NULL" | "TRUE" | "FALSE" | "LOCALTIME" | "LOCALTIMESTAMP" | "SESSION_USER")
        || word.starts_with("CURRENT_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalized(text: &str, dialect: Dialect) -> String {
        let mut out = String::new();
        normalize(text, dialect, &mut out);
        out
    }

    /// Blocks of `text`, `= normalized`, `# fingerprint`; for PostgreSQL up to the line `@mysql`.
    #[test]
    fn golden() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/fingerprints.txt");
        let golden = std::fs::read_to_string(path).unwrap();
        let (mut dialect, mut actual) = (Dialect::POSTGRES, String::new());
        for line in golden.lines().filter(|line| !line.starts_with("= ") && !line.starts_with("# ")) {
            actual += &format!("{line}\n");
            if line == "@mysql" {
                dialect = Dialect::MYSQL;
                continue;
            }
            let form = normalized(&line.replace("\\n", "\n"), dialect);
            actual += &format!("= {form}\n# {}\n", fingerprint(&form));
        }
        assert!(actual == golden, "the file should be:\n{actual}<<<");
    }

    #[test]
    fn normalizing_twice_changes_nothing() {
        let once = normalized("select a,b from t where x in (1,2) and y = 'z' -- c", Dialect::POSTGRES);
        // `?` reads as an operator in PostgreSQL, so this holds for the rest of the form.
        assert_eq!(normalized(&once, Dialect::POSTGRES), once);
    }

    #[test]
    fn the_buffer_is_reused() {
        let mut out = String::with_capacity(256);
        let before = out.as_ptr();
        for text in ["SELECT 1", "INSERT INTO t VALUES (1,2),(3,4)"] {
            normalize(text, Dialect::POSTGRES, &mut out);
        }
        assert_eq!((out.as_str(), out.as_ptr()), ("INSERT INTO t VALUES (?, ?)", before));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_bounded(text in r#"([$'"`/*\-#;:E(),\[\]]|[a-z]|in|values|é|1|\PC){0,60}"#) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                prop_assert!(normalized(&text, dialect).len() <= 2 * text.len());
            }
        }

        #[test]
        fn literals_never_show(number in 100_000u32.., string in "[A-Z]{9}") {
            let sql = format!("SELECT {number}, '{string}', -{number}, E'{string}\\'', $x${string}$x$ FROM t");
            prop_assert_eq!(normalized(&sql, Dialect::POSTGRES), "SELECT ?, ?, ?, ?, ? FROM t");
        }
    }
}
