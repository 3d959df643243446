//! What happens when a side fails, and what a KILL, a secret or a probe leaves behind.

use std::{fs, path::Path, thread};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    raw::Raw,
    support::{free_port, panoptes::Panoptes, wait_for},
};

/// Tried on each server.
pub(crate) const ON_EACH: &[Named] = &[("shutdown_tells_idle_clients", shutdown)];

/// Tried once.
pub(crate) const TESTS: &[Named] = &[
    ("server_is_down", down),
    ("too_many_sessions", too_many),
    ("client_never_logs_in", late),
    ("kill_finds_its_session", kill),
    ("killed_connection_is_told", killed),
    ("prepared_secrets_stay_secret", secrets),
    ("values_of_a_run", values),
    ("probes_do_not_block_the_proxy", probes),
];

fn shutdown(rig: &Rig) -> Result<(), Failed> {
    // Of several threads one may have gone down, and another not yet heard of it: who comes then is told nothing.
    let environment = [("PANOPTES_WORKERS", "1")];
    let mut proxy = Panoptes::start_mysql_prepared(rig.server().port, "", &environment);
    let (mut idle, mut open) = (Raw::connect(proxy.port), Raw::connect(proxy.port));
    idle.query("select 'before'");
    open.query("begin");
    proxy.signal("TERM");
    assert_eq!(idle.last_words().map(|(code, _)| code), Some(1053));
    let late = Raw::greet(proxy.port).err().map(|(code, _)| code);
    assert_eq!(late, Some(1053), "no new session");
    assert_eq!(open.query("commit").error, None, "who is in a transaction may end it");
    assert_eq!(open.last_words().map(|(code, _)| code), Some(1053));
    assert!(proxy.ended().success(), "{}", proxy.log());
    let events = proxy.events();
    assert_eq!(statement(&events, "before")["sql"]["outcome"], "ok");
    let reasons: Vec<_> = of_kind(&events, "logout").map(|e| &e["session"]["endReason"]).collect();
    assert_eq!(reasons, ["shutdown", "shutdown"]);
    Ok(())
}

fn down(_: &Rig) -> Result<(), Failed> {
    let nowhere = free_port();
    let proxy = Panoptes::start_mysql(nowhere, "");
    let (code, message) = Raw::greet(proxy.port).err().expect("no server greets");
    assert!(code == 2003 && message.contains(&format!("127.0.0.1:{nowhere}")), "{code} {message}");
    let events = proxy.wait_for("the failed login", |events| of_kind(events, "login").count() == 1);
    let login = of_kind(&events, "login").next().expect("it");
    assert_eq!((&login["sql"]["errorCode"], &login["sql"]["sqlState"]), (&"2003".into(), &"HY000".into()));
    assert_eq!(proxy.get("/readyz").0, 503);
    Ok(())
}

fn too_many(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "[limits]\nmax_connections = 1");
    let first = Raw::connect(proxy.port);
    let refused = Raw::greet(proxy.port).err().expect("a refusal");
    assert_eq!(refused, (1040, "Too many connections".into()));
    let refusal = |e: &Value| e["kind"] == "login" && e["sql"]["errorCode"] == "1040";
    proxy.wait_for("the refused login", |events| events.iter().any(refusal));
    drop(first);
    Ok(())
}

fn late(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "[limits]\nlogin_timeout = \"300 ms\"");
    let mut silent = Raw::greet(proxy.port).expect("a greeting");
    assert_eq!(silent.last_words().map(|(code, _)| code), Some(1159));
    let events = proxy.wait_for("the failed login", |events| of_kind(events, "login").count() == 1);
    assert_eq!(of_kind(&events, "login").next().expect("it")["sql"]["errorCode"], "1159");
    Ok(())
}

fn kill(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let (mut victim, mut killer) = (Raw::connect(proxy.port), Raw::connect(proxy.port));
    let id = victim.id;
    let asleep = thread::spawn(move || victim.query("select sleep(600)").error);
    rig.server().wait_until(&format!(
        "exists (select * from information_schema.processlist where id = {id} and info like 'select sleep%')"
    ));
    assert_eq!(killer.query(&format!("kill query {id}")).error, None);
    assert_eq!(asleep.join().expect("no panic").map(|(code, _)| code), Some(1317));
    assert_eq!(killer.query("kill query 4294967295").error.map(|(code, _)| code), Some(1094));
    let events = proxy.wait_for("both KILLs", |events| of_kind(events, "cancel").count() == 2);
    let told: Vec<_> = of_kind(&events, "cancel").collect();
    let sleeper = statement(&events, "sleep");
    assert_eq!(told[0]["cancel"]["sessionId"], sleeper["session"]["id"]);
    assert_eq!((&told[0]["cancel"]["matched"], &told[0]["cancel"]["serverPid"]), (&true.into(), &id.into()));
    assert_eq!(
        (&told[1]["cancel"]["matched"], &told[1]["sql"]["errorCode"]),
        (&false.into(), &"1094".into())
    );
    assert_eq!(
        (&sleeper["sql"]["outcome"], &sleeper["sql"]["errorCode"]),
        (&"cancelled".into(), &"1317".into())
    );
    Ok(())
}

