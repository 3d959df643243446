//! A reader that deletes, edits, swaps or inserts one record anywhere is found, and the record named.

use std::{fs, io::Write, path::Path, sync::LazyLock};

use panoptes_config as config;
use panoptes_event::{Batch, Kind, Uuid};
use proptest::prelude::*;

use super::{super::*, *};
use crate::journal::{record, segment};

/// A trail of three checkpoints: two by their number, one by the journal's end.
const EVENTS: usize = 2_100;

struct Trail {
    lines: Vec<Vec<u8>>,
    keys: Vec<VerifyingKey>,
}

static TRAIL: LazyLock<Trail> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = Journal::open(&options, Origin::default(), &[]).unwrap();
    append(&journal, EVENTS);
    journal.close().unwrap();
    Trail { lines: lines_of(dir.path()), keys: keys(&options) }
});

fn options(dir: &Path) -> config::Journal {
    let file = dir.join("signing.key");
    if !file.exists() {
        SigningKey::generate().unwrap().save(&file, &dir.join("signing.pub")).unwrap();
    }
    config::Journal { dir: dir.to_owned(), signing_key_file: Some(file), ..config::Journal::default() }
}

fn keys(options: &config::Journal) -> Vec<VerifyingKey> {
    vec![VerifyingKey::load(&options.dir.join("signing.pub")).unwrap()]
}

fn append(journal: &Journal, events: usize) {
    let mut batch = Batch::default();
    for n in 0..events {
        batch.event(Uuid::from_u128(n as u128), Kind::Statement, 5, |event| {
            event.member("padding", &"x".repeat(20));
        });
    }
    journal.append(&batch).unwrap();
}

