//! The clock of the captures.
//!
//! A worker that has a timer of its own pays for it with every statement: each wait for sockets then arms it. So
//! workers hand over by size and by the time that they read anyway, and only what a worker that has gone quiet still
//! holds is called for, by this one thread. It sleeps while nothing happens.

use std::{
    io,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, Thread},
    time::Duration,
};

use panoptes_sinks::Vital;
use tokio::sync::Notify;

/// How often is looked for what a worker still holds. What it held at two looks it is called for: half the age at which it
/// hands over by itself, so that nothing is held for longer.
const INTERVAL: Duration = Duration::from_millis(50);
/// After so many looks at nothing the thread sleeps.
const QUIET_LOOKS: u32 = 10;
/// Every so many looks, or after as long a sleep, workers with alarms are called.
const ALARM_LOOKS: u32 = 20;
/// The same while the proxy goes down.
const HURRIED_LOOKS: u32 = 2;

/// One worker's part.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    /// The worker holds something.
    holding: AtomicBool,
    /// The worker has alarms set.
    waiting: AtomicBool,
    /// How often it handed over.
    handed: AtomicU64,
    /// Told to a worker that should hand over, and look at its alarms.
    pub(crate) call: Notify,
}

/// Wakes the pacer.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct State {
    asleep: AtomicBool,
    /// The proxy goes down.
    hurried: AtomicBool,
}

impl Pacer {
    /// Starts the thread. It ends with the process.
    pub(crate) fn start(beats: Vec<Arc<Beat>>) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let theirs = Arc::clone(&state);
        let handle = thread::Builder::new().name("pacer".into()).spawn(move || {
            let _vital = Vital;
            pace(&beats, &theirs);
        })?;
        Ok(Self { state, thread: handle.thread().clone() })
    }

    /// A worker holds something that it did not before.
    pub(crate) fn begin(&self, beat: &Beat) {
        beat.holding.store(true, SeqCst);
        self.wake();
    }

    /// Wakes the thread, if it sleeps.
    pub(crate) fn wake(&self) {
        if self.state.asleep.load(SeqCst) {
            self.thread.unpark();
        }
    }

    /// The proxy goes down: alarms are looked at more often.
    pub(crate) fn hurry(&self) {
        self.state.hurried.store(true, SeqCst);
        self.wake();
    }
}

impl Beat {
    /// Whether the worker has alarms set.
    pub(crate) fn wait(&self, waiting: bool) {
        self.waiting.store(waiting, SeqCst);
    }

    /// The worker handed over all it had.
    pub(crate) fn hand_over(&self) {
        self.holding.store(false, Relaxed);
        self.handed.fetch_add(1, Relaxed);
    }
}

fn pace(beats: &[Arc<Beat>], state: &State) {
    let mut seen = vec![0; beats.len()];
    let (mut quiet, mut looks) = (0, 0);
    loop {
        let hurried = state.hurried.load(SeqCst);
        if quiet >= QUIET_LOOKS && !hurried {
            sleep(beats, state);
            (quiet, looks) = (0, ALARM_LOOKS);
        }
        thread::sleep(INTERVAL);
        (quiet, looks) = (quiet + 1, looks + 1);
        let ring = looks >= if hurried { HURRIED_LOOKS } else { ALARM_LOOKS };
        if ring {
            looks = 0;
        }
        for (beat, seen) in beats.iter().zip(&mut seen) {
            let handed = beat.handed.load(Relaxed);
            let holding = beat.holding.load(SeqCst);
            if holding {
                quiet = 0;
            }
            if (holding && handed == *seen) || (ring && beat.waiting.load(SeqCst)) {
                beat.call.notify_one();
            }
            *seen = handed;
        }
    }
}

/// Until something begins, or it is time to look at alarms.
fn sleep(beats: &[Arc<Beat>], state: &State) {
    state.asleep.store(true, SeqCst);
    // What began before this was told is seen here; what begins after it wakes.
    if !state.hurried.load(SeqCst) && !beats.iter().any(|beat| beat.holding.load(SeqCst)) {
        match beats.iter().any(|beat| beat.waiting.load(SeqCst)) {
            true => thread::park_timeout(INTERVAL * ALARM_LOOKS),
            false => thread::park(),
        }
    }
    state.asleep.store(false, SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thread is held to a deadline, not to a pace.
    fn wait_for(what: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limit = Duration::from_secs(20);
        runtime.block_on(async { tokio::time::timeout(limit, what).await.expect("called in time") });
    }

    #[test]
    fn a_worker_that_holds_something_is_called_also_after_a_long_quiet() {
        let beat = Arc::new(Beat::default());
        let pacer = Pacer::start(vec![Arc::clone(&beat)]).unwrap();
        for _ in 0..2 {
            pacer.begin(&beat);
            wait_for(beat.call.notified());
            beat.hand_over();
            wait_for(async {
                while !pacer.state.asleep.load(SeqCst) {
                    tokio::time::sleep(INTERVAL).await;
                }
            });
        }
    }
}
