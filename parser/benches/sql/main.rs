//! What a statement costs to understand: `cargo bench -p panoptes-parser --bench sql`.
//!
//! | row | what is done, as the audit does it |
//! |---|---|
//! | repeated | a look-up of the text |
//! | new literals | redaction, normalized text, effect on the session, a look-up of the normalized text |
//! | first sight | all that, the class and the fingerprint |
//! | sqlparser | its parser alone, for comparison |
//!
//! Prints microseconds a statement for each dialect: the best of many short runs, on one core. `parser/benches/instructions`
//! counts instructions instead: it calls this with a dialect, a row, a size and how often. `parser/benches/pg_query` measures
//! what `pg_query`'s fingerprint takes for the same texts.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench fails loudly")]

mod text;

use std::{
    collections::HashMap,
    env,
    hash::{BuildHasherDefault, Hasher},
    hint::black_box,
    thread,
    time::Duration,
};

use panoptes_parser::sql::{self, Dialect, classify::STACK_BYTES};
use rustix::time::{ClockId, clock_gettime};
use sqlparser::{
    dialect::{MySqlDialect, PostgreSqlDialect},
    parser::Parser,
};
use text::{SIZES, text};
use xxhash_rust::xxh3::xxh3_64;

const ROWS: [&str; 4] = ["repeated", "new literals", "first sight", "sqlparser"];
const PARTS: [&str; 5] = ["split", "redact", "normalize", "effect", "classify"];
const DIALECTS: [(&str, Dialect); 2] = [("postgres", Dialect::POSTGRES), ("mysql", Dialect::MYSQL)];
/// Runs of each, of which the best counts: others use the machine too.
const RUNS: usize = 30;
const RUN: Duration = Duration::from_millis(20);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let work = move || match &arguments[..] {
        [dialect, row, size, times] => count(dialect, row, size, times.parse().expect("a number")),
        _ => DIALECTS.iter().for_each(|(name, dialect)| table(name, *dialect)),
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread").join().expect("no panic");
}

fn table(name: &str, dialect: Dialect) {
    print!("{:<14}", format!("{name}, µs"));
    SIZES.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!("{:>14}", "ns/byte");
    for row in ROWS.iter().chain(&PARTS) {
        print!("{row:<14}");
        let mut per_byte = 0.0;
        for (_, bytes) in SIZES {
            let mut bench = Bench::new(bytes, dialect);
            let micros = bench.time(row);
            per_byte = micros * 1e3 / bench.bytes() as f64;
            print!("{micros:>12.3}");
        }
        println!("{per_byte:>14.3}");
    }
}

fn count(dialect: &str, row: &str, size: &str, times: usize) {
    let dialect = DIALECTS.iter().find(|(name, _)| *name == dialect).expect("a dialect").1;
    let bytes = SIZES.iter().find(|(name, _)| *name == size).expect("a size").1;
    let mut bench = Bench::new(bytes, dialect);
    (0..times).for_each(|_| bench.run(row));
}

/// Texts of one shape with their own literals, and what the audit keeps.
struct Bench {
    dialect: Dialect,
    texts: Vec<String>,
    next: usize,
    normalized: String,
    known: HashMap<Box<str>, usize, BuildHasherDefault<Hash>>,
}

impl Bench {
    fn new(bytes: usize, dialect: Dialect) -> Self {
        let texts: Vec<String> = (0..16).map(|number| text(bytes, number)).collect();
        let mut known = HashMap::default();
        let mut normalized = String::new();
        for text in &texts {
            sql::normalize(text, dialect, &mut normalized);
            known.insert(text.as_str().into(), 1);
            known.insert(normalized.as_str().into(), 1);
        }
        Self { dialect, texts, next: 0, normalized, known }
    }

    fn bytes(&self) -> usize {
        self.texts[0].len()
    }

    /// Microseconds, the best of some runs.
    fn time(&mut self, row: &str) -> f64 {
        let mut times = 1;
        while self.once(row, times) < RUN {
            times *= 2;
        }
        let best = (0..RUNS).map(|_| self.once(row, times)).min().expect("runs");
        best.as_secs_f64() * 1e6 / times as f64
    }

    fn once(&mut self, row: &str, times: usize) -> Duration {
        let begin = now();
        (0..times).for_each(|_| self.run(row));
        now() - begin
    }

    fn run(&mut self, row: &str) {
        let Self { dialect, texts, next, normalized, known } = self;
        let dialect = *dialect;
        *next = (*next + 1) % texts.len();
        let text = black_box(texts[*next].as_str());
        let mut understand = || {
            black_box(sql::redact(text, dialect));
            sql::normalize(text, dialect, normalized);
            black_box(sql::effect(text, dialect));
            black_box(known.get(normalized.as_str()));
        };
        match row {
            "repeated" => _ = black_box(known.get(text)),
            "new literals" => understand(),
            "first sight" => {
                understand();
                black_box(sql::classify(text, dialect));
                black_box(sql::fingerprint(normalized));
            }
            "sqlparser" => _ = black_box(parse(text, dialect)),
            "split" => _ = black_box(sql::split(text.as_bytes(), dialect).count()),
            "redact" => _ = black_box(sql::redact(text, dialect)),
            "normalize" => sql::normalize(text, dialect, black_box(normalized)),
            "effect" => _ = black_box(sql::effect(text, dialect)),
            "classify" => _ = black_box(sql::classify(text, dialect)),
            _ => panic!("no such row: {row}"),
        }
    }
}

/// On this thread's own clock: what others do meanwhile does not count.
fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("nanoseconds"))
}

fn parse(text: &str, dialect: Dialect) -> impl Sized {
    match dialect {
        Dialect::Postgres { .. } => Parser::parse_sql(&PostgreSqlDialect {}, text),
        Dialect::Mysql { .. } => Parser::parse_sql(&MySqlDialect {}, text),
    }
}

#[derive(Default)]
struct Hash(u64);

impl Hasher for Hash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }
}
