//! Events, written from what happened.

use std::sync::Arc;

use panoptes_config::Protocol;
use panoptes_event::{
    Cancel, Db, Event, Gap, Kind, Meta, Operation, Outcome, Session, Sql, VERSION, json, time,
};
use panoptes_parser::wire::{Nanos, TransactionStatus};

use super::{
    Tools,
    statement::{Error, Statement, What},
    text::Text,
};
use crate::session::{CancelRequest, Upstream};

/// The rule by which everything is recorded, so far.
const REASON: &str = "default:allowed";
/// Why executions of a prepared statement are told without its text.
const FORGOTTEN: &str =
    "a prepared statement beyond limits.max_prepared_statements or max_prepared_bytes is not remembered";

/// Writes a statement's event, number `seq` of its session. `common` are what the events of the session have in common,
/// encoded: members of `meta`, the whole of `db`, members of `session`.
pub(crate) fn write_statement(statement: &Statement, seq: u64, common: [&[u8]; 3], tools: &mut Tools) {
    let operation = statement.what.operation();
    let [common_meta, db, common_session] = common;
    tools.metrics_batch.count(operation.category, statement.end.outcome);
    let calendar = &mut tools.calendar;
    tools.out.event(statement.id, Kind::Statement, statement.unix_micros, |event| {
        let mut meta = event.object("meta");
        meta.inline(common_meta);
        calendar.write(&mut meta, statement.unix_micros);
        meta.member("durationMs", &milliseconds(statement.duration_micros));
        word(&mut meta, "reason", REASON);
        meta.end();
        event.encoded("db", db).encoded("operation", &operation.encoded);
        let mut sql = event.object("sql");
        write_text(statement, &mut sql);
        write_end(statement, &mut sql);
        sql.end();
        let mut session = event.object("session");
        session.inline(common_session).member("seq", &seq);
        session.end();
        write_transaction(statement, event);
    });
}

/// Writes a prepared statement that could not be remembered: nothing else tells its text. The rest as for
/// [`write_statement`].
pub(crate) fn write_forgotten(text: &Text, at: i64, seq: u64, common: [&[u8]; 3], tools: &mut Tools) {
    let [common_meta, db, common_session] = common;
    let id = tools.event_id(at);
    let calendar = &mut tools.calendar;
    tools.out.event(id, Kind::Blind, at, |event| {
        let mut meta = event.object("meta");
        meta.inline(common_meta);
        calendar.write(&mut meta, at);
        word(&mut meta, "reason", REASON);
        meta.end();
        event.encoded("db", db).encoded("operation", &text.form.operation.encoded);
        let mut sql = event.object("sql");
        sql.inline(&text.raw).inline(&text.form.normalized);
        if text.length.is_some() {
            let mut truncated = sql.object("truncated");
            truncated.optional("raw", text.length);
            truncated.end();
        }
        sql.end();
        let mut session = event.object("session");
        session.inline(common_session).member("seq", &seq);
        session.end();
        let mut blind = event.object("blind");
        word(&mut blind, "reason", FORGOTTEN);
        blind.end();
    });
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
    pub(super) fn event(&self, kind: Kind, unix_micros: i64) -> Event {
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

fn write_text(statement: &Statement, sql: &mut json::Object<'_>) {
    if let What::Sql(text) = &statement.what {
        sql.inline(&text.raw).inline(&text.form.normalized);
    }
    if statement.split_uncertain {
        word(sql, "split", "uncertain");
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
    sql.member("success", &end.is_success());
    if let Some(outcome) = end.outcome {
        word(sql, "outcome", outcome.as_str());
    }
    if let Some(error) = &end.error {
        sql.optional("errorCode", some(&error.sql_state))
            .optional("errorMessage", some(&error.message))
            .optional("sqlState", some(&error.sql_state));
    }
    sql.optional("warnings", Some(end.warnings).filter(|warnings| *warnings > 0));
}

fn write_transaction(statement: &Statement, event: &mut json::Object<'_>) {
    let mut transaction = event.object("transaction");
    transaction.optional("id", statement.transaction);
    word(&mut transaction, "status", status(statement.status));
    transaction.optional("verdict", statement.verdict);
    if let Some(error) = &statement.undone_by {
        transaction
            .optional("sqlState", some(&error.sql_state))
            .optional("errorMessage", some(&error.message));
    }
    transaction.end();
}

/// A member of our own words, which need no escapes.
fn word(object: &mut json::Object<'_>, name: &str, word: &str) {
    let out = object.value(name);
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// What the server left out, or sent empty, is left out.
pub(super) fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn status(status: TransactionStatus) -> &'static str {
    match status {
        TransactionStatus::Idle => "idle",
        TransactionStatus::Active => "active",
        TransactionStatus::Failed => "failed",
    }
}

pub(super) fn session_operation(kind: &str) -> Operation {
    Operation { kind: kind.into(), category: "SESSION".into(), ..Operation::default() }
}

pub(super) fn outcome(error: Option<&Error>) -> Sql {
    Sql {
        success: Some(error.is_none()),
        outcome: Some(if error.is_none() { Outcome::Ok } else { Outcome::Error }),
        error_code: error.and_then(|error| some(&error.sql_state)).map(Into::into),
        error_message: error.and_then(|error| some(&error.message)).map(Into::into),
        sql_state: error.and_then(|error| some(&error.sql_state)).map(Into::into),
        ..Sql::default()
    }
}

pub(super) fn db(upstream: &Arc<Upstream>) -> Db {
    let engine = match upstream.protocol {
        Protocol::Postgres => "postgres",
        Protocol::Mysql => "mysql",
    };
    Db { engine: engine.into(), host: upstream.host.clone(), port: upstream.port, ..Db::default() }
}

/// Microsecond steps.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
pub(super) fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
