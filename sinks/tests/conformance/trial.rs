//! One run: events into a journal, the journal to a destination, and what must be there at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use panoptes_config::{self as config, ByteSize, SinkOptions};
use panoptes_event::{Batch, Db, Kind, Meta, Operation, Outcome, Session, Sql, Uuid, time};
use panoptes_sinks::{Journal, Sinks};
use serde_json::Value;

use crate::support::{self, PATIENCE};

pub const SINK: &str = "trial";
const SESSIONS: u64 = 5;
/// Of events that are not as they should be.
const SHOWN: usize = 10;
/// 2026-11-22 23:59:58, so that events are of two days.
pub const START: i64 = 1_795_391_998_000_000;

/// An event at its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub id: String,
    pub seq: u64,
    pub session: String,
}

impl Got {
    /// Of an event in its native form.
    pub fn of(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: text(&event["id"]),
            seq: event["seq"].as_u64().unwrap(),
            session: text(&event["session"]["id"]),
        }
    }
}

/// How an event is made that the destination will never take.
#[derive(Clone, Copy)]
pub enum Poison {
    /// So many characters of SQL.
    Large(usize),
    /// A text where an object belongs.
    WrongType,
    /// A NUL within the SQL.
    Nul,
    /// A day that is none.
    NoDate,
    /// So many characters of what cannot be cut.
    LargeReason(usize),
}

/// A journal, its sink, and the events that went in.
pub struct Run {
    dir: tempfile::TempDir,
    config: BTreeMap<String, config::Sink>,
    journal: Option<Journal>,
    sinks: Option<Sinks>,
    sent: u64,
    poison: BTreeSet<String>,
    /// Of runs before.
    failures_before: u64,
}

impl Run {
    pub fn new(options: SinkOptions) -> Self {
        let batch = config::Batch {
            max_events: 20,
            max_bytes: ByteSize::kib(12),
            max_wait: Duration::from_millis(1),
        };
        let retry = config::Retry { initial: Duration::from_millis(5), max: Duration::from_millis(50) };
        Self::with(config::Sink { options, batch, retry, ..config::Sink::default() })
    }

    /// As a sink is by default.
    pub fn by_default(options: SinkOptions) -> Self {
        // As the configuration does it, where nothing is said of batches.
        Self::with(config::Sink { batch: options.batch(), options, ..config::Sink::default() })
    }

    fn with(sink: config::Sink) -> Self {
        let mut run = Self {
            dir: tempfile::tempdir().unwrap(),
            config: BTreeMap::from([(SINK.to_owned(), sink)]),
            journal: None,
            sinks: None,
            sent: 0,
            poison: BTreeSet::new(),
            failures_before: 0,
        };
        run.open();
        run
    }

    fn open(&mut self) {
        // A sink that was in the middle of a request when it was left to itself holds the journal until it is out of it.
        self.journal = Some(support::open(&support::options(self.dir.path()), &[SINK]));
    }

    pub fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    pub fn start(&mut self) {
        self.sinks = Some(Sinks::start(&self.config, self.journal()).unwrap());
    }

    /// Ends Panoptes, and starts it again with another configuration.
    pub fn reconfigure(&mut self, options: SinkOptions) {
        self.config.get_mut(SINK).unwrap().options = options;
        self.restart();
    }

    /// Ends Panoptes in the middle of its work, and starts it again.
    pub fn restart(&mut self) {
        self.failures_before += self.failures();
        self.sinks.take().unwrap().finish(Duration::ZERO);
        drop(self.journal.take());
        self.open();
        self.start();
    }

    /// Kills Panoptes, as far as its sink and its journal can tell, and starts it again: it goes on with the files as they
    /// are at some moment of its work.
    pub fn kill(&mut self) {
        self.failures_before += self.failures();
        let left = tempfile::tempdir().unwrap();
        copy(self.dir.path(), left.path());
        // The gap event that tells of a crash is none of those that were sent.
        fs::remove_file(left.path().join("running")).unwrap();
        self.sinks.take().unwrap().finish(Duration::ZERO);
        drop(self.journal.take());
        self.dir = left;
        self.open();
        self.start();
    }

    pub fn send(&mut self, events: u64) {
        self.send_sized(events, 10);
    }

    /// With so many characters of SQL each.
    pub fn send_sized(&mut self, events: u64, characters: usize) {
        let mut batch = Batch::default();
        (0..events).for_each(|_| self.event(&mut batch, None, characters));
        self.journal().append(&batch).unwrap();
    }

    pub fn send_poison(&mut self, poison: Poison) {
        let mut batch = Batch::default();
        self.event(&mut batch, Some(poison), 10);
        self.journal().append(&batch).unwrap();
    }

