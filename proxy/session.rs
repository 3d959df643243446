//! What is known of a session beside its wire: where it comes from, where it goes, how it ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use panoptes_config::{Mode, Protocol};
use panoptes_event::Uuid;
use panoptes_parser::wire::Nanos;

/// Names a session within this process.
pub(crate) type SessionNumber = u64;

/// A number that no session had before. 0 is none's.
pub(crate) fn next_number() -> SessionNumber {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The database behind a listener.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What statements and answers wait for.
    pub(crate) mode: Mode,
    /// Sessions begin with sql_mode `ANSI_QUOTES` (MySQL).
    pub(crate) ansi_quotes: bool,
}

/// A session that began.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: Uuid,
    pub(crate) client: SocketAddr,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) at: Nanos,
}

/// A request to cancel a statement of another session.
#[derive(Debug)]
pub(crate) struct CancelRequest {
    /// Where the request came from.
    pub(crate) opened: Opened,
    /// The session it aimed at, if its key was right.
    pub(crate) target: Option<Uuid>,
    pub(crate) pid: u32,
    /// Why it could not be passed on.
    pub(crate) failure: Option<String>,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client said goodbye.
    ClientTerminate,
    /// The client went without a word.
    ClientEof,
    /// The server went: after an error of its own, or without a word.
    ServerEof,
    /// Bytes that the peer of their sender would refuse.
    ProtocolError(&'static str),
    /// The client took too long to log in.
    LoginTimeout,
    /// The server could not be reached.
    Unreachable(String),
    /// More sessions than allowed.
    TooMany,
    /// The proxy went down.
    Shutdown,
    /// There was no room in the journal for what it does, and the policy is to fail closed.
    JournalFull,
    /// The client was gone, and the server did not end what it was at before the proxy went down, or went on sending.
    DrainTimeout,
}

impl Ending {
    /// The reason's name in `session.endReason` and in metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::ClientTerminate => "client_terminate",
            Self::ClientEof => "client_eof",
            Self::ServerEof => "server_eof",
            Self::ProtocolError(_) => "protocol_error",
            Self::LoginTimeout => "login_timeout",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::TooMany => "too_many_connections",
            Self::Shutdown => "shutdown",
            Self::JournalFull => "journal_full",
            Self::DrainTimeout => "drain_timeout",
        }
    }

    /// Its error, as the protocol's servers would tell it: a number of their own where they have one, and the SQLSTATE.
    pub(crate) fn error(&self, protocol: Protocol) -> (u16, &'static str) {
        match (protocol, self) {
            (Protocol::Postgres, Self::ProtocolError(_)) => (0, "08P01"),
            (Protocol::Postgres, Self::TooMany) => (0, "53300"),
            (Protocol::Postgres, Self::Shutdown) => (0, "57P01"),
            (Protocol::Postgres, Self::JournalFull) => (0, "57P03"),
            (Protocol::Postgres, _) => (0, "08006"),
            (Protocol::Mysql, Self::ProtocolError(_)) => (1835, "HY000"),
            (Protocol::Mysql, Self::TooMany | Self::JournalFull) => (1040, "08004"),
            (Protocol::Mysql, Self::Shutdown) => (1053, "08S01"),
            (Protocol::Mysql, Self::Unreachable(_)) => (2003, "HY000"),
            (Protocol::Mysql, Self::LoginTimeout) => (1159, "08S01"),
            (Protocol::Mysql, _) => (1158, "08S01"),
        }
    }

    /// What was wrong with it, where nobody has said so; `None` where the client ended it.
    pub(crate) fn fault(&self) -> Option<&str> {
        Some(match self {
            Self::ClientTerminate | Self::ClientEof => return None,
            Self::ProtocolError(reason) => reason,
            Self::Unreachable(reason) => reason,
            Self::ServerEof => "the server closed the connection without a word",
            Self::LoginTimeout => "the login took too long",
            Self::TooMany => "too many connections",
            Self::Shutdown => "the proxy went down",
            Self::JournalFull => "the audit journal was full",
            Self::DrainTimeout => "the client was gone, and the server did not end what it was at",
        })
    }

    /// What more there is to say.
    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::ProtocolError(reason) => Some(reason),
            Self::Unreachable(reason) => Some(reason),
            _ => None,
        }
    }
}
