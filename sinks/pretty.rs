//! One readable line an event: time, who, operation, tables, rows, outcome, duration, statement.
//!
//! ```text
//! 09:14:03.218  ana (shop_app)  UPDATE public.orders, customers  1 row  ok  1.872 ms  UPDATE public.orders o SET …
//! ```
//!
//! What comes from a peer is shown with its control characters and marks of direction escaped.

use std::fmt::{self, Write as _};

use panoptes_event::{Event, Kind, Outcome, Sql, Transaction, Verdict};

/// The longest statement that is shown, in characters.
const MAX_SQL: usize = 120;
/// The longest name that is shown.
const MAX_NAME: usize = 60;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";

/// Writes events for people.
pub(crate) struct Pretty {
    colours: bool,
}

impl Pretty {
    pub(crate) fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// Writes one event as one line.
    pub(crate) fn write(&self, event: &Event, out: &mut Vec<u8>) {
        let mut line = Line { text: String::new(), colours: self.colours };
        line.part(DIM, |text| text.push_str(time_of(event)));
        line.part("", |text| actor(event, text));
        line.part(BOLD, |text| operation(event, text));
        if let Some(sql) = &event.sql {
            line.statement(event, sql);
        }
        if event.kind != Kind::Statement {
            line.other(event);
        }
        out.extend_from_slice(line.text.as_bytes());
        out.push(b'\n');
    }
}

struct Line {
    text: String,
    colours: bool,
}

impl Line {
    fn statement(&mut self, event: &Event, sql: &Sql) {
        if let Some(rows) = sql.row_count {
            let unit = if rows == 1 { "row" } else { "rows" };
            self.part("", |text| write_to(text, format_args!("{rows} {unit}")));
        }
        if let Some(outcome) = sql.outcome {
            self.part(colour(outcome), |text| text.push_str(outcome.as_str()));
        }
        if let Some(transaction) = &event.transaction {
            // That a failed statement left nothing behind need not be said.
            let undone = transaction.verdict.filter(|verdict| *verdict != Verdict::Committed);
            if let Some(verdict) = undone.filter(|_| sql.success == Some(true)) {
                self.part(YELLOW, |text| text.push_str(fate(verdict)));
            }
        }
        if let Some(millis) = event.meta.duration_ms {
            self.part(DIM, |text| write_to(text, format_args!("{millis:.3} ms")));
        }
        let error = sql.sql_state.iter().chain(&sql.error_code).next().into_iter().chain(&sql.error_message);
        for error in error {
            self.part(RED, |text| plain(error, MAX_SQL, text));
        }
        if let Some(raw) = &sql.raw {
            self.part("", |text| plain(raw, MAX_SQL, text));
        }
    }

    /// Events that are no statements.
    fn other(&mut self, event: &Event) {
        if let Some(client) = event.session.as_ref().and_then(|session| session.client.as_deref()) {
            self.part("", |text| plain(client, MAX_NAME, text));
        }
        if let Some(reason) = event.session.as_ref().and_then(|session| session.end_reason.as_deref()) {
            self.part("", |text| plain(reason, MAX_SQL, text));
        }
        if let Some(blind) = &event.blind {
            self.part(YELLOW, |text| plain(&blind.reason, MAX_SQL, text));
        }
        if let Some(gap) = &event.gap {
            self.part(RED, |text| write_to(text, format_args!("{} events lost", gap.count)));
            self.part(RED, |text| plain(&gap.reason, MAX_SQL, text));
        }
        if let Some(checkpoint) = &event.checkpoint {
            self.part(DIM, |text| {
                write_to(text, format_args!("signed up to number {} by the key", event.seq))
            });
            self.part(DIM, |text| plain(&checkpoint.key, MAX_NAME, text));
        }
        if let Some(Transaction { verdict: Some(verdict), from_seq, to_seq, .. }) = &event.transaction {
            self.part(YELLOW, |text| text.push_str(fate(*verdict)));
            let (from, to) = (from_seq.unwrap_or_default(), to_seq.unwrap_or_default());
            self.part(DIM, |text| write_to(text, format_args!("events {from} to {to} of the session")));
        }
        if let Some(cancel) = &event.cancel {
            let matched = if cancel.matched { "of a session here" } else { "of no session here" };
            self.part("", |text| text.push_str(matched));
        }
    }

    /// Adds a part, two spaces behind the one before; an empty one is left out.
    fn part(&mut self, colour: &str, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        let separator = if start == 0 { "" } else { "  " };
        let colour = if self.colours { colour } else { "" };
        self.text.push_str(separator);
        self.text.push_str(colour);
        let begin = self.text.len();
        write(&mut self.text);
        if self.text.len() == begin {
            self.text.truncate(start);
        } else if !colour.is_empty() {
            self.text.push_str(RESET);
        }
    }
}

/// `09:14:03.218` of `2026-11-22T09:14:03.218411Z`.
fn time_of(event: &Event) -> &str {
    event.meta.timestamp.get(11..23).unwrap_or(&event.meta.time)
}

