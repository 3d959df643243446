//! Whether there is something to sync, and when.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::shared::{RETRY, lock};

/// How long lost events may stay untold while there is no room for others.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Whether there is something to sync.
#[derive(Default)]
pub(crate) struct Dirty {
    state: Mutex<State>,
    changed: Condvar,
    /// One sync at a time.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    dirty: bool,
    /// A gap event is due.
    owed: bool,
    /// When a checkpoint is due.
    sign_at: Option<Instant>,
    /// Someone waits for the sync.
    urgent: bool,
    /// The thread looks again soon: what is not urgent need not wake it.
    dozing: bool,
    stop: bool,
}

impl Dirty {
    /// Something was written.
    pub(crate) fn mark(&self) {
        let mut state = lock(&self.state);
        if !state.dirty {
            state.dirty = true;
            if !state.dozing {
                self.changed.notify_one();
            }
        }
    }

    /// Something was lost.
    pub(crate) fn owe(&self) {
        let mut state = lock(&self.state);
        if !state.owed {
            state.owed = true;
            self.changed.notify_one();
        }
    }

    /// The sync is not to be put off.
    pub(crate) fn hurry(&self) {
        let mut state = lock(&self.state);
        if !state.urgent {
            state.urgent = true;
            self.changed.notify_one();
        }
    }

    /// When a checkpoint is due; none where there is nothing to vouch for.
    pub(crate) fn sign_at(&self, at: Option<Instant>) {
        let mut state = lock(&self.state);
        if at.is_some() && state.sign_at.is_none() {
            self.changed.notify_one();
        }
        state.sign_at = at;
    }

    /// Ends [`run`].
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to do; `None` to stop. For so long as `doze` what is written does not end it: where
    /// someone waits for each write, it is their word that does, and the thread is not woken twice.
    pub(super) fn wait(&self, doze: Duration) -> Option<Due> {
        let mut state = lock(&self.state);
        let mut dozed = false;
        loop {
            if state.stop {
                return None;
            }
            let until_sign = state.sign_at.map(|at| at.saturating_duration_since(Instant::now()));
            if until_sign == Some(Duration::ZERO) {
                // Where it cannot be written now, it is not tried again at once.
                state.sign_at = Some(Instant::now() + RETRY);
                return Some(Due::Sign);
            }
            if state.dirty || state.urgent {
                return Some(Due::Sync { gathered: dozed });
            }
            if let (Some(pause), false) = (until_sign, state.owed) {
                state = self.pause(state, pause);
                continue;
            }
            if state.owed {
                state = self.pause(state, TELL_INTERVAL);
                if !state.dirty && !state.stop {
                    state.owed = false;
                    return Some(Due::Tell);
                }
                continue;
            }
            if doze > Duration::ZERO && !mem::replace(&mut dozed, true) {
                state.dozing = true;
                state = self.pause(state, doze);
                state.dozing = false;
                continue;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets more events join the sync, unless someone waits for it.
    pub(super) fn gather(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = lock(&self.state);
        // Who syncs beside this thread makes the next event a word to it.
        while !state.stop && !state.urgent && Instant::now() < until {
            state = self.pause(state, until.saturating_duration_since(Instant::now()));
        }
    }

    /// What is written by now is about to be synced; one sync at a time.
    pub(super) fn begin(&self) -> MutexGuard<'_, ()> {
        let turn = lock(&self.turn);
        let mut state = lock(&self.state);
        (state.dirty, state.urgent) = (false, false);
        turn
    }

    /// Waits after a failure.
    pub(super) fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = lock(&self.state);
        while !state.stop && Instant::now() < until {
            state = self.pause(state, until.saturating_duration_since(Instant::now()));
        }
    }

    fn pause<'s>(&self, state: MutexGuard<'s, State>, pause: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What is due.
pub(super) enum Due {
    /// `gathered` where what is written has had time to become more.
    Sync {
        gathered: bool,
    },
    Tell,
    Sign,
}
