//! [`Pipeline`]: questions without an answer yet. Each is answered in its turn, by one result or several.

mod settle;

use crate::{
    digest::sha256,
    inflight::Inflight,
    wire::{Answer, Ask, Digest, Limits, Nanos, Observation, Observer, TransactionStatus},
};

use super::{
    answer::{self, Done, ERR, Status},
    capability::Capabilities,
    command::{self, Kind, Shape},
    login::Login,
    packet::{Head, Keep, Packet, Rule},
    response::{Stage, Step},
    rewrite::{Rewrite, Tracked},
    statements::{Condense, Statements},
    values,
};

/// Questions in the order in which they were asked, and how far the answer to the first has come.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    asked: Inflight<Kind>,
    agreed: Capabilities,
    mariadb: bool,
    stage: Stage,
    /// A result of the question at the front was told.
    told: bool,
    /// Rows of the result at hand, and their size.
    rows: u64,
    bytes: u64,
    upload: Upload,
    /// Bytes of the file that the client sent.
    sent: u64,
    /// The login within the session that is at the front was begun to be told.
    logging_in: bool,
    /// The number of the statement that was prepared last.
    last_prepared: Option<[u8; 4]>,
    statements: Statements,
    status: Status,
}

/// Whether the client sends a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Upload {
    #[default]
    No,
    Running,
    /// The server has answered before all of it came.
    Late,
}

/// What the server says fits no question.
pub(super) const ASTRAY: &str = "an answer of the server fits no question";

impl Pipeline {
    /// The login has told what both sides agree on.
    pub(super) fn agree(&mut self, agreed: Capabilities, mariadb: bool) {
        (self.agreed, self.mariadb) = (agreed, mariadb);
    }

    /// What both sides agree on.
    pub(super) fn agreed(&self) -> Capabilities {
        self.agreed
    }

    /// Whether parameters may have names, and queries attributes.
    pub(super) fn with_attributes(&self) -> bool {
        self.agreed.has(Capabilities::QUERY_ATTRIBUTES)
    }

    /// Takes a question of the client.
    pub(super) fn ask(&mut self, packet: &Packet<'_>, limits: &Limits, at: Nanos, out: &mut impl Observer) {
        let kind = Kind::of(packet.head);
        let behind = packet.body.get(1..).unwrap_or_default();
        let length = packet.length.saturating_sub(1);
        if kind == Kind::ChangeUser {
            let mut parameters = Vec::new();
            // One that cannot be read is refused by the server as well.
            if let Some(login) = Login::change(behind, self.agreed) {
                login.encode(&mut parameters);
            }
            return self.asked.push(kind, packet.begun, &parameters, length, None);
        }
        let (body, digest) = self.cut(kind, behind, packet, limits);
        let unmarked = (kind.is_run() && !packet.condensed).then(|| command::unmarked(kind, body)).flatten();
        let body = unmarked.as_deref().unwrap_or(body);
        if limits.tell_asked && !kind.is_idle_talk() {
            self.tell_asked(
                kind.ask(body, length, self.last_prepared(), self.with_attributes()),
                packet,
                digest,
                out,
            );
        }
        self.asked.push(kind, packet.begun, body, length, digest.as_ref());
        self.pass_silent(at, out);
    }

    /// Tells a question before it is passed on.
    fn tell_asked(
        &self,
        ask: Ask<&[u8]>,
        packet: &Packet<'_>,
        digest: Option<Digest>,
        out: &mut impl Observer,
    ) {
        // What belongs to a run to come. Of these, what needs no answer is settled at once where none is awaited.
        let is_of_run = match ask {
            Ask::Append { .. } | Ask::Close { .. } => !self.asked.is_empty(),
            Ask::Reset { .. } => true,
            _ => false,
        };
        if ask.is_told_ahead() || is_of_run {
            if let Some(sha256) = &digest {
                out.observe(Observation::Hashed { sha256 });
            }
            out.observe(Observation::Asked { ask, at: packet.begun });
        }
    }

