//! Who waits for which event to be durable.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::shared::lock;

/// What is done then; on the thread that syncs, so it only passes the word on.
type Then = Box<dyn FnOnce() + Send>;

/// Those who wait, by the number that they wait for.
#[derive(Default)]
pub(crate) struct Durable {
    state: Mutex<State>,
    /// Someone has waited.
    used: AtomicBool,
}

#[derive(Default)]
struct State {
    /// All up to this number is durable.
    reached: u64,
    waiting: Vec<(u64, Then)>,
}

impl Durable {
    /// Waits for a number; `false` where it is reached already, and `then` was called.
    pub(crate) fn wait(&self, number: u64, then: Then) -> bool {
        self.used.store(true, Relaxed);
        let mut state = lock(&self.state);
        if number > state.reached {
            state.waiting.push((number, then));
            return true;
        }
        drop(state);
        then();
        false
    }

    /// Whether anybody ever waited: then syncs are to be quick.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Relaxed)
    }

    /// Whether someone waits.
    pub(crate) fn is_awaited(&self) -> bool {
        !lock(&self.state).waiting.is_empty()
    }

    /// All up to this number is durable.
    pub(crate) fn reached(&self, number: u64) {
        let mut state = lock(&self.state);
        state.reached = state.reached.max(number);
        let reached = state.reached;
        let done: Vec<_> = state.waiting.extract_if(.., |(waits_for, _)| *waits_for <= reached).collect();
        drop(state);
        done.into_iter().for_each(|(_, then)| then());
    }
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").finish_non_exhaustive()
    }
}