    fn event(&mut self, batch: &mut Batch, poison: Option<Poison>, characters: usize) {
        let n = self.sent;
        self.sent += 1;
        let at = START + i64::try_from(n).unwrap() * 10_000;
        let timestamp = time::rfc3339(at);
        let date =
            if let Some(Poison::NoDate) = poison { "none".to_owned() } else { timestamp[..10].to_owned() };
        let padding = if let Some(Poison::Large(size)) = poison { size } else { characters };
        let nul = if let Some(Poison::Nul) = poison { "\0" } else { "" };
        let id = Uuid::from_u128(1_000_000 + u128::from(n));
        if poison.is_some() {
            self.poison.insert(id.to_string());
        }
        let reason = match poison {
            Some(Poison::LargeReason(size)) => incompressible(size),
            _ => String::new(),
        };
        let meta = Meta {
            app_name: "shop".into(),
            reason,
            time: timestamp[11..19].to_owned(),
            timestamp,
            timestamp_unix: at / 1_000_000,
            date,
            ..Meta::default()
        };
        let sql = Sql {
            raw: Some(format!("SELECT '{}{nul}'", incompressible(padding))),
            outcome: Some(Outcome::Ok),
            success: Some(true),
            parameters: Some(vec![Value::from(n), Value::from("é\n"), Value::Null]),
            ..Sql::default()
        };
        let operation = Operation { kind: "SELECT".into(), category: "DML".into(), ..Operation::default() };
        let session = Session { id: Uuid::from_u128(u128::from(n % SESSIONS) + 7), ..Session::default() };
        batch.event(id, Kind::Statement, at, |event| {
            match poison {
                Some(Poison::WrongType) => event.member("meta", "none"),
                _ => event.member("meta", &meta),
            };
            event.member("db", &Db { engine: "postgres".into(), ..Db::default() });
            event.member("operation", &operation).member("sql", &sql).member("session", &session);
        });
    }

    /// Events that went in.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Deliveries that failed.
    pub fn failures(&self) -> u64 {
        self.journal().stats().sinks[0].failures
    }

    pub fn delivered(&self) -> u64 {
        self.journal().stats().sinks[0].delivered
    }

    pub fn wait_for_failures(&self, more: u64) {
        let before = self.failures();
        wait_for("deliveries to fail", || self.failures() >= before + more);
    }

    /// Waits until all is delivered, and ends.
    pub fn finish(&mut self) {
        let journal = self.journal.take().unwrap();
        let last = || format!("{:?}", journal.stats().sinks[0]);
        journal.close().unwrap();
        let behind = self.sinks.take().unwrap().finish(PATIENCE * 2);
        assert!(behind.is_empty(), "{}", last());
    }

    /// Each event is there, by its id; those of a session came in order; those refused are dead letters.
    pub fn check(&self, got: &[Got], ordered: bool) {
        let dead = self.dead_letters();
        let unexpected = dead.iter().find(|(id, _)| !self.poison.contains(*id));
        assert!(unexpected.is_none(), "a dead letter: {unexpected:?}");
        assert!(self.sent > 0 && !got.is_empty());
        let mut seen = BTreeSet::new();
        let firsts: Vec<&Got> = got.iter().filter(|event| seen.insert(event.id.clone())).collect();
        let id = |n: u64| Uuid::from_u128(1_000_000 + u128::from(n)).to_string();
        let expected: BTreeSet<String> =
            (0..self.sent).map(id).filter(|id| !self.poison.contains(id)).collect();
        let missing: Vec<_> = expected.difference(&seen).take(SHOWN).collect();
        let extra: Vec<_> = seen.difference(&expected).take(SHOWN).collect();
        assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}, extra {extra:?}");
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for event in firsts.iter().filter(|_| ordered) {
            let before = last.insert(&event.session, event.seq);
            assert!(before < Some(event.seq), "{event:?} came after {before:?}");
        }
        assert_eq!(dead.into_keys().collect::<BTreeSet<_>>(), self.poison);
        eprintln!(
            "{} events sent, {} arrived, {} repeats",
            self.sent,
            firsts.len(),
            got.len() - firsts.len()
        );
    }

    /// Ids with the reason.
    pub fn dead_letters(&self) -> BTreeMap<String, String> {
        let file = self.dir.path().join(format!("dead-letters/{SINK}.jsonl"));
        let text = fs::read_to_string(file).unwrap_or_default();
        let letters = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        letters
            .map(|letter| {
                let reason = letter["reason"].as_str().unwrap().to_owned();
                assert!(!reason.is_empty());
                (letter["event"]["id"].as_str().unwrap().to_owned(), reason)
            })
            .collect()
    }
}

/// Files may go while they are copied: what is not there was passed by the sink, or is about to take its place.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to)),
        }
    }
}

/// So many hex digits without a pattern.
fn incompressible(digits: usize) -> String {
    let mut state = 1_u64;
    let digit = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_digit((state >> 60) as u32, 16).unwrap()
    };
    (0..digits).map(digit).collect()
}

pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE * 2;
    while !done() {
        assert!(Instant::now() < deadline, "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A file as lines.
pub fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
