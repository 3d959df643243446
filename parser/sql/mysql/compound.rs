//! Where statements begin and end inside of compound statements: the bodies of routines, triggers and events, MariaDB's
//! blocks outside of them, and Oracle's forms of both (sql_mode ORACLE).
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/sql-compound-statements.html>,
//! <https://mariadb.com/kb/en/programmatic-compound-statements/>, <https://mariadb.com/kb/en/sql_modeoracle/>.
//!
//! BEGIN, END, DO, THEN and the like mean something only where a statement or its head may have them: `begin` and `end` are
//! columns elsewhere, IF and REPEAT functions, CASE an expression. So blocks are kept on a stack of bounded depth.

use crate::sql::lexer::Kind;

/// Blocks nested deeper than this are not followed, and the cuts are unsure.
const MAX_BLOCKS: usize = 64;

/// `CREATE OR REPLACE DEFINER = a @ b SQL SECURITY INVOKER PROCEDURE`: no head is longer.
const MAX_HEAD_WORDS: usize = 16;

/// Follows the tokens of one statement.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Compound {
    state: State,
    handler: Handler,
    last: Last,
    parentheses: usize,
    blocks: [Block; MAX_BLOCKS],
    depth: usize,
    /// The next token begins a statement of a body.
    start: bool,
    words: usize,
    lost: bool,
}

/// Where the statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read.
    Top,
    /// One word that no block begins with: a colon would make it a label.
    Label,
    /// BEGIN: a transaction, or a block?
    Begin,
    /// CREATE or ALTER: the object comes.
    Object,
    /// The name of a routine, trigger, event or package, and what comes behind it.
    Name(Definition),
    Definition(Definition),
    /// RETURN, behind a routine's head: Oracle's type, or the body.
    Return,
    /// AS or IS: Oracle's declarations, unless a string or a test for NULL follows.
    As,
    Body,
    /// A statement without a body.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Definition {
    Routine,
    Trigger,
    Event,
    Package,
}

/// Where in `DECLARE … HANDLER FOR condition, condition statement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    No,
    Condition,
    Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    /// A statement.
    Case,
    /// An expression.
    Choice,
    /// WHILE and FOR up to DO.
    LoopHead,
    Loop,
    Repeat,
    /// REPEAT behind UNTIL.
    Until,
    /// Oracle's: up to BEGIN, or the END of a package.
    Declarations,
}

/// The token before, where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Other,
    Operator,
    Dot,
    /// The second word of BEGIN NOT ATOMIC.
    BeginNot,
    /// END of a block: the word behind it names the block.
    End,
    Character,
    Each,
    Handler,
    /// FOLLOWS, PRECEDES: a trigger's name comes.
    Order,
    /// `<<`: a label of Oracle's comes.
    Label,
}

impl Compound {
    /// At the begin of a statement.
    pub(in crate::sql) fn new() -> Self {
        Self::at(State::Top)
    }

    /// Behind the name of a procedure or function.
    pub(in crate::sql) fn routine() -> Self {
        Self::at(State::Definition(Definition::Routine))
    }

    /// Behind the name of a trigger, event or package.
    pub(in crate::sql) fn definition(object: &str) -> Self {
        Self::at(State::Definition(match object {
            "TRIGGER" => Definition::Trigger,
            "EVENT" => Definition::Event,
            _ => Definition::Package,
        }))
    }

    fn at(state: State) -> Self {
        Self {
            state,
            handler: Handler::No,
            last: Last::Other,
            parentheses: 0,
            blocks: [Block::Begin; MAX_BLOCKS],
            depth: 0,
            start: false,
            words: 0,
            lost: false,
        }
    }

    /// Would a semicolon end the whole statement?
    pub(in crate::sql) fn outside(&self) -> bool {
        self.parentheses == 0 && self.depth == 0
    }

    /// False where blocks were too deep to be followed.
    pub(in crate::sql) fn certain(&self) -> bool {
        !self.lost
    }

    /// Takes the next token. True where a statement of a body begins with it.
    pub(in crate::sql) fn step(&mut self, kind: Kind, spelling: &[u8]) -> bool {
        match kind {
            Kind::Open => self.open(),
            Kind::Close => {
                self.parentheses = self.parentheses.saturating_sub(1);
                false
            }
            _ if self.parentheses > 0 => false,
            Kind::Word => self.word(spelling),
            _ => {
                self.mark(kind, spelling);
                false
            }
        }
    }

    fn open(&mut self) -> bool {
        let begins = self.parentheses == 0 && std::mem::take(&mut self.start);
        self.parentheses += 1;
        self.last = Last::Other;
        self.state = match self.state {
            State::Top | State::Label => State::Plain,
            State::Name(definition) => State::Definition(definition),
            state => state,
        };
        begins
    }

