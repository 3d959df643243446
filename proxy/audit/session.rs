//! A session, as its observations tell it.

use std::rc::Rc;

use panoptes_event::Uuid;
use panoptes_parser::{
    postgres::{pairs, type_oids},
    sql::{Dialect, Effect},
    text::Encoding,
    wire::{Answer, Ask, Digest, Failure, Nanos, Observation, Settled, TransactionStatus},
};

use super::{
    Tools,
    extended::PassedOver,
    identity::Identity,
    names::{NameLimits, Names, Prepared},
    operation::Operated,
    query::Query,
    statement::{End, Error, Statement, What},
    text::{Cut, Text},
    transaction::{Item, Transactions},
};
use crate::session::{Ending, Opened};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) identity: Identity,
    pub(super) encoding: Encoding,
    pub(super) dialect: Dialect,
    pub(super) replication: bool,
    pub(super) names: Names,
    pub(super) limits: NameLimits,
    /// A routine prepared statements that nobody here saw: any name may be another's now.
    prepares_unseen: bool,
    pub(super) query: Option<Query>,
    /// Of the text that is told next, where it was cut.
    hashed: Option<Digest>,
    /// From an error in the extended protocol up to the next Sync.
    pub(super) passed_over: Option<Box<PassedOver>>,
    pub(super) transactions: Transactions,
    /// When something was first held.
    pub(crate) held_since: Option<Nanos>,
    login: Login,
}

/// What was told of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Awaited,
    Done,
    Refused,
}

impl Session {
    /// A session that was just opened.
    pub(crate) fn new(opened: Opened, limits: NameLimits) -> Self {
        Self {
            identity: Identity::new(opened),
            encoding: Encoding::UTF8,
            dialect: Dialect::POSTGRES,
            replication: false,
            names: Names::new(limits),
            limits,
            prepares_unseen: false,
            query: None,
            hashed: None,
            passed_over: None,
            transactions: Transactions::new(),
            held_since: None,
            login: Login::Awaited,
        }
    }

    /// Takes what was seen on the wire.
    pub(crate) fn observe(&mut self, observation: Observation<&[u8]>, tools: &mut Tools) {
        match observation {
            Observation::Settled(settled) => self.settle(settled, tools),
            Observation::Ready(status) => self.ready(status, tools),
            Observation::Described { statement, types } => {
                self.names.describe(statement, type_oids(types).collect())
            }
            Observation::Startup { parameters } => self.start(parameters),
            Observation::Authentication { method } => self.identity.auth_method = Some(method),
            Observation::Backend { pid } => self.identity.server_pid = Some(pid),
            Observation::Parameter { name, value } => self.parameter(name, value),
            Observation::LoggedIn { at } => self.login(at, None, tools),
            Observation::LoginFailed { at, failure } => self.login(at, Some(&failure), tools),
            // Of a protocol that the configuration still refuses.
            Observation::Attributes { .. } | Observation::File { .. } => {}
            Observation::Hashed { sha256 } => self.hashed = sha256.try_into().ok(),
            Observation::CommitFailed(failure) => {
                let error = self.error(&failure);
                self.transactions.fail_commit(error);
            }
            Observation::Ended(failure) => self.identity.ended_by = Some(self.error(&failure)),
            Observation::Blind { reason } => self.identity.write_blind(reason, tools),
            Observation::Closed { unanswered } => {
                self.transactions.close(unanswered);
                self.write(tools);
            }
        }
    }

    /// The session is over.
    pub(crate) fn end(&mut self, at: Nanos, ending: &Ending, tools: &mut Tools) {
        if self.login == Login::Done {
            self.identity.write_logout(at, ending, tools);
        }
    }

    /// What was held too long is written without its verdict.
    pub(crate) fn spill(&mut self, tools: &mut Tools) {
        // Until its last answer an event may still turn out to stand for more of its text.
        if self.query.as_ref().is_none_or(Query::is_split) {
            self.transactions.spill(Uuid::now_v7);
            self.write(tools);
        }
    }

    fn start(&mut self, parameters: &[u8]) {
        for (name, value) in pairs(parameters) {
            let value = String::from_utf8_lossy(value).into_owned();
            if name == b"replication" {
                self.replication = asks_for_replication(&value);
            }
            self.identity.parameter(&String::from_utf8_lossy(name), value);
        }
        self.identity.change();
    }

    fn parameter(&mut self, name: &[u8], value: &[u8]) {
        let text = || self.encoding.decode(value).into_owned();
        match name {
            b"client_encoding" => self.encoding = Encoding::named(&text()),
            b"standard_conforming_strings" => {
                self.dialect = Dialect::Postgres { standard_conforming_strings: value != b"off" };
            }
            b"application_name" => self.identity.call_app(text()),
            b"server_version" => self.identity.server_version = Some(text()),
            _ => return,
        }
        self.identity.change();
    }

