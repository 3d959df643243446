//! The statements of a text, cut where the server cuts it.
//!
//! PostgreSQL cuts by its grammar: a `;` in parentheses (`CREATE RULE … DO (a; b)`) or in the `BEGIN ATOMIC … END` body of
//! a function does not cut. MySQL's routine bodies are blocks of statements. A text that the server would
//! refuse is refused whole, so only texts without syntax errors need to be right.

use std::ops::Range;

use super::Dialect;
use super::lexer::{Kind, Lexer, Token};

/// Iterator over the statements of a text, as byte ranges: no `;`, no surrounding white space or comments.
/// Pieces without a token are no statements.
#[derive(Clone, Debug)]
pub struct Statements<'a> {
    text: &'a [u8],
    lexer: Lexer<'a>,
    dialect: Dialect,
    certain: bool,
}

/// Cuts `text`. One pass, constant memory.
pub fn split(text: &[u8], dialect: Dialect) -> Statements<'_> {
    Statements { text, lexer: Lexer::new(text, dialect), dialect, certain: true }
}

impl Statements<'_> {
    /// False where a construct did not end, so that the cuts so far may be wrong. Ask after the last one.
    pub fn certain(&self) -> bool {
        self.certain && self.lexer.certain()
    }
}

impl Iterator for Statements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let mut piece: Option<Range<usize>> = None;
        let mut nesting = Nesting::default();
        while let Some(token) = self.lexer.token() {
            if token.kind == Kind::Semicolon && nesting.outside() {
                if piece.is_some() {
                    break;
                }
                continue;
            }
            nesting.enter(token, self.text.get(token.start..token.end).unwrap_or_default(), self.dialect);
            piece = Some(piece.map_or(token.start, |piece| piece.start)..token.end);
        }
        self.certain &= nesting.outside();
        piece
    }
}

/// What a `;` would be inside of.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    blocks: usize,
    routine: Routine,
    words: u32,
    last: Word,
}

/// Whether the statement defines something whose body holds statements.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Routine {
    #[default]
    Unknown,
    Yes,
    No,
}

/// The words that open and close blocks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Word {
    #[default]
    Other,
    Begin,
    End,
    /// What follows is a label.
    As,
    /// What follows is a part of a name.
    Dot,
    /// Not a word itself: a statement may begin here, so that `IF` is no function (MySQL) and `END` no label.
    StatementStart,
}

/// `CREATE OR REPLACE DEFINER = a @ b SQL SECURITY INVOKER PROCEDURE`: no head is longer.
const HEAD_WORDS: u32 = 16;

impl Nesting {
    fn outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn enter(&mut self, token: Token, spelling: &[u8], dialect: Dialect) {
        match token.kind {
            Kind::Open => self.parentheses += 1,
            Kind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Word if self.routine != Routine::No => return self.word(spelling, dialect),
            _ => {}
        }
        let mysql = !dialect.is_postgres();
        self.last = match token.kind {
            Kind::Semicolon => Word::StatementStart,
            Kind::Colon if mysql => Word::StatementStart,
            Kind::Close if mysql && self.last == Word::Other => Word::StatementStart,
            Kind::Dot => Word::Dot,
            _ => Word::Other,
        };
    }

    fn word(&mut self, word: &[u8], dialect: Dialect) {
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        self.words += 1;
        if self.routine == Routine::Unknown {
            self.head(is, dialect);
            return;
        }
        if dialect.is_postgres() { self.postgres(is) } else { self.mysql(is) }
    }

    fn head(&mut self, is: impl Fn(&str) -> bool, dialect: Dialect) {
        if dialect.is_postgres() { self.postgres_head(is) } else { self.mysql_head(is) }
    }

    /// `CREATE [OR REPLACE] FUNCTION`, nothing between: elsewhere `function` and `begin` may be columns.
    fn postgres_head(&mut self, is: impl Fn(&str) -> bool) {
        self.routine = match self.words {
            1 if is("create") => Routine::Unknown,
            2 if is("or") => Routine::Unknown,
            3 if is("replace") => Routine::Unknown,
            2 | 4 if is("function") || is("procedure") => Routine::Yes,
            _ => Routine::No,
        };
    }

    fn mysql_head(&mut self, is: impl Fn(&str) -> bool) {
        const ROUTINES: [&str; 5] = ["function", "procedure", "trigger", "event", "package"];
        let begins = self.words == 1;
        if begins && is("begin") {
            self.last = Word::Begin;
        } else if self.last == Word::Begin && is("not") {
            // MariaDB's anonymous block: BEGIN NOT ATOMIC … END.
            (self.routine, self.blocks, self.last) = (Routine::Yes, 1, Word::StatementStart);
        } else if (begins && !is("create")) || self.last == Word::Begin || self.words > HEAD_WORDS {
            self.routine = Routine::No;
        } else if ROUTINES.iter().any(|name| is(name)) {
            self.routine = Routine::Yes;
        }
    }

    /// Each statement of a body ends with `;`, so its END follows one, or ATOMIC. Anywhere else END is the end of a CASE, or
    /// a label: `SELECT 1 AS end`, and since version 14 `SELECT 1 end`; `SELECT begin atomic` is a column and its
    /// label. Bodies do not nest.
    fn postgres(&mut self, is: impl Fn(&str) -> bool) {
        let last = std::mem::replace(&mut self.last, Word::Other);
        match () {
            () if self.parentheses > 0 => {}
            () if self.blocks == 0 && is("begin") => self.last = Word::Begin,
            () if last == Word::Begin && is("atomic") => {
                self.blocks = 1;
                self.last = Word::StatementStart;
            }
            () if self.blocks > 0 && last == Word::StatementStart && is("end") => self.blocks = 0,
            () => {}
        }
    }