    /// What is no word.
    fn mark(&mut self, kind: Kind, spelling: &[u8]) {
        let last = std::mem::replace(&mut self.last, Last::Other);
        match (kind, self.state) {
            (Kind::Semicolon, State::Body | State::Definition(_) | State::As | State::Return)
                if self.depth > 0 =>
            {
                (self.state, self.start, self.handler) = (State::Body, true, Handler::No);
            }
            (Kind::Colon, State::Label | State::Body) if spelling == b":" && self.words == 1 => {
                (self.state, self.start) = (State::Body, true);
            }
            (Kind::Colon, State::Definition(Definition::Routine)) => self.enter_body(),
            (Kind::Operator, State::Begin) if spelling == b"<<" => {
                self.enter(Block::Begin);
                (self.start, self.last) = (false, Last::Label);
            }
            (Kind::Operator, State::Top) if spelling == b"<<" => {
                (self.state, self.last) = (State::Body, Last::Label);
            }
            (Kind::Operator, State::Body) if spelling == b"<<" && self.start => {
                (self.start, self.last) = (false, Last::Label);
            }
            (Kind::Operator, State::Body) if spelling == b">>" && last == Last::Label => self.start = true,
            (_, State::Body) if last == Last::Label => self.last = last,
            (Kind::Operator, _) => self.last = Last::Operator,
            (Kind::Dot, _) => self.last = Last::Dot,
            (Kind::Quoted, State::Name(definition)) => self.state = State::Definition(definition),
            (Kind::Quoted, State::Body) if last == Last::Order => self.start = true,
            (Kind::Quoted, State::Top) => (self.state, self.words) = (State::Label, 1),
            (Kind::Quoted, State::Body) if self.start => (self.start, self.words) = (false, 1),
            (Kind::String, State::As) => self.state = State::Plain,
            (Kind::Comma, _) if self.handler == Handler::Next => self.handler = Handler::Condition,
            (_, State::Top | State::Label | State::Begin) => self.state = State::Plain,
            (Kind::String | Kind::Number, State::Body) if self.handler == Handler::Condition => {
                self.handler = Handler::Next;
            }
            _ => {
                self.start = false;
                self.words += 1;
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let last = std::mem::replace(&mut self.last, Last::Other);
        if last == Last::Dot {
            return false;
        }
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        match self.state {
            State::Plain => {}
            State::Top => self.first(is),
            State::Label => self.state = State::Plain,
            State::Begin if is("not") => {
                self.enter(Block::Begin);
                (self.start, self.last) = (false, Last::BeginNot);
            }
            State::Begin if is("work") => self.state = State::Plain,
            State::Begin => {
                self.enter(Block::Begin);
                return self.body(is, last);
            }
            State::Object => self.object(is, last),
            State::Name(_) if ["if", "not", "exists", "body"].iter().any(|word| is(word)) => {}
            // A dot may bring another part, which is skipped above.
            State::Name(definition) => self.state = State::Definition(definition),
            State::Definition(definition) => return self.head(definition, is, last),
            State::Return if is("as") || is("is") => self.state = State::As,
            State::As if ["null", "not", "true", "false", "unknown"].iter().any(|test| is(test)) => {
                self.state = State::Plain;
            }
            State::As => {
                self.enter(Block::Declarations);
                return self.body(is, last);
            }
            State::Return => {}
            State::Body => return self.body(is, last),
        }
        false
    }

    /// The first word of the whole statement.
    fn first(&mut self, is: impl Fn(&str) -> bool + Copy) {
        self.state = match () {
            () if is("create") || is("alter") => State::Object,
            () if is("begin") => State::Begin,
            () if is("declare") => {
                self.enter(Block::Declarations);
                self.start = false;
                State::Body
            }
            () if opens(is) => {
                self.enter_body();
                self.body(is, Last::Other);
                State::Body
            }
            () => State::Label,
        };
        self.words = 1;
    }

    /// Behind CREATE or ALTER.
    fn object(&mut self, is: impl Fn(&str) -> bool, last: Last) {
        self.words += 1;
        let definition = match () {
            () if last == Last::Operator => return, // DEFINER = trigger
            () if is("procedure") || is("function") => Definition::Routine,
            () if is("trigger") => Definition::Trigger,
            () if is("event") => Definition::Event,
            () if is("package") => Definition::Package,
            () if self.words > MAX_HEAD_WORDS || NO_BODY.iter().any(|object| is(object)) => {
                return self.state = State::Plain;
            }
            () => return,
        };
        (self.state, self.words) = (State::Name(definition), 0);
    }

    /// Between the name and the body.
    fn head(&mut self, definition: Definition, is: impl Fn(&str) -> bool + Copy, last: Last) -> bool {
        let body = match definition {
            Definition::Routine if is("as") || is("is") => {
                self.state = State::As;
                return false;
            }
            Definition::Package if is("as") || is("is") => {
                self.enter(Block::Declarations);
                return false;
            }
            Definition::Routine if is("return") => {
                self.state = State::Return;
                return true;
            }
            Definition::Routine if is("character") || is("char") => {
                self.last = Last::Character;
                false
            }
            Definition::Routine if is("set") => last != Last::Character,
            Definition::Routine => opens(is) || is("begin") || VERBS.iter().any(|verb| is(verb)),
            Definition::Trigger if is("each") => {
                self.last = Last::Each;
                false
            }
            Definition::Trigger if is("row") && last == Last::Each => {
                self.enter_body();
                return false;
            }
            Definition::Event if is("do") => {
                self.enter_body();
                return false;
            }
            _ => false,
        };
        if !body {
            return false;
        }
        self.enter_body();
        self.body(is, last)
    }

    fn enter_body(&mut self) {
        (self.state, self.start, self.words) = (State::Body, true, 0);
    }

    fn enter(&mut self, block: Block) {
        self.push(block);
        self.enter_body();
    }

    fn push(&mut self, block: Block) {
        match self.blocks.get_mut(self.depth) {
            Some(place) => *place = block,
            None => self.lost = true,
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn innermost(&self) -> Option<Block> {
        self.blocks.get(self.depth.checked_sub(1)?).copied()
    }

    fn replace(&mut self, block: Block) {
        self.pop();
        self.push(block);
    }

    /// A word of a body, at depth 0 of parentheses.
    fn body(&mut self, is: impl Fn(&str) -> bool + Copy, last: Last) -> bool {
        if matches!(last, Last::End | Last::Label) {
            self.last = if last == Last::Label { last } else { Last::Other };
            return false;
        }
        if last == Last::Order {
            self.start = true;
            return false;
        }
        if self.handler == Handler::Next {
            (self.handler, self.start) = (Handler::No, true);
        }
        let start = std::mem::take(&mut self.start);
        self.words = if start { 1 } else { self.words + 1 };
        if start { self.begins(is) } else { self.continues(is, last) }
    }

    /// The first word of a statement in a body.
    fn begins(&mut self, is: impl Fn(&str) -> bool) -> bool {
        let innermost = self.innermost();
        match () {
            () if is("begin") && innermost == Some(Block::Declarations) => {
                self.replace(Block::Begin);
                self.start = true;
            }
            () if is("begin") => self.enter(Block::Begin),
            () if is("end") && innermost.is_some() => {
                self.pop();
                self.last = Last::End;
            }
            () if is("if") => self.push(Block::If),
            () if is("case") => self.push(Block::Case),
            () if is("while") || is("for") => self.push(Block::LoopHead),
            () if is("loop") => self.enter(Block::Loop),
            () if is("repeat") => self.enter(Block::Repeat),
            () if is("until") && innermost == Some(Block::Repeat) => self.replace(Block::Until),
            () if is("else") => self.start = true,
            () if is("elseif") || is("elsif") || is("when") || is("exception") => {
                self.start = is("exception");
            }
            () if is("follows") || is("precedes") => self.last = Last::Order,
            () if innermost == Some(Block::Declarations) && (is("procedure") || is("function")) => {
                (self.state, self.words) = (State::Name(Definition::Routine), 0);
            }
            () if is("not") => self.last = Last::BeginNot,
            () => return true,
        }
        false
    }

    /// A word further inside of a statement.
    fn continues(&mut self, is: impl Fn(&str) -> bool, last: Last) -> bool {
        let innermost = self.innermost();
        match () {
            () if self.handler == Handler::Condition => {
                if !["not", "sqlstate", "value"].iter().any(|word| is(word)) {
                    self.handler = Handler::Next;
                }
            }
            () if last == Last::BeginNot && is("atomic") => self.start = true,
            () if is("handler") => self.last = Last::Handler,
            () if is("for") && last == Last::Handler => self.handler = Handler::Condition,
            () if is("case") => self.push(Block::Choice),
            () if is("end") && matches!(innermost, Some(Block::Choice)) => self.pop(),
            () if is("end") && matches!(innermost, Some(Block::Until)) => {
                self.pop();
                self.last = Last::End;
            }
            () if innermost == Some(Block::Choice) => {}
            () if is("then") && innermost.is_some() => self.start = true,
            () if is("else") && matches!(innermost, Some(Block::If | Block::Case)) => self.start = true,
            () if (is("do") || is("loop")) && innermost == Some(Block::LoopHead) => {
                self.replace(Block::Loop);
                self.start = true;
            }
            () => {}
        }
        false
    }
}

/// The words that begin a block wherever a statement may begin.
fn opens(is: impl Fn(&str) -> bool) -> bool {
    ["if", "case", "loop", "while", "repeat", "for"].iter().any(|word| is(word))
}

/// Objects whose definition has no body.
#[rustfmt::skip]
const NO_BODY: [&str; 14] = [
    "table", "view", "index", "database", "schema", "user", "role", "sequence", "server", "tablespace", "logfile", "resource",
    "instance", "library",
];

/// What the body of a routine may begin with, where it is one plain statement.
#[rustfmt::skip]
const VERBS: [&str; 36] = [
    "select", "insert", "update", "delete", "replace", "with", "values", "table", "call", "do", "create", "drop", "alter",
    "truncate", "rename", "grant", "revoke", "start", "commit", "rollback", "savepoint", "release", "lock", "unlock", "flush",
    "analyze", "optimize", "repair", "check", "show", "prepare", "execute", "deallocate", "signal", "kill", "load",
];
