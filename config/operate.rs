//! Watching Panoptes itself: the admin endpoint and the log.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::value;

/// The HTTP endpoint with `/metrics`, `/healthz` and `/readyz`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens. Default: nowhere, the endpoint is off.
    #[serde(deserialize_with = "value::optional_address")]
    pub address: Option<SocketAddr>,
}

/// The program's own log, on standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks. Default text.
    #[serde(deserialize_with = "value::choice")]
    pub format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`: `info`, `panoptes=debug,warn`. Default info.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".to_owned() }
    }
}
