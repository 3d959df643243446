//! Opens a journal: lock, recovery, cursors.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use panoptes_config as config;
use tokio::sync::watch;

use super::{
    Error,
    chain::Chain,
    cursor::{self, Cursor, Saved},
    directory::{Directory, TEMPORARY},
    dirty::Dirty,
    durable::Durable,
    keys::SigningKey,
    ledger::Ledger,
    loss::{Loss, Origin},
    record,
    recovery::{self, Findings},
    segment,
    shared::{Bounds, Counters, HIGH_WATER, Progress, Shared, lock, now},
    spares,
    tail::Tail,
    writer::Writer,
};

/// What is written at a time, at most.
const WRITE: u64 = 1 << 20;
/// What is kept for gap events, at most.
const RESERVE: u64 = 1 << 20;
/// How much room a segment's file is given ahead of its records, where someone waits for syncs.
const AHEAD: u64 = 16 << 20;
/// A file that is there while the journal is open: who finds it comes after a crash.
pub(crate) const RUNNING: &str = "running";
/// How often the lock is tried, and the pause between.
const LOCK_ATTEMPTS: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// A smaller journal has no room for the segments that it is made of.
const MIN_SIZE: u64 = 64 << 10;

pub(crate) fn open(config: &config::Journal, origin: Origin, sinks: &[&str]) -> Result<Shared, Error> {
    if let Some(name) = sinks.iter().find(|name| !cursor::is_name(name)) {
        return Err(Error::SinkName((*name).to_owned()));
    }
    let key = signing_key(config)?;
    let directory =
        Directory::open(&config.dir).map_err(|source| Error::Folder { dir: config.dir.clone(), source })?;
    let dir = directory.path().to_owned();
    let io = |action| move |source| Error::io(action, &dir, source);
    let lock_file = take_lock(&directory).map_err(io.clone()("lock"))?;
    let lock_file = lock_file.ok_or_else(|| Error::Locked { dir: config.dir.clone() })?;
    let cursors = Directory::open(&directory.join("cursors")).map_err(io.clone()("create the cursors in"))?;
    remove_leftovers(&directory).and_then(|()| remove_leftovers(&cursors)).map_err(io.clone()("clean up"))?;
    let now = now();
    let findings = recovery::inspect(&directory, now)?;
    let seen = seen(&cursors).map_err(io.clone()("read the cursors in"))?;
    let next = findings.next.max(seen.saturating_add(1));
    let sinks = progress(&cursors, sinks, &findings, next).map_err(io.clone()("read the cursors in"))?;
    let (mut writer, mut ledger) =
        adopt(&directory, &findings).map_err(io.clone()("open the last segment in"))?;
    writer.chain(key.map(|key| Chain::new(key, findings.last_event.as_deref())));
    let bounds = bounds(config);
    // Of the size from which on it counts as full, which is smaller by what may be written at a time.
    let full = bounds.for_events().saturating_sub(bounds.largest_write());
    ledger.watch(full / 100 * HIGH_WATER);
    let crashed = directory.join(RUNNING).exists();
    let shared = Shared {
        directory,
        cursors,
        _lock: lock_file,
        bounds,
        origin,
        writer: Mutex::new(writer),
        ledger: Mutex::new(ledger),
        spares: Mutex::default(),
        room: Condvar::new(),
        dirty: Dirty::default(),
        durable: Durable::default(),
        tail: Tail::default(),
        intents: Mutex::default(),
        written: watch::Sender::new(findings.next.saturating_sub(1)),
        closed: watch::Sender::new(false),
        sinks,
        counters: Counters::default(),
        #[cfg(test)]
        failing_syncs: std::sync::atomic::AtomicU64::new(0),
    };
    shared.restore(&findings, crashed, next, now).map_err(io.clone()("recover"))?;
    if !crashed {
        shared.directory.create(RUNNING).and_then(|_| shared.directory.sync()).map_err(io("mark as open"))?;
    }
    shared.release(true);
    Ok(shared)
}

/// Takes the lock. Who looks whether a journal is open holds it for a moment: it is tried more than once.
fn take_lock(directory: &Directory) -> io::Result<Option<File>> {
    for _ in 1..LOCK_ATTEMPTS {
        match directory.lock("lock")? {
            None => thread::sleep(LOCK_PAUSE),
            taken => return Ok(taken),
        }
    }
    directory.lock("lock")
}

/// What the chain is signed with, if it is.
fn signing_key(config: &config::Journal) -> Result<Option<SigningKey>, Error> {
    let Some(path) = &config.signing_key_file else { return Ok(None) };
    SigningKey::load(path).map(Some).map_err(|source| Error::Key { path: path.clone(), source })
}

impl Shared {
    /// The journal is complete: the next start finds no crash.
    pub(crate) fn end_in_order(&self) -> io::Result<()> {
        self.directory.remove(RUNNING)?;
        self.directory.sync()
    }

