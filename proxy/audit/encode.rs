//! Events, written from what a session is and what happened on it.

use std::sync::Arc;

use panoptes_config::Protocol;
use panoptes_event::{
    Blind, Cancel, Db, Event, Gap, Kind, Meta, Operation, Outcome, Session, Sql, Transaction, VERSION, json,
    time,
};
use panoptes_parser::wire::{Nanos, TransactionStatus};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Tools,
    statement::{Error, Statement, What},
    transaction::Told,
};
use crate::{
    clock,
    session::{CancelRequest, Ending, Opened, Upstream},
};

/// The rule by which everything is recorded, so far.
const REASON: &str = "default:allowed";
/// Startup parameters that an event shows elsewhere.
const SHOWN_ELSEWHERE: [&str; 2] = ["user", "database"];

/// Who and where a session is; what its events have in common, encoded.
#[derive(Debug)]
pub(crate) struct Identity {
    opened: Opened,
    user: Option<String>,
    database: Option<String>,
    attributes: Map<String, Value>,
    pub(crate) source_app: Option<String>,
    pub(crate) server_version: Option<String>,
    pub(crate) server_pid: Option<u32>,
    pub(crate) auth_method: Option<&'static str>,
    /// The error by which the server ended the session.
    pub(crate) ended_by: Option<std::rc::Rc<Error>>,
    /// Number of the last event.
    seq: u64,
    /// Members of `meta`, the whole of `db`, members of `session`.
    meta: Vec<u8>,
    db: Vec<u8>,
    session: Vec<u8>,
}

impl Identity {
    /// Of a session that was just opened.
    pub(crate) fn new(opened: Opened, tools: &Tools) -> Self {
        let mut identity = Self {
            opened,
            user: None,
            database: None,
            attributes: Map::new(),
            source_app: None,
            server_version: None,
            server_pid: None,
            auth_method: None,
            ended_by: None,
            seq: 0,
            meta: Vec::new(),
            db: Vec::new(),
            session: Vec::new(),
        };
        identity.refresh(tools);
        identity
    }

    /// A parameter of the login.
    pub(crate) fn parameter(&mut self, name: &str, value: String) {
        match name {
            "user" => self.user = Some(value.clone()),
            "database" => self.database = Some(value.clone()),
            "application_name" => self.source_app = Some(value.clone()).filter(|name| !name.is_empty()),
            _ => {}
        }
        if !SHOWN_ELSEWHERE.contains(&name) {
            self.attributes.insert(name.to_owned(), Value::String(value));
        }
    }

    /// Encodes anew what the events have in common.
    pub(crate) fn refresh(&mut self, tools: &Tools) {
        self.meta = json::members(&StaticMeta {
            app_name: &tools.origin.app_name,
            environment: &tools.origin.environment,
            instance: &tools.origin.instance,
            source_app: self.source_app.as_deref(),
        });
        let mut db = Vec::new();
        json::write(&mut db, &self.db());
        self.db = db;
        self.session = json::members(&self.session());
        // They stay as long as the session, mostly idle.
        [&mut self.meta, &mut self.db, &mut self.session].map(Vec::shrink_to_fit);
    }

    /// Writes a statement's event, and tells its number in the session.
    pub(crate) fn write_statement(&mut self, statement: &Statement, tools: &mut Tools) -> u64 {
        self.seq += 1;
        let (seq, operation) = (self.seq, statement.what.operation());
        tools.metrics_batch.count(operation.category, statement.end.outcome);
        let calendar = &mut tools.calendar;
        tools.out.event(statement.id, Kind::Statement, statement.unix_micros, |event| {
            let mut meta = event.object("meta");
            meta.inline(&self.meta);
            calendar.write(&mut meta, statement.unix_micros);
            meta.member("durationMs", &milliseconds(statement.duration_micros)).member("reason", REASON);
            meta.end();
            event.encoded("db", &self.db).encoded("operation", &operation.encoded);
            let mut sql = event.object("sql");
            write_text(statement, &mut sql);
            write_end(statement, &mut sql);
            sql.end();
            let mut session = event.object("session");
            session.inline(&self.session).member("seq", &seq);
            session.end();
            write_transaction(statement, event);
        });
        seq
    }

