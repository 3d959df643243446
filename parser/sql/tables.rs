//! The tables that a statement names, found in its tokens.
//!
//! One pass with a stack of frames, one a parenthesis; no recursion, so depth costs memory only. It knows where a
//! table may stand (after FROM, JOIN, INTO, UPDATE, USING, REFERENCES, …), where FROM means something else
//! (`EXTRACT(x FROM y)`, `IS DISTINCT FROM`), and which names are common table expressions.

use super::Dialect;
use super::cursor::Cursor;
use super::keyword::keyword;
use super::lexer::{Kind, Token};
use super::name::{folded, unquoted};

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
    /// It is ALTER TABLE: INHERIT names one too, where elsewhere it is a role's or a constraint's word.
    pub(super) alters: bool,
}

/// One level of parentheses; the first is the statement itself.
#[derive(Clone, Copy, Default)]
struct Frame {
    fresh: Fresh,
    verb: Verb,
    list: List,
    with: With,
    recursive: bool,
    /// Opened as the body of a common table expression.
    body: bool,
    expressions: usize,
}

/// What may begin with the next token.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fresh {
    #[default]
    Nothing,
    /// SELECT, VALUES, TABLE, WITH.
    Query,
    /// These and INSERT, UPDATE, DELETE, MERGE.
    Statement,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    /// CREATE, ALTER and the like, whose target is already known.
    Define,
}

/// Where in a list of tables the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    Idle,
    /// A table comes next.
    Expect(Mode, bool),
    /// One was there: a comma or JOIN brings the next.
    After(Mode, bool),
}

