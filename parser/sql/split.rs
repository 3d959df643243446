//! The statements of a text, cut where the server cuts it.
//!
//! PostgreSQL cuts by its grammar: a `;` in parentheses (`CREATE RULE … DO (a; b)`) or in the `BEGIN ATOMIC … END` body of
//! a function does not cut. A text that it would refuse is refused whole, so only texts without syntax errors need to be right.
//! MySQL runs a text statement by statement up to the first error; what it takes for one statement says
//! [`Compound`].

use std::ops::Range;

use super::Dialect;
use super::lexer::{Kind, Lexer};
use super::mysql::Compound;

/// Iterator over the statements of a text, as byte ranges: no `;`, no surrounding white space or comments. A version comment
/// (`/*!40101 SET NAMES utf8 */`) runs, and stays whole. Pieces without a token are no statements.
#[derive(Clone, Debug)]
pub struct Statements<'a> {
    text: &'a [u8],
    lexer: Lexer<'a>,
    dialect: Dialect,
    /// One past the `;` before the next piece.
    from: usize,
    /// Where the first token of the last piece is.
    begin: usize,
    with_comments: bool,
    certain: bool,
}

/// Cuts `text`. One pass, constant memory.
pub fn split(text: &[u8], dialect: Dialect) -> Statements<'_> {
    Statements {
        text,
        lexer: Lexer::new(text, dialect),
        dialect,
        from: 0,
        begin: 0,
        with_comments: false,
        certain: true,
    }
}

/// How many `;` stand in what is between two statements: each ends one, if only an empty one.
pub fn semicolons(between: &[u8], dialect: Dialect) -> usize {
    let mut lexer = Lexer::new(between, dialect);
    std::iter::from_fn(|| lexer.token()).filter(|token| token.kind == Kind::Semicolon).count()
}

impl Statements<'_> {
    /// The same, with the comments before and behind each statement: all of what stands between two `;`, less white space.
    #[must_use]
    pub fn with_comments(self) -> Self {
        Self { with_comments: true, ..self }
    }

    fn widen(&self, from: usize, end: usize) -> Range<usize> {
        let all = self.text.get(from..end).unwrap_or_default();
        let start = from + all.len() - all.trim_ascii_start().len();
        start..start + all.trim_ascii().len()
    }

    /// Where the last statement itself begins, behind the comments before it.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// False where a construct did not end, so that the cuts so far may be wrong. Ask after the last one.
    pub fn certain(&self) -> bool {
        self.certain && self.lexer.certain()
    }
}

impl Iterator for Statements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let mut piece: Option<Range<usize>> = None;
        let mut inside = false;
        let mut nesting = Nesting::new(self.dialect);
        let (mut from, mut end) = (self.from, self.text.len());
        while let Some(token) = self.lexer.token() {
            let comment = self.lexer.version_comment();
            if token.kind == Kind::Semicolon && nesting.outside() {
                // MariaDB refuses a statement that ends inside of a version comment, and all that follows.
                self.certain &= comment.is_none();
                self.from = token.end;
                if piece.is_some() {
                    end = token.start;
                    break;
                }
                from = token.end;
                continue;
            }
            nesting.enter(token.kind, self.text.get(token.start..token.end).unwrap_or_default());
            let start = comment.filter(|start| *start >= self.from).unwrap_or(token.start);
            piece = Some(piece.map_or(start, |piece| piece.start)..token.end);
            inside = comment.is_some();
        }
        self.certain &= nesting.outside() && nesting.certain();
        let mut piece = piece?;
        self.begin = piece.start;
        if inside {
            piece.end = piece.end.max(self.lexer.version_comment_end());
        }
        Some(if self.with_comments { self.widen(from, end) } else { piece })
    }
}

/// What a `;` would be inside of.
enum Nesting {
    Postgres(Atomic),
    Mysql(Compound),
}

impl Nesting {
    fn new(dialect: Dialect) -> Self {
        if dialect.is_postgres() { Self::Postgres(Atomic::default()) } else { Self::Mysql(Compound::new()) }
    }

    fn enter(&mut self, kind: Kind, spelling: &[u8]) {
        match self {
            Self::Postgres(atomic) => atomic.enter(kind, spelling),
            Self::Mysql(compound) => _ = compound.step(kind, spelling),
        }
    }

    fn outside(&self) -> bool {
        match self {
            Self::Postgres(atomic) => atomic.outside(),
            Self::Mysql(compound) => compound.outside(),
        }
    }

    fn certain(&self) -> bool {
        match self {
            Self::Postgres(_) => true,
            Self::Mysql(compound) => compound.certain(),
        }
    }
}

/// PostgreSQL: parentheses, and the `BEGIN ATOMIC … END` of a routine.
#[derive(Default)]
struct Atomic {
    parentheses: usize,
    body: bool,
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

/// The token before.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Word {
    #[default]
    Other,
    Begin,
    /// What follows is a part of a name.
    Dot,
    /// A statement of the body may begin here, so that END is no label.
    StatementStart,
}

