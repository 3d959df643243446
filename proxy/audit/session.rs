//! A session, as its observations tell it.

use std::rc::Rc;

use panoptes_config::Protocol;
use panoptes_event::{Cancel, Uuid};
use panoptes_parser::{
    mysql::values::Attributes,
    postgres::type_oids,
    sql::{Dialect, Effect},
    text::Encoding,
    wire::{Answer, Ask, Digest, Failure, Nanos, Observation, Settled, TransactionStatus},
};

use super::{
    Tools,
    aside::Aside,
    extended::PassedOver,
    identity::Identity,
    intent::Intents,
    item::Item,
    login::Login,
    names::{NameLimits, Names, Prepared, numbered},
    operation::Operated,
    query::Query,
    readings::Readings,
    run::{Run, Runs},
    statement::{End, Error, Statement, What},
    text::{Cut, Text},
    transaction::Transactions,
    values::unknown_types,
};
use crate::session::{Ending, Opened};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) identity: Identity,
    pub(super) encoding: Encoding,
    /// What it was at the login.
    pub(super) first_encoding: Encoding,
    /// What the server has for those who choose none (MySQL).
    pub(super) server_encoding: Encoding,
    /// Nobody said what it is: it is the server's, if that was not changed since it greeted (MySQL).
    pub(super) encoding_assumed: bool,
    pub(super) dialect: Dialect,
    pub(super) readings: Readings,
    /// Something was done since the server was last ready that may have changed how texts are read (PostgreSQL).
    pub(super) may_read_otherwise: bool,
    /// A text may be of several statements.
    pub(super) several: bool,
    /// What a `"` begins is not known: sql_mode was set to what no text tells (MySQL).
    pub(super) quotes_unknown: bool,
    /// Nor what a backslash does in a string.
    pub(super) escapes_unknown: bool,
    /// The status says that it is an ordinary character. Behind a routine that says what was so in there.
    pub(super) no_escapes_told: bool,
    /// What the status says of it is so: what was settled last has set it, or nothing was.
    pub(super) trusts_status: bool,
    pub(super) replication: bool,
    pub(super) names: Names,
    pub(super) limits: NameLimits,
    /// A routine prepared statements that nobody here saw: any name may be another's now.
    pub(super) prepares_unseen: bool,
    pub(super) query: Option<Query>,
    /// Of the text that is told next, where it was cut.
    hashed: Option<Digest>,
    /// What is told of the statement that is settled next, beside it.
    pub(super) beside: Option<Box<Aside>>,
    /// A statement whose results are not all there.
    pub(super) running: Option<Box<Statement>>,
    /// Of statements that the server numbers.
    pub(super) runs: Option<Box<Runs>>,
    /// From an error in the extended protocol up to the next Sync.
    pub(super) passed_over: Option<Box<PassedOver>>,
    pub(super) transactions: Transactions,
    /// In mode `strict`.
    pub(super) intents: Option<Box<Intents>>,
    /// When something was first held.
    pub(crate) held_since: Option<Nanos>,
    pub(super) login: Login,
}

impl Session {
    /// A session that was just opened.
    pub(crate) fn new(opened: Opened, limits: NameLimits) -> Self {
        let protocol = opened.upstream.protocol;
        let postgres = protocol == Protocol::Postgres;
        let strict = opened.upstream.mode.withholds_statements();
        let mut dialect = if postgres { Dialect::POSTGRES } else { Dialect::MYSQL };
        if let Dialect::Mysql { ansi_quotes, .. } = &mut dialect {
            *ansi_quotes = opened.upstream.ansi_quotes;
        }
        Self {
            identity: Identity::new(opened),
            encoding: Encoding::UTF8,
            first_encoding: Encoding::UTF8,
            server_encoding: Encoding::UTF8,
            encoding_assumed: false,
            dialect,
            readings: Readings::default(),
            may_read_otherwise: false,
            several: postgres,
            quotes_unknown: false,
            escapes_unknown: false,
            no_escapes_told: false,
            trusts_status: true,
            replication: false,
            names: Names::new(limits),
            limits,
            prepares_unseen: false,
            query: None,
            hashed: None,
            beside: None,
            running: None,
            runs: None,
            passed_over: None,
            transactions: Transactions::of(protocol),
            intents: strict.then(|| Box::new(Intents::new(limits))),
            held_since: None,
            login: Login::Awaited,
        }
    }