    /// `END IF`, `END CASE`, `END LOOP`, …: the word after END opens nothing.
    fn mysql(&mut self, is: impl Fn(&str) -> bool) {
        let last = std::mem::replace(&mut self.last, Word::Other);
        let inside = self.blocks > 0;
        match () {
            () if last == Word::Dot || (last == Word::As && is("end")) => {}
            () if is("as") => self.last = Word::As,
            () if is("end") && inside => {
                self.blocks -= 1;
                self.last = Word::End;
            }
            () if last == Word::End
                && ["if", "case", "loop", "repeat", "while"].iter().any(|word| is(word)) => {}
            () if is("begin") || is("loop") || is("while") => {
                self.blocks += 1;
                self.last = Word::StatementStart;
            }
            () if is("case") => self.blocks += 1,
            () if (is("if") || is("repeat")) && last == Word::StatementStart => self.blocks += 1,
            () if is("then") || is("else") || is("do") => self.last = Word::StatementStart,
            () if is("row") || is("deterministic") || is("data") => self.last = Word::StatementStart,
            () => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str, dialect: Dialect) -> (Vec<&str>, bool) {
        let mut statements = split(text.as_bytes(), dialect);
        let pieces = statements.by_ref().map(|range| &text[range]).collect();
        (pieces, statements.certain())
    }

    #[test]
    fn postgres_cuts() {
        let atomic = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE a WHEN 1 THEN 2 END; END";
        let labels = "create function f() returns int begin atomic select 1 as end; select 1 as case; select 2 end; select (3) end; \
                      select t.end, t.case, begin atomic from t; select \"end\"; end";
        for (text, expected) in [
            ("", vec![]),
            (" ; -- a\n ; /* b */ ", vec![]),
            ("SELECT 1", vec!["SELECT 1"]),
            (" SELECT 1 ; /* a */ SELECT ';' -- x;\n;", vec!["SELECT 1", "SELECT ';'"]),
            ("DO $$a;b$$; END", vec!["DO $$a;b$$", "END"]),
            (
                "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
                vec!["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"],
            ),
            (&format!("{atomic}; SELECT 2"), vec![atomic, "SELECT 2"]),
            (&format!("{labels}; SELECT 2"), vec![labels, "SELECT 2"]),
            (
                "CREATE PROCEDURE p() BEGIN ATOMIC END; END",
                vec!["CREATE PROCEDURE p() BEGIN ATOMIC END", "END"],
            ),
            (
                "CREATE FUNCTION f(begin atomic) RETURNS int RETURN 1; SELECT 1",
                vec!["CREATE FUNCTION f(begin atomic) RETURNS int RETURN 1", "SELECT 1"],
            ),
            (
                "CREATE VIEW v AS SELECT function, begin atomic FROM t; SELECT 1",
                vec!["CREATE VIEW v AS SELECT function, begin atomic FROM t", "SELECT 1"],
            ),
            ("SELECT E'a'\n'\\''; SELECT ';'", vec!["SELECT E'a'\n'\\''", "SELECT ';'"]),
            (
                "BEGIN; SELECT CASE WHEN a THEN b END; END",
                vec!["BEGIN", "SELECT CASE WHEN a THEN b END", "END"],
            ),
            (
                "CREATE FUNCTION begin() RETURNS int RETURN 1; SELECT 1",
                vec!["CREATE FUNCTION begin() RETURNS int RETURN 1", "SELECT 1"],
            ),
        ] {
            assert_eq!(pieces(text, Dialect::POSTGRES), (expected, true), "{text}");
        }
    }

    #[test]
    fn mysql_cuts() {
        let body = "CREATE DEFINER=`a`@`b` PROCEDURE p(x INT) BEGIN IF x THEN SELECT IF(x,1,2); END IF; \
                    CASE x WHEN 1 THEN SELECT 1; END CASE; WHILE x DO SET x = 1; END WHILE; END";
        let short = "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF NEW.x THEN SET NEW.x = 1; END IF";
        for (text, expected) in [
            ("SELECT 1; SELECT 2", vec!["SELECT 1", "SELECT 2"]),
            (
                "CREATE PROCEDURE p() BEGIN SELECT 1 AS end; SELECT t.end, t.case FROM t; END; SELECT 2",
                vec![
                    "CREATE PROCEDURE p() BEGIN SELECT 1 AS end; SELECT t.end, t.case FROM t; END",
                    "SELECT 2",
                ],
            ),
            (&format!("{body}; SELECT 2"), vec![body, "SELECT 2"]),
            (&format!("{short}; SELECT 2"), vec![short, "SELECT 2"]),
            ("BEGIN; COMMIT", vec!["BEGIN", "COMMIT"]),
            (
                "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
                vec!["BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"],
            ),
            (
                "CREATE PROCEDURE IF NOT EXISTS p() SELECT 1; SELECT 2",
                vec!["CREATE PROCEDURE IF NOT EXISTS p() SELECT 1", "SELECT 2"],
            ),
        ] {
            assert_eq!(pieces(text, Dialect::MYSQL), (expected, true), "{text}");
        }
    }

    #[test]
    fn says_when_unsure() {
        for text in [
            "SELECT 'a; SELECT 2",
            "SELECT (1; SELECT 2",
            "SELECT 1 /* ;",
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;",
        ] {
            assert!(!pieces(text, Dialect::POSTGRES).1, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_ordered_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                let mut end = 0;
                for piece in split(&bytes, dialect) {
                    prop_assert!(piece.start >= end && piece.end > piece.start && piece.end <= bytes.len());
                    end = piece.end;
                }
            }
        }
    }
}
