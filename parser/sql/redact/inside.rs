//! Literals of a walk, and what is in those that stay: connection strings, statements, comments that hold either.

use super::super::lexer::{Kind, Token};
use super::super::literal::{self, Value};
use super::about::{About, Setting, is_any};
use super::connection::{self, Form};
use super::frame::{Frame, Verdict};
use super::hidden::{INSIDE, LITERAL};
use super::name;
use super::program;
use super::prose;
use super::said::{Ending, is_statement, read, spelled, told};
use super::scan::may_tell_secret;
use super::variable::{Names, PARAMETER, Role};
use super::walk::{Next, Walk};

/// Statements in literals deeper than this are hidden whole, if they may hold a secret.
pub(super) const MAX_NESTING: usize = 4;

/// What RAISE is told to do with its message.
const LEVELS: [&str; 6] = ["debug", "exception", "info", "log", "notice", "warning"];

impl Walk<'_, '_> {
    pub(super) fn literal(&mut self, token: Token) {
        if self.frame().is_some_and(|frame| frame.names_setting()) {
            let setting = match self.is_joined() {
                // Only a piece of the name.
                true => Setting::Secret,
                false => Setting::named(&self.value(token).text),
            };
            if let Some(frame) = self.frame() {
                frame.name_setting(setting);
            }
        }
        if self.names_variable(token) {
            return;
        }
        if token.start < self.harmless_end {
            return self.reset_next();
        }
        self.announces(token);
        if let Some(selected) = &mut self.selected {
            selected.push(token);
        }
        let range = token.start..token.end;
        // The first literal of a text that runs may say what it is about. If it does not, it goes with the others.
        let first = self.run_literal(token.start);
        match self.verdict() {
            Verdict::Goes(_) if first => self.first_literal(token),
            Verdict::Goes(_) if self.is_talk_of_role(token) => {}
            Verdict::Goes(rule) => {
                self.note_setting(token);
                self.hidden.hide(range, LITERAL, rule);
                if self.is_touched(token) {
                    return self.unquoted(token);
                }
            }
            Verdict::Setting(_) => self.hidden.hide(range, LITERAL, "password"),
            Verdict::Program if program::may_log_in(&self.value(token).text) => {
                self.hidden.hide(range, LITERAL, "connection");
            }
            Verdict::Connection if self.is_piece(token) => self.hidden.hide(range, LITERAL, "connection"),
            Verdict::Connection => self.inside(token, Form::Connection),
            Verdict::Stays if self.is_telling(token) => self.hidden.hide(range, LITERAL, "password"),
            Verdict::Program | Verdict::Stays => self.inside(token, Form::Any),
        }
        self.open |= std::mem::take(&mut self.fills);
        if let Some(frame) = self.frame() {
            frame.option(false);
        }
        self.reset_next();
    }

    /// `json_build_object('password', …)`, `JSON_SET(a, '$.password', …)`, `RAISE NOTICE 'password %', …`: what follows is a secret.
    fn announces(&mut self, token: Token) {
        let pairs = self.frames.last().is_some_and(Frame::is_pairs);
        let raised = self.nesting > 0 && self.code && is_any(self.last_word(), &LEVELS);
        if !pairs && !raised {
            return;
        }
        let text = self.value(token).text;
        if raised {
            self.fills |= text.contains('%') && prose::names_password(&text);
            return;
        }
        let path = text.trim_end_matches(['"', '}', ']']);
        let announces =
            name::is_secret_pair(path.rsplit(['.', ',', '"', '{', '$']).next().unwrap_or_default());
        if let Some(frame) = self.frames.last_mut().filter(|_| announces) {
            frame.announce();
        }
    }

    /// A remark about who may log in, that speaks of a secret.
    fn is_telling(&self, token: Token) -> bool {
        let remark = self.about == About::Role && is_any(self.last_word(), &["comment"]);
        (remark || self.about == About::Remark) && prose::tells_secret(&self.value(token).text)
    }

    /// Data that only speaks of roles: `create user 'Bob' in the admin panel`, `fix: create user page throws '… is not a function'`.
    fn is_talk_of_role(&self, token: Token) -> bool {
        let speaks = self.nesting > 0 && !self.code && self.about == About::Role && !self.identified;
        if !speaks || self.inherited() != Verdict::Stays {
            return false;
        }
        let value = self.value(token).text;
        let goes_on = self.cursor.kind() == Some(Kind::Word);
        let name = is_any(self.last_word(), &["role", "user"]) && goes_on && !prose::is_random(&value);
        let sentence = value.split_ascii_whitespace().count() > 2;
        name || sentence && !is_statement(self.cursor.text, self.cursor.dialect)
    }