    fn login(&mut self, at: Nanos, failure: Option<&Failure<&[u8]>>, tools: &mut Tools) {
        // A login that was refused may be told twice: by the server, and by the way the session ended.
        if self.login == Login::Awaited {
            let error = failure.map(|failure| self.error(failure));
            self.login = if failure.is_none() { Login::Done } else { Login::Refused };
            self.identity.change();
            self.identity.write_login(at, error.as_deref(), tools);
        }
    }

    fn settle(&mut self, settled: Settled<&[u8]>, tools: &mut Tools) {
        match settled.ask {
            Ask::Execute { portal } => self.execute(portal, settled, tools),
            Ask::Bind { portal, statement, parameters, length } => {
                let bound = self.bound(statement, parameters, length, tools);
                self.bind(portal, bound, settled, tools);
            }
            Ask::Query { text, length } => self.query(text, length, settled, tools),
            Ask::Parse { statement, text, length, types } => {
                let cut = self.cut(length, text);
                let text = tools.texts.read(self.encoding.decode(text).trim(), cut, self.dialect);
                let types = type_oids(types).collect();
                let prepared = Prepared { name: statement.into(), text: Some(text), types };
                self.parse(Rc::new(prepared), settled, tools);
            }
            Ask::Describe { target, name } => self.describe(target, name, settled, tools),
            Ask::Close { target, name } => self.close(target, name, settled, tools),
            Ask::Command { name, object, argument } => {
                let named = (!argument.is_empty()).then(|| self.encoding.decode(argument).into_owned());
                let object = named.or_else(|| object.map(|object| object.to_string()));
                let what = What::Command(Operated::command(name, object));
                self.settle_one(what, settled, tools);
            }
            // Of a protocol that the configuration still refuses.
            Ask::Run { .. } | Ask::Append { .. } | Ask::Fetch { .. } | Ask::Reset { .. } => {}
            Ask::Malformed => {
                let what = What::Command(Operated::command("malformed message", None));
                self.settle_one(what, settled, tools);
            }
        }
    }

    /// Whether `text` is only the head of one of this length.
    pub(super) fn cut(&mut self, length: u64, text: &[u8]) -> Option<Cut> {
        let sha256 = self.hashed.take();
        (length > text.len() as u64).then_some(Cut { length, sha256 })
    }

