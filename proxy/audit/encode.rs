//! Events, written from what happened.

use std::net::SocketAddr;

use panoptes_config::Protocol;
use panoptes_event::{
    Cancel, Gap, Kind, Outcome, Uuid, Verdict, json,
    time::{self, Clock},
};
use panoptes_parser::{
    text::hex_digits,
    wire::{Nanos, TransactionStatus},
};
use panoptes_sinks::Origin;

use super::{
    Tools,
    statement::{Error, Statement, What},
    text::{Cut, Text},
};
use crate::session::{CancelRequest, Opened, Upstream};

/// The end of `meta`: the rule by which everything is recorded, so far.
const META_END: &[u8] = br#""reason":"default:allowed"}"#;
/// What is said of most statements, encoded.
const OK: &[u8] = br#""success":true,"outcome":"ok""#;
const COMMITTED: &[u8] = br#""transaction":{"status":"idle","verdict":"committed"}"#;
/// Why executions of a prepared statement are told without its text.
const FORGOTTEN: &str =
    "a prepared statement beyond limits.max_prepared_statements or max_prepared_bytes is not remembered";

/// `meta` up to the last member that all events share.
pub(crate) struct EncodedOrigin(Vec<u8>);

impl EncodedOrigin {
    /// Encodes them.
    pub(crate) fn new(origin: &Origin) -> Self {
        let mut out = b"\"meta\":".to_vec();
        // It is closed behind the event's time.
        json::Object::begin(&mut out)
            .member("appName", &origin.app_name)
            .member("environment", &origin.environment)
            .member("instance", &origin.instance);
        Self(out)
    }
}

/// What the events of a session have in common, encoded in as few parts as there are places where they differ: what
/// an event costs is mostly the number of its parts.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// `meta`, up to its time.
    meta: Vec<u8>,
    /// The rest of `meta`, and `db`.
    db: Vec<u8>,
    /// `session`, up to its `seq`.
    session: Vec<u8>,
}

