//! Reads one statement: its verb, what it aims at, and every table it names.
//!
//! One pass over the tokens with a stack of frames, one a parenthesis; no recursion, so that depth costs memory only.
//! Reserved words cannot be names in MySQL, so FROM, JOIN, SELECT and the like say safely where tables stand. Heads of
//! statements are read in [`command`](super::command), [`definition`](super::definition) and
//! [`account`](super::account), lists of tables in [`rows`](super::rows).

use super::compound::Compound;
use super::frame::{Aim, Expression, Frame, Fresh, List, Table, Target, Verb, With};
use super::verb;
use super::{account, command, definition};
use crate::sql::cursor::Cursor;
use crate::sql::keyword::keyword;
use crate::sql::lexer::{Kind, Token};
use crate::sql::name::unquoted;
use crate::sql::tables::{MAX_TABLES, Mode};
use crate::sql::verb::Category;

/// The search, and what was found so far.
pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) verb: Option<(&'static str, Category)>,
    pub(super) target: Target,
    pub(super) tables: Vec<Table>,
    /// Something was not understood, or is not in the text: the tables may be more or others.
    pub(super) doubt: bool,
    /// A table's name is a string in the text.
    pub(super) literal: bool,
    /// What follows is only explained.
    pub(super) idle: bool,
    /// The database that names without one belong to, where the text tells.
    pub(super) database: Option<String>,
    /// A join merges columns: USING, NATURAL.
    pub(super) merges: bool,
    pub(super) frames: Vec<Frame>,
    pub(super) aims: Vec<Aim>,
    /// How many lists of tables there were.
    pub(super) lists: u32,
    pub(super) compound: Option<Compound>,
    /// A table is being defined: REFERENCES and LIKE name others.
    pub(super) defines: bool,
    /// Common table expressions of this frame and those around it.
    pub(super) expressions: Vec<Expression>,
    after_open: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self {
            cursor,
            verb: None,
            target: Target::default(),
            tables: Vec::new(),
            doubt: false,
            literal: false,
            idle: false,
            database: None,
            merges: false,
            frames: vec![Frame { fresh: Fresh::Statement, ..Frame::default() }],
            aims: Vec::new(),
            lists: 0,
            compound: None,
            defines: false,
            expressions: Vec::new(),
            after_open: false,
        }
    }

    /// Reads to the end of the text.
    pub(super) fn read(&mut self) {
        while let Some(token) = self.cursor.peek() {
            if matches!(self.frame().list, List::Expect(_)) && self.expected(token) {
                continue;
            }
            if self.advance(token) {
                self.begin_statement();
            }
            self.step(token);
        }
        self.doubt |= self.frames.len() > 1;
        self.resolve();
    }

    /// Takes the next token. True where a statement of a body begins with it.
    fn advance(&mut self, token: Token) -> bool {
        self.cursor.take();
        let spelling = self.cursor.spelling(token).as_bytes();
        self.compound.as_mut().is_some_and(|compound| compound.step(token.kind, spelling))
    }

    /// What follows is a statement of its own: of a body, or the one that EXPLAIN is about.
    pub(super) fn begin_statement(&mut self) {
        self.frames.truncate(1);
        self.expressions.clear();
        (self.idle, self.defines) = (false, false);
        *self.frame() = Frame { fresh: Fresh::Statement, ..Frame::default() };
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        // Never absent: pushed above where it was.
        #[allow(clippy::indexing_slicing)]
        &mut self.frames[last]
    }

    /// Reads a dotted name at the cursor, less the quoting.
    pub(super) fn name(&mut self) -> Option<String> {
        if self.cursor.kind() == Some(Kind::Dot) {
            self.cursor.take(); // `.t`: the table t of the current database
        }
        let first = self.cursor.peek().filter(|token| self.is_name(*token))?;
        self.cursor.take();
        self.literal |= first.kind == Kind::String;
        let mut name = unquoted(self.cursor.text, first).into_owned();
        while self.cursor.kind() == Some(Kind::Dot)
            && let Some(part) =
                self.cursor.peek_at(1).filter(|part| is_part(part) || self.is_ansi_name(*part))
        {
            self.cursor.take();
            self.cursor.take();
            self.literal |= part.kind == Kind::String;
            name.push('.');
            name.push_str(&unquoted(self.cursor.text, part));
        }
        Some(name)
    }

    fn is_name(&self, token: Token) -> bool {
        match token.kind {
            Kind::Quoted => true,
            Kind::Word => !is_reserved(self.cursor.spelling(token)),
            _ => self.is_ansi_name(token),
        }
    }

    /// `FROM "orders"`: no string may stand where a table does, so sql_mode `ANSI_QUOTES` is on, whatever we know of it.
    fn is_ansi_name(&self, token: Token) -> bool {
        let body = self.cursor.spelling(token).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        token.kind == Kind::String && body.is_some_and(|body| !body.is_empty() && !body.contains('"'))
    }

    /// Reads a name at the cursor and notes it as a table.
    pub(super) fn table(&mut self, mode: Mode) -> bool {
        let Some(name) = self.name() else { return false };
        self.note(name, None, mode);
        true
    }

    /// Tables between commas.
    pub(super) fn table_list(&mut self, mode: Mode) {
        while self.table(mode) && self.cursor.eat_kind(Kind::Comma).is_some() {}
    }

    pub(super) fn note(&mut self, mut name: String, alias: Option<String>, mode: Mode) {
        if self.tables.len() == MAX_TABLES {
            self.doubt = true;
            return;
        }
        if let Some(database) = self.database.as_ref().filter(|_| !name.contains('.')) {
            name = format!("{database}.{name}");
        }
        let (idle, depth, list) = (self.idle, self.frames.len() - 1, self.frame().number);
        self.tables.push(Table { name, alias, mode, target: mode != Mode::Read, idle, list, depth });
    }

    pub(super) fn is_expression(&self, name: &str) -> bool {
        self.expressions.iter().any(|known| known.in_sight && known.name.eq_ignore_ascii_case(name))
    }

    /// Moves behind the next `word` outside of parentheses.
    pub(super) fn to(&mut self, word: &str) -> bool {
        while let Some(kind) = self.cursor.kind() {
            match kind {
                Kind::Open => self.cursor.skip_parentheses(),
                _ if self.cursor.eat(word) => return true,
                _ => _ = self.cursor.take(),
            }
        }
        false
    }

    fn step(&mut self, token: Token) {
        let after_open = std::mem::replace(&mut self.after_open, token.kind == Kind::Open);
        match token.kind {
            Kind::Open => self.open(),
            Kind::Close => self.close(),
            Kind::Comma => self.comma(),
            Kind::Word | Kind::Quoted if self.frame().with == With::Name => self.expression(token),
            Kind::Word => self.word(self.cursor.spelling(token), after_open),
            Kind::Dot => self.part(None),
            Kind::Operator if self.cursor.spelling(token).starts_with('@') => self.part(Some(token.end)),
            _ if self.frame().with == With::None => self.frame().fresh = Fresh::Nothing,
            _ => {}
        }
    }

    /// The word behind a dot, or close behind an `@`, is a name, whatever it spells.
    fn part(&mut self, close_behind: Option<usize>) {
        self.frame().fresh = Fresh::Nothing;
        let name = |next: &Token| is_part(next) && close_behind.is_none_or(|end| next.start == end);
        if let Some(next) = self.cursor.peek().filter(name) {
            self.advance(next);
        }
    }

    fn word(&mut self, spelling: &'a str, after_open: bool) {
        let word = keyword(spelling.as_bytes()).unwrap_or(spelling);
        match self.frame().with {
            With::None | With::Name => {}
            With::Header if word == "AS" => return self.frame().with = With::Body,
            With::Next if QUERIES.contains(&word) => self.frame().with = With::None,
            With::Header | With::Body | With::Next => return,
        }
        let fresh = std::mem::take(&mut self.frame().fresh);
        let begun = match fresh {
            Fresh::Statement => self.query(word) || self.writes(word) || self.command(word),
            Fresh::Query => self.query(word),
            Fresh::Nothing if word == "SELECT" => self.query(word),
            Fresh::Nothing => false,
        };
        if !begun && !self.clause(word) && self.defines {
            definition::define(self, word, after_open);
        }
    }

    /// The words that begin a query.
    fn query(&mut self, word: &str) -> bool {
        match word {
            // `JSON_DUALITY_OBJECT(WITH(INSERT, UPDATE) …)`: no list of expressions begins so.
            "WITH" if self.cursor.kind() == Some(Kind::Open) => self.cursor.skip_parentheses(),
            "WITH" if !self.cursor.at_words(&["system", "versioning"]) => {
                let tables = self.tables.len();
                let frame = self.frame();
                (frame.with, frame.list, frame.tables) = (With::Name, List::Idle, tables);
                frame.fresh = Fresh::Statement;
            }
            "SELECT" | "VALUES" => self.enter("SELECT", Verb::Select, List::Idle),
            "TABLE" => self.enter("SELECT", Verb::Select, List::Expect(Mode::Read)),
            _ => return false,
        }
        true
    }

    /// The words that begin another statement.
    fn command(&mut self, word: &str) -> bool {
        if word == "SET" && command::is_set_statement(&self.cursor) {
            // SET STATEMENT variable = value FOR statement: it is the statement that is done.
            self.to("for");
            self.frame().fresh = Fresh::Statement;
            return true;
        }
        let Some((verb, category)) = verb::command(word) else { return false };
        let outermost = self.verb.is_none();
        self.verb.get_or_insert((verb, category));
        let target = match verb {
            "CREATE" => definition::create(self),
            "ALTER" | "DROP" => definition::change(self, verb),
            "RENAME" => definition::rename(self),
            "TRUNCATE" => definition::truncate(self),
            "GRANT" | "REVOKE" => account::grant(self),
            "DO" if word != "DO" => {
                self.enter_block(word);
                Target::default()
            }
            _ => command::read(self, verb),
        };
        if outermost {
            self.target = target;
        }
        true
    }

    /// MariaDB's blocks outside of routines, which begin with `word`.
    pub(super) fn enter_block(&mut self, word: &str) {
        if self.compound.is_none() {
            let mut compound = Compound::new();
            compound.step(Kind::Word, word.as_bytes());
            self.compound = Some(compound);
        }
    }

    /// A query or a statement that writes rows begins. What a WITH holds does not give the statement its verb.
    pub(super) fn enter(&mut self, name: &'static str, verb: Verb, list: List) {
        if self.verb.is_none() && !self.frames.iter().any(|frame| frame.body) {
            self.verb = Some((name, Category::Dml));
        }
        self.lists += 1;
        let number = self.lists;
        let frame = self.frame();
        (frame.verb, frame.list, frame.number, frame.assigns) = (verb, list, number, false);
        frame.fresh = Fresh::Nothing;
    }
}

fn is_part(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Quoted)
}

/// The words that end a WITH clause.
const QUERIES: [&str; 5] = ["SELECT", "UPDATE", "DELETE", "VALUES", "TABLE"];

/// Reserved words that stand where an optional name could.
fn is_reserved(word: &str) -> bool {
    #[rustfmt::skip]
    const WORDS: [&str; 25] = [
        "select", "from", "where", "with", "for", "set", "to", "on", "using", "values", "in", "as", "like", "group", "order",
        "limit", "having", "union", "join", "into", "table", "read", "write", "default", "partition",
    ];
    word.len() < 10 && WORDS.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}
