//! [`Postgres`]: one session, both directions; ties answers to questions.
//!
//! The server settles questions in the order in which they were asked, so a queue of questions and the front of it
//! is all the state there is, but for three rules of the protocol:
//! * after an error in the extended protocol the server passes over everything up to the next Sync;
//! * while it reads COPY data it passes over Sync and Flush;
//! * a simple Query has an answer for each statement, and its place in the queue until ReadyForQuery.

use crate::{
    inflight::Inflight,
    wire::{
        Answer, Ask, Farewell, KeyPair, Limits, Nanos, Observation, Observer, Opening, Rest, Settled,
        TransactionStatus, Violation, Wire,
    },
};

use super::{
    backend::{self, Report},
    frame::{Frame, Framer},
    frontend::{self, Kind},
    key::{KeySwap, SECRET_BYTES},
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
    asked: Inflight<Kind>,
    /// The server passes over what comes, up to the next Sync.
    skipping: bool,
    /// The server reads COPY data, and the client has not ended it yet.
    copying_in: bool,
    /// Something was asked since the last Sync.
    unsynced: bool,
    /// The Query at the front has had an answer: its text was told.
    text_told: bool,
    /// The Query at the front began a stream in both directions: its answer was given.
    streaming: bool,
    result: Passed,
    /// Bytes of COPY data that the client sent for the question at the front.
    sent: u64,
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
    /// The server speaks an older protocol, or gave up before it spoke this one.
    Unframed,
}

