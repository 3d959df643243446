//! Folders that are called as files of the journal are.

use std::fs;

use super::*;
use crate::journal::look;

#[test]
fn those_that_a_start_finds_are_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(&small(dir.path())), 40);
    let image = image(dir.path());
    let behind = [segment::name(1_000), segment::name(9_000)];
    for name in behind.iter().map(String::as_str).chain(["7.spare", "x.tmp", "cursors/other"]) {
        fs::create_dir(image.path().join(name)).unwrap();
    }
    fs::write(image.path().join(&behind[0]).join("theirs"), "").unwrap();
    let state = look::state(image.path()).unwrap();
    assert_eq!((state.first, state.last, state.sinks.len()), (Some(1), Some(40), 1));
    assert_eq!(after(image.path()), ((1..=41).collect(), 0));
    let mut aside = names(image.path(), ".damaged");
    aside.sort_unstable();
    assert_eq!(aside, behind.map(|name| format!("{name}.damaged")));
    assert!(image.path().join(&aside[0]).join("theirs").exists());
}

#[test]
fn one_that_has_the_place_of_the_next_segment_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    let mut follower = journal.follow("sink").unwrap();
    for next in 2..30 {
        // Wherever the next segment begins.
        fs::create_dir(dir.path().join(segment::name(next))).unwrap();
    }
    (0..30).for_each(|_| append(&journal, 1));
    assert!(journal.writable().is_ok() && !names(dir.path(), ".damaged").is_empty());
    assert_eq!(rest(&mut follower), (1..=30).collect::<Vec<_>>());
}

#[test]
fn one_in_the_place_of_a_segment_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    let mut follower = journal.follow("sink").unwrap();
    (0..60).for_each(|_| append(&journal, 1));
    journal.0.shared.tail.forget();
    let (gone, behind) = (firsts(&journal)[1], firsts(&journal)[2]);
    let path = dir.path().join(segment::name(gone));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let expected: Vec<u64> = (1..=61).filter(|seq| !(gone..behind).contains(seq)).collect();
    let mut seqs = rest(&mut follower);
    seqs.extend(rest(&mut follower));
    assert_eq!(seqs, expected, "61 tells of it");
}
