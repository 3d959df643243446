//! How a question is settled: by one result or several, by an error, by a login; and what is told of it.

use crate::wire::{Answer, Ask, Nanos, Observation, Observer, Settled};

use super::{
    super::{
        answer::{self, Done, Status},
        capability::Capabilities,
        command::{Kind, Shape},
        login::{self, Login},
        packet::Packet,
        response::{STRANGE, Stage},
        values,
    },
    Pipeline, Upload,
};

impl Pipeline {
    pub(super) fn returned(&self, kind: Kind, status: Status) -> Answer<&'static [u8]> {
        // The row of OUT parameters is none of the statement's.
        let rows = if status.has(Status::OUT_PARAMETERS) { 0 } else { self.rows };
        let bytes = self.bytes;
        let runs = matches!(kind, Kind::Execute | Kind::Fetch);
        if runs && status.has(Status::CURSOR) && !status.has(Status::LAST_ROW) {
            Answer::Suspended { rows, bytes }
        } else {
            Answer::Returned { rows, bytes }
        }
    }

    /// One of perhaps several results is complete.
    pub(super) fn result(
        &mut self,
        answer: Answer<&[u8]>,
        done: Done<'_>,
        at: Nanos,
        out: &mut impl Observer,
    ) {
        self.settle(answer, done.warnings.into(), at, out);
        self.change(&done, out);
        (self.rows, self.bytes) = (0, 0);
        if self.asked.front_kind().is_some_and(Kind::forgets_statements) {
            self.last_prepared = None;
            self.statements.clear();
        }
        if let Some((entry, body, _)) = self.asked.front()
            && entry.kind.sets_option()
        {
            // 0 takes several statements, 1 does not. To a MariaDB what is missing is 0.
            let on = body.iter().take(2).all(|byte| *byte == 0);
            self.agreed = self.agreed.with(Capabilities::MULTI_STATEMENTS, on);
            self.tell_statements(out);
        }
        let several = self.asked.front_kind().is_some_and(|kind| kind.shape() == Shape::Results);
        if several && done.status.has(Status::MORE_RESULTS) {
            (self.stage, self.told) = (Stage::First, true);
            out.observe(Observation::Turned(self.transaction()));
        } else {
            self.finish(at, out);
        }
    }

    pub(super) fn fail(&mut self, kind: Kind, packet: &Packet<'_>, at: Nanos, out: &mut impl Observer) {
        if kind == Kind::Prepare {
            self.last_prepared = None;
        }
        self.end_upload();
        let failure = answer::failure(packet.body);
        self.status = self.status.after(&failure);
        if self.is_streaming() {
            // It was told when it began; why it ended is the session's end, most often.
            out.observe(Observation::Ended(failure));
        } else {
            self.settle(Answer::Failed(failure), 0, at, out);
        }
        self.finish(at, out);
    }

    pub(super) fn end_upload(&mut self) -> u64 {
        if self.upload == Upload::Running {
            self.upload = Upload::Late;
        }
        std::mem::take(&mut self.sent)
    }

    /// The question at the front is answered.
    pub(super) fn finish(&mut self, at: Nanos, out: &mut impl Observer) {
        let told = self.asked.front_kind().is_some_and(|kind| !kind.is_idle_talk());
        self.next();
        if told {
            out.observe(Observation::Ready(self.transaction()));
        }
        self.pass_silent(at, out);
    }

    pub(super) fn next(&mut self) {
        self.asked.pop();
        (self.stage, self.told, self.logging_in) = (Stage::First, false, false);
        (self.rows, self.bytes) = (0, 0);
    }

    /// What has come to the front and is not answered is done.
    pub(super) fn pass_silent(&mut self, at: Nanos, out: &mut impl Observer) {
        while self.asked.front_kind().is_some_and(|kind| kind.shape() == Shape::Silent) {
            self.settle(Answer::Complete { tag: b"", rows: 0, bytes: 0, sent: 0 }, 0, at, out);
            self.forget_closed();
            self.next();
        }
    }

    /// The statement that was prepared last may be the one that is closed.
    pub(super) fn forget_closed(&mut self) {
        if let Some((entry, body, _)) = self.asked.front()
            && entry.kind == Kind::CloseStatement
            && self.last_prepared.is_some_and(|last| body == last || body == [0xff; 4])
        {
            self.last_prepared = None;
        }
    }

    /// Tells the question at the front; its words only once.
    pub(super) fn settle(
        &mut self,
        answer: Answer<&[u8]>,
        warnings: u32,
        answered: Nanos,
        out: &mut impl Observer,
    ) {
        let Some((entry, body, digest)) = self.asked.front() else { return };
        if entry.kind.is_idle_talk() {
            return;
        }
        let with_attributes = self.with_attributes();
        let last = self.last_prepared.as_ref().filter(|_| self.mariadb);
        let mut ask = entry.kind.ask(body, entry.length, last, with_attributes);
        match &mut ask {
            Ask::Query { text, .. } if self.told => *text = None,
            Ask::Run { parameters, .. } if self.told => *parameters = None,
            Ask::Query { .. } if with_attributes => {
                let (attributes, _) = values::split_query(body);
                // None, and one set of them.
                if attributes != b"\0\x01" {
                    out.observe(Observation::Attributes { attributes });
                }
            }
            Ask::Parse { statement, .. } if matches!(answer, Answer::Prepared { .. }) => {
                *statement = self.last_prepared.as_ref().map_or(b"", <[u8; 4]>::as_slice);
            }
            _ => {}
        }
        if let Some(sha256) = digest.filter(|_| !self.told) {
            out.observe(Observation::Hashed { sha256 });
        }
        self.statements.settle(&ask, &answer);
        if self.rows > 0 && matches!(answer, Answer::Failed(_) | Answer::Lost) {
            out.observe(Observation::BrokeOff { rows: self.rows, bytes: self.bytes });
        }
        out.observe(Observation::Settled(Settled { ask, answer, asked: entry.asked, answered, warnings }));
    }

    /// An answer to COM_CHANGE_USER: a login as the first one was.
    pub(super) fn log_in(
        &mut self,
        packet: &Packet<'_>,
        at: Nanos,
        out: &mut impl Observer,
    ) -> Result<(), &'static str> {
        if !self.logging_in {
            self.logging_in = true;
            let body = self.asked.front().map_or(&b""[..], |(_, body, _)| body);
            out.observe(Observation::Startup { parameters: body });
            let plugin = Login::decode(body).plugin;
            if !plugin.is_empty() {
                out.observe(Observation::Authentication { method: login::method(plugin) });
            }
        }
        match login::step(packet, self.agreed).ok_or(STRANGE)? {
            login::Step::On => {}
            login::Step::Switch(method) => out.observe(Observation::Authentication { method }),
            login::Step::Done(done) => {
                self.last_prepared = None;
                self.statements.clear();
                out.observe(Observation::LoggedIn { at });
                self.change(&done, out);
                self.finish(at, out);
            }
            login::Step::Failed(failure) => {
                out.observe(Observation::LoginFailed { at, failure });
                self.finish(at, out);
            }
        }
        Ok(())
    }
}
