//! Both directions of a session in one task.
//!
//! What is read is shown to the wire and written on at once, from one buffer for all sessions of the thread; only
//! what the receiver does not take is kept, and until it is gone no more is read from the sender. So a round trip
//! costs a read and a write a direction and nothing else, and an idle session holds no buffer. `ending`: how it ends.

mod ending;

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use panoptes_event::Uuid;
use panoptes_parser::wire::{Rest, Violation, Wire};

use crate::{
    alarm::Alarm,
    cancel::KeyGuard,
    clock,
    held::{Held, Withheld},
    leg::Leg,
    lobby::Seat,
    presence::Watch,
    recorder::Recorder,
    session::{Ending, Upstream},
    worker::Worker,
};

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

thread_local! {
    static CHUNK_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Which session this is, and where it leads.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) session: Uuid,
    pub(crate) upstream: Arc<Upstream>,
}

/// One session between its two sockets.
pub(crate) struct Pump<'a, W> {
    pub(crate) wire: Box<W>,
    pub(crate) recorder: Recorder,
    worker: &'a Rc<Worker>,
    client: Leg,
    server: Leg,
    route: Route,
    key: Option<KeyGuard>,
    /// Until when the login, or what is left of the session, may take.
    deadline: Option<Alarm>,
    /// Until the login is complete it may have to be left to another.
    seat: Box<Seat>,
    logged_in: bool,
    ending: Option<Ending>,
    /// Where answers wait until their events are on disk.
    held: Option<Held>,
    /// Statements that wait until their intents are.
    withheld: Option<Withheld>,
    /// Statements that never went on.
    unsent: u32,
    /// The client is not read for now.
    stopped: bool,
    /// When it last asked for room.
    asked_for_room: u64,
    watch: Option<Box<Watch>>,
}

impl<'a, W: Wire> Pump<'a, W> {
    /// A session whose server was just reached; `login` is what ends it before its login is complete.
    pub(crate) fn new(
        wire: Box<W>,
        recorder: Recorder,
        worker: &'a Rc<Worker>,
        legs: (Leg, Leg),
        route: Route,
        login: (Alarm, Box<Seat>),
    ) -> Self {
        let ((client, server), (deadline, seat)) = (legs, login);
        let held = route.upstream.mode.holds_answers().then(Held::default);
        let mut pump = Self {
            wire,
            recorder,
            worker,
            client,
            server,
            route,
            key: None,
            deadline: Some(deadline),
            seat,
            logged_in: false,
            ending: None,
            held,
            withheld: None,
            unsent: 0,
            stopped: false,
            asked_for_room: 0,
            watch: None,
        };
        // Statements may have come with the client's first message.
        if pump.recorder.has_asked() {
            pump.withhold(&[], Rest::Busy);
        }
        pump
    }

    /// How many statements were told that the server never saw: the last ones.
    pub(crate) fn unsent(&self) -> u32 {
        self.unsent + self.withheld.as_ref().map_or(0, |withheld| withheld.count)
    }

