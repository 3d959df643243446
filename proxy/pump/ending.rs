//! How a session comes to its end: because one of its sides is gone, or the proxy goes down, or its time is over.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use panoptes_parser::wire::{Farewell, Rest, Wire};

use super::Pump;
use crate::{
    held::Held,
    presence::Watch,
    session::Ending,
    worker::{Drain, LAST_WORDS},
};

impl<W: Wire> Pump<'_, W> {
    /// Finds out that a client is gone that is not read.
    pub(super) fn poll_watch(&mut self, cx: &mut Context<'_>) {
        let stopped = self.stopped && self.ending.is_none() && !self.client.ended && !self.client.closed;
        if !stopped && self.watch.is_none() {
            return;
        }
        let watch = self.watch.get_or_insert_with(|| Box::new(Watch::new(&self.worker.alarms)));
        let patience = self.worker.limits.drain_timeout;
        while let Poll::Ready(gone) = watch.poll(&self.client, patience, cx) {
            if !stopped {
                self.watch = None;
                return;
            }
            if gone {
                self.client.closed = true;
                self.watch = None;
                // What stopped it may never end.
                return self.limit(patience);
            }
            watch.again(&self.worker.alarms);
        }
    }

    /// Ends the session where one of its sides, or the proxy, is gone.
    pub(super) fn settle_end(&mut self, cx: &mut Context<'_>) {
        if self.ending.is_none() && (self.client.ended || self.client.closed) {
            self.end(if self.wire.is_terminated() { Ending::ClientTerminate } else { Ending::ClientEof });
            // The server hears it, and what it is at is awaited.
            self.server.closing = true;
            let _ = self.server.poll_pending(cx);
        }
        if self.server.ended && !self.client.closed && !self.client.closing && !self.is_holding() {
            if self.ending.is_none() && !self.wire.is_terminated() {
                if self.wire.rest() == Rest::Busy {
                    self.say(cx, Farewell::Unreachable("server closed the connection unexpectedly"));
                }
                self.end(Ending::ServerEof);
            }
            self.end(Ending::ClientTerminate);
            self.client.closing = true;
            let _ = self.client.poll_pending(cx);
        }
        if self.ending.is_some() && self.worker.drain.state() == Drain::Now {
            self.limit(LAST_WORDS / 2);
        }
        if self.ending.is_none() && self.may_go_down() {
            let (ending, farewell) = match (self.worker.drain.state(), self.logged_in) {
                (Drain::Full, true) => (Ending::JournalFull, Farewell::AuditFull),
                (Drain::Full, false) => (Ending::JournalFull, Farewell::NoAudit),
                _ => (Ending::Shutdown, Farewell::Shutdown),
            };
            self.end(ending);
            if let Some(unsaid) = self.give_up_answer() {
                self.say_for(cx, farewell, &unsaid);
            }
            self.unsent = self.unsent();
            self.withheld = None;
            self.server.drop_gated();
            (self.client.closing, self.server.closing) = (true, true);
            self.server.ended = true;
            let _ = (self.client.poll_pending(cx), self.server.poll_pending(cx));
        }
    }

    fn may_go_down(&self) -> bool {
        match self.worker.drain.state() {
            Drain::No => false,
            state @ (Drain::Gently | Drain::Full) if self.logged_in => {
                let full = state == Drain::Full;
                // What waits for its intent is not begun, and will not be.
                let rest = self.withheld.as_ref().filter(|_| full).map(|withheld| withheld.before);
                // Where nothing may go unaudited, a transaction that is open cannot go on either: it is rolled back.
                let rested = match rest.unwrap_or_else(|| self.wire.rest()) {
                    Rest::Idle => true,
                    Rest::InTransaction => full,
                    Rest::Busy => false,
                };
                // An answer that waits for room may wait for ever; it is the server's last word, and stays unsaid.
                let stuck = full && self.is_holding() && self.wire.at_boundary();
                stuck || rested && self.client.pending.is_empty() && !self.is_holding()
            }
            Drain::Gently | Drain::Full => self.wire.at_boundary(),
            Drain::Now => true,
        }
    }

    /// A message of ours, where one can stand.
    fn say(&mut self, cx: &mut Context<'_>, farewell: Farewell<'_>) {
        self.say_for(cx, farewell, &[]);
    }

    /// The same, in place of what the client does not get.
    fn say_for(&mut self, cx: &mut Context<'_>, farewell: Farewell<'_>, unsaid: &[u8]) {
        if self.wire.at_boundary() && !self.is_holding() {
            let bytes = self.wire.farewell_for(farewell, unsaid);
            if self.client.pending.is_empty() {
                self.client.write(cx, &bytes);
            } else {
                self.client.pending.extend_from_slice(&bytes);
            }
        }
    }

    /// From now on only what is under way is waited for.
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.deadline = None;
            match ending {
                // However long the server works on, what comes of it is part of the trail.
                Ending::ClientEof | Ending::ClientTerminate => {}
                // The worker does not wait any longer.
                Ending::Shutdown => self.limit(LAST_WORDS / 2),
                _ => self.limit(self.worker.limits.drain_timeout),
            }
            self.ending = Some(ending);
        }
    }

    /// What is under way has so much time left; what was said first holds.
    pub(super) fn limit(&mut self, time: Duration) {
        self.deadline.get_or_insert_with(|| self.worker.alarms.after(time));
    }

    pub(super) fn is_over(&self) -> bool {
        let is_written = self.client.closed || !(self.client.closing || self.is_holding());
        self.server.ended && self.client.pending.is_empty() && is_written
    }

    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if !self.logged_in && self.ending.is_none() && Pin::new(&mut self.seat).poll(cx).is_ready() {
            self.say(cx, Farewell::TooMany);
            return Poll::Ready(Ending::TooMany);
        }
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        ready!(Pin::new(deadline).poll(cx));
        Poll::Ready(match self.ending.take() {
            None => {
                self.say(cx, Farewell::LoginTimeout);
                Ending::LoginTimeout
            }
            Some(Ending::ClientEof | Ending::ClientTerminate) => Ending::DrainTimeout,
            Some(ending) => ending,
        })
    }

    fn is_holding(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_holding)
    }

    /// An answer that still waits for its event is never given; it is given back, or nothing is where none waits, if a
    /// message of ours can stand in its place.
    fn give_up_answer(&mut self) -> Option<Vec<u8>> {
        match self.held.as_mut().filter(|held| held.is_holding()) {
            Some(held) => held.give_up(),
            None => Some(Vec::new()),
        }
    }
}
