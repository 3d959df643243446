//! Sinks at their own pace, a journal that is full, destinations that refuse.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "of tests")]

mod support;

use std::{
    fs, thread,
    time::{Duration, SystemTime},
};

use panoptes_config::OnFull;
use panoptes_sinks::{AppendError, Failure, Sinks};
use support::*;

#[test]
fn a_stuck_sink_stops_nobody_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()), &["stuck", "other"]);
    let (stuck, other) = (Probe::default(), Probe::default());
    stuck.hold(true);
    let sinks = start(&journal, &[("stuck", &stuck), ("other", &other)]);
    for n in 0..50 {
        journal.append(&batch(n * 100..(n + 1) * 100, 100)).unwrap();
    }
    assert_eq!(bodies(&other.wait(5_000)), (0..5_000).collect::<Vec<_>>());
    assert_eq!(stuck.received(), []);
    let stats = journal.stats();
    assert_eq!((stats.appended, stats.last_seq), (5_000, 5_000));
    assert_eq!(stats.sinks[0].lag_events, 5_000);
    // Its oldest event is of 1970.
    assert!(stats.sinks[0].lag > Duration::from_secs(86_400 * 365 * 50), "{stats:?}");
    stuck.hold(false);
    finish(journal, sinks);
    assert_eq!(bodies(&stuck.received()), (0..5_000).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_hangs_does_not_hold_up_the_end_and_gets_the_rest_after_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = open(&options, &["slow"]);
    let slow = Probe::default();
    let sinks = start(&journal, &[("slow", &slow)]);
    journal.append(&batch(0..5, 0)).unwrap();
    slow.wait(5);
    slow.fail(Failure::Retry { reason: "down".into(), after: Some(PATIENCE) });
    journal.append(&batch(5..9, 0)).unwrap();
    journal.close().unwrap();
    assert_eq!(sinks.finish(Duration::from_millis(50)), ["slow"]);
    assert_eq!(journal.append(&batch(9..10, 0)), Err(AppendError::Closed { events: 1 }));
    drop(journal);
    let journal = open(&options, &["slow"]);
    let sinks = start(&journal, &[("slow", &slow)]);
    finish(journal, sinks);
    let received = slow.received();
    assert_eq!(bodies(&received), (0..9).collect::<Vec<_>>());
    assert_eq!(received[9].gap, Some((1, "journal closed".into())), "what came too late is told");
}

#[test]
fn full_and_block_waits_until_a_sink_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path(), OnFull::Block), &["probe"]);
    let probe = Probe::default();
    probe.hold(true);
    let sinks = start(&journal, &[("probe", &probe)]);
    let appender = thread::spawn({
        let journal = journal.clone();
        move || {
            for n in 0..200 {
                journal.append(&batch(n * 5..(n + 1) * 5, 1_000)).unwrap();
            }
        }
    });
    while journal.writable().is_ok() {
        thread::yield_now();
    }
    assert!(journal.stats().bytes <= 256 << 10);
    assert!(!appender.is_finished());
    probe.hold(false);
    appender.join().unwrap();
    let stats = journal.stats();
    assert!(stats.blocked > Duration::ZERO && stats.dropped == 0 && stats.bytes <= 256 << 10, "{stats:?}");
    finish(journal, sinks);
    assert_eq!(seqs(&probe.received()), (1..=1_000).collect::<Vec<_>>());
    assert!(segments(dir.path()).len() < 16, "what every sink has passed is deleted");
}

#[test]
fn nobody_waits_for_a_sink_that_is_not_required_and_what_it_misses_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path(), OnFull::Block), &["optional", "required"]);
    let (optional, required) = (Probe::default(), Probe::default());
    optional.hold(true);
    let mut sinks = start(&journal, &[("required", &required)]);
    let config = panoptes_config::Sink { required: false, ..eager() };
    sinks.add("optional", &config, &journal, optional.clone()).unwrap();
    for n in 0..100 {
        journal.append(&batch(n * 10..(n + 1) * 10, 1_000)).unwrap();
        required.wait((n as usize + 1) * 10);
    }
    optional.hold(false);
    finish(journal.clone(), sinks);
    assert_eq!(seqs(&required.received()), (1..=1_000).collect::<Vec<_>>());
    let received = seqs(&optional.received());
    assert!(received.is_sorted() && received.last() == Some(&1_000), "{received:?}");
    let missed = journal.stats().sinks.iter().find(|sink| sink.name == "optional").unwrap().missed;
    assert!(missed > 500 && received.len() as u64 + missed == 1_000, "{missed}");
}

