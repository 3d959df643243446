//! One way through the tokens of a text, with what the words so far say about the next literal.

use std::borrow::Cow;

use super::super::Dialect;
use super::super::cursor::Cursor;
use super::super::lexer::{Kind, Token};
use super::about::{About, Setting, is_any};
use super::frame::{Frame, Verdict};
use super::hidden::Hidden;
use super::name;
use super::object::Object;
use super::parameter::{SecretParameter, SecretPart};
use super::scan::SHORTEST_HEX;
use super::variable::{Names, PARAMETER, Role};

/// What the words so far say about the next literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Ordinary,
    /// It is a password.
    Password,
    /// So is all that follows in the element.
    Passwords,
    /// So is each literal to the end of the statement: it declares or sets a variable that says so.
    Assigned,
    /// It is a connection string.
    Connection,
    /// A command line.
    Program,
}

/// A walk through one text: a statement or several, or what a literal of one says.
pub(super) struct Walk<'a, 'h> {
    pub(super) cursor: Cursor<'a>,
    pub(super) hidden: &'h mut Hidden,
    /// Texts around this one.
    pub(super) nesting: usize,
    /// It is run as a statement, so far as one can tell; not only data that reads like one.
    pub(super) code: bool,
    /// It is a statement by itself, not one of a body.
    pub(super) alone: bool,
    pub(super) about: About,
    pub(super) next: Next,
    pub(super) frames: Vec<Frame>,
    /// Brackets open beyond those.
    pub(super) deeper: usize,
    /// The token before the one at hand.
    pub(super) last: Option<Token>,
    /// Every literal to the end of the statement belongs to a secret that an earlier one began.
    pub(super) open: bool,
    /// A statement in a literal has secret parameters, whose values USING may bring.
    pub(super) using: bool,
    /// So has one of an earlier statement, and EXECUTE began this one.
    pub(super) used: bool,
    pub(super) executes: bool,
    /// IDENTIFIED came.
    pub(super) identified: bool,
    /// The name of the setting was read.
    pub(super) assigned: bool,
    /// DECLARE began the statement.
    pub(super) declares: bool,
    /// DO did.
    pub(super) does: bool,
    /// MySQL's PREPARE did, whose FROM brings the text.
    pub(super) prepares: bool,
    /// Where the last text ends that runs, as far as it was looked at; and whether its literals are to go.
    pub(super) run_end: usize,
    pub(super) hides_run: bool,
    /// Where one ends that shows no secret, all of it being known.
    pub(super) harmless_end: usize,
    /// Names that stand where a secret does, or a text that runs.
    pub(super) names: Names,
    /// There were too many of them.
    pub(super) names_lost: bool,
    /// What the next bracket belongs to.
    pub(super) object: Object,
    /// The last name, of what comes next, is that of MySQL's own database.
    pub(super) of_system: bool,
    /// The parameters of a routine are being declared.
    pub(super) routine: bool,
    /// The language of a routine, if it is not SQL's own.
    pub(super) foreign: bool,
    /// The literals of a SELECT up to its INTO, which says what they are.
    pub(super) selected: Option<Vec<Token>>,
    /// Where the last password without quotes ends.
    pub(super) unquoted_end: usize,
    /// The literal at hand is filled in with a secret, which follows.
    pub(super) fills: bool,
    /// Something about secrets came up.
    pub(super) began: bool,
    /// `?` so far.
    questions: u16,
    pub(super) parameters: Vec<SecretParameter>,
}

impl<'a, 'h> Walk<'a, 'h> {
    pub(super) fn new(
        text: &'a str,
        dialect: Dialect,
        hidden: &'h mut Hidden,
        nesting: usize,
        code: bool,
    ) -> Self {
        let cursor = Cursor::new(text, dialect);
        let about = if code { About::read(&cursor, nesting > 0) } else { About::Rows };
        Self {
            cursor,
            hidden,
            nesting,
            code,
            alone: nesting == 0,
            about,
            next: Next::Ordinary,
            frames: Vec::new(),
            deeper: 0,
            last: None,
            open: false,
            using: false,
            used: false,
            executes: false,
            identified: false,
            assigned: false,
            declares: false,
            does: false,
            prepares: false,
            run_end: 0,
            hides_run: false,
            harmless_end: 0,
            names: Names::default(),
            names_lost: false,
            object: Object::No,
            of_system: false,
            routine: false,
            foreign: false,
            selected: None,
            unquoted_end: 0,
            fills: false,
            began: false,
            questions: 0,
            parameters: Vec::new(),
        }
    }

    /// To the end of the text.
    pub(super) fn run(&mut self) {
        while let Some(token) = self.step() {
            let end = self.last.map_or(0, |last| last.end);
            self.comment(end, token.start);
            self.token(token);
            self.last = Some(token);
        }
        let end = self.last.map_or(0, |last| last.end);
        self.comment(end, self.cursor.text.len());
        self.variables();
        let pending =
            self.next != Next::Ordinary && self.last.is_some_and(|last| last.kind != Kind::Semicolon);
        let inside = matches!(self.inherited(), Verdict::Goes(_));
        self.open |= (pending || inside) && self.nesting > 0;
    }