    /// Tells what is lost, then mends.
    fn restore(&self, findings: &Findings, crashed: bool, next: u64, now: i64) -> io::Result<()> {
        let mut losses = findings.losses.clone();
        if crashed {
            let from = if findings.last_micros > 0 { findings.last_micros } else { now };
            let reason =
                "the program or its machine ended without notice: what it had seen and not yet written \
                          is not known"
                    .to_owned();
            losses.push(Loss { count: 0, from, to: now, reason });
        }
        let mut writer = lock(&self.writer);
        if next > findings.next {
            let count = next - findings.next;
            tracing::error!(count, "events that a sink has seen are no longer in the journal");
            writer.skip_to(self, next)?;
            let reason = "journal lost its end in a crash".to_owned();
            losses.push(Loss { count, from: findings.last_micros, to: now, reason });
        }
        for loss in &losses {
            writer.lose(self, loss);
            writer.tell_loss(self)?;
        }
        drop(writer);
        if crashed {
            self.write_outcomes(&findings.intents, findings.next)?;
        }
        self.sync()?;
        for kept in findings.segments.iter().filter(|kept| kept.damaged) {
            let limit = lock(&self.ledger).limit(kept.first);
            let end = recovery::mend(&self.directory, kept, limit, now)?;
            lock(&self.ledger).insert(kept.first, end);
        }
        Ok(())
    }
}

fn bounds(config: &config::Journal) -> Bounds {
    let max_size = config.max_size.bytes().max(MIN_SIZE);
    let eighth = usize::try_from(max_size / 8).unwrap_or(usize::MAX);
    Bounds {
        max_size,
        // So that a quarter can be deleted while the others are in use.
        segment_size: config.segment_size.bytes().min(max_size / 4),
        // In memory there is nothing to gain.
        ahead: if config.mode == config::Mode::Memory { 0 } else { AHEAD },
        reserve: RESERVE.min(max_size / 8),
        write: eighth.min(WRITE as usize),
        payload: eighth.min(record::HEADER + record::MAX_PAYLOAD),
        drop_when_full: config.on_full == config::OnFull::Drop,
        sync_interval: config.sync_interval,
        retention: config.retention,
    }
}

/// The segments that were found, and the last one open for more.
fn adopt(directory: &Directory, findings: &Findings) -> io::Result<(Writer, Ledger)> {
    let mut ledger = Ledger::new(findings.next);
    for kept in &findings.segments {
        ledger.found(kept.first, kept.end, age(&directory.join(&segment::name(kept.first)))?);
    }
    let Some(last) = findings.segments.last().filter(|last| !last.damaged) else {
        return Ok((Writer::new(findings.next, None), ledger));
    };
    let file = Arc::new(directory.open_file(&segment::name(last.first))?);
    ledger.open(last.first, Arc::clone(&file));
    Ok((Writer::new(findings.next, Some((last.first, file, last.end.offset))), ledger))
}

/// How long ago a file was written last.
fn age(file: &Path) -> io::Result<Duration> {
    // A clock that was set back makes nothing older.
    Ok(fs::metadata(file)?.modified()?.elapsed().unwrap_or_default())
}

/// The highest number that any sink, also one no longer configured, has acknowledged.
fn seen(cursors: &Directory) -> io::Result<u64> {
    let mut seen = 0;
    for name in Cursor::names(cursors)? {
        if let Saved::Cursor(cursor) = Cursor::load(cursors, &name)? {
            seen = seen.max(cursor.seq);
        }
    }
    Ok(seen)
}

/// Where each sink goes on.
fn progress(
    directory: &Directory,
    sinks: &[&str],
    findings: &Findings,
    next: u64,
) -> io::Result<Vec<Progress>> {
    for other in Cursor::names(directory)?.iter().filter(|name| !sinks.contains(&name.as_str())) {
        tracing::info!(sink = %other, "a sink that is not configured has a cursor in the journal; it is left alone");
    }
    let oldest = findings.segments.first().map_or(findings.next, |segment| segment.first);
    let mut all = Vec::new();
    for &sink in sinks {
        let cursor = match Cursor::load(directory, sink)? {
            Saved::Cursor(cursor) => cursor,
            Saved::Never => {
                let cursor = Cursor { seq: next - 1, ..Cursor::default() };
                if next > 1 {
                    tracing::info!(sink, seq = next, "a new sink: it begins with the next event");
                }
                // At once: were it saved with the first delivery only, a crash before would skip events.
                cursor.save(directory, sink)?;
                cursor
            }
            Saved::Unreadable => {
                tracing::error!(
                    sink,
                    seq = oldest,
                    "the cursor cannot be read: events are delivered again from the oldest"
                );
                Cursor { seq: oldest - 1, ..Cursor::default() }
            }
        };
        all.push(Progress::new(sink, cursor));
    }
    Ok(all)
}

/// Removes what a crash left half written, and spares: what they hold was known to the process that had them.
fn remove_leftovers(directory: &Directory) -> io::Result<()> {
    let temporary = format!(".{TEMPORARY}");
    for name in directory.files()? {
        if name.ends_with(&temporary) || name.ends_with(spares::SUFFIX) {
            directory.remove(&name)?;
        }
    }
    Ok(())
}
