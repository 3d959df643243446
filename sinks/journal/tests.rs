//! Faults that only the inside can bring about.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use panoptes_config::{self as config, ByteSize};
use panoptes_event::{Batch, Kind, Uuid};

mod ahead;
mod folders;
mod intents;
mod reuse;

use super::{Follower, Journal, Origin, lock, scan, segment};

fn options(dir: &std::path::Path) -> config::Journal {
    // Synced by hand alone.
    config::Journal {
        dir: dir.to_owned(),
        sync_interval: Duration::from_secs(3_600),
        ..config::Journal::default()
    }
}

fn open(options: &config::Journal) -> Journal {
    Journal::open(options, Origin::default(), &["sink"]).unwrap()
}

fn append(journal: &Journal, events: usize) {
    let mut batch = Batch::default();
    for _ in 0..events {
        batch.event(Uuid::nil(), Kind::Statement, 5, |event| {
            event.member("padding", &"x".repeat(100));
        });
    }
    journal.append(&batch).unwrap();
}

/// The numbers of all events up to the journal's end.
fn rest(follower: &mut Follower) -> Vec<u64> {
    let mut seqs = Vec::new();
    while follower.read(3, 1_000).unwrap() {
        let (block, spans) = follower.batch();
        for span in spans {
            let event: serde_json::Value = serde_json::from_slice(span.json(block)).unwrap();
            assert_eq!(event["seq"], span.seq);
            seqs.push(span.seq);
        }
        follower.acknowledge(0, 0);
    }
    seqs
}

fn fail_syncs(journal: &Journal, n: u64) {
    journal.0.shared.failing_syncs.store(n, Relaxed);
}

/// Segments by their first number.
fn firsts(journal: &Journal) -> Vec<u64> {
    let names = journal.0.shared.directory.names().unwrap();
    names.iter().filter_map(|name| segment::first(name)).collect()
}

/// Segments of some twelve events.
fn small(dir: &Path) -> config::Journal {
    config::Journal { segment_size: ByteSize::kib(3), ..options(dir) }
}

/// The last segment: its path, and where its records end.
fn last(journal: &Journal) -> (PathBuf, u64) {
    let (first, extent) = lock(&journal.0.shared.ledger).locate(u64::MAX).unwrap();
    (journal.dir().join(segment::name(first)), extent.end)
}

/// What a kill leaves on disk, but for the sign of it: the gap event that tells of a crash has a test of its own.
fn image(dir: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let image = tempfile::tempdir().unwrap();
    copy(dir, image.path());
    // One that is ended already has none.
    let _ = fs::remove_file(image.path().join(crate::journal::open::RUNNING));
    image
}

fn names(dir: &Path, suffix: &str) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(suffix)).collect()
}

/// Opens what is in a folder, appends one event, and gives back the numbers that the sink has not had, and how many
/// are lost.
fn after(dir: &Path) -> (Vec<u64>, u64) {
    let journal = open(&small(dir));
    append(&journal, 1);
    let seqs = rest(&mut journal.follow("sink").unwrap());
    (seqs, journal.stats().dropped)
}

#[test]
fn a_failed_sync_moves_the_unsynced_events_to_a_new_segment() {
    for synced in [0, 10] {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        let journal = open(&options);
        let mut follower = journal.follow("sink").unwrap();
        append(&journal, synced);
        journal.0.shared.sync().unwrap();
        append(&journal, 10);
        assert!(follower.read(synced + 5, 1 << 20).unwrap(), "in the middle of what moves");
        follower.acknowledge(0, 0);
        fail_syncs(&journal, 1);
        journal.0.shared.sync().unwrap();
        assert_eq!(journal.stats().sync_failures, 1);
        append(&journal, 10);
        journal.0.shared.tail.forget();
        let (first, last) = (synced as u64 + 1, synced as u64 + 20);
        assert_eq!(rest(&mut follower), (first + 5..=last).collect::<Vec<_>>());
        let expected = if synced == 0 { vec![1, 11] } else { vec![1, 11, 21] };
        assert_eq!(firsts(&journal), expected);
        drop((journal, follower));
        let journal = open(&options);
        append(&journal, 1);
        let mut follower = journal.follow("sink").unwrap();
        assert_eq!(rest(&mut follower), (1..=last + 1).collect::<Vec<_>>(), "nothing twice, nothing less");
        assert_eq!(journal.stats().dropped, 0);
    }
}

#[test]
fn who_waits_for_an_event_to_be_durable_is_called_when_it_is_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody else would sync for an hour.
    let journal = open(&options(dir.path()));
    append(&journal, 1);
    let (called, calls) = std::sync::mpsc::channel();
    let wait = |name: &'static str| {
        let called = called.clone();
        journal.when_durable(move || called.send(name).unwrap());
    };
    wait("first");
    assert_eq!(calls.recv_timeout(Duration::from_secs(60)), Ok("first"));
    wait("at once");
    assert_eq!(calls.try_recv(), Ok("at once"), "nothing came since");
    append(&journal, 1);
    // The file, and the one that takes its place.
    fail_syncs(&journal, 2);
    wait("after a failure");
    assert_eq!(calls.recv_timeout(Duration::from_secs(60)), Ok("after a failure"));
    assert_eq!(journal.stats().sync_failures, 2);
}