impl Common {
    /// Encodes it: of a session's application, if it has a name; `db` and `session` write the members of theirs.
    pub(crate) fn encode(
        &mut self,
        origin: &EncodedOrigin,
        source_app: Option<&str>,
        db: impl FnOnce(&mut json::Object<'_>),
        session: impl FnOnce(&mut json::Object<'_>),
    ) {
        self.meta.clone_from(&origin.0);
        if let Some(name) = source_app {
            self.meta.extend_from_slice(b",\"sourceApp\":");
            json::write(&mut self.meta, name);
        }
        self.db.clear();
        self.db.extend_from_slice(META_END);
        self.db.extend_from_slice(b",\"db\":");
        let mut object = json::Object::begin(&mut self.db);
        db(&mut object);
        object.end();
        self.session.clear();
        self.session.extend_from_slice(b"\"session\":");
        // It is closed behind the event's number.
        session(&mut json::Object::begin(&mut self.session));
    }

    /// Writes `meta` and `db`, with which every event of a session begins.
    pub(crate) fn begin(
        &self,
        event: &mut json::Object<'_>,
        calendar: &mut Clock,
        unix_micros: i64,
        duration_micros: Option<u64>,
    ) {
        let mut meta = event.opened(&self.meta);
        calendar.write(&mut meta, unix_micros);
        if let Some(micros) = duration_micros {
            time::write_milliseconds(meta.value("durationMs"), micros);
        }
        // It closes both.
        meta.inline(&self.db);
    }

    /// Opens `session`, with the event's number in it.
    pub(crate) fn session<'e>(&self, event: &'e mut json::Object<'_>, seq: u64) -> json::Object<'e> {
        let mut session = event.opened(&self.session);
        session.number("seq", seq);
        session
    }
}

/// Writes a statement's event, number `seq` of its session.
pub(crate) fn write_statement(statement: &Statement, seq: u64, common: &Common, tools: &mut Tools) {
    let operation = statement.what.operation();
    tools.metrics_batch.count(operation.category, statement.end.outcome);
    let calendar = &mut tools.calendar;
    let aside = statement.aside.as_deref();
    let kill = aside.and_then(|aside| aside.kill.as_ref());
    let kind = if kill.is_none() { Kind::Statement } else { Kind::Cancel };
    tools.out.event(statement.id, kind, statement.unix_micros, |event| {
        common.begin(event, calendar, statement.unix_micros, Some(statement.duration_micros));
        event.inline(&operation.encoded);
        let mut sql = event.object("sql");
        write_text(statement, &mut sql);
        write_end(statement, &mut sql);
        sql.optional("file", aside.and_then(|aside| aside.file.as_deref()));
        sql.end();
        if let Some(aside) = aside.filter(|aside| !aside.request.is_empty()) {
            event.encoded("request", &aside.request);
        }
        common.session(event, seq).end();
        write_transaction(statement, event);
        if let Some(intent) = aside.and_then(|aside| aside.intent) {
            event.uuid("intentId", intent.first);
            event.optional("intentCount", Some(intent.count).filter(|count| *count > 1));
        }
        event.optional("cancel", kill);
    });
    if let Some(intent) = aside.and_then(|aside| aside.intent) {
        tools.out.meets(intent.first, intent.count);
    }
}

/// Writes a statement that is about to go to the server. The rest as for [`write_statement`].
pub(crate) fn write_intent(statement: &Statement, seq: u64, common: &Common, tools: &mut Tools) {
    let calendar = &mut tools.calendar;
    tools.out.event(statement.id, Kind::Intent, statement.unix_micros, |event| {
        common.begin(event, calendar, statement.unix_micros, None);
        event.inline(&statement.what.operation().encoded);
        let mut sql = event.object("sql");
        write_text(statement, &mut sql);
        sql.end();
        common.session(event, seq).end();
    });
}

/// Writes a prepared statement that could not be remembered: nothing else tells its text. The rest as for
/// [`write_statement`].
pub(crate) fn write_forgotten(text: &Text, at: i64, seq: u64, common: &Common, tools: &mut Tools) {
    let id = tools.event_id(at);
    let calendar = &mut tools.calendar;
    tools.out.event(id, Kind::Blind, at, |event| {
        common.begin(event, calendar, at, None);
        event.inline(&text.form.operation.encoded);
        let mut sql = event.object("sql");
        sql.inline(&text.raw).inline(&text.form.normalized);
        if !text.rules().is_empty() {
            sql.member("redacted", text.rules());
        }
        write_truncated(text.cut, None, None, &mut sql);
        sql.end();
        common.session(event, seq).end();
        let mut blind = event.object("blind");
        blind.plain("reason", FORGOTTEN);
        blind.end();
    });
}

/// Writes that someone asked to cancel another's statement.
pub(crate) fn write_cancel(request: &CancelRequest, tools: &mut Tools) {
    let at = tools.anchor.unix_micros(request.opened.at);
    let failed = |why: &String| Error { code: 0, sql_state: "08006".into(), message: why.clone() };
    let error = request.failure.as_ref().map(failed);
    let cancel = Cancel {
        matched: request.target.is_some(),
        session_id: request.target,
        server_pid: Some(request.pid),
    };
    let Opened { id: session_id, client, upstream, .. } = &request.opened;
    let mut common = Common::default();
    common.encode(
        &tools.origin,
        None,
        |db| write_server(db, engine(upstream.protocol), upstream),
        |session| write_client(session, *session_id, *client),
    );
    let id = tools.event_id(at);
    let calendar = &mut tools.calendar;
    tools.out.event(id, Kind::Cancel, at, |event| {
        common.begin(event, calendar, at, None);
        write_operation(event, "CANCEL");
        if request.target.is_some() {
            write_outcome(event, error.as_ref());
        }
        common.session(event, 1).end();
        event.member("cancel", &cancel);
    });
}

/// Writes that events were lost.
pub(crate) fn write_gap(count: u64, from: Nanos, to: Nanos, tools: &mut Tools) {
    let (from, to) = (tools.anchor.unix_micros(from), tools.anchor.unix_micros(to));
    tools.metrics.left_out.inc_by(count);
    let gap = Gap {
        count,
        from: time::rfc3339(from),
        to: time::rfc3339(to),
        reason: "the capture queue was full".into(),
    };
    let id = tools.event_id(from);
    let Tools { origin, calendar, out, .. } = tools;
    out.gap(id, from, &gap, |event| {
        let mut meta = event.opened(&origin.0);
        calendar.write(&mut meta, from);
        meta.inline(META_END);
    });
}

fn write_text(statement: &Statement, sql: &mut json::Object<'_>) {
    if let What::Sql(text) = &statement.what {
        sql.inline(&text.raw).inline(&text.form.normalized);
    }
    write_redacted(statement, sql);
    if statement.split_uncertain {
        sql.plain("split", "uncertain");
    }
    if !statement.parameters.is_empty() {
        sql.encoded("parameters", &statement.parameters);
    }
    let cut = if let What::Sql(text) = &statement.what { text.cut } else { None };
    let attributes = statement.aside.as_ref().and_then(|aside| aside.left_out);
    write_truncated(cut, statement.parameters_truncated, attributes, sql);
    if let Some(prepared) = &statement.prepared {
        sql.inline(prepared.shown());
    }
}

/// By which rules something is hidden; `parameters` where some of these are.
fn write_redacted(statement: &Statement, sql: &mut json::Object<'_>) {
    let of_text: &[_] = if let What::Sql(text) = &statement.what { text.rules() } else { &[] };
    let of_parameters = statement.secrets.as_ref().map(|_| "parameters");
    if !of_text.is_empty() || of_parameters.is_some() {
        let rules: Vec<_> = of_text.iter().copied().chain(of_parameters).collect();
        sql.member("redacted", &rules);
    }
}

/// Sizes of what is not there whole, and what a text that was cut can be known by.
fn write_truncated(
    raw: Option<Cut>,
    parameters: Option<u64>,
    attributes: Option<u64>,
    sql: &mut json::Object<'_>,
) {
    if raw.is_none() && parameters.is_none() && attributes.is_none() {
        return;
    }
    let mut truncated = sql.object("truncated");
    truncated.optional("raw", raw.map(|cut| cut.length)).optional("parameters", parameters);
    truncated.optional("attributes", attributes);
    truncated.end();
    if let Some(sha256) = raw.and_then(|cut| cut.sha256) {
        let hex: String = sha256.iter().flat_map(|byte| hex_digits(*byte)).map(char::from).collect();
        sql.plain("rawSha256", &hex);
    }
}

fn write_end(statement: &Statement, sql: &mut json::Object<'_>) {
    let end = &statement.end;
    if let Some(rows) = end.rows {
        sql.number("rowCount", rows);
    }
    // How much a stream has to give is not known before its end.
    if end.is_success() && !end.apart || end.bytes > 0 {
        sql.number("bytesReturned", end.bytes);
    }
    if end.sent > 0 {
        sql.number("bytesSent", end.sent);
    }
    match end.outcome {
        Some(Outcome::Ok) => _ = sql.inline(OK),
        Some(outcome) => _ = sql.member("success", &end.is_success()).plain("outcome", outcome.as_str()),
        None => _ = sql.member("success", &false),
    }
    write_error(end.error.as_deref(), sql);
    if end.warnings > 0 {
        sql.number("warnings", end.warnings.into());
    }
}

/// Writes `sql` of what is no statement: whether it succeeded.
pub(super) fn write_outcome(event: &mut json::Object<'_>, error: Option<&Error>) {
    let outcome = if error.is_none() { Outcome::Ok } else { Outcome::Error };
    let mut sql = event.object("sql");
    sql.member("success", &error.is_none()).plain("outcome", outcome.as_str());
    write_error(error, &mut sql);
    sql.end();
}

fn write_error(error: Option<&Error>, sql: &mut json::Object<'_>) {
    if let Some(error) = error {
        let number = (error.code > 0).then(|| error.code.to_string());
        sql.optional("errorCode", number.as_deref().or(some(&error.sql_state)))
            .optional("errorMessage", some(&error.message))
            .optional("sqlState", some(&error.sql_state));
    }
}

fn write_transaction(statement: &Statement, event: &mut json::Object<'_>) {
    if let Statement {
        transaction: None,
        status: TransactionStatus::Idle,
        verdict: Some(Verdict::Committed),
        undone_by: None,
        ..
    } = statement
    {
        event.inline(COMMITTED);
        return;
    }
    let mut transaction = event.object("transaction");
    if let Some(id) = statement.transaction {
        transaction.uuid("id", id);
    }
    transaction.plain("status", status(statement.status));
    transaction.optional("verdict", statement.verdict);
    if let Some(error) = &statement.undone_by {
        transaction
            .optional("sqlState", some(&error.sql_state))
            .optional("errorMessage", some(&error.message));
    }
    transaction.end();
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

/// `operation` of what is done to a session.
pub(super) fn write_operation(event: &mut json::Object<'_>, kind: &str) {
    let mut operation = event.object("operation");
    operation.plain("type", kind).plain("category", "SESSION");
    operation.end();
}

/// Writes where the database is: the first members of `db`.
pub(super) fn write_server(db: &mut json::Object<'_>, engine: &str, upstream: &Upstream) {
    db.plain("engine", engine).member("host", &upstream.host).number("port", upstream.port.into());
}

/// Writes which session it is, and of whom: the first members of `session`.
pub(super) fn write_client(session: &mut json::Object<'_>, id: Uuid, client: SocketAddr) {
    session.uuid("id", id).plain("client", &client.to_string());
}

/// What a server is called that has not said more of itself.
pub(super) fn engine(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Postgres => "postgres",
        Protocol::Mysql => "mysql",
    }
}

#[cfg(test)]
mod tests {
    use panoptes_parser::text::write_json_string;

    use super::*;

    #[test]
    fn every_character_is_escaped_alike_by_whoever_writes_it() {
        for c in (0..=0x2_ffff).filter_map(char::from_u32) {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            json::write(&mut ours, &c);
            write_json_string(&mut theirs, c.encode_utf8(&mut [0; 4]));
            let same = serde_json::from_slice::<char>(&ours).unwrap()
                == serde_json::from_slice::<char>(&theirs).unwrap();
            assert!(same && ours.starts_with(b"\"\\") == theirs.starts_with(b"\"\\"), "{c:?}");
        }
    }
}
