//! Panoptes: passes every byte between applications and their database on, and writes one event per statement.
//!
//! The way of a statement:
//!
//! ```text
//! listener → worker → connection → pump → (parser: what is asked, what is answered) → capture
//!                                                            the path of the bytes ends here
//! capture → audit → (parser: what the SQL says) → event → journal → sinks
//! ```
//!
//! * `listener`, `worker`: sockets, and the threads that serve them; one task on one thread owns a session.
//! * `connection`: one client: its first bytes, the server, the reason it ended. `pump`: both directions in one task.
//! * `lobby`: who may have a connection open, logged in or not; `files`: how many the process may.
//! * `leg`: one side of a session; `stream`: its socket, plain for now. `presence`: clients that are not read for a while.
//! * `cancel`: cancel keys of all sessions. `session`: what is known beside the wire.
//! * `landed`: how far events have come to the disk; `held`: answers and statements that wait for that.
//! * `recorder`: what is seen on a session, written down. `capture`: batches of records on their way to the audit
//!   thread; `pacer`: their clock, and that of `alarm`, the deadlines of sessions.
//! * `audit`: from records to events.
//! * `metrics`, `admin`: what Panoptes tells of itself; `visits`: to whom. `error`: why it cannot start.
//! * `classify`: what `audit` would say of SQL, without a session.

mod admin;
mod alarm;
mod audit;
mod cancel;
mod capture;
mod classify;
mod clock;
mod connection;
mod error;
mod files;
mod held;
mod landed;
mod leg;
mod listener;
mod lobby;
mod metrics;
mod pacer;
mod presence;
mod pump;
mod recorder;
mod session;
mod stream;
mod visits;
mod worker;

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use panoptes_config::{Config, Limits, OnFull};
use panoptes_sinks::{Journal, Origin, Sinks, Vital};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

pub use classify::{ClassifyError, classify_lines, classify_text};
pub use error::Error;
pub use files::check_files;
pub use panoptes_parser::sql::{Dialect, Server};

use admin::Health;
use audit::Auditor;
use cancel::Keys;
use capture::Queue;
use listener::Listener;
use lobby::Lobby;
use metrics::Metrics;
use pacer::{Beat, Pacer};
use worker::{Drain, LAST_WORDS, Shared};

/// What sinks get at least to take what is in the journal when the proxy goes down; it keeps the rest for them.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);

/// How often is looked whether the journal is full, where sessions end then.
const FULL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the proxy until `shutdown` is ready and what was under way has ended, or what `shutdown` gave is ready as well.
///
/// # Errors
/// Whatever keeps it from starting: an address that cannot be bound, a journal that cannot be opened, a sink.
pub fn run<H>(config: &Config, shutdown: impl Future<Output = H>) -> Result<(), Error>
where
    H: Future<Output = ()> + Send + 'static,
{
    let limits = files::make_room(config)?;
    let config = &Config { limits, ..config.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let metrics = Arc::new(Metrics::new()?);
    let listeners = bind(config)?;
    let sink_names: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
    let origin = Origin {
        app_name: config.app_name.clone(),
        environment: config.environment.clone(),
        instance: config.instance.clone(),
    };
    let journal = Journal::open(&config.journal, origin.clone(), &sink_names)?;
    for (sink, exposed) in config.sinks.iter().filter_map(|(name, sink)| Some((name, sink.exposed()?))) {
        warn!(sink, "{exposed}");
    }
    let sinks = Sinks::start(&config.sinks, &journal)?;
    let health = Health::new(&listeners, &journal, &metrics);
    let admin = config.admin.address.map(|address| runtime.block_on(admin::bind(address))).transpose()?;

    let keys = Arc::default();
    let (queues, auditors) = start_auditors(config, &origin, &journal, &keys, &metrics)?;
    let (drain, draining) = watch::channel(Drain::No);
    let workers = start_workers(config, listeners, queues, &keys, &metrics, &draining)?;

    let hurry = runtime.block_on(async {
        tokio::select! {
            hurry = shutdown => Some(hurry),
            () = admin::serve(admin, health) => None,
            () = fail_closed(config, &journal, &drain) => None,
        }
    });
    info!("going down: running statements may take up to {:?} to end", config.limits.drain_timeout);
    // Workers that are gone need not be told.
    let _ = drain.send(Drain::Gently);
    let until = Instant::now() + config.limits.drain_timeout;
    let hurried = await_hurry(runtime, hurry, drain)?;
    let ended = give_up_waiting(&journal, until)?;
    join(workers);
    join(auditors);
    drop(ended);
    finish(until, &hurried, &journal, sinks)
}

/// Ends what is still under way as soon as `hurry` is ready, and tells since when. The thread ends with the process.
fn await_hurry(
    runtime: tokio::runtime::Runtime,
    hurry: Option<impl Future<Output = ()> + Send + 'static>,
    drain: watch::Sender<Drain>,
) -> Result<Arc<OnceLock<Instant>>, Error> {
    let hurried = Arc::new(OnceLock::new());
    let told = Arc::clone(&hurried);
    let wait = move || {
        let Some(hurry) = hurry else { return };
        runtime.block_on(hurry);
        warn!("told again to go down: what still runs is ended");
        let _ = (told.set(Instant::now()), drain.send(Drain::Now));
    };
    thread::Builder::new().name("hurry".into()).spawn(wait).map_err(Error::Start)?;
    Ok(hurried)
}

/// With that policy, closes the door while the journal is full, and opens it again. Ends never.
async fn fail_closed(config: &Config, journal: &Journal, drain: &watch::Sender<Drain>) {
    if config.journal.on_full != OnFull::FailClosed {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(FULL_INTERVAL).await;
        let full = journal.full();
        let state = if full.is_some() { Drain::Full } else { Drain::No };
        let changed = drain.send_if_modified(|before| std::mem::replace(before, state) != state);
        match full {
            Some(reason) if changed => warn!(reason, "fail_closed: sessions are ended, new ones refused"),
            None if changed => info!("the journal has room again: sessions are served"),
            _ => {}
        }
    }
}

/// An auditor that waits for room in a full journal would wait for ever if its sink hangs. Once the workers' time is
/// over, a full journal is closed before it: what waits becomes a gap event. Dropping what this gives calls it off.
fn give_up_waiting(journal: &Journal, until: Instant) -> Result<Sender<()>, Error> {
    let (ended, waiting) = channel();
    let journal = journal.clone();
    let watch = move || {
        let mut wait = until.saturating_duration_since(Instant::now()) + LAST_WORDS;
        while waiting.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            wait = LAST_WORDS;
            // Where there is room, the auditors are at work still.
            if journal.writable().is_err() {
                if let Err(error) = journal.close() {
                    error!(%error, "the journal could not be closed");
                }
                return;
            }
        }
    };
    thread::Builder::new().name("shutdown".into()).spawn(watch).map_err(Error::Start)?;
    Ok(ended)
}

