//! Every statement has exactly one event: the mixes of all clients go through Panoptes, and what the server's general log and
//! performance schema have of each connection says what the events must be: texts, errors, row counts, in their order,
//! nothing missing and nothing extra.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Rig,
    general_log::{self, Told},
    support::{
        intents::pair,
        mysql::{Client, Logged, Server, Statement, Version},
        panoptes::Panoptes,
    },
};

/// What the performance schema keeps of a text.
const TEXT_KEPT: usize = 4_096;

/// Commands that are told to nobody: they read no data and change nothing, or the run that they belong to tells them.
const SILENT: [&str; 8] =
    ["Ping", "Quit", "Statistics", "Close stmt", "Reset stmt", "Long Data", "Fetch", "Change user"];

/// Of these a MySQL keeps the text that was prepared, in place of their own.
const OF_PREPARED: [&str; 3] = ["prepare_sql", "execute_sql", "dealloc_sql"];

/// Whose rows the performance schema does not count.
const UNCOUNTED: [&str; 7] = [
    "/show_warnings",
    "/show_create_table",
    "/call_procedure",
    "/execute_sql",
    "/analyze",
    "/check",
    "/Bulk_execute",
];

/// ER_EMPTY_QUERY: a text without any statement.
const EMPTY_QUERY: u64 = 1065;

pub(crate) fn one_event_per_statement(rig: &Rig) -> Result<(), Failed> {
    completeness(rig, "async").map(drop)
}

/// The same with mode strict; and whatever ran was told before, once, and has one outcome.
pub(crate) fn one_intent_per_statement(rig: &Rig) -> Result<(), Failed> {
    let intents = pair(&completeness(rig, "strict")?);
    println!("intents: {}: {}", rig.version.name(), intents.count);
    assert!(intents.count > 500, "the mixes ran");
    assert_eq!((&intents.problems[..], &intents.open[..]), (&[][..], &[][..]));
    Ok(())
}

/// Runs the mixes before a server; the events.
fn completeness(rig: &Rig, mode: &str) -> Result<Vec<Value>, Failed> {
    let server = Server::start_recording(rig.version);
    let mut proxy = Panoptes::start_mysql_prepared(server.port, "", &[("PANOPTES_JOURNAL__MODE", mode)]);
    for client in Client::ALL {
        match client.installed() {
            true => drop(client.run(rig.version, proxy.port)),
            false => println!("SKIPPED: {} is not installed", client.name()),
        }
    }
    let log = server.general_log();
    let ran = server.statements(&log);
    let ids: BTreeSet<u32> = log.iter().filter(|row| row.ours).map(|row| row.id).collect();
    let events = proxy.wait_for("a logout of each session", |events| {
        let told: BTreeSet<_> = events.iter().filter_map(server_pid).collect();
        let logins = count(events, "login", true);
        let logouts = events.iter().filter(|e| e["kind"] == "logout").count();
        logins > 10 && logouts >= logins - relogins(events) && ids.is_subset(&told)
    });
    assert!(proxy.stop().success(), "panoptes ends well: {}", proxy.log());
    let sessions = sessions(&log, &ran, &events);
    let mut all = Figures::default();
    for session in &sessions {
        all.add(session.compare());
        session.judge_the_judge();
    }
    all.problems.extend(strangers(&sessions, &events));
    let share = 100.0 * all.matched as f64 / all.statements.max(1) as f64;
    println!(
        "completeness: {}, {mode}: {share:.3} % of {} statements in the performance schema; {} of {} rows of the general log, \
         {} values in them; {} events of {} sessions",
        rig.version.name(),
        all.statements,
        all.found,
        all.rows,
        all.values,
        all.events,
        sessions.len()
    );
    attributes(rig, &events);
    assert!(all.statements > 1000 && all.rows > 1000 && all.values > 500, "the mixes ran");
    match all.problems.len() {
        0 => Ok(events),
        n => Err(format!("{n} differences, the first:\n{}", all.problems[..n.min(10)].join("\n")).into()),
    }
}

/// A connection that a client opened.
struct Session<'a> {
    id: u32,
    rows: Vec<&'a Logged>,
    /// What the performance schema has, less what has no event.
    ran: Vec<&'a Statement>,
    /// Statements, logins and its end, in their order.
    events: Vec<Value>,
}

