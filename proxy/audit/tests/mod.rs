//! From what was seen on the wire to events.
//!
//! * `transcripts`: what real servers said, replayed; the events beside each transcript were reviewed by hand.
//! * `transactions`, `statements`, `words`: what no transcript has, told as observations.
//! * `doubts`: answers that do not fit the question.
//! * `intents`: what is told before it runs.
//! * `mysql`: what is MySQL's alone, told as observations.
//! * `properties`: any observations, in any order.

mod doubts;
mod intents;
mod mysql;
mod properties;
mod statements;
mod transactions;
mod transcripts;
mod words;

use std::{fmt::Write, sync::Arc};

use panoptes_config::{Mode, Protocol};
use panoptes_event::{Event, Kind, Uuid, Verdict};
use panoptes_parser::wire::{Answer, Ask, Failure, Observation, Observer, Settled, TransactionStatus};
use panoptes_sinks::Origin;
use serde_json::Value;

use super::{NameLimits, Session, Tools};
use crate::{
    metrics::Metrics,
    session::{Ending, Opened, Upstream},
};

/// A session without a wire: it is told what to observe, and gives its events.
struct Stage {
    session: Session,
    tools: Tools,
    events: Vec<Event>,
}

impl Observer for Stage {
    fn observe(&mut self, observation: Observation<&[u8]>) {
        self.session.observe(observation, &mut self.tools);
    }
}

impl Stage {
    fn new() -> Self {
        Self::with_limits(NameLimits { count: 10_000, bytes: 16 << 20, ahead: 1 << 10, text: 64 << 10 })
    }

    /// A session of this protocol.
    fn of(protocol: Protocol) -> Self {
        Self::with(protocol, NameLimits { count: 9, bytes: 1 << 20, ahead: 1 << 10, text: 64 << 10 })
    }

    fn with_limits(limits: NameLimits) -> Self {
        Self::with(Protocol::Postgres, limits)
    }

    fn with(protocol: Protocol, limits: NameLimits) -> Self {
        Self::in_mode(protocol, Mode::Async, limits)
    }

    fn in_mode(protocol: Protocol, mode: Mode, limits: NameLimits) -> Self {
        let opened = opened_by(protocol, mode);
        Self { session: Session::new(opened, limits), tools: tools(), events: Vec::new() }
    }

    fn settled(&mut self, ask: Ask<&[u8]>, answer: Answer<&[u8]>) -> &mut Self {
        self.observe(Observation::Settled(Settled {
            ask,
            answer,
            asked: 1_000,
            answered: 2_500_000,
            warnings: 0,
        }));
        self
    }

    /// A simple Query of this text, and its first answer.
    fn query(&mut self, text: &str, answer: Answer<&[u8]>) -> &mut Self {
        self.bytes(text.as_bytes(), answer)
    }

    fn bytes(&mut self, text: &[u8], answer: Answer<&[u8]>) -> &mut Self {
        self.settled(Ask::Query { text: Some(text), length: text.len() as u64 }, answer)
    }

    /// The next answer to the Query at hand.
    fn next(&mut self, answer: Answer<&[u8]>) -> &mut Self {
        self.settled(Ask::Query { text: None, length: 0 }, answer)
    }

    fn parse(&mut self, name: &str, text: &str, answer: Answer<&[u8]>) -> &mut Self {
        let (statement, text) = (name.as_bytes(), text.as_bytes());
        self.settled(Ask::Parse { statement, text, length: text.len() as u64, types: b"" }, answer)
    }

    /// Binds the unnamed portal to one parameter, in text.
    fn bind(&mut self, statement: &str, parameter: &str, answer: Answer<&[u8]>) -> &mut Self {
        let length = u32::try_from(parameter.len()).unwrap().to_be_bytes();
        let parameters = [&[0, 0, 0, 1][..], &length, parameter.as_bytes()].concat();
        let (portal, length) = (&b""[..], parameters.len() as u64);
        let ask = Ask::Bind { portal, statement: statement.as_bytes(), parameters: &parameters, length };
        self.settled(ask, answer)
    }

    fn execute(&mut self, answer: Answer<&[u8]>) -> &mut Self {
        self.settled(Ask::Execute { portal: b"" }, answer)
    }

