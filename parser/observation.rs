//! What was seen on a wire: questions with their answers, and what else tells of a session.

use crate::wire::Nanos;

/// Told what a [`Wire`](crate::wire::Wire) saw.
pub trait Observer {
    /// Takes one observation; its bytes are gone afterwards.
    fn observe(&mut self, observation: Observation<&[u8]>);
}

impl<F: FnMut(Observation<&[u8]>)> Observer for F {
    fn observe(&mut self, observation: Observation<&[u8]>) {
        self(observation);
    }
}

/// Something seen on the wire. `B` is how bytes are held: borrowed from the wire, or a place in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation<B> {
    /// The client's first message, or a new login within a session: until that is complete, and where it fails, the
    /// one before it stands.
    Startup {
        /// The parameters, less any proof of who the client is: `postgres::pairs` or `mysql::Login` read them.
        parameters: B,
    },
    /// How the server wants the login to be proved.
    Authentication {
        /// The method's name, lower case.
        method: &'static str,
    },
    /// The server's process for this session.
    Backend {
        /// Process or thread id.
        pid: u32,
    },
    /// The login is complete.
    LoggedIn {
        /// When.
        at: Nanos,
    },
    /// The login was refused.
    LoginFailed {
        /// When.
        at: Nanos,
        /// The server's words.
        failure: Failure<B>,
    },
    /// A session parameter, as the server reports it.
    Parameter {
        /// Name.
        name: B,
        /// Value.
        value: B,
    },
    /// A question, before it is passed on: where [`Limits::tell_asked`](crate::wire::Limits::tell_asked) wants it, and of
    /// those that say what will run. Its texts and values are those that the question is settled with.
    Asked {
        /// What is asked.
        ask: Ask<B>,
        /// When its first byte came, as [`Settled::asked`] will say.
        at: Nanos,
    },
    /// A question and its answer.
    Settled(Settled<B>),
    /// The parameter types of a prepared statement, as the server sees them.
    Described {
        /// The statement's name.
        statement: B,
        /// Encoded as the protocol does.
        types: B,
    },
    /// What the client said about the question that is settled next: names and values, as the protocol encodes them.
    Attributes {
        /// The encoded attributes.
        attributes: B,
    },
    /// The server asked for a file of the client, for the sake of the question that is settled next.
    File {
        /// Its name.
        name: B,
    },
    /// The question that is settled next began a stream in both directions, which is over: how much passed of it.
    Streamed {
        /// Bytes that the server sent.
        returned: u64,
        /// Bytes that the client sent.
        sent: u64,
    },
    /// The answer to the question that is settled next broke off, by an error or with the link: what had come of it.
    BrokeOff {
        /// Rows.
        rows: u64,
        /// Their size, or that of COPY data, in bytes.
        bytes: u64,
    },
    /// The text of the question that is told next is longer than what is told of a statement.
    Hashed {
        /// Of the whole text, as it was sent: a [`Digest`](crate::wire::Digest).
        sha256: B,
    },
    /// What had completed since the last `Ready` was undone when it was to be committed.
    CommitFailed(Failure<B>),
    /// The session's transaction behind what was settled last, where the same question has more answers to come.
    Turned(TransactionStatus),
    /// The server is ready for the next question.
    Ready(TransactionStatus),
    /// The server ended the session on its own.
    Ended(Failure<B>),
    /// From here on not everything can be told.
    Blind {
        /// Why.
        reason: &'static str,
    },
    /// The session is over.
    Closed {
        /// Whether the client had asked for a commit (or sent a statement) that was never answered.
        unanswered: bool,
    },
}

/// A question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled<B> {
    /// What was asked.
    pub ask: Ask<B>,
    /// What came of it.
    pub answer: Answer<B>,
    /// When the first byte of the question came from the client.
    pub asked: Nanos,
    /// When the last byte of the answer came from the server.
    pub answered: Nanos,
    /// How many warnings came with the answer.
    pub warnings: u32,
}

