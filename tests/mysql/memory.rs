//! Nothing that a peer sends makes the proxy grow: a huge row, a huge result, as many parameters as there can be.

use std::fs;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{Named, Rig, raw::Raw, support::panoptes::Panoptes};

/// Tried once.
pub(crate) const TESTS: &[Named] =
    &[("row_of_a_gibibyte", row_of_a_gibibyte), ("ten_million_rows", ten_million_rows)];

/// Tried on each server.
pub(crate) const ON_EACH: &[Named] =
    &[("a_million_rows", a_million_rows), ("all_the_parameters_there_can_be", all_the_parameters)];

/// How much the resident memory may grow.
pub(crate) const GROWTH: u64 = 64 << 20;

fn row_of_a_gibibyte(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("set global max_allowed_packet = 1073741824");
    let event = within_bounds(rig, |client| {
        let answer = client.query("select repeat('x', 1073741000) as long_value");
        assert_eq!((answer.rows, answer.error), (1, None));
    });
    assert!(event["sql"]["bytesReturned"].as_u64() > Some(1_073_741_000), "{event}");
    Ok(())
}

fn ten_million_rows(rig: &Rig) -> Result<(), Failed> {
    let event = within_bounds(rig, |client| {
        let answer = client.query("select seq from work.seq_1_to_10000000");
        assert_eq!((answer.rows, answer.error), (10_000_000, None));
    });
    assert_eq!(event["sql"]["rowCount"], 10_000_000);
    Ok(())
}

fn a_million_rows(rig: &Rig) -> Result<(), Failed> {
    rig.server()
        .sql("create table work.digits (d int); insert into work.digits values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
    let event = within_bounds(rig, |client| {
        let tables: Vec<_> = "abcdef".chars().map(|name| format!("work.digits {name}")).collect();
        let answer = client.query(&format!("select a.d, repeat('x', 100) from {}", tables.join(", ")));
        assert_eq!((answer.rows, answer.error), (1_000_000, None));
    });
    assert_eq!(event["sql"]["rowCount"], 1_000_000);
    assert!(event["sql"]["bytesReturned"].as_u64() > Some(100_000_000), "{event}");
    Ok(())
}

fn all_the_parameters(rig: &Rig) -> Result<(), Failed> {
    const PARAMETERS: usize = 65_535;
    let event = within_bounds(rig, |client| {
        let list = vec!["?"; PARAMETERS].join(",");
        let number = client.prepare(&format!("select 7 in ({list})"));
        let mut run = [&[0x17][..], &number, &[0, 1, 0, 0, 0]].concat();
        run.extend(vec![0; PARAMETERS.div_ceil(8)]);
        run.push(1);
        run.extend([3, 0].repeat(PARAMETERS));
        run.extend([7, 0, 0, 0].repeat(PARAMETERS));
        client.send(0, &run);
        assert_eq!(client.answer().rows, 1);
    });
    let (sql, whole) = (&event["sql"], 6 * PARAMETERS as u64);
    assert!(sql["truncated"]["parameters"].as_u64() > Some(whole), "{}", sql["truncated"]);
    // Those that 64 KiB hold.
    let told = sql["parameters"].as_array().expect("values");
    assert!(told.len() == 16_384 && told.iter().all(|value| *value == 7), "{} values", told.len());
    Ok(())
}

/// The event of what `work` asks, on a session through a proxy of its own; fails where the proxy has grown too much.
fn within_bounds(rig: &Rig, work: impl FnOnce(&mut Raw)) -> Value {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    client.query("select 0 as warm_up");
    let before = resident(&proxy, "VmRSS");
    work(&mut client);
    let of_work = |e: &&Value| e["kind"] == "statement" && e["sql"]["raw"] != "select 0 as warm_up";
    let events = proxy.wait_for("the statement", |events| events.iter().filter(of_work).count() == 1);
    let growth = resident(&proxy, "VmHWM").saturating_sub(before);
    println!("memory: {before} bytes before, {growth} more at the peak");
    assert!(growth < GROWTH, "grew by {growth} bytes");
    events.iter().find(of_work).expect("it").clone()
}

/// A figure of `/proc/PID/status`, in bytes.
pub(crate) fn resident(proxy: &Panoptes, figure: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(figure)).expect("the figure");
    1024 * line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number")
}