impl Atomic {
    fn outside(&self) -> bool {
        self.parentheses == 0 && !self.body
    }

    fn enter(&mut self, kind: Kind, spelling: &[u8]) {
        match kind {
            Kind::Open => self.parentheses += 1,
            Kind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Word if self.routine != Routine::No => return self.word(spelling),
            _ => {}
        }
        self.last = match kind {
            Kind::Semicolon => Word::StatementStart,
            Kind::Dot => Word::Dot,
            _ => Word::Other,
        };
    }

    fn word(&mut self, word: &[u8]) {
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        self.words += 1;
        if self.routine == Routine::Unknown { self.head(is) } else { self.ends(is) }
    }

    /// `CREATE [OR REPLACE] FUNCTION`, nothing between: elsewhere `function` and `begin` may be columns.
    fn head(&mut self, is: impl Fn(&str) -> bool) {
        self.routine = match self.words {
            1 if is("create") => Routine::Unknown,
            2 if is("or") => Routine::Unknown,
            3 if is("replace") => Routine::Unknown,
            2 | 4 if is("function") || is("procedure") => Routine::Yes,
            _ => Routine::No,
        };
    }

    /// Each statement of a body ends with `;`, so its END follows one, or ATOMIC. Anywhere else END is the end of a CASE, or
    /// a label: `SELECT 1 AS end`, and since version 14 `SELECT 1 end`; `SELECT begin atomic` is a column and its
    /// label. Bodies do not nest.
    fn ends(&mut self, is: impl Fn(&str) -> bool) {
        let last = std::mem::replace(&mut self.last, Word::Other);
        match () {
            () if self.parentheses > 0 => {}
            () if !self.body && is("begin") => self.last = Word::Begin,
            () if last == Word::Begin && is("atomic") => {
                self.body = true;
                self.last = Word::StatementStart;
            }
            () if self.body && last == Word::StatementStart && is("end") => self.body = false,
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
    fn comments_stay_with_their_statements() {
        for (text, expected) in [
            (
                " /* a */ SELECT 1 -- b\n; -- c\n ; -- d\n SELECT 2 ; /* e */",
                vec!["/* a */ SELECT 1 -- b", "-- d\n SELECT 2"],
            ),
            ("SELECT 1; SELECT 2 -- a ; b\n", vec!["SELECT 1", "SELECT 2 -- a ; b"]),
            ("-- a", vec![]),
        ] {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                let pieces: Vec<_> =
                    split(text.as_bytes(), dialect).with_comments().map(|range| &text[range]).collect();
                assert_eq!(pieces, expected, "{text}");
            }
        }
    }

    /// Blocks of a text, `=`, its pieces (see the file's head): as MariaDB cuts them (scripts/judge-mysql).
    #[test]
    fn mysql_cuts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/mysql/split.txt");
        let corpus = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = corpus.lines().filter(|line| !line.starts_with(['#', '@'])).collect();
        let (mut seen, mut wrong) = (0, String::new());
        for block in lines.join("\n").split("\n\n").filter(|block| !block.trim().is_empty()) {
            let (text, expected) = block.trim().split_once("\n=\n").unwrap();
            let (actual, certain) = pieces(text, Dialect::MYSQL);
            let actual: Vec<String> = actual.iter().map(|piece| piece.replace('\n', "\\n")).collect();
            if actual != expected.lines().collect::<Vec<_>>() || !certain {
                wrong += &format!("\n{text}\n  actual {actual:#?} {certain}");
            }
            seen += 1;
        }
        assert!(wrong.is_empty() && seen > 30, "{seen}{wrong}");
    }

    #[test]
    fn mysql_says_when_blocks_are_too_deep() {
        let nested =
            |depth| format!("BEGIN NOT ATOMIC {}{}END", "BEGIN ".repeat(depth), "END; ".repeat(depth));
        assert!(pieces(&nested(60), Dialect::MYSQL).1);
        let deep = nested(10_000);
        let (all, certain) = pieces(&deep, Dialect::MYSQL);
        assert_eq!((all.len(), certain), (1, false));
        assert!(!pieces("CREATE PROCEDURE p() BEGIN SELECT 1;", Dialect::MYSQL).1);
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
        for (text, expected) in [
            ("/*! ; SELECT 1 */", vec!["SELECT 1 */"]),
            ("/*! SET */ a /*! ; SELECT 1", vec!["/*! SET */ a", "SELECT 1"]),
            ("/*! SELECT 1; */ SELECT 2", vec!["/*! SELECT 1", "SELECT 2"]),
        ] {
            assert_eq!(pieces(text, Dialect::MYSQL), (expected, false), "{text}");
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
