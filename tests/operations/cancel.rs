//! Cancel requests reach the session that they aim at, and no other.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    gate::Gate,
    has, is_error, only, statement,
    support::{
        panoptes::Panoptes,
        postgres::{DATABASE, USER},
        raw::{Raw, query},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("ctrl_c_in_psql", ctrl_c),
    ("only_the_session_aimed_at", only_the_one),
    ("forged_key", forged_key),
    ("key_of_a_session_that_is_gone", stale_key),
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

/// Two sessions of two proxies' worth of equal questions: the other one goes on.
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
