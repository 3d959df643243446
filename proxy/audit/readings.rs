//! How PostgreSQL's texts are read within a pipeline. The server reports a change of it at the end alone, so what changes it
//! is followed until then; where the text does not tell to what, or it may have been rolled back, only ASCII is shown.

use panoptes_parser::{
    sql::{Dialect, Effect, Reading},
    text::Encoding,
};

use super::{session::Session, statement::Statement};

/// What the server said of it.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// At the login: what RESET goes back to.
    first: Option<(Encoding, Dialect)>,
    reported: Option<(Encoding, Dialect)>,
    /// It changed since there was last no transaction, so the end of one may change it back.
    moved: bool,
}

impl Statement {
    /// Whether what it changes of it is followed: a SET, which calls no function, and what changes nothing.
    pub(super) fn is_followed_in_reading(&self) -> bool {
        let Some(text) = self.text() else { return false };
        let followed = matches!(
            text.effect,
            Effect::Begin
                | Effect::Read(Reading::Encoding(_) | Reading::Conforming(Some(_)) | Reading::First)
        );
        followed && text.verb() != "SELECT"
    }
}

impl Session {
    /// The server has reported how texts are read now.
    pub(super) fn report_reading(&mut self) {
        let now = Some((self.encoding, self.dialect));
        self.readings.reported = now;
        if self.login.is_done() {
            self.readings.moved = true;
        } else {
            self.readings.first = now;
        }
    }

    /// A statement that completed changes it, or may.
    pub(super) fn follow_reading(&mut self, effect: &Effect<'_>) {
        let (first, dialect) = self.readings.first.unwrap_or((Encoding::UTF8, Dialect::POSTGRES));
        match effect {
            Effect::Read(Reading::Encoding(name)) => {
                self.encoding = name.as_deref().map_or(first, Encoding::named);
            }
            Effect::Read(Reading::Conforming(None)) => self.dialect = dialect,
            Effect::Read(Reading::Conforming(Some(on))) => {
                self.dialect = Dialect::Postgres { standard_conforming_strings: *on };
            }
            Effect::Read(Reading::First) | Effect::DiscardAll => {
                (self.encoding, self.dialect) = (first, dialect)
            }
            Effect::Read(Reading::Unknown) => self.encoding = Encoding::UNCERTAIN,
            Effect::Commit { .. }
            | Effect::Rollback { .. }
            | Effect::RollbackTo(_)
            | Effect::PrepareTransaction
                if self.readings.moved =>
            {
                self.encoding = Encoding::UNCERTAIN;
            }
            _ => return,
        }
        self.readings.moved = true;
    }

    /// The server is ready: it has reported what changed.
    pub(super) fn settle_reading(&mut self, idle: bool) {
        if self.readings.moved {
            if let Some(reported) = self.readings.reported {
                (self.encoding, self.dialect) = reported;
            }
            self.readings.moved = !idle;
        }
    }
}
