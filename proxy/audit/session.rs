//! A session, as its observations tell it.

use std::{borrow::Cow, rc::Rc};

use panoptes_event::{Operation, Uuid};
use panoptes_parser::{
    postgres::{
        pairs, type_oids,
        values::{Parameters, write_json},
    },
    sql::{Category, Dialect, Effect},
    text::Encoding,
    wire::{Answer, Ask, Failure, Nanos, Observation, Settled, Target, TransactionStatus},
};

use super::{
    encode::Identity,
    names::{NameLimits, Names, Portal, Prepared},
    query::Query,
    statement::{End, Error, Statement, What},
    text::{Operated, Text},
    transaction::{Item, Transactions},
    Tools,
};
use crate::session::{Ending, Opened};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    encoding: Encoding,
    dialect: Dialect,
    replication: bool,
    names: Names,
    query: Option<Query>,
    /// Names of statements that were passed over after an error, and that error until it is told.
    passed_over: PassedOver,
    transactions: Transactions,
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

/// What an error in the extended protocol left behind.
#[derive(Debug, Default)]
struct PassedOver {
    statements: Vec<(Box<[u8]>, Rc<Prepared>, bool)>,
    portals: Vec<(Box<[u8]>, Portal, bool)>,
    /// The question that failed before anything was executed: its statement's first execution takes the error.
    failed: Option<Box<Statement>>,
}