/// What a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<B> {
    /// The next statement of a text. One text has as many answers as it has statements.
    Query {
        /// The text, cut at its cap; with the first answer only.
        text: Option<B>,
        /// Its whole length in bytes.
        length: u64,
    },
    /// Prepare a statement.
    Parse {
        /// Name; empty for the unnamed one. Where the server numbers statements, the number as it is sent.
        statement: B,
        /// The text, cut at its cap.
        text: B,
        /// Its whole length in bytes, where it is known to have been cut.
        length: u64,
        /// Types of parameters that the client gave, encoded as the protocol does.
        types: B,
    },
    /// Make a portal of a prepared statement and its parameters.
    Bind {
        /// Name of the portal.
        portal: B,
        /// Name of the statement.
        statement: B,
        /// Formats and values, encoded as the protocol does; beyond their cap shortened, in the form that
        /// [`Parameters`](crate::postgres::values::Parameters) reads.
        parameters: B,
        /// Their whole length in bytes.
        length: u64,
    },
    /// Describe a statement or a portal. Told only where it failed.
    Describe {
        /// Which of both.
        target: Target,
        /// Its name.
        name: B,
    },
    /// Run a portal.
    Execute {
        /// Its name.
        portal: B,
    },
    /// Run a prepared statement with its parameters. It may have several answers.
    Run {
        /// Its name.
        statement: B,
        /// Types and values, encoded as the protocol does; with the first answer only. Beyond their cap they are shortened,
        /// in the form that [`Parameters`](crate::mysql::values::Parameters) and
        /// [`BulkParameters`](crate::mysql::values::BulkParameters) read.
        parameters: Option<B>,
        /// Their whole length in bytes.
        length: u64,
        /// Whether there are many rows of parameters.
        bulk: bool,
        /// Whether parameters may have names.
        named: bool,
    },
    /// Add to one parameter of a prepared statement, for its next run.
    Append {
        /// The statement's name.
        statement: B,
        /// The parameter's place, from 0.
        parameter: u16,
        /// What is added, cut at the cap of parameters.
        data: B,
        /// Its whole length in bytes.
        length: u64,
    },
    /// Give more rows of a prepared statement that was run.
    Fetch {
        /// Its name.
        statement: B,
    },
    /// Forget what was added to a prepared statement's parameters, and the rows that it still has.
    Reset {
        /// Its name.
        statement: B,
    },
    /// Forget a statement or a portal.
    Close {
        /// Which of both.
        target: Target,
        /// Its name.
        name: B,
    },
    /// A command that carries no SQL.
    Command {
        /// The protocol's name of it.
        name: &'static str,
        /// The number of the object that it is about: a function's OID, a session's id.
        object: Option<u32>,
        /// The name of what it is about: a schema, a table; else empty.
        argument: B,
    },
    /// Something that cannot be read: the server refuses it as well.
    Malformed,
}

/// What has a name in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<B> {
    /// Done.
    Complete {
        /// The server's own word for it: the command tag.
        tag: B,
        /// Rows that were seen passing.
        rows: u64,
        /// Their size on the wire, with that of COPY data.
        bytes: u64,
        /// Size of the COPY data that the client sent.
        sent: u64,
    },
    /// Done, without rows.
    Affected {
        /// Rows that the server says were changed.
        rows: u64,
        /// The first number that it gave to a new row; 0 for none.
        insert_id: u64,
        /// Size of the file that the client sent.
        sent: u64,
        /// The server's remark.
        info: B,
    },
    /// Done, with rows.
    Returned {
        /// Rows that were seen passing, but for one of OUT parameters.
        rows: u64,
        /// Their size on the wire.
        bytes: u64,
    },
    /// The statement is prepared.
    Prepared {
        /// How many parameters it has.
        parameters: u16,
    },
    /// Some rows came, more are to be had.
    Suspended {
        /// Rows that were seen passing.
        rows: u64,
        /// Their size on the wire.
        bytes: u64,
    },
    /// A stream (replication). Where [`Observation::Streamed`] came before it, it is over; else it ends with the session or
    /// at the next `Ready`.
    Streaming,
    /// There was nothing to do.
    Empty,
    /// Refused.
    Failed(Failure<B>),
    /// Never run: something before it failed.
    Skipped,
    /// No answer came.
    Lost,
}

/// The server's words on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<B> {
    /// SQLSTATE.
    pub sql_state: B,
    /// The message.
    pub message: B,
    /// Where in the text, in characters from 1; 0 where it was not said.
    pub position: u32,
    /// The server's own number of the error; 0 where it has none.
    pub code: u16,
    /// Whether it ends the session.
    pub fatal: bool,
}

/// A session's transaction, as the server reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// None.
    Idle,
    /// One is open.
    Active,
    /// One is open and has failed.
    Failed,
}

