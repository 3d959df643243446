//! What a statement costs to understand: `cargo bench -p panoptes-parser --bench sql`.
//!
//! | row | what is done, as the audit does it |
//! |---|---|
//! | repeated | a look-up of the text |
//! | new literals | redaction, normalized text, effect on the session, a look-up of the normalized text |
//! | first sight | all that, the class and the fingerprint |
//! | sqlparser | its parser alone, for comparison |
//!
//! Prints microseconds a statement: the best of many short runs, on one core. `parser/benches/instructions` counts
//! instructions instead: it calls this with a row, a size and how often.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench fails loudly")]

use std::{
    collections::HashMap,
    env,
    hash::{BuildHasherDefault, Hasher},
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use panoptes_parser::sql::{self, Dialect, classify::STACK_BYTES};
use sqlparser::{dialect::PostgreSqlDialect, parser::Parser};
use xxhash_rust::xxh3::xxh3_64;

const ROWS: [&str; 4] = ["repeated", "new literals", "first sight", "sqlparser"];
const PARTS: [&str; 5] = ["split", "redact", "normalize", "effect", "classify"];
const SIZES: [(&str, usize); 3] = [("100 B", 100), ("1 KiB", 1 << 10), ("64 KiB", (64 << 10) - 64)];
/// Runs of each, of which the best counts: others use the machine too.
const RUNS: usize = 30;
const RUN: Duration = Duration::from_millis(20);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let work = move || match &arguments[..] {
        [row, size, times] => count(row, size, times.parse().expect("a number")),
        _ => table(),
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread").join().expect("no panic");
}

fn table() {
    print!("{:<14}", "µs");
    SIZES.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!("{:>14}", "ns/byte");
    for row in ROWS.iter().chain(&PARTS) {
        print!("{row:<14}");
        let mut per_byte = 0.0;
        for (_, bytes) in SIZES {
            let mut bench = Bench::new(bytes);
            let micros = bench.time(row);
            per_byte = micros * 1e3 / bench.bytes() as f64;
            print!("{micros:>12.3}");
        }
        println!("{per_byte:>14.3}");
    }
}

fn count(row: &str, size: &str, times: usize) {
    let bytes = SIZES.iter().find(|(name, _)| *name == size).expect("a size").1;
    let mut bench = Bench::new(bytes);
    (0..times).for_each(|_| bench.run(row));
}

/// Texts of one shape with their own literals, and what the audit keeps.
struct Bench {
    texts: Vec<String>,
    next: usize,
    normalized: String,
    known: HashMap<Box<str>, usize, BuildHasherDefault<Hash>>,
}

impl Bench {
    fn new(bytes: usize) -> Self {
        let texts: Vec<String> = (0..16).map(|number| text(bytes, number)).collect();
        let mut known = HashMap::default();
        let mut normalized = String::new();
        for text in &texts {
            sql::normalize(text, Dialect::POSTGRES, &mut normalized);
            known.insert(text.as_str().into(), 1);
            known.insert(normalized.as_str().into(), 1);
        }
        Self { texts, next: 0, normalized, known }
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
        let begin = Instant::now();
        (0..times).for_each(|_| self.run(row));
        begin.elapsed()
    }

    fn run(&mut self, row: &str) {
        let Self { texts, next, normalized, known } = self;
        *next = (*next + 1) % texts.len();
        let text = black_box(texts[*next].as_str());
        let mut understand = || {
            black_box(sql::redact(text, Dialect::POSTGRES));
            sql::normalize(text, Dialect::POSTGRES, normalized);
            black_box(sql::effect(text, Dialect::POSTGRES));
            black_box(known.get(normalized.as_str()));
        };
        match row {
            "repeated" => _ = black_box(known.get(text)),
            "new literals" => understand(),
            "first sight" => {
                understand();
                black_box(sql::classify(text, Dialect::POSTGRES));
                black_box(sql::fingerprint(normalized));
            }
            "sqlparser" => _ = black_box(Parser::parse_sql(&PostgreSqlDialect {}, text)),
            "split" => _ = black_box(sql::split(text.as_bytes(), Dialect::POSTGRES).count()),
            "redact" => _ = black_box(sql::redact(text, Dialect::POSTGRES)),
            "normalize" => sql::normalize(text, Dialect::POSTGRES, black_box(normalized)),
            "effect" => _ = black_box(sql::effect(text, Dialect::POSTGRES)),
            "classify" => _ = black_box(sql::classify(text, Dialect::POSTGRES)),
            _ => panic!("no such row: {row}"),
        }
    }
}

/// A query as an application sends it, about `bytes` long, with literals of its own.
fn text(bytes: usize, number: usize) -> String {
    let number = 1_000 + number;
    let mut text = format!(
        "SELECT o.id, o.state, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = {number}"
    );
    let mut column = 0;
    while text.len() + 45 < bytes {
        column += 1;
        text += &format!(" AND (o.column_{} <> 'value {number}' OR c.x > {number})", column % 10);
    }
    text
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