    /// Moves bytes until the session is over, and tells why it is.
    pub(crate) async fn run(&mut self) -> Ending {
        let worker = Rc::clone(self.worker);
        let mut seen = None;
        let changed = worker.drain.changed();
        tokio::pin!(changed);
        poll_fn(|cx| {
            // Once for each state: the task stays registered, and no statement pays for it.
            let state = worker.drain.state();
            if seen != Some(state) {
                seen = Some(state);
                changed.set(worker.drain.changed());
                let _ = changed.as_mut().poll(cx);
            }
            self.poll(cx)
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let (mut to_client, mut to_server) = (true, true);
        while to_client || to_server {
            to_client = to_client && self.poll_to_client(cx).is_ready();
            // Answers make room for questions. Else a direction that is still is not asked again: it wakes the task.
            to_server = (to_server || to_client) && self.poll_to_server(cx).is_ready();
        }
        self.poll_watch(cx);
        self.settle_end(cx);
        if self.is_over() {
            return Poll::Ready(self.ending.take().unwrap_or(Ending::ServerEof));
        }
        self.poll_deadline(cx)
    }

    /// Client to server. Ready when something moved.
    fn poll_to_server(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stopped = true;
        if self.server.poll_pending(cx).is_pending() {
            ready!(self.poll_withheld(cx));
        }
        if self.client.ended
            || self.ending.is_some()
            || self.wire.is_full()
            || !self.worker.capture.poll_room(&mut self.asked_for_room, cx)
        {
            return Poll::Pending;
        }
        self.stopped = false;
        CHUNK_BUFFER.with_borrow_mut(|buffer| {
            let chunk = ready!(self.client.poll_read(cx, buffer));
            if chunk.is_empty() {
                self.server.closing = true;
                return Poll::Ready(());
            }
            let at = clock::now();
            let before = self.held.as_ref().map(|_| self.wire.rest());
            let pass = match self.wire.client(chunk, at, &mut self.recorder) {
                Ok(()) => chunk.len(),
                Err(Violation { pass, reason }) => {
                    self.end(Ending::ProtocolError(reason));
                    self.server.closing = true;
                    pass
                }
            };
            let bytes = chunk.get(..pass).unwrap_or_default();
            match before {
                Some(before) if self.recorder.has_asked() => self.withhold(bytes, before),
                _ => self.server.write(cx, bytes),
            }
            let after = clock::now();
            self.worker.traffic.to_server(pass, after.saturating_sub(at));
            self.worker.look(after);
            Poll::Ready(())
        })
    }

    /// Server to client. Ready when something moved.
    fn poll_to_client(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.client.poll_pending(cx));
        if let Some(held) = &mut self.held {
            ready!(held.poll(&mut self.client, &self.worker.capture, cx));
        }
        if self.server.ended {
            return Poll::Pending;
        }
        CHUNK_BUFFER.with_borrow_mut(|buffer| {
            let chunk = ready!(self.server.poll_read(cx, buffer));
            if chunk.is_empty() {
                return Poll::Ready(());
            }
            let at = clock::now();
            let before = self.held.as_ref().map(|_| (self.worker.capture.mark(), self.wire.at_boundary()));
            let pass = match self.wire.server(chunk, at, &mut self.recorder) {
                Ok(()) => chunk.len(),
                Err(Violation { pass, reason }) => {
                    self.end(Ending::ProtocolError(reason));
                    self.server.ended = true;
                    pass
                }
            };
            if !self.logged_in {
                self.follow_login();
            }
            if self.client.closed {
                // Talking to nobody, the server would end on its own; through us it does not notice.
                self.limit(self.worker.limits.drain_timeout);
            }
            let bytes = chunk.get(..pass).unwrap_or_default();
            match (&mut self.held, before) {
                // It ends an answer: something was seen in it.
                (Some(held), Some((mark, whole))) if mark != self.worker.capture.mark() => {
                    held.hold(bytes, whole, &self.worker.capture);
                }
                _ => self.client.write(cx, bytes),
            }
            let after = clock::now();
            self.worker.traffic.to_client(pass, after.saturating_sub(at));
            self.worker.look(after);
            Poll::Ready(())
        })
    }

    /// Keeps statements from the server until their intents are on disk; `before` is what the session was at.
    fn withhold(&mut self, bytes: &[u8], before: Rest) {
        self.server.gate(bytes);
        let (batch, count) = (self.worker.capture.want(), self.recorder.take_asked());
        self.withheld = Some(Withheld { batch, count, before });
    }

    /// Lets statements go on whose intents are on disk. Ready when nothing of them is left.
    fn poll_withheld(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Else it is the server that does not take what there is.
        let Some(withheld) = &self.withheld else { return Poll::Pending };
        if !self.worker.capture.landed.poll(withheld.batch, cx) {
            return Poll::Pending;
        }
        self.withheld = None;
        self.server.open_gate();
        self.server.poll_pending(cx)
    }

    /// What happens once: the cancel key comes, then the login is complete.
    fn follow_login(&mut self) {
        if let Some(pair) = self.wire.take_cancel_key() {
            let Route { session, upstream } = &self.route;
            self.key = Some(self.worker.keys.insert(pair, *session, Arc::clone(upstream)));
        }
        if self.wire.is_logged_in() {
            self.logged_in = true;
            self.deadline = None;
            self.seat.log_in();
        }
    }
}
