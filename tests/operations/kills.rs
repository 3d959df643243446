//! kill -9 under load, in each mode, with oracles that know nothing of how Panoptes came to its trail: what the clients
//! were answered, what the server's log says that it ran, and what the files of the journal hold when the process is gone.
//!
//! | mode | what must be in the trail |
//! |---|---|
//! | all | every event that was in the journal's files when the process was gone; of each session all up to some number |
//! | durable | every statement that was answered |
//! | strict | the same; the intent of every statement that the server ran; one outcome of every intent |
//!
//! `KILLS` says how often (see `scripts/kill-loop`).

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Read,
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named,
    support::{
        intents::{lost_outcomes, pair, texts},
        panoptes::Panoptes,
        postgres::{Postgres, Version},
        raw::{Raw, bind, execute, parse, sync},
        server_log::sessions,
        wait_for,
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("written_is_delivered_async", |_| killed("async")),
    ("answered_is_recorded_durable", |_| killed("durable")),
    ("run_is_intended_strict", |_| killed("strict")),
];

const CLIENTS: usize = 4;
/// Statements answered between two kills; where nobody waits for their events, so many that some of these are written.
const ENOUGH: usize = 60;
const ENOUGH_ASYNC: usize = 1_000;
/// Kills, where nothing else is said.
const KILLS: usize = 3;

/// What clients sent, and which of it was answered.
#[derive(Default)]
struct Told {
    answered: BTreeSet<String>,
    sent: usize,
}

fn killed(mode: &str) -> Result<(), Failed> {
    let kills = env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let server = Postgres::start(Version::V15, &[]);
    // With durable and strict nobody syncs but for the sake of an answer or a statement.
    let interval = if mode == "async" { "20 ms" } else { "1 h" };
    let environment = [("PANOPTES_JOURNAL__MODE", mode), ("PANOPTES_JOURNAL__SYNC_INTERVAL", interval)];
    let mut proxy = Panoptes::start_prepared(server.port, "", &environment, |_| {});
    let told = Arc::<Mutex<Told>>::default();
    let mut written = BTreeSet::new();
    for round in 0..kills {
        let clients = clients(proxy.port, round, &told);
        let before = told.lock().expect("no panic").answered.len();
        // Not always at the same place of their work.
        let enough = before + if mode == "async" { ENOUGH_ASYNC } else { ENOUGH } + round % 17;
        wait_for("answers", || (told.lock().expect("no panic").answered.len() >= enough).then_some(()));
        proxy.signal("KILL");
        proxy.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        written.extend(ids_in(&proxy.dir().join("journal")));
        proxy.start_again();
    }
    assert!(proxy.metric(r#"panoptes_journal_operations_total{operation="sync_failures"}"#) == 0.0);
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let told = told.lock().expect("no panic");
    let mut problems = prefixes(&events);
    problems.extend(lost(&written, |event| event["id"].as_str(), &events, "written"));
    if mode != "async" {
        problems.extend(lost(&told.answered, |event| event["sql"]["raw"].as_str(), &events, "answered"));
    }
    println!(
        "{mode}: {kills} kills, {} statements sent, {} answered, {} events, {} of them seen in the files after a kill",
        told.sent,
        told.answered.len(),
        events.len(),
        written.len()
    );
    if mode == "strict" {
        problems.extend(unintended(&server, &events, &told.answered, kills)?);
    }
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} problems, the first: {first}", problems.len()).into()),
    }
}

