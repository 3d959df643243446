//! [`Mysql`]: one session, both directions.

use crate::wire::{
    Answer, CancelKey, Farewell, KeyPair, Limits, Nanos, Observation, Observer, Opening, Rest,
    TransactionStatus, Violation, Wire,
};

use super::{
    answer::{self, ERR},
    capability::Capabilities,
    command::Kind,
    framer::Framer,
    greeting::Greeting,
    login::{self, Login},
    packet::{Head, Keep, NUMBER_AT, Packet, Rule},
    pipeline::{self, Pipeline, Upload},
    response::STRANGE,
    rewrite::{self, Rewrite},
};

/// The longest packet of a login: attributes take 64 KiB.
const MAX_LOGIN_BYTES: u64 = 80 << 10;
/// So often a client may be asked for a proof in one login: more than any plugin does.
const MAX_ROUNDS: u32 = 32;
/// First byte of what a replica sends to tell how far it has come.
const REPLICA_ACK: u8 = 0xef;

/// One session of MySQL's protocol.
#[derive(Debug)]
pub struct Mysql {
    from_client: Framer,
    from_server: Framer,
    state: State,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    phase: Phase,
    /// What the server offers, as far as it was passed on.
    offered: Capabilities,
    /// The session's number, until it is asked for.
    thread: Option<u32>,
    /// Proofs that the client sent in the login at hand.
    rounds: u32,
    pipeline: Pipeline,
    /// Sequence number of the next packet of the server.
    next_number: u8,
    /// The client has said goodbye.
    terminated: bool,
    /// The server has ended the session.
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server has not spoken.
    New,
    /// The server has, and the client has not.
    Greeted,
    /// The server wants proofs.
    Authenticating,
    Running,
}

impl Mysql {
    /// A new session.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            phase: Phase::New,
            offered: Capabilities::default(),
            thread: None,
            rounds: 0,
            pipeline: Pipeline::default(),
            next_number: 0,
            terminated: false,
            ended: false,
        };
        Self { from_client: Framer::default(), from_server: Framer::default(), state }
    }
}

impl Wire for Mysql {
    /// The server speaks first.
    fn open(&mut self, _: &[u8]) -> Opening {
        Opening::Dial
    }

    fn client(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        let Self { from_client, state, .. } = self;
        let mut place = 0;
        loop {
            let judged = from_client.next(chunk, &mut place, at, |head| state.client_rule(head));
            match judged.and_then(|packet| packet.map(|packet| state.asked(&packet, at, out)).transpose()) {
                Ok(Some(())) => {}
                Ok(None) => return Ok(()),
                Err(reason) => return Err(Violation { pass: place, reason }),
            }
        }
    }

