//! Deadlines of sessions, without timers of the runtime: one that is armed would be paid for with every wait for
//! sockets (see `pacer`). They are looked at about once a second, and that is exact enough for what they end.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use panoptes_parser::wire::Nanos;

use crate::{
    clock,
    pacer::{Beat, Pacer},
};

/// The alarms of one worker.
#[derive(Debug)]
pub(crate) struct Alarms {
    waiting: RefCell<BTreeMap<(Nanos, u64), Waker>>,
    last: Cell<u64>,
    pacer: Pacer,
    beat: Arc<Beat>,
}

/// Ready once its time has come.
#[derive(Debug)]
pub(crate) struct Alarm {
    alarms: Rc<Alarms>,
    key: (Nanos, u64),
}

impl Alarms {
    /// None yet.
    pub(crate) fn new(pacer: Pacer, beat: Arc<Beat>) -> Rc<Self> {
        Rc::new(Self { waiting: RefCell::default(), last: Cell::new(0), pacer, beat })
    }

    /// An alarm at a time.
    pub(crate) fn at(self: &Rc<Self>, time: Nanos) -> Alarm {
        self.last.set(self.last.get() + 1);
        Alarm { alarms: Rc::clone(self), key: (time, self.last.get()) }
    }

    /// An alarm after a time.
    pub(crate) fn after(self: &Rc<Self>, time: Duration) -> Alarm {
        self.at(clock::now().saturating_add(clock::nanos(time)))
    }

    /// Waits for a future, but not for ever.
    pub(crate) async fn within<T>(
        self: &Rc<Self>,
        limit: Duration,
        what: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        tokio::select! {
            biased;
            result = what => result,
            () = self.after(limit) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Wakes those whose time has come.
    pub(crate) fn look(&self, now: Nanos) {
        let mut waiting = self.waiting.borrow_mut();
        let later = waiting.split_off(&(now.saturating_add(1), 0));
        self.beat.wait(!later.is_empty());
        let due = std::mem::replace(&mut *waiting, later);
        // What is woken may go, and its alarm with it.
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if clock::now() >= self.key.0 {
            return Poll::Ready(());
        }
        // The task is the same for all its life, and so is its waker.
        let mut waiting = self.alarms.waiting.borrow_mut();
        let first = waiting.is_empty();
        waiting.entry(self.key).or_insert_with(|| cx.waker().clone());
        if first {
            self.alarms.beat.wait(true);
            self.alarms.pacer.wake();
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut waiting = self.alarms.waiting.borrow_mut();
        if waiting.remove(&self.key).is_some() && waiting.is_empty() {
            self.alarms.beat.wait(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_when_it_is_looked_at_after_its_time_and_is_forgotten_with_its_owner() {
        let beat = Arc::new(Beat::default());
        let alarms = Alarms::new(Pacer::start(Vec::new()).unwrap(), beat);
        let cx = &mut Context::from_waker(Waker::noop());
        let now = clock::now();
        assert!(Pin::new(&mut alarms.at(now)).poll(cx).is_ready());
        let mut late = alarms.at(u64::MAX);
        let mut later = alarms.at(u64::MAX);
        assert!(Pin::new(&mut late).poll(cx).is_pending() && Pin::new(&mut later).poll(cx).is_pending());
        assert!(Pin::new(&mut late).poll(cx).is_pending());
        alarms.look(u64::MAX - 1);
        assert_eq!(alarms.waiting.borrow().len(), 2);
        drop(late);
        assert_eq!(alarms.waiting.borrow().len(), 1);
        drop(later);
        assert!(alarms.waiting.borrow().is_empty());
    }
}
