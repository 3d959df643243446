//! Who and where a session is, and the events that tell of it.

use std::{rc::Rc, sync::Arc};

use panoptes_config::Protocol;
use panoptes_event::{Blind, Kind, Transaction, json};
use panoptes_parser::{
    sql::{self, Dialect},
    wire::Nanos,
};
use serde_json::{Map, Value};

use super::{
    Tools,
    encode::{
        Common, engine, some, write_client, write_forgotten, write_intent, write_operation, write_outcome,
        write_server, write_statement,
    },
    item::Told,
    statement::{Error, Statement},
    text::Text,
};
use crate::{
    clock,
    session::{Ending, Opened, Upstream},
};

/// So many times a session is told to be blind; one that provokes it would fill the journal.
const MAX_BLIND: u32 = 10;

/// Who and where a session is; what its events have in common, encoded.
#[derive(Debug)]
pub(crate) struct Identity {
    opened: Opened,
    who: Who,
    /// Who it was before the last login within the session.
    before: Option<Box<Who>>,
    pub(crate) server_version: Option<String>,
    pub(crate) server_pid: Option<u32>,
    /// The error by which the server ended the session.
    pub(crate) ended_by: Option<Rc<Error>>,
    /// Number of the last event.
    seq: u64,
    /// How often it was told to be blind.
    blind: u32,
    /// Something changed since what is common was encoded.
    stale: bool,
    common: Common,
}

/// What a login says.
#[derive(Debug, Default)]
struct Who {
    user: Option<String>,
    database: Option<String>,
    attributes: Map<String, Value>,
    /// What the client calls itself, as it said it.
    app: String,
    /// The same as it is shown.
    source_app: Option<String>,
    auth_method: Option<&'static str>,
}

impl Identity {
    /// Of a session that was just opened.
    pub(crate) fn new(opened: Opened) -> Self {
        Self {
            opened,
            who: Who::default(),
            before: None,
            server_version: None,
            server_pid: None,
            ended_by: None,
            seq: 0,
            blind: 0,
            stale: true,
            common: Common::default(),
        }
    }

