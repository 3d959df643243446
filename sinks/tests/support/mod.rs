//! A journal in a temporary folder, events for it, and a sink that does what a test wants.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "of tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use panoptes_config::{self as config, ByteSize, OnFull};
use panoptes_event::{Batch, Event, Kind, Uuid};
use panoptes_sinks::{Failure, Journal, Origin, Records, Sink, Sinks, journal::Error};

/// Longer than anything here takes; reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn options(dir: &Path) -> config::Journal {
    config::Journal {
        dir: dir.to_owned(),
        sync_interval: Duration::from_millis(1),
        ..config::Journal::default()
    }
}

/// A journal of 256 KiB in segments of 16 KiB.
pub fn small(dir: &Path, on_full: OnFull) -> config::Journal {
    config::Journal { max_size: ByteSize::kib(256), segment_size: ByteSize::kib(16), on_full, ..options(dir) }
}

pub fn origin() -> Origin {
    Origin { app_name: "shop".into(), environment: "test".into(), instance: "proxy-1".into() }
}

/// Opens a journal, once the threads of an earlier run have let go of it.
pub fn open(options: &config::Journal, sinks: &[&str]) -> Journal {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Journal::open(options, origin(), sinks) {
            Err(Error::Locked { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Events with these bodies, under ids made of them.
pub fn batch(bodies: impl IntoIterator<Item = u64>, padding: usize) -> Batch {
    padded(bodies.into_iter().map(|body| (body, padding)))
}

/// Events with these bodies and so much padding each.
pub fn padded(events: impl IntoIterator<Item = (u64, usize)>) -> Batch {
    let mut batch = Batch::default();
    for (body, padding) in events {
        let padding = "x".repeat(padding);
        let micros = i64::try_from(body).unwrap();
        batch.event(Uuid::from_u128(body.into()), Kind::Statement, micros, |event| {
            event.member("body", &body).member("padding", &padding);
        });
    }
    batch
}

/// A sink's configuration: retries at once, batches as they come.
pub fn eager() -> config::Sink {
    config::Sink {
        batch: config::Batch { max_wait: Duration::ZERO, ..config::Batch::default() },
        retry: config::Retry { initial: Duration::from_millis(1), max: Duration::from_millis(1) },
        ..config::Sink::default()
    }
}

pub fn file_sink(path: PathBuf) -> config::Sink {
    config::Sink {
        options: config::SinkOptions::File(config::File { path, ..config::File::default() }),
        ..eager()
    }
}

/// What a sink has received, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub seq: u64,
    /// None for what is not one of [`batch`]'s.
    pub body: Option<u64>,
    /// Of a gap event.
    pub gap: Option<(u64, String)>,
}

pub fn received(json: &[u8]) -> Received {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    let event: Option<Event> = serde_json::from_slice(json).ok();
    Received {
        seq: value["seq"].as_u64().unwrap(),
        body: value["body"].as_u64(),
        gap: event.and_then(|event| event.gap).map(|gap| (gap.count, gap.reason)),
    }
}

/// The events in a file of JSON lines; each line must be whole.
pub fn lines(path: &Path) -> Vec<Received> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| received(line.as_bytes())).collect()
}

/// A sink in memory that a test holds the reins of.
#[derive(Clone, Default)]
pub struct Probe(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// Deliveries block while this is set.
    held: bool,
    /// What the next deliveries answer.
    failures: Vec<Failure>,
    batches: Vec<usize>,
}

impl Probe {
    pub fn hold(&self, held: bool) {
        self.0.0.lock().unwrap().held = held;
        self.0.1.notify_all();
    }

    pub fn fail(&self, failure: Failure) {
        self.0.0.lock().unwrap().failures.push(failure);
    }

    pub fn received(&self) -> Vec<Received> {
        self.0.0.lock().unwrap().received.clone()
    }

    pub fn batches(&self) -> Vec<usize> {
        self.0.0.lock().unwrap().batches.clone()
    }

    /// Waits until this many events are there.
    pub fn wait(&self, events: usize) -> Vec<Received> {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self.0.1.wait_timeout_while(state, PATIENCE, |s| s.received.len() < events).unwrap();
        assert!(state.received.len() >= events, "only {} of {events} events", state.received.len());
        state.received.clone()
    }
}

impl Sink for Probe {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| state.held).unwrap();
        state.batches.push(batch.len());
        let failure = (!state.failures.is_empty()).then(|| state.failures.remove(0));
        let taken = |place: usize| match &failure {
            None => true,
            Some(Failure::Retry { .. } | Failure::Refused { .. }) => false,
            Some(Failure::Partial { again, refused, .. }) => {
                !again.contains(&place) && refused.iter().all(|(refused, _)| *refused != place)
            }
        };
        let records = batch.iter().enumerate().filter(|(place, _)| taken(*place));
        state.received.extend(records.map(|(_, record)| received(record.json)));
        self.0.1.notify_all();
        failure.map_or(Ok(()), Err)
    }
}

