//! Cancel requests reach the session that they aim at, and no other.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    drain::with_a_statement_under_way,
    gate::Gate,
    has, is_error, only, refuses, statement,
    support::{
        panoptes::Panoptes,
        postgres::{DATABASE, Postgres, USER, Version},
        raw::{Raw, query},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("ctrl_c_in_psql", ctrl_c),
    ("only_the_session_aimed_at", only_the_one),
    ("while_no_more_sessions_are_allowed", crowded),
    ("long_key_of_protocol_3_2", long_key),
    ("forged_key", forged_key),
    ("key_of_a_session_that_is_gone", stale_key),
    ("while_the_proxy_goes_down", going_down),
];

fn ctrl_c(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let gate = Gate::closed(rig.server());
    let client = Command::new("psql")
        .args(["-XAtc", &gate.statement(), "-h", "127.0.0.1", "-U", USER, "-d", DATABASE])
        .env("PGPORT", proxy.port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    gate.wait_until_reached();
    assert!(Command::new("kill").args(["-INT", &client.id().to_string()]).status()?.success());
    let out = client.wait_with_output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(told.contains("canceling statement due to user request"), "{told}");
    let events = proxy.wait_for("cancel and logout", |events| has(events, "cancel") && has(events, "logout"));
    let event = statement(&events, &gate.statement());
    assert_eq!(event["sql"]["outcome"], "cancelled", "{event:#}");
    let cancel = only(&events, "cancel");
    assert_eq!(cancel["cancel"]["matched"], true, "{cancel:#}");
    assert_eq!(cancel["cancel"]["sessionId"], event["session"]["id"], "{cancel:#}");
    Ok(())
}

/// Two sessions that ask alike: the other one goes on.
fn only_the_one(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let gates = [Gate::closed(rig.server()), Gate::closed(rig.server())];
    let mut clients = [Raw::connect(proxy.port)?, Raw::connect(proxy.port)?];
    for (client, gate) in clients.iter().zip(&gates) {
        client.stream().write_all(&query(&gate.statement()))?;
        gate.wait_until_reached();
    }
    cancel(&proxy, &clients[1].key)?;
    let cancelled = clients[1].exchange()?;
    assert!(matches!(&cancelled.errors[..], [error] if is_error(error, "ERROR", "57014")), "{cancelled:?}");
    gates.into_iter().for_each(Gate::open);
    assert_eq!(clients[0].exchange()?.completed, 1);
    Ok(())
}

/// A cancel request is no session: it passes when there are too many.
fn crowded(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "[limits]\nmax_connections = 1");
    let gate = Gate::closed(rig.server());
    let mut client = Raw::connect(proxy.port)?;
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    let refused = Raw::greet(proxy.port)?.last_words()?;
    assert!(matches!(&refused.errors[..], [error] if is_error(error, "FATAL", "53300")), "{refused:?}");
    cancel(&proxy, &client.key)?;
    let cancelled = client.exchange()?;
    assert!(matches!(&cancelled.errors[..], [error] if is_error(error, "ERROR", "57014")), "{cancelled:?}");
    let login = |e: &&serde_json::Value| e["kind"] == "login" && e["sql"]["success"] == false;
    let events = proxy.wait_for("the refused login", |events| events.iter().any(|e| login(&e)));
    assert_eq!(events.iter().find(login).expect("it")["sql"]["sqlState"], "53300");
    Ok(())
}

fn long_key(_: &Rig) -> Result<(), Failed> {
    const LONG: usize = 4 + 32;
    if Version::V18.bin().is_none() {
        return Err("PostgreSQL 18 is not installed".into());
    }
    let server = Postgres::start(Version::V18, &[]);
    let proxy = Panoptes::start(server.port, "");
    let startup = b"\0\0\0\x29\0\x03\0\x02user\0postgres\0database\0postgres\0\0";
    let mut client = Raw::open(proxy.port, startup)?;
    client.exchange()?;
    assert_eq!(client.key.len(), LONG);
    let gate = Gate::closed(&server);
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    cancel(&proxy, &client.key[..8])?;
    cancel(&proxy, &client.key)?;
    let cancelled = client.exchange()?;
    assert!(matches!(&cancelled.errors[..], [error] if is_error(error, "ERROR", "57014")), "{cancelled:?}");
    let both = |events: &[serde_json::Value]| events.iter().filter(|e| e["kind"] == "cancel").count() == 2;
    let events = proxy.wait_for("both requests", both);
    // Each came over a connection of its own, which another thread may have served.
    let mut matched: Vec<_> =
        events.iter().filter(|e| e["kind"] == "cancel").map(|e| e["cancel"]["matched"].as_bool()).collect();
    matched.sort_unstable();
    assert_eq!(matched, [Some(false), Some(true)]);
    Ok(())
}

fn forged_key(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let gate = Gate::closed(rig.server());
    let mut client = Raw::connect(proxy.port)?;
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    let mut forged = client.key.clone();
    *forged.last_mut().expect("a key") ^= 1;
    cancel(&proxy, &forged)?;
    let events = proxy.wait_for("the cancel", |events| has(events, "cancel"));
    let event = only(&events, "cancel");
    assert_eq!(event["cancel"]["matched"], false, "{event:#}");
    assert!(event["cancel"]["sessionId"].is_null(), "{event:#}");
    let pid = u32::from_be_bytes(*client.key.first_chunk().expect("a key"));
    assert_eq!(event["cancel"]["serverPid"], pid, "{event:#}");
    // It was the proxy's secret, not the server's: the server knows no such key either.
    cancel_at(rig.server().port, &client.key)?;
    gate.wait_until_reached();
    gate.open();
    let seen = client.exchange()?;
    assert_eq!((seen.completed, &seen.errors[..]), (1, &[][..]));
    Ok(())
}

fn stale_key(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let client = Raw::connect(proxy.port)?;
    let key = client.key.clone();
    drop(client);
    proxy.wait_for("the logout", |events| has(events, "logout"));
    cancel(&proxy, &key)?;
    let events = proxy.wait_for("the cancel", |events| has(events, "cancel"));
    assert_eq!(only(&events, "cancel")["cancel"]["matched"], false);
    Ok(())
}

/// What still runs then can be ended, and nothing else.
fn going_down(rig: &Rig) -> Result<(), Failed> {
    let (mut proxy, mut client, gate) = with_a_statement_under_way(rig)?;
    refuses(proxy.port);
    cancel(&proxy, &client.key)?;
    assert!(is_error(&client.exchange()?.errors[0], "ERROR", "57014"));
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(statement(&events, &gate.statement())["sql"]["outcome"], "cancelled");
    assert_eq!(only(&events, "cancel")["cancel"]["matched"], true);
    Ok(())
}

fn cancel(proxy: &Panoptes, key: &[u8]) -> Result<(), Failed> {
    cancel_at(proxy.port, key)
}

/// Sends a CancelRequest and waits until it is done with.
fn cancel_at(port: u16, key: &[u8]) -> Result<(), Failed> {
    const CODE: u32 = 80_877_102;
    let length = u32::try_from(8 + key.len())?;
    let mut request = Raw::open(port, &[&length.to_be_bytes()[..], &CODE.to_be_bytes(), key].concat())?;
    assert_eq!(request.last_words()?, Default::default(), "a cancel request is never answered");
    Ok(())
}