/// Where in a WITH clause the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum With {
    #[default]
    None,
    Name,
    /// After the name: its columns, then AS.
    Header,
    /// After AS: the body.
    Body,
    /// After a body: a comma, or the statement.
    Next,
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
        }
    }

    /// Reads the rest of the text as a statement that reads or writes rows.
    pub(super) fn statement(&mut self) {
        self.begin(Fresh::Statement, Verb::None);
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
        let first = self.cursor.peek().filter(is_name)?;
        let (mut name, mut key) = (String::new(), String::new());
        let mut part = Some(first);
        while let Some(token) = part {
            self.cursor.take();
            name.push_str(&unquoted(self.cursor.text, token));
            key.push_str(&folded(self.cursor.text, token, Dialect::POSTGRES));
            let dotted = self.cursor.kind() == Some(Kind::Dot);
            part = self.cursor.peek_at(1).filter(|next| dotted && is_name(next));
            if part.is_some() {
                self.cursor.take();
                name.push('.');
                key.push('.');
            }
        }
        let depth = self.frames.len() - 1;
        Some(Named { at: first.start, name, key, mode, target, listed: false, depth })
    }

    pub(super) fn note(&mut self, named: Named) {
        if self.found.len() < MAX_TABLES {
            self.found.push(named);
        } else {
            self.cut = true;
        }
    }

    fn begin(&mut self, fresh: Fresh, verb: Verb) {
        if let Some(frame) = self.frames.last_mut() {
            (frame.fresh, frame.verb) = (fresh, verb);
        }
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        // Never absent: pushed above where it was.
        #[allow(clippy::indexing_slicing)]
        &mut self.frames[last]
    }

    fn run(&mut self) {
        while let Some(token) = self.cursor.peek() {
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
        let value = token.kind == Kind::Word && self.cursor.dialect.is_postgres() && is_value(&named.key);
        let function = !target && (value || self.cursor.kind() == Some(Kind::Open));
        if !function && !self.is_expression(&named) && !self.is_dual(&named) {
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

    fn is_dual(&self, named: &Named) -> bool {
        !self.cursor.dialect.is_postgres() && named.key == "dual"
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
        match token.kind {
            Kind::Open => self.open(),
            Kind::Close => self.close(),
            Kind::Comma => self.comma(),
            Kind::Semicolon => self.semicolon(),
            Kind::Word | Kind::Quoted if self.frame().with == With::Name => self.expression(token),
            Kind::Word => self.word(self.cursor.spelling(token)),
            _ if self.frame().with == With::None => self.frame().fresh = Fresh::Nothing,
            _ => {}
        }
        let spelling =
            if token.kind == Kind::Word { self.cursor.spelling(token) } else { kind_mark(token.kind) };
        let [_, last] = self.before;
        self.before = [last, spelling];
    }

    fn open(&mut self) {
        let expressions = self.expressions.len();
        let frame = self.frame();
        let mut inner = Frame { fresh: Fresh::Query, expressions, ..Frame::default() };
        match (frame.with, frame.list) {
            (With::Body, _) => {
                frame.with = With::Next;
                (inner.fresh, inner.body) = (Fresh::Statement, true);
            }
            (With::None, List::Expect(mode, target)) => {
                frame.list = List::After(mode, target);
                inner.list = List::Expect(mode, target);
            }
            _ if frame.fresh == Fresh::Statement => inner.fresh = Fresh::Statement,
            _ => {}
        }
        self.frames.push(inner);
    }

    fn close(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(closed) = self.frames.pop() else { return };
        self.expressions.truncate(closed.expressions);
        // The body's own name was noted before it opened; from here on it is in sight.
        if let Some((_, in_sight)) = self.expressions.last_mut().filter(|_| closed.body) {
            *in_sight = true;
        }
        if self.frame().with == With::None {
            self.frame().fresh = Fresh::Nothing;
        }
    }

    fn comma(&mut self) {
        let defines = self.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open)
            || self.cursor.word_at(1).eq_ignore_ascii_case("as");
        let frame = self.frame();
        match (frame.with, frame.list) {
            (With::Next, _) if defines => frame.with = With::Name,
            (With::None, List::After(mode, target)) => frame.list = List::Expect(mode, target),
            _ => {}
        }
    }

    /// Inside a rule's or routine's body the next statement begins.
    fn semicolon(&mut self) {
        let Frame { expressions, body, .. } = *self.frame();
        self.expressions.truncate(expressions);
        *self.frame() = Frame { fresh: Fresh::Statement, expressions, body, ..Frame::default() };
    }

    /// The name of a common table expression, or RECURSIVE before the first.
    fn expression(&mut self, token: Token) {
        let named = self.cursor.peek().is_some_and(|next| is_name(&next)) && !self.cursor.at("as");
        let recursive = self.cursor.spelling(token).eq_ignore_ascii_case("recursive") && named;
        let frame = self.frame();
        if recursive {
            frame.recursive = true;
            return;
        }
        frame.with = With::Header;
        let in_sight = frame.recursive;
        let key = folded(self.cursor.text, token, Dialect::POSTGRES).into_owned();
        self.expressions.push((key, in_sight));
    }

    fn word(&mut self, word: &'a str) {
        let word = keyword(word.as_bytes()).unwrap_or(word);
        match self.frame().with {
            With::None | With::Name => {}
            With::Header if word == "AS" => return self.frame().with = With::Body,
            With::Next if STATEMENTS.contains(&word) => self.frame().with = With::None,
            With::Header | With::Body | With::Next => return,
        }
        let fresh = std::mem::take(&mut self.frame().fresh);
        if !self.verb(word, fresh) && !self.clause(word) && self.defines {
            self.define(word, fresh);
        }
    }

    /// The words that begin a query or statement.
    fn verb(&mut self, word: &str, fresh: Fresh) -> bool {
        let (any, statement) = (fresh != Fresh::Nothing, fresh == Fresh::Statement);
        match word {
            "WITH" if any => {
                let frame = self.frame();
                (frame.with, frame.fresh, frame.list) = (With::Name, fresh, List::Idle);
            }
            "SELECT" => self.enter("SELECT", Verb::Select, List::Idle),
            "VALUES" if any => self.enter("SELECT", Verb::Select, List::Idle),
            "TABLE" if any => self.enter("SELECT", Verb::Select, List::Expect(Mode::Read, false)),
            "INSERT" if statement => self.write("INSERT", Verb::Insert, "into"),
            "REPLACE" if statement => self.write("REPLACE", Verb::Insert, "into"),
            "UPDATE" if statement => self.write("UPDATE", Verb::Update, ""),
            "DELETE" if statement => self.write("DELETE", Verb::Delete, "from"),
            "MERGE" if statement => self.write("MERGE", Verb::Merge, "into"),
            _ => return false,
        }
        true
    }

    fn enter(&mut self, name: &'static str, verb: Verb, list: List) {
        if self.frames.len() == 1 {
            self.main.get_or_insert(name);
        }
        let frame = self.frame();
        (frame.verb, frame.list, frame.fresh) = (verb, list, Fresh::Nothing);
    }

    fn write(&mut self, name: &'static str, verb: Verb, before_table: &str) {
        if self.frame().body {
            self.writing.get_or_insert(name);
        }
        self.cursor.skip(&["low_priority", "delayed", "high_priority", "ignore", "quick"]);
        self.cursor.eat(before_table);
        self.enter(name, verb, List::Expect(Mode::Write, true));
    }

    /// The words that begin or end a list of tables.
    fn clause(&mut self, word: &str) -> bool {
        let frame = *self.frame();
        let listed = matches!(frame.list, List::After(..));
        let read = List::Expect(Mode::Read, false);
        let list = match word {
            "FROM" if self.reads_from(frame.verb) => read,
            "JOIN" | "STRAIGHT_JOIN" if listed => read,
            "USING"
                if frame.list == List::After(Mode::Write, true)
                    && matches!(frame.verb, Verb::Delete | Verb::Merge) =>
            {
                read
            }
            "INTO" if frame.verb == Verb::Select && self.cursor.dialect.is_postgres() => {
                self.cursor.skip(&["temporary", "temp", "unlogged", "local", "global", "table"]);
                self.table(Mode::Write, true);
                List::Idle
            }
            "FOR" if self.cursor.at_any(&["update", "share", "no", "key", "read"]) => List::Idle,
            "WHERE" | "GROUP" | "HAVING" | "ORDER" | "LIMIT" | "OFFSET" | "FETCH" | "WINDOW" | "SET"
            | "RETURNING" | "WHEN" => List::Idle,
            "UNION" | "EXCEPT" | "INTERSECT" | "MINUS" => {
                self.cursor.skip(&["all", "distinct"]);
                self.frame().fresh = Fresh::Query;
                List::Idle
            }
            _ => return false,
        };
        self.frame().list = list;
        true
    }

    /// FROM names tables in a statement of its own, not in `IS DISTINCT FROM` nor in a function's brackets.
    fn reads_from(&self, verb: Verb) -> bool {
        let [first, second] = self.before;
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        let distinct = is(second, "distinct") && (is(first, "is") || is(first, "not"));
        matches!(verb, Verb::Select | Verb::Update | Verb::Delete) && !distinct
    }

    /// The words that name other tables in a definition, or begin a query in it.
    fn define(&mut self, word: &str, fresh: Fresh) {
        let [first, second] = self.before;
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        match word {
            "AS" if self.frame().verb == Verb::Define => self.frame().fresh = Fresh::Query,
            "DO" if self.frame().verb == Verb::Define => self.frame().fresh = Fresh::Statement,
            "ATOMIC" => self.frame().fresh = Fresh::Statement,
            "REFERENCES" => _ = self.table(Mode::Read, false),
            "LIKE" if second == "(" || second == "," => _ = self.table(Mode::Read, false),
            "INHERITS" => self.frame().list = List::Expect(Mode::Read, false),
            "PARTITION" if self.cursor.eat("of") => _ = self.table(Mode::Read, false),
            "PARTITION" if is(second, "attach") || is(second, "detach") => _ = self.table(Mode::Write, false),
            _ if is(word, "also") || is(word, "instead") => self.frame().fresh = fresh,
            // `CHECK (…) NO INHERIT` is a constraint's, `NO INHERIT parent` an action.
            _ if self.alters && is(word, "inherit") && !(is(second, "no") && first == ")") => {
                _ = self.table(Mode::Read, false)
            }
            _ => {}
        }
    }
}

/// The words that end a WITH clause.
const STATEMENTS: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE", "REPLACE"];

/// What [`Tables`] remembers of a token that is no word.
fn kind_mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "(",
        Kind::Close => ")",
        Kind::Comma => ",",
        _ => "",
    }
}

/// Functions of PostgreSQL that are called without brackets, or with FOR instead: reserved words, so no tables.
fn is_value(word: &str) -> bool {
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
