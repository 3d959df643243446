//! No secret of any statement of the corpus is in what the program writes: events, journal, log, metrics.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    support::{
        panoptes::Panoptes,
        postgres::{Postgres, Version},
        raw::{Raw, bind, execute, parse, sync},
        root,
    },
};

pub(crate) const TESTS: &[Named] = &[("nowhere_in_what_is_written", nowhere)];

/// What stands for a secret in the corpus; a part of it is one, too.
const CANARY: &str = "s3cr3tK3Y";
const PARTS: [&str; 2] = ["s3cr3", "3tK3Y"];

/// A statement of the corpus, and values for its parameters.
struct Shape {
    sql: String,
    values: Vec<String>,
}

fn nowhere(_: &Rig) -> Result<(), Failed> {
    // What half of them leave behind is nobody else's.
    let server = Postgres::start(Version::V15, &[]);
    server.sql(
        "secrets",
        "create extension pgcrypto; create extension dblink; create table t (a text, c bytea)",
    );
    let mut proxy = Panoptes::start(server.port, "");
    let mut client = Raw::connect(proxy.port)?;
    let shapes = shapes()?;
    let mut errors = 0;
    for Shape { sql, values } in &shapes {
        errors += client.query(sql)?.errors.len();
        client.query("rollback")?;
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        client.stream().write_all(&[parse("", sql), bind("", &values), execute(), sync()].concat())?;
        errors += client.exchange()?.errors.len();
    }
    // Values that tell of secrets themselves, and those of a statement that nobody saw.
    let told = [
        format!("postgres://u:{CANARY}@h/d"),
        format!(r#"{{"a": 1, "password": "{CANARY}", "n": 2}}"#),
        format!("ALTER ROLE x PASSWORD '{CANARY}'"),
    ];
    for value in &told {
        let bound = [parse("", "select $1::text"), bind("", &[value]), execute(), sync()];
        client.stream().write_all(&bound.concat())?;
        errors += client.exchange()?.errors.len();
    }
    client.query("do $$ begin execute 'prepare s9 (text) as select crypt($1, ''zz'')'; end $$")?;
    client.stream().write_all(&[bind("s9", &[CANARY]), execute(), sync()].concat())?;
    errors += client.exchange()?.errors.len();
    client.query("prepare crypt_it as select crypt($1, $2)")?;
    client.query(&format!("execute crypt_it('{CANARY}', '{CANARY}')"))?;
    client.query("select 'the last'")?;
    let last = |events: &[serde_json::Value]| events.iter().any(|e| e["sql"]["raw"] == "select 'the last'");
    let events = proxy.wait_for("the last statement", last);
    let hidden = events.iter().filter(|e| e["sql"]["redacted"].is_array()).count();
    let parameters =
        |value: &str| events.iter().any(|e| e["sql"]["parameters"] == serde_json::json!([value]));
    assert!(parameters("postgres://u:[REDACTED]@h/d") && parameters("ALTER ROLE x PASSWORD '[REDACTED]'"));
    assert!(shapes.len() > 100 && hidden > shapes.len() && errors > 100, "{hidden} hidden, {errors} errors");
    expect_none("the metrics", proxy.get("/metrics").1.as_bytes());
    assert!(proxy.stop().success(), "{}", proxy.log());
    let (files, with_events) = expect_none_below(proxy.dir())?;
    assert!(with_events >= 2, "the journal and the sink's file hold events in plain text");
    println!(
        "secrets: {} shapes, {hidden} events with something hidden, {errors} errors, {files} files",
        shapes.len()
    );
    Ok(())
}

/// Statements that hold a secret, or whose parameters do.
fn shapes() -> Result<Vec<Shape>, Failed> {
    let corpus = fs::read_to_string(root().join("tests/data/sql/redact/postgres.txt"))?;
    let (mut shapes, mut sql) = (Vec::new(), "");
    for line in corpus.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("= ").map(|shown| shown.rsplit_once(" -- ")) {
            None => sql = line,
            Some(Some((_, said))) => {
                shapes.push(Shape { sql: sql.replace('⏎', "\n"), values: values(sql, said) })
            }
            Some(None) => {}
        }
    }
    Ok(shapes)
}

/// The secret at every place that the corpus says is one: `$2`, `within $1`, `$2 by $1`.
fn values(sql: &str, said: &str) -> Vec<String> {
    let number = |text: &str| text.trim().strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
    let mut values = BTreeMap::new();
    for part in said.split(',').map(str::trim) {
        let (place, value, name) = match (part.strip_prefix("within "), part.split_once(" by ")) {
            (Some(place), _) => (place, format!("host=h password={CANARY}"), None),
            (_, Some((place, name))) => (place, CANARY.to_owned(), Some(name)),
            _ => (part, CANARY.to_owned(), None),
        };
        if let Some(place) = number(place) {
            values.insert(place, value);
        }
        if let Some(name) = name.and_then(number) {
            values.insert(name, "my.secret".to_owned());
        }
    }
    let count = (1..10).rev().find(|place| sql.contains(&format!("${place}"))).unwrap_or(0);
    (1..=count).map(|place| values.remove(&place).unwrap_or_else(|| "x".to_owned())).collect()
}

/// Looks into every file; how many there were, and how many that hold events.
fn expect_none_below(dir: &Path) -> Result<(usize, usize), Failed> {
    let (mut files, mut with_events) = (0, 0);
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            let below = expect_none_below(&path)?;
            (files, with_events) = (files + below.0, with_events + below.1);
        } else {
            let bytes = fs::read(&path)?;
            expect_none(&path.display().to_string(), &bytes);
            files += 1;
            with_events += usize::from(bytes.windows(8).any(|window| window == b"the last"));
        }
    }
    Ok((files, with_events))
}

fn expect_none(what: &str, bytes: &[u8]) {
    for part in PARTS {
        let found = bytes.windows(part.len()).position(|window| window.eq_ignore_ascii_case(part.as_bytes()));
        if let Some(at) = found {
            let around = bytes.get(at.saturating_sub(600)..(at + 200).min(bytes.len())).unwrap_or_default();
            panic!("a secret in {what}: {}", String::from_utf8_lossy(around));
        }
    }
}
