//! The process is killed under load: what the journal took reaches the sink, whatever was under way.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    support::{
        clients::Client,
        panoptes::Panoptes,
        postgres::{Postgres, USER, Version},
        raw::Raw,
    },
};

pub(crate) const TESTS: &[Named] = &[("killed_under_pgbench", killed), ("goes_on_where_it_stopped", goes_on)];

const PGBENCH: &str = "/usr/lib/postgresql/15/bin/pgbench";

/// Killed three times, each time at another place of its work.
fn killed(_: &Rig) -> Result<(), Failed> {
    if !Client::Pgbench("prepared").installed() {
        return Err("pgbench is not installed".into());
    }
    let server =
        Postgres::start(Version::V15, &[("log_statement", "none"), ("log_min_duration_statement", "-1")]);
    let mut proxy = Panoptes::start(server.port, "");
    assert!(pgbench(server.port, &["-i", "-q"]).status()?.success());
    for (round, enough) in [300, 3_000, 1_000].into_iter().enumerate() {
        let before = proxy.events().len();
        let mut load =
            pgbench(proxy.port, &["-n", "-S", "-M", "prepared", "-c", "4", "-T", "600"]).spawn()?;
        proxy.wait_for_lines(before + enough);
        proxy.signal("KILL");
        proxy.ended();
        load.wait()?;
        proxy.start_again();
        let text = format!("select 'after {round}'");
        Raw::connect(proxy.port)?.query(&text)?;
        proxy.wait_for("what comes after", |events| events.iter().any(|e| e["sql"]["raw"] == text));
    }
    // Nothing is under way any more, so that this is the journal's last word.
    assert!(proxy.stop().success(), "{}", proxy.log());
    assert!(!proxy.log().contains("not everything is delivered"), "{}", proxy.log());
    let gaps: BTreeSet<_> =
        proxy.events().iter().filter(|e| e["kind"] == "gap").map(|e| e["gap"].to_string()).collect();
    assert_eq!(gaps.len(), 3, "each crash is told: {gaps:?}");
    assert!(gaps.iter().all(|gap| gap.contains("without notice")), "{gaps:?}");
    expect_whole(&proxy)
}

/// Every number from the first to the last is there; what is there twice is the same event.
fn expect_whole(proxy: &Panoptes) -> Result<(), Failed> {
    let events = proxy.events();
    let mut by_number = BTreeMap::new();
    for event in &events {
        let seq = event["seq"].as_u64().expect("a number");
        let first = by_number.entry(seq).or_insert(event);
        assert_eq!(*first, event, "a repeat is the same event");
    }
    let ids: BTreeSet<_> = by_number.values().map(|e| e["id"].to_string()).collect();
    assert_eq!(ids.len(), by_number.len(), "no id under two numbers");
    let last = events.last().expect("events")["seq"].as_u64().expect("a number");
    assert_eq!(by_number.len() as u64, last, "no number is missing");
    println!("restart: {last} events, {} of them twice", events.len() - by_number.len());
    Ok(())
}

/// An orderly end and a new start: no event twice, numbers go on.
fn goes_on(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start(rig.server().port, "");
    for round in 0..3 {
        Raw::connect(proxy.port)?.query(&format!("select 'round {round}'"))?;
        assert!(proxy.stop().success(), "{}", proxy.log());
        if round < 2 {
            proxy.start_again();
        }
    }
    let numbers: Vec<_> = proxy.events().iter().filter_map(|e| e["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>(), "login, statement and logout of each");
    Ok(())
}

pub(crate) fn pgbench(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(PGBENCH);
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", USER])
        .args(arguments)
        .arg("postgres")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
