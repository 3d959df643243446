//! Every statement has exactly one event: the mixes of all clients go through Panoptes, and what the server's general log and
//! performance schema have of each connection says what the events must be: texts, errors, row counts, in their order,
//! nothing missing and nothing extra.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Rig,
    support::{
        intents::pair,
        mysql::{Client, Server, Statement, Version},
        panoptes::Panoptes,
    },
};

/// What the performance schema keeps of a text.
const TEXT_KEPT: usize = 4_096;

/// Commands that are told to nobody: they read no data and change nothing, or the run that they belong to tells them.
const SILENT: [&str; 7] = ["Ping", "Quit", "Statistics", "Close stmt", "Reset stmt", "Long Data", "Fetch"];

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

/// ER_UNKNOWN_STMT_HANDLER and ER_MALFORMED_PACKET.
const REFUSED_UNREAD: [&str; 2] = ["1243", "1835"];

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
    let ran = server.statements();
    let through = |events: &[Value]| -> BTreeSet<u32> { events.iter().filter_map(server_pid).collect() };
    let events = proxy.wait_for("a logout of each session", |events| {
        let logins = count(events, "login", true);
        logins > 10 && count(events, "logout", true) >= logins - relogins(events)
    });
    let known = through(&events);
    let (mut statements, mut told, mut problems) = (0, 0, Vec::new());
    for (id, all) in ran.iter().filter(|(id, _)| known.contains(id)) {
        // The server knows nothing of what it never came to.
        let ran = |e: &&Value| is_statement(e) && e["sql"]["outcome"] != "skipped";
        let own: Vec<_> = events.iter().filter(|e| server_pid(e) == Some(*id)).filter(ran).collect();
        let expected: Vec<_> = all.iter().filter(|one| is_told(one)).collect();
        statements += expected.len();
        if expected.len() != own.len() {
            problems.push(format!("{id}: {}", apart(&expected, &own)));
        }
        for (place, want) in expected.iter().enumerate() {
            match own.get(place).map(|event| difference(want, event)) {
                Some(None) => told += 1,
                Some(Some(what)) => {
                    problems.push(format!("{id}: {what}\n    ran   {}\n    event {}", want.0, own[place]));
                    // What follows is out of step.
                    break;
                }
                None => break,
            }
        }
    }
    let share = 100.0 * f64::from(told) / statements.max(1) as f64;
    println!(
        "completeness: {}, {mode}: {statements} statements, {share:.3} %; {} sessions",
        rig.version.name(),
        known.len()
    );
    problems.extend(general_log(&server, &events));
    // MariaDB knows no attributes of queries.
    let with_attributes = events.iter().find(|e| e["sql"]["raw"] == "select 'with attributes'").expect("it");
    if rig.version == Version::My9 {
        let request = &with_attributes["request"];
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!((&request["traceparent"], &request["attributes"]["page"]), (&context.into(), &7.into()));
    }
    assert!(statements > 500, "the mixes ran: {statements}");
    assert!(proxy.stop().success(), "panoptes ends well: {}", proxy.log());
    match problems.len() {
        0 => Ok(events),
        n => Err(format!("{n} differences, the first:\n{}", problems[..n.min(10)].join("\n")).into()),
    }
}

/// Where both sides part, for people.
fn apart(expected: &[&Statement], own: &[&Value]) -> String {
    let brief = |text: &Value| text.as_str().unwrap_or("-").chars().take(40).collect::<String>();
    let ran: Vec<_> =
        expected.iter().map(|one| format!("{}: {}", one.name(), brief(&one.0["text"]))).collect();
    let told: Vec<_> = own.iter().map(|e| brief(&e["sql"]["raw"])).collect();
    let same =
        ran.iter().zip(&told).take_while(|(ran, told)| ran.contains(told.as_str()) || *told == "-").count();
    let near = |all: &[String]| all.iter().skip(same.saturating_sub(1)).take(4).cloned().collect::<Vec<_>>();
    format!("{} ran, {} told; from {same} on: {:?} / {:?}", ran.len(), told.len(), near(&ran), near(&told))
}

/// Each execution and each query in the server's general log has its event: so many as there are of each text.
fn general_log(server: &Server, events: &[Value]) -> Vec<String> {
    let logged = server.sql(
        "select count(*), command_type from mysql.general_log where user_host like '%mixer%' \
         and command_type in ('Execute', 'Init DB') group by command_type order by command_type",
    );
    let of = |which: &dyn Fn(&Value) -> bool| events.iter().filter(|e| is_statement(e) && which(e)).count();
    // What is refused before it runs is in no log: a statement that is not there, and parameters that cannot be read, which
    // MySQL finds before it writes (connector-python sends it six such).
    let ran = |e: &Value| !REFUSED_UNREAD.iter().any(|code| e["sql"]["errorCode"] == *code);
    let executed = of(&|e| e["sql"]["prepared"].is_string() && ran(e));
    let chosen = of(&|e| e["operation"]["command"] == "COM_INIT_DB" && e["sql"]["success"] == true);
    let mut wrong = Vec::new();
    for line in logged.lines() {
        let (count, kind) = line.split_once('\t').expect("two columns");
        let told = if kind == "Execute" { executed } else { chosen };
        println!("general log: {count} of {kind}, {told} told");
        if count != told.to_string() {
            wrong.push(format!("{kind}: {count} in the general log, {told} events"));
        }
    }
    wrong
}

fn is_statement(event: &Value) -> bool {
    event["kind"] == "statement" || event["kind"] == "cancel"
}

fn is_told(one: &Statement) -> bool {
    let name = one.name();
    let prepared = name == "Prepare" && one.errno() == 0;
    let nothing = name == "empty_query" || name == "Change user";
    !SILENT.contains(&name) && !prepared && !nothing && one.errno() != EMPTY_QUERY
}

/// The first thing in which an event is not as it must be.
fn difference(want: &Statement, event: &Value) -> Option<String> {
    let (sql, want) = (&event["sql"], &want.0);
    if let (Some(text), Some(raw)) = (want["text"].as_str(), sql["raw"].as_str())
        && sql["redacted"].is_null()
        && !same_text(text, raw)
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

/// The server's own, as far as it keeps it, less what is no part of the statement.
fn same_text(ran: &str, raw: &str) -> bool {
    let bare = |text: &str| text.trim().trim_end_matches(';').trim_end().to_owned();
    // MariaDB shows what is not UTF-8 as question marks.
    let plain = |text: &str| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
    let (ran, raw) = (plain(&bare(ran)), plain(&bare(raw)));
    // Of a text of several statements it tells the rest with each.
    ran.contains(&raw) || ran.len() >= TEXT_KEPT - 16 && raw.starts_with(ran.trim_end_matches("..."))
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