/// The server ends the session in the middle of a statement.
fn killed(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut victim = Raw::connect(proxy.port);
    let id = victim.id;
    victim.send(0, b"\x03select sleep(600), 'cut off'");
    rig.server().wait_until(&format!(
        "exists (select * from information_schema.processlist where id = {id} and info like 'select sleep%')"
    ));
    rig.server().sql(&format!("kill {id}"));
    assert!(victim.last_words().is_some(), "it is told that the link is gone");
    let events = proxy.wait_for("the end", |events| of_kind(events, "logout").count() == 1);
    let outcome = &statement(&events, "cut off")["sql"]["outcome"];
    assert!(outcome == "lost" || outcome == "cancelled", "{outcome}");
    Ok(())
}

fn secrets(rig: &Rig) -> Result<(), Failed> {
    const CANARY: &[u8] = b"hush-hush-canary";
    let mut proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    let number = client.prepare("select length(aes_encrypt('data', ?))");
    let mut run = [&[0x17][..], &number, &[0, 1, 0, 0, 0, 0, 1, 253, 0, 16]].concat();
    run.extend_from_slice(CANARY);
    client.send(0, &run);
    assert_eq!(client.answer().rows, 1);
    client.query("create user if not exists secretive@localhost identified by 'hush-hush-canary'");
    client.query("alter user nobody_at_all@localhost identified by 'hush-hush-canary'");
    client.query("drop user if exists secretive@localhost");
    // The message of one text quotes what another one brought.
    client.query("set @s = 'alterr user x identified by ''hush-hush-canary'''");
    client.query("prepare s from @s");
    drop(client);
    let events = proxy.wait_for("the logout", |events| of_kind(events, "logout").count() == 1);
    let told = statement(&events, "aes_encrypt");
    assert_eq!(told["sql"]["parameters"], serde_json::json!(["[REDACTED]"]));
    assert_eq!(told["sql"]["redacted"], serde_json::json!(["parameters"]));
    assert!(proxy.stop().success());
    let holds = files_with(proxy.dir(), CANARY);
    assert!(holds.is_empty(), "{holds:?}");
    Ok(())
}

/// Files below a folder that have these bytes.
fn files_with(dir: &Path, words: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, words));
        } else if fs::read(&path).expect("a file").windows(words.len()).any(|bytes| bytes == words) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Types are remembered, values that were sent ahead belong to the next run alone, a NULL is none.
fn values(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    let number = client.prepare("select ?, ?, 'values of a run'");
    let run = |flags: &[u8], values: &[u8]| [&[0x17][..], &number, &[0, 1, 0, 0, 0], flags, values].concat();
    // An unsigned number and a text; the same types, not sent again, and NULL; a blob sent ahead in two parts.
    client.send(0, &run(&[0, 1, 3, 0x80, 253, 0], b"\xff\xff\xff\xff\x02ab"));
    assert_eq!(client.answer().rows, 1);
    client.send(0, &run(&[2, 0], b"\x07\0\0\0"));
    assert_eq!(client.answer().rows, 1);
    for part in ["first ", "second"] {
        client.send(0, &[&[0x18][..], &number, &[1, 0], part.as_bytes()].concat());
    }
    client.send(0, &run(&[0, 1, 3, 0, 252, 0], b"\x08\0\0\0"));
    assert_eq!(client.answer().rows, 1);
    let of_run = |e: &&Value| e["sql"]["raw"].as_str().is_some_and(|raw| raw.contains("values of a run"));
    let events = proxy.wait_for("three runs", |events| events.iter().filter(of_run).count() == 3);
    let told: Vec<_> = events.iter().filter(of_run).map(|e| e["sql"]["parameters"].clone()).collect();
    let blob = serde_json::json!({"type": "blob", "hex": "6669727374207365636f6e64", "text": "first second"});
    assert_eq!(
        told,
        [
            serde_json::json!([4_294_967_295_u32, "ab"]),
            serde_json::json!([7, null]),
            serde_json::json!([8, blob])
        ]
    );
    Ok(())
}

/// A server counts connections that break off in the handshake, and refuses the host that makes too many of them.
fn probes(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let broken = || -> u64 {
        let status = rig.server().sql("show global status like 'Aborted_connects_preauth'");
        status.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    };
    let before = broken();
    for _ in 0..5 {
        assert_eq!(proxy.get("/readyz"), (200, "ok\n".into()));
    }
    wait_for("what the server counts", || (broken() == before).then_some(()));
    Ok(())
}

pub(crate) fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["kind"] == kind)
}

pub(crate) fn statement<'a>(events: &'a [Value], words: &str) -> &'a Value {
    let has = |event: &&Value| event["sql"]["raw"].as_str().is_some_and(|raw| raw.contains(words));
    let mut found = events.iter().filter(has);
    match (found.next(), found.next()) {
        (Some(event), None) => event,
        _ => panic!("not one statement with {words:?}:\n{events:#?}"),
    }
}