    /// Takes what was seen on the wire.
    pub(crate) fn observe(&mut self, observation: Observation<&[u8]>, tools: &mut Tools) {
        match observation {
            Observation::Settled(settled) => self.settle(settled, tools),
            Observation::Asked { ask, at } => self.ask(ask, at, tools),
            Observation::Ready(status) => self.ready(status, tools),
            Observation::Described { statement, types } => {
                self.names.describe(statement, type_oids(types).collect())
            }
            Observation::Startup { parameters } => self.start(parameters),
            Observation::Authentication { method } => self.identity.authenticate(method),
            Observation::Backend { pid } => self.identity.server_pid = Some(pid),
            Observation::Parameter { name, value } => self.parameter(name, value),
            Observation::LoggedIn { at } => self.login(at, None, tools),
            Observation::LoginFailed { at, failure } => self.login(at, Some(&failure), tools),
            Observation::Attributes { attributes } => {
                let attributes = Attributes::new(attributes);
                let left_out = attributes.left_out();
                self.beside = Aside::of(attributes, &self.encoding, self.dialect).map(Box::new);
                if left_out.is_some() {
                    self.beside.get_or_insert_default().left_out = left_out;
                }
            }
            Observation::File { name } => {
                let name = self.encoding.decode(name).into_owned();
                self.beside.get_or_insert_default().file = Some(name);
            }
            Observation::Streamed { returned, sent } => {
                self.beside.get_or_insert_default().streamed = Some((returned, sent));
            }
            Observation::Hashed { sha256 } => self.hashed = sha256.try_into().ok(),
            Observation::CommitFailed(failure) => {
                let error = self.error(&failure);
                self.transactions.fail_commit(error);
            }
            Observation::Ended(failure) => self.identity.ended_by = Some(self.error(&failure)),
            Observation::Blind { reason } => self.identity.write_blind(reason, tools),
            Observation::Turned(status) => self.turn(status),
            Observation::Closed { unanswered } => {
                self.finish_running(tools);
                self.close_runs(tools);
                self.transactions.close(unanswered);
                self.write(tools);
                self.close_intents(tools);
            }
        }
    }

    /// Whether an answer waits until what is held is written.
    pub(crate) fn is_awaited(&self) -> bool {
        self.held_since.is_some() && self.identity.upstream().mode.holds_answers()
    }

