//! The one trait that a protocol implements. What it observes is in [`observation`](crate::observation).
//!
//! A [`Wire`] is shown every byte of one session, in both directions, in the order in which they pass, and tells an
//! [`Observer`] what it saw. It does no I/O and reads no clock: whoever moves the bytes gives the time. Bytes may come
//! cut anywhere; the observations are the same.
//!
//! Observations come in the order in which the *server* settled things, so a reader may apply them one by one:
//! a statement prepared by one is there for the next.

pub use crate::digest::sha256;
pub use crate::observation::{
    Answer, Ask, Failure, Observation, Observer, Settled, Target, TransactionStatus,
};

/// Nanoseconds of a monotonic clock, since an origin that the caller chose.
pub type Nanos = u64;
/// A SHA-256.
pub type Digest = [u8; 32];

/// Follows one session of a protocol.
pub trait Wire {
    /// Looks at what a client sent first, before there is a connection to the server. `bytes` is all that came so far.
    fn open(&mut self, bytes: &[u8]) -> Opening;

    /// Looks at bytes on their way to the server, and replaces in them what must not be passed on (what we cannot
    /// follow). `chunk` follows directly on the chunk before.
    ///
    /// # Errors
    /// A frame that the server itself would refuse: see [`Violation`].
    fn client(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation>;

    /// Looks at bytes on their way to the client, and replaces in them what must not be passed on (a cancel key).
    ///
    /// # Errors
    /// Bytes that cannot be the server's: see [`Violation`].
    fn server(&mut self, chunk: &mut [u8], at: Nanos, out: &mut impl Observer) -> Result<(), Violation>;

    /// Ends the session: whatever was asked and not answered is lost.
    fn end(&mut self, at: Nanos, out: &mut impl Observer);

    /// Whether so much is unanswered that no more may be read from the client for now.
    fn is_full(&self) -> bool;

    /// What the session is at, for those who want to end it without harm.
    fn rest(&self) -> Rest;

    /// Whether a message of ours may go to the client now: the server's last message is complete, and did not end the
    /// session.
    fn at_boundary(&self) -> bool;

    /// Whether the login is complete.
    fn is_logged_in(&self) -> bool;

    /// Whether the client has said goodbye.
    fn is_terminated(&self) -> bool;

    /// The message that cancels a statement, as the server wants it, where the protocol has one.
    fn cancel_request(&self, _key: &CancelKey) -> Vec<u8> {
        Vec::new()
    }

    /// The cancel key, once, when the server has sent it, where the protocol has one.
    fn take_cancel_key(&mut self) -> Option<KeyPair> {
        None
    }

    /// A message that ends the session, in the protocol's own form.
    fn farewell(&self, farewell: Farewell<'_>) -> Vec<u8>;

    /// The same in place of whole messages of the server that the client awaits and does not get.
    fn farewell_for(&self, farewell: Farewell<'_>, _unsaid: &[u8]) -> Vec<u8> {
        self.farewell(farewell)
    }
}

/// What to do with the first bytes of a client; where the server speaks first, with none.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// Not enough yet: read on.
    More,
    /// Forget the first `used` bytes, and send these.
    Reply {
        /// How many bytes are answered by this.
        used: usize,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// Connect to the server, and pass everything on from the first byte.
    Dial,
    /// This is no session but a request to cancel a statement of another.
    Cancel(CancelKey),
    /// Send these (perhaps none) and close.
    Refuse {
        /// The last words.
        bytes: Vec<u8>,
        /// Why, for the log and the event.
        reason: &'static str,
    },
}

/// What a client shows in order to cancel a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelKey {
    /// Process id of the server's backend.
    pub pid: u32,
    /// The secret.
    pub secret: Vec<u8>,
}

/// A session's cancel key: the server's own, and what the client was told in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// What the client was told. The process id is the server's.
    pub ours: CancelKey,
    /// The secret that the server knows.
    pub real: Vec<u8>,
}

/// A frame that the server itself would refuse, or that cannot be the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// How many bytes of the chunk may still go on: up to and with the header of the frame. The peer then refuses it
    /// in its own words; nothing behind it may pass.
    pub pass: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// What a session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Something is unanswered.
    Busy,
    /// Everything is answered, a transaction is open.
    InTransaction,
    /// Everything is answered.
    Idle,
}

/// Why the proxy ends a session by a message of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell<'a> {
    /// The proxy is going down.
    Shutdown,
    /// No new session: the proxy is going down.
    Closing,
    /// The server cannot be reached, or went away.
    Unreachable(&'a str),
    /// No more sessions are allowed.
    TooMany,
    /// Logging in took too long.
    LoginTimeout,
    /// No new session: there is no room for its audit.
    NoAudit,
    /// The session ends: there is no room for its audit.
    AuditFull,
}

/// Caps of what one session may have waiting, in bytes unless said otherwise; and how much is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the text of a statement: what is longer is cut.
    pub sql: usize,
    /// Of a text that may be of several statements: no longer, it is told whole, to be cut into these.
    pub script: usize,
    /// Of all parameters of one execution: of more, long values are cut.
    pub parameters: usize,
    /// Number of questions without an answer.
    pub pending: usize,
    /// Size of the questions without an answer: of those beyond it only the head is kept.
    pub pending_bytes: usize,
    /// Questions are told before they are passed on, by [`Observation::Asked`], and not only with their answers.
    pub tell_asked: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let (sql, script, parameters) = (64 << 10, 4 << 20, 64 << 10);
        Self { sql, script, parameters, pending: 65_536, pending_bytes: 16 << 20, tell_asked: false }
    }
}

impl Limits {
    /// How much is to be kept of a text of this length that may be of several statements.
    pub(crate) fn kept(&self, length: u64) -> usize {
        if length <= self.script as u64 { self.script.max(self.sql) } else { self.sql }
    }

    /// How much is to be told of a text, of which this was kept: all of it, if it is `whole`.
    pub(crate) fn told<'a>(&self, text: &'a [u8], whole: bool) -> &'a [u8] {
        match text.split_at_checked(self.sql) {
            Some((head, [_, ..])) if !(whole && self.is_script(text)) => head,
            _ => text,
        }
    }

    /// Whether a `;` stands in a text other than at its end. In no encoding that clients may speak is it part of a character.
    fn is_script(&self, text: &[u8]) -> bool {
        let trimmed = text.trim_ascii_end();
        let inner = trimmed.strip_suffix(b";").unwrap_or(trimmed);
        text.len() <= self.script && memchr::memchr(b';', inner).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_several_statements_is_told_whole() {
        let limits = Limits { sql: 5, script: 12, ..Limits::default() };
        for (text, told) in
            [("do 1", 4), ("select 1", 5), ("select 1; \n", 5), ("do 1; do 2;", 11), ("select ';'", 10)]
        {
            assert_eq!(limits.told(text.as_bytes(), true).len(), told, "{text}");
        }
        assert_eq!(limits.told(b"do 1; do 2; do 3", false), b"do 1;", "there is more of it");
        assert_eq!([12, 13].map(|length| limits.kept(length)), [12, 5]);
        assert_eq!(Limits { script: 1, ..limits }.kept(1), 5);
    }
}