/// What was compared, and how much of it is as it must be.
#[derive(Default)]
struct Figures {
    statements: usize,
    matched: usize,
    rows: usize,
    found: usize,
    values: usize,
    events: usize,
    problems: Vec<String>,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.statements += other.statements;
        self.matched += other.matched;
        self.rows += other.rows;
        self.found += other.found;
        self.values += other.values;
        self.events += other.events;
        self.problems.extend(other.problems);
    }
}

/// Every connection of the mixes that the server's log has.
fn sessions<'a>(
    log: &'a [Logged],
    ran: &'a BTreeMap<u32, Vec<Statement>>,
    events: &[Value],
) -> Vec<Session<'a>> {
    let ids: BTreeSet<u32> = log.iter().filter(|row| row.ours).map(|row| row.id).collect();
    let session = |id| {
        let mut own: Vec<_> =
            events.iter().filter(|e| server_pid(e) == Some(id) && is_compared(e)).cloned().collect();
        own.sort_by_key(|event| event["session"]["seq"].as_u64());
        Session {
            id,
            rows: log.iter().filter(|row| row.id == id).collect(),
            ran: ran.get(&id).into_iter().flatten().filter(|one| is_told(one)).collect(),
            events: own,
        }
    };
    ids.into_iter().map(session).collect()
}

impl Session<'_> {
    fn compare(&self) -> Figures {
        self.compare_with(&self.events)
    }

    /// Statement by statement with the performance schema, and row by row with the log.
    fn compare_with(&self, events: &[Value]) -> Figures {
        let mut all = Figures { statements: self.ran.len(), events: events.len(), ..Figures::default() };
        let mut ran = self.ran.iter();
        let mut told = Vec::new();
        for event in events {
            // The server knows nothing of what it never came to.
            let runs = is_statement(event) && event["sql"]["outcome"] != "skipped";
            let one = if runs { ran.next() } else { None };
            if let Some(what) = one.and_then(|one| difference(one, event)) {
                all.problems.push(format!(
                    "{}: {what}\n    ran   {}\n    event {event}",
                    self.id,
                    one.map_or(&Value::Null, |one| &one.0)
                ));
                // What follows is out of step.
                return all;
            }
            if runs && one.is_none() {
                all.problems.push(format!("{}: it never ran: {event}", self.id));
            }
            all.matched += usize::from(one.is_some());
            told.push(Told { event, ran: one.copied() });
        }
        all.problems.extend(ran.map(|one| format!("{}: it has no event: {}", self.id, one.0)));
        let found = general_log::compare(&self.rows, &told);
        (all.rows, all.found, all.values) = (found.of, found.rows, found.values);
        all.problems.extend(found.problem.map(|what| format!("{}: {what}", self.id)));
        all
    }

    /// Whoever lacks an event, has one twice, or tells one otherwise is found out.
    fn judge_the_judge(&self) {
        /// Of a long session, what is spoilt: its first events.
        const SPOILT: usize = 12;
        for place in 0..self.events.len().min(SPOILT) {
            let must_show = |what: &str, spoil: &dyn Fn(&mut Vec<Value>)| {
                let mut events = self.events.clone();
                spoil(&mut events);
                assert!(!self.compare_with(&events).problems.is_empty(), "{what}: {}", self.events[place]);
            };
            must_show("missing", &|events| drop(events.remove(place)));
            must_show("twice", &|events| events.insert(place, events[place].clone()));
            must_show("untrue", &|events| events[place]["sql"]["success"] = "?".into());
            if self.events[place]["sql"]["raw"].is_string() {
                must_show("another text", &|events| events[place]["sql"]["raw"] = "".into());
                must_show("part of a text", &|events| {
                    let raw = events[place]["sql"]["raw"].as_str().unwrap_or_default();
                    events[place]["sql"]["raw"] = raw[1..].into();
                });
            }
        }
    }
}