#[test]
fn what_all_sinks_have_is_kept_for_its_retention_but_never_fills_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3_600);
    let options = panoptes_config::Journal { retention: hour, ..small(dir.path(), OnFull::Block) };
    let journal = open(&options, &["probe"]);
    let probe = Probe::default();
    let sinks = start(&journal, &[("probe", &probe)]);
    for n in 0..100 {
        journal.append(&batch(n * 10..(n + 1) * 10, 1_000)).unwrap();
        probe.wait((n as usize + 1) * 10);
    }
    finish(journal, sinks);
    let kept: u64 = segments(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!((64 << 10..=160 << 10).contains(&kept), "{kept} bytes");
    // It is the age of what is there that counts, not that of the process.
    let count = segments(dir.path()).len();
    drop(open(&options, &["probe"]));
    assert_eq!(segments(dir.path()).len(), count);
    for path in segments(dir.path()) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * hour).unwrap();
    }
    drop(open(&options, &["probe"]));
    assert_eq!(segments(dir.path()).len(), 1);
}

#[test]
fn who_waits_for_room_is_let_go_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let options = small(dir.path(), OnFull::Block);
    let journal = open(&options, &["probe"]);
    let appender = thread::spawn({
        let journal = journal.clone();
        move || {
            (0..).find_map(|n| journal.append(&batch(n..n + 1, 1_000)).err().map(|error| (n, error))).unwrap()
        }
    });
    while journal.writable().is_ok() {
        thread::yield_now();
    }
    journal.close().unwrap();
    let (taken, error) = appender.join().unwrap();
    assert_eq!(error, AppendError::Closed { events: 1 });
    drop(journal);
    let probe = Probe::default();
    let journal = open(&options, &["probe"]);
    let sinks = start(&journal, &[("probe", &probe)]);
    finish(journal, sinks);
    let received = probe.received();
    assert_eq!(bodies(&received), (0..taken).collect::<Vec<_>>());
    assert_eq!(received.last().unwrap().gap, Some((1, "journal closed".into())));
}

#[test]
fn full_and_drop_counts_and_tells_before_the_next_event() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path(), OnFull::Drop), &["probe"]);
    let probe = Probe::default();
    probe.hold(true);
    let sinks = start(&journal, &[("probe", &probe)]);
    let mut dropped = 0;
    let mut taken = Vec::new();
    for n in 0..400 {
        match journal.append(&batch(n * 2..(n + 1) * 2, 1_000)) {
            Ok(_) => taken.extend([n * 2, n * 2 + 1]),
            Err(AppendError::Dropped { events, reason }) => {
                assert_eq!((events, reason.as_str()), (2, "journal full"));
                dropped += 2;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(dropped > 100);
    assert_eq!(journal.writable(), Err("journal full".into()));
    probe.hold(false);
    probe.wait(taken.len());
    while journal.writable().is_err() {
        thread::yield_now();
    }
    journal.append(&batch(1_000..1_001, 0)).unwrap();
    assert_eq!(journal.stats().dropped, dropped);
    finish(journal, sinks);
    let received = probe.received();
    assert_eq!(seqs(&received), (1..=received.len() as u64).collect::<Vec<_>>());
    taken.push(1_000);
    assert_eq!(bodies(&received), taken);
    let gap = &received[received.len() - 2];
    assert_eq!(gap.gap, Some((dropped, "journal full".into())));
}

#[test]
fn an_event_too_large_becomes_a_gap_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path(), OnFull::Block), &["probe"]);
    let appended = journal.append(&padded([(0, 0), (1, 40_000), (2, 0)])).unwrap();
    assert_eq!((appended.first, appended.last), (1, 3));
    let probe = Probe::default();
    let sinks = start(&journal, &[("probe", &probe)]);
    finish(journal, sinks);
    let received = probe.received();
    assert_eq!(bodies(&received), [0, 2]);
    assert_eq!(received[1].gap, Some((1, "event too large for the journal".into())));
}