    /// Writes what became of statements written before, and tells its number in the session.
    pub(crate) fn write_verdict(&mut self, told: &Told, tools: &mut Tools) -> u64 {
        let at = tools.anchor.unix_micros(clock::now());
        let mut event = self.event(Kind::Verdict, at, tools);
        event.transaction = Some(Transaction {
            id: Some(told.transaction),
            verdict: Some(told.verdict),
            from_seq: Some(told.from),
            to_seq: Some(told.to),
            savepoint: told.savepoint.clone(),
            ..Transaction::default()
        });
        self.push(event, at, tools)
    }

    /// Writes the login, or why it was refused.
    pub(crate) fn write_login(&mut self, at: Nanos, error: Option<&Error>, tools: &mut Tools) {
        let begun = tools.anchor.unix_micros(self.opened.at);
        let mut event = self.event(Kind::Login, begun, tools);
        event.meta.duration_ms = Some(milliseconds(at.saturating_sub(self.opened.at) / 1_000));
        event.operation = Some(session_operation("LOGIN"));
        event.sql = Some(outcome(error));
        if let Some(session) = &mut event.session {
            session.attributes = Some(self.attributes.clone()).filter(|attributes| !attributes.is_empty());
        }
        self.push(event, begun, tools);
    }

    /// Writes the end of the session.
    pub(crate) fn write_logout(&mut self, at: Nanos, ending: &Ending, tools: &mut Tools) {
        let ended = tools.anchor.unix_micros(at);
        let mut event = self.event(Kind::Logout, ended, tools);
        event.meta.duration_ms = Some(milliseconds(at.saturating_sub(self.opened.at) / 1_000));
        event.operation = Some(session_operation("LOGOUT"));
        let told = ending.detail().map(|detail| Error { sql_state: "08P01".into(), message: detail.into() });
        event.sql = Some(outcome(told.as_ref().or(self.ended_by.as_deref())));
        if let Some(session) = &mut event.session {
            session.end_reason = Some(ending.as_str().into());
        }
        self.push(event, ended, tools);
    }

    /// Writes that not everything can be told from here on.
    pub(crate) fn write_blind(&mut self, reason: &str, tools: &mut Tools) {
        let at = tools.anchor.unix_micros(clock::now());
        let mut event = self.event(Kind::Blind, at, tools);
        event.blind = Some(Blind { reason: reason.to_owned() });
        self.push(event, at, tools);
    }

    fn push(&mut self, mut event: Event, unix_micros: i64, tools: &mut Tools) -> u64 {
        self.seq += 1;
        if let Some(session) = &mut event.session {
            session.seq = Some(self.seq);
        }
        tools.out.push(&event, unix_micros);
        self.seq
    }

    fn event(&self, kind: Kind, unix_micros: i64, tools: &Tools) -> Event {
        let mut event = tools.event(kind, unix_micros);
        event.meta.source_app.clone_from(&self.source_app);
        event.db = Some(self.db());
        event.session = Some(self.session());
        event
    }

    fn db(&self) -> Db {
        // Where no database is named, it is that of the user's name.
        let name = self.database.clone().or_else(|| self.user.clone());
        Db { name, user: self.user.clone(), server_version: self.server_version.clone(), ..db(&self.opened.upstream) }
    }

    fn session(&self) -> Session {
        Session {
            id: self.opened.id,
            client: Some(self.opened.client.to_string()),
            auth_method: self.auth_method.map(Into::into),
            server_pid: self.server_pid,
            ..Session::default()
        }
    }
}

/// Writes that someone asked to cancel another's statement.
pub(crate) fn write_cancel(request: &CancelRequest, tools: &mut Tools) {
    let at = tools.anchor.unix_micros(request.opened.at);
    let mut event = tools.event(Kind::Cancel, at);
    event.db = Some(db(&request.opened.upstream));
    event.operation = Some(session_operation("CANCEL"));
    let error = request.failure.as_ref().map(|why| Error { sql_state: "08006".into(), message: why.clone() });
    event.sql = request.target.map(|_| outcome(error.as_ref()));
    event.session = Some(Session {
        id: request.opened.id,
        client: Some(request.opened.client.to_string()),
        seq: Some(1),
        ..Session::default()
    });
    event.cancel = Some(Cancel {
        matched: request.target.is_some(),
        session_id: request.target,
        server_pid: Some(request.pid),
    });
    tools.out.push(&event, at);
}

