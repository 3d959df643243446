//! Segments written over: what was in a file before is never taken for an event, whatever crash or damage there is.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use proptest::prelude::*;

use super::*;

/// Appends one event at a time, each delivered and saved, and synced.
fn cycle(journal: &Journal, follower: &mut Follower, events: usize) {
    for _ in 0..events {
        append(journal, 1);
        assert_eq!(rest(follower).len(), 1);
        follower.save();
        journal.0.shared.sync().unwrap();
    }
}

fn append_each(journal: &Journal, events: usize) {
    (0..events).for_each(|_| append(journal, 1));
}

/// A journal whose numbers have three digits, so that all records are of one size and old ones stand where new ones
/// may; its last segment is written over an old one and is not full.
fn reused(dir: &Path) -> (Journal, Follower) {
    let journal = open(&small(dir));
    let mut follower = journal.follow("sink").unwrap();
    cycle(&journal, &mut follower, 150);
    while stale(&journal) < 1_000 {
        cycle(&journal, &mut follower, 1);
    }
    (journal, follower)
}

/// Bytes of an earlier segment behind the journal's end.
fn stale(journal: &Journal) -> u64 {
    let (path, end) = last(journal);
    fs::metadata(path).unwrap().len() - end
}

#[test]
fn passed_segments_are_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut follower) = reused(dir.path());
    let mut files = BTreeSet::new();
    for _ in 0..200 {
        cycle(&journal, &mut follower, 1);
        files.insert(fs::metadata(last(&journal).0).unwrap().ino());
        assert!(firsts(&journal).len() + names(dir.path(), ".spare").len() <= 4);
    }
    assert!(files.len() <= 3, "{} files for some 16 segments", files.len());
    append(&journal, 10);
    append(&journal, 10);
    for first in firsts(&journal).split_last().unwrap().1 {
        let (_, extent) = lock(&journal.0.shared.ledger).locate(*first).unwrap();
        let length = fs::metadata(dir.path().join(segment::name(*first))).unwrap().len();
        assert_eq!(length, extent.end, "a full segment ends with its records");
    }
    drop((journal, follower));
    assert_eq!(names(dir.path(), ".spare"), [""; 0], "who is not running needs none");
    assert_eq!(after(dir.path()).1, 0);
}

#[test]
fn a_spare_waits_until_its_old_name_cannot_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    let mut follower = journal.follow("sink").unwrap();
    append_each(&journal, 30);
    rest(&mut follower);
    follower.save();
    assert_eq!((firsts(&journal).len(), names(dir.path(), ".spare").len()), (1, 2));
    assert_eq!(lock(&journal.0.shared.spares).take(), None);
    journal.0.shared.sync().unwrap();
    assert_eq!(lock(&journal.0.shared.spares).take().as_deref(), Some("0.spare"));
}

#[test]
fn spares_are_few_and_go_when_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    append_each(&journal, 100);
    let mut follower = journal.follow("sink").unwrap();
    rest(&mut follower);
    follower.save();
    assert_eq!(names(dir.path(), ".spare").len(), 4);
    journal.0.shared.cannot_write(&std::io::Error::other("full"));
    assert_eq!(names(dir.path(), ".spare").len(), 0);
}

#[test]
fn a_segment_that_a_write_failed_on_or_of_an_earlier_run_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    append(&journal, 20);
    drop(journal);
    let journal = open(&small(dir.path()));
    append(&journal, 20);
    append(&journal, 20);
    lock(&journal.0.shared.ledger).distrust(21);
    let mut follower = journal.follow("sink").unwrap();
    assert_eq!(rest(&mut follower).len(), 60);
    follower.save();
    assert_eq!((firsts(&journal), names(dir.path(), ".spare").len()), (vec![41], 0));
}

#[test]
fn a_torn_tail_before_old_records_is_cut_wherever_it_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _follower) = reused(dir.path());
    let before = image(dir.path());
    let (path, begin) = last(&journal);
    let next = journal.stats().last_seq + 1;
    append(&journal, 1);
    let end = last(&journal).1;
    let old = fs::read(before.path().join(path.file_name().unwrap())).unwrap();
    let new = fs::read(&path).unwrap();
    assert!(old.len() == new.len() && (end as usize) < old.len());
    for torn in begin as usize..end as usize {
        let crashed = image(before.path());
        let bytes = [&new[..torn], &old[torn..]].concat();
        // The old record may end with the very bytes that are missing: then the new one is whole.
        let whole = bytes[..end as usize] == new[..end as usize];
        let segment = crashed.path().join(path.file_name().unwrap());
        fs::write(&segment, bytes).unwrap();
        let expected = (next..=next + u64::from(whole)).collect();
        assert_eq!(after(crashed.path()), (expected, 0), "torn at {torn}");
        let length = end + if whole { end - begin } else { 0 };
        assert_eq!(fs::metadata(segment).unwrap().len(), length, "no old record is kept; torn at {torn}");
        assert_eq!(names(crashed.path(), "damaged"), [""; 0], "torn at {torn}");
    }
}

