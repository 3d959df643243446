//! Files that are put aside: over sizes, restarts and SIGHUP each event is in one of them, once, in order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "of tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
    process::Command,
    thread,
    time::Instant,
};

use panoptes_config::{self as config, ByteSize, Compression, Rotate, SinkOptions};
use panoptes_sinks::Sinks;
use support::*;

fn file(path: &Path, rotate: Rotate) -> BTreeMap<String, config::Sink> {
    let options = config::File { path: path.to_owned(), rotate, ..config::File::default() };
    BTreeMap::from([("file".to_owned(), config::Sink { options: SinkOptions::File(options), ..eager() })])
}

/// The files of a sink, oldest first, as their names and texts; those that are compressed unpacked. An error where one of
/// them is being compressed just now.
fn files(path: &Path) -> io::Result<Vec<(String, String)>> {
    let folder = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = folder.collect();
    files.sort();
    // The current one is the last, though its name is the shortest.
    files.rotate_left(1);
    let text = |file: &Path| match file.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let mut text = String::new();
            flate2::read::GzDecoder::new(fs::File::open(file)?).read_to_string(&mut text)?;
            Ok(text)
        }
        _ => fs::read_to_string(file),
    };
    files
        .iter()
        .map(|file| Ok((file.file_name().unwrap().to_str().unwrap().to_owned(), text(file)?)))
        .collect()
}

fn bodies_of(files: &[(String, String)]) -> Vec<u64> {
    let lines = files.iter().flat_map(|(_, text)| text.lines().map(|line| received(line.as_bytes())));
    bodies(&lines.collect::<Vec<_>>())
}

#[test]
fn files_keep_to_their_size_over_restarts_and_old_ones_are_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out/audit.log");
    let options = options(&dir.path().join("journal"));
    let rotate =
        Rotate { max_size: Some(ByteSize::kib(8)), compression: Compression::Gzip, ..Rotate::default() };
    for run in 0..3 {
        let journal = open(&options, &["file"]);
        let sinks = Sinks::start(&file(&path, rotate.clone()), &journal).unwrap();
        for n in 0..10 {
            journal.append(&batch(run * 100 + n * 10..run * 100 + (n + 1) * 10, 500)).unwrap();
        }
        finish(journal, sinks);
    }
    // One is larger than a file alone.
    let journal = open(&options, &["file"]);
    let sinks = Sinks::start(&file(&path, rotate), &journal).unwrap();
    journal.append(&batch(300..301, 20_000)).unwrap();
    journal.append(&batch(301..302, 0)).unwrap();
    finish(journal, sinks);
    // The thread that looks after old files may be at work still.
    let deadline = Instant::now() + PATIENCE;
    let files = loop {
        assert!(Instant::now() < deadline, "{:?}", files(&path).map(|files| bodies_of(&files)));
        let whole = |files: &Vec<(String, String)>| bodies_of(files) == (0..302).collect::<Vec<_>>();
        let compressed =
            |files: &Vec<(String, String)>| files.iter().filter(|(name, _)| name.ends_with(".gz")).count();
        let ended = |files: &Vec<(String, String)>| files.iter().all(|(_, text)| text.ends_with('\n'));
        match files(&path) {
            Ok(files) if compressed(&files) >= 5 && whole(&files) && ended(&files) => break files,
            _ => thread::yield_now(),
        }
    };
    assert!(files.len() > 20, "{}", files.len());
    let large = files.iter().filter(|(_, text)| text.len() > 8 << 10).count();
    assert_eq!(large, 1);
}

#[test]
fn on_sighup_a_file_that_was_moved_away_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out/audit.log");
    let journal = open(&options(&dir.path().join("journal")), &["file"]);
    let sinks = Sinks::start(&file(&path, Rotate::default()), &journal).unwrap();
    journal.append(&batch(0..5, 0)).unwrap();
    while lines(&path).len() < 5 {
        thread::yield_now();
    }
    let moved = path.with_file_name("audit.log.1");
    fs::rename(&path, &moved).unwrap();
    journal.append(&batch(5..7, 0)).unwrap();
    while lines(&moved).len() < 7 {
        thread::yield_now();
    }
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    // A signal takes its time to arrive: events go to the one file or the other, but none is lost.
    let mut next = 7;
    while !path.exists() {
        journal.append(&batch(next..next + 1, 0)).unwrap();
        next += 1;
        thread::yield_now();
    }
    finish(journal, sinks);
    let mut all = bodies(&lines(&moved));
    all.extend(bodies(&lines(&path)));
    assert_eq!(all, (0..next).collect::<Vec<_>>());
}

#[test]
fn what_went_to_a_file_that_was_deleted_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let journal = open(&options(&dir.path().join("journal")), &["file"]);
    let sinks = Sinks::start(&file(&path, Rotate::default()), &journal).unwrap();
    journal.append(&batch(0..10, 0)).unwrap();
    wait_for_lines(&path, 10);
    fs::remove_file(&path).unwrap();
    journal.append(&batch(10..20, 0)).unwrap();
    wait_for_lines(&path, 10);
    finish(journal, sinks);
    let found = bodies(&lines(&path));
    assert_eq!(found.get(found.len() - 10..).unwrap(), (10..20).collect::<Vec<_>>());
}

#[test]
fn behind_a_link_the_file_itself_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (path, volume) = (dir.path().join("audit.log"), dir.path().join("volume"));
    fs::create_dir(&volume).unwrap();
    std::os::unix::fs::symlink(volume.join("real.log"), &path).unwrap();
    let journal = open(&options(&dir.path().join("journal")), &["file"]);
    let rotate = Rotate { max_size: Some(ByteSize::kib(8)), ..Rotate::default() };
    let sinks = Sinks::start(&file(&path, rotate), &journal).unwrap();
    journal.append(&batch(0..100, 500)).unwrap();
    finish(journal, sinks);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    let files = files(&volume.join("real.log")).unwrap();
    assert!(files.len() > 5 && files.iter().all(|(name, _)| name.starts_with("real.log")), "{files:?}");
    assert_eq!(bodies_of(&files), (0..100).collect::<Vec<_>>());
}

fn wait_for_lines(path: &Path, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while lines(path).len() < count {
        assert!(Instant::now() < deadline, "{} lines", lines(path).len());
        thread::yield_now();
    }
}