    pub(super) fn settle_one(&mut self, what: What, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(statement) = self.statement(what, settled, tools) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// The execution that was just settled; `None` where there was nothing to do.
    pub(super) fn statement(&self, what: What, settled: Settled<&[u8]>, tools: &Tools) -> Option<Statement> {
        let text = |bytes: &[u8]| self.encoding.decode(bytes).into_owned();
        // Its verb stands behind more comment than is kept of a text: the server tells it.
        let what = match (what, &settled.answer) {
            (What::Sql(text), Answer::Complete { tag, .. }) if text.verb() == "UNKNOWN" => {
                What::Sql(Rc::new(text.tagged(tag)))
            }
            (what, _) => what,
        };
        let end = End::of(&settled.answer, settled.warnings, text)?;
        let unix_micros = tools.anchor.unix_micros(settled.asked);
        Some(Statement {
            id: tools.event_id(unix_micros),
            commits: what.operation().commits,
            what,
            prepared: None,
            parameters: Rc::clone(&tools.no_parameters),
            secrets: None,
            parameters_truncated: None,
            split_uncertain: false,
            unix_micros,
            duration_micros: settled.answered.saturating_sub(settled.asked) / 1_000,
            end,
            transaction: None,
            status: TransactionStatus::Idle,
            verdict: None,
            undone_by: None,
        })
    }

    pub(super) fn hold(&mut self, mut statement: Statement, answer: &Answer<&[u8]>, tools: &mut Tools) {
        if let What::Sql(text) = &statement.what
            && text.effect != Effect::None
            && !statement.split_uncertain
        {
            let text = Rc::clone(text);
            self.resolve(&text, &mut statement);
            if statement.end.is_success() {
                self.apply(&text, tools);
            }
        }
        if let What::Sql(text) = &statement.what {
            self.prepares_unseen |= text.prepares_unseen();
        }
        statement.hide();
        if let Answer::Failed(Failure { fatal: true, .. }) = answer {
            self.identity.ended_by.clone_from(&statement.end.error);
        }
        let rolled_back = matches!(answer, Answer::Complete { tag, .. } if tag.starts_with(b"ROLLBACK"));
        self.transactions.borrow(&mut tools.spare);
        self.transactions.settle(statement, rolled_back, Uuid::now_v7);
        if self.transactions.is_full() {
            self.spill(tools);
        } else if self.held_since.is_none() {
            self.held_since = Some(tools.anchor.at());
        }
    }

    /// `EXECUTE name` has the tables of what it runs, and its secrets. Where it is not known, or never ran and so may have
    /// been meant for another one, any argument may be a secret.
    fn resolve(&self, text: &Text, statement: &mut Statement) {
        let (name, runs) = match &text.effect {
            Effect::Execute(name) => (name, true),
            Effect::Explain(name) => (name, false),
            Effect::Fetch(name) => return self.resolve_cursor(name, text, statement),
            _ => return,
        };
        let prepared = self.names.statement(name.as_bytes());
        let body = prepared.and_then(|prepared| prepared.text.as_ref());
        let resolved = match body.filter(|_| statement.end.was_run() && !self.prepares_unseen) {
            Some(body) if runs => Some(text.executing(body, self.dialect)),
            Some(body) => Some(text.explaining(body, self.dialect)),
            None => text.without_arguments(None, self.dialect),
        };
        if let Some(resolved) = resolved {
            statement.what = What::Sql(Rc::new(resolved));
        }
        statement.prepared = prepared.filter(|_| runs).map(Rc::clone);
    }

    /// `FETCH name` reads the tables of its cursor.
    fn resolve_cursor(&self, name: &str, text: &Text, statement: &mut Statement) {
        let portal = self.names.portal(name.as_bytes()).filter(|_| statement.end.was_run());
        if let Some(declared) = portal.and_then(|portal| portal.prepared.text.as_ref()) {
            statement.what = What::Sql(Rc::new(text.fetching(declared)));
        }
    }

    /// What a statement changes for those that follow.
    fn apply(&mut self, text: &Rc<Text>, tools: &mut Tools) {
        match &text.effect {
            Effect::Prepare { name, .. } => {
                let text = text.prepares.clone();
                let prepared = Prepared { name: name.as_bytes().into(), text, types: Vec::new() };
                // Its own event tells the text, where there is no room for it.
                _ = self.prepare(Rc::new(prepared), tools);
            }
            Effect::Deallocate(name) => self.names.deallocate(name.as_bytes()),
            Effect::DeallocateAll => {
                self.prepares_unseen = false;
                self.names.deallocate_all();
            }
            Effect::DiscardAll => {
                self.prepares_unseen = false;
                self.names.deallocate_all();
                self.names.close_all_portals();
            }
            Effect::Declare { name, hold } => self.declare(name.as_bytes(), *hold, text, tools),
            Effect::Close(name) => self.names.close_portal(name.as_bytes()),
            Effect::CloseAll => self.names.close_all_portals(),
            _ => {}
        }
    }

    /// Remembers a statement; `false` if there is no room.
    pub(super) fn prepare(&mut self, prepared: Rc<Prepared>, tools: &Tools) -> bool {
        let kept = self.names.prepare(prepared);
        tools.metrics.names_forgotten.inc_by(u64::from(!kept));
        kept
    }

    fn ready(&mut self, status: TransactionStatus, tools: &mut Tools) {
        self.finish_query(tools);
        self.passed_over = None;
        if status == TransactionStatus::Idle {
            self.names.close_portals();
        }
        self.transactions.ready(status, Uuid::now_v7);
        self.write(tools);
    }

    fn write(&mut self, tools: &mut Tools) {
        self.held_since = None;
        let mut items = self.transactions.take();
        for (place, item) in items.iter().enumerate() {
            let seq = match item {
                Item::Statement(statement) => self.identity.write_statement(statement, tools),
                Item::Verdict(told) => self.identity.write_verdict(told, tools),
            };
            self.transactions.written(place, item, seq);
        }
        items.clear();
        tools.spare = items;
    }

    fn error(&self, failure: &Failure<&[u8]>) -> Rc<Error> {
        Error::of(failure, |bytes| self.encoding.decode(bytes).into_owned())
    }
}

/// As the server reads it: a boolean of its kind, or `database`.
fn asks_for_replication(value: &str) -> bool {
    let begins = |word: &str| word.get(..value.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(value));
    let yes = begins("true") || begins("yes") || value.eq_ignore_ascii_case("on") || value == "1";
    value == "database" || !value.is_empty() && yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_is_asked_for_as_the_server_reads_it() {
        for value in ["database", "1", "on", "ON", "t", "tRu", "true", "y", "YES"] {
            assert!(asks_for_replication(value), "{value}");
        }
        for value in ["", "DATABASE", "0", "o", "off", "f", "no", "truer", "11", "2"] {
            assert!(!asks_for_replication(value), "{value}");
        }
    }
}
