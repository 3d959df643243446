//! [`Postgres`]: one session, both directions.

use crate::{
    reader::Reader,
    wire::{
        Answer, CancelKey, Farewell, KeyPair, Limits, Nanos, Observation, Observer, Opening, Rest,
        TransactionStatus, Violation, Wire,
    },
};

use super::{
    backend::{self, Report},
    frame::{Frame, Framer, Keep, Rule},
    frontend::{self, Kind},
    key::{KeySwap, MAX_KEY_DATA_BYTES, SECRET_BYTES},
    pipeline::{self, Pipeline, RUNS},
    startup::{self, Requests},
};

/// How much of the server's messages is read: an error's text may be longer, but not of more use.
const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// The same of a message that only names something: ParameterDescription has four bytes for each of 65,535.
const MAX_TYPES_BYTES: usize = 2 + 4 * 65_535;

/// One session of PostgreSQL's protocol.
#[derive(Debug)]
pub struct Postgres {
    limits: Limits,
    phase: Phase,
    requests: Requests,
    from_client: Framer,
    from_server: Framer,
    pipeline: Pipeline,
    /// The client has sent Terminate.
    terminated: bool,
    /// The server has sent an error that ends the session.
    ended: bool,
    status: TransactionStatus,
    key_swap: Option<KeySwap>,
    key: Option<KeyPair>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The StartupMessage has not come.
    New,
    /// The server wants a proof.
    Authenticating,
    /// The server is content, and not ready yet.
    Starting,
    Running,
}

impl Postgres {
    /// A new session. `secret` is what the client will be told for a cancel key.
    #[must_use]
    pub fn new(limits: Limits, secret: [u8; SECRET_BYTES]) -> Self {
        Self {
            limits,
            phase: Phase::New,
            requests: Requests::default(),
            from_client: Framer::default(),
            from_server: Framer::default(),
            pipeline: Pipeline::default(),
            terminated: false,
            ended: false,
            status: TransactionStatus::Idle,
            key_swap: Some(KeySwap::new(secret)),
            key: None,
        }
    }
}

impl Wire for Postgres {
    fn open(&mut self, bytes: &[u8]) -> Opening {
        self.requests.open(bytes)
    }

    fn client(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        // The server reads nothing behind a Terminate.
        if self.terminated {
            return Ok(());
        }
        let mut place = if self.phase == Phase::New { self.start(chunk, out) } else { 0 };
        let authenticating = self.phase == Phase::Authenticating;
        let limits = self.limits;
        let rule = |kind, length| frontend::rule(kind, length, authenticating, &limits);
        let mut framer = std::mem::take(&mut self.from_client);
        let end = loop {
            match framer.next(chunk, &mut place, at, rule) {
                Ok(Some(frame)) => self.asked(frame, out),
                Ok(None) => break Ok(()),
                Err(reason) => break Err(Violation { pass: place, reason }),
            }
            if self.terminated {
                break Ok(());
            }
        };
        self.from_client = framer;
        end
    }

    fn server(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        if let Some(swap) = &mut self.key_swap {
            self.key = swap.pass(chunk).or(self.key.take());
        }
        let mut place = 0;
        let mut framer = std::mem::take(&mut self.from_server);
        let end = loop {
            let (rows, bytes) = framer.pass(b'D', chunk, &mut place);
            let (_, copied) = framer.pass(b'd', chunk, &mut place);
            self.pipeline.passed(rows, bytes + copied);
            match framer.next(chunk, &mut place, at, server_rule) {
                Ok(Some(frame)) => self.answered(frame, at, out),
                Ok(None) => break Ok(()),
                Err(reason) => break Err(Violation { pass: place, reason }),
            }
        };
        self.from_server = framer;
        end
    }

    fn end(&mut self, at: Nanos, out: &mut impl Observer) {
        if self.terminated {
            self.pipeline.leave(at, out);
        }
        let unanswered = self.pipeline.abandon(Answer::Lost, at, out);
        out.observe(Observation::Closed { unanswered });
    }

    fn is_full(&self) -> bool {
        self.pipeline.is_full(self.limits.pending)
    }

    fn rest(&self) -> Rest {
        if self.pipeline.len() > 0 || self.phase != Phase::Running || !self.from_client.at_boundary() {
            Rest::Busy
        } else if self.status == TransactionStatus::Idle && !self.pipeline.is_unsynced() {
            Rest::Idle
        } else {
            Rest::InTransaction
        }
    }

    fn at_boundary(&self) -> bool {
        !self.ended && self.from_server.at_boundary()
    }

    fn is_logged_in(&self) -> bool {
        self.phase == Phase::Running
    }

    fn is_terminated(&self) -> bool {
        self.terminated
    }

    fn cancel_request(&self, key: &CancelKey) -> Vec<u8> {
        startup::cancel_request(key)
    }

    fn take_cancel_key(&mut self) -> Option<KeyPair> {
        self.key.take()
    }

