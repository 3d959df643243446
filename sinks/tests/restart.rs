//! What a journal holds after it ended in order, in a crash, or damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "of tests")]

mod support;

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
};

use panoptes_sinks::{Origin, journal::Error};
use proptest::prelude::*;
use support::*;

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(&dir.path().join("journal")), dir.path().join("out/events.jsonl"));
    for run in 0..4 {
        let journal = open(&options, &["file"]);
        for n in 0..10 {
            let first = run * 100 + n * 10;
            let appended = journal.append(&batch(first..first + 10, 0)).unwrap();
            assert_eq!((appended.first, appended.last), (first + 1, first + 10));
        }
        drop(journal);
        if run % 2 == 1 {
            drain(&options, &out);
        }
    }
    let received = lines(&out);
    assert_eq!(bodies(&received), (0..400).collect::<Vec<_>>());
    assert_eq!(seqs(&received), (1..=400).collect::<Vec<_>>());
}

#[test]
fn the_first_events_are_not_skipped_when_the_first_run_crashes() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(dir.path()), dir.path().join("out"));
    // It never came to a delivery: there is no cursor but the one made at the start.
    open(&options, &["file"]).append(&batch(0..3, 0)).unwrap();
    assert_eq!(bodies(&drain(&options, &out)), [0, 1, 2]);
}

#[test]
fn a_crash_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(dir.path()), dir.path().join("out"));
    open(&options, &["file"]).append(&batch(0..3, 0)).unwrap();
    fs::write(dir.path().join("running"), "").unwrap();
    for _ in 0..2 {
        let received = drain(&options, &out);
        assert_eq!(bodies(&received), [0, 1, 2]);
        let (count, reason) = received[3].gap.clone().unwrap();
        assert!(count == 0 && reason.contains("ended without notice"), "{reason}");
        assert_eq!(received.len(), 4);
    }
}

#[test]
fn a_new_sink_begins_with_the_next_event_and_a_lost_cursor_with_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(dir.path()), dir.path().join("out"));
    open(&options, &["other"]).append(&batch(0..3, 0)).unwrap();
    let journal = open(&options, &["other", "file"]);
    journal.append(&batch(3..5, 0)).unwrap();
    drop(journal);
    assert_eq!(bodies(&drain(&options, &out)), [3, 4]);
    fs::write(dir.path().join("cursors/file"), "no cursor").unwrap();
    assert_eq!(bodies(&drain(&options, &out)), [3, 4, 0, 1, 2, 3, 4], "rather twice than never");
}

#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(&dir.path().join("journal")), dir.path().join("out"));
    let journal = open(&options, &["file"]);
    journal.append(&batch(0..3, 0)).unwrap();
    let segment = segments(&options.dir).remove(0);
    let before = fs::metadata(&segment).unwrap().len();
    journal.append(&batch(3..4, 0)).unwrap();
    drop(journal);
    let whole = fs::read(&segment).unwrap();
    for end in usize::try_from(before).unwrap()..whole.len() {
        for tail in [&[][..], &[0; 100]] {
            fs::write(&segment, [&whole[..end], tail].concat()).unwrap();
            let _ = fs::remove_file(&out);
            let _ = fs::remove_dir_all(options.dir.join("cursors"));
            fs::create_dir(options.dir.join("cursors")).unwrap();
            fs::write(options.dir.join("cursors/file"), r#"{"segment":0,"offset":0,"seq":0}"#).unwrap();
            let journal = open(&options, &["file"]);
            assert_eq!(journal.append(&batch(9..10, 0)).unwrap().first, 4, "torn at {end}");
            drop(journal);
            let received = drain(&options, &out);
            assert_eq!(bodies(&received), [0, 1, 2, 9], "torn at {end}");
            assert!(received.iter().all(|event| event.gap.is_none()), "nothing that was taken is lost");
            assert_eq!(segments(&options.dir).len(), 1);
        }
    }
}

/// Damages the `nth` segment of a journal of several; what the sink gets afterwards, over two restarts.
fn after_damage(nth: usize, damage: impl Fn(&mut Vec<u8>)) -> (Vec<Received>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (small(&dir.path().join("journal"), Default::default()), dir.path().join("out"));
    let journal = open(&options, &["file"]);
    for n in 0..100 {
        journal.append(&batch(n..n + 1, 500)).unwrap();
    }
    drop(journal);
    let segment = segments(&options.dir).remove(nth);
    let mut bytes = fs::read(&segment).unwrap();
    damage(&mut bytes);
    fs::write(&segment, bytes).unwrap();
    open(&options, &["file"]).append(&batch(100..101, 0)).unwrap();
    let received = drain(&options, &out);
    let aside = fs::read_dir(&options.dir).unwrap();
    let aside =
        aside.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "damaged")).count();
    (received, aside)
}

#[test]
fn a_damaged_record_costs_itself_alone_and_is_told_once() {
    for nth in [0, 1, 3] {
        for at in [32, 36, 41, 49, 60, 8_000] {
            let (received, aside) = after_damage(nth, |bytes| bytes[at] ^= 0x10);
            let case = format!("segment {nth}, byte {at}");
            assert_eq!(bodies(&received).len(), 100, "{case}");
            assert_eq!(bodies(&received).last(), Some(&100), "{case}");
            let gaps: Vec<_> = received.iter().filter_map(|event| event.gap.clone()).collect();
            assert_eq!((gaps.len(), gaps[0].0), (1, 1), "{case}: {gaps:?}");
            assert!(gaps[0].1.starts_with("journal damaged: 0000"), "{case}: {gaps:?}");
            assert_eq!(aside, 1, "{case}");
            let seqs = seqs(&received);
            assert!(seqs.is_sorted_by(|a, b| a < b) && seqs.len() == 101, "{case}: {seqs:?}");
        }
    }
}

