//! SIGTERM and SIGINT: statements end, idle clients are told, everything is written, then exit 0.

use std::{io::Write, thread};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    gate::Gate,
    is_error, only, refuses, statement,
    support::{
        panoptes::Panoptes,
        raw::{Exchange, Raw, query},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("sigterm_tells_idle_clients", |rig| tells_idle_clients(rig, "TERM")),
    ("sigint_tells_idle_clients", |rig| tells_idle_clients(rig, "INT")),
    ("running_statement_ends", running_statement_ends),
    ("open_transaction_may_commit", open_transaction_may_commit),
    ("open_transaction_has_a_limit", open_transaction_has_a_limit),
    ("a_second_signal_ends_it_at_once", a_second_signal_ends_it_at_once),
    ("statement_has_a_limit", statement_has_a_limit),
    ("client_that_does_not_read", client_that_does_not_read),
    ("client_that_never_speaks", client_that_never_speaks),
    ("nobody_comes_in", nobody_comes_in),
    ("everything_is_written", everything_is_written),
];

const GOING_DOWN: &str = "going down";

fn tells_idle_clients(rig: &Rig, signal: &str) -> Result<(), Failed> {
    let mut proxy = Panoptes::start(rig.server().port, "");
    let mut clients = [Raw::connect(proxy.port)?, Raw::connect(proxy.port)?];
    clients[0].query("select 'before'")?;
    proxy.signal(signal);
    for client in &mut clients {
        expect_shutdown(&client.last_words()?);
    }
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(statement(&events, "before")["sql"]["outcome"], "ok");
    let reasons: Vec<_> =
        events.iter().filter(|e| e["kind"] == "logout").map(|e| &e["session"]["endReason"]).collect();
    assert_eq!(reasons, ["shutdown", "shutdown"]);
    let ended = events.iter().filter(|e| e["kind"] == "logout");
    assert!(ended.map(|e| &e["sql"]["sqlState"]).all(|state| state == "57P01"), "{events:#?}");
    Ok(())
}

/// A proxy that goes down while a client's statement runs, up to the gate.
pub(crate) fn with_a_statement_under_way(rig: &Rig) -> Result<(Panoptes, Raw, Gate<'_>), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let client = Raw::connect(proxy.port)?;
    let gate = Gate::closed(rig.server());
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    proxy.signal("TERM");
    proxy.wait_for_log(GOING_DOWN);
    Ok((proxy, client, gate))
}

fn running_statement_ends(rig: &Rig) -> Result<(), Failed> {
    let (mut proxy, mut client, gate) = with_a_statement_under_way(rig)?;
    let text = gate.statement();
    gate.open();
    let seen = client.exchange()?;
    assert_eq!((seen.rows, seen.completed, &seen.errors[..]), (1, 1, &[][..]), "its result");
    expect_shutdown(&client.last_words()?);
    assert!(proxy.ended().success(), "{}", proxy.log());
    assert_eq!(statement(&proxy.events(), &text)["sql"]["outcome"], "ok");
    Ok(())
}