    /// Where a secret goes, `current_setting('app.k')` and MySQL's `@'k'` say where it comes from.
    fn note_setting(&mut self, token: Token) {
        let name = self.value(token).text.into_owned();
        let variable = !self.cursor.dialect.is_postgres() && self.last_spelling() == "@";
        let setting = || {
            let part = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
            };
            self.cursor.dialect.is_postgres() && name.contains('.') && name.split('.').all(part)
        };
        if variable || setting() {
            self.mention([&*name], Role::Secret);
        }
    }

    /// MySQL's `@'my password' = '…'`
    fn names_variable(&mut self, token: Token) -> bool {
        let at = self.last.is_some_and(|last| last.end == token.start) && self.last_spelling() == "@";
        let assigned =
            self.cursor.peek().is_some_and(|next| matches!(self.cursor.spelling(next), "=" | ":="));
        let secret =
            at && assigned && !self.about.is_secret() && name::is_secret_variable(&self.value(token).text);
        if secret {
            self.next = if self.about == About::Set { Next::Passwords } else { Next::Password };
        }
        secret
    }

    /// Is this literal, in a call that takes a connection string, only a piece of it: `'a' || 'b'`, `concat('a', 'b')`?
    fn is_piece(&mut self, token: Token) -> bool {
        let nested = self.frame().is_some_and(|frame| frame.is_plain_call());
        (self.is_joined() || nested) && !is_statement(&self.value(token).text, self.cursor.dialect)
    }

    fn is_joined(&self) -> bool {
        let joins = self.cursor.peek().is_some_and(|next| self.cursor.spelling(next) == "||");
        joins || self.last_spelling() == "||"
    }

    fn value<'v>(&'v self, token: Token) -> Value<'v> {
        literal::value(self.cursor.spelling(token), self.cursor.dialect, self.cursor.escape())
    }

    /// The first piece of a text that runs: it stays if it says that a secret follows, and holds none.
    fn first_literal(&mut self, token: Token) {
        let value = self.value(token).text;
        let plain = !value.contains(['\'', '"', '`', '$'])
            && !["//", "/*", "--"].iter().any(|mark| value.contains(mark));
        self.open = false;
        self.inside(token, Form::Any);
        if !(std::mem::replace(&mut self.open, true) && plain) {
            self.hidden.hide(token.start..token.end, LITERAL, "nested");
        }
    }

    /// A literal that is no secret as a whole.
    pub(super) fn inside(&mut self, token: Token, form: Form) {
        let dialect = self.cursor.dialect;
        let spelling = self.cursor.spelling(token);
        let value = self.value(token);
        let form = if form == Form::Any && self.about.is_secret() { Form::Secret } else { form };
        let body = self.is_executed();
        let foreign = body && (self.foreign || self.is_foreign());
        if form == Form::Any && !may_tell_secret(&value.text, dialect) {
            return;
        }
        if spelled(&value.text, dialect).is_some_and(|text| told(&text, dialect).is_some()) {
            return self.hidden.hide(token.start..token.end, LITERAL, "nested");
        }
        let dollars = spelling.starts_with('$');
        let readable = value.text.contains('=') || value.text.contains("://");
        if form == Form::Connection && self.about == About::Server && !readable {
            self.hidden.hide(token.start..token.end, LITERAL, "connection");
            return;
        }
        let statement = (dollars || form == Form::Connection) && is_statement(&value.text, dialect);
        let form = if statement { Form::Any } else { form };
        let code = statement || body;
        let (offset, said) = (value.offset, value.text.into_owned());
        let mut ending = if self.nesting < MAX_NESTING {
            read(&said, dialect, self.nesting + 1, code, form)
        } else {
            Ending::default()
        };
        if foreign {
            connection::secrets(&said, Form::Code, |range| ending.hidden.hide(range, INSIDE, "password"));
        }
        if self.nesting == MAX_NESTING || ending.hidden.uncertain {
            self.hidden.hide(token.start..token.end, LITERAL, "nested");
            self.open = true;
            return;
        }
        if !ending.hidden.is_empty() {
            self.began = true;
            self.hidden.rules_of(&ending.hidden);
            let mark = spelling.chars().next_back().unwrap_or('\'');
            match offset.filter(|_| dollars || !ending.hidden.shows(mark)) {
                Some(offset) => self.hidden.take(ending.hidden, token.start + offset),
                None => {
                    let shown = literal::quoted(&ending.hidden.shown(&said), dialect);
                    self.hidden.put(token.start..token.end, shown);
                }
            }
        }
        self.using |= ending.parameters;
        self.names_inside(ending.names, body && ending.parameters, body);
        self.open |= ending.open && self.is_continued() || ending.about && self.goes_on(&said);
    }

    /// Names that a text in a literal takes from around it: the parameters of a routine, MySQL's variables, settings.
    fn names_inside(&mut self, names: Names, parameters: bool, body: bool) {
        let all = body && self.about == About::Definition || !self.cursor.dialect.is_postgres();
        let reach = |(name, role): &(String, Role)| *role == Role::Secret && (all || name.contains('.'));
        let names: Vec<_> = names.into_iter().filter(reach).collect();
        self.mention(names.iter().map(|(name, _)| &**name), Role::Secret);
        self.mention(parameters.then_some(PARAMETER), Role::Secret);
    }

    /// Does anything follow this literal that may bring the secret it ends before?
    fn is_continued(&self) -> bool {
        let close = self.cursor.kind() == Some(Kind::Close);
        let next = if close { self.cursor.peek_at(1) } else { self.cursor.peek() };
        match next.map(|next| next.kind) {
            None => self.nesting > 0,
            Some(Kind::Operator | Kind::String) => true,
            // The next argument of a call, not the next column of a row.
            Some(Kind::Comma) => {
                self.frames.iter().rev().nth(usize::from(close)).is_some_and(|frame| !frame.is_row())
            }
            Some(_) => false,
        }
    }

    /// Is the routine, whose body this literal is, in another language than SQL's own? LANGUAGE may stand behind it.
    fn is_foreign(&self) -> bool {
        self.cursor.at("language") && is_foreign(self.cursor.word_at(1))
    }

    /// Do other literals complete the statement in this one: `'…' || x`, `format('…', x)`?
    fn goes_on(&mut self, said: &str) -> bool {
        let operator = self.cursor.kind() == Some(Kind::Operator);
        let comma = self.cursor.kind() == Some(Kind::Comma);
        operator || said.contains('%') || comma && self.frame().is_some_and(|frame| frame.is_plain_call())
    }

    /// Is the literal at hand run as a statement, or the body of a routine?
    fn is_executed(&self) -> bool {
        let body = self.about == About::Definition && is_any(self.last_word(), &["as"]);
        body || self.does && self.cursor.dialect.is_postgres()
            || is_any(self.last_word(), &["execute", "immediate", "do"])
            || is_any(self.last_word(), &["from"]) && !self.cursor.dialect.is_postgres()
    }

    /// White space and comments; what somebody commented out may hold a secret as well.
    pub(super) fn comment(&mut self, start: usize, end: usize) {
        let gap = self.cursor.text.get(start..end).unwrap_or_default();
        let comment = gap.trim_ascii_start();
        let start = end - comment.len();
        if comment.len() < 3 || self.nesting == MAX_NESTING {
            return;
        }
        let mark = if comment.starts_with('#') { 1 } else { 2 };
        let body = comment.get(mark..).unwrap_or_default();
        let body = body.trim_ascii_end();
        let body = body.strip_suffix("*/").unwrap_or(body);
        if !may_tell_secret(body, self.cursor.dialect) {
            return;
        }
        let ending = read(body, self.cursor.dialect, self.nesting + 1, false, Form::Any);
        if ending.hidden.uncertain || ending.open {
            self.hidden.hide(start + mark..start + mark + body.len(), INSIDE, "nested");
        } else if !ending.hidden.is_empty() {
            self.hidden.rules_of(&ending.hidden);
            self.hidden.take(ending.hidden, start + mark);
        }
    }
}

/// Is a language of routines none of SQL's own?
pub(super) fn is_foreign(language: &str) -> bool {
    !language.is_empty() && !is_any(language, &["sql", "plpgsql"])
}
