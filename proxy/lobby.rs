//! Who may have a connection open: clients that have not logged in, and sessions, each up to a limit of their own.
//!
//! Whoever reaches the port can open sockets, and say nothing. So who has not logged in is counted apart, and where one
//! more comes the oldest goes. Nor can a login that is never completed keep another's place: where sessions are too many,
//! the oldest login goes that had time enough.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use panoptes_parser::wire::Nanos;
use prometheus::IntGauge;
use tokio::sync::{Notify, futures::Notified, oneshot};

/// Those who were asked to go, and have not gone yet: with more of them nobody is let in.
pub(crate) const MAX_LEAVING: usize = 32;
/// A login that takes longer may have to make room for another's. One that does not could not be completed before the
/// next one comes, where many want to log in at once.
const GRACE: Nanos = 1_000_000_000;

/// The limits, and who is there.
#[derive(Debug)]
pub(crate) struct Lobby {
    most_waiting: usize,
    most_sessions: usize,
    state: Mutex<State>,
    left: Notify,
    gauge: IntGauge,
}

#[derive(Debug, Default)]
struct State {
    /// By a number that grows: the first is the oldest.
    waiting: BTreeMap<u64, Waiting>,
    leaving: usize,
    sessions: usize,
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    call: oneshot::Sender<()>,
    since: Nanos,
    /// It is one of the sessions.
    session: bool,
}

/// One connection's place, for as long as it lasts. Ready when it must go.
#[derive(Debug)]
pub(crate) struct Seat {
    lobby: Arc<Lobby>,
    number: u64,
    /// Until the login is complete.
    called: Option<oneshot::Receiver<()>>,
}

impl Lobby {
    /// Nobody is there; `gauge` counts those who have not logged in.
    pub(crate) fn new(most_waiting: usize, most_sessions: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { most_waiting, most_sessions, state: Mutex::default(), left: Notify::new(), gauge })
    }

    /// A place for a client that has just come; the oldest that has not logged in goes for it. `None` while too many who
    /// were asked to go are still there.
    pub(crate) fn enter(self: &Arc<Self>, now: Nanos) -> Option<Box<Seat>> {
        let mut state = self.state();
        if state.waiting.len() >= self.most_waiting {
            if state.leaving >= MAX_LEAVING {
                return None;
            }
            if let Some((_, oldest)) = state.waiting.pop_first() {
                state.sessions -= usize::from(oldest.session);
                state.leave(oldest);
            }
        }
        let (call, called) = oneshot::channel();
        state.last += 1;
        let number = state.last;
        state.waiting.insert(number, Waiting { call, since: now, session: false });
        self.gauge.inc();
        Some(Box::new(Seat { lobby: Arc::clone(self), number, called: Some(called) }))
    }

    /// Ready when somebody has left since this was called.
    pub(crate) fn left(&self) -> Notified<'_> {
        self.left.notified()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn leave(&mut self, waiting: Waiting) {
        self.leaving += 1;
        // It may be gone.
        let _ = waiting.call.send(());
    }
}

impl Seat {
    /// The client begins to log in; whether there may be one more session.
    pub(crate) fn begin(&self, now: Nanos) -> bool {
        let mut state = self.lobby.state();
        if !state.waiting.contains_key(&self.number) {
            return false;
        }
        if state.sessions < self.lobby.most_sessions {
            state.sessions += 1;
        } else {
            let late = |w: &Waiting| w.session && now.saturating_sub(w.since) > GRACE;
            let Some(oldest) = state.waiting.iter().find(|(_, w)| late(w)).map(|(number, _)| *number) else {
                return false;
            };
            if let Some(oldest) = state.waiting.remove(&oldest) {
                state.leave(oldest);
            }
        }
        if let Some(own) = state.waiting.get_mut(&self.number) {
            own.session = true;
        }
        true
    }

