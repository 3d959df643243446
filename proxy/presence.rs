//! Clients that are not read for a while: because the server takes nothing, or too much is unanswered, or there is no room
//! for what would be audited. That such a one is gone shows in nothing that is read of it, so it is looked for.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use panoptes_parser::wire::Nanos;

use crate::{
    alarm::{Alarm, Alarms},
    clock,
    leg::Leg,
    stream::Presence,
};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after one client.
#[derive(Debug)]
pub(crate) struct Watch {
    next: Alarm,
    /// Since when nothing more comes of it.
    silent: Option<Nanos>,
}

impl Watch {
    /// From now on.
    pub(crate) fn new(alarms: &Rc<Alarms>) -> Self {
        Self { next: alarms.after(INTERVAL), silent: None }
    }

    /// Ready with whether the client is gone, each time that it was looked for. One from which nothing more comes may still
    /// wait for answers, and gets `patience` for them.
    pub(crate) fn poll(&mut self, client: &Leg, patience: Duration, cx: &mut Context<'_>) -> Poll<bool> {
        ready!(Pin::new(&mut self.next).poll(cx));
        let now = clock::now();
        Poll::Ready(match client.presence() {
            Presence::There => {
                self.silent = None;
                false
            }
            Presence::Gone => true,
            Presence::Silent => {
                let since = *self.silent.get_or_insert(now);
                now.saturating_sub(since) >= clock::nanos(patience)
            }
        })
    }

    /// Looks again later.
    pub(crate) fn again(&mut self, alarms: &Rc<Alarms>) {
        self.next = alarms.after(INTERVAL);
    }
}