    fn step(&mut self) -> Option<Token> {
        const STARTERS: [&str; 7] = ["begin", "then", "else", "loop", "do", "for", "row"];
        const VERBS: [&str; 10] =
            ["alter", "change", "create", "delete", "grant", "insert", "replace", "select", "set", "update"];
        if is_any(self.last_word(), &STARTERS)
            && (self.cursor.at_any(&VERBS)
                || self.nesting > 0 && self.code && !is_any(self.last_word(), &["for", "row"]))
        {
            self.about = About::read(&self.cursor, self.nesting > 0);
            self.assigned = false;
        }
        let mut token = self.cursor.take()?;
        // `U&"…" UESCAPE '!'` is one name.
        if token.kind == Kind::Quoted && self.cursor.at("uescape") {
            self.cursor.take();
            token.end = self.cursor.eat_kind(Kind::String).map_or(token.end, |mark| mark.end);
        }
        Some(token)
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            Kind::Close | Kind::CloseBracket if self.is_stray(token.kind) => {}
            Kind::Semicolon => self.statement(),
            Kind::Open => self.bracket(),
            Kind::Close | Kind::CloseBracket if self.deeper > 0 => self.deeper -= 1,
            Kind::Close | Kind::CloseBracket => {
                let announces = self.frames.pop().is_some_and(|frame| frame.announces());
                if let Some(outer) = self.frames.last_mut().filter(|_| announces) {
                    outer.announce();
                }
                self.end_parameter();
                self.reset_next();
            }
            Kind::Comma => self.comma(),
            Kind::Word => self.word(token),
            Kind::Quoted => self.quoted(token),
            Kind::String => self.literal(token),
            Kind::Number if self.is_text(token) => self.literal(token),
            Kind::Number => self.number(token),
            Kind::Parameter => self.parameter(token),
            Kind::Operator | Kind::Colon => self.operator(token),
            Kind::Other => self.hidden.uncertain |= self.about.is_secret() || self.next != Next::Ordinary,
            Kind::OpenBracket => {
                let pairs = self.frames.last().is_some_and(Frame::is_pairs);
                self.push(|outer| Frame::square(pairs, outer));
            }
            Kind::Cast | Kind::Dot => {}
        }
        self.passes_object(token);
    }

    /// MySQL's `0x…` is a string.
    fn is_text(&self, token: Token) -> bool {
        let spelling = self.cursor.spelling(token);
        let hex = spelling.get(..2).is_some_and(|mark| mark.eq_ignore_ascii_case("0x"));
        hex && spelling.len() > SHORTEST_HEX && !self.cursor.dialect.is_postgres()
    }

    /// A new one begins.
    fn statement(&mut self) {
        self.about = if self.code { About::read(&self.cursor, self.nesting > 0) } else { About::Rows };
        self.next = Next::Ordinary;
        self.frames.clear();
        self.used |= self.using;
        (self.deeper, self.open, self.using, self.executes) = (0, false, false, false);
        (self.identified, self.assigned) = (false, false);
        (self.declares, self.does, self.selected) = (false, false, None);
        (self.prepares, self.hides_run) = (false, false);
        (self.routine, self.foreign) = (false, false);
    }

    fn parameter(&mut self, token: Token) {
        let place = if self.cursor.dialect.is_postgres() {
            let digits = self.cursor.spelling(token).get(1..).unwrap_or_default();
            digits.parse::<u16>().ok().and_then(|number| number.checked_sub(1))
        } else {
            self.questions = self.questions.saturating_add(1);
            Some(self.questions - 1)
        };
        let Some(place) = place else { return };
        if let Some(frame) = self.frames.last_mut().filter(|frame| frame.names_setting()) {
            return frame.name_setting(Setting::Parameter(place));
        }
        let part = match self.verdict() {
            Verdict::Stays => None,
            Verdict::Goes(_) => Some(SecretPart::Whole),
            Verdict::Connection if self.last_spelling() == "||" => Some(SecretPart::Whole),
            Verdict::Connection | Verdict::Program => Some(SecretPart::Within),
            Verdict::Setting(name) => Some(SecretPart::Setting(name)),
        };
        self.parameters.extend(part.map(|part| SecretParameter { place, part }));
        if part.is_some() && Cursor::new(self.cursor.text, self.cursor.dialect).at("create") {
            self.mention([PARAMETER], Role::Secret);
        }
        self.reset_next();
    }

    fn operator(&mut self, token: Token) {
        let spelling = self.cursor.spelling(token);
        self.assigned |= matches!(spelling, "=" | ":=");
        if self.about == About::SetPassword && self.assigned {
            self.next = Next::Password;
        }
        let name = self.last_name();
        if matches!(spelling, "=>" | ":=")
            && self.deeper == 0
            && let Some(frame) = self.frames.last_mut()
        {
            frame.name_argument(&name);
        }
        if spelling == ":"
            && let Some(frame) = self.frames.last_mut()
        {
            frame.give_announced();
        }
        let variable = spelling == ":=" && !self.cursor.dialect.is_postgres();
        let announced = matches!(spelling, "=>" | ":=") && name::is_secret_pair(&name)
            || variable && name::is_secret_variable(&name);
        if announced
            && self.deeper == 0
            && let Some(frame) = self.frames.last_mut()
        {
            frame.give_secret();
        } else if announced && self.next != Next::Assigned {
            self.next = Next::Password;
        }
    }

    pub(super) fn frame(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    /// The word before the token at hand; empty where there is none.
    pub(super) fn last_word(&self) -> &'a str {
        self.last.filter(|last| last.kind == Kind::Word).map_or("", |last| self.cursor.spelling(last))
    }

    pub(super) fn last_spelling(&self) -> &'a str {
        self.last.map_or("", |last| self.cursor.spelling(last))
    }

    /// The name before a bracket.
    pub(super) fn last_name(&self) -> Cow<'a, str> {
        let last = self.last.filter(|last| matches!(last.kind, Kind::Word | Kind::Quoted));
        last.map_or(Cow::Borrowed(""), |last| self.name_of(last))
    }

    pub(super) fn name_of(&self, token: Token) -> Cow<'a, str> {
        if token.kind == Kind::Quoted { self.unquote(token) } else { self.cursor.spelling(token).into() }
    }
}