fn actor(event: &Event, text: &mut String) {
    let login = event.db.as_ref().and_then(|db| db.user.as_deref());
    let person =
        event.actor.as_ref().and_then(|actor| actor.app_username.as_deref().or(actor.app_user_id.as_deref()));
    match (person, login) {
        (Some(person), Some(login)) => {
            plain(person, MAX_NAME, text);
            text.push_str(" (");
            plain(login, MAX_NAME, text);
            text.push(')');
        }
        (Some(name), None) | (None, Some(name)) => plain(name, MAX_NAME, text),
        (None, None) => {}
    }
}

fn operation(event: &Event, text: &mut String) {
    let Some(operation) = event.operation.as_ref().filter(|_| event.kind == Kind::Statement) else {
        return text.push_str(event.kind.as_str());
    };
    plain(&operation.kind, MAX_NAME, text);
    if let Some(object) = &operation.object {
        text.push(' ');
        plain(object, MAX_NAME, text);
    }
    let named = operation.tables_involved.iter().chain(&operation.object_name).chain(&operation.command);
    for (n, name) in named.enumerate() {
        text.push_str(if n == 0 { " " } else { ", " });
        plain(name, MAX_NAME, text);
    }
}

fn fate(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Committed => "committed",
        Verdict::RolledBack => "rolled back",
        Verdict::Unknown => "fate unknown",
    }
}

fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => GREEN,
        Outcome::Warning | Outcome::Skipped => YELLOW,
        Outcome::Error | Outcome::Cancelled | Outcome::Lost => RED,
    }
}

/// Writes a peer's text: white space folded, what could deceive the terminal escaped, shortened.
fn plain(peer: &str, max: usize, text: &mut String) {
    let mut shown = 0;
    for (n, word) in peer.split_whitespace().enumerate() {
        let space = if n == 0 { None } else { Some(' ') };
        for c in space.into_iter().chain(word.chars()) {
            if shown == max {
                return text.push('…');
            }
            shown += 1;
            if panoptes_event::json::deceives(c) || c.is_control() {
                text.extend(c.escape_unicode());
            } else {
                text.push(c);
            }
        }
    }
}

fn write_to(text: &mut String, arguments: fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use panoptes_event::{Db, Gap, Meta, Operation};

    fn statement(raw: &str) -> Event {
        Event {
            meta: Meta {
                timestamp: "2026-11-22T09:14:03.218411Z".into(),
                duration_ms: Some(1.872),
                ..Meta::default()
            },
            db: Some(Db { user: Some("shop\u{1b}[2J".into()), ..Db::default() }),
            operation: Some(Operation {
                kind: "UPDATE".into(),
                tables_involved: vec!["public.orders".into(), "customers".into()],
                ..Operation::default()
            }),
            sql: Some(Sql {
                raw: Some(raw.into()),
                row_count: Some(1),
                outcome: Some(Outcome::Ok),
                ..Sql::default()
            }),
            ..Event::default()
        }
    }

    fn line(event: &Event, colours: bool) -> String {
        let mut out = Vec::new();
        Pretty::new(colours).write(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_statement_is_one_line_without_raw_control_characters() {
        let event = statement("UPDATE public.orders\n\tSET a = '\u{7}\u{202e}\u{9b}'");
        assert_eq!(
            line(&event, false),
            "09:14:03.218  shop\\u{1b}[2J  UPDATE public.orders, customers  1 row  ok  1.872 ms  \
             UPDATE public.orders SET a = '\\u{7}\\u{202e}\\u{9b}'\n"
        );
        assert!(line(&event, true).contains("\x1b[32mok\x1b[0m"));
        let long = line(&statement(&"x".repeat(9_000)), false);
        assert!(long.ends_with("x…\n") && long.len() < 300, "{long}");
    }

    #[test]
    fn what_did_not_last_says_so() {
        let undone = Transaction { verdict: Some(Verdict::RolledBack), ..Transaction::default() };
        let mut event = Event { transaction: Some(undone.clone()), ..statement("UPDATE t") };
        event.sql = event.sql.map(|sql| Sql { success: Some(true), ..sql });
        assert!(line(&event, false).contains("1 row  ok  rolled back  1.872 ms"));
        let told = Transaction { from_seq: Some(3), to_seq: Some(5), ..undone };
        let event = Event { kind: Kind::Verdict, transaction: Some(told), ..Event::default() };
        assert_eq!(line(&event, false), "verdict  rolled back  events 3 to 5 of the session\n");
    }

    #[test]
    fn definitions_name_their_object() {
        let operation = Operation {
            kind: "CREATE".into(),
            object: Some("ROLE".into()),
            object_name: Some("clerk".into()),
            ..Operation::default()
        };
        let event = Event { operation: Some(operation), ..Event::default() };
        assert_eq!(line(&event, false), "CREATE ROLE clerk\n");
    }

    #[test]
    fn a_gap_says_how_many_and_why() {
        let gap = Gap { count: 3, reason: "journal full".into(), ..Gap::default() };
        let event = Event { kind: Kind::Gap, gap: Some(gap), ..Event::default() };
        assert_eq!(line(&event, false), "gap  3 events lost  journal full\n");
    }
}
