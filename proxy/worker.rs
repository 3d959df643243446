//! One thread, one runtime, many sessions: what its sessions share without a lock.
//!
//! Every worker accepts; a connection that came to a busier worker than need be is handed on to the idlest. From
//! then on one task on one thread owns it.

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use panoptes_config::{Limits, OnFull};
use panoptes_parser::wire::Nanos;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    sync::{Notify, futures::Notified, mpsc, watch},
    task::JoinHandle,
};
use tracing::warn;

use crate::{
    alarm::Alarms,
    cancel::Keys,
    capture::{Capture, Queue},
    clock, connection,
    listener::Listener,
    lobby::{Lobby, Seat},
    metrics::{Metrics, Traffic},
    pacer::{Beat, Pacer},
    session::Upstream,
};

/// After a failed accept (mostly: no more file descriptors) at least this long is waited.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long sessions that were told to go at once may take for it.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);

/// How the proxy is going down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Drain {
    /// Not at all.
    #[default]
    No,
    /// Not the proxy, but the journal is full and the policy is to fail closed: sessions end as soon as they are idle,
    /// and new ones are refused, until there is room.
    Full,
    /// Sessions end as soon as they are idle.
    Gently,
    /// Sessions end.
    Now,
}

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) keys: Arc<Keys>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) on_full: OnFull,
    pub(crate) pacer: Pacer,
    /// The pacer's, one for each worker.
    pub(crate) beats: Vec<Arc<Beat>>,
    /// Connections at each worker.
    pub(crate) loads: Vec<AtomicUsize>,
    pub(crate) lobby: Arc<Lobby>,
}

/// A connection on its way to the worker that will own it.
#[derive(Debug)]
pub(crate) struct Arrival {
    socket: std::net::TcpStream,
    client: SocketAddr,
    upstream: Arc<Upstream>,
    seat: Box<Seat>,
}

/// A worker, as its sessions see it.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) capture: Rc<Capture>,
    pub(crate) traffic: Traffic,
    pub(crate) alarms: Rc<Alarms>,
    pub(crate) drain: DrainState,
    pub(crate) keys: Arc<Keys>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    place: usize,
    shared: Arc<Shared>,
    others: Vec<mpsc::UnboundedSender<Arrival>>,
    ended: Notify,
}

/// How this worker is going down.
#[derive(Debug, Default)]
pub(crate) struct DrainState {
    state: Cell<Drain>,
    changed: Notify,
}

impl DrainState {
    /// How.
    pub(crate) fn state(&self) -> Drain {
        self.state.get()
    }

    /// Ready at the next change.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Whether the proxy goes down.
    pub(crate) fn is_going_down(&self) -> bool {
        !matches!(self.state(), Drain::No | Drain::Full)
    }

    /// Ready once the proxy goes down.
    pub(crate) async fn begun(&self) {
        while !self.is_going_down() {
            self.changed().await;
        }
    }

    /// Ready once nothing is waited for any more.
    pub(crate) async fn ended(&self) {
        while self.state() != Drain::Now {
            self.changed().await;
        }
    }

    fn set(&self, state: Drain) {
        self.state.set(state);
        self.changed.notify_waiters();
    }
}

/// Counts a session for as long as it lasts.
pub(crate) struct SessionGuard(Rc<Worker>);

impl SessionGuard {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        worker.load().fetch_add(1, Ordering::Relaxed);
        worker.metrics.connections.inc();
        worker.metrics.accepted.inc();
        Self(Rc::clone(worker))
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.load().fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connections.dec();
        self.0.ended.notify_one();
    }
}

/// Runs a worker on this thread until the proxy has gone down and its sessions with it.
pub(crate) fn run(
    place: usize,
    shared: Arc<Shared>,
    queue: Queue,
    listeners: Vec<Listener>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    others: Vec<mpsc::UnboundedSender<Arrival>>,
    drain: watch::Receiver<Drain>,
) -> io::Result<()> {
    // Without timers: see `pacer`.
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    let beat = shared.beats.get(place).cloned().unwrap_or_default();
    let (queued, pacer) = (shared.metrics.queued.clone(), shared.pacer.clone());
    let worker = Rc::new(Worker {
        alarms: Alarms::new(pacer.clone(), Arc::clone(&beat)),
        capture: Capture::new(queue, shared.on_full, queued, pacer, beat),
        traffic: Traffic::new(&shared.metrics),
        drain: DrainState::default(),
        keys: Arc::clone(&shared.keys),
        limits: shared.limits.clone(),
        metrics: Arc::clone(&shared.metrics),
        place,
        shared,
        others,
        ended: Notify::new(),
    });
    runtime.block_on(worker.serve(listeners, arrivals, drain))
}

