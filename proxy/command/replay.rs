//! `panoptes journal replay`: a range of the journal to a sink once more.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use panoptes_config::Config;
use panoptes_sinks::{
    Journal as Log, Origin, Sinks,
    journal::{
        Stats,
        look::{self, Found},
    },
};
use tempfile::TempDir;

use super::journal::{Range, expect_all};
use crate::{EXIT_FAILURE, ended, start_log};

/// How long a sink may take for a slice.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Delivers slices of the range, each from a journal of its own, so that the one at work is not touched.
pub(super) fn replay(config: &Config, range: &Range, name: &str) -> Result<(), Box<dyn Error>> {
    start_log(config)?;
    let Some(sink) = config.sinks.get(name) else {
        let known = config.sinks.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(format!("no sink {name:?} is configured; known here: {known}").into());
    };
    let sinks = BTreeMap::from([(name.to_owned(), sink.clone())]);
    let (mut found, mut told) = (Found::from(range.from), Told::default());
    let leaving = Leaving::watch()?;
    let (mut next, to) = (range.from.unwrap_or(0), range.to.unwrap_or(u64::MAX));
    while next <= to {
        let dir = TempDir::with_prefix("panoptes-replay-")?;
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700))?;
        leaving.remove(Some(dir.path().to_owned()));
        let Some(then) = look::copy(&config.journal.dir, next..=to, dir.path(), name, &mut found)? else {
            break;
        };
        let options =
            panoptes_config::Journal { dir: dir.path().to_owned(), ..panoptes_config::Journal::default() };
        let slice = Log::open(&options, Origin::default(), &[name])?;
        let running = Sinks::start(&sinks, &slice)?;
        slice.close()?;
        let behind = running.finish(PATIENCE);
        if told.count(&slice.stats()) > 0 {
            eprintln!("panoptes: what was refused is in {}", dir.keep().join("dead-letters").display());
        }
        if !behind.is_empty() {
            return Err(format!("the sink did not take all from number {next} on").into());
        }
        leaving.remove(None);
        next = then;
    }
    found.end(range.to);
    println!("{} events delivered to {name} once more{}", told.delivered, told.rest());
    expect_all(&found)?;
    match told.refused {
        0 => Ok(()),
        refused => Err(format!("{refused} events will never be taken").into()),
    }
}

/// What became of the events of a replay.
#[derive(Default)]
struct Told {
    delivered: u64,
    filtered: u64,
    refused: u64,
}

impl Told {
    /// Adds those of a slice; how many of these were refused.
    fn count(&mut self, stats: &Stats) -> u64 {
        let refused = stats.sinks.iter().map(|sink| sink.dead_lettered).sum();
        self.delivered += stats.sinks.iter().map(|sink| sink.delivered).sum::<u64>();
        self.filtered += stats.sinks.iter().map(|sink| sink.filtered).sum::<u64>();
        self.refused += refused;
        refused
    }

    fn rest(&self) -> String {
        let count = |n: u64, what: &str| if n > 0 { format!(", {n} {what}") } else { String::new() };
        count(self.filtered, "not for it by its filter") + &count(self.refused, "refused")
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
            runtime.block_on(ended());
            if let Some(dir) = theirs.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = fs::remove_dir_all(dir);
            }
            eprintln!("panoptes: ended before all was delivered");
            process::exit(EXIT_FAILURE.into());
        })?;
        Ok(Self(dir))
    }

    /// Which folder would be left behind.
    fn remove(&self, dir: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = dir;
    }
}