    fn farewell(&self, farewell: Farewell<'_>) -> Vec<u8> {
        let (sql_state, message) = match farewell {
            Farewell::Shutdown => ("57P01", "terminating connection due to administrator command"),
            Farewell::Closing => ("57P03", "the database system is shutting down"),
            Farewell::Unreachable(why) => ("08006", why),
            Farewell::TooMany => ("53300", "sorry, too many clients already"),
            Farewell::NoAudit => ("57P03", "the audit journal is full: no new sessions for now"),
            Farewell::AuditFull => ("57P01", "terminating connection: the audit journal is full"),
            Farewell::LoginTimeout => ("08006", "canceling authentication due to timeout"),
        };
        backend::error_response("FATAL", sql_state, message)
    }
}

impl Postgres {
    /// Reads the StartupMessage at the head of the first chunk ([`Requests::open`] saw that it is there whole), and
    /// gives its length.
    fn start(&mut self, chunk: &[u8], out: &mut impl Observer) -> usize {
        let length = chunk.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(chunk.len());
        self.phase = Phase::Authenticating;
        let packet = chunk.get(..length).unwrap_or_default();
        out.observe(Observation::Startup { parameters: startup::parameters(packet) });
        length
    }

    fn asked(&mut self, mut frame: Frame<'_>, out: &mut impl Observer) {
        if let Some(kind) = Kind::of(frame.kind, frame.length) {
            if kind == Kind::Query {
                frame.body = frontend::told(frame.body, frame.length, &self.limits);
            }
            if self.limits.tell_asked {
                pipeline::tell_asked(kind, &frame, out);
            }
            return self.pipeline.ask(kind, frame, self.limits.pending_bytes, out);
        }
        match frame.kind {
            b'd' => self.pipeline.sent(frame.length),
            b'X' => self.terminated = true,
            b'p' if frame.body.starts_with(b"OAUTHBEARER\0") => {
                out.observe(Observation::Authentication { method: "oauth" });
            }
            _ => {}
        }
    }

    fn answered(&mut self, frame: Frame<'_>, at: Nanos, out: &mut impl Observer) {
        match frame.kind {
            b'D' => self.pipeline.passed(1, frame.size()),
            b'd' => self.pipeline.passed(0, frame.size()),
            b'C' => {
                self.pipeline.complete(RUNS, frame.body.strip_suffix(b"\0").unwrap_or(frame.body), at, out)
            }
            b'Z' => self.ready(frame.body, at, out),
            b'1' => self.pipeline.complete(&[Kind::Parse], b"", at, out),
            b'2' => self.pipeline.complete(&[Kind::Bind], b"", at, out),
            b'3' => self.pipeline.complete(&[Kind::Close], b"", at, out),
            b'V' => self.pipeline.complete(&[Kind::Function], b"", at, out),
            b't' => self.pipeline.describe(frame.body.get(2..).unwrap_or_default(), out),
            b'T' | b'n' => self.pipeline.described(out),
            b'I' => self.pipeline.settle(RUNS, Answer::Empty, at, out),
            b's' => self.pipeline.suspend(at, out),
            b'E' => self.failed(Report::parse(frame.body), at, out),
            b'N' if Report::parse(frame.body).is_warning() => self.pipeline.warned(),
            b'S' => parameter(frame.body, out),
            b'G' => self.pipeline.copy_in(out),
            b'W' => self.pipeline.stream(out),
            b'R' => self.authentication(frame.body, out),
            b'K' => backend_process(frame.body, out),
            _ => {}
        }
    }

    fn authentication(&mut self, body: &[u8], out: &mut impl Observer) {
        if let Some(method) = backend::authentication(body) {
            out.observe(Observation::Authentication { method });
        } else if body == [0; 4] && self.phase == Phase::Authenticating {
            self.phase = Phase::Starting;
        }
    }

    fn failed(&mut self, report: Report<'_>, at: Nanos, out: &mut impl Observer) {
        self.ended |= report.is_fatal();
        if self.phase == Phase::Running {
            self.pipeline.fail(report, at, out);
        } else {
            out.observe(Observation::LoginFailed { at, failure: report.failure() });
            self.pipeline.abandon(Answer::Skipped, at, out);
        }
    }

    fn ready(&mut self, body: &[u8], at: Nanos, out: &mut impl Observer) {
        self.status = backend::transaction_status(body);
        if self.phase == Phase::Running {
            self.pipeline.ready(at, out);
            out.observe(Observation::Ready(self.status));
        } else {
            self.phase = Phase::Running;
            self.key_swap = None;
            self.pipeline.begin();
            out.observe(Observation::LoggedIn { at });
        }
    }
}

/// How much of a frame of the server to keep.
fn server_rule(kind: u8, length: u64) -> Rule {
    Ok(Keep::bytes(match kind {
        b'D' | b'd' => 0,
        b'E' | b'N' | b'S' | b'C' | b'R' => MAX_MESSAGE_BYTES,
        b't' => MAX_TYPES_BYTES,
        b'K' if length > MAX_KEY_DATA_BYTES => return Err("invalid length of cancel key"),
        b'K' | b'Z' => 8,
        _ => 0,
    }))
}

fn parameter(body: &[u8], out: &mut impl Observer) {
    let mut reader = Reader::new(body);
    if let (Some(name), Some(value)) = (reader.cstr(), reader.cstr()) {
        out.observe(Observation::Parameter { name, value });
    }
}

fn backend_process(body: &[u8], out: &mut impl Observer) {
    if let Some(pid) = body.first_chunk() {
        out.observe(Observation::Backend { pid: u32::from_be_bytes(*pid) });
    }
}
