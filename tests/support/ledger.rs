//! The join: what the server's log and the recorded answers say that ran, against the events.
//!
//! The log has the texts but no row counts, and does not say which statement of a text failed; the answers have tags and
//! SQLSTATEs but no texts. Together they are a list of what each session's events must be, in order, which knows nothing
//! of how Panoptes came to its own.

use serde_json::{Value, json};

use super::{
    answers::{Answer, answers, skipped_executes},
    server_log::{Kind, REMARK, Session, Unit, statements},
    tap::Streams,
};

/// What one event must say.
#[derive(Debug)]
pub struct Expected {
    /// The text sent: the event's own, or one that holds it among other statements. Empty where the log has none.
    text: String,
    alone: bool,
    outcome: Outcome,
    /// An event of this kind may be there or not: an error that no text belongs to may be a Sync's or an Execute's.
    pub optional: bool,
}

#[derive(Debug)]
enum Outcome {
    Done { answer: Answer, warned: Option<bool> },
    Failed(String),
    Skipped,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Report {
    /// Statements that must have an event: run, failed, or skipped.
    pub statements: usize,
    /// Of those, the ones with an event that says the same.
    pub matched: usize,
    /// Statement events there are.
    pub events: usize,
    /// Everything that differs, for people.
    pub problems: Vec<String>,
}

impl Report {
    /// Adds another session's.
    pub fn add(&mut self, other: Self) {
        self.statements += other.statements;
        self.matched += other.matched;
        self.events += other.events;
        self.problems.extend(other.problems);
    }
}

/// What a session's events must be. An error where log and answers do not fit each other: then the oracle is wrong.
pub fn expected(session: &Session, streams: &Streams) -> Result<Vec<Expected>, String> {
    let (client, server) = streams.session();
    let skipped = skipped_executes(&client, &server);
    let mut answers = answers(&server).into_iter().peekable();
    let mut all = Vec::new();
    for unit in &session.units {
        let n = if unit.kind == Kind::Simple { statements(&unit.text) } else { 1 };
        all.extend((1..said_statements(unit)).map(|_| Expected::skipped(&unit.text)));
        let (mut failed, mut passed_over) = (false, 0);
        for _ in 0..n {
            let mut answer = if failed { None } else { answers.next() };
            let exchange = answer.as_ref().map(|(exchange, _)| *exchange);
            if unit.kind == Kind::Replication {
                // One command, whatever it answers with: a stream and its end, the many results of a base backup.
                while let Some((_, more)) = answers.next_if(|(other, _)| Some(*other) == exchange) {
                    if let Some((_, first)) = &mut answer {
                        first.add_rows(&more);
                    }
                }
            }
            let outcome = if failed { Outcome::Skipped } else { outcome(unit, n, answer.map(|(_, a)| a))? };
            if matches!(outcome, Outcome::Failed(_)) {
                failed = true;
                passed_over = exchange.and_then(|e| skipped.get(e - 1)).copied().unwrap_or_default();
            }
            let alone = n == 1 && said_statements(unit) == 1;
            let optional = unit.kind == Kind::Anonymous;
            all.push(Expected { text: unit.text.clone(), alone, outcome, optional });
        }
        if n > 0 && failed != unit.error.is_some() {
            return Err(format!("the log says {:?}, the answers say otherwise: {:?}", unit.error, unit.text));
        }
        all.extend((0..passed_over).map(|_| Expected::skipped("")));
    }
    // A FATAL between statements ends the session; the log has no text for it.
    match answers.next() {
        None => Ok(all),
        Some((_, Answer::Failed { .. })) if answers.peek().is_none() => Ok(all),
        Some((_, answer)) => Err(format!("an answer that the log does not know: {answer:?}")),
    }
}

impl Expected {
    /// One of several statements of a text, or an Execute that the log does not have.
    fn skipped(text: &str) -> Self {
        Self { text: text.to_owned(), alone: false, outcome: Outcome::Skipped, optional: false }
    }