#[test]
fn a_segment_that_somebody_removed_is_a_gap_and_the_rest_is_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    let mut follower = journal.follow("sink").unwrap();
    (0..60).for_each(|_| append(&journal, 1));
    journal.0.shared.tail.forget();
    let (gone, behind) = (firsts(&journal)[1], firsts(&journal)[2]);
    fs::remove_file(dir.path().join(segment::name(gone))).unwrap();
    let mut seqs = rest(&mut follower);
    append(&journal, 1);
    seqs.extend(rest(&mut follower));
    let expected: Vec<u64> = (1..=62).filter(|seq| !(gone..behind).contains(seq)).collect();
    assert_eq!(seqs, expected);
    assert_eq!(journal.stats().dropped, behind - gone, "a gap event tells of them");
}

#[test]
fn a_journal_is_one_processs_even_where_its_lock_file_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()));
    let is_locked = || {
        let other = Journal::open(&options(dir.path()), Origin::default(), &["sink"]);
        matches!(other, Err(crate::journal::Error::Locked { .. }))
    };
    assert!(is_locked());
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert!(is_locked() && is_locked(), "also by one that made the file anew");
    drop(journal);
    open(&options(dir.path()));
}

#[test]
fn a_journal_in_memory_delivers_and_leaves_nothing_behind() {
    let nowhere = tempfile::tempdir().unwrap().path().to_owned();
    let options = config::Journal { mode: config::Mode::Memory, ..options(&nowhere) };
    // What a process left that was killed.
    let left = std::path::Path::new("/dev/shm/panoptes-journal-left-by-a-test");
    fs::create_dir_all(left).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    let journal = open(&options);
    assert!(journal.is_in_memory() && !left.exists() && !nowhere.exists());
    assert_eq!(journal.letters(), nowhere, "dead letters stay");
    let read_only = config::Journal { dir: "/dev/null/panoptes".into(), ..options.clone() };
    let without = open(&read_only);
    assert_eq!(without.letters(), without.dir(), "unless nothing can be written there");
    let dir = journal.dir().to_owned();
    let other = open(&options);
    assert!(other.dir() != dir && dir.exists(), "one that is open is left alone");
    append(&journal, 9);
    let mut follower = journal.follow("sink").unwrap();
    assert_eq!(rest(&mut follower), (1..=9).collect::<Vec<_>>());
    follower.save();
    drop((follower, journal, other, without));
    assert!(!dir.exists());
}

#[test]
fn while_nothing_can_be_synced_the_journal_counts_as_full() {
    let dir = tempfile::tempdir().unwrap();
    let options = config::Journal { on_full: config::OnFull::Drop, ..options(dir.path()) };
    let journal = open(&options);
    append(&journal, 3);
    fail_syncs(&journal, 2);
    assert!(journal.0.shared.sync().is_err());
    assert!(journal.writable().unwrap_err().starts_with("cannot sync the journal"));
    let mut batch = Batch::default();
    batch.event(Uuid::nil(), Kind::Statement, 5, |_| {});
    assert!(journal.append(&batch).is_err());
    journal.0.shared.sync().unwrap();
    append(&journal, 1);
    assert_eq!(rest(&mut journal.follow("sink").unwrap()), [1, 2, 3, 4, 5], "4 is the gap event");
    assert_eq!(journal.stats().dropped, 1);
}

#[test]
fn damage_found_while_reading_is_told_once_and_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = Journal::open(&options, Origin::default(), &["sink", "other"]).unwrap();
    append(&journal, 20);
    let path = dir.path().join(segment::name(1));
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"!", 1_000).unwrap();
    journal.0.shared.tail.forget();
    for sink in ["sink", "other"] {
        let seqs = rest(&mut journal.follow(sink).unwrap());
        assert_eq!((seqs.len(), seqs.last()), (20, Some(&21)), "one is gone, and 21 says so: {seqs:?}");
    }
    assert_eq!(journal.stats().dropped, 1);
}

#[test]
fn a_sink_that_keeps_up_needs_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()));
    let mut follower = journal.follow("sink").unwrap();
    append(&journal, 9);
    let path = dir.path().join(segment::name(1));
    let written = fs::read(&path).unwrap();
    fs::write(&path, vec![0; written.len()]).unwrap();
    assert_eq!(rest(&mut follower), [1, 2, 3, 4, 5, 6, 7, 8, 9], "in batches of three");
    append(&journal, 6);
    journal.0.shared.tail.forget();
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&written, 0).unwrap();
    assert_eq!(rest(&mut follower), [10, 11, 12, 13, 14, 15], "on from where the memory ended");
    follower.save();
    drop((journal, follower));
    assert_eq!(rest(&mut open(&options(dir.path())).follow("sink").unwrap()), [0; 0]);
}

#[test]
fn a_cursor_that_points_astray_is_a_hint_only() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&open(&options), 9);
    fs::write(dir.path().join("cursors/sink"), r#"{"segment":1,"offset":77,"seq":4}"#).unwrap();
    let journal = open(&options);
    assert_eq!(rest(&mut journal.follow("sink").unwrap()), [5, 6, 7, 8, 9]);
}

#[test]
fn the_age_of_the_oldest_event_is_read_from_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&options(dir.path()));
    assert_eq!(journal.stats().sinks[0].lag, Duration::ZERO);
    append(&journal, 2);
    let mut follower = journal.follow("sink").unwrap();
    assert!(follower.read(1, 1).unwrap());
    follower.acknowledge(0, 0);
    let stats = journal.stats().sinks.remove(0);
    assert_eq!((stats.lag_events, stats.delivered), (1, 1));
    assert!(stats.lag > Duration::from_secs(1_700_000_000), "its time is 1970");
    follower.save();
    assert_eq!(lock(&journal.0.shared.sinks[0].cursors).saved.seq, 1);
}