#[test]
fn a_damaged_header_costs_nothing_and_a_cut_segment_its_end() {
    let (received, aside) = after_damage(1, |bytes| bytes[3] = 0);
    assert_eq!((seqs(&received), aside), ((1..=101).collect(), 1));
    let (received, aside) = after_damage(1, |bytes| bytes.truncate(10_000));
    let gaps: Vec<_> = received.iter().filter_map(|event| event.gap.clone()).collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(bodies(&received).len() as u64 + gaps[0].0, 101);
    assert_eq!(aside, 1);
    let (received, _) = after_damage(1, Vec::clear);
    let gaps: Vec<_> = received.iter().filter_map(|event| event.gap.clone()).collect();
    assert_eq!(bodies(&received).len() as u64 + gaps[0].0, 101);
}

#[test]
fn a_number_that_a_sink_has_seen_is_never_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let (options, out) = (options(&dir.path().join("journal")), dir.path().join("out"));
    open(&options, &["file"]);
    let journal = open(&options, &["file"]);
    journal.append(&batch(0..10, 0)).unwrap();
    drop(journal);
    drain(&options, &out);
    // As a crash of the machine leaves it, when the cursor was synced before the events were.
    let segment = segments(&options.dir).remove(0);
    let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
    file.set_len(32 + 200).unwrap();
    let journal = open(&options, &["file"]);
    assert_eq!(journal.append(&batch(10..11, 0)).unwrap().first, 12);
    drop(journal);
    let received = drain(&options, &out);
    assert_eq!(seqs(&received), (1..=12).collect::<Vec<_>>());
    assert!(
        matches!(&received[10].gap, Some((1..=10, reason)) if reason == "journal lost its end in a crash")
    );
}

#[test]
fn a_journal_has_one_process_and_private_files() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(&dir.path().join("a/journal"));
    let journal = open(&options, &["file"]);
    journal.append(&batch(0..1, 0)).unwrap();
    let again = panoptes_sinks::Journal::open(&options, Origin::default(), &[]);
    let message = again.unwrap_err().to_string();
    assert!(
        message.contains("in use by another Panoptes; give this one a journal.dir of its own"),
        "{message}"
    );
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&options.dir), mode(&segments(&options.dir)[0])), (0o700, 0o600));
    assert_eq!(mode(&options.dir.join("cursors/file")), 0o600);
}

#[test]
fn a_segment_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    open(&options, &[]).append(&batch(0..1, 0)).unwrap();
    let segment = segments(dir.path()).remove(0);
    fs::OpenOptions::new().write(true).open(&segment).unwrap().write_all_at(&[7], 8).unwrap();
    let before = fs::read(&segment).unwrap();
    let error = panoptes_sinks::Journal::open(&options, Origin::default(), &[]).unwrap_err();
    assert!(matches!(error, Error::Newer { version: 7, .. }), "{error}");
    assert_eq!(fs::read(&segment).unwrap(), before);
}

#[test]
fn names_of_sinks_are_file_names() {
    let dir = tempfile::tempdir().unwrap();
    let error =
        panoptes_sinks::Journal::open(&options(dir.path()), Origin::default(), &["../x"]).unwrap_err();
    assert!(matches!(error, Error::SinkName(_)));
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        events: u64,
        padding: usize,
    },
    Reopen,
    Drain,
    /// A crash while a record was written: part of it is at the end of the last segment.
    Tear {
        bytes: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20_u64, 0..3_000_usize).prop_map(|(events, padding)| Step::Append { events, padding }),
        2 => Just(Step::Reopen),
        1 => Just(Step::Drain),
        2 => (1..60_usize).prop_map(|bytes| Step::Tear { bytes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_each_event_is_delivered_in_order(steps in prop::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let options = panoptes_config::Journal {
            segment_size: panoptes_config::ByteSize::kib(8),
            ..options(&dir.path().join("journal"))
        };
        let mut journal = Some(open(&options, &["file"]));
        let mut next = 0;
        for step in steps {
            match step {
                Step::Append { events, padding } => {
                    let appended = journal.as_ref().unwrap().append(&batch(next..next + events, padding)).unwrap();
                    next += events;
                    prop_assert_eq!(appended.last, next);
                }
                Step::Reopen => drop(journal.take()),
                Step::Drain => {
                    drop(journal.take());
                    drain(&options, &out);
                }
                Step::Tear { bytes } => {
                    drop(journal.take());
                    if let Some(last) = segments(&options.dir).last() {
                        let torn = vec![1; bytes];
                        fs::write(last, [fs::read(last).unwrap(), torn].concat()).unwrap();
                    }
                }
            }
            journal = journal.or_else(|| Some(open(&options, &["file"])));
        }
        drop(journal);
        let received = drain(&options, &out);
        prop_assert_eq!(bodies(&received), (0..next).collect::<Vec<_>>());
        prop_assert_eq!(seqs(&received), (1..=next).collect::<Vec<_>>());
    }
}