    /// Whether the parts around what is hidden stand in the text, in their order.
    fn holds_around(&self, raw: &str) -> bool {
        let mut rest = self.text.as_str();
        raw.split("[REDACTED]").map(|part| part.trim_matches('\'')).all(|part| match rest.split_once(part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }

    /// Whether an event's text is, or may be, the one sent: that less the comments and semicolons around it.
    fn holds(&self, raw: &str, cut: bool) -> bool {
        if self.text.is_empty() || !self.text.is_ascii() {
            return true; // the log has none, or has it in the server's encoding
        }
        match self.text.split_once(raw) {
            Some(_) if cut || !self.alone => true,
            Some((before, after)) => {
                [before, after].iter().all(|rest| statements(&without_remark(rest)) == 0)
            }
            None => false,
        }
    }
}

/// The statements that a text which does not parse says to have, or one. In the mixes the last of them is the bad one.
fn said_statements(unit: &Unit) -> usize {
    let several = unit.kind == Kind::Rejected && unit.text.contains(REMARK);
    if several { statements(&unit.text) } else { 1 }
}

/// Events that say exactly what they must: to see that [`compare`] takes them, and nothing less.
pub fn faithful(expected: &[Expected]) -> Vec<Value> {
    let event = |want: &Expected| match &want.outcome {
        Outcome::Done { answer, warned } => {
            let outcome = if *warned == Some(true) { "warning" } else { "ok" };
            json!({"raw": want.text, "success": true, "outcome": outcome, "rowCount": answer.row_count()})
        }
        Outcome::Failed(state) => {
            json!({"raw": want.text, "success": false, "outcome": "error", "sqlState": state})
        }
        Outcome::Skipped => json!({"raw": want.text, "success": false, "outcome": "skipped"}),
    };
    expected.iter().map(|want| json!({"operation": {}, "sql": event(want)})).collect()
}

/// Compares a session's statement events, in the order of `session.seq`, with what they must be.
pub fn compare(expected: &[Expected], events: &[Value]) -> Report {
    let mut report = Report { events: events.len(), ..Report::default() };
    let mut rest = events.iter().peekable();
    for want in expected {
        if want.optional && rest.peek().is_none_or(|e| difference(want, e).is_some()) {
            continue;
        }
        report.statements += 1;
        match rest.next().map(|event| (event, difference(want, event))) {
            Some((_, None)) => report.matched += 1,
            Some((event, Some(what))) => {
                report.problems.push(format!("{what}\n    expected {want:?}\n    event    {event}"));
            }
            None => report.problems.push(format!("no event for {want:?}")),
        }
    }
    report.problems.extend(rest.map(|event| format!("an event for nothing: {event}")));
    report
}

fn outcome(unit: &Unit, n: usize, answer: Option<Answer>) -> Result<Outcome, String> {
    let text = &unit.text;
    match (answer, &unit.error) {
        (None, Some(state)) => Ok(Outcome::Failed(state.clone())), // the link went before the answer
        (None, None) => Err(format!("no answer for {text:?}")),
        (Some(Answer::Failed { state }), Some(error)) if state == *error => Ok(Outcome::Failed(state)),
        (Some(Answer::Failed { state }), error) => {
            Err(format!("answered {state}, logged {error:?}: {text:?}"))
        }
        (Some(answer), _) => Ok(Outcome::Done { answer, warned: (n == 1).then_some(unit.warned) }),
    }
}

/// The first thing in which an event is not as it must be.
fn difference(want: &Expected, event: &Value) -> Option<String> {
    let sql = &event["sql"];
    match sql["raw"].as_str() {
        // What was hidden of it is not in the log's text; all around it is.
        Some(raw) if sql["redacted"].is_array() && want.holds_around(raw) => {}
        Some(raw) if !want.holds(raw, sql["truncated"].is_object()) => {
            return Some("another text".to_owned());
        }
        None if !want.text.is_empty() && event["operation"]["command"].is_null() => {
            return Some("no text".to_owned());
        }
        _ => {}
    }
    match &want.outcome {
        Outcome::Done { answer, warned } => undone(sql, answer, *warned),
        Outcome::Failed(state) => unfailed(sql, state),
        Outcome::Skipped => {
            let skipped = sql["outcome"] == "skipped" && sql["success"] == false;
            (!skipped).then(|| "not told as skipped".to_owned())
        }
    }
}

fn undone(sql: &Value, answer: &Answer, warned: Option<bool>) -> Option<String> {
    let outcome = sql["outcome"].as_str().unwrap_or_default();
    if sql["success"] != true || !matches!(outcome, "ok" | "warning") {
        return Some("not told as done".to_owned());
    }
    if warned.is_some_and(|w| w && outcome != "warning") {
        return Some("a warning not told".to_owned());
    }
    let told = sql["rowCount"].as_u64();
    let same = match (answer.row_count(), answer) {
        (Some(rows), _) => told == Some(rows),
        (None, Answer::Complete { rows, .. }) => told.is_none_or(|n| n == *rows),
        (None, _) => true,
    };
    (!same).then(|| format!("another row count: {told:?}"))
}

fn unfailed(sql: &Value, state: &str) -> Option<String> {
    let outcome = sql["outcome"].as_str().unwrap_or_default();
    let known =
        outcome == "error" || (outcome == "cancelled" && state.starts_with("57")) || outcome == "lost";
    if sql["success"] != false || !known {
        return Some("not told as failed".to_owned());
    }
    (outcome != "lost" && sql["sqlState"] != state).then(|| format!("another SQLSTATE: {}", sql["sqlState"]))
}

fn without_remark(text: &str) -> String {
    text.replace(REMARK, "/*")
}