#[test]
fn failed_batches_come_again_in_order_and_refused_events_are_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()), &["probe"]);
    let probe = Probe::default();
    probe.fail(Failure::retry("down"));
    probe.fail(Failure::Partial {
        again: vec![0, 3],
        refused: vec![(1, "mapping \u{1b}".into())],
        unproven: vec![],
        reason: "some".into(),
        after: None,
    });
    journal.append(&batch(0..5, 0)).unwrap();
    let sinks = start(&journal, &[("probe", &probe)]);
    probe.wait(4);
    journal.append(&batch(5..6, 0)).unwrap();
    probe.wait(5);
    let stats = journal.stats().sinks.remove(0);
    assert_eq!((stats.dead_lettered, stats.failures, stats.retried), (1, 2, 5 + 2));
    finish(journal.clone(), sinks);
    assert_eq!(bodies(&probe.received()), [2, 4, 0, 3, 5]);
    assert_eq!(probe.batches()[..3], [5, 5, 2]);
    let stats = journal.stats().sinks.remove(0);
    assert_eq!((stats.delivered, stats.lag_events, stats.last_error), (5, 0, None));
    let letters = fs::read_to_string(dir.path().join("dead-letters/probe.jsonl")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(letters.trim_end()).unwrap();
    assert_eq!((&letter["event"]["body"], &letter["reason"]), (&1.into(), &"mapping \u{1b}".into()));
}

#[test]
fn batches_keep_to_their_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()), &["events", "bytes"]);
    journal.append(&batch(0..100, 1_000)).unwrap();
    journal.append(&batch(100..101, 100_000)).unwrap();
    let (events, bytes) = (Probe::default(), Probe::default());
    let mut sinks = Sinks::none();
    let mut config = eager();
    config.batch.max_events = 30;
    sinks.add("events", &config, &journal, events.clone()).unwrap();
    config = eager();
    config.batch.max_bytes = panoptes_config::ByteSize::kib(8);
    sinks.add("bytes", &config, &journal, bytes.clone()).unwrap();
    assert!(sinks.add("stranger", &config, &journal, bytes.clone()).is_err());
    finish(journal, sinks);
    // The last one was written alone.
    assert_eq!(events.batches(), [30, 30, 30, 10, 1]);
    let batches = bytes.batches();
    assert!(batches.iter().all(|&n| n <= 8) && batches.last() == Some(&1), "{batches:?}");
    assert_eq!(bodies(&bytes.received()), (0..101).collect::<Vec<_>>());
}

/// The bodies of the dead letters of the sink `judge`, in order.
fn dead(dir: &std::path::Path) -> Vec<u64> {
    let letters = fs::read_to_string(dir.join("dead-letters/judge.jsonl")).unwrap_or_default();
    let letter = |line: &str| {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(letter["reason"], "not that");
        letter["event"]["body"].as_u64().unwrap()
    };
    let mut bodies: Vec<u64> = letters.lines().map(letter).collect();
    bodies.sort_unstable();
    bodies
}

fn wait_until(journal: &panoptes_sinks::Journal, done: impl Fn(&panoptes_sinks::journal::SinkStats) -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !done(&journal.stats().sinks[0]) {
        assert!(std::time::Instant::now() < deadline, "{:?}", journal.stats().sinks[0]);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_event_that_is_refused_first_and_alone_waits_for_another_to_be_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, judge) = (open(&options(dir.path()), &["judge"]), Judge::new([0, 1, 2]));
    let mut sinks = Sinks::none();
    sinks.add("judge", &eager(), &journal, judge.clone()).unwrap();
    journal.append(&batch(0..3, 0)).unwrap();
    wait_until(&journal, |sink| sink.failures > 5);
    let stats = journal.stats().sinks.remove(0);
    assert_eq!((stats.dead_lettered, stats.lag_events), (0, 3));
    assert_eq!(stats.last_error.as_deref(), Some("it takes no event: not that"));
    journal.append(&batch(3..9, 0)).unwrap();
    wait_until(&journal, |sink| sink.lag_events == 0);
    finish(journal, sinks);
    assert_eq!(dead(dir.path()), [0, 1, 2]);
    // None comes twice, though one had to come before its turn.
    assert_eq!(bodies(&judge.taken()), (3..9).collect::<Vec<_>>());
}

