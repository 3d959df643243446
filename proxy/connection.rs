//! One client: its first bytes, the way to the server, and the reason it ended.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc};

use panoptes_config::Protocol;
use panoptes_event::Uuid;
use panoptes_parser::{
    mysql::Mysql,
    postgres::{Postgres, SECRET_BYTES},
    wire::{CancelKey, Farewell, Limits, Nanos, Opening, Wire},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tracing::{debug, warn};

use crate::{
    capture::Note,
    clock,
    leg::Leg,
    lobby::Seat,
    pump::{Pump, Route},
    recorder::Recorder,
    session::{CancelRequest, Ending, Opened, Upstream, next_number},
    stream::{Stream, tune},
    worker::{Drain, SessionGuard, Worker},
};

/// More than any first message may have; what comes behind it waits in the socket.
const OPENING_BYTES: usize = 16 << 10;

/// Serves one connection to its end.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    socket: TcpStream,
    client: SocketAddr,
    upstream: Arc<Upstream>,
    seat: Box<Seat>,
) {
    let (protocol, late) = (upstream.protocol, worker.drain.is_going_down());
    let opened = Opened { id: Uuid::now_v7(), client, upstream, at: clock::now() };
    let stream = Stream::Plain(socket);
    match protocol {
        Protocol::Postgres => match secret() {
            Ok(secret) if late => {
                Connection::new(worker, opened, Postgres::new, secret).serve_late(stream, seat).await;
            }
            Ok(secret) => Connection::new(worker, opened, Postgres::new, secret).serve(stream, seat).await,
            Err(error) => warn!(%error, "no random bytes for a cancel key: the connection is refused"),
        },
        Protocol::Mysql => {
            let connection = Connection::new(worker, opened, |limits, ()| Mysql::new(limits), ());
            if late {
                connection.serve_late(stream, seat).await
            } else {
                connection.serve(stream, seat).await
            }
        }
    }
}

fn secret() -> Result<[u8; SECRET_BYTES], getrandom::Error> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)?;
    Ok(secret)
}

struct Connection<W> {
    worker: Rc<Worker>,
    opened: Opened,
    /// Behind a box: every future that it is moved through would hold a place for it.
    wire: Box<W>,
    deadline: Nanos,
}

/// What a client wants.
enum Wish {
    /// A session; these are its first bytes.
    Session(Vec<u8>),
    /// To cancel another's statement.
    Cancel(CancelKey),
    /// Nothing that can be had.
    Refused(&'static str),
    /// Nothing in time.
    Late,
    /// Nothing yet, and others want in.
    Crowded,
    /// Nothing: it went.
    Gone,
}

impl<W: Wire> Connection<W> {
    fn new<S>(worker: Rc<Worker>, opened: Opened, wire: fn(Limits, S) -> W, secret: S) -> Self {
        let limits = Limits {
            sql: worker.limits.max_sql_bytes.as_usize(),
            script: worker.limits.max_script_bytes.as_usize(),
            parameters: worker.limits.max_parameter_bytes.as_usize(),
            pending: worker.limits.max_pending_statements,
            pending_bytes: worker.limits.max_pending_bytes.as_usize(),
            tell_asked: opened.upstream.mode.withholds_statements(),
        };
        let deadline = opened.at.saturating_add(clock::nanos(worker.limits.login_timeout));
        Self { worker, opened, wire: Box::new(wire(limits, secret)), deadline }
    }

    async fn serve(mut self, mut client: Stream, mut seat: Box<Seat>) {
        let worker = Rc::clone(&self.worker);
        let late = worker.alarms.at(self.deadline);
        let wish = tokio::select! {
            biased;
            wish = self.open(&mut client) => wish,
            // Who has not said yet what it wants is owed nothing.
            () = worker.drain.begun() => Ok(Wish::Gone),
            () = late => Ok(Wish::Late),
            () = &mut seat => Ok(Wish::Crowded),
        };
        match wish {
            Ok(Wish::Session(first)) => self.session(client, first, seat).await,
            Ok(Wish::Cancel(key)) => self.cancel(client, key, &mut seat).await,
            Ok(Wish::Refused(reason)) => self.refused(Ending::ProtocolError(reason)),
            Ok(Wish::Late) => self.refused(Ending::LoginTimeout),
            Ok(Wish::Crowded) => {
                // There was nothing to say to it before: this fits in the socket, or it is gone.
                let _ = client.write_all(&self.farewell(&Ending::TooMany)).await;
                self.refused(Ending::TooMany);
            }
            Ok(Wish::Gone) | Err(_) => debug!(client = %self.opened.client, "left before it logged in"),
        }
    }

