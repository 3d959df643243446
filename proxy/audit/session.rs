//! A session, as its observations tell it.

use std::rc::Rc;

use panoptes_config::Protocol;
use panoptes_event::{Cancel, Uuid};
use panoptes_parser::{
    mysql::values::Attributes,
    postgres::type_oids,
    sql::Dialect,
    text::Encoding,
    wire::{Answer, Ask, Digest, Nanos, Observation, Settled, TransactionStatus},
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
    statement::{Statement, What},
    text::Cut,
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
    /// Of the text that is told next, where it is a long one.
    hashed: Option<Digest>,
    /// What is told of the statement that is settled next, beside it.
    pub(super) beside: Option<Box<Aside>>,
    /// Rows, and bytes, of the answer that is settled next, which broke off.
    pub(super) broke_off: Option<(u64, u64)>,
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
            broke_off: None,
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
                let said = attributes.len() as u64;
                let attributes = Attributes::new(attributes);
                let left_out = attributes.left_out();
                let aside = Aside::of(attributes, &self.encoding, self.dialect);
                self.beside = aside.map(|aside| Box::new(Aside { said, ..aside }));
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
            Observation::BrokeOff { rows, bytes } => self.broke_off = Some((rows, bytes)),
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
        let sha256 = self.take_digest();
        (length > text.len() as u64).then_some(Cut { length, sha256 })
    }

    /// Of the text that is told now, where it is a long one.
    pub(super) fn take_digest(&mut self) -> Option<Digest> {
        self.hashed.take()
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

    pub(super) fn kill(&self, session: Option<u32>, tools: &Tools) -> Cancel {
        let upstream = self.identity.upstream();
        let target = session.and_then(|session| tools.keys.session_of(session, upstream));
        Cancel { matched: target.is_some(), session_id: target, server_pid: session }
    }

    fn ready(&mut self, status: TransactionStatus, tools: &mut Tools) {
        self.finish_running(tools);
        self.finish_query(tools);
        // What it was told of may have been left out.
        (self.beside, self.broke_off) = (None, None);
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
}
