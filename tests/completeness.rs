//! Every statement has exactly one event: the mixes of all clients go through Panoptes, and the server's own log, joined
//! with the answers recorded before the server, says what the events must be: texts, outcomes, SQLSTATEs, row counts,
//! each session in its order, nothing missing and nothing extra.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::{collections::BTreeSet, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

mod support;

use support::{
    clients::Client,
    intents::{pair, texts},
    ledger::{Expected, Report, compare, expected, faithful},
    panoptes::Panoptes,
    postgres::{Postgres, Version},
    server_log::{Kind, Session, Unit, sessions, statements},
    tap::{Streams, Tap},
    wait_for,
};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for version in Version::ALL {
        let missing = version.bin().is_none();
        let name = |test: &str| format!("{}::{test}", version.name());
        trials.push(
            Trial::test(name("one_event_per_statement"), move || one_event_per_statement(version))
                .with_ignored_flag(missing),
        );
        trials.push(
            Trial::test(name("one_intent_per_statement"), move || one_intent_per_statement(version))
                .with_ignored_flag(missing || version != Version::V15),
        );
        trials.push(
            Trial::test(name("log_and_answers_agree"), move || log_and_answers_agree(version))
                .with_ignored_flag(missing),
        );
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn one_event_per_statement(version: Version) -> Result<(), Failed> {
    completeness(version, "async").map(drop)
}

/// The same with mode strict; and whatever the server ran was told before, once, and has one outcome.
fn one_intent_per_statement(version: Version) -> Result<(), Failed> {
    let (ran, events) = completeness(version, "strict")?;
    let mut intents = pair(&events);
    for (pid, session) in &ran {
        intents.problems.extend(unintended(session, &of_session(&events, *pid)));
    }
    println!("intents: {}: {} of {} sessions", version.name(), intents.count, ran.len());
    assert!(intents.count > 1000, "the mixes ran");
    intents.problems.extend(intents.open.iter().map(|text| format!("no outcome: {text}")));
    verdict(Report { problems: intents.problems, ..Report::default() })
}

/// What a session ran without an intent, by the server's log.
fn unintended(session: &Session, own: &[Value]) -> Vec<String> {
    let mut intents = texts(own).peekable();
    let mut problems = Vec::new();
    let ran = |unit: &&Unit| match unit.kind {
        Kind::Rejected | Kind::Anonymous => false,
        // A text without any is none.
        Kind::Simple => statements(&unit.text) > 0,
        Kind::Execute | Kind::Function | Kind::Replication => true,
    };
    for unit in session.units.iter().filter(ran) {
        // Intents of what the server refused, or passed over, stand between them.
        let fits = |intent: &String| unit.text.is_empty() || holds(&unit.text, intent);
        if !intents.any(|intent| fits(&intent)) {
            problems.push(format!("{}: no intent for {:?} {:?}", session.application, unit.kind, unit.text));
            break;
        }
    }
    problems
}

/// Whether an intent's text may be of the one that ran: secrets are hidden, commands have none, and encodings differ.
fn holds(ran: &str, intent: &str) -> bool {
    let parts = || intent.split("[REDACTED]").map(|part| part.trim_matches('\''));
    !ran.is_ascii()
        || !intent.is_ascii()
        || intent == "unknown"
        || parts().all(|part| ran.contains(part))
        || ran.to_uppercase().contains(intent)
}

/// Runs the mixes before a server; what it ran in each session, by process id, and the events.
fn completeness(version: Version, mode: &str) -> Result<(Ran, Vec<Value>), Failed> {
    let server = Postgres::start(version, &[]);
    let tap = Tap::start(server.port);
    let mut proxy = Panoptes::start_prepared(tap.port, "", &[("PANOPTES_JOURNAL__MODE", mode)], |_| {});
    run_all(proxy.port);
    let sessions = ended_sessions(&server, &tap);
    let events = proxy.wait_for("a logout of each session", |events| {
        let out: BTreeSet<_> =
            events.iter().filter(|e| e["kind"] == "logout").filter_map(server_pid).collect();
        sessions.iter().all(|(pid, ..)| out.contains(pid))
    });
    let mut report = Report::default();
    for (pid, session, streams) in &sessions {
        let own = of_session(&events, *pid);
        let mut told = statements_of(&own);
        if mode == "strict" {
            told.truncate(told.len() - never_sent(session, &told));
        }
        let mut compared = compare(&expected(session, streams)?, &told);
        compared.problems.extend(disorder(&own));
        compared.problems.iter_mut().for_each(|p| *p = format!("{} ({pid}): {p}", session.application));
        report.add(compared);
    }
    let strangers = events.iter().filter(|e| e["kind"] == "statement" && server_pid(e).is_none()).count();
    let share = 100.0 * report.matched as f64 / report.statements.max(1) as f64;
    println!(
        "completeness: {}, {mode}: {} statements, {} events, {share:.3} %; {} sessions",
        version.name(),
        report.statements,
        report.events,
        sessions.len()
    );
    report.problems.extend(numbering(&events));
    assert_eq!(strangers, 0, "statement events without the server's process id");
    assert!(proxy.stop().success(), "panoptes ends well: {}", proxy.log());
    verdict(report)?;
    Ok((sessions.into_iter().map(|(pid, session, _)| (pid, session)).collect(), events))
}

/// The two oracles against each other, without a proxy: else a mistake in one could excuse Panoptes.
fn log_and_answers_agree(version: Version) -> Result<(), Failed> {
    let server = Postgres::start(version, &[]);
    let tap = Tap::start(server.port);
    run_all(tap.port);
    let sessions = ended_sessions(&server, &tap);
    let mut statements = 0;
    for (pid, session, streams) in &sessions {
        let all = expected(session, streams).map_err(|e| format!("{} ({pid}): {e}", session.application))?;
        statements += all.len();
        judge_the_judge(&all);
    }
    println!("oracles: {}: {statements} statements of {} sessions", version.name(), sessions.len());
    assert!(statements > 1000, "the mixes ran");
    Ok(())
}

/// A faithful trail passes; one that lacks an event, has one twice, or tells one otherwise does not.
fn judge_the_judge(expected: &[Expected]) {
    /// Of a long session, what is spoilt: its first events.
    const SPOILT: usize = 20;
    let trail = faithful(expected);
    let problems = |trail: &[Value]| compare(expected, trail).problems;
    assert_eq!(problems(&trail), [""; 0]);
    for (n, event) in trail.iter().enumerate().take(SPOILT) {
        let must_show = |what: &str, spoil: fn(&mut Vec<Value>, usize)| {
            let mut spoilt = trail.clone();
            spoil(&mut spoilt, n);
            assert_ne!(problems(&spoilt), [""; 0], "{what}: {event}");
        };
        must_show("untrue", |trail, n| trail[n]["sql"]["success"] = "?".into());
        if !expected[n].optional {
            must_show("missing", |trail, n| drop(trail.remove(n)));
        }
        must_show("twice", |trail, n| trail.insert(n, trail[n].clone()));
        if event["sql"]["rowCount"].is_u64() {
            must_show("miscounted", |trail, n| trail[n]["sql"]["rowCount"] = 77_777.into());
        }
    }
}

fn run_all(port: u16) {
    for client in Client::ALL {
        match client.installed() {
            true => drop(client.run(port)),
            false => println!("SKIPPED: {} is not installed", client.name()),
        }
    }
}

/// What the server ran, by process id.
type Ran = Vec<(u32, Session)>;

type Tapped = (u32, Session, Arc<Streams>);

/// What server log and tap have of each session that came through the tap, once all have ended.
fn ended_sessions(server: &Postgres, tap: &Tap) -> Vec<Tapped> {
    let tapped: Vec<_> = tap.finished().into_iter().filter_map(|s| Some((s.server_pid()?, s))).collect();
    let mut logged = wait_for("the server to log the end of each session", || {
        let logged = sessions(&server.log());
        tapped.iter().all(|(pid, _)| logged.get(pid).is_some_and(|s| s.ended)).then_some(logged)
    });
    let all =
        tapped.into_iter().map(|(pid, s)| (pid, logged.remove(&pid).expect("a process id is used once"), s));
    all.collect()
}

/// A session's events of every kind, by their number in it.
fn of_session(events: &[Value], pid: u32) -> Vec<Value> {
    let mut own: Vec<_> = events.iter().filter(|e| server_pid(e) == Some(pid)).cloned().collect();
    own.sort_by_key(|e| e["session"]["seq"].as_u64());
    own
}

/// Statements at the end of a session that the server ended: its last words were held back, so the client asked on.
fn never_sent(session: &Session, told: &[Value]) -> usize {
    let known = |text: &str| session.units.iter().any(|unit| unit.text.contains(text));
    let never = |event: &&Value| {
        event["sql"]["outcome"] == "skipped" && !event["sql"]["raw"].as_str().is_some_and(known)
    };
    told.iter().rev().take_while(never).count()
}

fn statements_of(own: &[Value]) -> Vec<Value> {
    own.iter().filter(|e| e["kind"] == "statement").cloned().collect()
}

/// `session.seq` has no holes, and the file has a session's events in that order.
fn disorder(own: &[Value]) -> Option<String> {
    let numbers: Vec<_> = own.iter().map(|e| e["session"]["seq"].as_u64().unwrap_or(u64::MAX)).collect();
    let gapless = numbers.windows(2).all(|w| w[1] == w[0].wrapping_add(1));
    let in_file = own.windows(2).all(|w| w[0]["seq"].as_u64() < w[1]["seq"].as_u64());
    (!gapless || !in_file).then(|| format!("out of order: {numbers:?}"))
}

/// `seq` numbers all events without holes, and no id is there twice.
fn numbering(events: &[Value]) -> Option<String> {
    let numbers: Vec<_> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    let ids: BTreeSet<_> = events.iter().filter_map(|e| e["id"].as_str()).collect();
    let gapless = numbers.windows(2).all(|w| w[1] == w[0] + 1);
    (numbers.len() != events.len() || !gapless || ids.len() != events.len())
        .then(|| "numbers or ids with holes".to_owned())
}

fn server_pid(event: &Value) -> Option<u32> {
    u32::try_from(event["session"]["serverPid"].as_u64()?).ok()
}

fn verdict(report: Report) -> Result<(), Failed> {
    /// Enough to see what is wrong.
    const SHOWN: usize = 12;
    if report.problems.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = report.problems.iter().take(SHOWN).map(String::as_str).collect();
    Err(format!("{} differences, the first:\n{}", report.problems.len(), shown.join("\n")).into())
}
