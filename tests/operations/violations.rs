//! Framing that the server itself refuses ends the session: nothing behind it is run, nothing goes on unseen.

use std::io::Write;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig, has, is_error, only,
    support::{
        panoptes::Panoptes,
        raw::{Raw, message, query},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("length_of_two_gibibytes", |rig| {
        after_login(rig, "length", &[b"Q", &0x7fff_ffff_u32.to_be_bytes()[..]].concat())
    }),
    ("length_of_three", |rig| after_login(rig, "short", &[b"Q", &3_u32.to_be_bytes()[..]].concat())),
    ("unknown_type", |rig| after_login(rig, "unknown", &message(b'!', b"?"))),
    ("second_startup_message", |rig| after_login(rig, "startup", &STARTUP)),
    ("stuffed_ssl_request", stuffed_ssl_request),
    ("unreasonable_first_message", unreasonable_first_message),
];

/// `user=eve` for protocol 3.0.
const STARTUP: [u8; 18] = *b"\0\0\0\x12\0\x03\0\0user\0eve\0\0";
const SSL_REQUEST: [u8; 8] = *b"\0\0\0\x08\x04\xd2\x16\x2f";

/// A good session sends `bad` and, behind it, a statement that would leave a table.
fn after_login(rig: &Rig, name: &str, bad: &[u8]) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.query("select 'good'")?;
    let table = format!("violated_{name}");
    client.stream().write_all(&[bad, &query(&format!("create table {table} ()"))].concat())?;
    // A reset may overtake the server's own words.
    if let Ok(last) = client.last_words() {
        assert!(last.errors.iter().all(|error| is_error(error, "FATAL", "08P01")), "{last:?}");
        assert_eq!(last.completed, 0);
    }
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let logout = only(&events, "logout");
    assert_eq!(logout["session"]["endReason"], "protocol_error", "{logout:#}");
    assert_eq!(logout["sql"]["sqlState"], "08P01", "{logout:#}");
    never_ran(rig, &events, &table)
}

fn stuffed_ssl_request(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let stuffed = [&SSL_REQUEST[..], &STARTUP, &query("create table violated_stuffed ()")].concat();
    let mut client = Raw::open(proxy.port, &stuffed)?;
    if let Ok(last) = client.last_words() {
        assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "08P01")), "{last:?}");
    }
    let events = proxy.wait_for("the failed login", |events| has(events, "login"));
    let login = only(&events, "login");
    assert_eq!((&login["sql"]["success"], &login["sql"]["sqlState"]), (&false.into(), &"08P01".into()));
    assert_eq!(proxy.metric(r#"panoptes_sessions_ended_total{reason="protocol_error"}"#), 1.0);
    never_ran(rig, &events, "violated_stuffed")
}

/// A web browser, a TLS ClientHello without its request, noise.
fn unreasonable_first_message(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let noise: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0", &[0; 64], &[0xff; 64]];
    for (n, first) in noise.into_iter().enumerate() {
        let mut client = Raw::open(proxy.port, first)?;
        let _ = client.last_words();
        let failed = |events: &[Value]| events.iter().filter(|e| e["kind"] == "login").count() == n + 1;
        let events = proxy.wait_for("the failed login", failed);
        assert!(events.iter().all(|e| e["sql"]["success"] == false), "{events:#?}");
    }
    assert_eq!(Raw::connect(proxy.port)?.query("select 1")?.completed, 1, "it serves on");
    Ok(())
}

fn never_ran(rig: &Rig, events: &[Value], table: &str) -> Result<(), Failed> {
    let seen = |e: &Value| e["sql"]["raw"].as_str().is_some_and(|raw| raw.contains(table));
    assert!(!events.iter().any(seen), "an event of what never ran: {events:#?}");
    let there = rig.server().sql("test", &format!("select to_regclass('{table}')"));
    assert_eq!(there.trim(), "", "the server ran what came behind");
    Ok(())
}