impl<B> Observation<B> {
    /// The same with its bytes held in another way.
    pub fn map<C>(self, mut f: impl FnMut(B) -> C) -> Observation<C> {
        match self {
            Self::Startup { parameters } => Observation::Startup { parameters: f(parameters) },
            Self::Authentication { method } => Observation::Authentication { method },
            Self::Backend { pid } => Observation::Backend { pid },
            Self::LoggedIn { at } => Observation::LoggedIn { at },
            Self::LoginFailed { at, failure } => Observation::LoginFailed { at, failure: failure.map(f) },
            Self::Parameter { name, value } => Observation::Parameter { name: f(name), value: f(value) },
            Self::Asked { ask, at } => Observation::Asked { ask: ask.map(&mut f), at },
            Self::Settled(settled) => Observation::Settled(settled.map(f)),
            Self::Described { statement, types } => {
                Observation::Described { statement: f(statement), types: f(types) }
            }
            Self::CommitFailed(failure) => Observation::CommitFailed(failure.map(f)),
            Self::Attributes { attributes } => Observation::Attributes { attributes: f(attributes) },
            Self::File { name } => Observation::File { name: f(name) },
            Self::Hashed { sha256 } => Observation::Hashed { sha256: f(sha256) },
            Self::Streamed { returned, sent } => Observation::Streamed { returned, sent },
            Self::BrokeOff { rows, bytes } => Observation::BrokeOff { rows, bytes },
            Self::Turned(status) => Observation::Turned(status),
            Self::Ready(status) => Observation::Ready(status),
            Self::Ended(failure) => Observation::Ended(failure.map(f)),
            Self::Blind { reason } => Observation::Blind { reason },
            Self::Closed { unanswered } => Observation::Closed { unanswered },
        }
    }
}

impl<B> Settled<B> {
    fn map<C>(self, mut f: impl FnMut(B) -> C) -> Settled<C> {
        let ask = self.ask.map(&mut f);
        let answer = match self.answer {
            Answer::Complete { tag, rows, bytes, sent } => {
                Answer::Complete { tag: f(tag), rows, bytes, sent }
            }
            Answer::Affected { rows, insert_id, sent, info } => {
                Answer::Affected { rows, insert_id, sent, info: f(info) }
            }
            Answer::Returned { rows, bytes } => Answer::Returned { rows, bytes },
            Answer::Prepared { parameters } => Answer::Prepared { parameters },
            Answer::Suspended { rows, bytes } => Answer::Suspended { rows, bytes },
            Answer::Streaming => Answer::Streaming,
            Answer::Empty => Answer::Empty,
            Answer::Failed(failure) => Answer::Failed(failure.map(f)),
            Answer::Skipped => Answer::Skipped,
            Answer::Lost => Answer::Lost,
        };
        Settled { ask, answer, asked: self.asked, answered: self.answered, warnings: self.warnings }
    }
}

impl<B> Ask<B> {
    /// Whether the server may begin to run a statement because of it.
    pub fn runs(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::Execute { .. } | Self::Run { .. } | Self::Command { .. })
    }

    /// Whether it says what will run, before it does.
    pub(crate) fn is_told_ahead(&self) -> bool {
        self.runs() || matches!(self, Self::Parse { .. } | Self::Bind { .. })
    }

    fn map<C>(self, f: &mut impl FnMut(B) -> C) -> Ask<C> {
        match self {
            Self::Query { text, length } => Ask::Query { text: text.map(f), length },
            Self::Parse { statement, text, length, types } => {
                Ask::Parse { statement: f(statement), text: f(text), length, types: f(types) }
            }
            Self::Bind { portal, statement, parameters, length } => {
                Ask::Bind { portal: f(portal), statement: f(statement), parameters: f(parameters), length }
            }
            Self::Describe { target, name } => Ask::Describe { target, name: f(name) },
            Self::Execute { portal } => Ask::Execute { portal: f(portal) },
            Self::Run { statement, parameters, length, bulk, named } => {
                let (statement, parameters) = (f(statement), parameters.map(f));
                Ask::Run { statement, parameters, length, bulk, named }
            }
            Self::Append { statement, parameter, data, length } => {
                Ask::Append { statement: f(statement), parameter, data: f(data), length }
            }
            Self::Fetch { statement } => Ask::Fetch { statement: f(statement) },
            Self::Reset { statement } => Ask::Reset { statement: f(statement) },
            Self::Close { target, name } => Ask::Close { target, name: f(name) },
            Self::Command { name, object, argument } => Ask::Command { name, object, argument: f(argument) },
            Self::Malformed => Ask::Malformed,
        }
    }
}

impl<B> Failure<B> {
    fn map<C>(self, mut f: impl FnMut(B) -> C) -> Failure<C> {
        Failure {
            sql_state: f(self.sql_state),
            message: f(self.message),
            position: self.position,
            code: self.code,
            fatal: self.fatal,
        }
    }
}
