//! What is MySQL's alone.

mod runs;
mod sessions;
mod texts;
mod transactions;

use panoptes_config::Protocol;
use panoptes_parser::wire::{Answer, Ask, Failure, Observation, Observer, Settled, TransactionStatus};

use super::Stage;

fn stage() -> Stage {
    Stage::of(Protocol::Mysql)
}

fn affected(rows: u64) -> Answer<&'static [u8]> {
    Answer::Affected { rows, insert_id: 0, sent: 0, info: b"" }
}

fn returned(rows: u64) -> Answer<&'static [u8]> {
    Answer::Returned { rows, bytes: 5 * rows }
}

fn refused(code: u16, sql_state: &'static str) -> Answer<&'static [u8]> {
    let (sql_state, message) = (sql_state.as_bytes(), &b"no"[..]);
    Answer::Failed(Failure { sql_state, message, position: 0, code, fatal: false })
}

/// The number of a prepared statement, as it is sent.
const SEVEN: &[u8] = &[7, 0, 0, 0];

impl Stage {
    fn done(&mut self, text: &str) -> &mut Self {
        self.query(text, affected(0))
    }

    /// A text that is done, but for so many warnings.
    fn warned(&mut self, text: &str, warnings: u32) -> &mut Self {
        let ask = Ask::Query { text: Some(text.as_bytes()), length: text.len() as u64 };
        let settled = Settled { ask, answer: affected(0), asked: 1_000, answered: 2_500_000, warnings };
        self.observe(Observation::Settled(settled));
        self
    }

    fn parameter(&mut self, name: &str, value: &str) -> &mut Self {
        self.observe(Observation::Parameter { name: name.as_bytes(), value: value.as_bytes() });
        self
    }

    pub(super) fn several(&mut self) -> &mut Self {
        self.parameter("multi_statements", "on")
    }

    fn turned(&mut self, status: TransactionStatus) -> &mut Self {
        self.observe(Observation::Turned(status));
        self
    }

    fn prepared(&mut self, text: &str, parameters: u16) -> &mut Self {
        let (text, length) = (text.as_bytes(), text.len() as u64);
        self.settled(
            Ask::Parse { statement: SEVEN, text, length, types: b"" },
            Answer::Prepared { parameters },
        )
        .idle()
    }

    fn run(&mut self, parameters: Option<&[u8]>, answer: Answer<&[u8]>) -> &mut Self {
        let length = parameters.map_or(0, <[u8]>::len) as u64;
        self.settled(Ask::Run { statement: SEVEN, parameters, length, bulk: false, named: false }, answer)
    }

    fn login(&mut self, user: &str, done: bool) -> &mut Self {
        let parameters = [&[45, 0][..], user.as_bytes(), b"\0shop\0mysql_native_password\0"].concat();
        self.observe(Observation::Startup { parameters: &parameters });
        match done {
            true => self.observe(Observation::LoggedIn { at: 5_000 }),
            false => {
                let Answer::Failed(failure) = refused(1045, "28000") else { unreachable!() };
                self.observe(Observation::LoginFailed { at: 5_000, failure });
            }
        }
        self
    }

    fn users(&mut self) -> Vec<String> {
        let of = |event: &super::Event| event.db.as_ref().and_then(|db| db.user.clone()).unwrap_or_default();
        self.events().iter().map(of).collect()
    }
}