    /// The database behind the session.
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.opened.upstream
    }

    /// A login within the session begins: until it is complete, it can go back.
    pub(crate) fn begin_anew(&mut self) {
        self.before = Some(Box::new(std::mem::take(&mut self.who)));
    }

    /// Who it is becomes who it was before the last login, and the other way round.
    pub(crate) fn exchange(&mut self) {
        if let Some(before) = &mut self.before {
            std::mem::swap(&mut self.who, before);
        }
        self.change();
    }

    /// How the login is proved.
    pub(crate) fn authenticate(&mut self, method: &'static str) {
        self.who.auth_method = Some(method);
    }

    /// The schema of names that are told without one.
    pub(crate) fn choose(&mut self, name: String) {
        self.who.database = Some(name).filter(|name| !name.is_empty());
        self.change();
    }

    /// The same, where there is one.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.who.database.as_deref()
    }

    /// A parameter of the login.
    pub(crate) fn parameter(&mut self, name: &str, value: String, dialect: Dialect) {
        match name {
            "user" => self.who.user = Some(value),
            "database" => self.choose(value),
            _ => self.attribute(name, value, dialect),
        }
    }

    /// The user that logs in, and the schema that it wants; empty for none.
    pub(crate) fn log_in(&mut self, user: String, schema: String) {
        self.who.user = Some(user).filter(|user| !user.is_empty());
        self.choose(schema);
    }

    /// What else the client says of itself. Nothing of this is who it is.
    pub(crate) fn attribute(&mut self, name: &str, value: String, dialect: Dialect) {
        let shown = match name {
            "application_name" | "program_name" => {
                self.call_app(value, dialect);
                self.who.source_app.clone().unwrap_or_default()
            }
            _ if sql::is_secret_setting(name) => "[REDACTED]".to_owned(),
            _ => sql::redact_value(&value, dialect).unwrap_or(value),
        };
        self.who.attributes.insert(name.to_owned(), Value::String(shown));
    }

    /// What the client calls itself, less a password that somebody put there. Servers repeat it: it is looked at once.
    pub(crate) fn call_app(&mut self, name: String, dialect: Dialect) {
        let who = &mut self.who;
        if name != who.app {
            let shown = sql::redact_value(&name, dialect).unwrap_or_else(|| name.clone());
            who.source_app = Some(shown).filter(|shown| !shown.is_empty());
            who.app = name;
        }
    }

    /// What is known of the session changed.
    pub(crate) fn change(&mut self) {
        self.stale = true;
    }

    /// Encodes what the events have in common, where it changed: several things do at a login.
    fn refresh(&mut self, tools: &Tools) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let Self { opened, who, server_version, server_pid, common, .. } = self;
        let protocol = opened.upstream.protocol;
        let db = |db: &mut json::Object<'_>| {
            let is_mariadb = server_version.as_ref().is_some_and(|version| version.contains("MariaDB"));
            write_server(db, if is_mariadb { "mariadb" } else { engine(protocol) }, &opened.upstream);
            // Where no database is named, it is that of the user's name in PostgreSQL.
            let of_user = who.user.as_ref().filter(|_| protocol == Protocol::Postgres);
            db.optional("name", who.database.as_ref().or(of_user)).optional("user", who.user.as_ref());
            db.optional("serverVersion", server_version.as_ref());
        };
        let session = |session: &mut json::Object<'_>| {
            write_client(session, opened.id, opened.client);
            session.optional("authMethod", who.auth_method).optional("serverPid", *server_pid);
        };
        common.encode(&tools.origin, who.source_app.as_deref(), db, session);
    }

    /// Writes a statement's event, and tells its number in the session.
    pub(crate) fn write_statement(&mut self, statement: &Statement, tools: &mut Tools) -> u64 {
        let seq = self.next(tools);
        write_statement(statement, seq, &self.common, tools);
        seq
    }

    /// Writes a statement that is about to go to the server.
    pub(crate) fn write_intent(&mut self, statement: &Statement, tools: &mut Tools) {
        let seq = self.next(tools);
        write_intent(statement, seq, &self.common, tools);
    }

    /// Writes what became of statements written before, and tells its number in the session.
    pub(crate) fn write_verdict(&mut self, told: &Told, tools: &mut Tools) -> u64 {
        // The link that was lost decided it, where no answer did: that is now.
        let at = told.unix_micros.unwrap_or_else(|| tools.anchor.unix_micros(clock::now()));
        let transaction = Transaction {
            id: Some(told.transaction),
            verdict: Some(told.verdict),
            from_seq: Some(told.from),
            to_seq: Some(told.to),
            savepoint: told.savepoint.clone(),
            sql_state: told.undone_by.as_ref().and_then(|error| some(&error.sql_state)).map(Into::into),
            error_message: told.undone_by.as_ref().and_then(|error| some(&error.message)).map(Into::into),
            ..Transaction::default()
        };
        let (seq, id) = (self.next(tools), tools.event_id(at));
        let Tools { out, calendar, .. } = tools;
        out.event(id, Kind::Verdict, at, |event| {
            self.common.begin(event, calendar, at, None);
            self.common.session(event, seq).end();
            event.member("transaction", &transaction);
        });
        seq
    }

    /// Writes the login, or why it was refused. It began with the session, unless `begun` says otherwise.
    pub(crate) fn write_login(
        &mut self,
        begun: Option<Nanos>,
        at: Nanos,
        error: Option<&Error>,
        tools: &mut Tools,
    ) {
        let since = begun.unwrap_or(self.opened.at);
        let (begun, took) = (tools.anchor.unix_micros(since), at.saturating_sub(since) / 1_000);
        let (seq, id) = (self.next(tools), tools.event_id(begun));
        let Tools { out, calendar, .. } = tools;
        out.event(id, Kind::Login, begun, |event| {
            self.common.begin(event, calendar, begun, Some(took));
            write_operation(event, "LOGIN");
            write_outcome(event, error);
            let mut session = self.common.session(event, seq);
            session.optional(
                "attributes",
                Some(&self.who.attributes).filter(|attributes| !attributes.is_empty()),
            );
            session.end();
        });
    }

    /// Writes the end of the session.
    pub(crate) fn write_logout(&mut self, at: Nanos, ending: &Ending, tools: &mut Tools) {
        let ended = tools.anchor.unix_micros(at);
        let (code, sql_state) = ending.error(self.opened.upstream.protocol);
        let error = |words: &str| Error { code, sql_state: sql_state.into(), message: words.into() };
        let told = ending.detail().map(error);
        // What the server said of it counts for more than that it is gone.
        let fault = ending.fault().map(error);
        let (seq, id) = (self.next(tools), tools.event_id(ended));
        let error = told.as_ref().or(self.ended_by.as_deref()).or(fault.as_ref());
        let Tools { out, calendar, .. } = tools;
        out.event(id, Kind::Logout, ended, |event| {
            self.common.begin(event, calendar, ended, Some(self.micros_until(at)));
            write_operation(event, "LOGOUT");
            write_outcome(event, error);
            let mut session = self.common.session(event, seq);
            session.plain("endReason", ending.as_str());
            session.end();
        });
    }

    /// Writes that not everything can be told from here on.
    pub(crate) fn write_blind(&mut self, reason: &str, tools: &mut Tools) {
        if self.blind == MAX_BLIND {
            return;
        }
        self.blind += 1;
        let last = if self.blind == MAX_BLIND { "; more of this session is not told" } else { "" };
        let blind = Blind { reason: format!("{reason}{last}") };
        let at = tools.anchor.unix_micros(clock::now());
        let (seq, id) = (self.next(tools), tools.event_id(at));
        let Tools { out, calendar, .. } = tools;
        out.event(id, Kind::Blind, at, |event| {
            self.common.begin(event, calendar, at, None);
            self.common.session(event, seq).end();
            event.member("blind", &blind);
        });
    }

    /// Writes the text of a prepared statement whose executions will not be told with it.
    pub(crate) fn write_forgotten(&mut self, text: &Text, tools: &mut Tools) {
        let seq = self.next(tools);
        let at = tools.anchor.unix_micros(clock::now());
        write_forgotten(text, at, seq, &self.common, tools);
    }

    /// The number of the event that is to be written; what it has in common with the others is encoded.
    fn next(&mut self, tools: &Tools) -> u64 {
        self.refresh(tools);
        self.seq += 1;
        self.seq
    }

    /// The session's age.
    fn micros_until(&self, at: Nanos) -> u64 {
        at.saturating_sub(self.opened.at) / 1_000
    }
}