    /// How a run that is about to come is condensed, where it is a long one. What is asked ahead of it and not yet answered
    /// may change what is known.
    pub(super) fn condense(&self, kind: Kind, length: u64, limits: &Limits) -> Option<Box<Condense>> {
        if !kind.is_run() || length <= limits.parameters as u64 || !self.asked.is_empty() {
            return None;
        }
        let (named, bulk) = (self.with_attributes(), kind == Kind::BulkExecute);
        self.statements.condense(self.minus_one(), named, bulk, limits.parameters)
    }

    /// The number of the statement that was prepared last, unless one that was asked for is to have a number yet.
    fn last_prepared(&self) -> Option<&[u8; 4]> {
        let mut kinds = (0..self.asked.len()).filter_map(|place| self.asked.entry(place));
        if kinds.any(|entry| entry.kind == Kind::Prepare) { None } else { self.minus_one() }
    }

    /// The number of the statement that a MariaDB takes -1 for.
    fn minus_one(&self) -> Option<&[u8; 4]> {
        self.last_prepared.as_ref().filter(|_| self.mariadb)
    }

    /// A text no longer than it may be, and its digest if it was.
    fn cut<'a>(
        &self,
        kind: Kind,
        behind: &'a [u8],
        packet: &Packet<'_>,
        limits: &Limits,
    ) -> (&'a [u8], Option<Digest>) {
        if !matches!(kind, Kind::Query | Kind::Prepare) {
            return (behind, None);
        }
        let with_attributes = kind == Kind::Query && self.with_attributes();
        let (ahead, text) = if with_attributes { values::split_query(behind) } else { (&b""[..], behind) };
        // What is prepared is one statement.
        let several = kind == Kind::Query && self.agreed.has(Capabilities::MULTI_STATEMENTS);
        let whole = several && packet.length == packet.body.len() as u64;
        let told = limits.told(text, whole);
        let body = behind.get(..ahead.len() + told.len()).unwrap_or(behind);
        let digest = packet.digest.or_else(|| (text.len() > limits.sql).then(|| sha256(text)));
        (body, digest)
    }

    /// What the client sends while the server wants a file.
    pub(super) fn uploaded(&mut self, packet: &Packet<'_>) {
        self.sent += packet.length;
        if packet.length == 0 {
            self.upload = Upload::No;
        }
    }

    /// Whether the client sends a file.
    pub(super) fn upload(&self) -> Upload {
        self.upload
    }

    /// Whether the client proves who it is, for a login within the session.
    pub(super) fn is_logging_in(&self) -> bool {
        self.logging_in
    }

    /// Whether the server sends a stream.
    pub(super) fn is_streaming(&self) -> bool {
        self.stage == Stage::Stream
    }

    /// Whether rows may come by the thousand.
    pub(super) fn awaits_rows(&self) -> bool {
        self.asked.front_kind().is_some_and(|kind| self.stage.is_rows(kind.shape()))
    }

    /// Counts rows, or packets of a stream.
    pub(super) fn passed(&mut self, rows: u64, bytes: u64) {
        if self.stage == Stage::First {
            self.stage = Stage::Rows;
        }
        self.rows += rows;
        self.bytes += bytes;
    }

    /// How much of the server's next packet is kept.
    pub(super) fn rule(&self, head: Head) -> Rule {
        let Some(kind) = self.asked.front_kind() else {
            return if head.first == Some(ERR) { Ok(message(false)) } else { Err(ASTRAY) };
        };
        if kind.shape() == Shape::Login {
            return Ok(message(
                self.agreed.has(Capabilities::SESSION_TRACK) && head.first == Some(answer::OK),
            ));
        }
        let (bytes, tracked) = self.stage.keep(kind.shape(), head, self.agreed);
        let rewrite = (tracked && self.agreed.has(Capabilities::SESSION_TRACK)).then(tracked_rewrite);
        Ok(Keep { rewrite, ..Keep::bytes(bytes) })
    }

    /// Takes the server's next packet.
    pub(super) fn answer(
        &mut self,
        packet: &Packet<'_>,
        at: Nanos,
        out: &mut impl Observer,
    ) -> Result<(), &'static str> {
        // The rule let pass only an error.
        let Some(kind) = self.asked.front_kind() else {
            let failure = crate::wire::Failure { fatal: true, ..answer::failure(packet.body) };
            out.observe(Observation::Ended(failure));
            return Ok(());
        };
        if kind.shape() == Shape::Login {
            return self.log_in(packet, at, out);
        }
        match self.stage.take(kind.shape(), packet, self.agreed)? {
            Step::On => {}
            Step::Row => self.passed(1, packet.size),
            Step::File(name) => {
                self.upload = Upload::Running;
                out.observe(Observation::File { name });
            }
            Step::Done(done) => {
                let sent = self.end_upload();
                let Done { rows, insert_id, info, .. } = done;
                self.result(Answer::Affected { rows, insert_id, sent, info }, done, at, out);
            }
            Step::Rows(done) => self.result(self.returned(kind, done.status), done, at, out),
            Step::Prepared { statement, parameters } => {
                self.last_prepared = Some(statement);
                self.settle(Answer::Prepared { parameters }, 0, at, out);
                self.finish(at, out);
            }
            Step::Text => self.finish(at, out),
            Step::Streaming => {
                self.settle(Answer::Streaming, 0, at, out);
                self.told = true;
            }
            Step::StreamEnd => self.finish(at, out),
            Step::Failed => self.fail(kind, packet, at, out),
        }
        Ok(())
    }

    /// Settles everything that has no answer; whether there was something.
    pub(super) fn abandon(&mut self, answer: Answer<&[u8]>, at: Nanos, out: &mut impl Observer) -> bool {
        let unanswered = !self.asked.is_empty();
        while !self.asked.is_empty() {
            if !(self.told && self.is_streaming()) {
                self.settle(answer, 0, at, out);
            }
            self.next();
        }
        unanswered
    }

    /// Whether nothing is unanswered.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether so much is unanswered that no more is to be asked.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        // The server answers each question as it comes, so there will be room; but what it waits for must pass.
        let awaited = self.upload == Upload::Running || self.logging_in;
        !awaited && (self.asked.len() >= limits.pending || self.asked.size() >= limits.pending_bytes)
    }

    /// The session's transaction.
    pub(super) fn transaction(&self) -> TransactionStatus {
        transaction(self.status)
    }

    /// The server has told the session's status.
    pub(super) fn turn(&mut self, status: Status, out: &mut impl Observer) {
        if status.has(Status::NO_BACKSLASH_ESCAPES) != self.status.has(Status::NO_BACKSLASH_ESCAPES) {
            let value: &[u8] = if status.has(Status::NO_BACKSLASH_ESCAPES) { b"on" } else { b"off" };
            out.observe(Observation::Parameter { name: b"no_backslash_escapes", value });
        }
        self.status = status;
    }

    /// Tells whether the server takes several statements in a text.
    pub(super) fn tell_statements(&self, out: &mut impl Observer) {
        let value: &[u8] = if self.agreed.has(Capabilities::MULTI_STATEMENTS) { b"on" } else { b"off" };
        out.observe(Observation::Parameter { name: b"multi_statements", value });
    }

    /// Tells what the server says has changed in the session.
    pub(super) fn change(&mut self, done: &Done<'_>, out: &mut impl Observer) {
        self.turn(done.status, out);
        // What is torn at its end was cut: what is before it holds.
        let _ = done.changes.each(|name, value| out.observe(Observation::Parameter { name, value }));
    }
}

/// A packet of the server that is read, and told of.
pub(super) fn message(tracked: bool) -> Keep {
    /// How much of it is read.
    const MAX_MESSAGE_BYTES: usize = 16 << 10;
    Keep { rewrite: tracked.then(tracked_rewrite), ..Keep::bytes(MAX_MESSAGE_BYTES) }
}

fn tracked_rewrite() -> Rewrite {
    Rewrite::Tracked(Tracked::default())
}

fn transaction(status: Status) -> TransactionStatus {
    if status.has(Status::IN_TRANSACTION) { TransactionStatus::Active } else { TransactionStatus::Idle }
}