    fn server(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation> {
        let Self { from_server, state, .. } = self;
        let mut place = 0;
        loop {
            // What was asked along with a login is answered behind it.
            if state.phase == Phase::Running
                && state.pipeline.awaits_rows()
                && let Some((rows, bytes, last)) = from_server.pass(chunk, &mut place)
            {
                state.pass(rows, bytes, last);
            }
            let judged = from_server.next(chunk, &mut place, at, |head| state.server_rule(head));
            match judged.and_then(|packet| packet.map(|packet| state.answered(&packet, at, out)).transpose())
            {
                Ok(Some(())) => {}
                Ok(None) => return Ok(()),
                Err(reason) => return Err(Violation { pass: place, reason }),
            }
        }
    }

    fn end(&mut self, at: Nanos, out: &mut impl Observer) {
        let unanswered = self.state.pipeline.abandon(Answer::Lost, at, out);
        out.observe(Observation::Closed { unanswered });
    }

    fn is_full(&self) -> bool {
        self.state.pipeline.is_full(&self.state.limits)
    }

    fn rest(&self) -> Rest {
        let State { phase, pipeline, .. } = &self.state;
        if *phase != Phase::Running || !pipeline.is_empty() || !self.from_client.at_boundary() {
            Rest::Busy
        } else if pipeline.transaction() == TransactionStatus::Idle {
            Rest::Idle
        } else {
            Rest::InTransaction
        }
    }

    fn at_boundary(&self) -> bool {
        !self.state.ended && self.from_server.at_boundary()
    }

    fn is_logged_in(&self) -> bool {
        self.state.phase == Phase::Running
    }

    fn is_terminated(&self) -> bool {
        self.state.terminated
    }

    /// There is no secret: KILL is a statement like others, and the server says who may.
    fn take_cancel_key(&mut self) -> Option<KeyPair> {
        let pid = self.state.thread.take()?;
        Some(KeyPair { ours: CancelKey { pid, secret: Vec::new() }, real: Vec::new() })
    }

    fn farewell(&self, farewell: Farewell<'_>) -> Vec<u8> {
        let (code, sql_state, message) = match farewell {
            Farewell::Shutdown | Farewell::Closing => (1053, "08S01", "Server shutdown in progress"),
            // The number is the client library's own: so it speaks of a server that it cannot reach itself.
            Farewell::Unreachable(why) if self.state.phase == Phase::New => (2003, "HY000", why),
            Farewell::Unreachable(why) => (1158, "08S01", why),
            Farewell::TooMany => (1040, "08004", "Too many connections"),
            Farewell::NoAudit => (1040, "08004", "The audit journal is full: no new sessions for now"),
            Farewell::AuditFull => (1053, "08S01", "The audit journal is full: the session ends"),
            Farewell::LoginTimeout => (1159, "08S01", "Got timeout reading communication packets"),
        };
        // Before the greeting a client does not look for a SQLSTATE.
        let sql_state = (self.state.phase != Phase::New).then_some(sql_state);
        answer::err_packet(self.state.number(), code, sql_state, message)
    }

    /// A client awaits the number of the packet that it does not get.
    fn farewell_for(&self, farewell: Farewell<'_>, unsaid: &[u8]) -> Vec<u8> {
        let mut packet = self.farewell(farewell);
        if let (Some(number), Some(awaited)) = (packet.get_mut(NUMBER_AT), unsaid.get(NUMBER_AT)) {
            *number = *awaited;
        }
        packet
    }
}

impl State {
    /// How much of a client's packet is kept, or why it is refused.
    fn client_rule(&self, head: Head) -> Rule {
        match self.phase {
            Phase::New => Err("the client spoke before the server"),
            Phase::Greeted if head.length > MAX_LOGIN_BYTES => Err("too long a login"),
            Phase::Greeted => {
                let mariadb = !self.offered.has(Capabilities::MYSQL);
                let rewrite = Some(Rewrite::Response(rewrite::Response::to(mariadb)));
                Ok(Keep { rewrite, ..Keep::bytes(usize::MAX) })
            }
            // Commands may be sent along with a login: they begin their own sequence.
            _ => match self.part(head.number) {
                Part::Proof if head.length > MAX_LOGIN_BYTES => Err("too long a proof"),
                Part::Proof if self.rounds >= MAX_ROUNDS => Err("too many rounds in a login"),
                Part::Proof | Part::File | Part::LateFile => Ok(Keep::default()),
                Part::Disorder => Err("packets out of order"),
                Part::Command => self.command_rule(head),
            },
        }
    }

    fn command_rule(&self, head: Head) -> Rule {
        let kind = Kind::of(head.first);
        if kind.is_opaque() && self.offered.has(Capabilities::MYSQL) {
            return Err("a command whose stream cannot be followed");
        }
        let keep = kind.keep(head.length, self.pipeline.agreed(), &self.limits);
        Ok(Keep { condense: self.pipeline.condense(kind, head.length, &self.limits), ..keep })
    }

    /// What a packet of the client is, by its sequence number.
    fn part(&self, number: u8) -> Part {
        let proves = self.phase == Phase::Authenticating || self.pipeline.is_logging_in();
        match (self.pipeline.upload(), number) {
            (Upload::Running, _) => Part::File,
            (_, 0) => Part::Command,
            _ if proves => Part::Proof,
            (Upload::Late, _) => Part::LateFile,
            _ => Part::Disorder,
        }
    }

