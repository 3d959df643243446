//! Events to a sink once more: slices of them, each from a journal of its own, so that the one at work is not touched.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, Permissions},
    io::{self, IsTerminal, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use panoptes_config::{Config, Sink};
use panoptes_sinks::{Journal as Log, Origin, Sinks, journal::Stats};
use serde::Serialize;
use tempfile::TempDir;

use super::output::complain;
use crate::{EXIT_FAILURE, ended, start_log};

/// How long a sink may take for a slice.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often people are told how far it is.
const TELL_INTERVAL: Duration = Duration::from_millis(500);

/// Delivers to one sink.
pub(super) struct Again<'c> {
    dir: &'c Path,
    sink: BTreeMap<String, Sink>,
    leaving: Leaving,
    /// How many events there are, where that is known.
    pub(super) total: Option<usize>,
    pub(super) told: Told,
}

/// What became of the events.
#[derive(Default, Serialize)]
pub(super) struct Told {
    sink: String,
    delivered: u64,
    /// Not for the sink, by its filter.
    filtered: u64,
    /// Among its dead letters now.
    refused: u64,
}

impl<'c> Again<'c> {
    /// To a sink of the configuration.
    pub(super) fn to(config: &'c Config, name: &str) -> Result<Self, Box<dyn Error>> {
        start_log(config)?;
        let Some(sink) = config.sinks.get(name) else {
            let known = config.sinks.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("no sink {name:?} is configured; known here: {known}").into());
        };
        Ok(Self {
            dir: &config.journal.dir,
            sink: BTreeMap::from([(name.to_owned(), sink.clone())]),
            leaving: Leaving::watch()?,
            total: None,
            told: Told { sink: name.to_owned(), ..Told::default() },
        })
    }

    /// Delivers what `fill` writes to a new journal in a folder; gives back what it gave back, `None` where there was no more.
    pub(super) fn deliver<T>(
        &mut self,
        fill: impl FnOnce(&Path, &str) -> io::Result<Option<T>>,
    ) -> Result<Option<T>, Box<dyn Error>> {
        let dir = TempDir::with_prefix("panoptes-replay-")?;
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700))?;
        self.leaving.remove(Some(dir.path().to_owned()));
        let filled = fill(dir.path(), &self.told.sink)?;
        if filled.is_some() {
            let options = panoptes_config::Journal {
                dir: dir.path().to_owned(),
                ..panoptes_config::Journal::default()
            };
            let slice = Log::open(&options, Origin::default(), &[&self.told.sink])?;
            let running = Sinks::start_watched(&self.sink, &slice, self.dir)?;
            slice.close()?;
            let behind = self.shown(&slice, || running.finish(PATIENCE));
            self.told.count(&slice.stats());
            if !behind.is_empty() {
                return Err(format!("the sink did not take all: {}", self.told).into());
            }
        }
        drop(dir);
        self.leaving.remove(None);
        Ok(filled)
    }

    /// Tells people how far it is, while it goes on.
    fn shown<T>(&self, slice: &Log, work: impl FnOnce() -> T) -> T {
        if !io::stderr().is_terminal() {
            return work();
        }
        let (working, done) = mpsc::channel::<()>();
        let before = self.told.all();
        let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        thread::scope(|scope| {
            scope.spawn(move || {
                while done.recv_timeout(TELL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let mut now = Told::default();
                    now.count(&slice.stats());
                    let _ = write!(io::stderr(), "\r\x1b[K{}{total} events", before + now.all());
                }
                let _ = write!(io::stderr(), "\r\x1b[K");
            });
            let worked = work();
            drop(working);
            worked
        })
    }
}

impl Told {
    /// Adds those of a slice.
    fn count(&mut self, stats: &Stats) {
        for sink in &stats.sinks {
            self.delivered += sink.delivered;
            self.filtered += sink.filtered;
            self.refused += sink.dead_lettered;
        }
    }

    fn all(&self) -> u64 {
        self.delivered + self.filtered + self.refused
    }

    /// An error where the sink refused some.
    pub(super) fn expect_taken(&self) -> Result<(), Box<dyn Error>> {
        match self.refused {
            0 => Ok(()),
            refused => Err(format!(
                "{refused} events were refused: they are among the dead letters of {}",
                self.sink
            )
            .into()),
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events delivered to {} once more", self.delivered, self.sink)?;
        for (count, what) in [(self.filtered, "not for it by its filter"), (self.refused, "refused")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Somebody who ends the program while a sink is waited for: what was copied for it goes as well.
struct Leaving(Arc<Mutex<Option<PathBuf>>>);

impl Leaving {
    fn watch() -> Result<Self, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let dir = Arc::<Mutex<Option<PathBuf>>>::default();
        let theirs = Arc::clone(&dir);
        thread::Builder::new().name("signals".into()).spawn(move || {
            drop(runtime.block_on(ended()));
            if let Some(dir) = theirs.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = fs::remove_dir_all(dir);
            }
            complain("panoptes: ended before all was delivered");
            process::exit(EXIT_FAILURE.into());
        })?;
        Ok(Self(dir))
    }

    /// Which folder would be left behind.
    fn remove(&self, dir: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = dir;
    }
}