    /// Serves a connection that comes while the proxy goes down: only to cancel what still runs is it let in.
    async fn serve_late(mut self, mut client: Stream, mut seat: Box<Seat>) {
        let worker = Rc::clone(&self.worker);
        let late = worker.alarms.at(self.deadline);
        let wish = tokio::select! {
            biased;
            wish = self.open(&mut client) => wish,
            () = worker.drain.ended() => return,
            () = late => return,
            () = &mut seat => return,
        };
        match wish {
            Ok(Wish::Cancel(key)) => {
                // What it was is told: the proxy waits for that.
                let _guard = SessionGuard::new(&worker);
                self.cancel(client, key, &mut seat).await;
            }
            Ok(Wish::Session(_)) => {
                // It fits in the socket, or the client is gone.
                let _ = client.write_all(&self.wire.farewell(Farewell::Closing)).await;
                let _ = client.shutdown().await;
            }
            _ => {}
        }
    }

    /// Reads until it is clear what the client wants.
    async fn open(&mut self, client: &mut Stream) -> io::Result<Wish> {
        let mut bytes = Vec::new();
        loop {
            match self.wire.open(&bytes) {
                Opening::More if bytes.len() >= OPENING_BYTES => {
                    return Ok(Wish::Refused("too long a first message"));
                }
                Opening::More => {
                    if client.read_buf(&mut bytes).await? == 0 {
                        return Ok(Wish::Gone);
                    }
                }
                Opening::Reply { used, bytes: reply } => {
                    bytes.drain(..used.min(bytes.len()));
                    client.write_all(&reply).await?;
                }
                Opening::Dial => return Ok(Wish::Session(bytes)),
                Opening::Cancel(key) => return Ok(Wish::Cancel(key)),
                Opening::Refuse { bytes: last, reason } => {
                    client.write_all(&last).await?;
                    return Ok(Wish::Refused(reason));
                }
            }
        }
    }

    async fn session(mut self, mut client: Stream, mut first: Vec<u8>, mut seat: Box<Seat>) {
        let (mut recorder, protocol) = (self.begin(), self.protocol());
        // The client's first message, perhaps with statements behind it; nothing where the server speaks first.
        let begun = self.wire.client(&mut first, clock::now(), &mut recorder);
        let dialled = match begun {
            Ok(()) if !seat.begin(clock::now()) => Err(Ending::TooMany),
            Ok(()) if self.worker.drain.state() == Drain::Full => Err(Ending::JournalFull),
            Ok(()) => tokio::select! {
                biased;
                server = dial(&self.worker, &self.opened.upstream) => {
                    server.map_err(|error| self.unreachable(&error))
                }
                () = &mut seat => Err(Ending::TooMany),
            },
            Err(violation) => Err(Ending::ProtocolError(violation.reason)),
        };
        let ending = match dialled {
            Ok(server) => {
                let route = Route { session: self.opened.id, upstream: Arc::clone(&self.opened.upstream) };
                let deadline = self.worker.alarms.at(self.deadline);
                let legs = (Leg::new(client, Vec::new()), Leg::new(server, first));
                let mut pump = Pump::new(self.wire, recorder, &self.worker, legs, route, (deadline, seat));
                let ending = pump.run().await;
                pump.recorder.unsent(pump.unsent());
                pump.wire.end(clock::now(), &mut pump.recorder);
                recorder = pump.recorder;
                if !pump.wire.is_logged_in() && !matches!(ending, Ending::ClientEof | Ending::ClientTerminate)
                {
                    recorder.fail(&ending, protocol);
                }
                ending
            }
            Err(ending) => {
                let unsent = recorder.take_asked();
                recorder.unsent(unsent);
                self.wire.end(clock::now(), &mut recorder);
                // Whoever is gone already does not hear it.
                let _ = client.write_all(&self.farewell(&ending)).await;
                let _ = client.shutdown().await;
                recorder.fail(&ending, protocol);
                ending
            }
        };
        self.worker.metrics.ended(&ending);
        recorder.note(Note::Ended { at: clock::now(), ending });
    }