/// A destination in memory that takes a batch whole or refuses it whole.
#[derive(Clone, Default)]
pub struct Judge(Arc<Mutex<Court>>);

#[derive(Default)]
struct Court {
    taken: Vec<Received>,
    /// Bodies that it never takes.
    poison: Vec<u64>,
    refuses_all: bool,
}

impl Judge {
    pub fn new(poison: impl IntoIterator<Item = u64>) -> Self {
        let judge = Self::default();
        judge.0.lock().unwrap().poison.extend(poison);
        judge
    }

    pub fn refuse_all(&self, refuses_all: bool) {
        self.0.lock().unwrap().refuses_all = refuses_all;
    }

    pub fn taken(&self) -> Vec<Received> {
        self.0.lock().unwrap().taken.clone()
    }
}

impl Sink for Judge {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let mut court = self.0.lock().unwrap();
        let events: Vec<Received> = batch.iter().map(|record| received(record.json)).collect();
        let poison = |event: &Received| event.body.is_some_and(|body| court.poison.contains(&body));
        if court.refuses_all || events.iter().any(poison) {
            return Err(Failure::Refused { reason: "not that".into() });
        }
        court.taken.extend(events);
        Ok(())
    }
}

/// A destination in memory with a defect: it panics over a body, so many times.
#[derive(Clone)]
pub struct Faulty {
    pub probe: Probe,
    body: u64,
    left: Arc<AtomicUsize>,
}

impl Faulty {
    pub fn new(body: u64, times: usize) -> Self {
        Self { probe: Probe::default(), body, left: Arc::new(AtomicUsize::new(times)) }
    }
}

impl Sink for Faulty {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let is_over_it = batch.iter().any(|record| received(record.json).body == Some(self.body));
        let less = |left: usize| left.checked_sub(1).filter(|_| is_over_it);
        assert!(self.left.fetch_update(SeqCst, SeqCst, less).is_err(), "a defect");
        self.probe.deliver(batch).await
    }
}

/// Starts these sinks.
pub fn start(journal: &Journal, probes: &[(&str, &Probe)]) -> Sinks {
    let mut sinks = Sinks::none();
    for (name, probe) in probes {
        sinks.add(name, &eager(), journal, (*probe).clone()).unwrap();
    }
    sinks
}

/// Ends a run in order: everything is delivered.
pub fn finish(journal: Journal, sinks: Sinks) {
    journal.close().unwrap();
    assert_eq!(sinks.finish(PATIENCE), [] as [String; 0]);
    drop(journal);
}

/// Delivers what is left in a journal to a file sink called `file`, in a run of its own.
pub fn drain(options: &config::Journal, path: &Path) -> Vec<Received> {
    let journal = open(options, &["file"]);
    let sinks =
        Sinks::start(&BTreeMap::from([("file".to_owned(), file_sink(path.to_owned()))]), &journal).unwrap();
    finish(journal, sinks);
    lines(path)
}

/// The segments of a journal, oldest first.
pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut segments: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
    segments.sort();
    segments
}

pub fn bodies(received: &[Received]) -> Vec<u64> {
    received.iter().filter_map(|event| event.body).collect()
}

pub fn seqs(received: &[Received]) -> Vec<u64> {
    received.iter().map(|event| event.seq).collect()
}