fn open_transaction_may_commit(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start(rig.server().port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.query("begin")?;
    proxy.signal("TERM");
    proxy.wait_for_log(GOING_DOWN);
    assert_eq!(client.query("select 'within'")?.rows, 1);
    client.stream().write_all(&query("commit"))?;
    assert_eq!(client.exchange()?.completed, 1);
    expect_shutdown(&client.last_words()?);
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    let transaction = &statement(&events, "within")["transaction"];
    assert!(committed(&events, transaction), "{events:#?}");
    Ok(())
}

fn open_transaction_has_a_limit(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = impatient(rig);
    let mut client = Raw::connect(proxy.port)?;
    client.query("begin")?;
    client.query("select 'left open'")?;
    proxy.signal("TERM");
    expect_shutdown(&client.last_words()?);
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(only(&events, "logout")["session"]["endReason"], "shutdown");
    let transaction = &statement(&events, "left open")["transaction"];
    assert!(!committed(&events, transaction), "{events:#?}");
    Ok(())
}

/// Who asks twice does not want to wait: neither for a session, nor for a sink whose destination is away.
fn a_second_signal_ends_it_at_once(rig: &Rig) -> Result<(), Failed> {
    let away =
        "[limits]\ndrain_timeout = \"1 h\"\n[sinks.away]\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"";
    let mut proxy = Panoptes::start(rig.server().port, away);
    let mut client = Raw::connect(proxy.port)?;
    client.query("begin")?;
    client.query("select 'left open'")?;
    proxy.signal("TERM");
    proxy.wait_for_log(GOING_DOWN);
    proxy.signal("TERM");
    expect_shutdown(&client.last_words()?);
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(only(&events, "logout")["session"]["endReason"], "shutdown");
    assert!(proxy.log().contains("not everything is delivered yet"), "{}", proxy.log());
    Ok(())
}

/// A statement that does not end in time: the client is told, the event says that its end was not seen.
fn statement_has_a_limit(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = impatient(rig);
    let mut client = Raw::connect(proxy.port)?;
    let gate = Gate::closed(rig.server());
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    proxy.signal("TERM");
    expect_shutdown(&client.last_words()?);
    assert!(proxy.ended().success(), "{}", proxy.log());
    assert_eq!(statement(&proxy.events(), &gate.statement())["sql"]["outcome"], "lost");
    Ok(())
}

/// A result that nobody takes holds nobody up, and is told.
fn client_that_does_not_read(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = impatient(rig);
    let client = Raw::connect(proxy.port)?;
    let text = "select repeat('not read', 100) from generate_series(1, 1000000)";
    client.stream().write_all(&query(text))?;
    client.stream().peek(&mut [0])?;
    proxy.signal("TERM");
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(statement(&events, text)["sql"]["outcome"], "lost");
    assert_eq!(only(&events, "logout")["session"]["endReason"], "shutdown");
    Ok(())
}

/// A connection that is no session yet does not hold the end up: the limit here is that of a test's patience.
fn client_that_never_speaks(rig: &Rig) -> Result<(), Failed> {
    let mut proxy =
        Panoptes::start(rig.server().port, "[limits]\ndrain_timeout = \"1 h\"\nlogin_timeout = \"1 h\"");
    let mut silent = Raw::open(proxy.port, b"")?;
    let mut asked = Raw::open(proxy.port, b"\0\0\0\x08\x04\xd2\x16\x2f")?;
    asked.stream().peek(&mut [0])?;
    proxy.signal("TERM");
    assert!(proxy.ended().success(), "{}", proxy.log());
    let _ = (silent.last_words(), asked.last_words());
    Ok(())
}

fn nobody_comes_in(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start(rig.server().port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.query("begin")?;
    proxy.signal("TERM");
    proxy.wait_for_log(GOING_DOWN);
    refuses(proxy.port);
    // Who says nothing holds nothing up.
    let _silent = Raw::open(proxy.port, b"")?;
    assert_eq!(client.query("commit")?.completed, 1, "who is in goes on");
    assert!(proxy.ended().success(), "{}", proxy.log());
    Ok(())
}

/// Clients that never stop asking: what was answered is in the file when the process is gone.
fn everything_is_written(rig: &Rig) -> Result<(), Failed> {
    const CLIENTS: usize = 4;
    const BEFORE: u64 = 200;
    let mut proxy = Panoptes::start(rig.server().port, "");
    let port = proxy.port;
    let (told, ready) = std::sync::mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let told = told.clone();
            thread::spawn(move || {
                let mut client = Raw::connect(port).expect("a session");
                let mut answered = 0_u64;
                while client.query(&format!("select 'client {n}'")).is_ok_and(|seen| seen.completed == 1) {
                    answered += 1;
                    if answered == BEFORE {
                        told.send(()).expect("the test waits");
                    }
                }
                answered
            })
        })
        .collect();
    ready.iter().take(CLIENTS).for_each(drop);
    proxy.signal("TERM");
    let answered: Vec<_> = clients.into_iter().map(|client| client.join().expect("no panic")).collect();
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    for (n, answered) in answered.iter().enumerate() {
        let text = format!("select 'client {n}'");
        let of_client = events.iter().filter(|e| e["sql"]["raw"] == text && e["sql"]["outcome"] == "ok");
        assert_eq!(of_client.count() as u64, *answered, "client {n}");
    }
    let out = events.iter().filter(|e| e["kind"] == "logout").count();
    assert_eq!(out, CLIENTS);
    Ok(())
}

/// A proxy that gives nobody much time.
fn impatient(rig: &Rig) -> Panoptes {
    Panoptes::start(rig.server().port, "[limits]\ndrain_timeout = \"300 ms\"")
}

fn expect_shutdown(last: &Exchange) {
    assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "57P01")), "{last:?}");
}

/// Whether a statement's transaction was told to be committed, with it or later.
fn committed(events: &[serde_json::Value], transaction: &serde_json::Value) -> bool {
    let later =
        |e: &&serde_json::Value| e["kind"] == "verdict" && e["transaction"]["id"] == transaction["id"];
    match &transaction["verdict"] {
        serde_json::Value::Null => {
            events.iter().any(|e| later(&e) && e["transaction"]["verdict"] == "committed")
        }
        verdict => verdict == "committed",
    }
}