impl Session {
    /// A session that was just opened.
    pub(crate) fn new(opened: Opened, limits: NameLimits, tools: &Tools) -> Self {
        Self {
            identity: Identity::new(opened, tools),
            encoding: Encoding::UTF8,
            dialect: Dialect::POSTGRES,
            replication: false,
            names: Names::new(limits),
            query: None,
            passed_over: PassedOver::default(),
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
            Observation::Described { statement, types } => self.names.describe(statement, type_oids(types).collect()),
            Observation::Startup { parameters } => self.start(parameters, tools),
            Observation::Authentication { method } => self.identity.auth_method = Some(method),
            Observation::Backend { pid } => self.identity.server_pid = Some(pid),
            Observation::Parameter { name, value } => self.parameter(name, value, tools),
            Observation::LoggedIn { at } => self.login(at, None, tools),
            Observation::LoginFailed { at, failure } => self.login(at, Some(&failure), tools),
            Observation::CommitFailed(failure) => {
                let error = self.error(&failure);
                self.transactions.fail_commit(error);
            }
            Observation::Ended(failure) => self.identity.ended_by = Some(self.error(&failure)),
            Observation::Blind { reason } => self.identity.write_blind(reason, tools),
            Observation::Closed { unanswered } => self.close(unanswered, tools),
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
        let items = self.transactions.spill(Uuid::now_v7);
        self.write(items, tools);
    }

    fn start(&mut self, parameters: &[u8], tools: &Tools) {
        for (name, value) in pairs(parameters) {
            let value = String::from_utf8_lossy(value).into_owned();
            if name == b"replication" {
                self.replication = matches!(value.as_str(), "true" | "on" | "yes" | "1" | "database");
            }
            self.identity.parameter(&String::from_utf8_lossy(name), value);
        }
        self.identity.refresh(tools);
    }

    fn parameter(&mut self, name: &[u8], value: &[u8], tools: &Tools) {
        match name {
            b"client_encoding" => self.encoding = Encoding::named(&String::from_utf8_lossy(value)),
            b"standard_conforming_strings" => {
                self.dialect = Dialect::Postgres { standard_conforming_strings: value != b"off" };
            }
            b"application_name" => self.identity.source_app = self.decode(value).filter(|name| !name.is_empty()),
            b"server_version" => self.identity.server_version = self.decode(value),
            _ => return,
        }
        self.identity.refresh(tools);
    }

    fn login(&mut self, at: Nanos, failure: Option<&Failure<&[u8]>>, tools: &mut Tools) {
        // A login that was refused may be told twice: by the server, and by the way the session ended.
        if self.login == Login::Awaited {
            let error = failure.map(|failure| self.error(failure));
            self.login = if failure.is_none() { Login::Done } else { Login::Refused };
            self.identity.refresh(tools);
            self.identity.write_login(at, error.as_deref(), tools);
        }
    }

    fn settle(&mut self, settled: Settled<&[u8]>, tools: &mut Tools) {
        match settled.ask {
            Ask::Query { text, length } => self.query(text, length, settled, tools),
            Ask::Execute { portal } => self.execute(portal, settled, tools),
            Ask::Parse { statement, text, length, types } => {
                let cut = (length > text.len() as u64).then_some(length);
                let text = tools.texts.read(self.encoding.decode(text).trim(), cut, self.dialect);
                let types = type_oids(types).collect();
                self.parse(Prepared { name: statement.into(), text: Some(text), types }, settled, tools);
            }
            Ask::Bind { portal, statement, parameters, length } => {
                let bound = self.bound(statement, parameters, length);
                self.bind(portal, bound, settled, tools);
            }
            Ask::Describe { target, name } => self.describe_failed(target, name, settled, tools),
            Ask::Close { target: Target::Statement, name } if settled.answer != Answer::Skipped => {
                self.names.deallocate(name);
            }
            Ask::Close { target: Target::Portal, name } if settled.answer != Answer::Skipped => {
                self.names.close_portal(name);
            }
            Ask::Close { .. } => {}
            Ask::Command { name, object } => {
                let what = What::Command(Operated::command(name, Some(object.to_string())));
                self.settle_one(what, None, settled, tools);
            }
            Ask::Malformed => {
                let what = What::Command(Operated::command("malformed message", None));
                self.settle_one(what, None, settled, tools);
            }
        }
    }

    // Simple Query

    fn query(&mut self, text: Option<&[u8]>, length: u64, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(bytes) = text {
            self.names.deallocate(b"");
            let cut = (length > bytes.len() as u64).then_some(length);
            let text = self.encoding.decode(bytes);
            let held = self.transactions.held();
            self.query = Some(Query::new(text, cut, self.dialect, held));
        }
        // Its first statement was left out, or the server says more than it was asked.
        let Some(mut query) = self.query.take() else { return };
        let over = match &settled.answer {
            Answer::Empty => false,
            Answer::Failed(failure) => {
                for _ in 0..query.before(failure.position) {
                    self.piece(&mut query, Settled { answer: Answer::Skipped, ..settled }, tools);
                }
                self.piece(&mut query, settled, tools);
                true
            }
            Answer::Skipped | Answer::Lost => {
                if !query.is_split() && query.answered() == 0 {
                    self.piece(&mut query, settled, tools);
                }
                true
            }
            _ => {
                self.piece(&mut query, settled, tools);
                false
            }
        };
        if over {
            let answer = if matches!(settled.answer, Answer::Lost) { Answer::Lost } else { Answer::Skipped };
            for text in query.rest(&mut tools.texts) {
                self.settle_one(What::Sql(text), None, Settled { answer, ..settled }, tools);
            }
        }
        self.query = Some(query);
    }

    /// One answer to the text at hand.
    fn piece(&mut self, query: &mut Query, settled: Settled<&[u8]>, tools: &mut Tools) {
        let piece = query.next(&mut tools.texts);
        if piece.whole && query.answered() > 1 {
            // One event stands for all of it: what was held of it is taken back.
            self.transactions.take_back(query.held_before);
        }
        // A command of the replication protocol has no SQL.
        let what = match query.replication_command().filter(|_| self.replication) {
            Some(command) => What::Command(Operated::command(command, None)),
            None => What::Sql(piece.text),
        };
        let Some(mut statement) = self.statement(what, settled, tools) else { return };
        statement.split_uncertain = piece.whole && query.answered() > 1;
        self.hold(statement, &settled.answer, tools);
    }

    // Extended protocol

    fn parse(&mut self, prepared: Prepared, settled: Settled<&[u8]>, tools: &mut Tools) {
        match settled.answer {
            Answer::Complete { .. } => {
                if !self.names.prepare(prepared) {
                    tools.metrics.names_forgotten.inc();
                }
            }
            Answer::Skipped | Answer::Lost => {
                self.passed_over.statements.push((prepared.name.clone(), Rc::new(prepared), false));
            }
            Answer::Failed(_) => {
                let prepared = Rc::new(prepared);
                self.passed_over.statements.push((prepared.name.clone(), Rc::clone(&prepared), true));
                self.fail_before_execution(Some(prepared), None, settled, tools);
            }
            _ => {}
        }
    }

    fn bind(&mut self, name: &[u8], portal: Option<Portal>, settled: Settled<&[u8]>, tools: &mut Tools) {
        // Of a statement that is not known no more can be told.
        let portal = portal.unwrap_or_else(|| Portal::of(Rc::new(Prepared::unknown())));
        match settled.answer {
            Answer::Complete { .. } => self.names.bind(name, portal),
            Answer::Skipped | Answer::Lost => {
                let failed = self.passed_over.has_failed_statement(&portal.prepared);
                self.passed_over.portals.push((name.into(), portal, failed));
            }
            Answer::Failed(_) => {
                self.passed_over.portals.push((name.into(), portal.clone(), true));
                self.fail_before_execution(Some(Rc::clone(&portal.prepared)), Some(&portal), settled, tools);
            }
            _ => {}
        }
    }

    fn describe_failed(&mut self, target: Target, name: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        match target {
            Target::Statement => {
                let prepared = self.names.statement(name).cloned();
                if let Some(prepared) = &prepared {
                    self.passed_over.statements.push((name.into(), Rc::clone(prepared), true));
                }
                self.fail_before_execution(prepared, None, settled, tools);
            }
            Target::Portal => {
                let portal = self.names.portal(name).cloned();
                if let Some(portal) = &portal {
                    self.passed_over.portals.push((name.into(), portal.clone(), true));
                }
                let prepared = portal.as_ref().map(|portal| Rc::clone(&portal.prepared));
                self.fail_before_execution(prepared, portal.as_ref(), settled, tools);
            }
        }
    }

    fn execute(&mut self, name: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        if !matches!(settled.answer, Answer::Skipped | Answer::Lost) {
            let portal = self.names.portal(name).cloned();
            return self.settle_portal(portal.as_ref(), settled, tools);
        }
        let known = self.passed_over.portals.iter().rfind(|(known, ..)| **known == *name).cloned();
        let (portal, failed) = match known {
            Some((_, portal, failed)) => (Some(portal), failed),
            None => (self.names.portal(name).cloned(), false),
        };
        let Some(failure) = self.passed_over.failed.take_if(|_| failed) else {
            return self.settle_portal(portal.as_ref(), settled, tools);
        };
        let Some(mut statement) = self.portal_statement(portal.as_ref(), settled, tools) else { return };
        statement.end = failure.end.clone();
        (statement.unix_micros, statement.duration_micros) = (failure.unix_micros, failure.duration_micros);
        self.hold(statement, &settled.answer, tools);
    }

    /// A Parse, Bind or Describe failed. If an execution of the same statement was sent along, that one takes the
    /// error: it is one statement. If not, the failure is told by itself.
    fn fail_before_execution(
        &mut self,
        prepared: Option<Rc<Prepared>>,
        portal: Option<&Portal>,
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        let portal = portal.cloned().or_else(|| prepared.map(Portal::of));
        self.passed_over.failed = self.portal_statement(portal.as_ref(), settled, tools).map(Box::new);
    }

    fn settle_portal(&mut self, portal: Option<&Portal>, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(statement) = self.portal_statement(portal, settled, tools) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    fn portal_statement(
        &self,
        portal: Option<&Portal>,
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) -> Option<Statement> {
        let text = portal.and_then(|portal| portal.prepared.text.clone());
        let what = text.map_or_else(|| What::Command(Rc::clone(&tools.unknown)), What::Sql);
        let mut statement = self.statement(what, settled, tools)?;
        if let Some(portal) = portal {
            statement.prepared = (!portal.prepared.name.is_empty()).then(|| Rc::clone(&portal.prepared));
            statement.parameters = Rc::clone(&portal.parameters);
            statement.parameters_truncated = portal.truncated;
        }
        Some(statement)
    }

    /// A portal of a prepared statement; what was passed over is looked at first.
    fn bound(&self, name: &[u8], parameters: &[u8], length: u64) -> Option<Portal> {
        let passed_over = self.passed_over.statements.iter().rfind(|(known, ..)| **known == *name);
        let prepared = passed_over.map(|(_, prepared, _)| prepared).or_else(|| self.names.statement(name))?;
        let mut values = Parameters::new(parameters);
        let mut encoded = Vec::new();
        let mut types = prepared.types.iter().copied();
        while let Some((format, value)) = values.next() {
            encoded.push(if encoded.is_empty() { b'[' } else { b',' });
            write_json(&mut encoded, types.next().unwrap_or(0), format, value, &self.encoding);
        }
        if !encoded.is_empty() {
            encoded.push(b']');
        }
        Some(Portal {
            prepared: Rc::clone(prepared),
            parameters: Rc::new(encoded),
            truncated: (length > parameters.len() as u64 || values.truncated()).then_some(length),
        })
    }

    // Every statement

    fn settle_one(&mut self, what: What, prepared: Option<Rc<Prepared>>, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(mut statement) = self.statement(what, settled, tools) {
            statement.prepared = prepared;
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// The execution that was just settled; `None` where there was nothing to do.
    fn statement(&self, what: What, settled: Settled<&[u8]>, tools: &Tools) -> Option<Statement> {
        let text = |bytes: &[u8]| self.encoding.decode(bytes).into_owned();
        let end = End::of(&settled.answer, settled.warnings, text)?;
        let unix_micros = tools.anchor.unix_micros(settled.asked);
        Some(Statement {
            id: tools.event_id(unix_micros),
            what,
            prepared: None,
            parameters: Rc::clone(&tools.no_parameters),
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

    fn hold(&mut self, mut statement: Statement, answer: &Answer<&[u8]>, tools: &mut Tools) {
        if let What::Sql(text) = &statement.what {
            let text = Rc::clone(text);
            self.resolve(&text, &mut statement);
            if statement.end.is_success() {
                self.apply(&text, tools);
            }
        }
        let committed = matches!(answer, Answer::Complete { tag, .. } if tag.starts_with(b"COMMIT"));
        self.transactions.settle(statement, committed, Uuid::now_v7);
        if self.transactions.is_full() {
            self.spill(tools);
        } else if self.held_since.is_none() {
            self.held_since = Some(tools.anchor.at());
        }
    }

    /// `EXECUTE name` has the tables of what it runs.
    fn resolve(&self, text: &Text, statement: &mut Statement) {
        let Effect::Execute(name) = &text.effect else { return };
        if let Some(prepared) = self.names.statement(name.as_bytes()) {
            if let Some(body) = &prepared.text {
                statement.what = What::Sql(Rc::new(text.executing(body)));
            }
            statement.prepared = Some(Rc::clone(prepared));
        }
    }

    /// What a statement changes for those that follow.
    fn apply(&mut self, text: &Rc<Text>, tools: &mut Tools) {
        match &text.effect {
            Effect::Prepare { name, .. } => {
                // Its class is that of what it prepares: PREPARE names the same tables.
                let prepared =
                    Prepared { name: name.as_bytes().into(), text: Some(Rc::clone(text)), types: Vec::new() };
                if !self.names.prepare(prepared) {
                    tools.metrics.names_forgotten.inc();
                }
            }
            Effect::Deallocate(name) => self.names.deallocate(name.as_bytes()),
            Effect::DeallocateAll | Effect::DiscardAll => self.names.deallocate_all(),
            _ => {}
        }
    }

    fn ready(&mut self, status: TransactionStatus, tools: &mut Tools) {
        self.tell_failure(tools);
        self.query = None;
        if status == TransactionStatus::Idle {
            self.names.close_portals();
        }
        let items = self.transactions.ready(status, Uuid::now_v7);
        self.write(items, tools);
    }

    /// A failure that no execution took is told by itself.
    fn tell_failure(&mut self, tools: &mut Tools) {
        if let Some(statement) = self.passed_over.failed.take() {
            self.hold(*statement, &Answer::Skipped, tools);
        }
        self.passed_over.statements.clear();
        self.passed_over.portals.clear();
    }

    fn close(&mut self, unanswered: bool, tools: &mut Tools) {
        self.tell_failure(tools);
        let items = self.transactions.close(unanswered);
        self.write(items, tools);
    }

    fn write(&mut self, items: Vec<Item>, tools: &mut Tools) {
        self.held_since = None;
        for (place, item) in items.iter().enumerate() {
            let seq = match item {
                Item::Statement(statement) => self.identity.write_statement(statement, tools),
                Item::Verdict(told) => self.identity.write_verdict(told, tools),
            };
            self.transactions.written(place, item, seq);
        }
    }

    fn error(&self, failure: &Failure<&[u8]>) -> Rc<Error> {
        Error::of(failure, |bytes| self.encoding.decode(bytes).into_owned())
    }

    fn decode(&self, bytes: &[u8]) -> Option<String> {
        Some(self.encoding.decode(bytes)).map(Cow::into_owned)
    }
}

impl PassedOver {
    fn has_failed_statement(&self, prepared: &Rc<Prepared>) -> bool {
        self.statements.iter().any(|(_, known, failed)| *failed && Rc::ptr_eq(known, prepared))
    }
}

impl Portal {
    /// Without parameters.
    fn of(prepared: Rc<Prepared>) -> Self {
        Self { prepared, parameters: Rc::default(), truncated: None }
    }
}

impl Prepared {
    /// A statement of which nothing is known.
    fn unknown() -> Self {
        Self { name: Box::default(), text: None, types: Vec::new() }
    }
}

/// The operation of a statement whose text is not known.
pub(crate) fn unknown() -> Rc<Operated> {
    let operation = Operation {
        kind: "UNKNOWN".into(),
        category: Category::Other.as_str().into(),
        parsed: Some("none".into()),
        ..Operation::default()
    };
    Operated::new(&operation, Category::Other)
}
