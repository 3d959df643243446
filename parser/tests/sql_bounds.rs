//! What a statement made to be slow costs: no more than its length.
//!
//! `cargo test --release -p panoptes-parser --test sql_bounds -- --nocapture` prints what each costs.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::{thread, time::Duration};

use panoptes_parser::sql::{self, Dialect, classify::STACK_BYTES};
use rustix::time::{ClockId, clock_gettime};

/// Runs of each size, of which the best counts: others use the machine's caches too.
const RUNS: usize = 5;
/// So often is measured again what seems to cost too much, before it is said.
const TRIES: usize = 4;
/// What four times the length may cost, where four times would be right and sixteen times is what must not be: caches are
/// left behind, and the clock is not ours alone.
const MOST: f64 = 10.0;
/// Below this the clock says nothing.
const LEAST: Duration = Duration::from_millis(1);

/// A name, how often the piece comes, what is before it, the piece, what is behind it.
type Case = (&'static str, usize, &'static str, &'static str, &'static str);

/// At the size that an attacker would choose: as the issue has it, or some 200 KiB.
const CASES: [Case; 70] = [
    ("escaped pairs", 8_000, "INSERT INTO t VALUES ('", "password%3Da%26", "')"),
    ("chained operators", 40_000, "SELECT 1", "+1", " FROM t"),
    ("chained AND", 40_000, "SELECT 1 FROM t WHERE a", " AND a", ""),
    ("chained OR below the limit", 2_000, "SELECT 1 FROM t WHERE a", " OR a", ""),
    ("parentheses", 10_000, "SELECT * FROM ", "(", "t"),
    ("parentheses below the limit", 24, "SELECT * FROM t JOIN ", "(", "t"),
    ("joins in parentheses", 24, "SELECT * FROM ", "(t JOIN ", "t"),
    ("functions in functions", 24, "SELECT ", "f(1, ", "1"),
    ("semicolons", 100_000, "SELECT 1", ";", ""),
    ("statements", 20_000, "", "SELECT 1;", ""),
    ("plus signs", 200_000, "SELECT ", "+", "1"),
    ("minus signs", 100_000, "SELECT ", "- ", "1"),
    ("at signs", 200_000, "SELECT ", "@", "1"),
    ("brackets", 100_000, "SELECT a", "[1]", ""),
    ("commas", 100_000, "SELECT 1", ",1", ""),
    ("literals in a list", 50_000, "SELECT 1 FROM t WHERE a IN (1", ",1", ")"),
    ("parameters in a list", 20_000, "SELECT 1 FROM t WHERE a IN ($1", ",$2", ")"),
    ("rows", 20_000, "INSERT INTO t VALUES (1, 'a')", ",(1, 'a')", ""),
    ("rows that differ", 10_000, "INSERT INTO t VALUES (1, a)", ",(1, b), (c, 2)", ""),
    ("tables", 20_000, "SELECT * FROM a", ", abcdef", ""),
    ("expressions", 5_000, "WITH a AS (SELECT 1)", ", b AS (SELECT * FROM nowhere)", " SELECT 1"),
    ("comments", 20_000, "SELECT 1", " /* a */", " FROM t"),
    ("nested comments", 50_000, "SELECT 1 ", "/*", ""),
    ("lines of comment", 20_000, "SELECT 'a'", " -- x\n", ""),
    ("strings", 20_000, "SELECT 1", ",'a' ", ""),
    ("pieces of a string", 20_000, "SELECT 'a'", "\n'b'", ""),
    ("dollars", 100_000, "SELECT ", "$", ""),
    ("tags that do not end", 50_000, "SELECT ", "$a ", ""),
    ("quotes", 100_000, "SELECT ", "\"\"", ""),
    ("CASE in CASE", 5_000, "SELECT ", "CASE WHEN 1 THEN ", "1"),
    ("texts that run", 5_000, "DO $x$ BEGIN ", "EXECUTE 'ALTER ' || a || 'b'; ", "END $x$"),
    ("one text of many pieces", 10_000, "DO $x$ BEGIN EXECUTE 'SELECT '", " || 'a, ' || b", "; END $x$"),
    ("EXECUTE of EXECUTE", 20_000, "DO $x$ BEGIN ", "EXECUTE ", "'ALTER ' || a; END $x$"),
    ("calls in a text that runs", 10_000, "DO $x$ BEGIN EXECUTE 'a' || ", "concat('b', ", "'c'; END $x$"),
    ("variables of a text", 5_000, "DO $x$ BEGIN EXECUTE q; ", "q := q || 'SELECT a '; ", "END $x$"),
    ("a key that comes often", 10_000, "SELECT crypt(k, 'a')", ", crypt(k, k)", " FROM (VALUES ('s')) v(k)"),
    (
        "a key by AS",
        8_000,
        "INSERT INTO u SELECT crypt(k, 'x') FROM (",
        "SELECT 'a' AS k UNION ALL ",
        "SELECT 'b' AS k) x",
    ),
    ("a key of a list", 8_000, "SELECT crypt(k, 'x') FROM ", "(VALUES ('a')) v(k), ", "t"),
    ("a key by its place", 20_000, "SELECT crypt(column1, 'x')", ", column1", " FROM (VALUES ('a')) x"),
    ("a text by AS", 2_000, "DO $x$ BEGIN EXECUTE q; ", "SELECT 'a' AS q UNION ", "SELECT 'b' AS q; END $x$"),
    ("values of values", 8_000, "DO $x$ BEGIN PERFORM crypt(k, 'x'); ", "k := ", "'a'; END $x$"),
    ("names and values apart", 15_000, "INSERT INTO t VALUES ('password{", "\"value\":\"a\",", "')"),
    ("escaped signs", 50_000, "INSERT INTO t VALUES ('password", "%3Da", "')"),
    ("PHP's strings", 12_000, "INSERT INTO t VALUES ('", "\"password\";s:9:\"", "')"),
    ("names in lists", 15_000, "INSERT INTO t VALUES ('", "[\"password\",", "')"),
    ("calls beside a name", 15_000, "INSERT INTO t VALUES ('password", " token = f(", "')"),
    ("parts of a path", 15_000, "INSERT INTO t VALUES ('http://", "/password:a", "')"),
    ("lists of sentences", 10_000, "INSERT INTO t VALUES ('", "password:[\"is it\",", "')"),
    ("templates", 15_000, "INSERT INTO t VALUES ('", "password={{a", "')"),
    ("names with escapes", 10_000, "INSERT INTO t VALUES ('", "\\u0070assword\":", "')"),
    ("brackets before signs", 20_000, "INSERT INTO t VALUES ('password=x ", ":)", "')"),
    ("other brackets before signs", 15_000, "INSERT INTO t VALUES ('password=x ", ":[(", "')"),
    ("quotes before signs", 15_000, "INSERT INTO t VALUES ('password=x ", "\":\"", "')"),
    ("backslashes before signs", 15_000, "INSERT INTO t VALUES ('password=x ", ":\"\\", "')"),
    ("queries", 10_000, "INSERT INTO t VALUES ('", "?key=", "')"),
    ("other queries", 8_000, "INSERT INTO t VALUES ('", "?sig=a", "')"),
    ("values that are empty", 5_000, "INSERT INTO t VALUES ('", "token=\"\" ", "')"),
    ("values of secrets", 4_000, "INSERT INTO t VALUES ('", "\"value\":\"token\",", "')"),
    ("Oracle's drivers", 10_000, "SELECT dblink_connect('", ":thin:", "')"),
    ("elements that do not end", 20_000, "INSERT INTO t VALUES ('", "<password>", "')"),
    (
        "a key by WITH",
        2_500,
        "WITH k AS (SELECT 's')",
        ", k AS (SELECT * FROM k)",
        " SELECT crypt((TABLE k), 'x')",
    ),
    (
        "a key of a record",
        4_000,
        "SELECT crypt(k, 'x') FROM json_to_record('s') AS r(k text",
        ", k text DEFAULT 's'",
        ")",
    ),
    ("a key by its function", 10_000, "SELECT crypt(k, 'x') FROM ", "k(", "'s'"),
    (
        "a key of a setting",
        4_000,
        "SELECT crypt(current_setting('a.k'), 'x')",
        ", set_config('a.k', 's')",
        "",
    ),
    ("texts of a query", 4_000, "SELECT crypt('s', a)", ", format('ALTER %s', 'x')", ""),
    ("a text of texts", 4_000, "SELECT crypt('s', a), ", "concat('ALTER ', format('x', ", "'b'"),
    ("pairs", 8_000, "SELECT jsonb_build_object('password', 's'", ", 'password', 's'", ")"),
    ("subqueries", 600, "SELECT 1 FROM t", ", (SELECT * FROM (SELECT 'a') q) r", ""),
    ("expressions below the limit", 1_100, "WITH c AS (SELECT 1)", ", c AS (SELECT 1)", " SELECT 1"),
    ("unions", 5_000, "SELECT 1", " UNION SELECT 1", " FROM t"),
];