fn bind(config: &Config) -> Result<Vec<Listener>, Error> {
    let bind = |listen| {
        Listener::bind(listen, config.journal.mode).map_err(|source| Error::Bind(listen.address, source))
    };
    config.listen.iter().map(bind).collect()
}

/// Starts the audit threads, and gives the way to each. They end when all workers are gone.
fn start_auditors(
    config: &Config,
    origin: &Origin,
    journal: &Journal,
    keys: &Arc<Keys>,
    metrics: &Arc<Metrics>,
) -> Result<(Vec<Queue>, Vec<JoinHandle<()>>), Error> {
    let threads = config.audit.threads.max(1);
    let queued = config.audit.queue.as_usize() / threads;
    let mut queues = Vec::new();
    let mut handles = Vec::new();
    for place in 0..threads {
        let (queue, batches) = Queue::new(queued);
        let (config, origin) = (config.clone(), origin.clone());
        let (journal, keys, metrics) = (journal.clone(), Arc::clone(keys), Arc::clone(metrics));
        let handle = thread::Builder::new()
            .name(format!("audit-{place}"))
            .stack_size(audit::STACK_BYTES)
            .spawn(move || {
                let _vital = Vital;
                Auditor::new(origin, &config, journal, keys, metrics).run(&batches);
            })
            .map_err(Error::Start)?;
        queues.push(queue);
        handles.push(handle);
    }
    Ok((queues, handles))
}

fn start_workers(
    config: &Config,
    listeners: Vec<Listener>,
    queues: Vec<Queue>,
    keys: &Arc<Keys>,
    metrics: &Arc<Metrics>,
    draining: &watch::Receiver<Drain>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let count = worker_count(config);
    let Limits { max_pending_logins, max_connections, .. } = config.limits;
    let beats: Vec<Arc<Beat>> = (0..count).map(|_| Arc::default()).collect();
    let shared = Arc::new(Shared {
        limits: config.limits.clone(),
        keys: Arc::clone(keys),
        metrics: Arc::clone(metrics),
        on_full: config.journal.on_full,
        pacer: Pacer::start(beats.clone()).map_err(Error::Start)?,
        beats,
        loads: (0..count).map(|_| 0.into()).collect(),
        lobby: Lobby::new(max_pending_logins, max_connections, metrics.logging_in.clone()),
    });
    let (others, arrivals): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
    let start = |(place, (arrivals, queue)): (usize, (_, &Queue))| {
        let listeners =
            listeners.iter().map(Listener::try_clone).collect::<Result<_, _>>().map_err(Error::Start)?;
        let (shared, queue) = (Arc::clone(&shared), queue.clone());
        let (others, draining) = (others.clone(), draining.clone());
        let work = move || {
            let _vital = Vital;
            if let Err(error) = worker::run(place, shared, queue, listeners, arrivals, others, draining) {
                error!(%error, "a network thread could not start");
            }
        };
        thread::Builder::new().name(format!("worker-{place}")).spawn(work).map_err(Error::Start)
    };
    let workers = arrivals.into_iter().zip(queues.iter().cycle()).enumerate().map(start).collect();
    for listener in &listeners {
        let upstream = &listener.upstream;
        info!(address = %listener.address, upstream = %format_args!("{}:{}", upstream.host, upstream.port), "listening");
    }
    workers
}

fn worker_count(config: &Config) -> usize {
    match config.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

fn join(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        if handle.join().is_err() {
            error!("a thread ended in a panic; this is a defect of Panoptes");
        }
    }
}

/// Writes the journal out, and gives the sinks what is left of the time to take what is in it.
fn finish(until: Instant, hurried: &OnceLock<Instant>, journal: &Journal, sinks: Sinks) -> Result<(), Error> {
    journal.close()?;
    let until = until.max(Instant::now() + LAST_DELIVERIES);
    let behind = sinks.finish_until(|| hurried.get().map_or(until, |since| *since + LAST_WORDS));
    let in_memory = journal.is_in_memory();
    let refused: u64 = journal.stats().sinks.iter().map(|sink| sink.dead_lettered).sum();
    if in_memory && refused > 0 && journal.letters() == journal.dir() {
        error!(events = refused, "the journal was in memory: its dead letters are lost with it");
    }
    if !behind.is_empty() && in_memory {
        warn!(sinks = ?behind, "not everything is delivered, and the journal was in memory: the rest is lost");
    } else if !behind.is_empty() {
        warn!(sinks = ?behind, "not everything is delivered yet; the journal keeps it for the next start");
    }
    Ok(())
}
