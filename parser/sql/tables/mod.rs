//! The tables that a statement names, found in its tokens.
//!
//! One pass with a stack of frames, one a parenthesis; no recursion, so depth costs memory only. It knows where a
//! table may stand (after FROM, JOIN, INTO, UPDATE, USING, REFERENCES, …), where FROM means something else
//! (`EXTRACT(x FROM y)`, `IS DISTINCT FROM`), and which names are common table expressions.

mod frame;
mod word;

use super::Dialect;
use super::cursor::Cursor;
use super::lexer::{Kind, Token};
use super::name::{folded, unquoted};
use frame::{Frame, Fresh, List, Verb, With};

/// How a statement uses a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Rows are read.
    Read,
    /// Rows, or the table itself, are changed.
    Write,
    /// Both.
    Both,
}

/// More tables than this in one statement are not listed.
pub(super) const MAX_TABLES: usize = 1_000;

/// A table's name where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// First byte in the text.
    pub(super) at: usize,
    /// As written, less the quoting.
    pub(super) name: String,
    /// As the server folds it: equal for two spellings of one table.
    pub(super) key: String,
    pub(super) mode: Mode,
    /// It is what the statement aims at: of DDL, of INTO, UPDATE, DELETE FROM.
    pub(super) target: bool,
    /// It stands in a list of tables (FROM, JOIN, USING): the grammar may know better.
    pub(super) listed: bool,
    /// How many parentheses it is in.
    pub(super) depth: usize,
}

/// The search: tables so far, and what was learned about the verb.
pub(super) struct Tables<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) found: Vec<Named>,
    /// The list is cut at [`MAX_TABLES`].
    pub(super) cut: bool,
    /// The statement's own data verb, and the first one that writes inside a WITH.
    pub(super) main: Option<&'static str>,
    pub(super) writing: Option<&'static str>,
    frames: Vec<Frame>,
    /// Names of common table expressions, and whether they are in sight yet; each frame knows how many there
    /// were when it opened.
    expressions: Vec<(String, bool)>,
    /// The two tokens before, as words or marks.
    before: [&'a str; 2],
    /// The statement defines something: REFERENCES, LIKE, INHERITS name tables.
    defines: bool,
    /// It is ALTER TABLE: INHERIT and ATTACH PARTITION name one too, where elsewhere INHERIT is a role's or a constraint's
    /// word, and the partition of an index is one.
    pub(super) alters: bool,
    /// It is CREATE SCHEMA: a definition ends where the next one begins.
    pub(super) schema: bool,
}