#[test]
fn cost_grows_with_length_alone() {
    on_large_stack(|| {
        let mut slow = Vec::new();
        for (dialect, cases) in [(Dialect::POSTGRES, &CASES[..]), (Dialect::MYSQL, &MYSQL[..])] {
            slow.extend(cases.iter().filter_map(|(name, times, before, piece, behind)| {
                let text = |times: usize| [before, &*piece.repeat(times), behind].concat();
                grows(name, dialect, *times, text)
            }));
        }
        slow.extend(grows("tables that are updated", Dialect::MYSQL, 1_000, update));
        assert!(slow.is_empty(), "{slow:#?}");
    });
}

/// MySQL's own.
const MYSQL: [Case; 11] = [
    ("a key by AS", 8_000, "SELECT aes_encrypt('x', k) FROM ", "(SELECT 'a' AS k) x, ", "t"),
    (
        "a key that is declared",
        20_000,
        "BEGIN NOT ATOMIC DECLARE k",
        ", k",
        " TEXT DEFAULT 'x'; SELECT aes_encrypt('a', k); END",
    ),
    (
        "names that are declared",
        20_000,
        "BEGIN NOT ATOMIC SELECT aes_encrypt('a', k); DECLARE k",
        ", k",
        " TEXT; END",
    ),
    ("a key that statements give", 4_000, "SELECT AES_ENCRYPT('a', @k)", ";SET @k = 's', @j = 5", ""),
    ("DECODE of DECODE", 8_000, "SELECT ", "decode(a, ", "'s'"),
    (
        "defaults of parameters",
        4_000,
        "CREATE FUNCTION f(k TEXT DEFAULT 's'",
        ", k TEXT DEFAULT 's'",
        ") RETURNS TEXT RETURN AES_ENCRYPT('a', k)",
    ),
    (
        "columns that are called as they are",
        6_000,
        "SELECT AES_ENCRYPT('a', k) FROM (SELECT 's'",
        ", 't'",
        ") x",
    ),
    ("brackets before signs", 20_000, "INSERT INTO t VALUES ('password=x ", ":)", "')"),
    ("dollar words", 10_000, "SELECT ", "$a$,", "1"),
    ("CONCAT that does not end", 20_000, "SET @a = ", "concat('a', ", ""),
    ("CONCAT of CONCAT", 40_000, "DO $$ BEGIN EXECUTE ", "concat(", ""),
];