    /// The login is complete: nobody asks it to go any more.
    pub(crate) fn log_in(&mut self) {
        if self.called.take().is_some() {
            self.lobby.gauge.dec();
            let mut state = self.lobby.state();
            match state.waiting.remove(&self.number) {
                Some(own) if own.session => return,
                Some(_) => {}
                // It was asked to go a moment ago: its place among the sessions is another's, and it has one more.
                None => state.leaving -= 1,
            }
            state.sessions += 1;
        }
    }
}

impl Future for Seat {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.called {
            Some(called) => Pin::new(called).poll(cx).map(drop),
            None => Poll::Pending,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.lobby.state();
        let own = state.waiting.remove(&self.number);
        match (&self.called, own) {
            (None, _) => state.sessions -= 1,
            (Some(_), Some(own)) => state.sessions -= usize::from(own.session),
            (Some(_), None) => state.leaving -= 1,
        }
        drop(state);
        if self.called.is_some() {
            self.lobby.gauge.dec();
        }
        self.lobby.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn lobby(waiting: usize, sessions: usize) -> Arc<Lobby> {
        Lobby::new(waiting, sessions, IntGauge::new("logins", "Logins.").unwrap())
    }

    fn must_go(seat: &mut Seat) -> bool {
        Pin::new(seat).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn counts(lobby: &Lobby) -> (usize, usize, usize, i64) {
        let state = lobby.state();
        (state.waiting.len(), state.leaving, state.sessions, lobby.gauge.get())
    }

    #[test]
    fn the_oldest_that_has_not_logged_in_goes_and_no_session_does() {
        let lobby = lobby(2, 9);
        let mut session = lobby.enter(0).unwrap();
        assert!(session.begin(0));
        session.log_in();
        let mut seats: Vec<_> = (0..3).map(|_| lobby.enter(0).unwrap()).collect();
        assert_eq!(counts(&lobby), (2, 1, 1, 3));
        assert!(must_go(&mut seats[0]) && !must_go(&mut seats[1]) && !must_go(&mut session));
        assert!(!seats[0].begin(0), "it was asked to go");
        drop(seats);
        assert_eq!(counts(&lobby), (0, 0, 1, 0));
        drop(session);
        assert_eq!(counts(&lobby), (0, 0, 0, 0));
    }

    #[test]
    fn nobody_comes_in_while_too_many_have_yet_to_go() {
        let lobby = lobby(1, 9);
        let seats: Vec<_> = (0..=MAX_LEAVING).map(|_| lobby.enter(0).unwrap()).collect();
        assert!(lobby.enter(0).is_none());
        let left = lobby.left();
        drop(seats);
        let mut left = std::pin::pin!(left);
        assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(lobby.enter(0).is_some());
    }

    #[test]
    fn a_login_that_takes_its_time_makes_room_for_another_and_a_session_does_not() {
        let lobby = lobby(9, 1);
        let (mut slow, mut next) = (lobby.enter(0).unwrap(), lobby.enter(0).unwrap());
        assert!(slow.begin(0));
        assert!(!next.begin(GRACE), "it has had no time");
        assert!(next.begin(GRACE + 1) && must_go(&mut slow));
        assert_eq!(counts(&lobby), (1, 1, 1, 2));
        next.log_in();
        assert!(!lobby.enter(0).unwrap().begin(9 * GRACE));
        drop(slow);
        assert_eq!(counts(&lobby), (0, 0, 1, 0));
        drop(next);
        assert!(lobby.enter(0).unwrap().begin(0));
        assert_eq!(counts(&lobby), (0, 0, 0, 0));
    }

    #[test]
    fn who_logs_in_while_asked_to_go_stays() {
        let lobby = lobby(1, 1);
        let mut quick = lobby.enter(0).unwrap();
        assert!(quick.begin(0));
        let next = lobby.enter(0).unwrap();
        quick.log_in();
        assert!(!must_go(&mut quick));
        assert_eq!(counts(&lobby), (1, 0, 1, 1));
        drop((quick, next));
        assert_eq!(counts(&lobby), (0, 0, 0, 0));
    }
}
