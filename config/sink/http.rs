//! Sinks that speak HTTP: any collector, and Splunk's.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::{Auth, Format, Secret, Tls};
use crate::value::{self, Url};

/// Events to an HTTP endpoint, by POST. What is not answered with 2xx comes again. An event that is answered with 400, 413
/// or 422 goes to the dead letters once another one was taken and it is refused again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where to: `https://collector.internal/audit`. Must be given.
    pub url: Url,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// How events lie in a body. Default lines.
    #[serde(deserialize_with = "value::choice")]
    pub body: HttpBody,
    /// Further headers. Their values are not shown in any log.
    pub headers: BTreeMap<String, Secret>,
    /// How it proves who it is.
    pub auth: Auth,
    /// How bodies are compressed. Default none.
    #[serde(deserialize_with = "value::choice")]
    pub compression: Compression,
    /// The header with a key that is the same when the same events come again; empty for none. Default
    /// `Idempotency-Key`.
    #[serde(deserialize_with = "value::text")]
    pub idempotency_header: String,
    /// From connecting to the last byte of the answer. Default 5 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// Requests under way at once. The events of one session stay in order. Default 1.
    #[serde(deserialize_with = "value::count")]
    pub concurrency: usize,
    /// TLS.
    pub tls: Tls,
}

/// How events lie in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// One JSON object a line.
    #[default]
    Lines,
    /// A JSON array.
    Array,
    /// One event a request.
    Event,
}

/// How bodies or old files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Events to Splunk's HTTP Event Collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Splunk {
    /// The collector, without `/services/collector`: `https://splunk.internal:8088`. Must be given.
    pub url: Url,
    /// The collector's token. This or `token_file` must be given.
    pub token: Option<Secret>,
    /// The file with it.
    pub token_file: Option<std::path::PathBuf>,
    /// The index. Default: the token's.
    #[serde(deserialize_with = "value::optional_text")]
    pub index: Option<String>,
    /// The source. Default `panoptes`.
    #[serde(deserialize_with = "value::text")]
    pub source: String,
    /// The source type. Default `panoptes:audit`.
    #[serde(deserialize_with = "value::text")]
    pub sourcetype: String,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// Whether to wait until the indexers have the events. The token must have indexer acknowledgement on. Default
    /// false.
    #[serde(deserialize_with = "value::flag")]
    pub acknowledge: bool,
    /// How long to wait for that before the events are sent again. Default 1 min.
    #[serde(deserialize_with = "value::duration")]
    pub acknowledge_timeout: Duration,
    /// How bodies are compressed: none or gzip. Default none.
    #[serde(deserialize_with = "value::choice")]
    pub compression: Compression,
    /// From connecting to the last byte of the answer. Default 5 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// Requests under way at once. The events of one session stay in order. Default 1.
    #[serde(deserialize_with = "value::count")]
    pub concurrency: usize,
    /// TLS.
    pub tls: Tls,
}

/// The default of `timeout`.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

impl Default for Http {
    fn default() -> Self {
        Self {
            url: Url::default(),
            format: Format::default(),
            body: HttpBody::default(),
            headers: BTreeMap::new(),
            auth: Auth::default(),
            compression: Compression::default(),
            idempotency_header: "Idempotency-Key".to_owned(),
            timeout: TIMEOUT,
            concurrency: 1,
            tls: Tls::default(),
        }
    }
}

impl Default for Splunk {
    fn default() -> Self {
        Self {
            url: Url::default(),
            token: None,
            token_file: None,
            index: None,
            source: "panoptes".to_owned(),
            sourcetype: "panoptes:audit".to_owned(),
            format: Format::default(),
            acknowledge: false,
            acknowledge_timeout: Duration::from_secs(60),
            compression: Compression::default(),
            timeout: TIMEOUT,
            concurrency: 1,
            tls: Tls::default(),
        }
    }
}
