//! Who and where a session is, and the events that tell of it.

use std::rc::Rc;

use panoptes_event::{Blind, Db, Event, Kind, Session, Transaction, json};
use panoptes_parser::wire::Nanos;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Tools,
    encode::{db, milliseconds, outcome, session_operation, some, write_forgotten, write_statement},
    statement::{Error, Statement},
    text::Text,
    transaction::Told,
};
use crate::{
    clock,
    session::{Ending, Opened},
};

/// So many times a session is told to be blind; one that provokes it would fill the journal.
const MAX_BLIND: u32 = 10;

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
    pub(crate) ended_by: Option<Rc<Error>>,
    /// Number of the last event.
    seq: u64,
    /// How often it was told to be blind.
    blind: u32,
    /// Something changed since the parts below were encoded.
    stale: bool,
    /// Members of `meta`, the whole of `db`, members of `session`.
    meta: Vec<u8>,
    db: Vec<u8>,
    session: Vec<u8>,
}

impl Identity {
    /// Of a session that was just opened.
    pub(crate) fn new(opened: Opened) -> Self {
        Self {
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
            blind: 0,
            stale: true,
            meta: Vec::new(),
            db: Vec::new(),
            session: Vec::new(),
        }
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

    /// What is known of the session changed.
    pub(crate) fn change(&mut self) {
        self.stale = true;
    }

    /// Encodes what the events have in common, where it changed: several things do at a login.
    fn refresh(&mut self, tools: &Tools) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
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
        self.db.shrink_to_fit();
    }

    /// Writes a statement's event, and tells its number in the session.
    pub(crate) fn write_statement(&mut self, statement: &Statement, tools: &mut Tools) -> u64 {
        self.seq += 1;
        self.refresh(tools);
        write_statement(statement, self.seq, [&self.meta, &self.db, &self.session], tools);
        self.seq
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
            sql_state: told.undone_by.as_ref().and_then(|error| some(&error.sql_state)).map(Into::into),
            error_message: told.undone_by.as_ref().and_then(|error| some(&error.message)).map(Into::into),
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
        if self.blind == MAX_BLIND {
            return;
        }
        self.blind += 1;
        let last = if self.blind == MAX_BLIND { "; more of this session is not told" } else { "" };
        let at = tools.anchor.unix_micros(clock::now());
        let mut event = self.event(Kind::Blind, at, tools);
        event.blind = Some(Blind { reason: format!("{reason}{last}") });
        self.push(event, at, tools);
    }

    /// Writes the text of a prepared statement whose executions will not be told with it.
    pub(crate) fn write_forgotten(&mut self, text: &Text, tools: &mut Tools) {
        self.seq += 1;
        self.refresh(tools);
        let at = tools.anchor.unix_micros(clock::now());
        write_forgotten(text, at, self.seq, [&self.meta, &self.db, &self.session], tools);
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
        Db {
            name,
            user: self.user.clone(),
            server_version: self.server_version.clone(),
            ..db(&self.opened.upstream)
        }
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StaticMeta<'a> {
    app_name: &'a str,
    environment: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_app: Option<&'a str>,
}