/// Writes that events were lost.
pub(crate) fn write_gap(count: u64, from: Nanos, to: Nanos, tools: &mut Tools) {
    let (from, to) = (tools.anchor.unix_micros(from), tools.anchor.unix_micros(to));
    let mut event = tools.event(Kind::Gap, from);
    event.gap = Some(Gap {
        count,
        from: time::rfc3339(from),
        to: time::rfc3339(to),
        reason: "the capture queue was full".into(),
    });
    tools.metrics.left_out.inc_by(count);
    tools.out.push(&event, from);
}

impl Tools {
    /// An event with its time and origin.
    fn event(&self, kind: Kind, unix_micros: i64) -> Event {
        let timestamp = time::rfc3339(unix_micros);
        let (date, clock) = timestamp.split_once('T').unwrap_or_default();
        let meta = Meta {
            app_name: self.origin.app_name.clone(),
            environment: self.origin.environment.clone(),
            instance: self.origin.instance.clone(),
            timestamp_unix: unix_micros.div_euclid(1_000_000),
            date: date.to_owned(),
            time: clock.split('.').next().unwrap_or_default().to_owned(),
            timestamp: timestamp.clone(),
            reason: REASON.into(),
            ..Meta::default()
        };
        Event { id: self.event_id(unix_micros), version: VERSION, kind, meta, ..Event::default() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StaticMeta<'a> {
    app_name: &'a str,
    environment: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_app: Option<&'a str>,
}

fn write_text(statement: &Statement, sql: &mut json::Object<'_>) {
    if let What::Sql(text) = &statement.what {
        sql.inline(&text.raw).inline(&text.form.normalized);
    }
    if statement.split_uncertain {
        sql.member("split", "uncertain");
    }
    if !statement.parameters.is_empty() {
        sql.encoded("parameters", &statement.parameters);
    }
    let raw = if let What::Sql(text) = &statement.what { text.length } else { None };
    if raw.is_some() || statement.parameters_truncated.is_some() {
        let mut truncated = sql.object("truncated");
        truncated.optional("raw", raw).optional("parameters", statement.parameters_truncated);
        truncated.end();
    }
    if let Some(prepared) = &statement.prepared {
        sql.member("prepared", String::from_utf8_lossy(&prepared.name).as_ref());
    }
}

fn write_end(statement: &Statement, sql: &mut json::Object<'_>) {
    let end = &statement.end;
    sql.optional("rowCount", end.rows);
    if end.is_success() {
        sql.member("bytesReturned", &end.bytes);
    }
    sql.optional("bytesSent", Some(end.sent).filter(|sent| *sent > 0));
    sql.member("success", &end.is_success()).optional("outcome", end.outcome.map(Outcome::as_str));
    if let Some(error) = &end.error {
        sql.member("errorCode", &error.sql_state)
            .member("errorMessage", &error.message)
            .member("sqlState", &error.sql_state);
    }
    sql.optional("warnings", Some(end.warnings).filter(|warnings| *warnings > 0));
}

fn write_transaction(statement: &Statement, event: &mut json::Object<'_>) {
    let mut transaction = event.object("transaction");
    transaction.optional("id", statement.transaction);
    transaction.member("status", status(statement.status)).optional("verdict", statement.verdict);
    if let Some(error) = &statement.undone_by {
        transaction.member("sqlState", &error.sql_state).member("errorMessage", &error.message);
    }
    transaction.end();
}

fn status(status: TransactionStatus) -> &'static str {
    match status {
        TransactionStatus::Idle => "idle",
        TransactionStatus::Active => "active",
        TransactionStatus::Failed => "failed",
    }
}

fn session_operation(kind: &str) -> Operation {
    Operation { kind: kind.into(), category: "SESSION".into(), ..Operation::default() }
}

fn outcome(error: Option<&Error>) -> Sql {
    Sql {
        success: Some(error.is_none()),
        outcome: Some(if error.is_none() { Outcome::Ok } else { Outcome::Error }),
        error_code: error.map(|error| error.sql_state.clone()),
        error_message: error.map(|error| error.message.clone()),
        sql_state: error.map(|error| error.sql_state.clone()),
        ..Sql::default()
    }
}

fn db(upstream: &Arc<Upstream>) -> Db {
    let engine = match upstream.protocol {
        Protocol::Postgres => "postgres",
        Protocol::Mysql => "mysql",
    };
    Db { engine: engine.into(), host: upstream.host.clone(), port: upstream.port, ..Db::default() }
}

/// Microsecond steps.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
