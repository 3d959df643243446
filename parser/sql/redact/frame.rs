//! What a literal in a statement is, by the words and brackets around it.

use super::super::lexer::Kind;
use super::about::Setting;
use super::call::Call;

/// What is to be done with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays; what is in it is looked at.
    Stays,
    /// A connection string, or a statement for another server.
    Connection,
    /// A command line: it goes if it logs in.
    Program,
    /// The value of a setting whose name is a parameter.
    Setting(u16),
    /// It goes, by this rule.
    Goes(&'static str),
}

/// An open bracket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    kind: Bracket,
    /// Number of the argument at hand, from 0.
    argument: u8,
    /// Arguments are told by name, so their order says nothing.
    named: bool,
    /// What a literal would be if the bracket were not there.
    outer: Verdict,
    /// It is a `[`.
    square: bool,
    /// It is that of a row or a list, whose elements nobody puts together.
    row: bool,
    /// It holds the parameters of a table or an index: `WITH (name = value)`.
    parameters: bool,
    /// The name of the argument at hand says that it is a secret.
    secret: bool,
    /// The argument at hand says that the next one is.
    announced: bool,
}

#[derive(Clone, Copy, Debug)]
enum Bracket {
    Call(Call),
    /// `OPTIONS (…)`, and whether the option at hand may be read.
    Options(bool),
    /// `set_config(…)`
    Setting(Setting),
}

impl Frame {
    /// The bracket of a call, or one without a name before it.
    pub(super) fn call(call: Call, outer: Verdict) -> Self {
        let kind = match call {
            Call::Setting => Bracket::Setting(Setting::Unread),
            other => Bracket::Call(other),
        };
        Self {
            kind,
            argument: 0,
            named: false,
            outer,
            square: false,
            row: false,
            parameters: false,
            secret: false,
            announced: false,
        }
    }

    /// The bracket of a row: `VALUES (…), (…)`, `IN (…)`.
    pub(super) fn row(outer: Verdict) -> Self {
        Self { row: true, ..Self::call(Call::Other, outer) }
    }

    /// The bracket of `WITH (…)`.
    pub(super) fn parameters(outer: Verdict) -> Self {
        Self { parameters: true, ..Self::call(Call::Other, outer) }
    }

    pub(super) fn is_parameters(&self) -> bool {
        self.parameters
    }

    /// A `[`; that of an array of pairs may be one of them.
    pub(super) fn square(pairs: bool, outer: Verdict) -> Self {
        let call = if pairs { Call::Pairs } else { Call::Other };
        Self { square: true, ..Self::call(call, outer) }
    }

    /// Does this bracket close it?
    pub(super) fn is_closed_by(&self, kind: Kind) -> bool {
        self.square == (kind == Kind::CloseBracket)
    }

    /// The bracket behind OPTIONS.
    pub(super) fn options() -> Self {
        let kind = Bracket::Options(false);
        Self {
            kind,
            argument: 0,
            named: false,
            outer: Verdict::Stays,
            square: false,
            row: false,
            parameters: false,
            secret: false,
            announced: false,
        }
    }

    pub(super) fn is_options(&self) -> bool {
        matches!(self.kind, Bracket::Options(_))
    }

    /// Of a call that only puts words together.
    pub(super) fn is_plain_call(&self) -> bool {
        matches!(self.kind, Bracket::Call(Call::Other)) && !self.row
    }

    pub(super) fn is_row(&self) -> bool {
        self.row
    }

    /// Is the argument at hand itself a key, not only a part of one?
    pub(super) fn is_key(&self) -> bool {
        matches!(self.kind, Bracket::Call(Call::Secret(places))
            if places.checked_shr(self.argument.into()).unwrap_or_default() & 1 == 1)
    }

    /// A literal here.
    pub(super) fn verdict(&self) -> Verdict {
        match self.kind {
            _ if self.secret => Verdict::Goes("password"),
            Bracket::Options(true) | Bracket::Call(Call::Neutral) => Verdict::Stays,
            Bracket::Options(false) => Verdict::Goes("options"),
            Bracket::Call(Call::Secret(_)) if self.is_key() || self.named => Verdict::Goes("key"),
            Bracket::Call(Call::Remote) => Verdict::Connection,
            Bracket::Call(Call::Command) => Verdict::Program,
            Bracket::Setting(setting) => self.setting(setting),
            Bracket::Call(_) => self.outer,
        }
    }

    fn setting(&self, setting: Setting) -> Verdict {
        if self.argument != 1 {
            return self.outer;
        }
        match setting {
            Setting::Parameter(place) => Verdict::Setting(place),
            Setting::Connection => Verdict::Connection,
            Setting::Command => Verdict::Program,
            Setting::Plain => self.outer,
            Setting::Unread | Setting::Secret => Verdict::Goes("password"),
        }
    }

    pub(super) fn comma(&mut self) {
        self.argument = self.argument.saturating_add(1);
        self.secret = std::mem::take(&mut self.announced);
        if let Bracket::Options(harmless) = &mut self.kind {
            *harmless = false;
        }
    }

    /// `name => value`
    pub(super) fn name_argument(&mut self, name: &str) {
        match self.kind {
            Bracket::Setting(_) if name.eq_ignore_ascii_case("setting_name") => self.argument = 0,
            Bracket::Setting(_) if name.eq_ignore_ascii_case("is_local") => self.argument = 2,
            Bracket::Setting(_) => self.argument = 1,
            _ => self.named = true,
        }
    }

    /// `password => value`
    pub(super) fn give_secret(&mut self) {
        self.secret = true;
    }

    /// Names and values in turn?
    pub(super) fn is_pairs(&self) -> bool {
        matches!(self.kind, Bracket::Call(Call::Pairs))
    }

    /// The argument at hand names a password.
    pub(super) fn announce(&mut self) {
        self.announced = true;
    }

    pub(super) fn announces(&self) -> bool {
        self.announced
    }

    /// `'password' : …`
    pub(super) fn give_announced(&mut self) {
        self.secret |= std::mem::take(&mut self.announced);
    }

    /// The name of an option.
    pub(super) fn option(&mut self, harmless: bool) {
        if let Bracket::Options(may_be_read) = &mut self.kind {
            *may_be_read = harmless;
        }
    }

    /// Does the argument at hand name a setting?
    pub(super) fn names_setting(&self) -> bool {
        matches!(self.kind, Bracket::Setting(_)) && self.argument == 0
    }

    /// The name of a setting, or a piece of it: what is secret stays so.
    pub(super) fn name_setting(&mut self, setting: Setting) {
        if let Bracket::Setting(known) = &mut self.kind
            && *known != Setting::Secret
        {
            *known = setting;
        }
    }
}
