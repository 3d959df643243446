//! What an event costs: appended to the journal, and delivered from there to a file. Prints ns and events a second; and
//! the CPU time of both threads while a sink keeps up, behind the first gigabyte; what the chain adds to an append; and how
//! many statements a second the disk allows where each waits for its event (`durable`), and for its intent before (`strict`).
//!
//! `cargo bench -p panoptes-sinks`, with `-- EVENTS` for another number than 500,000.

use std::{
    collections::BTreeMap,
    error::Error,
    fs, thread,
    time::{Duration, Instant},
};

use panoptes_config as config;
use panoptes_event::{Batch, Kind, Uuid};
use panoptes_sinks::{Failure, Journal, Origin, Records, Sink, Sinks, journal::SigningKey};

const PER_BATCH: u64 = 100;
const SIZE: usize = 1_000;
/// Events appended before the steady state is measured.
const WARM_UP: u64 = 1_000_000;
/// How long it is measured how many can wait.
const WAITED: Duration = Duration::from_secs(3);
/// How many events the appender may be ahead.
const BEHIND: u64 = 20_000;

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
    let file = config::File { path: dir.path().join("events.jsonl"), ..config::File::default() };
    let sink = config::Sink { options: config::SinkOptions::File(file), ..config::Sink::default() };
    journal.close()?;
    let begin = Instant::now();
    let sinks = Sinks::start(&BTreeMap::from([("file".to_owned(), sink)]), &journal)?;
    let unfinished = sinks.finish(Duration::from_secs(600));
    report("deliver to a file", events, begin.elapsed());
    assert!(unfinished.is_empty(), "{:?}", journal.stats());
    drop(journal);
    for chained in [false, true, false, true] {
        append(events, &batch, chained)?;
    }
    for (mode, appenders, syncs) in
        [("durable", 1, 1), ("durable", 16, 1), ("strict", 1, 2), ("strict", 16, 2)]
    {
        waited(mode, appenders, syncs)?;
    }
    recovery(&batch)?;
    steady(events, &batch)
}

/// How long a start takes behind a crash that left a gigabyte which no sink has taken.
fn recovery(batch: &Batch) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let options = config::Journal { dir: dir.path().join("journal"), ..config::Journal::default() };
    let journal = Journal::open(&options, Origin::default(), &["file"])?;
    while journal.stats().bytes < 1 << 30 {
        journal.append(batch)?;
    }
    let last = journal.stats().last_seq;
    drop(journal);
    fs::write(options.dir.join("running"), "")?;
    let begin = Instant::now();
    let journal = Journal::open(&options, Origin::default(), &["file"])?;
    println!("{:24} {:6} ms", "recovery of 1 GiB", begin.elapsed().as_millis());
    assert_eq!(journal.stats().last_seq, last + 1, "all of it, and the gap event");
    Ok(())
}

/// The CPU time of an append, with and without the chain: its hash, its link, and a signature each thousand events.
fn append(events: u64, batch: &Batch, chained: bool) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut options = config::Journal { dir: dir.path().join("journal"), ..config::Journal::default() };
    if chained {
        let key = dir.path().join("key");
        SigningKey::generate()?.save(&key, &dir.path().join("pub"))?;
        options.signing_key_file = Some(key);
    }
    let journal = Journal::open(&options, Origin::default(), &[])?;
    let begin = thread_cpu()?;
    for _ in 0..events / PER_BATCH {
        journal.append(batch)?;
    }
    let what = if chained { "CPU of append, chained" } else { "CPU of append" };
    report(what, events, Duration::from_nanos(thread_cpu()? - begin));
    Ok(())
}

/// As many statements as can be told in some seconds, by so many at once who each append one event and wait until it is
/// durable, so many times a statement.
fn waited(mode: &str, appenders: usize, waits: u64) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let options = config::Journal { dir: dir.path().join("journal"), ..config::Journal::default() };
    let journal = Journal::open(&options, Origin::default(), &[])?;
    let begin = Instant::now();
    let one = || {
        let mut batch = Batch::default();
        batch.event(Uuid::nil(), Kind::Statement, 0, |event| {
            event.member("padding", &"x".repeat(SIZE - 100));
        });
        let (call, called) = std::sync::mpsc::sync_channel(1);
        let mut done = 0;
        while begin.elapsed() < WAITED {
            for _ in 0..waits {
                let call = call.clone();
                if journal.append(&batch).is_ok() {
                    journal.when_durable(move || _ = call.send(()));
                    done += u64::from(called.recv().is_ok());
                }
            }
        }
        done / waits
    };
    let all = thread::scope(|scope| {
        let appenders: Vec<_> = (0..appenders).map(|_| scope.spawn(one)).collect();
        appenders.into_iter().map(|one| one.join().unwrap_or_default()).sum::<u64>()
    });
    let took = begin.elapsed();
    let syncs = journal.stats().syncs;
    report(&format!("{mode}, {appenders} at once"), all, took);
    println!("{:24} {syncs:6} syncs, {:.1} statements each", "", all as f64 / syncs as f64);
    Ok(())
}

/// Appends no faster than the sink delivers.
fn steady(events: u64, batch: &Batch) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let options = config::Journal { dir: dir.path().join("journal"), ..config::Journal::default() };
    let journal = Journal::open(&options, Origin::default(), &["file"])?;
    let mut sinks = Sinks::none();
    sinks.add("file", &config::Sink::default(), &journal, Discard)?;
    let (mut append, mut others) = (0, 0);
    for n in 0..(WARM_UP + events) / PER_BATCH {
        if n == WARM_UP / PER_BATCH {
            (append, others) = (0, process_cpu()? - thread_cpu()?);
        }
        let begin = thread_cpu()?;
        journal.append(batch)?;
        append += thread_cpu()? - begin;
        while n % 64 == 0 && journal.stats().sinks.iter().any(|sink| sink.lag_events > BEHIND) {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let others = process_cpu()? - thread_cpu()? - others;
    report("CPU of append, steady", events, Duration::from_nanos(append));
    report("CPU of the others", events, Duration::from_nanos(others));
    journal.close()?;
    assert!(sinks.finish(Duration::from_secs(600)).is_empty());
    Ok(())
}

/// A sink that costs nothing: what is measured is the way to it.
#[derive(Clone)]
struct Discard;

impl Sink for Discard {
    async fn deliver(&mut self, _: &Records<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// Nanoseconds on a CPU that this thread has had.
fn thread_cpu() -> Result<u64, Box<dyn Error>> {
    on_cpu("/proc/thread-self/schedstat")
}

/// Those of all threads that live.
fn process_cpu() -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        sum += on_cpu(&format!("{}/schedstat", task?.path().display()))?;
    }
    Ok(sum)
}

fn on_cpu(schedstat: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(schedstat)?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn report(what: &str, events: u64, took: Duration) {
    let nanos = took.as_nanos() / u128::from(events.max(1));
    let rate = u128::from(events) * 1_000_000_000 / took.as_nanos().max(1);
    println!("{what:24} {nanos:6} ns an event {rate:9} events/s");
}
