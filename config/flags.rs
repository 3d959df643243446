//! What the command line may say; it goes before everything else.

use std::{net::SocketAddr, path::PathBuf};

use crate::operate::LogFormat;

/// The flags of `panoptes run` and `panoptes check` that stand for an option.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`: the address of the only listener.
    pub listen: Option<SocketAddr>,
    /// `--upstream`: the database behind the only listener, as a URL.
    pub upstream: Option<String>,
    /// `--journal`: `journal.dir`.
    pub journal: Option<PathBuf>,
    /// `--admin`: `admin.address`.
    pub admin: Option<SocketAddr>,
    /// `--sink`, repeated: `console`, `console=FORMAT` or `file=PATH`; each is added to the configured sinks or
    /// changes the one of that name.
    pub sinks: Vec<String>,
    /// `--log-format`: `log.format`.
    pub log_format: Option<LogFormat>,
}
