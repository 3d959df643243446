//! Where statements begin and end inside of compound statements: the bodies of routines, triggers and events, MariaDB's
//! blocks outside of them, and Oracle's forms of both (sql_mode ORACLE).
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/sql-compound-statements.html>,
//! <https://mariadb.com/kb/en/programmatic-compound-statements/>, <https://mariadb.com/kb/en/sql_modeoracle/>.
//!
//! BEGIN, END, DO, THEN and the like mean something only where a statement or its head may have them: `begin` and `end` are
//! columns elsewhere, IF and REPEAT functions, CASE an expression. So blocks are kept on a stack of bounded depth.

mod body;
mod head;

use crate::sql::lexer::Kind;

/// Blocks nested deeper than this are not followed, and the cuts are unsure.
const MAX_BLOCKS: usize = 64;

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
    /// SET: variables, or MariaDB's SET STATEMENT?
    Set,
    /// SET STATEMENT: settings up to FOR, behind which the statement itself begins.
    Settings,
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
            (_, State::Top | State::Label | State::Begin | State::Set) => self.state = State::Plain,
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
            State::Set => self.state = if is("statement") { State::Settings } else { State::Plain },
            State::Settings if is("for") => self.state = State::Top,
            State::Settings => {}
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
}
