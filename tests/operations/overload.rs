//! A sink that takes nothing, and then no room in the journal: clients wait and nothing is lost, or they go on and the
//! trail says how much it lacks, or they are sent away.

use std::{
    collections::BTreeSet,
    fs,
    net::{Shutdown, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig, has, is_error,
    support::{PATIENCE, panoptes::Panoptes, raw::Raw, wait_for},
};

pub(crate) const TESTS: &[Named] = &[
    ("block_makes_clients_wait_and_loses_nothing", block),
    ("drop_goes_on_and_tells_the_count", drop_and_tell),
    ("fail_closed_ends_sessions_and_loses_nothing", fail_closed),
    ("full_device", full_device),
    ("stop_while_blocked", stop_while_blocked),
    ("who_leaves_while_blocked_is_noticed", leave_while_blocked),
];

/// Statements a client sends, each with so much text: far more than journal and queues hold.
const STATEMENTS: usize = 3_000;
const TEXT: usize = 2_000;
const CLIENTS: usize = 2;
const JOURNAL_FULL: &str = "the journal takes no more events";

fn block(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded(rig, "block");
    let clients = Clients::start(proxy.port);
    proxy.wait_for_log(JOURNAL_FULL);
    let waiting = clients.come_to_rest();
    assert!(waiting < CLIENTS * STATEMENTS, "clients wait");
    let (status, troubles) = proxy.get("/readyz");
    assert!(status == 503 && troubles.contains("journal"), "{status} {troubles}");

    fs::remove_file(sink(proxy.dir()))?;
    clients.finish();
    let events = proxy.wait_for("every event", |events| events.iter().filter(is_logout).count() == CLIENTS);
    assert_eq!(told(&events), (CLIENTS * STATEMENTS, 0));
    numbered(&events);
    wait_for("readiness", || (proxy.get("/readyz").0 == 200).then_some(()));
    assert!(proxy.stop().success(), "{}", proxy.log());
    Ok(())
}

fn drop_and_tell(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded(rig, "drop");
    Clients::start(proxy.port).finish();
    fs::remove_file(sink(proxy.dir()))?;
    // The journal tells of a loss with the next event that it has room for.
    proxy.wait_for("the sink to recover", |events| has(events, "login"));
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let (statements, lost) = told(&events);
    assert!(lost > 0, "some were lost, and it is told");
    // Besides the statements, the sessions' beginnings and ends may be lost.
    let others = events.iter().filter(|e| e["kind"] == "login" || e["kind"] == "logout").count();
    assert_eq!(statements + others + lost, CLIENTS * (STATEMENTS + 2), "{} told, {lost} lost", events.len());
    numbered(&events);
    Ok(())
}

/// Nobody waits: sessions end between two statements, new ones are refused; it is over as soon as there is room.
fn fail_closed(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded(rig, "fail_closed");
    let (mut idle, mut in_block) = (Raw::connect(proxy.port)?, Raw::connect(proxy.port)?);
    assert_eq!(in_block.query("begin")?.completed, 1);
    let clients = Clients::start(proxy.port);
    for session in [&mut idle, &mut in_block] {
        let told = session.last_words()?;
        assert!(matches!(&told.errors[..], [error] if is_error(error, "FATAL", "57P01")), "{told:?}");
    }
    let answered = clients.ended();
    assert!(answered < CLIENTS * STATEMENTS, "they were ended");
    let refused = Raw::greet(proxy.port)?.last_words()?;
    assert!(matches!(&refused.errors[..], [error] if is_error(error, "FATAL", "57P03")), "{refused:?}");
    assert_eq!(proxy.get("/readyz").0, 503);
    assert_eq!(proxy.metric("panoptes_journal_high_water"), 1.0);

    fs::remove_file(sink(proxy.dir()))?;
    proxy.wait_for_log("sessions are served");
    assert_eq!(Raw::connect(proxy.port)?.query("select 1")?.completed, 1);
    assert!(proxy.stop().success(), "{}", proxy.log());
    let log = proxy.log();
    assert!(log.contains("the journal is 80 % full") && log.contains("less than 80 % full again"), "{log}");
    let events = proxy.events();
    let (statements, lost) = self::told(&events);
    assert!(statements > answered && lost == 0, "{answered} answered, {statements} told, {lost} lost");
    numbered(&events);
    Ok(())
}

/// A disk without space fails writes, not opens.
fn full_device(rig: &Rig) -> Result<(), Failed> {
    let environment = [("PANOPTES_SINKS__FILE__PATH", "/dev/full")];
    let proxy = Panoptes::start_prepared(rig.server().port, "", &environment, |_| {});
    assert_eq!(Raw::connect(proxy.port)?.query("select 1")?.completed, 1);
    proxy.wait_for_log("delivery failed");
    let lag = || proxy.metric(r#"panoptes_sink_lag_events{sink="file"}"#);
    wait_for("login, statement and logout to wait for the sink", || (lag() == 3.0).then_some(()));
    assert!(proxy.metric(r#"panoptes_sink_events_total{result="failures",sink="file"}"#) > 0.0);
    assert_eq!(proxy.get("/readyz").0, 200, "the journal has room");
    Ok(())
}

/// The journal is full and the sink does not recover: the proxy ends all the same, and says what is not delivered.
fn stop_while_blocked(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded(rig, "block");
    let clients = Clients::start(proxy.port);
    proxy.wait_for_log(JOURNAL_FULL);
    clients.come_to_rest();
    proxy.signal("TERM");
    assert!(proxy.ended().success(), "{}", proxy.log());
    assert!(proxy.log().contains("not everything is delivered"), "{}", proxy.log());
    drop(clients);
    fs::remove_file(sink(proxy.dir()))?;
    proxy.start_again();
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    assert!(has(&events, "statement"), "what the journal had is delivered after the next start");
    numbered(&events);
    Ok(())
}

/// A client that waits for room is not read, and its end is noticed all the same.
fn leave_while_blocked(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded(rig, "block");
    let clients = Clients::start(proxy.port);
    proxy.wait_for_log(JOURNAL_FULL);
    clients.come_to_rest();
    assert_eq!(proxy.metric("panoptes_connections"), CLIENTS as f64);
    clients.leave();
    wait_for("their sessions to end", || (proxy.metric("panoptes_connections") == 0.0).then_some(()));
    assert_eq!(proxy.get("/readyz").0, 503, "there is no room still");
    fs::remove_file(sink(proxy.dir()))?;
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let reasons: Vec<_> = events.iter().filter(is_logout).map(|e| &e["session"]["endReason"]).collect();
    assert_eq!(reasons, ["client_eof"; CLIENTS]);
    numbered(&events);
    Ok(())
}

/// A proxy with little room whose sink has a folder in the place of its file.
fn overloaded(rig: &Rig, on_full: &str) -> Panoptes {
    overloaded_in(rig, on_full, "async")
}

/// The same in another mode.
pub(crate) fn overloaded_in(rig: &Rig, on_full: &str, mode: &str) -> Panoptes {
    let environment = [
        ("PANOPTES_JOURNAL__MODE", mode),
        ("PANOPTES_JOURNAL__ON_FULL", on_full),
        ("PANOPTES_JOURNAL__MAX_SIZE", "2 MiB"),
        ("PANOPTES_JOURNAL__SEGMENT_SIZE", "256 KiB"),
        ("PANOPTES_AUDIT__QUEUE", "256 KiB"),
        ("PANOPTES_LIMITS__DRAIN_TIMEOUT", "3 s"),
        ("PANOPTES_SINKS__FILE__RETRY__INITIAL", "10 ms"),
        ("PANOPTES_SINKS__FILE__RETRY__MAX", "50 ms"),
    ];
    // A link to itself can be opened by nobody.
    let prepare = |dir: &Path| std::os::unix::fs::symlink(sink(dir), sink(dir)).expect("a link");
    Panoptes::start_prepared(rig.server().port, "", &environment, prepare)
}

pub(crate) fn sink(dir: &Path) -> std::path::PathBuf {
    dir.join("events.jsonl")
}

/// Clients that send all their statements, one by one.
struct Clients {
    answered: Arc<AtomicUsize>,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start(port: u16) -> Self {
        let answered = Arc::<AtomicUsize>::default();
        let sessions: Vec<_> = (0..CLIENTS).map(|_| Raw::connect(port).expect("a session")).collect();
        let stream = |session: &Raw| session.stream().try_clone().expect("a file for it");
        let streams = sessions.iter().map(stream).collect();
        let client = |mut session: Raw| {
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                let text = format!("select 1 /* {} */", "x".repeat(TEXT));
                for _ in 0..STATEMENTS {
                    if session.query(&text).is_err() {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads = sessions.into_iter().map(client).collect();
        Self { answered, streams, threads }
    }

    /// Ends their connections, whatever they wait for.
    fn leave(self) {
        self.streams.iter().for_each(|stream| stream.shutdown(Shutdown::Both).expect("an open socket"));
        self.ended();
    }

    /// Waits until no more is answered for a while; how many were.
    fn come_to_rest(&self) -> usize {
        const WHILE: Duration = Duration::from_millis(500);
        let (mut last, mut since) = (0, Instant::now());
        wait_for("clients to wait", || {
            let now = self.answered.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() > WHILE).then_some(now)
        })
    }

    /// Waits until all sessions are over, however that came; how many statements were answered.
    fn ended(self) -> usize {
        self.threads.into_iter().for_each(|client| client.join().expect("no panic"));
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until all is answered.
    fn finish(self) {
        let begun = Instant::now();
        for client in self.threads {
            client.join().expect("no panic");
        }
        assert_eq!(
            self.answered.load(Ordering::Relaxed),
            CLIENTS * STATEMENTS,
            "after {:?}",
            begun.elapsed()
        );
        assert!(begun.elapsed() < PATIENCE);
    }
}

/// Statement events, and what gap events say is missing.
fn told(events: &[Value]) -> (usize, usize) {
    let statements = events.iter().filter(|e| e["kind"] == "statement").count();
    let lost =
        events.iter().filter(|e| e["kind"] == "gap").filter_map(|e| e["gap"]["count"].as_u64()).sum::<u64>();
    (statements, usize::try_from(lost).expect("a count"))
}

fn is_logout(event: &&Value) -> bool {
    event["kind"] == "logout"
}

/// `seq` has no holes, no id is there twice.
fn numbered(events: &[Value]) {
    let numbers: Vec<_> = events.iter().map(|e| e["seq"].as_u64().expect("a number")).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    let ids: BTreeSet<_> = events.iter().map(|e| e["id"].to_string()).collect();
    assert_eq!(ids.len(), events.len());
}