    fn ready(&mut self, status: TransactionStatus) -> &mut Self {
        self.observe(Observation::Ready(status));
        self
    }

    fn idle(&mut self) -> &mut Self {
        self.ready(TransactionStatus::Idle)
    }

    fn active(&mut self) -> &mut Self {
        self.ready(TransactionStatus::Active)
    }

    /// One Query that completes in a transaction block.
    fn within(&mut self, text: &str, tag: &str) -> &mut Self {
        self.query(text, done(tag)).active()
    }

    fn closed(&mut self, unanswered: bool) -> &mut Self {
        self.observe(Observation::Closed { unanswered });
        self
    }

    fn spill(&mut self) -> &mut Self {
        self.session.spill(&mut self.tools);
        self
    }

    fn end(&mut self, ending: &Ending) -> &mut Self {
        self.session.end(2_000, ending, &mut self.tools);
        self
    }

    /// Everything that was written so far. Each event is what its typed form would be, and in the order of its number.
    fn events(&mut self) -> &[Event] {
        for (encoded, _) in self.tools.out.iter() {
            let mut bytes = Vec::new();
            encoded.write(7, &mut bytes);
            let event: Event = serde_json::from_slice(&bytes).unwrap();
            let (as_written, as_typed): (Value, _) =
                (serde_json::from_slice(&bytes).unwrap(), serde_json::to_value(&event).unwrap());
            assert_eq!(as_written, as_typed);
            assert_eq!(event.session.as_ref().unwrap().seq, Some(self.events.len() as u64 + 1));
            self.events.push(event);
        }
        self.tools.out.clear();
        &self.events
    }

    /// The events in short, a line each.
    fn told(&mut self) -> String {
        let mut blocks = Vec::new();
        self.events().iter().fold(String::new(), |told, event| told + &short(event, &mut blocks) + "\n")
    }

    /// The last event.
    fn last(&mut self) -> Event {
        self.events().last().unwrap().clone()
    }
}

fn tools() -> Tools {
    let origin = Origin { app_name: "shop".into(), environment: "test".into(), instance: "here".into() };
    Tools::new(origin, 1 << 20, Arc::default(), Arc::new(Metrics::new().unwrap()))
}

fn opened() -> Opened {
    opened_by(Protocol::Postgres, Mode::Async)
}

fn opened_by(protocol: Protocol, mode: Mode) -> Opened {
    let upstream = Upstream { protocol, host: "db".into(), port: 5432, mode, ansi_quotes: false };
    let client = "192.0.2.1:5000".parse().unwrap();
    Opened { id: Uuid::now_v7(), client, upstream: Arc::new(upstream), at: 0 }
}

fn done(tag: &str) -> Answer<&[u8]> {
    Answer::Complete { tag: tag.as_bytes(), rows: 0, bytes: 0, sent: 0 }
}

fn failed<'a>(sql_state: &'a str, message: &'a str) -> Answer<&'a [u8]> {
    failed_at(0, sql_state, message)
}

fn failed_at<'a>(position: u32, sql_state: &'a str, message: &'a str) -> Answer<&'a [u8]> {
    Answer::Failed(failure(position, sql_state, message))
}

fn failure<'a>(position: u32, sql_state: &'a str, message: &'a str) -> Failure<&'a [u8]> {
    Failure { sql_state: sql_state.as_bytes(), message: message.as_bytes(), position, code: 0, fatal: false }
}

