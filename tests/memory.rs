//! Nothing that a peer sends makes the proxy grow: a huge message, a huge result, as many parameters as there can be, a
//! very long pipeline. Each time the peak of the resident memory stays within [`GROWTH`], and the events are there.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::{
    fs,
    io::Write,
    sync::{Arc, LazyLock},
    thread,
};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use sha2::{Digest, Sha256};

mod support;

use support::{
    panoptes::Panoptes,
    postgres::{Postgres, Version},
    raw::{Exchange, Raw, bind, execute, parse, query, sync},
};

/// How much the resident memory may grow.
const GROWTH: u64 = 64 << 20;

type Server = Arc<LazyLock<Postgres>>;

fn main() {
    let arguments = Arguments::from_args();
    let missing = Version::V15.bin().is_none();
    // What these statements are is not what its log is for.
    let quiet =
        || Postgres::start(Version::V15, &[("log_statement", "none"), ("log_min_duration_statement", "-1")]);
    let server: Server = Arc::new(LazyLock::new(quiet));
    let trial = |name, test: fn(&Postgres) -> Result<(), Failed>| {
        let server = Arc::clone(&server);
        Trial::test(name, move || test(&server)).with_ignored_flag(missing)
    };
    let trials = vec![
        trial("message_of_a_gibibyte", message_of_a_gibibyte),
        trial("ten_million_rows", ten_million_rows),
        trial("all_the_parameters_there_can_be", all_the_parameters_there_can_be),
        trial("hundred_thousand_pipelined_executes", hundred_thousand_pipelined_executes),
        trial("a_pipeline_of_large_parameters", a_pipeline_of_large_parameters),
        trial("each_statement_of_a_mebibyte", each_statement_of_a_mebibyte),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit();
}

fn message_of_a_gibibyte(server: &Postgres) -> Result<(), Failed> {
    /// The server's own limit is a byte less than a gibibyte, its copy of the text included.
    const LENGTH: usize = (1 << 30) - 1024;
    let mut sha256 = Sha256::new();
    let events = within_bounds(server, 1, |mut session| {
        let text_length = LENGTH - 5;
        let (head, tail) = ("select 1 as one /* ", " */");
        session
            .stream()
            .write_all(&[b"Q", &u32::try_from(LENGTH)?.to_be_bytes()[..], head.as_bytes()].concat())?;
        let filling = [b'x'; 1 << 16];
        sha256.update(head);
        let mut left = text_length - head.len() - tail.len();
        while left > 0 {
            let n = left.min(filling.len());
            session.stream().write_all(&filling[..n])?;
            sha256.update(&filling[..n]);
            left -= n;
        }
        sha256.update(tail);
        session.stream().write_all(tail.as_bytes())?;
        session.stream().write_all(b"\0")?;
        expect_done(&session.exchange()?, 1, 1)
    })?;
    let sql = &events[0]["sql"];
    assert_eq!(sql["truncated"]["raw"], LENGTH - 5, "{}", sql["truncated"]);
    assert_eq!(sql["rawSha256"], format!("{:x}", sha256.finalize()));
    Ok(())
}

fn ten_million_rows(server: &Postgres) -> Result<(), Failed> {
    const ROWS: u64 = 10_000_000;
    let events = within_bounds(server, 1, |mut session| {
        session.stream().write_all(&query(&format!("select generate_series(1, {ROWS})")))?;
        expect_done(&session.exchange()?, ROWS, 1)
    })?;
    assert_eq!(events[0]["sql"]["rowCount"], ROWS);
    Ok(())
}

fn all_the_parameters_there_can_be(server: &Postgres) -> Result<(), Failed> {
    const PARAMETERS: usize = 65_535;
    let events = within_bounds(server, 1, |mut session| {
        let list = (1..=PARAMETERS).map(|n| format!("${n}")).collect::<Vec<_>>().join(",");
        let values = vec!["1234567"; PARAMETERS];
        let text = format!("select cardinality(array[{list}]::int[])");
        session.stream().write_all(&[parse("", &text), bind("", &values), execute(), sync()].concat())?;
        let exchange = session.exchange()?;
        assert!(exchange.last_row.ends_with(PARAMETERS.to_string().as_bytes()), "the server got them all");
        expect_done(&exchange, 1, 1)
    })?;
    // Nobody said of which type they are: neither the Parse, nor a Describe.
    let first = &events[0]["sql"]["parameters"][0];
    assert_eq!((&first["type"], &first["hex"]), (&"unknown".into(), &"31323334353637".into()));
    Ok(())
}

fn hundred_thousand_pipelined_executes(server: &Postgres) -> Result<(), Failed> {
    const EXECUTES: usize = 100_000;
    let events = within_bounds(server, EXECUTES, |mut session| {
        let mut writer = session.stream().try_clone()?;
        let sender = thread::spawn(move || {
            writer.write_all(&parse("s", "select $1::int"))?;
            let one = [bind("s", &["7"]), execute()].concat();
            let many = one.repeat(1000);
            (0..EXECUTES / 1000).try_for_each(|_| writer.write_all(&many))?;
            writer.write_all(&sync())
        });
        let exchange = session.exchange()?;
        sender.join().expect("no panic")?;
        expect_done(&exchange, EXECUTES as u64, EXECUTES as u64)
    })?;
    assert!(
        events.iter().all(|e| e["sql"]["outcome"] == "ok" && e["sql"]["rowCount"] == 1),
        "each with its row"
    );
    Ok(())
}

/// What the server answers fits its buffer until the Sync comes, so whoever waits for an answer before reading on would
/// wait for ever.
fn a_pipeline_of_large_parameters(server: &Postgres) -> Result<(), Failed> {
    const EXECUTES: usize = 500;
    let large = "x".repeat(60_000);
    let events = within_bounds(server, EXECUTES, |mut session| {
        let one = [bind("s", &[&large]), execute()].concat();
        session.stream().write_all(&parse("s", "select from pg_class where relname = $1"))?;
        (0..EXECUTES).try_for_each(|_| session.stream().write_all(&one))?;
        session.stream().write_all(&sync())?;
        expect_done(&session.exchange()?, 0, EXECUTES as u64)
    })?;
    let cut = events.iter().filter(|e| e["sql"]["truncated"]["parameters"].is_u64()).count();
    assert!((1..EXECUTES).contains(&cut), "{cut} of {EXECUTES} were cut");
    Ok(())
}

/// As migrations and dumps are sent: bodies of routines in it, and `;` where they end nothing. Then one of which a statement in
/// the middle fails.
fn each_statement_of_a_mebibyte(server: &Postgres) -> Result<(), Failed> {
    const ROWS: usize = 5_000;
    const MORE: usize = 1_500;
    let filling = "a;b -- c $$ /* d */ ".repeat(10);
    let insert = |n: usize| format!("insert into script values ({n}, '{filling}')");
    let mut statements = vec![
        "create table script (n int primary key, t text)".to_owned(),
        "create function f() returns int language plpgsql as $f$\nbegin\n  perform 1; return 2;\nend $f$"
            .to_owned(),
        "create function g() returns int begin atomic select 1; select 2; end".to_owned(),
        "-- a remark; with a semicolon\ndo $$ begin perform f(); perform g(); end $$".to_owned(),
    ];
    statements.extend((0..ROWS).map(insert));
    let text = statements.join(";\n") + ";\n";
    assert!(text.len() > 1 << 20);
    let more: Vec<_> = (0..MORE).map(|n| insert(if n == MORE / 2 { 0 } else { ROWS + n })).collect();
    let events = within_bounds(server, statements.len() + more.len(), |mut session| {
        session.stream().write_all(&query(&text))?;
        expect_done(&session.exchange()?, 0, (ROWS + 4) as u64)?;
        let failed = session.query(&more.join(";"))?;
        assert_eq!((failed.completed, failed.errors.len()), ((MORE / 2) as u64, 1));
        Ok(())
    })?;
    let raws = events.iter().filter_map(|e| e["sql"]["raw"].as_str());
    assert!(statements.iter().chain(&more).eq(raws), "each, in its order");
    let (done, undone) = events.split_at(statements.len());
    let ends = |events: &[Value]| {
        ["ok", "error", "skipped"]
            .map(|outcome| events.iter().filter(|e| e["sql"]["outcome"] == outcome).count())
    };
    assert_eq!(ends(done), [ROWS + 4, 0, 0]);
    assert_eq!(ends(undone), [MORE / 2, 1, MORE - MORE / 2 - 1]);
    let lasts = |e: &&Value| e["transaction"]["verdict"] == "committed";
    assert!(done.last().is_some_and(|e| lasts(&e)) && undone.iter().filter(lasts).count() == 0);
    assert_eq!(server.sql("script", "select count(*) from script").trim(), ROWS.to_string());
    Ok(())
}

/// Runs `work` on a session through a proxy of its own; gives the statement events, as many as are due, and fails where
/// the proxy has grown too much on the way.
fn within_bounds(
    server: &Postgres,
    due: usize,
    work: impl FnOnce(Raw) -> Result<(), Failed>,
) -> Result<Vec<Value>, Failed> {
    let proxy = Panoptes::start(server.port, "");
    let mut session = Raw::connect(proxy.port)?;
    session.stream().write_all(&query("select 0 as warm_up"))?;
    expect_done(&session.exchange()?, 1, 1)?;
    let before = resident(&proxy, "VmRSS");
    work(session)?;
    // The login, the warming up, what is due, the logout.
    proxy.wait_for_lines(due + 3);
    let after = resident(&proxy, "VmHWM");
    let growth = after.saturating_sub(before);
    println!("memory: {before} bytes before, {after} at the peak: {growth} more");
    assert!(growth < GROWTH, "grew by {growth} bytes");
    let mut events = proxy.events();
    events.retain(|e| {
        e["kind"] == "statement" && !e["sql"]["raw"].as_str().unwrap_or_default().contains("warm_up")
    });
    assert_eq!(events.len(), due);
    Ok(events)
}

/// A figure of `/proc/PID/status`, in bytes.
fn resident(proxy: &Panoptes, figure: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(figure)).expect("the figure");
    1024 * line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number")
}

fn expect_done(exchange: &Exchange, rows: u64, completed: u64) -> Result<(), Failed> {
    match (exchange.rows, exchange.completed, &exchange.errors[..]) {
        (r, c, []) if (r, c) == (rows, completed) => Ok(()),
        _ => Err(format!("{exchange:?}").into()),
    }
}