/// What was seen passing since the last answer.
#[derive(Debug, Default)]
struct Passed {
    rows: u64,
    bytes: u64,
    warnings: u32,
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
            asked: Inflight::default(),
            skipping: false,
            copying_in: false,
            unsynced: false,
            text_told: false,
            streaming: false,
            result: Passed::default(),
            sent: 0,
            status: TransactionStatus::Idle,
            key_swap: Some(KeySwap::new(secret)),
            key: None,
        }
    }

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

    fn ask(&mut self, frame: Frame<'_>, out: &mut impl Observer) {
        let Some(kind) = Kind::of(frame.kind) else { return self.remark(frame, out) };
        if self.skipping && kind != Kind::Sync {
            return settle_frame(kind, frame, Answer::Skipped, out);
        }
        match kind {
            Kind::Sync if self.copying_in => return,
            Kind::Sync => (self.skipping, self.unsynced) = (false, false),
            Kind::CopyEnd if self.copying_in => {
                self.copying_in = false;
                return;
            }
            Kind::CopyEnd => {}
            _ => self.unsynced = !kind.is_synced(),
        }
        self.asked.push(kind, frame.begun, frame.body, frame.length);
    }

    /// What asks nothing.
    fn remark(&mut self, frame: Frame<'_>, out: &mut impl Observer) {
        match frame.kind {
            b'd' if !self.skipping => self.sent += frame.length,
            b'H' if frame.length > 0 && !self.skipping && !self.copying_in => {
                self.asked.push(Kind::BadFlush, frame.begun, &[], frame.length);
            }
            b'p' if frame.body.starts_with(b"OAUTHBEARER\0") => {
                out.observe(Observation::Authentication { method: "oauth" });
            }
            _ => {}
        }
    }

    fn tell(&mut self, frame: Frame<'_>, at: Nanos, out: &mut impl Observer) {
        match frame.kind {
            b'D' | b'd' => {
                self.result.rows += u64::from(frame.kind == b'D');
                self.result.bytes += frame.size();
            }
            b'C' => self.complete(frame.body.strip_suffix(b"\0").unwrap_or(frame.body), at, out),
            b'Z' => self.ready(frame.body, at, out),
            b'1' => self.done(Kind::Parse, at, out),
            b'2' => self.done(Kind::Bind, at, out),
            b'3' => self.done(Kind::Close, at, out),
            b'V' => self.done(Kind::Function, at, out),
            b't' => self.described(frame.body, out),
            b'T' | b'n' => self.pop_if(Kind::Describe),
            b'I' => self.settle(Answer::Empty, at, out),
            b's' => {
                let answer = Answer::Suspended { rows: self.result.rows, bytes: self.result.bytes };
                self.settle(answer, at, out);
            }
            b'E' => self.failed(Report::parse(frame.body), at, out),
            b'N' => self.result.warnings += u32::from(Report::parse(frame.body).is_warning()),
            b'S' => parameter(frame.body, out),
            b'G' => self.copy_in(),
            b'W' => {
                self.settle(Answer::Streaming, at, out);
                self.streaming = true;
            }
            b'R' => self.authentication(frame.body, out),
            b'K' => {
                if let Some(pid) = frame.body.first_chunk() {
                    out.observe(Observation::Backend { pid: u32::from_be_bytes(*pid) });
                }
            }
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

    /// An answer that needs no more than its kind.
    fn done(&mut self, kind: Kind, at: Nanos, out: &mut impl Observer) {
        if self.front() == Some(kind) {
            self.complete(b"", at, out);
        } else {
            out.observe(Observation::Blind { reason: "an answer of the server fits no question" });
        }
    }

    fn complete(&mut self, tag: &[u8], at: Nanos, out: &mut impl Observer) {
        let sent = if tag.starts_with(b"COPY") { std::mem::take(&mut self.sent) } else { 0 };
        let Passed { rows, bytes, .. } = self.result;
        self.settle(Answer::Complete { tag, rows, bytes, sent }, at, out);
    }

    /// The server answered the question at the front.
    fn settle(&mut self, answer: Answer<&[u8]>, at: Nanos, out: &mut impl Observer) {
        let Some(kind) = self.front() else { return };
        if self.streaming && kind == Kind::Query && !matches!(answer, Answer::Lost) {
            return;
        }
        self.copying_in = false;
        let warnings = std::mem::take(&mut self.result).warnings;
        let Some((entry, body)) = self.asked.front() else { return };
        let mut ask = frontend::ask(kind, body, entry.length);
        if let Ask::Query { text, .. } = &mut ask
            && std::mem::replace(&mut self.text_told, true)
        {
            *text = None;
        }
        out.observe(Observation::Settled(Settled { ask, answer, asked: entry.asked, answered: at, warnings }));
        if !kind.is_synced() {
            self.asked.pop();
        }
    }

    fn failed(&mut self, report: Report<'_>, at: Nanos, out: &mut impl Observer) {
        let failure = report.failure();
        if self.phase != Phase::Running {
            return out.observe(Observation::LoginFailed { at, failure });
        }
        match self.front() {
            None => out.observe(Observation::Ended(failure)),
            Some(Kind::Sync) if !failure.fatal => out.observe(Observation::CommitFailed(failure)),
            Some(Kind::Sync) => out.observe(Observation::Ended(failure)),
            Some(kind) => {
                self.settle(Answer::Failed(failure), at, out);
                if !kind.is_synced() && !failure.fatal {
                    self.skip(at, out);
                }
            }
        }
    }

    /// After an error in the extended protocol: everything up to the next Sync is passed over.
    fn skip(&mut self, at: Nanos, out: &mut impl Observer) {
        while let Some(kind) = self.asked.front_kind() {
            if kind == Kind::Sync {
                return;
            }
            self.drop_front(Answer::Skipped, at, out);
        }
        self.skipping = true;
    }

    /// Settles the question at the front without a word of the server.
    fn drop_front(&mut self, answer: Answer<&[u8]>, at: Nanos, out: &mut impl Observer) {
        let Some((entry, body)) = self.asked.front() else { return };
        if !matches!(entry.kind, Kind::Sync | Kind::CopyEnd | Kind::BadFlush | Kind::Describe) {
            let mut ask = frontend::ask(entry.kind, body, entry.length);
            if let Ask::Query { text, .. } = &mut ask
                && std::mem::take(&mut self.text_told)
            {
                *text = None;
            }
            let settled = Settled { ask, answer, asked: entry.asked, answered: at, warnings: 0 };
            out.observe(Observation::Settled(settled));
        }
        self.asked.pop();
    }

    fn ready(&mut self, body: &[u8], at: Nanos, out: &mut impl Observer) {
        self.status = backend::transaction_status(body);
        if self.phase != Phase::Running {
            self.phase = Phase::Running;
            self.key_swap = None;
            return out.observe(Observation::LoggedIn { at });
        }
        while let Some(kind) = self.front() {
            if kind.is_synced() {
                self.asked.pop();
                break;
            }
            out.observe(Observation::Blind { reason: "the server was ready before it answered" });
            self.drop_front(Answer::Lost, at, out);
        }
        (self.text_told, self.streaming, self.copying_in) = (false, false, false);
        self.sent = 0;
        self.result = Passed::default();
        out.observe(Observation::Ready(self.status));
    }

    fn described(&mut self, body: &[u8], out: &mut impl Observer) {
        if let Some((entry, asked)) = self.asked.front()
            && let Ask::Describe { name, .. } = frontend::ask(entry.kind, asked, entry.length)
        {
            out.observe(Observation::Described { statement: name, types: body.get(2..).unwrap_or_default() });
        }
    }

    fn pop_if(&mut self, kind: Kind) {
        if self.front() == Some(kind) {
            self.asked.pop();
        }
    }

    /// The server reads COPY data now: it passes over every Sync up to the client's CopyDone or CopyFail.
    fn copy_in(&mut self) {
        self.copying_in = self.front().is_some();
        while let Some(kind) = self.asked.kind(1) {
            match kind {
                Kind::Sync => self.asked.remove_empty(1),
                Kind::CopyEnd => {
                    self.asked.remove_empty(1);
                    self.copying_in = false;
                    return;
                }
                // The server refuses anything else while it copies.
                _ => return,
            }
        }
    }

    /// The kind of the question that is answered next. An end of COPY data that has come to the front is a late one,
    /// which the server passes over.
    fn front(&mut self) -> Option<Kind> {
        while self.asked.front_kind() == Some(Kind::CopyEnd) {
            self.asked.pop();
        }
        self.asked.front_kind()
    }
}

impl Wire for Postgres {
    fn open(&mut self, bytes: &[u8]) -> Opening {
        self.requests.open(bytes)
    }

    fn client(&mut self, chunk: &[u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        let mut place = if self.phase == Phase::New { self.start(chunk, out) } else { 0 };
        let authenticating = matches!(self.phase, Phase::Authenticating | Phase::Unframed);
        let limits = self.limits;
        let rule = |kind, length| frontend::rule(kind, length, authenticating, &limits);
        let mut framer = std::mem::take(&mut self.from_client);
        let end = loop {
            match framer.next(chunk, &mut place, at, rule) {
                Ok(Some(frame)) => self.ask(frame, out),
                Ok(None) => break Ok(()),
                Err(reason) => break Err(Violation { pass: place, reason }),
            }
        };
        self.from_client = framer;
        end
    }

    fn server(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        if self.phase == Phase::Unframed || self.is_unframed(chunk) {
            self.phase = Phase::Unframed;
            return Ok(());
        }
        if let Some(swap) = &mut self.key_swap {
            self.key = swap.pass(chunk).or(self.key.take());
        }
        let mut place = 0;
        let mut framer = std::mem::take(&mut self.from_server);
        let end = loop {
            match framer.next(chunk, &mut place, at, server_rule) {
                Ok(Some(frame)) => self.tell(frame, at, out),
                Ok(None) => break Ok(()),
                Err(reason) => break Err(Violation { pass: place, reason }),
            }
        };
        self.from_server = framer;
        end
    }

    fn end(&mut self, at: Nanos, out: &mut impl Observer) {
        let unanswered = (0..self.asked.len()).any(|place| self.asked.kind(place).is_some_and(Kind::is_synced));
        // A Query whose statements were all answered keeps its place until ReadyForQuery; the reader knows.
        while self.asked.front_kind().is_some() {
            let answer = if self.phase == Phase::Running { Answer::Lost } else { Answer::Skipped };
            self.drop_front(answer, at, out);
        }
        out.observe(Observation::Closed { unanswered });
    }

    fn is_full(&self) -> bool {
        self.asked.len() >= self.limits.pending || self.asked.size() >= self.limits.pending_bytes
    }

    fn rest(&self) -> Rest {
        if !self.asked.is_empty() || self.phase != Phase::Running || !self.from_client.at_boundary() {
            Rest::Busy
        } else if self.status == TransactionStatus::Idle && !self.unsynced {
            Rest::Idle
        } else {
            Rest::InTransaction
        }
    }

    fn at_boundary(&self) -> bool {
        self.phase != Phase::Unframed && self.from_server.at_boundary()
    }

    fn take_cancel_key(&mut self) -> Option<KeyPair> {
        self.key.take()
    }

    fn farewell(&self, farewell: Farewell<'_>) -> Vec<u8> {
        let (sql_state, message) = match farewell {
            Farewell::Shutdown => ("57P01", "terminating connection due to administrator command"),
            Farewell::Unreachable(why) => ("08006", why),
            Farewell::TooMany => ("53300", "sorry, too many clients already"),
            Farewell::LoginTimeout => ("08006", "canceling authentication due to timeout"),
        };
        backend::error_response("FATAL", sql_state, message)
    }
}

impl Postgres {
    /// Whether the server's first word is an error of protocol 2.0: `E`, a text, NUL. libpq tells it by a length that
    /// no error of today has.
    fn is_unframed(&self, chunk: &[u8]) -> bool {
        const PLAUSIBLE: std::ops::RangeInclusive<u32> = 8..=30_000;
        self.phase == Phase::Authenticating
            && self.from_server.at_boundary()
            && matches!(chunk, [b'E', a, b, c, d, ..] if !PLAUSIBLE.contains(&u32::from_be_bytes([*a, *b, *c, *d])))
    }
}

/// How much of a frame of the server to keep.
fn server_rule(kind: u8, _length: u64) -> super::frame::Rule {
    Ok(match kind {
        b'E' | b'N' | b'S' | b'C' | b'R' => MAX_MESSAGE_BYTES,
        b't' => MAX_TYPES_BYTES,
        b'K' | b'Z' => 8,
        _ => 0,
    })
}

fn parameter(body: &[u8], out: &mut impl Observer) {
    let mut reader = crate::reader::Reader::new(body);
    if let (Some(name), Some(value)) = (reader.cstr(), reader.cstr()) {
        out.observe(Observation::Parameter { name, value });
    }
}

/// Settles a question that never had a place in the queue.
fn settle_frame(kind: Kind, frame: Frame<'_>, answer: Answer<&[u8]>, out: &mut impl Observer) {
    if !matches!(kind, Kind::CopyEnd | Kind::Describe) {
        let ask = frontend::ask(kind, frame.body, frame.length);
        let settled = Settled { ask, answer, asked: frame.begun, answered: frame.begun, warnings: 0 };
        out.observe(Observation::Settled(settled));
    }
}