fn lines_of(dir: &Path) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    scan(dir, 0..=u64::MAX, |seen| {
        if let Seen::Event { json, .. } = seen {
            lines.push(json.to_vec());
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    lines
}

fn check<'l>(lines: impl IntoIterator<Item = &'l Vec<u8>>) -> Report {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in lines {
        file.write_all(line).unwrap();
        file.write_all(b"\n").unwrap();
    }
    files(&[file.path().to_owned()], &TRAIL.keys).unwrap()
}

/// Checks the same records in a journal, with checksums that are right.
fn check_journal(lines: &[Vec<u8>]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_segment(dir.path(), lines, 0..lines.len());
    folder(dir.path(), &TRAIL.keys).unwrap()
}

/// Writes those at some places as a segment.
fn write_segment(dir: &Path, lines: &[Vec<u8>], places: std::ops::Range<usize>) {
    let first = places.start as u64 + 1;
    let mut bytes = segment::header(first).to_vec();
    for (seq, line) in (first..).zip(&lines[places]) {
        record::write(&mut bytes, record::Kind::Event, seq, 5, |out| out.extend_from_slice(line));
    }
    fs::write(dir.join(segment::name(first)), bytes).unwrap();
}

/// Whether a finding names the record that was at a place, by its number, or by where it stands now.
fn names(report: &Report, place: usize, now: usize) -> bool {
    let seq = place as u64 + 1;
    let (line, number) = (format!("line {}", now + 1), format!("number {}", now + 1));
    let stands =
        |place: &String| *place == line || *place == number || place.ends_with(&format!(" {number}"));
    report.findings.iter().any(|finding| match finding {
        Finding::Missing { from, to } | Finding::Uncovered { from, to } => (*from..=*to).contains(&seq),
        Finding::Changed { seq: named } => *named == seq,
        Finding::Misplaced { seq: named, place } | Finding::Inserted { seq: named, place } => {
            *named == seq || place.as_ref().is_some_and(stands)
        }
        Finding::Forged { seq: named, .. } => *named == seq,
        Finding::Unreadable { place, .. } => stands(place),
    })
}

#[test]
fn a_segment_that_is_gone_or_cut_behind_a_record_is_missing() {
    let lines = &TRAIL.lines;
    let dir = tempfile::tempdir().unwrap();
    for places in [0..700, 700..1_400, 1_400..lines.len()] {
        write_segment(dir.path(), lines, places);
    }
    let missing = || {
        let report = folder(dir.path(), &TRAIL.keys).unwrap();
        let found = crate::journal::look::export(dir.path(), None, None, &mut std::io::sink()).unwrap();
        let findings = report.findings.iter().map(|finding| match finding {
            Finding::Missing { from, to } => (*from, *to),
            other => panic!("{other:?}"),
        });
        let missing: Vec<_> = findings.collect();
        assert_eq!((report.last, &missing), (Some(lines.len() as u64), &found.missing), "{report}");
        missing
    };
    assert_eq!(missing(), []);
    write_segment(dir.path(), lines, 700..1_000);
    assert_eq!(missing(), [(1_001, 1_400)]);
    write_segment(dir.path(), lines, 700..700);
    assert_eq!(missing(), [(701, 1_400)]);
    fs::remove_file(dir.path().join(segment::name(701))).unwrap();
    assert_eq!(missing(), [(701, 1_400)]);
}

#[test]
fn what_was_not_touched_is_whole() {
    let lines = &TRAIL.lines;
    assert_eq!(lines.len(), EVENTS + 3);
    for report in [check(lines), check_journal(lines)] {
        assert_eq!(report.verdict, Verdict::Whole, "{report}");
        assert_eq!((report.first, report.last, report.checkpoints), (Some(1), Some(2_103), 3));
        assert_eq!(report.covered_to, Some(2_103), "{report}");
    }
    // A part of it is as well, and the rest of it is said not to be covered.
    let part = check(&lines[500..1_500]);
    assert_eq!(
        (part.verdict, part.covered_to, part.last),
        (Verdict::Whole, Some(1_001), Some(1_500)),
        "{part}"
    );
    let repeated = check(lines[..900].iter().chain(&lines[400..]));
    assert_eq!((repeated.verdict, repeated.notes.repeats), (Verdict::Whole, 500), "{repeated}");
}

#[test]
fn a_beginning_that_is_gone_is_missed_by_who_asks_for_it() {
    let part = check(&TRAIL.lines[4..]);
    assert_eq!((part.verdict, part.first), (Verdict::Whole, Some(5)));
    assert!(part.to_string().contains("before number 5 nothing can be said"), "{part}");
    assert_eq!(part.clone().from(5).verdict, Verdict::Whole);
    let part = part.from(1);
    assert_eq!(
        (part.verdict, part.findings.as_slice()),
        (Verdict::Violated, &[Finding::Missing { from: 1, to: 4 }][..])
    );
    assert!(!part.to_string().contains("nothing can be said"), "{part}");
    let nothing = check([&b"root:x:0:0".to_vec()]);
    assert_eq!(nothing.verdict, Verdict::Unknown, "{nothing}");
}

#[test]
fn without_the_key_nothing_can_be_said() {
    let lines = &TRAIL.lines;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    lines.iter().for_each(|line| file.write_all(&[line.as_slice(), b"\n"].concat()).unwrap());
    let path = [file.path().to_owned()];
    assert_eq!(files(&path, &[]).unwrap().verdict, Verdict::Unknown);
    let other = files(&path, &[SigningKey::generate().unwrap().verifying()]).unwrap();
    assert_eq!((other.verdict, other.notes.other_keys.len()), (Verdict::Unknown, 1));
    let tail = check(&lines[1_001..1_900]);
    assert_eq!((tail.verdict, tail.covered_to), (Verdict::Unknown, None), "no checkpoint");
}

/// Numbers and chains lines anew, as who has no key can, behind those that stay as they are.
fn mend(lines: &mut [Vec<u8>], untouched: usize) {
    let mut hash = crate::journal::chain::hash(&lines[untouched - 1]);
    for (place, line) in lines.iter_mut().enumerate().skip(untouched) {
        let text = String::from_utf8(line.clone()).unwrap();
        let (seq, prev) = (text.find(r#""seq":"#).unwrap() + 6, text.find(r#""prev":""#).unwrap());
        let mut hex = Vec::new();
        panoptes_event::json::write_hex(&mut hex, &hash);
        let hex = String::from_utf8(hex).unwrap();
        *line =
            format!("{}{},\"prev\":\"{hex}{}", &text[..seq], place + 1, &text[prev + 8 + 64..]).into_bytes();
        hash = crate::journal::chain::hash(line);
    }
}

#[test]
fn a_forger_who_mends_the_chain_up_to_the_checkpoint_is_found_there() {
    let mut lines = TRAIL.lines[..1_000].to_vec();
    lines[700] = String::from_utf8(lines[700].clone()).unwrap().replace('x', "y").into_bytes();
    mend(&mut lines, 700);
    let report = check(lines.iter().chain(&TRAIL.lines[1_000..]));
    assert_eq!(report.findings, [Finding::Changed { seq: 1_000 }], "{report}");
    assert_eq!(report.notes.unproven, [(1, 999)], "which of them cannot be said");
}

#[test]
fn a_forger_who_leaves_the_later_checkpoints_out_is_found_where_one_is_due() {
    let is_checkpoint =
        |line: &[u8]| Record::parse(line, &TRAIL.keys).unwrap().signed != super::record::Signed::No;
    let (vouched, rest) = TRAIL.lines.split_at(1_001);
    let mut lines = vouched.to_vec();
    lines.extend(rest.iter().filter(|line| !is_checkpoint(line)).cloned());
    lines[1_500] = String::from_utf8(lines[1_500].clone()).unwrap().replace('x', "y").into_bytes();
    mend(&mut lines, 1_001);
    for report in [check(&lines), check_journal(&lines)] {
        assert_eq!(report.findings, [Finding::Uncovered { from: 1_002, to: 2_101 }], "{report}");
        assert_eq!((report.verdict, report.covered_to), (Verdict::Violated, Some(1_001)));
    }
    assert_eq!(check(&lines[..2_001]).verdict, Verdict::Whole, "so many there may be");
    // A proxy that was killed says so, and leaves as many again.
    lines[1_900] = String::from_utf8(lines[1_900].clone()).unwrap().replace("statement", "gap").into_bytes();
    mend(&mut lines, 1_900);
    let report = check(&lines);
    assert_eq!((report.verdict, report.notes.overdue), (Verdict::Unknown, Some((1_002, 2_101))), "{report}");
    assert!(report.to_string().contains("a checkpoint was due among these: 1002 to 2101"), "{report}");
}

#[test]
fn a_checkpoint_is_due_after_a_time_as_well() {
    let aged = |seconds: &[(u64, u64)]| {
        let mut lines = TRAIL.lines[..1_001].to_vec();
        let covered = Record::parse(&lines[1_000], &TRAIL.keys).unwrap().ended.unwrap();
        for (began, lasted) in seconds {
            let time = jiff::Timestamp::from_microsecond(covered).unwrap()
                + jiff::SignedDuration::from_secs(*began as i64);
            let meta =
                format!(r#""meta":{{"timestamp":"{time}","durationMs":{}}},"padding""#, lasted * 1_000);
            let line = String::from_utf8(TRAIL.lines[1_001].clone()).unwrap();
            lines.push(line.replace(r#""padding""#, &meta).into_bytes());
        }
        mend(&mut lines, 1_001);
        let report = check(&lines);
        assert_eq!(report.findings, [], "{report}");
        report.verdict
    };
    assert_eq!(aged(&[(5_000, 0)]), Verdict::Whole, "alone");
    assert_eq!(aged(&[(5_000, 0), (5_010, 0)]), Verdict::Whole);
    assert_eq!(aged(&[(1, 5_000), (5_000, 0)]), Verdict::Whole, "which ended together");
    assert_eq!(aged(&[(5_000, 0), (5_040, 0)]), Verdict::Unknown);
}

#[test]
fn the_compressed_files_of_a_rotation_are_one_trail() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[Vec<u8>]| {
        let path = dir.path().join(name);
        let plain: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        let mut file = fs::File::create(&path).unwrap();
        match name {
            "a.gz" => {
                let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                gzip.write_all(&plain).unwrap();
                gzip.finish().unwrap();
            }
            "b.zst" => zstd::stream::copy_encode(plain.as_slice(), file, 1).unwrap(),
            _ => file.write_all(&plain).unwrap(),
        }
        path
    };
    let (first, rest) = TRAIL.lines.split_at(700);
    let paths = [write("b.zst", &rest[..700]), write("c", &rest[700..]), write("a.gz", first)];
    let report = files(&paths, &TRAIL.keys).unwrap();
    assert_eq!((report.verdict, report.records), (Verdict::Whole, 2_103), "{report}");
    let report = files(&paths[..2], &TRAIL.keys).unwrap();
    assert_eq!((report.verdict, report.first), (Verdict::Whole, Some(701)), "{report}");
    let report = files(&paths[1..], &TRAIL.keys).unwrap();
    assert_eq!(report.findings, [Finding::Missing { from: 701, to: 1_400 }], "{report}");
}

#[test]
fn the_chain_goes_on_over_a_crash_and_into_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = Journal::open(&options, Origin::default(), &["sink"]).unwrap();
    append(&journal, 30);
    let crashed = tempfile::tempdir().unwrap();
    for name in ["running", &segment::name(1)] {
        fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    // A record half written.
    let torn = fs::metadata(crashed.path().join(segment::name(1))).unwrap().len() - 10;
    fs::OpenOptions::new()
        .write(true)
        .open(crashed.path().join(segment::name(1)))
        .unwrap()
        .set_len(torn)
        .unwrap();
    let again = config::Journal { dir: crashed.path().to_owned(), ..options.clone() };
    let next = Journal::open(&again, Origin::default(), &["sink"]).unwrap();
    append(&next, 5);
    next.close().unwrap();
    let report = folder(crashed.path(), &keys(&options)).unwrap();
    // 29 events, the gap event of the crash, 5 more, the checkpoint.
    assert_eq!(
        (report.verdict, report.last, report.covered_to),
        (Verdict::Whole, Some(36), Some(36)),
        "{report}"
    );
    drop(journal);
}

#[test]
fn a_run_without_events_adds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    for _ in 0..3 {
        let journal = Journal::open(&options, Origin::default(), &[]).unwrap();
        if journal.stats().last_seq == 0 {
            append(&journal, 4);
        }
        journal.close().unwrap();
    }
    let report = folder(dir.path(), &keys(&options)).unwrap();
    assert_eq!((report.last, report.checkpoints, report.covered_to), (Some(5), 1, Some(5)), "{report}");
}

#[test]
fn a_time_comes_when_even_one_event_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = Journal::open(&options, Origin::default(), &["sink"]).unwrap();
    append(&journal, 1);
    let shared = &journal.0.shared;
    // As if the ten seconds were over.
    shared.dirty.sign_at(Some(std::time::Instant::now()));
    let mut follower = journal.follow("sink").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        while follower.backlog() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        follower.ready().await;
    });
    let report = folder(dir.path(), &keys(&options)).unwrap();
    assert_eq!((report.last, report.covered_to), (Some(2), Some(2)), "{report}");
    assert_eq!(lock(&shared.writer).sign(shared).map(|()| journal.stats().last_seq).unwrap(), 2, "once");
}

#[test]
fn what_a_sink_acknowledged_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let journal = Journal::open(&options, Origin::default(), &["sink"]).unwrap();
    append(&journal, 10);
    journal.close().unwrap();
    fs::write(dir.path().join("cursors/sink"), r#"{"segment":1,"offset":32,"seq":14}"#).unwrap();
    let report = folder(dir.path(), &keys(&options)).unwrap();
    assert_eq!(report.findings, [Finding::Missing { from: 12, to: 14 }], "{report}");
}

#[test]
fn a_number_that_no_event_has_is_no_event() {
    for number in [0, u64::MAX, 1 << 63] {
        let last = String::from_utf8(TRAIL.lines[2_102].clone()).unwrap();
        let last = last.replace(r#""seq":2103"#, &format!(r#""seq":{number}"#)).into_bytes();
        let report = check(TRAIL.lines.iter().chain([&last, &last]));
        assert_eq!((report.verdict, report.last), (Verdict::Violated, Some(2_103)), "{report}");
        assert!(report.to_string().contains(&format!("has the number {number}")), "{report}");
    }
}

#[test]
fn of_an_edited_record_and_its_repeat_the_edited_one_is_named() {
    let (first, again) = (&TRAIL.lines[..900], &TRAIL.lines[400..]);
    let edited = String::from_utf8(TRAIL.lines[600].clone()).unwrap().replace('x', "y").into_bytes();
    let mut before = first.to_vec();
    before[600].clone_from(&edited);
    let report = check(before.iter().chain(again));
    assert_eq!(report.findings, [Finding::Changed { seq: 601 }], "{report}");
    let mut after = again.to_vec();
    after[200] = edited;
    let report = check(first.iter().chain(&after));
    let inserted = Finding::Inserted { seq: 601, place: Some("line 1101".to_owned()) };
    assert_eq!(report.findings, [inserted], "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_deleted_record_is_missed(place in 1..EVENTS + 2) {
        let mut lines = TRAIL.lines.clone();
        lines.remove(place);
        for report in [check(&lines), check_journal(&lines)] {
            prop_assert_eq!(report.verdict, Verdict::Violated);
            prop_assert!(names(&report, place, place), "{} {}", place, report);
        }
    }

    #[test]
    fn an_edited_record_is_found(place in 0..EVENTS + 3, at in any::<prop::sample::Index>(), by in 1_u8..128) {
        let mut lines = TRAIL.lines.clone();
        let at = at.index(lines[place].len());
        lines[place][at] ^= by;
        // Not a line break, and no blank where it makes no difference.
        prop_assume!(!lines[place][at].is_ascii_whitespace());
        for report in [check(&lines), check_journal(&lines)] {
            prop_assert_eq!(report.verdict, Verdict::Violated, "{} {}", place, report);
            prop_assert!(names(&report, place, place), "{} {}", place, report);
        }
    }

    #[test]
    fn swapped_records_are_found(a in 0..EVENTS + 3, b in 0..EVENTS + 3) {
        prop_assume!(a != b);
        let mut lines = TRAIL.lines.clone();
        lines.swap(a, b);
        for report in [check(&lines), check_journal(&lines)] {
            prop_assert_eq!(report.verdict, Verdict::Violated);
            prop_assert!(names(&report, a, b) || names(&report, b, a), "{} {} {}", a, b, report);
        }
    }

    #[test]
    fn an_inserted_record_is_found(place in 0..EVENTS + 3, of in 0..EVENTS + 3, seq in 0_u64..5_000) {
        let mut lines = TRAIL.lines.clone();
        let inserted = String::from_utf8(lines[of].clone()).unwrap();
        let number = format!(r#""seq":{}"#, of + 1);
        let inserted = inserted.replace(&number, &format!(r#""seq":{seq}"#)).replace("xx", "yx");
        prop_assume!(lines.get(seq.wrapping_sub(1) as usize) != Some(&inserted.clone().into_bytes()));
        lines.insert(place, inserted.into_bytes());
        for report in [check(&lines), check_journal(&lines)] {
            prop_assert_eq!(report.verdict, Verdict::Violated, "{} {} {}", place, seq, report);
            let named = names(&report, seq.wrapping_sub(1) as usize, place);
            prop_assert!(named, "{} {} {}", place, seq, report);
        }
    }
}
