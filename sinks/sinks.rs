//! All sinks of a journal: each on a thread and a runtime of its own, so that a stuck one holds up nobody but itself.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use panoptes_config as config;
use tokio::{runtime, sync::watch};

use crate::{
    dead_letters::DeadLetters,
    driver::Driver,
    filter::Filter,
    journal::Journal,
    kinds::{Build, build},
    lane::Shared,
    life::{Maker, New, live},
    sink::{OptionError, Sink},
    witness::Witnesses,
};

/// How long a sink that is told to stop may take to save its cursor.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// How often is looked whether sinks may still take their time.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The running sinks.
pub struct Sinks {
    running: Vec<String>,
    ended: mpsc::Receiver<End>,
    end: mpsc::Sender<End>,
    stop: watch::Sender<bool>,
}

/// A sink's thread has come to its end.
struct End {
    name: String,
    /// Whether it had come to the journal's.
    finished: bool,
}

/// Why a sink cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The journal keeps no cursor for it.
    #[error("sink {0:?} was not named to Journal::open")]
    Unknown(String),
    /// What an option names cannot be used.
    #[error("{option}: {what}")]
    Option {
        /// The option.
        option: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The system gives no thread.
    #[error("cannot start the thread of sink {name:?}: {source}")]
    Thread {
        /// The sink.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OptionError {
    fn of(self, sink: &str) -> StartError {
        StartError::Option { option: format!("sinks.{sink}.{}", self.option), what: self.what }
    }
}

impl Sinks {
    /// Starts the configured sinks.
    pub fn start(config: &BTreeMap<String, config::Sink>, journal: &Journal) -> Result<Self, StartError> {
        Self::start_on(config, journal, Terms { letters: journal.letters(), is_watched: false })
    }

    /// Starts the configured sinks for events that someone has sent once more, and waits for. An event that is refused is
    /// a dead letter of the journal in the folder `letters` then, also where nothing shows that others would be taken.
    pub fn start_watched(
        config: &BTreeMap<String, config::Sink>,
        journal: &Journal,
        letters: &Path,
    ) -> Result<Self, StartError> {
        Self::start_on(config, journal, Terms { letters, is_watched: true })
    }

    fn start_on(
        config: &BTreeMap<String, config::Sink>,
        journal: &Journal,
        terms: Terms<'_>,
    ) -> Result<Self, StartError> {
        let mut starting = Starting { sinks: Self::none(), journal, terms };
        config.iter().try_for_each(|(name, sink)| build(name, sink, &mut starting))?;
        Ok(starting.sinks)
    }

    /// Looks whether they could be started: whether what their options name, secrets and certificates, can be used.
    ///
    /// # Errors
    ///
    /// The first of what [`Sinks::start`] would refuse.
    pub fn check(config: &BTreeMap<String, config::Sink>) -> Result<(), StartError> {
        config.iter().try_for_each(|(name, sink)| build(name, sink, &mut Trial))
    }

    /// No sink yet.
    #[must_use]
    pub fn none() -> Self {
        let (end, ended) = mpsc::channel();
        Self { running: Vec::new(), ended, end, stop: watch::Sender::new(false) }
    }

    /// Starts one sink; `config` gives batches and retries. Where it ends in a panic, a copy of it goes on.
    pub fn add<S: Sink + Clone>(
        &mut self,
        name: &str,
        config: &config::Sink,
        journal: &Journal,
        sink: S,
    ) -> Result<(), StartError> {
        let terms = Terms { letters: journal.letters(), is_watched: false };
        self.add_made(name, config, journal, (&sink, |sink| Ok(sink.clone())), terms)
    }

    /// Starts one sink, which is made of its options.
    fn add_made<S: Sink, O: Clone + Send + 'static>(
        &mut self,
        name: &str,
        config: &config::Sink,
        journal: &Journal,
        (options, new): (&O, New<O, S>),
        terms: Terms<'_>,
    ) -> Result<(), StartError> {
        let lanes = config.options.concurrency().max(1);
        let maker = Maker { options: options.clone(), new, lanes, retry: config.retry.clone() };
        let lanes = maker.lanes().map_err(|error| error.of(name))?;
        journal.require(name, config.required);
        let driver = Driver {
            shared: Shared {
                name: name.to_owned(),
                follower: journal.follow(name).ok_or_else(|| StartError::Unknown(name.to_owned()))?,
                dead_letters: DeadLetters::new(terms.letters, name),
                bounds: config.batch.clone(),
                taken: Cell::default(),
            },
            filter: Filter::new(&config.filter),
            lanes,
            witnesses: Witnesses::default(),
            is_watched: terms.is_watched,
        };
        let failed = |source| StartError::Thread { name: name.to_owned(), source };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (end, stop) = (self.end.clone(), self.stop.subscribe());
        let run = move || {
            let name = driver.shared.name.clone();
            let finished = runtime.block_on(live(driver, maker, stop));
            // Nobody listens any more where the program does not wait.
            let _ = end.send(End { name, finished });
        };
        thread::Builder::new().name(format!("sink-{name}")).spawn(run).map_err(failed)?;
        self.running.push(name.to_owned());
        Ok(())
    }

    /// Waits until every sink has the whole of a closed journal, at most for `timeout`. Gives back the sinks that
    /// have not: the rest is delivered after the next start. One that hangs is left to the end of the process.
    pub fn finish(self, timeout: Duration) -> Vec<String> {
        let until = Instant::now() + timeout;
        self.finish_until(|| until)
    }

    /// The same, at most until the time that `until` gives, which may come nearer meanwhile.
    pub fn finish_until(mut self, until: impl Fn() -> Instant) -> Vec<String> {
        let mut unfinished = self.wait(until);
        self.stop.send_replace(true);
        let last = Instant::now() + LAST_MOMENT;
        unfinished.extend(self.wait(|| last));
        unfinished.extend(self.running);
        unfinished
    }

    /// Waits for all threads to end; those that ended too early.
    fn wait(&mut self, until: impl Fn() -> Instant) -> Vec<String> {
        let mut unfinished = Vec::new();
        while !self.running.is_empty() {
            let left = until().saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left.min(LOOK_INTERVAL)) {
                Ok(End { name, finished }) => {
                    self.running.retain(|running| *running != name);
                    unfinished.extend((!finished).then_some(name));
                }
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(_) => break,
            }
        }
        unfinished
    }
}

/// What becomes of events that a sink refuses.
#[derive(Clone, Copy)]
struct Terms<'t> {
    /// The folder of the journal whose dead letters they are.
    letters: &'t Path,
    /// As [`Driver::is_watched`].
    is_watched: bool,
}

/// Sinks that are being started.
struct Starting<'s> {
    sinks: Sinks,
    journal: &'s Journal,
    terms: Terms<'s>,
}

impl Build for Starting<'_> {
    fn build<S: Sink, O: Clone + Send + 'static>(
        &mut self,
        name: &str,
        config: &config::Sink,
        options: &O,
        new: New<O, S>,
    ) -> Result<(), StartError> {
        self.sinks.add_made(name, config, self.journal, (options, new), self.terms)
    }
}

/// Sinks that are made, and let go of.
struct Trial;

impl Build for Trial {
    fn build<S: Sink, O: Clone + Send + 'static>(
        &mut self,
        name: &str,
        _: &config::Sink,
        options: &O,
        new: New<O, S>,
    ) -> Result<(), StartError> {
        new(options).map(drop).map_err(|error| error.of(name))
    }
}