    fn asked(&mut self, packet: &Packet<'_>, at: Nanos, out: &mut impl Observer) -> Result<(), &'static str> {
        // While an answer is on its way, the next packet of the server belongs to that.
        let part = self.part(packet.first);
        if part != Part::Command || self.pipeline.is_empty() {
            self.next_number = packet.last.wrapping_add(1);
        }
        if self.phase == Phase::Greeted {
            return self.respond(packet, out);
        }
        match part {
            Part::Proof => self.rounds += 1,
            Part::File => self.pipeline.uploaded(packet),
            Part::Command => self.command(packet, at, out),
            Part::LateFile | Part::Disorder => {}
        }
        Ok(())
    }

    fn command(&mut self, packet: &Packet<'_>, at: Nanos, out: &mut impl Observer) {
        if Kind::of(packet.head).is_quit() {
            self.terminated = true;
        } else if !(self.pipeline.is_streaming() && packet.head == Some(REPLICA_ACK)) {
            self.pipeline.ask(packet, &self.limits, at, out);
        }
    }

    /// The client's answer to the greeting.
    fn respond(&mut self, packet: &Packet<'_>, out: &mut impl Observer) -> Result<(), &'static str> {
        let response = Login::response(packet.body, self.offered);
        let (agreed, login) = response.ok_or("a login that cannot be followed")?;
        self.pipeline.agree(agreed, !self.offered.has(Capabilities::MYSQL));
        self.phase = Phase::Authenticating;
        let mut parameters = Vec::new();
        login.encode(&mut parameters);
        out.observe(Observation::Startup { parameters: &parameters });
        if !login.plugin.is_empty() {
            out.observe(Observation::Authentication { method: login::method(login.plugin) });
        }
        Ok(())
    }

    /// How much of a server's packet is kept, or why it is refused.
    fn server_rule(&self, head: Head) -> Rule {
        match self.phase {
            Phase::Running => self.pipeline.rule(head),
            _ if head.length > MAX_LOGIN_BYTES => Err(STRANGE),
            Phase::New if head.first != Some(ERR) => {
                let rewrite = Some(Rewrite::Greeting(rewrite::Greeting::default()));
                Ok(Keep { rewrite, ..pipeline::message(false) })
            }
            Phase::Greeted if head.first != Some(ERR) => Err(pipeline::ASTRAY),
            _ => {
                let tracks = self.pipeline.agreed().has(Capabilities::SESSION_TRACK);
                Ok(pipeline::message(tracks && head.first == Some(answer::OK)))
            }
        }
    }

    fn answered(
        &mut self,
        packet: &Packet<'_>,
        at: Nanos,
        out: &mut impl Observer,
    ) -> Result<(), &'static str> {
        self.next_number = packet.last.wrapping_add(1);
        match self.phase {
            Phase::Running => {
                self.ended |= self.pipeline.is_empty();
                let was_logging_in = self.pipeline.is_logging_in();
                self.pipeline.answer(packet, at, out)?;
                if was_logging_in && !self.pipeline.is_logging_in() {
                    self.rounds = 0;
                }
                Ok(())
            }
            _ if packet.head == Some(ERR) => {
                self.ended = true;
                out.observe(Observation::LoginFailed { at, failure: answer::failure(packet.body) });
                self.pipeline.abandon(Answer::Skipped, at, out);
                Ok(())
            }
            Phase::New => self.greeted(packet, out),
            Phase::Greeted | Phase::Authenticating => self.log_in(packet, at, out),
        }
    }

    fn greeted(&mut self, packet: &Packet<'_>, out: &mut impl Observer) -> Result<(), &'static str> {
        let greeting = Greeting::parse(packet.body).ok_or("a greeting that cannot be read")?;
        self.phase = Phase::Greeted;
        self.offered = greeting.capabilities;
        self.thread = Some(greeting.thread);
        out.observe(Observation::Backend { pid: greeting.thread });
        out.observe(Observation::Parameter { name: b"server_version", value: greeting.version });
        out.observe(Observation::Parameter { name: b"server_collation", value: &[greeting.collation] });
        self.pipeline.turn(answer::Status(greeting.status), out);
        Ok(())
    }

    fn log_in(
        &mut self,
        packet: &Packet<'_>,
        at: Nanos,
        out: &mut impl Observer,
    ) -> Result<(), &'static str> {
        match login::step(packet, self.pipeline.agreed()).ok_or(STRANGE)? {
            login::Step::On | login::Step::Failed(_) => {}
            login::Step::Switch(method) => out.observe(Observation::Authentication { method }),
            login::Step::Done(done) => {
                (self.phase, self.rounds) = (Phase::Running, 0);
                self.pipeline.tell_statements(out);
                out.observe(Observation::LoggedIn { at });
                self.pipeline.change(&done, out);
            }
        }
        Ok(())
    }

    /// Rows have passed.
    fn pass(&mut self, rows: u64, bytes: u64, last: u8) {
        self.next_number = last.wrapping_add(1);
        self.pipeline.passed(rows, bytes);
    }

    /// Sequence number of a packet of ours: what nobody asked for has none.
    fn number(&self) -> u8 {
        let idle = self.phase == Phase::Running && self.pipeline.is_empty();
        if idle { 0 } else { self.next_number }
    }
}

/// What a packet of the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Command,
    /// Of a login.
    Proof,
    /// Of a file that the server asked for.
    File,
    /// The same, when the server has answered already.
    LateFile,
    /// What the server would refuse.
    Disorder,
}
