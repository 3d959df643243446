//! Room kept ahead of the records: it is zeros, and never taken for damage, nor damage for it.

use std::{fs, ops::ControlFlow};

use super::*;
use crate::journal::{
    look,
    reader::start,
    scan::{Seen, scan},
};

/// A journal that someone waits for, with room behind its records, and a record to be torn: where it begins.
fn ahead(dir: &Path) -> (Journal, u64) {
    let journal = open(&small(dir));
    append(&journal, 2);
    wait(&journal);
    append(&journal, 2);
    let begin = last(&journal).1;
    (journal, begin)
}

/// Until all that was appended is durable.
fn wait(journal: &Journal) {
    let (called, calls) = std::sync::mpsc::channel();
    journal.when_durable(move || called.send(()).unwrap());
    calls.recv_timeout(Duration::from_secs(60)).unwrap();
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// The last segment of an image, with this content.
fn rewritten(image: &Path, segment: &Path, content: &[u8]) -> PathBuf {
    let path = image.join(segment.file_name().unwrap());
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn room_is_kept_only_where_someone_waits_and_goes_with_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    append(&journal, 2);
    let (path, end) = last(&journal);
    assert_eq!(length(&path), end);
    wait(&journal);
    append(&journal, 1);
    assert_eq!(length(&path), 3 << 10, "up to the size of a segment");
    let records = last(&journal).1;
    assert_eq!((journal.stats().bytes, look::state(dir.path()).unwrap().bytes), (records, records));
    (0..12).for_each(|_| append(&journal, 1));
    let [first, second] = firsts(&journal).try_into().unwrap();
    let begin = start(second).offset;
    assert!(begin < last(&journal).1 && length(&last(&journal).0) == 3 << 10, "the next has room at once");
    let extent = lock(&journal.0.shared.ledger).locate(first).unwrap().1;
    assert_eq!(length(&path), extent.end, "one that is full ends with its records");
    journal.close().unwrap();
    assert_eq!(length(&last(&journal).0), last(&journal).1);
}

#[test]
fn room_is_no_more_than_the_journal_may_take() {
    let dir = tempfile::tempdir().unwrap();
    let size = ByteSize::kib(64);
    let options = config::Journal { max_size: size, segment_size: size, ..options(dir.path()) };
    let journal = open(&options);
    append(&journal, 1);
    wait(&journal);
    for _ in 0..200 {
        append(&journal, 1);
        let on_disk: u64 =
            firsts(&journal).iter().map(|first| length(&dir.path().join(segment::name(*first)))).sum();
        assert!(on_disk <= size.bytes(), "{on_disk}");
    }
    assert!(journal.stats().segments > 2, "{:?}", journal.stats());
}

#[test]
fn a_record_torn_within_the_room_is_cut_wherever_it_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, begin) = ahead(dir.path());
    append(&journal, 1);
    let (path, end) = last(&journal);
    let whole = fs::read(&path).unwrap();
    let (begin, end) = (begin as usize, end as usize);
    // Everywhere in its head, and here and there behind it.
    for torn in (begin..begin + 40).chain((begin + 40..end).step_by(9)) {
        let crashed = image(dir.path());
        let zeros = vec![0; whole.len() - torn];
        let segment = rewritten(crashed.path(), &path, &[&whole[..torn], &zeros].concat());
        assert_eq!(look::state(crashed.path()).unwrap().last, Some(4), "torn at {torn}");
        assert_eq!(after(crashed.path()), (vec![1, 2, 3, 4, 5], 0), "torn at {torn}");
        assert_eq!(length(&segment), end as u64, "torn at {torn}");
        assert_eq!(names(crashed.path(), "damaged"), [""; 0], "torn at {torn}");
    }
}

#[test]
fn what_stands_behind_zeros_is_told_as_damage_only_if_it_is_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, begin) = ahead(dir.path());
    append(&journal, 1);
    let second = last(&journal).1 as usize;
    append(&journal, 1);
    let (path, end) = last(&journal);
    let whole = fs::read(&path).unwrap();
    let begin = begin as usize;
    // The middle of a record whose beginning never came to the disk.
    let crashed = image(dir.path());
    let mut content = whole.clone();
    content[begin..second + 60].fill(0);
    rewritten(crashed.path(), &path, &content);
    assert_eq!(after(crashed.path()), (vec![1, 2, 3, 4, 5], 0));
    assert_eq!(names(crashed.path(), "damaged"), [""; 0]);
    // A whole record behind one that is missing.
    let crashed = image(dir.path());
    let mut content = whole.clone();
    content[begin..second].fill(0);
    rewritten(crashed.path(), &path, &content);
    // The sixth is there, the seventh tells of the fifth, and the eighth is new.
    assert_eq!(after(crashed.path()), (vec![1, 2, 3, 4, 6, 7, 8], 1));
    assert_eq!(names(crashed.path(), "damaged").len(), 1);
    assert!(end as usize <= whole.len());
}

#[test]
fn a_crash_before_the_first_record_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = ahead(dir.path());
    let head = segment::header(5);
    // Killed; and a machine that crashed, and kept the length alone.
    for head in [&head[..], &[]] {
        let crashed = image(dir.path());
        let mut content = head.to_vec();
        content.resize(3 << 10, 0);
        rewritten(crashed.path(), &dir.path().join(segment::name(5)), &content);
        assert_eq!(after(crashed.path()), (vec![1, 2, 3, 4, 5], 0));
        assert_eq!(names(crashed.path(), "damaged"), [""; 0]);
    }
    drop(journal);
}

#[test]
fn who_reads_from_outside_sees_the_records_and_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let options = config::Journal { segment_size: ByteSize::mib(1), ..options(dir.path()) };
    let journal = open(&options);
    append(&journal, 1);
    wait(&journal);
    let writing = std::thread::spawn({
        let journal = journal.clone();
        move || (0..2_000).for_each(|_| append(&journal, 7))
    });
    let mut seen_last = 0;
    while !writing.is_finished() || seen_last < 14_001 {
        let mut next = 1;
        scan(dir.path(), 0..=u64::MAX, |seen| {
            match seen {
                Seen::Event { seq, .. } => assert_eq!(seq, next),
                Seen::Damage { segment, seqs } => panic!("{segment}: {seqs:?}"),
            }
            next += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        seen_last = next - 1;
    }
    writing.join().unwrap();
    assert_eq!(seen_last, 14_001);
}