#[test]
fn a_destination_that_refuses_everything_has_no_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, judge) = (open(&options(dir.path()), &["judge"]), Judge::new([55]));
    let mut sinks = Sinks::none();
    sinks.add("judge", &eager(), &journal, judge.clone()).unwrap();
    journal.append(&batch(0..20, 0)).unwrap();
    wait_until(&journal, |sink| sink.lag_events == 0);
    judge.refuse_all(true);
    for n in 2..8 {
        journal.append(&batch(n * 10..(n + 1) * 10, 0)).unwrap();
        let before = journal.stats().sinks[0].failures;
        wait_until(&journal, |sink| sink.failures > before + 2);
    }
    assert_eq!(journal.stats().sinks[0].dead_lettered, 0);
    judge.refuse_all(false);
    finish(journal, sinks);
    assert_eq!(dead(dir.path()), [55]);
    let mut taken = bodies(&judge.taken());
    taken.sort_unstable();
    assert_eq!(taken, (0..80).filter(|body| *body != 55).collect::<Vec<_>>());
}

#[test]
fn a_long_run_of_refused_events_is_come_over() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, judge) = (open(&options(dir.path()), &["judge"]), Judge::new(0..2_000));
    for n in 0..21 {
        journal.append(&batch(n * 100..(n + 1) * 100, 0)).unwrap();
    }
    let mut sinks = Sinks::none();
    sinks.add("judge", &eager(), &journal, judge.clone()).unwrap();
    finish(journal, sinks);
    assert_eq!(dead(dir.path()), (0..2_000).collect::<Vec<_>>());
    assert_eq!(bodies(&judge.taken()), (2_000..2_100).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_panics_is_begun_anew_and_nothing_of_it_is_lost_or_comes_twice() {
    const PANICS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()), &["faulty", "other"]);
    let (faulty, other) = (Faulty::new(44, PANICS), Probe::default());
    let mut sinks = start(&journal, &[("other", &other)]);
    let mut config = eager();
    config.batch.max_events = 10;
    sinks.add("faulty", &config, &journal, faulty.clone()).unwrap();
    for n in 0..10 {
        journal.append(&batch(n * 10..(n + 1) * 10, 0)).unwrap();
    }
    faulty.probe.wait(100);
    let stats = journal.stats().sinks.remove(0);
    assert_eq!((stats.panics, stats.failures), (PANICS as u64, 0));
    finish(journal.clone(), sinks);
    assert_eq!(journal.stats().sinks[0].last_error, None);
    assert_eq!(bodies(&faulty.probe.received()), (0..100).collect::<Vec<_>>());
    assert_eq!(bodies(&other.received()), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_panics_for_ever_holds_up_neither_the_end_nor_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = open(&options, &["faulty"]);
    let faulty = Faulty::new(0, usize::MAX);
    let mut sinks = Sinks::none();
    sinks.add("faulty", &eager(), &journal, faulty.clone()).unwrap();
    journal.append(&batch(0..5, 0)).unwrap();
    wait_until(&journal, |sink| sink.panics > 3);
    let error = journal.stats().sinks.remove(0).last_error.unwrap_or_default();
    assert!(error.is_empty() || error.contains("a defect of Panoptes"), "{error}");
    journal.close().unwrap();
    assert_eq!(sinks.finish(Duration::from_millis(50)), ["faulty"]);
    drop(journal);
    let (journal, mended) = (open(&options, &["faulty"]), Probe::default());
    let sinks = start(&journal, &[("faulty", &mended)]);
    finish(journal, sinks);
    assert_eq!((bodies(&mended.received()), bodies(&faulty.probe.received())), ((0..5).collect(), vec![]));
}