impl Worker {
    async fn serve(
        self: Rc<Self>,
        listeners: Vec<Listener>,
        arrivals: mpsc::UnboundedReceiver<Arrival>,
        mut drain: watch::Receiver<Drain>,
    ) -> io::Result<()> {
        let worker = Rc::clone(&self);
        tokio::task::spawn_local(async move { worker.capture.run(|| worker.called()).await });
        let worker = Rc::clone(&self);
        tokio::task::spawn_local(async move { worker.capture.landed.run().await });
        let handed_on = tokio::task::spawn_local(Rc::clone(&self).receive(arrivals));
        let mut accepting = Vec::new();
        for Listener { address, upstream, socket } in listeners {
            let socket = TcpListener::from_std(socket)?;
            accepting.push(tokio::task::spawn_local(Rc::clone(&self).accept(socket, address, upstream)));
        }
        loop {
            let state = *drain.borrow_and_update();
            if !matches!(state, Drain::No | Drain::Full) {
                break;
            }
            self.drain.set(state);
            // A sender that is gone is as good as the word.
            if drain.changed().await.is_err() {
                break;
            }
        }
        handed_on.abort();
        self.go_down(&accepting, drain).await;
        Ok(())
    }

    /// Until its sessions have gone who comes to cancel a statement of theirs is let in.
    async fn go_down(&self, accepting: &[JoinHandle<()>], mut drain: watch::Receiver<Drain>) {
        // A second is long now.
        self.shared.pacer.hurry();
        for (state, limit) in [(Drain::Gently, self.limits.drain_timeout), (Drain::Now, LAST_WORDS)] {
            self.drain.set(state);
            tokio::select! {
                () = self.idle() => break,
                () = self.alarms.after(limit) => {}
                () = hurried(&mut drain), if state == Drain::Gently => {}
            }
            accepting.iter().for_each(JoinHandle::abort);
        }
        // Their sockets go with them: who comes now is refused.
        accepting.iter().for_each(JoinHandle::abort);
        self.capture.hand_over().await;
        self.traffic.flush();
    }

    /// Ready when there is no session left.
    async fn idle(&self) {
        while self.load().load(Ordering::Relaxed) > 0 {
            self.ended.notified().await;
        }
    }

    async fn accept(self: Rc<Self>, socket: TcpListener, address: SocketAddr, upstream: Arc<Upstream>) {
        loop {
            match socket.accept().await {
                Ok((socket, client)) => {
                    let seat = self.seat().await;
                    self.place(socket, client, &upstream, seat);
                }
                Err(error) => {
                    warn!(%error, listener = %address, "cannot accept a connection");
                    self.alarms.after(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// A place for one more connection, once there is one.
    async fn seat(&self) -> Box<Seat> {
        loop {
            let left = self.shared.lobby.left();
            match self.shared.lobby.enter(clock::now()) {
                Some(seat) => return seat,
                None => left.await,
            }
        }
    }

    /// Keeps a connection, or hands it on to the idlest worker.
    fn place(
        self: &Rc<Self>,
        socket: TcpStream,
        client: SocketAddr,
        upstream: &Arc<Upstream>,
        seat: Box<Seat>,
    ) {
        if self.drain.is_going_down() {
            let worker = Rc::clone(self);
            tokio::task::spawn_local(connection::serve(worker, socket, client, Arc::clone(upstream), seat));
            return;
        }
        let loads = || self.shared.loads.iter().map(|load| load.load(Ordering::Relaxed));
        let own = self.load().load(Ordering::Relaxed);
        let idlest = loads().enumerate().min_by_key(|(_, load)| *load);
        match idlest.filter(|(_, load)| *load < own).and_then(|(place, _)| self.others.get(place)) {
            Some(other) => {
                if let Ok(socket) = socket.into_std() {
                    // A worker that is gone takes its connections with it, as do we.
                    let _ = other.send(Arrival { socket, client, upstream: Arc::clone(upstream), seat });
                }
            }
            None => self.own(socket, client, Arc::clone(upstream), seat),
        }
    }

    async fn receive(self: Rc<Self>, mut arrivals: mpsc::UnboundedReceiver<Arrival>) {
        while let Some(Arrival { socket, client, upstream, seat }) = arrivals.recv().await {
            match TcpStream::from_std(socket) {
                Ok(socket) => self.own(socket, client, upstream, seat),
                Err(error) => warn!(%error, "cannot take over a connection"),
            }
        }
    }

    fn own(self: &Rc<Self>, socket: TcpStream, client: SocketAddr, upstream: Arc<Upstream>, seat: Box<Seat>) {
        let guard = SessionGuard::new(self);
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _guard = guard;
            connection::serve(worker, socket, client, upstream, seat).await;
        });
    }

    /// What is done now and then.
    fn called(&self) {
        self.traffic.flush();
        self.alarms.look(clock::now());
    }

    /// Hands over what was captured, if it is time.
    pub(crate) fn look(&self, now: Nanos) {
        if self.capture.look(now) {
            self.traffic.flush();
        }
    }

    fn load(&self) -> &AtomicUsize {
        static NONE: AtomicUsize = AtomicUsize::new(0);
        self.shared.loads.get(self.place).unwrap_or(&NONE)
    }
}

/// Ready when sessions are not waited for any longer.
async fn hurried(drain: &mut watch::Receiver<Drain>) {
    if drain.wait_for(|state| *state == Drain::Now).await.is_err() {
        std::future::pending().await
    }
}