/// Events of clients that the server does not know.
fn strangers(sessions: &[Session<'_>], events: &[Value]) -> Vec<String> {
    let known: BTreeSet<_> = sessions.iter().map(|session| session.id).collect();
    let strange =
        events.iter().filter(|e| is_compared(e) && !server_pid(e).is_some_and(|id| known.contains(&id)));
    strange.map(|event| format!("of no session: {event}")).collect()
}

/// MariaDB knows no attributes of queries.
fn attributes(rig: &Rig, events: &[Value]) {
    let with_attributes = events.iter().find(|e| e["sql"]["raw"] == "select 'with attributes'").expect("it");
    if rig.version == Version::My9 {
        let request = &with_attributes["request"];
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!((&request["traceparent"], &request["attributes"]["page"]), (&context.into(), &7.into()));
    }
}

fn is_compared(event: &Value) -> bool {
    is_statement(event) || event["kind"] == "login" || event["kind"] == "logout"
}

fn is_statement(event: &Value) -> bool {
    event["kind"] == "statement" || event["kind"] == "cancel"
}

fn is_told(one: &Statement) -> bool {
    let name = one.name();
    let prepared = name == "Prepare" && one.errno() == 0;
    let nothing = name == "empty_query" || one.errno() == EMPTY_QUERY;
    !SILENT.contains(&name) && !prepared && !nothing
}

/// The first thing in which an event is not as it must be.
fn difference(want: &Statement, event: &Value) -> Option<String> {
    let of_prepared = OF_PREPARED.contains(&want.name());
    let (sql, want) = (&event["sql"], &want.0);
    let raw = sql["raw"].as_str();
    if let (Some(text), false) = (want["text"].as_str(), of_prepared)
        && sql["redacted"].is_null()
        && !raw.is_some_and(|raw| same_text(text, raw))
    {
        return Some("another text".to_owned());
    }
    let errno = want["errno"].as_u64().filter(|errno| *errno > 0).map(|errno| errno.to_string());
    if sql["errorCode"].as_str() != errno.as_deref() {
        return Some(format!("another error: {}", sql["errorCode"]));
    }
    if errno.is_some() {
        let failed = sql["success"] == false && (want["state"].is_null() || sql["sqlState"] == want["state"]);
        return (!failed).then(|| format!("another SQLSTATE: {}", sql["sqlState"]));
    }
    let warnings = want["warnings"].as_u64().filter(|warnings| *warnings > 0);
    if sql["warnings"].as_u64() != warnings {
        return Some(format!("another number of warnings: {}", sql["warnings"]));
    }
    if sql["success"] != true {
        return Some("not told as done".to_owned());
    }
    // Of these the performance schema counts no rows.
    let uncounted = UNCOUNTED.iter().any(|name| want["event"].as_str().is_some_and(|n| n.ends_with(name)));
    if uncounted || event["operation"]["type"] == "CALL" {
        return None;
    }
    let (sent, affected) = (want["sent"].as_u64(), want["affected"].as_u64());
    let rows = sent.filter(|rows| *rows > 0).or(affected);
    let told = sql["rowCount"].as_u64();
    (told != rows).then(|| format!("another row count: {told:?}"))
}

/// The server's own, as far as it keeps it: a MariaDB tells the rest of a text of several with each. Comments may stand
/// before it. The general log has all of it.
fn same_text(ran: &str, raw: &str) -> bool {
    // A MariaDB shows what is not UTF-8 as question marks.
    let plain = |text: &str| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
    let (ran, raw) = (plain(ran), plain(raw));
    let cut = ran.len() >= TEXT_KEPT - 16 && raw.starts_with(ran.trim_end_matches("..."));
    let mut rest = ran.as_str();
    while !rest.starts_with(&raw)
        && let Some(behind) = general_log::behind_comment(rest.trim_start())
    {
        rest = behind;
    }
    let there = !raw.is_empty() && rest.trim_start().starts_with(&raw);
    there || cut
}

fn count(events: &[Value], kind: &str, success: bool) -> usize {
    events.iter().filter(|e| e["kind"] == kind && e["sql"]["success"] == success).count()
}

/// Logins within a session: all but its first.
fn relogins(events: &[Value]) -> usize {
    let mut by_session = BTreeMap::<&str, usize>::new();
    for event in events.iter().filter(|e| e["kind"] == "login" && e["sql"]["success"] == true) {
        *by_session.entry(event["session"]["id"].as_str().unwrap_or_default()).or_default() += 1;
    }
    by_session.values().map(|logins| logins - 1).sum()
}

fn server_pid(event: &Value) -> Option<u32> {
    u32::try_from(event["session"]["serverPid"].as_u64()?).ok()
}