/// `seq kind type(tables) "text" [params] name rows … outcome … | block status verdict`.
fn short(event: &Event, blocks: &mut Vec<Uuid>) -> String {
    let seq = event.session.as_ref().and_then(|session| session.seq).unwrap();
    let mut line = format!("{seq} ");
    if event.kind != Kind::Statement {
        write!(line, "{} ", event.kind.as_str()).unwrap();
    }
    if let Some(operation) = &event.operation {
        operation_in_short(operation, &mut line);
    }
    if let Some(sql) = &event.sql {
        sql_in_short(sql, &mut line);
    }
    if let Some(request) = &event.request {
        write!(line, " request {}", serde_json::to_string(request).unwrap()).unwrap();
    }
    if let Some(cancel) = &event.cancel {
        write!(line, " aimed at {:?}, matched={}", cancel.server_pid, cancel.matched).unwrap();
    }
    if let Some(db) = event.db.as_ref().filter(|db| db.engine != "postgres" && event.kind == Kind::Login) {
        write!(
            line,
            " {} {} {}",
            db.engine,
            db.user.as_deref().unwrap_or("?"),
            db.name.as_deref().unwrap_or("-")
        )
        .unwrap();
    }
    if let Some(blind) = &event.blind {
        line += &blind.reason;
    }
    if let Some(reason) = event.session.as_ref().and_then(|session| session.end_reason.as_ref()) {
        write!(line, " {reason}").unwrap();
    }
    if let Some(transaction) = &event.transaction {
        transaction_in_short(transaction, blocks, &mut line);
    }
    line
}

fn operation_in_short(operation: &panoptes_event::Operation, line: &mut String) {
    *line += &operation.kind;
    let tables: Vec<_> =
        operation.access.iter().map(|used| format!("{} {}", used.mode, used.table)).collect();
    assert_eq!(operation.tables_involved.len(), tables.len());
    if !tables.is_empty() {
        write!(line, "({})", tables.join(", ")).unwrap();
    }
    if let Some(command) = &operation.command {
        write!(line, " {command}").unwrap();
    }
    if let Some(name) = operation.object_name.as_ref().filter(|_| operation.command.is_some()) {
        write!(line, " {name}").unwrap();
    }
}

fn sql_in_short(sql: &panoptes_event::Sql, line: &mut String) {
    let mut add = |word: String| write!(line, " {word}").unwrap();
    if let Some(raw) = &sql.raw {
        add(format!("\"{}\"", raw.chars().take(60).collect::<String>().escape_debug()));
    }
    if let Some(parameters) = &sql.parameters {
        add(Value::from(parameters.clone()).to_string());
    }
    if let Some(name) = &sql.prepared {
        add(format!("as {name}"));
    }
    if let Some(split) = &sql.split {
        add(format!("split {split}"));
    }
    if let Some(file) = &sql.file {
        add(format!("file {file}"));
    }
    for (count, what) in [(sql.row_count, "rows"), (sql.bytes_sent, "sent"), (sql.warnings, "warnings")] {
        if let Some(count) = count {
            add(format!("{what} {count}"));
        }
    }
    assert_eq!(sql.success, sql.outcome.map(|o| matches!(o.as_str(), "ok" | "warning")));
    if let Some(outcome) = sql.outcome {
        add(outcome.as_str().into());
    }
    if let (Some(state), Some(message)) = (&sql.sql_state, &sql.error_message) {
        let code = sql.error_code.as_ref().unwrap();
        // PostgreSQL has no number beside the SQLSTATE.
        let number = if code == state { String::new() } else { format!("{code} ") };
        add(format!("{number}{state} {message}"));
    }
}

fn transaction_in_short(
    transaction: &panoptes_event::Transaction,
    blocks: &mut Vec<Uuid>,
    line: &mut String,
) {
    *line += " |";
    let mut add = |word: String| write!(line, " {word}").unwrap();
    if let Some(id) = transaction.id {
        let place = blocks.iter().position(|known| *known == id).unwrap_or(blocks.len());
        if place == blocks.len() {
            blocks.push(id);
        }
        add(format!("#{}", place + 1));
    }
    if let Some(status) = &transaction.status {
        add(status.clone());
    }
    if let Some(verdict) = transaction.verdict {
        let words = [
            (Verdict::Committed, "committed"),
            (Verdict::RolledBack, "rolledBack"),
            (Verdict::Unknown, "unknown"),
        ];
        add(words.iter().find(|(known, _)| *known == verdict).unwrap().1.into());
    }
    if let (Some(from), Some(to)) = (transaction.from_seq, transaction.to_seq) {
        add(format!("{from}-{to}"));
    }
    if let Some(savepoint) = &transaction.savepoint {
        add(format!("to {savepoint}"));
    }
    if let Some(state) = &transaction.sql_state {
        add(format!("by {state}"));
    }
}
