//! Clients that are gone in the middle: the server does what it was asked, and the trail says what came of it.

use std::{
    fs,
    io::Write,
    net::Shutdown,
    process::{Command, Stdio},
    time::Duration,
};

use libtest_mimic::Failed;
use serde_json::Value;
use socket2::SockRef;

use crate::{
    Named, Rig,
    gate::Gate,
    has, only, statement,
    support::{
        panoptes::Panoptes,
        postgres::{DATABASE, USER},
        raw::{Raw, query},
        wait_for,
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("reset_in_the_middle_of_a_statement", reset_in_a_statement),
    ("killed_psql_in_the_middle_of_a_statement", killed_psql),
    ("in_the_middle_of_a_transaction", in_a_transaction),
    ("outcome_is_learnt_however_late", however_late),
    ("half_closed_client_gets_its_result", half_closed_client),
    ("in_the_middle_of_a_result", in_a_result),
    ("in_the_middle_of_a_message", in_the_middle_of_a_message),
];

fn reset_in_a_statement(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let client = Raw::connect(proxy.port)?;
    let gate = Gate::closed(rig.server());
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    reset(client);
    outcome_is_learnt(rig, &proxy, gate)
}

/// The time that statements get when the proxy goes down does not count while it is up.
fn however_late(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "[limits]\ndrain_timeout = \"100 ms\"");
    let client = Raw::connect(proxy.port)?;
    let gate = Gate::closed(rig.server());
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    reset(client);
    let (_, port) = gate.waiter();
    wait_for("the server to be told", || half_closed(rig.server().port, port).then_some(()));
    // Longer than the limit by any clock: that nothing happens cannot be waited for otherwise.
    rig.server().sql("test", "select pg_sleep(0.5)");
    outcome_is_learnt(rig, &proxy, gate)
}

/// `echo … | nc` and the like: no more questions, but the answer is wanted.
fn half_closed_client(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.stream().write_all(&query("select 'the last one'"))?;
    client.stream().shutdown(Shutdown::Write)?;
    let last = client.last_words()?;
    assert_eq!((last.rows, last.completed, &last.errors[..]), (1, 1, &[][..]));
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    assert_eq!(statement(&events, "the last one")["sql"]["outcome"], "ok");
    assert_eq!(only(&events, "logout")["session"]["endReason"], "client_eof");
    Ok(())
}

fn killed_psql(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let gate = Gate::closed(rig.server());
    let mut client = Command::new("psql")
        .args(["-XAtc", &gate.statement(), "-h", "127.0.0.1", "-U", USER, "-d", DATABASE])
        .env("PGPORT", proxy.port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    gate.wait_until_reached();
    client.kill()?;
    client.wait()?;
    outcome_is_learnt(rig, &proxy, gate)
}

/// The client is gone; the statement ends after that, and its event says how.
fn outcome_is_learnt(rig: &Rig, proxy: &Panoptes, gate: Gate<'_>) -> Result<(), Failed> {
    let text = gate.statement();
    let (_, port) = gate.waiter();
    wait_for("the proxy to tell the server that the client is gone", || {
        half_closed(rig.server().port, port).then_some(())
    });
    gate.open();
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let event = statement(&events, &text);
    assert_eq!((&event["sql"]["outcome"], &event["sql"]["rowCount"]), (&"ok".into(), &1.into()), "{event:#}");
    assert_eq!(event["transaction"]["verdict"], "committed", "{event:#}");
    assert_eq!(only(&events, "logout")["session"]["endReason"], "client_eof");
    Ok(())
}

fn in_a_transaction(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    for (n, end) in [reset, drop].into_iter().enumerate() {
        let mut client = Raw::connect(proxy.port)?;
        client.query("begin")?;
        client.query(&format!("create temporary table vanished_{n} ()"))?;
        end(client);
        let out = |events: &[Value]| events.iter().filter(|e| e["kind"] == "logout").count() == n + 1;
        let events = proxy.wait_for("the logout", out);
        assert_eq!(verdict(&events, &format!("vanished_{n}")), "rolledBack");
    }
    Ok(())
}

/// A client that asked for much and is gone before it took it.
fn in_a_result(rig: &Rig) -> Result<(), Failed> {
    const ROWS: u64 = 2_000_000;
    let proxy = Panoptes::start(rig.server().port, "");
    let client = Raw::connect(proxy.port)?;
    let text = format!("select repeat('x', 100) from generate_series(1, {ROWS})");
    client.stream().write_all(&query(&text))?;
    client.stream().peek(&mut [0])?;
    reset(client);
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let event = statement(&events, &text);
    // The server may have ended it, or have been left alone with it.
    assert!(["ok", "lost", "error"].iter().any(|outcome| event["sql"]["outcome"] == *outcome), "{event:#}");
    assert_eq!(only(&events, "logout")["session"]["endReason"], "client_eof");
    rig.server().wait_until(
        "not exists (select from pg_stat_activity where query like 'select repeat(''x'', 100)%')",
    );
    Ok(())
}

/// Half a message: the server never ran it, so there is no event of it.
fn in_the_middle_of_a_message(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let client = Raw::connect(proxy.port)?;
    let message = query("select 'half of it'");
    client.stream().write_all(&message[..message.len() / 2])?;
    reset(client);
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    assert!(!has(&events, "statement"), "{events:#?}");
    Ok(())
}

/// Ends a connection by RST.
fn reset(client: Raw) {
    SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

/// Whether the server's side of a connection from `peer` was told that nothing more comes (CLOSE_WAIT).
fn half_closed(port: u16, peer: u16) -> bool {
    const CLOSE_WAIT: &str = "08";
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    table.lines().skip(1).any(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns[1].ends_with(&format!(":{port:04X}"))
            && columns[2].ends_with(&format!(":{peer:04X}"))
            && columns[3] == CLOSE_WAIT
    })
}

/// What became of the transaction of a statement, told with it or later.
fn verdict(events: &[Value], words: &str) -> Value {
    let transaction = &statement(events, words)["transaction"];
    let later = events.iter().find(|e| e["kind"] == "verdict" && e["transaction"]["id"] == transaction["id"]);
    match &transaction["verdict"] {
        Value::Null => later.map_or(Value::Null, |e| e["transaction"]["verdict"].clone()),
        verdict => verdict.clone(),
    }
}
