//! Elasticsearch and OpenSearch.

use std::time::Duration;

use serde::Deserialize;

use super::{Auth, Compression, Format, Tls, http::TIMEOUT};
use crate::{
    size::ByteSize,
    value::{self, Url},
};

/// Events to Elasticsearch or OpenSearch, by `_bulk`, each created under its own id, so that a repeat changes nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Elasticsearch {
    /// The nodes: `["https://es-1.internal:9200", …]`. At least one must be given; each has its turn, and one that
    /// fails is set aside for a while.
    pub urls: Vec<Url>,
    /// The index, or the data stream. `%Y`, `%m`, `%d` and `%H` are those of the event's own time, in UTC. Default
    /// `panoptes-audit-%Y.%m.%d`.
    #[serde(deserialize_with = "value::text")]
    pub index: String,
    /// Whether `index` is a data stream, which has no date in its name. After its rollover a repeated event is no
    /// longer recognised; with dated indices it always is. Default false.
    #[serde(deserialize_with = "value::flag")]
    pub data_stream: bool,
    /// An ingest pipeline. Default: that of the index.
    #[serde(deserialize_with = "value::optional_text")]
    pub pipeline: Option<String>,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// How it proves who it is.
    pub auth: Auth,
    /// What is installed at the start.
    pub install: Install,
    /// How bodies are compressed: none or gzip. Default none.
    #[serde(deserialize_with = "value::choice")]
    pub compression: Compression,
    /// From connecting to the last byte of the answer. Default 30 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// Requests under way at once. The events of one session stay in order. Default 2.
    #[serde(deserialize_with = "value::count")]
    pub concurrency: usize,
    /// TLS.
    pub tls: Tls,
}

/// What is installed on the cluster at the start. Needs the right to manage templates and policies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Install {
    /// The index template: dates as dates, names as keywords, SQL as text, for all indices of that name, with anything for
    /// each part of the date. Replaces the one of that name. Default false.
    #[serde(deserialize_with = "value::flag")]
    pub template: bool,
    /// Copies of each shard. Default 1.
    #[serde(deserialize_with = "value::count")]
    pub replicas: usize,
    /// The age at which indices are deleted, by a lifecycle policy (ILM; ISM on OpenSearch). Default: never.
    #[serde(deserialize_with = "value::optional_duration")]
    pub delete_after: Option<Duration>,
    /// The age at which a data stream begins a new index, where there is a policy. Default 1 day.
    #[serde(deserialize_with = "value::duration")]
    pub rollover_after: Duration,
    /// The size of its largest shard at which it does. Default 50 GiB.
    pub rollover_size: ByteSize,
}

impl Default for Elasticsearch {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            index: "panoptes-audit-%Y.%m.%d".to_owned(),
            data_stream: false,
            pipeline: None,
            format: Format::default(),
            auth: Auth::default(),
            install: Install::default(),
            compression: Compression::default(),
            timeout: TIMEOUT * 6,
            concurrency: 2,
            tls: Tls::default(),
        }
    }
}

impl Default for Install {
    fn default() -> Self {
        Self {
            template: false,
            replicas: 1,
            delete_after: None,
            rollover_after: Duration::from_secs(24 * 60 * 60),
            rollover_size: ByteSize::mib(50 * 1024),
        }
    }
}
