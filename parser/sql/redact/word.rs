//! Words of a walk: what they say about the literal that follows; passwords that nobody quoted.

use std::borrow::Cow;

use super::super::lexer::{Kind, Token};
use super::super::literal;
use super::about::{About, Setting, is_any};
use super::connection::Form;
use super::frame::{Frame, Verdict};
use super::hidden::LITERAL;
use super::inside::is_foreign;
use super::name;
use super::variable::{Role, is_reserved};
use super::walk::{Next, Walk};

/// Names of nothing else.
const PASSWORDS: [&str; 4] = ["password", "passwd", "passphrase", "pwd"];

impl<'a> Walk<'a, '_> {
    pub(super) fn word(&mut self, token: Token) {
        let word = self.cursor.spelling(token);
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        // `_utf8'…'`
        if word.starts_with('_') && matches!(self.cursor.kind(), Some(Kind::String | Kind::Number)) {
            return;
        }
        if self.in_options(token, word) {
            return;
        }
        if token.start < self.unquoted_end {
            return self.go_on();
        }
        if self.is_unquoted_password(token, word) {
            return self.unquoted(token);
        }
        self.writes_catalog(word);
        // What FOR … IN EXECUTE '…' LOOP is about ends here.
        self.open &= !(self.code && is("loop"));
        self.declares |= is("declare");
        if is_any(self.last_word(), &["language"]) {
            self.foreign = is_foreign(word);
        }
        let defines = self.about == About::Definition && self.frames.is_empty();
        self.routine = (self.routine || defines && is_any(word, &["function", "procedure"]))
            && !is_any(word, &["as", "begin", "return", "returns"]);
        self.runs(word);
        if self.cursor.kind() == Some(Kind::Open) && is_any(word, &["concat", "concat_ws", "format"]) {
            self.concatenates(word);
        }
        let begins = self.last.is_none_or(|last| last.kind == Kind::Semicolon);
        self.does |= begins && is("do");
        self.executes |= begins && is("execute");
        if is("select") && self.frames.is_empty() {
            self.selected = Some(Vec::new());
        }
        if is("into") && self.is_into_secret() {
            return;
        }
        // LOAD XML's `ROWS IDENTIFIED BY '<row>'` is about no user.
        let begun = if is_any(self.last_word(), &["rows"]) {
            None
        } else {
            About::begun_by(self.last_word(), word, &self.cursor, self.about)
                .or_else(|| (is("set") && self.sets_password()).then_some(About::SetPassword))
        };
        if let Some(about) = begun {
            self.began |= about.is_secret() || about == About::Other;
            self.identified = is("identified");
            self.about = about;
            self.next = if self.next == Next::Assigned { self.next } else { Next::Ordinary };
            self.assigned = false;
            return;
        }
        self.note_name(token);
        if is("value")
            && let Some(frame) = self.frame()
        {
            frame.give_announced();
        }
        self.open |= is("using") && (self.using || self.executes && self.used);
        self.assigned |= is("to") || is("default");
        let copies = || is_any(self.last_word(), &["to", "from"]);
        let literal = self.is_before_literal();
        self.next = match () {
            () if is("connection") && literal && self.about != About::Rows => Next::Connection,
            () if is("program") && literal && copies() => Next::Program,
            () => self.named(token, word),
        };
    }

    /// Data that reads like MySQL's `SET PASSWORD FOR account = '…'`, of which the cursor stands behind the first word.
    fn sets_password(&self) -> bool {
        /// `PASSWORD FOR 'a' @ 'h' = PASSWORD ( '…'`
        const MOST: usize = 9;
        let data = self.nesting > 0 && !self.code && self.about == About::Rows;
        let mut cursor = self.cursor.clone();
        let begins = data && cursor.eat("password") && cursor.eat("for");
        let mut tokens = std::iter::from_fn(|| cursor.take()).take(MOST);
        let gives = |token: Token| matches!(self.cursor.spelling(token), "=" | "to" | "TO" | ":=");
        begins && tokens.any(gives) && tokens.any(|token| token.kind == Kind::String)
    }

    /// Notes a name where a secret would go: elsewhere something says what it holds.
    fn note_name(&mut self, token: Token) {
        // Of `k.*` all columns are meant.
        let row = || self.cursor.peek_at(1).is_some_and(|next| self.cursor.spelling(next) == "*");
        let other = matches!(self.cursor.kind(), Some(Kind::Open | Kind::String))
            || self.cursor.kind() == Some(Kind::Dot) && !row()
            || self.last.is_some_and(|last| last.kind == Kind::Cast);
        let frame = self.frames.last().map(Frame::verdict);
        let key = frame == Some(Verdict::Goes("key"));
        let given = self.open
            || frame == Some(Verdict::Goes("password"))
            || self.next == Next::Password
            || self.next == Next::Assigned && self.assigned;
        let spelling = self.cursor.spelling(token);
        // A connection string, or a piece of one; at the top it is most often a column.
        if !other && frame == Some(Verdict::Connection) && !is_reserved(spelling) {
            let joins = self.last_spelling() == "||"
                || self.cursor.peek().is_some_and(|next| self.cursor.spelling(next) == "||")
                || self.frames.last().is_some_and(Frame::is_plain_call);
            let role = if joins { Role::Secret } else { Role::Run };
            self.mention((joins || self.nesting > 0).then_some(spelling), role);
        }
        if !other && (key || given && !self.about.is_secret()) && !is_reserved(spelling) {
            self.mention([spelling], Role::Secret);
        }
    }

    /// `… '…'`, `… = '…'`, `… = _utf8'…'`
    fn is_before_literal(&self) -> bool {
        let kind = |place: usize| self.cursor.peek_at(place).map(|token| token.kind);
        let mut place = usize::from(kind(0) == Some(Kind::Operator));
        place += usize::from(self.cursor.word_at(place).starts_with('_'));
        matches!(kind(place), Some(Kind::String | Kind::Number))
    }

    /// MySQL's `name = '…'` behind the columns.
    fn is_table_option(&self) -> bool {
        // Within the brackets of partitions too, where no sign or word shows that something is compared.
        const COMPARES: [&str; 10] =
            ["and", "case", "check", "else", "if", "not", "or", "then", "when", "xor"];
        let compares = || {
            let sign =
                self.last.is_none_or(|last| matches!(last.kind, Kind::Open | Kind::Comma | Kind::Operator));
            sign || is_any(self.last_word(), &COMPARES)
        };
        let equals = self.cursor.peek().is_some_and(|next| self.cursor.spelling(next) == "=");
        equals && !self.cursor.dialect.is_postgres() && (self.frames.is_empty() || !compares())
    }

    /// `WITH (name = …)`
    fn is_storage_parameter(&self) -> bool {
        self.frames.last().is_some_and(Frame::is_parameters)
            && self.cursor.peek().is_some_and(|next| self.cursor.spelling(next) == "=")
    }

    /// What a name says of what follows it.
    fn named(&mut self, token: Token, name: &str) -> Next {
        // In prose `the password's` has none.
        let spaced =
            self.cursor.peek().is_some_and(|next| next.kind == Kind::String && next.start > token.end);
        if self.next == Next::Assigned || self.begins_assignment(name) || self.declares_parameter(name) {
            return Next::Assigned;
        }
        match self.about {
            // `CREATE FUNCTION … SET a = 'b' AS '…'`
            About::Set if self.assigned && name.eq_ignore_ascii_case("as") => {
                self.about = About::Definition;
                Next::Ordinary
            }
            About::Set if self.assigned => self.next,
            // Of a trigger: what follows is a column of the row.
            About::Set if self.is_of_row(token) => Next::Ordinary,
            About::Set => match self.setting(name) {
                Setting::Secret => Next::Passwords,
                Setting::Connection => Next::Connection,
                Setting::Command => Next::Program,
                _ => self.next,
            },
            About::Role | About::SetPassword | About::Unknown => {
                let waits = self.identified || self.next == Next::Password;
                let announces =
                    is_any(name, &PASSWORDS) && !is_any(self.last_word(), &["random", "current", "old"]);
                let said = self.next == Next::Password && is_any(name, &["to", "is"]);
                let given = self.about == About::SetPassword && name.eq_ignore_ascii_case("to");
                if announces || said || given || waits && is_any(name, &["by", "as", "using"]) {
                    self.began = true;
                    Next::Password
                } else {
                    Next::Ordinary
                }
            }
            About::Server | About::Other if name::is_secret(name) => Next::Password,
            // Whatever it is that somebody meant to define.
            About::Definition
                if is_any(name, &PASSWORDS)
                    && matches!(self.cursor.kind(), Some(Kind::String | Kind::Number)) =>
            {
                Next::Password
            }
            // An option of a table, or a parameter of its storage.
            About::Definition if self.is_table_option() && name::is_secret(name) => Next::Password,
            About::Definition if self.is_storage_parameter() && name::is_secret_pair(name) => Next::Password,
            // A command without its beginning, which another literal brings.
            About::Rows if self.nesting > 0 && spaced && name::is_password(name) => Next::Password,
            _ => Next::Ordinary,
        }
    }

    /// `NEW.password`
    fn is_of_row(&self, token: Token) -> bool {
        let before = self.cursor.text.get(..token.start).unwrap_or_default();
        before.len() > 3 && before.get(before.len() - 4..).is_some_and(|row| row.eq_ignore_ascii_case("new."))
    }

    /// MySQL sets variables and settings by one statement; in PostgreSQL `a.b` is an application's own.
    fn setting(&self, name: &str) -> Setting {
        // Of `request.jwt.claims` only the last part names what it holds.
        let last = || self.last_spelling() == "." && self.cursor.kind() != Some(Kind::Dot);
        let variable = || !self.cursor.dialect.is_postgres() || last();
        match Setting::named(name) {
            Setting::Plain if name::is_secret_variable(name) && variable() => Setting::Secret,
            setting => setting,
        }
    }

    /// The name of an option, or a value that somebody forgot to quote; false outside of options.
    fn in_options(&mut self, token: Token, name: &str) -> bool {
        let named = self.last.is_some_and(|last| matches!(last.kind, Kind::Word | Kind::Quoted));
        let value = named && !is_any(self.last_word(), &["set", "add", "drop"]);
        let Some(frame) = self.frames.last_mut().filter(|frame| frame.is_options()) else { return false };
        if value {
            self.hidden.hide(token.start..token.end, LITERAL, "options");
        } else {
            frame.option(name::is_harmless_option(name));
        }
        true
    }

    pub(super) fn quoted(&mut self, token: Token) {
        let name = self.unquote(token);
        if self.in_options(token, &name) {
            return;
        }
        // PostgreSQL calls so whatever column has no name.
        self.hidden.uncertain |= name == "?column?"
            && self.frames.last().is_some_and(|frame| frame.verdict() == Verdict::Goes("key"));
        // A string of a routine in another language.
        if self.nesting > 0
            && self.code
            && self.about != About::Set
            && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.inside(token, Form::Any);
            return self.reset_next();
        }
        // A string of a routine in another language, whose names have no quotes.
        if self.next == Next::Assigned && self.nesting > 0 && self.code {
            self.hidden.hide(token.start..token.end, LITERAL, self.rule());
            return;
        }
        self.writes_catalog(&name);
        self.note_name(token);
        let named = self.next == Next::Password && self.about.is_secret();
        if named || self.next == Next::Passwords && self.assigned {
            return self.unquoted(token);
        }
        // A role may be called so.
        self.next = if self.about == About::Role { Next::Ordinary } else { self.named(token, &name) };
    }

    pub(super) fn number(&mut self, token: Token) {
        let secret = match self.next {
            Next::Password => self.about.is_secret(),
            Next::Passwords => true,
            _ => false,
        };
        if secret && self.frames.is_empty() {
            return self.unquoted(token);
        }
        if secret {
            self.hidden.hide(token.start..token.end, LITERAL, self.rule());
        }
        // An index on `password(10)` has no password.
        if self.about != About::Definition && self.frames.last().is_some_and(Frame::is_key) {
            self.hidden.hide(token.start..token.end, LITERAL, "key");
        }
        self.reset_next();
    }

    /// What a quoted name says.
    pub(super) fn unquote(&self, token: Token) -> Cow<'a, str> {
        let spelling = self.cursor.spelling(token);
        if spelling.starts_with('`') {
            return spelling.trim_matches('`').into();
        }
        if !spelling.starts_with(['u', 'U']) {
            return literal::value(spelling, self.cursor.dialect, '\\').text;
        }
        // `U&"…" UESCAPE '!'`
        let end = spelling.rfind('"').map_or(spelling.len(), |quote| quote + 1);
        let (name, mark) = spelling.split_at_checked(end).unwrap_or((spelling, ""));
        let mark = mark.trim_end_matches('\'').chars().next_back().unwrap_or('\\');
        literal::value(name, self.cursor.dialect, mark).text
    }
}
