//! Brackets and commas of a walk.

use super::super::lexer::Kind;
use super::about::{About, is_any};
use super::call::Call;
use super::frame::{Frame, Verdict};
use super::object::Object;
use super::walk::{Next, Walk};

/// Brackets open at the same time that are told apart; within more of them nothing is certain.
const MAX_FRAMES: usize = 1_024;
/// Tokens of a call's arguments that are looked at to count them.
const MAX_ARGUMENTS: usize = 64;

impl Walk<'_, '_> {
    pub(super) fn bracket(&mut self) {
        let name = self.last_name();
        if name.eq_ignore_ascii_case("options") && self.about != About::Rows && self.frames.len() < MAX_FRAMES
        {
            self.frames.push(Frame::options());
        } else {
            // A table may be called as a function is.
            let object = matches!(self.object, Object::Name(_)) || self.is_other_function(&name);
            let call = if object { Call::Other } else { Call::named(&name, self.cursor.dialect) };
            let row = name.is_empty() || is_any(&name, &["in", "row", "value", "values"]);
            let parameters = name.eq_ignore_ascii_case("with");
            self.push(|outer| match () {
                () if row => Frame::row(outer),
                () if parameters => Frame::parameters(outer),
                () => Frame::call(call, outer),
            });
        }
    }

    /// Is one called that only has the name of one that takes a secret? With three arguments or more DECODE compares: MariaDB's
    /// sql_mode ORACLE. With one VERIFY is not pgjwt's.
    fn is_other_function(&self, name: &str) -> bool {
        match self.cursor.dialect.is_postgres() {
            true => name.eq_ignore_ascii_case("verify") && self.arguments() < 2,
            false => name.eq_ignore_ascii_case("decode") && self.arguments() > 2,
        }
    }

    /// How many the call has that the cursor stands in.
    fn arguments(&self) -> usize {
        let (mut cursor, mut depth, mut commas) = (self.cursor.clone(), 0u32, 0);
        for token in std::iter::from_fn(|| cursor.take()).take(MAX_ARGUMENTS) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => break,
                Kind::Close => depth -= 1,
                Kind::Comma if depth == 0 => commas += 1,
                _ => {}
            }
        }
        commas + 1
    }

    pub(super) fn push(&mut self, frame: impl FnOnce(Verdict) -> Frame) {
        let outer = self.inherited();
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame(outer));
        } else {
            self.deeper += 1;
            self.hidden.uncertain = true;
        }
    }

    pub(super) fn comma(&mut self) {
        if self.deeper > 0 {
            return;
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.comma();
        } else if self.about == About::Set && !self.cursor.dialect.is_postgres() {
            self.next = Next::Ordinary;
            self.assigned = false;
        }
        self.end_parameter();
        self.reset_next();
    }

    /// The declaration of a routine's parameter ends, and with it what its name says.
    pub(super) fn end_parameter(&mut self) {
        if self.routine && self.frames.len() < 2 {
            self.next = Next::Ordinary;
        }
    }

    /// A bracket that closes another kind than is open closes nothing.
    pub(super) fn is_stray(&self, kind: Kind) -> bool {
        self.deeper == 0 && self.frames.last().is_some_and(|frame| !frame.is_closed_by(kind))
    }
}
