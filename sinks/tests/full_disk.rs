//! A disk that is full: the policy holds, and what was full goes on by itself. Needs the right to mount a tmpfs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "of tests")]

mod support;

use std::{fs, path::Path, process::Command, thread};

use panoptes_config::OnFull;
use panoptes_sinks::AppendError;
use support::*;

/// A file system of 1 MiB, half of it taken by a ballast.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(dir.path()).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            eprintln!("SKIPPED: no right to mount a tmpfs");
            return None;
        }
        fs::write(dir.path().join("ballast"), vec![0; 512 << 10]).unwrap();
        Some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn options(disk: &SmallDisk, on_full: OnFull) -> panoptes_config::Journal {
    let segment_size = panoptes_config::ByteSize::kib(64);
    panoptes_config::Journal { on_full, segment_size, ..support::options(&disk.path().join("journal")) }
}

#[test]
fn events_dropped_while_the_disk_is_full_are_told_when_it_is_not() {
    let Some(disk) = SmallDisk::mount() else { return };
    let journal = open(&options(&disk, OnFull::Drop), &["probe"]);
    let mut taken: Vec<u64> = Vec::new();
    let mut dropped = 0;
    for n in 0.. {
        match journal.append(&batch(n..n + 1, 2_000)) {
            Ok(_) => taken.push(n),
            Err(AppendError::Dropped { reason, .. }) => {
                assert!(reason.contains("No space left"), "{reason}");
                dropped += 1;
            }
            Err(error) => panic!("{error}"),
        }
        if dropped == 10 {
            assert!(journal.writable().unwrap_err().contains("No space left"));
            disk.make_room();
        }
        if dropped >= 10 && taken.last() == Some(&n) {
            break;
        }
        if dropped >= 10 {
            thread::yield_now();
        }
    }
    let probe = Probe::default();
    let sinks = start(&journal, &[("probe", &probe)]);
    finish(journal, sinks);
    let received = probe.received();
    assert_eq!(bodies(&received), taken);
    assert_eq!(seqs(&received), (1..=received.len() as u64).collect::<Vec<_>>());
    let gaps: Vec<_> = received.iter().filter_map(|event| event.gap.as_ref()).collect();
    assert_eq!(gaps.iter().map(|gap| gap.0).sum::<u64>(), dropped);
}

#[test]
fn events_wait_while_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount() else { return };
    let journal = open(&options(&disk, OnFull::Block), &["probe"]);
    let appender = thread::spawn({
        let journal = journal.clone();
        move || {
            (0..300).for_each(|n| {
                journal.append(&batch(n..n + 1, 2_000)).unwrap();
            })
        }
    });
    while journal.writable().is_ok() {
        thread::yield_now();
    }
    disk.make_room();
    appender.join().unwrap();
    let probe = Probe::default();
    let sinks = start(&journal, &[("probe", &probe)]);
    finish(journal, sinks);
    assert_eq!(seqs(&probe.received()), (1..=300).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_is_emptied_by_the_sinks_alone() {
    let Some(disk) = SmallDisk::mount() else { return };
    let journal = open(&options(&disk, OnFull::Block), &["probe"]);
    let probe = Probe::default();
    probe.hold(true);
    let sinks = start(&journal, &[("probe", &probe)]);
    let appender = thread::spawn({
        let journal = journal.clone();
        move || {
            (0..2_000).for_each(|n| {
                journal.append(&batch(n..n + 1, 2_000)).unwrap();
            })
        }
    });
    while journal.writable().is_ok() {
        thread::yield_now();
    }
    // Not even the cursor finds room to be saved.
    probe.hold(false);
    appender.join().unwrap();
    finish(journal, sinks);
    assert_eq!(seqs(&probe.received()), (1..=2_000).collect::<Vec<_>>());
}
