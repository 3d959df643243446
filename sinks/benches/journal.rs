//! What an event costs: appended to the journal, and delivered from there to a file. Prints ns and events a second.
//!
//! `cargo bench -p panoptes-sinks`, with `-- EVENTS` for another number than 500,000.

use std::{
    collections::BTreeMap,
    error::Error,
    time::{Duration, Instant},
};

use panoptes_config as config;
use panoptes_event::{Batch, Kind, Uuid};
use panoptes_sinks::{Journal, Origin, Sinks};

const PER_BATCH: u64 = 100;
const SIZE: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(500_000_u64);
    let dir = tempfile::tempdir()?;
    let options = config::Journal { dir: dir.path().join("journal"), ..config::Journal::default() };
    let journal = Journal::open(&options, Origin::default(), &["file"])?;
    let mut batch = Batch::default();
    for n in 0..PER_BATCH {
        batch.event(Uuid::from_u128(n.into()), Kind::Statement, 0, |event| {
            event.member("padding", &"x".repeat(SIZE - 100));
        });
    }
    println!("events of {} bytes in batches of {PER_BATCH}", batch.size() / batch.len());
    let begin = Instant::now();
    for _ in 0..events / PER_BATCH {
        journal.append(&batch)?;
    }
    report("append to the journal", events, begin.elapsed());
    let file = config::File { path: dir.path().join("events.jsonl") };
    let sink = config::Sink { options: config::SinkOptions::File(file), ..config::Sink::default() };
    journal.close()?;
    let begin = Instant::now();
    let sinks = Sinks::start(&BTreeMap::from([("file".to_owned(), sink)]), &journal)?;
    let unfinished = sinks.finish(Duration::from_secs(600));
    report("deliver to a file", events, begin.elapsed());
    assert!(unfinished.is_empty(), "{:?}", journal.stats());
    Ok(())
}

fn report(what: &str, events: u64, took: Duration) {
    let nanos = took.as_nanos() / u128::from(events.max(1));
    let rate = u128::from(events) * 1_000_000_000 / took.as_nanos().max(1);
    println!("{what:24} {nanos:6} ns an event {rate:9} events/s");
}