    /// The session is over.
    pub(crate) fn end(&mut self, at: Nanos, ending: &Ending, tools: &mut Tools) {
        if self.login.is_done() {
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

    fn settle(&mut self, settled: Settled<&[u8]>, tools: &mut Tools) {
        let settled = self.meet_intents(settled);
        self.trusts_status = false;
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
                let prepared = match settled.answer {
                    Answer::Prepared { parameters } => {
                        Prepared::new(&numbered(statement), Some(text), unknown_types(parameters))
                    }
                    _ => Prepared::new(statement, Some(text), type_oids(types).collect()),
                };
                self.parse(Rc::new(prepared), settled, tools);
            }
            Ask::Describe { target, name } => self.describe(target, name, settled, tools),
            Ask::Close { target, name } => self.close(target, name, settled, tools),
            Ask::Command { name, object, argument } => self.command(name, object, argument, settled, tools),
            Ask::Run { statement, parameters, length, bulk, named } => {
                self.run(Run { statement, parameters, length, bulk, named }, settled, tools);
            }
            Ask::Append { statement, parameter, data, length } => {
                self.append(statement, parameter, data, length);
            }
            Ask::Fetch { statement } => self.fetch(statement, settled, tools),
            Ask::Reset { statement } => self.reset_run(statement, settled, tools),
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

    /// A command without SQL.
    fn command(
        &mut self,
        name: &'static str,
        object: Option<u32>,
        argument: &[u8],
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        let argument = (!argument.is_empty()).then(|| self.encoding.decode(argument).into_owned());
        let operated = Operated::command(name, argument.clone().or_else(|| object.map(|n| n.to_string())));
        let Some(mut statement) = self.statement(What::Command(operated), settled, tools) else { return };
        if name == "COM_PROCESS_KILL" {
            statement.aside().kill = Some(self.kill(object, tools));
        }
        let done = statement.end.is_success();
        if done && name == "COM_RESET_CONNECTION" {
            // It is no part of what it rolls back.
            self.begin_anew(self.encoding_at_reset(), tools);
            self.encoding_assumed = !self.is_mariadb();
        }
        if let Some(schema) = argument.as_ref().filter(|_| done && name == "COM_INIT_DB") {
            self.choose(schema.clone());
        }
        self.hold(statement, &settled.answer, tools);
        if let Some(schema) = argument.filter(|_| done && name == "COM_DROP_DB") {
            self.drop_schema(&schema);
        }
    }

    /// The server has forgotten all of the session but who it is.
    pub(super) fn begin_anew(&mut self, encoding: Encoding, tools: &mut Tools) {
        self.finish_running(tools);
        self.close_runs(tools);
        self.transactions.close(false);
        self.names.deallocate_all();
        (self.encoding, self.encoding_assumed) = (encoding, false);
        (self.quotes_unknown, self.escapes_unknown, self.trusts_status) = (false, false, true);
        if let Dialect::Mysql { ansi_quotes, .. } = &mut self.dialect {
            *ansi_quotes = self.identity.upstream().ansi_quotes;
        }
    }

    fn turn(&mut self, status: TransactionStatus) {
        self.follow_status();
        // What goes on may begin transactions, and end them.
        if self.running.is_none() {
            self.transactions.ready(status, Uuid::now_v7);
        }
    }

    fn kill(&self, session: Option<u32>, tools: &Tools) -> Cancel {
        let upstream = self.identity.upstream();
        let target = session.and_then(|session| tools.keys.session_of(session, upstream));
        Cancel { matched: target.is_some(), session_id: target, server_pid: session }
    }

    pub(super) fn settle_one(&mut self, what: What, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(statement) = self.statement(what, settled, tools) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// The execution that was just settled; `None` where there was nothing to do.
    pub(super) fn statement(
        &mut self,
        what: What,
        settled: Settled<&[u8]>,
        tools: &Tools,
    ) -> Option<Statement> {
        let text = |bytes: &[u8]| self.encoding.decode(bytes).into_owned();
        // Its verb stands behind more comment than is kept of a text: the server tells it.
        let what = match (what, &settled.answer) {
            (What::Sql(text), Answer::Complete { tag, .. }) if text.verb() == "UNKNOWN" => {
                What::Sql(Rc::new(text.tagged(tag)))
            }
            (what, _) => what,
        };
        let end = End::of(&settled.answer, settled.warnings, text);
        let mut end = end.or_else(|| self.has_intent().then(End::empty))?;
        if let Some((returned, sent)) = self.beside.as_ref().and_then(|beside| beside.streamed) {
            (end.bytes, end.sent, end.streams) = (returned, sent, true);
        }
        let unix_micros = tools.anchor.unix_micros(settled.asked);
        let mut statement = Statement {
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
            aside: self.beside.take(),
        };
        statement.meet_intent(self.intents.as_deref_mut());
        Some(statement)
    }

    pub(super) fn hold(&mut self, mut statement: Statement, answer: &Answer<&[u8]>, tools: &mut Tools) {
        if let What::Sql(text) = &statement.what
            && text.effect != Effect::None
            && !statement.split_uncertain
        {
            let text = Rc::clone(text);
            self.resolve(&text, &mut statement);
            if let Effect::Kill { session } = text.effect {
                statement.aside().kill = Some(self.kill(session, tools));
            }
            if statement.end.is_success() {
                self.apply(&text, tools);
            }
        }
        self.may_read_otherwise |= statement.end.is_success() && !statement.is_followed_in_reading();
        if let What::Sql(text) = &statement.what {
            match self.dialect.is_postgres() {
                true => self.prepares_unseen |= text.prepares_unseen(),
                // MySQL has no statement that ends this doubt: a name is known again when it is prepared again.
                false if text.verb() == "CALL" || text.prepares_unseen() => self.names.forget_named(),
                false => {}
            }
        }
        statement.hide(self.dialect);
        if let Answer::Failed(Failure { fatal: true, .. }) = answer {
            self.identity.ended_by.clone_from(&statement.end.error);
        }
        let dropped = statement.dropped_schema();
        let rolled_back = matches!(answer, Answer::Complete { tag, .. } if tag.starts_with(b"ROLLBACK"));
        self.transactions.borrow(&mut tools.spare);
        self.transactions.settle(statement, rolled_back, Uuid::now_v7);
        if self.transactions.is_full() {
            self.spill(tools);
        } else if self.held_since.is_none() {
            self.held_since = Some(tools.anchor.at());
        }
        if let Some(text) = dropped {
            self.drop_schema(text.form.class.object_name.as_deref().unwrap_or_default());
        }
    }

    /// `EXECUTE name` has the tables of what it runs, and its secrets. Where it is not known, or never ran and so may have
    /// been meant for another one, any argument may be a secret.
    fn resolve(&self, text: &Text, statement: &mut Statement) {
        let (name, runs) = match &text.effect {
            Effect::Execute(name) => (name, true),
            Effect::Explain(name) => (name, false),
            Effect::Fetch(name) => return self.resolve_cursor(name, text, statement),
            Effect::Close(name) if !self.dialect.is_postgres() => {
                return self.resolve_cursor(name, text, statement);
            }
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
            statement.commits |= resolved.form.operation.commits;
            statement.what = What::Sql(Rc::new(resolved));
        }
        statement.prepared = prepared.filter(|_| runs).map(Rc::clone);
    }

    /// `FETCH name` reads the tables of its cursor, MySQL's `HANDLER name` has that which was opened so.
    fn resolve_cursor(&self, name: &str, text: &Text, statement: &mut Statement) {
        let portal = self.names.portal(name.as_bytes()).filter(|_| statement.end.was_run());
        if let Some(declared) = portal.and_then(|portal| portal.prepared.text.as_ref()) {
            statement.what = What::Sql(Rc::new(text.fetching(declared)));
        }
    }

    /// Remembers a statement; `false` if there is no room.
    pub(super) fn prepare(&mut self, prepared: Rc<Prepared>, tools: &Tools) -> bool {
        let kept = self.names.prepare(prepared);
        tools.metrics.names_forgotten.inc_by(u64::from(!kept));
        kept
    }

    fn ready(&mut self, status: TransactionStatus, tools: &mut Tools) {
        self.finish_running(tools);
        self.finish_query(tools);
        // What it was told of may have been left out.
        self.beside = None;
        self.passed_over = None;
        let idle = status == TransactionStatus::Idle;
        if idle {
            self.names.close_portals();
        }
        self.settle_reading(idle);
        self.may_read_otherwise = false;
        self.follow_status();
        self.transactions.ready(status, Uuid::now_v7);
        self.write(tools);
    }

    pub(super) fn write(&mut self, tools: &mut Tools) {
        self.held_since = None;
        let mut items = self.transactions.take();
        for (place, item) in items.iter().enumerate() {
            let seq = match item {
                Item::Statement(statement) => self.identity.write_statement(statement, tools),
                Item::Verdict(told) => self.identity.write_verdict(told, tools),
                Item::Schema(schema) => {
                    self.identity.choose(schema.clone());
                    continue;
                }
            };
            self.transactions.written(place, item, seq);
        }
        items.clear();
        tools.spare = items;
    }

    pub(super) fn error(&self, failure: &Failure<&[u8]>) -> Rc<Error> {
        Error::of(failure, |bytes| self.encoding.decode(bytes).into_owned())
    }
}