/// An UPDATE of so many tables, each of them written.
fn update(tables: usize) -> String {
    let list = |piece: &dyn Fn(usize) -> String| (0..tables).map(piece).collect::<Vec<_>>().join(", ");
    format!("UPDATE {} SET {}", list(&|n| format!("d.t{n}")), list(&|n| format!("t{n}.a = 1")))
}

fn grows(name: &str, dialect: Dialect, times: usize, text: impl Fn(usize) -> String) -> Option<String> {
    let mut last = None;
    for _ in 0..TRIES {
        let (quarter, whole) = (cost(&text(times / 4), dialect), cost(&text(times), dialect));
        println!("{name:<30}{:>10} bytes {whole:>12.3?}", text(times).len());
        if whole <= LEAST || whole.as_secs_f64() / quarter.as_secs_f64() <= MOST {
            return None;
        }
        last = Some(format!("{name}: {quarter:?} for a quarter, {whole:?} for all"));
    }
    last
}

/// Processor time of this thread.
fn spent() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("not negative")
}

/// All that the audit does with a text.
fn cost(text: &str, dialect: Dialect) -> Duration {
    let mut normalized = String::new();
    let mut once = || {
        let begin = spent();
        let pieces: Vec<_> = sql::split(text.as_bytes(), dialect).take(20_001).collect();
        assert!(pieces.iter().all(|piece| piece.end <= text.len()));
        sql::redact(text, dialect);
        if pieces.len() > 1
            && let Some(names) = sql::SecretNames::of(text, dialect)
        {
            for piece in &pieces {
                sql::redact_among(&text[piece.clone()], dialect, &names);
            }
        }
        sql::normalize(text, dialect, &mut normalized);
        sql::effect(text, dialect);
        sql::classify(text, dialect);
        spent() - begin
    };
    std::iter::repeat_with(&mut once).take(RUNS).min().expect("runs")
}

fn on_large_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread").join().expect("no panic");
}