    fn begin(&self) -> Recorder {
        let mut recorder = Recorder::new(next_number(), Rc::clone(&self.worker.capture));
        if self.opened.upstream.mode.withholds_statements() {
            recorder = recorder.keeping_all();
        }
        let Opened { id, client, upstream, at } = &self.opened;
        let opened = Opened { id: *id, client: *client, upstream: Arc::clone(upstream), at: *at };
        recorder.note(Note::Opened(Box::new(opened)));
        recorder
    }

    fn unreachable(&self, error: &io::Error) -> Ending {
        let upstream = &self.opened.upstream;
        let reason = format!("cannot reach the database server {}:{}: {error}", upstream.host, upstream.port);
        warn!(client = %self.opened.client, "{reason}");
        Ending::Unreachable(reason)
    }

    fn protocol(&self) -> Protocol {
        self.opened.upstream.protocol
    }

    fn farewell(&self, ending: &Ending) -> Vec<u8> {
        match ending {
            Ending::TooMany => self.wire.farewell(Farewell::TooMany),
            Ending::JournalFull => self.wire.farewell(Farewell::NoAudit),
            Ending::Unreachable(reason) => self.wire.farewell(Farewell::Unreachable(reason)),
            _ => Vec::new(),
        }
    }

    /// A client that never became a session.
    fn refused(self, ending: Ending) {
        debug!(client = %self.opened.client, reason = ending.detail(), "refused");
        self.worker.metrics.ended(&ending);
        let mut recorder = self.begin();
        recorder.fail(&ending, self.protocol());
        recorder.note(Note::Ended { at: clock::now(), ending });
    }

    /// Passes a cancel request on to the server of the session that it aims at, under the key that the server knows.
    /// It is never answered; the server closes when it has done what it can.
    async fn cancel(self, client: Stream, key: CancelKey, seat: &mut Seat) {
        let target = self.worker.keys.find(&key);
        let mut failure = None;
        if let Some(target) = &target {
            let pass = async {
                let mut server = connect(&target.upstream).await?;
                server.write_all(&self.wire.cancel_request(&target.key)).await?;
                // It has nothing to say: what comes is its end.
                server.read_u8().await.map(drop).or_else(closed)
            };
            let pass = async {
                tokio::select! {
                    passed = pass => passed,
                    () = seat => Err(io::Error::other("too many connections")),
                }
            };
            failure = self
                .worker
                .alarms
                .within(self.worker.limits.cancel_timeout, pass)
                .await
                .err()
                .map(|error| error.to_string());
        }
        if let Some(reason) = &failure {
            warn!(client = %self.opened.client, reason, "cannot pass on a cancel request");
        }
        drop(client);
        let request = CancelRequest {
            target: target.map(|target| target.session),
            pid: key.pid,
            failure,
            opened: self.opened,
        };
        self.worker.capture.push(next_number(), Note::Cancel(Box::new(request)));
    }
}

/// The end of a connection that was to be closed is no error.
fn closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) }
}

async fn dial(worker: &Worker, upstream: &Upstream) -> io::Result<Stream> {
    worker.alarms.within(worker.limits.connect_timeout, connect(upstream)).await
}

async fn connect(upstream: &Upstream) -> io::Result<Stream> {
    let socket = TcpStream::connect((upstream.host.as_str(), upstream.port)).await?;
    tune(SockRef::from(&socket))?;
    Ok(Stream::Plain(socket))
}
