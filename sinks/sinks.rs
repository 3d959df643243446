//! All sinks of a journal: each on a thread and a runtime of its own, so that a stuck one holds up nobody but itself.

use std::{
    collections::BTreeMap,
    io,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use panoptes_config::{self as config, DatabaseEngine, SinkOptions};
use tokio::{runtime, sync::watch};

#[cfg(feature = "sqlserver")]
use crate::database::Sqlserver;
#[cfg(feature = "kafka")]
use crate::kafka::Kafka;
use crate::{
    console::Console,
    database::{Database, Mysql, Postgres, Sqlite},
    dead_letters::DeadLetters,
    driver::Driver,
    elasticsearch::Elasticsearch,
    file::File,
    filter::Filter,
    http::{Http, Splunk},
    journal::Journal,
    lane::Lane,
    sink::{OptionError, Sink},
    syslog::Syslog,
};

/// How long a sink that is told to stop may take to save its cursor.
const LAST_MOMENT: Duration = Duration::from_millis(500);

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

impl Sinks {
    /// Starts the configured sinks. A new kind of sink is a file of its own and a line here.
    pub fn start(config: &BTreeMap<String, config::Sink>, journal: &Journal) -> Result<Self, StartError> {
        let mut sinks = Self::none();
        for (name, sink) in config {
            match &sink.options {
                SinkOptions::Console(options) => {
                    sinks.start_one(name, sink, journal, || Ok(Console::new(options)))
                }
                SinkOptions::File(options) => sinks.start_one(name, sink, journal, || Ok(File::new(options))),
                SinkOptions::Http(options) => sinks.start_one(name, sink, journal, || Http::new(options)),
                SinkOptions::Splunk(options) => sinks.start_one(name, sink, journal, || Splunk::new(options)),
                SinkOptions::Elasticsearch(options) => {
                    sinks.start_one(name, sink, journal, || Elasticsearch::new(options))
                }
                SinkOptions::Syslog(options) => sinks.start_one(name, sink, journal, || Syslog::new(options)),
                SinkOptions::Database(options) => sinks.start_database(name, sink, journal, options),
                #[cfg(feature = "kafka")]
                SinkOptions::Kafka(options) => sinks.start_one(name, sink, journal, || Kafka::new(options)),
                #[cfg(not(feature = "kafka"))]
                SinkOptions::Kafka(_) => Err(StartError::Option {
                    option: format!("sinks.{name}.kind"),
                    what: "is kafka, which this build is without; build it with --features kafka".to_owned(),
                }),
            }?;
        }
        Ok(sinks)
    }

    fn start_database(
        &mut self,
        name: &str,
        sink: &config::Sink,
        journal: &Journal,
        options: &config::Database,
    ) -> Result<(), StartError> {
        match options.url.engine {
            DatabaseEngine::Postgres => {
                self.start_one(name, sink, journal, || Database::<Postgres>::new(options))
            }
            DatabaseEngine::Mysql => self.start_one(name, sink, journal, || Database::<Mysql>::new(options)),
            DatabaseEngine::Sqlite => {
                self.start_one(name, sink, journal, || Database::<Sqlite>::new(options))
            }
            #[cfg(feature = "sqlserver")]
            DatabaseEngine::Sqlserver => {
                self.start_one(name, sink, journal, || Database::<Sqlserver>::new(options))
            }
            #[cfg(not(feature = "sqlserver"))]
            DatabaseEngine::Sqlserver => Err(StartError::Option {
                option: format!("sinks.{name}.url"),
                what: "is of SQL Server, which this build is without; build it with --features sqlserver"
                    .to_owned(),
            }),
        }
    }

    fn start_one<S: Sink>(
        &mut self,
        name: &str,
        config: &config::Sink,
        journal: &Journal,
        new: impl Fn() -> Result<S, OptionError>,
    ) -> Result<(), StartError> {
        let lanes = (0..config.options.concurrency().max(1)).map(|_| new()).collect::<Result<_, _>>();
        let wrong = |OptionError { option, what }| StartError::Option {
            option: format!("sinks.{name}.{option}"),
            what,
        };
        self.add_lanes(name, config, journal, lanes.map_err(wrong)?)
    }

    /// No sink yet.
    #[must_use]
    pub fn none() -> Self {
        let (end, ended) = mpsc::channel();
        Self { running: Vec::new(), ended, end, stop: watch::Sender::new(false) }
    }

    /// Starts one sink; `config` gives batches and retries.
    pub fn add<S: Sink>(
        &mut self,
        name: &str,
        config: &config::Sink,
        journal: &Journal,
        sink: S,
    ) -> Result<(), StartError> {
        self.add_lanes(name, config, journal, vec![sink])
    }

    /// Starts one sink that delivers over several connections at once.
    fn add_lanes<S: Sink>(
        &mut self,
        name: &str,
        config: &config::Sink,
        journal: &Journal,
        sinks: Vec<S>,
    ) -> Result<(), StartError> {
        journal.require(name, config.required);
        let driver = Driver {
            name: name.to_owned(),
            follower: journal.follow(name).ok_or_else(|| StartError::Unknown(name.to_owned()))?,
            filter: Filter::new(&config.filter),
            bounds: config.batch.clone(),
            dead_letters: DeadLetters::new(journal.dir(), name),
            lanes: sinks.into_iter().map(|sink| Lane::new(sink, &config.retry)).collect(),
        };
        let failed = |source| StartError::Thread { name: name.to_owned(), source };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (end, stop) = (self.end.clone(), self.stop.subscribe());
        let run = move || {
            let name = driver.name.clone();
            let finished = runtime.block_on(drive(driver, stop));
            // Nobody listens any more where the program does not wait.
            let _ = end.send(End { name, finished });
        };
        thread::Builder::new().name(format!("sink-{name}")).spawn(run).map_err(failed)?;
        self.running.push(name.to_owned());
        Ok(())
    }

    /// Waits until every sink has the whole of a closed journal, at most for `timeout`. Gives back the sinks that
    /// have not: the rest is delivered after the next start. One that hangs is left to the end of the process.
    pub fn finish(mut self, timeout: Duration) -> Vec<String> {
        let mut unfinished = self.wait(timeout);
        self.stop.send_replace(true);
        unfinished.extend(self.wait(LAST_MOMENT));
        unfinished.extend(self.running);
        unfinished
    }

    /// Waits for all threads to end; those that ended too early.
    fn wait(&mut self, timeout: Duration) -> Vec<String> {
        let until = Instant::now() + timeout;
        let mut unfinished = Vec::new();
        while !self.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(End { name, finished }) = self.ended.recv_timeout(left) else { break };
            self.running.retain(|running| *running != name);
            unfinished.extend((!finished).then_some(name));
        }
        unfinished
    }
}

/// Drives a sink to its end: whether it came to the journal's end.
async fn drive<S: Sink>(mut driver: Driver<S>, mut stop: watch::Receiver<bool>) -> bool {
    let finished = tokio::select! {
        () = driver.run() => true,
        // Also where nobody holds the other end any more.
        _ = stop.wait_for(|&stop| stop) => false,
    };
    driver.save() && finished
}