impl<'a> Tables<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self {
            cursor,
            found: Vec::new(),
            cut: false,
            main: None,
            writing: None,
            frames: vec![Frame::default()],
            expressions: Vec::new(),
            before: [""; 2],
            defines: false,
            alters: false,
            schema: false,
        }
    }

    /// Reads the rest of the text as a statement that reads or writes rows.
    pub(super) fn statement(&mut self) {
        self.begin(Fresh::Statement, Verb::None);
        self.run();
    }

    /// Reads the rest of a statement that can only hold queries.
    pub(super) fn rest(&mut self) {
        self.begin(Fresh::Nothing, Verb::None);
        self.run();
    }

    /// Reads the rest of a definition; a query after AS, statements after DO and ATOMIC are part of it.
    pub(super) fn definition(&mut self) {
        self.defines = true;
        self.begin(Fresh::Nothing, Verb::Define);
        self.run();
    }

    /// A list of tables comes next.
    pub(super) fn expect(&mut self) {
        self.frame().list = List::Expect(Mode::Read, false);
    }

    /// Reads a dotted name at the cursor and notes it as a table.
    pub(super) fn table(&mut self, mode: Mode, target: bool) -> bool {
        let Some(named) = self.name(mode, target) else { return false };
        self.before = [""; 2];
        self.note(named);
        true
    }

    /// Reads a dotted name at the cursor, unquoted, without noting it.
    pub(super) fn name(&mut self, mode: Mode, target: bool) -> Option<Named> {
        self.dotted(mode, target).map(|(named, _)| named)
    }

    /// Reads `table.column` at the cursor and notes the table. Gives the whole name.
    pub(super) fn column(&mut self, mode: Mode, target: bool) -> Option<String> {
        let (named, (name, key)) = self.dotted(mode, target)?;
        let whole = named.name.clone();
        let mut table = named;
        table.name.truncate(name);
        table.key.truncate(key);
        if !table.name.is_empty() {
            self.note(table);
        }
        Some(whole)
    }

    /// From here on this name is a common table expression.
    pub(super) fn defines_expression(&mut self, key: String) {
        self.note_expression(key, true);
    }

    /// Each table is looked for among them, so that there may not be too many.
    fn note_expression(&mut self, key: String, in_sight: bool) {
        if self.expressions.len() < MAX_TABLES {
            self.expressions.push((key, in_sight));
        } else {
            self.cut = true;
        }
    }

    /// A dotted name, and how long its name and key are without the last part.
    fn dotted(&mut self, mode: Mode, target: bool) -> Option<(Named, (usize, usize))> {
        let first = self.cursor.peek().filter(is_name)?;
        let (mut name, mut key) = (String::new(), String::new());
        let mut before_last = (0, 0);
        let mut part = Some(first);
        while let Some(token) = part {
            self.cursor.take();
            name.push_str(&unquoted(self.cursor.text, token));
            key.push_str(&folded(self.cursor.text, token, Dialect::POSTGRES));
            if token.kind == Kind::Quoted && self.cursor.eat("uescape") {
                self.cursor.eat_kind(Kind::String);
            }
            let dotted = self.cursor.kind() == Some(Kind::Dot);
            part = self.cursor.peek_at(1).filter(|next| dotted && is_name(next));
            if part.is_some() {
                self.cursor.take();
                before_last = (name.len(), key.len());
                name.push('.');
                key.push('.');
            }
        }
        let depth = self.frames.len() - 1;
        Some((Named { at: first.start, name, key, mode, target, listed: false, depth }, before_last))
    }

    pub(super) fn note(&mut self, named: Named) {
        if self.found.len() < MAX_TABLES {
            self.found.push(named);
        } else {
            self.cut = true;
        }
    }

    fn run(&mut self) {
        while let Some(token) = self.cursor.peek() {
            if self.schema && self.frames.len() == 1 && self.cursor.at_any(&["create", "grant"]) {
                return;
            }
            if matches!(self.frame().list, List::Expect(..)) && self.expected(token) {
                continue;
            }
            self.cursor.take();
            self.step(token);
        }
    }

    /// A table may stand here. True where the token was taken.
    fn expected(&mut self, token: Token) -> bool {
        let List::Expect(mode, target) = self.frame().list else { return false };
        let query = self.cursor.at_any(&["select", "with", "values"])
            || (self.frame().fresh == Fresh::Query && self.cursor.at("table"));
        if token.kind == Kind::Open || query {
            return false;
        }
        if self.cursor.at_any(&["only", "lateral"]) && self.only() {
            self.cursor.take();
            return true;
        }
        self.frame().list = List::After(mode, target);
        self.frame().fresh = Fresh::Nothing;
        if self.cursor.at("rows") && self.cursor.at_words(&["rows", "from"]) {
            self.cursor.eat_words(&["rows", "from"]);
            self.cursor.skip_parentheses();
            return true;
        }
        let Some(named) = self.name(mode, target) else { return false };
        let value = token.kind == Kind::Word && is_value(&named.key);
        let function = !target && (value || self.cursor.kind() == Some(Kind::Open));
        if !function && !self.is_expression(&named) {
            self.note(Named { listed: !target, ..named });
        }
        if target && self.frame().verb == Verb::Insert {
            self.insert_head();
        }
        true
    }

    /// Is this ONLY or LATERAL the word, not a table of that name?
    fn only(&self) -> bool {
        self.cursor.peek_at(1).is_some_and(|next| is_name(&next) || next.kind == Kind::Open)
    }

    fn is_expression(&self, named: &Named) -> bool {
        !named.target && self.expressions.iter().any(|(name, in_sight)| *in_sight && *name == named.key)
    }

    /// After `INSERT INTO t`: alias and columns go, then a query may begin.
    fn insert_head(&mut self) {
        if self.cursor.eat("as") {
            self.cursor.take();
        }
        let query = ["select", "with", "values", "table"]
            .iter()
            .any(|word| self.cursor.word_at(1).eq_ignore_ascii_case(word));
        if !query {
            self.cursor.skip_parentheses();
        }
        self.cursor.skip(&["overriding", "system", "user", "value"]);
        let frame = self.frame();
        (frame.list, frame.fresh) = (List::Idle, Fresh::Query);
    }

    fn step(&mut self, token: Token) {
        let label = token.kind == Kind::Word && self.is_label();
        match token.kind {
            Kind::Word if label => self.frame().fresh = Fresh::Nothing,
            Kind::Open => self.open(),
            Kind::Close => self.close(),
            Kind::Comma => self.comma(),
            Kind::Semicolon => self.semicolon(),
            Kind::Word | Kind::Quoted if self.frame().with == With::Name => self.expression(token),
            Kind::Word => self.word(self.cursor.spelling(token)),
            _ if self.frame().with == With::None => self.frame().fresh = Fresh::Nothing,
            _ => {}
        }
        let spelling = match token.kind {
            Kind::Word if label => "",
            Kind::Word => self.cursor.spelling(token),
            kind => kind_mark(kind),
        };
        let [_, last] = self.before;
        self.before = [last, spelling];
    }

    /// The word behind a dot is a column, that behind AS a label, whatever it spells: unless a query may begin there.
    fn is_label(&mut self) -> bool {
        let [_, last] = self.before;
        let Frame { with, fresh, .. } = *self.frame();
        with == With::None && (last == "." || last.eq_ignore_ascii_case("as") && fresh == Fresh::Nothing)
    }
}

/// What [`Tables`] remembers of a token that is no word.
fn kind_mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "(",
        Kind::Close => ")",
        Kind::Comma => ",",
        Kind::Dot => ".",
        _ => "",
    }
}

/// Functions of PostgreSQL that are called without brackets, or with FOR instead: reserved words, so no tables.
pub(super) fn is_value(word: &str) -> bool {
    const VALUES: [&str; 13] = [
        "collation",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "system_user",
        "user",
    ];
    VALUES.contains(&word)
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Quoted)
}