#[test]
fn a_crash_while_a_spare_becomes_a_segment_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mut follower) = reused(dir.path());
    while names(dir.path(), ".spare").is_empty() {
        cycle(&journal, &mut follower, 1);
    }
    let next = journal.stats().last_seq + 1;
    let spare = names(dir.path(), ".spare").remove(0);
    // Killed before the rename.
    let killed = image(dir.path());
    let file = fs::OpenOptions::new().write(true).open(killed.path().join(&spare)).unwrap();
    file.write_all_at(&segment::header(next), 0).unwrap();
    assert_eq!(after(killed.path()), (vec![next], 0));
    assert_eq!(names(killed.path(), ".spare"), [""; 0]);
    // Killed behind it; and a machine that crashed, and lost the header.
    for header in [Some(segment::header(next)), None] {
        let crashed = image(dir.path());
        let path = crashed.path().join(segment::name(next));
        fs::rename(crashed.path().join(&spare), &path).unwrap();
        if let Some(header) = header {
            fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&header, 0).unwrap();
        }
        assert_eq!(after(crashed.path()), (vec![next], 0));
        assert_eq!(names(crashed.path(), "damaged"), [""; 0]);
    }
}

#[test]
fn damage_in_a_segment_written_over_is_found_and_costs_one_event() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _follower) = reused(dir.path());
    let (path, begin) = last(&journal);
    let next = journal.stats().last_seq + 1;
    append(&journal, 1);
    let second = last(&journal).1;
    append(&journal, 1);
    let end = last(&journal).1;
    let in_last = image(dir.path());
    append(&journal, 12);
    let closed = image(dir.path());
    assert_ne!(last(&journal).0, path);
    let name = path.file_name().unwrap();
    // As if what was cut behind the last record had come back.
    let tail = &fs::read(in_last.path().join(name)).unwrap()[end as usize..];
    let cut = fs::read(closed.path().join(name)).unwrap();
    assert_eq!(cut.len() as u64, end);
    fs::write(closed.path().join(name), [&cut, tail].concat()).unwrap();
    assert_eq!(after(image(closed.path()).path()), ((next..next + 15).collect(), 0));
    // The last record of the last segment, damaged, is a torn tail.
    for (from, begin, to, events) in [(&closed, begin, end, 15), (&in_last, begin, second, 3)] {
        for at in (begin..to).step_by(7) {
            let damaged = image(from.path());
            let mut bytes = fs::read(damaged.path().join(name)).unwrap();
            bytes[at as usize] ^= 0x10;
            fs::write(damaged.path().join(name), bytes).unwrap();
            let (seqs, lost) = after(damaged.path());
            // One is gone, and one more tells of it.
            assert_eq!((seqs.len(), seqs.last(), lost), (events, Some(&(next + events as u64)), 1), "{at}");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    /// The sink takes all there is.
    Drain,
    Sync,
    Reopen,
    Kill,
    /// Killed in the middle of a write, or a crash of the machine that took the end of it back.
    Tear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..8_usize).prop_map(Step::Append),
        5 => Just(Step::Drain),
        5 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        2 => (0..400_usize).prop_map(Step::Tear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn each_event_comes_once_and_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut dir = tempfile::tempdir().unwrap();
        let mut journal = open(&small(dir.path()));
        let mut follower = journal.follow("sink").unwrap();
        let (mut next, mut had) = (1, 0);
        for step in steps.into_iter().chain([Step::Kill]) {
            let mut killed = None;
            match step {
                Step::Append(events) => {
                    append(&journal, events);
                    next += events as u64;
                }
                Step::Drain => {
                    prop_assert_eq!(rest(&mut follower), (had + 1..next).collect::<Vec<_>>());
                    follower.save();
                    had = next - 1;
                }
                Step::Sync => journal.0.shared.sync().unwrap(),
                Step::Reopen => killed = Some(None),
                Step::Kill => killed = Some(Some(image(dir.path()))),
                Step::Tear(bytes) => {
                    let before = image(dir.path());
                    let place = (journal.stats().segments > 0).then(|| last(&journal));
                    append(&journal, 1);
                    let (path, end) = last(&journal);
                    if let Some((_, begin)) = place.filter(|(before, _)| *before == path) {
                        let file = before.path().join(path.file_name().unwrap());
                        let (old, new) = (fs::read(&file).unwrap(), fs::read(&path).unwrap());
                        let torn = (begin as usize + bytes).min(end as usize - 1);
                        let tail = old.get(torn..).unwrap_or_default();
                        let bytes = [&new[..torn], tail].concat();
                        // The old bytes may be the very ones that are missing.
                        next += u64::from(bytes.get(..end as usize) == Some(&new[..end as usize]));
                        fs::write(file, bytes).unwrap();
                    }
                    killed = Some(Some(before));
                }
            }
            if let Some(image) = killed {
                drop((follower, journal));
                dir = image.unwrap_or(dir);
                journal = open(&small(dir.path()));
                follower = journal.follow("sink").unwrap();
                prop_assert_eq!(journal.stats().last_seq + 1, next);
            }
        }
        prop_assert_eq!(rest(&mut follower), (had + 1..next).collect::<Vec<_>>());
        prop_assert_eq!(journal.stats().dropped, 0);
        prop_assert_eq!(names(dir.path(), "damaged"), [""; 0]);
    }
}
