//! Why the proxy cannot start. Each says what to do.

use std::{io, net::SocketAddr};

use panoptes_sinks::{StartError, journal};

/// Why the proxy cannot start, or could not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A thread or a runtime could not be started.
    #[error("cannot start a thread: {0}; raise the limits of the process")]
    Start(#[source] io::Error),
    /// The process may not open files enough.
    #[error(
        "the process may have only {may} files open: raise its limit (ulimit -n, LimitNOFILE=) to {least} at least, \
         and to {needed} for what is configured"
    )]
    Files {
        /// How many it may.
        may: u64,
        /// How many it must.
        least: u64,
        /// How many it should, for `limits.max_connections` and `limits.max_pending_logins`.
        needed: u64,
    },
    /// An address could not be bound.
    #[error(
        "cannot listen on {0}: {1}; choose another address in listen.address (or --listen), or end what uses it"
    )]
    Bind(SocketAddr, #[source] io::Error),
    /// The admin address could not be bound.
    #[error("cannot listen on {0}: {1}; choose another address in admin.address (or --admin)")]
    Admin(SocketAddr, #[source] io::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// A sink.
    #[error(transparent)]
    Sink(#[from] StartError),
    /// Metrics that contradict each other: a defect of Panoptes.
    #[error("metrics: {0}; this is a defect of Panoptes")]
    Metrics(#[from] prometheus::Error),
}