/// Statements that the server's log has and no intent tells.
fn unintended(
    server: &Postgres,
    events: &[Value],
    answered: &BTreeSet<String>,
    kills: usize,
) -> Result<Vec<String>, Failed> {
    let ours = |text: &str| text.contains("'round ");
    let ended = || {
        let all = sessions(&server.log());
        let ours = all.into_values().filter(|s| s.units.iter().any(|unit| ours(&unit.text)));
        let ours: Vec<_> = ours.collect();
        ours.iter().all(|session| session.ended).then_some(ours)
    };
    let ran: Vec<String> = wait_for("the server to log the end of each session", ended)
        .into_iter()
        .flat_map(|session| session.units.into_iter().map(|unit| unit.text).filter(|text| ours(text)))
        .collect();
    let intended: BTreeSet<String> = texts(events).collect();
    let mut problems: Vec<_> = ran
        .iter()
        .filter(|text| !intended.contains(*text))
        .map(|text| format!("ran unseen: {text}"))
        .collect();
    let intents = pair(events);
    problems.extend(intents.problems);
    problems.extend(intents.open.iter().map(|text| format!("an intent without an outcome: {text}")));
    let lost = lost_outcomes(events);
    println!(
        "strict: {} statements ran, {} intents, {} of them told to be lost over {kills} kills",
        ran.len(),
        intents.count,
        lost.len()
    );
    assert!(!ran.is_empty(), "the server's log tells what ran");
    if lost.len() > kills * CLIENTS {
        problems.push(format!("{} are lost: each client has one statement under way at a kill", lost.len()));
    }
    problems.extend(
        lost.iter()
            .filter(|text| answered.contains(**text))
            .map(|text| format!("answered, and told to be lost: {text}")),
    );
    Ok(problems)
}

fn lost<'e>(
    expected: &BTreeSet<String>,
    of: impl Fn(&'e Value) -> Option<&'e str>,
    events: &'e [Value],
    what: &str,
) -> Vec<String> {
    let told: BTreeSet<_> = events.iter().filter_map(of).collect();
    let missing = expected.iter().filter(|one| !told.contains(one.as_str()));
    missing.map(|one| format!("{what}, and not in the trail: {one}")).collect()
}

/// Of each session all numbers are there, up to some number; and what is there twice is the same event.
fn prefixes(events: &[Value]) -> Vec<String> {
    let mut sessions = BTreeMap::<&str, BTreeMap<u64, &Value>>::new();
    let mut problems = Vec::new();
    for event in events {
        if let (Some(session), Some(seq)) =
            (event["session"]["id"].as_str(), event["session"]["seq"].as_u64())
        {
            let first = sessions.entry(session).or_default().entry(seq).or_insert(event);
            if *first != event {
                problems.push(format!("one number, two events: {first} {event}"));
            }
        }
    }
    let holes = |own: &BTreeMap<u64, &Value>| own.keys().zip(1..).any(|(seq, place)| *seq != place);
    problems.extend(sessions.iter().filter(|(_, own)| holes(own)).map(|(id, own)| format!("{id}: {own:?}")));
    problems
}

/// The ids of the events that stand whole in a journal's files, whoever could read them.
fn ids_in(journal: &Path) -> Vec<String> {
    const HEAD: &[u8] = br#"{"id":""#;
    let mut ids = Vec::new();
    for entry in fs::read_dir(journal).expect("the journal").flatten() {
        let mut bytes = Vec::new();
        if entry.path().extension().is_some_and(|extension| extension == "journal") {
            fs::File::open(entry.path())
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .expect("a segment");
        }
        let mut rest = bytes.as_slice();
        while let Some(place) = rest.windows(HEAD.len()).position(|window| window == HEAD) {
            rest = &rest[place..];
            let event = serde_json::Deserializer::from_slice(rest).into_iter::<Value>().next();
            if let Some(Ok(event)) = event
                && event["kind"].is_string()
            {
                ids.push(event["id"].as_str().expect("an id").to_owned());
            }
            rest = &rest[HEAD.len()..];
        }
    }
    ids
}

/// Clients that send statements, one by one, until the proxy is gone: half of them simple ones, half prepared.
fn clients(port: u16, round: usize, told: &Arc<Mutex<Told>>) -> Vec<JoinHandle<()>> {
    let client = |client| {
        let told = Arc::clone(told);
        thread::spawn(move || {
            let Ok(mut session) = Raw::connect(port) else { return };
            for n in 0.. {
                let text = format!("select 'round {round} client {client} statement {n}'");
                told.lock().expect("no panic").sent += 1;
                let answered =
                    if client % 2 == 0 { session.query(&text) } else { prepared(&mut session, &text) };
                if answered.is_err() {
                    return;
                }
                told.lock().expect("no panic").answered.insert(text);
            }
        })
    };
    (0..CLIENTS).map(client).collect()
}

fn prepared(session: &mut Raw, text: &str) -> std::io::Result<crate::support::raw::Exchange> {
    use std::io::Write;
    let messages = [parse("", text), bind("", &[]), execute(), sync()].concat();
    session.stream().write_all(&messages)?;
    session.exchange()
}
