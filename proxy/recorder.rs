//! What is seen on one session, written down.

use std::rc::Rc;

use panoptes_config::Protocol;
use panoptes_parser::wire::{Ask, Failure, Observation, Observer};

use crate::{
    capture::{Capture, Note},
    clock,
    session::{Ending, SessionNumber},
};

/// Writes down what is seen on one session.
#[derive(Debug)]
pub(crate) struct Recorder {
    session: SessionNumber,
    capture: Rc<Capture>,
    /// The first statement of the text at hand was left out, so the rest of it is as well.
    leaving_out: bool,
    /// Statements that were told before they went on, and have not yet.
    asked: u32,
    /// Nothing is left out: what was told before it went on is told to its end.
    keeps_all: bool,
}

impl Recorder {
    /// For one session.
    pub(crate) fn new(session: SessionNumber, capture: Rc<Capture>) -> Self {
        Self { session, capture, leaving_out: false, asked: 0, keeps_all: false }
    }

    /// For a session in whose statements are told before they go on: none is left out.
    pub(crate) fn keeping_all(self) -> Self {
        Self { keeps_all: true, ..self }
    }

    /// Whether statements were told that have not gone on.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked > 0
    }

    /// How many; they go on now, or wait elsewhere.
    pub(crate) fn take_asked(&mut self) -> u32 {
        std::mem::take(&mut self.asked)
    }

    /// The last so many statements that were told never reached the server.
    pub(crate) fn unsent(&self, count: u32) {
        if count > 0 {
            self.note(Note::Unsent { count });
        }
    }

    /// Writes a note that is not of the wire.
    pub(crate) fn note(&self, note: Note) {
        self.capture.push(self.session, note);
    }

    /// A login that the proxy itself ended.
    pub(crate) fn fail(&mut self, ending: &Ending, protocol: Protocol) {
        let message = ending.detail().unwrap_or(ending.as_str()).as_bytes();
        let (code, sql_state) = ending.error(protocol);
        let failure = Failure { sql_state: sql_state.as_bytes(), message, position: 0, code, fatal: true };
        self.observe(Observation::LoginFailed { at: clock::now(), failure });
    }

    /// Whether a statement must be left out: with the policy `drop` and a full queue. What tells the session's state
    /// is always kept.
    fn leaves_out(&mut self, observation: &Observation<&[u8]>) -> bool {
        let settled = match observation {
            Observation::Settled(settled) => settled,
            Observation::Asked { ask, .. } => {
                self.asked += u32::from(ask.runs());
                return false;
            }
            _ => return false,
        };
        let no_room = self.capture.is_dropping() && !self.keeps_all;
        match settled.ask {
            Ask::Query { text: Some(_), .. } | Ask::Run { parameters: Some(_), .. } => {
                self.leaving_out = no_room;
                no_room
            }
            Ask::Query { text: None, .. } | Ask::Run { parameters: None, .. } => self.leaving_out,
            Ask::Execute { .. } | Ask::Fetch { .. } | Ask::Command { .. } => no_room,
            _ => false,
        }
    }
}

impl Observer for Recorder {
    fn observe(&mut self, observation: Observation<&[u8]>) {
        if self.leaves_out(&observation) {
            return self.capture.leave_out();
        }
        let stored = observation.map(|bytes| self.capture.store(bytes));
        self.capture.push(self.session, Note::Observed(stored));
    }
}
