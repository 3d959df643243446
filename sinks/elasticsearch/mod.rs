//! Events to Elasticsearch or OpenSearch, by `_bulk`.
//!
//! Each event is created under its own id: one that is there already (409) is delivered. What a node refuses for now
//! (429, 5xx, blocked indices, missing rights) comes again, alone; what it can never take (a mapping that does not fit)
//! goes to the dead letters.
//!
//! | file | what |
//! |---|---|
//! | `bulk.rs` | the body of a bulk request, and what its answer says of each event |
//! | `index.rs` | the index of an event, by its own time |
//! | `nodes.rs` | the nodes of the cluster, each in its turn |
//! | `install.rs` `mapping.rs` `policy.rs` | the template and the lifecycle policy, installed on request |

mod bulk;
mod index;
mod install;
mod mapping;
mod nodes;
mod policy;

use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{self, HeaderValue},
};
use panoptes_config::{self as config, Compression};
use tokio::time::Instant;

use self::{index::Index, nodes::Nodes};
use crate::{
    http::{Answer, Client, Credentials, below, compress},
    sink::{Failure, OptionError, Records, Sink},
};

/// An answer has some hundred bytes for an event, and some thousand for one that is refused.
const MAX_ANSWER: usize = 64 << 20;
/// Of an answer: what became of each event, less what is not asked for.
const BULK: &str = "_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason";

/// The Elasticsearch sink.
pub(crate) struct Elasticsearch {
    client: Client,
    nodes: Nodes,
    index: Index,
    /// Path and query of a bulk request.
    bulk: String,
    options: config::Elasticsearch,
}

impl Elasticsearch {
    pub(crate) fn new(options: &config::Elasticsearch) -> Result<Self, OptionError> {
        let https = options.urls.iter().any(|url| url.as_str().starts_with("https"));
        let credentials = Credentials::new(&options.auth)?;
        let pipeline = options.pipeline.as_ref().map(|name| format!("&pipeline={name}")).unwrap_or_default();
        let bulk = format!("{BULK}{pipeline}");
        for url in &options.urls {
            below(url, &bulk, "urls")?;
        }
        Ok(Self {
            client: Client::new(&options.tls, https, credentials, options.timeout, MAX_ANSWER)?,
            nodes: Nodes::new(&options.urls),
            index: Index::new(&options.index),
            bulk,
            options: options.clone(),
        })
    }

    /// Asks a node; where it does not answer, or cannot serve, the next one, each once. What one of them may have done and
    /// not told is no harm: an event that is there already is not created again.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let compression = if body.is_empty() { Compression::None } else { self.options.compression };
        let (body, encoding) = compress(compression, body);
        let body = Bytes::from(body);
        let mut last = Err("no node".to_owned());
        for _ in 0..self.nodes.len() {
            let Some((place, url)) = self.nodes.next(Instant::now()) else { break };
            let uri: Uri = below(url, path, "urls").map_err(|error| error.what)?;
            let node = url.authority().to_owned();
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri;
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            if let Some(encoding) = encoding.clone() {
                request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
            }
            last = self.client.send(request).await.map_err(|reason| format!("{node}: {reason}"));
            if last.as_ref().is_ok_and(|answer| !answer.status.is_server_error()) {
                self.nodes.answered(place);
                break;
            }
            self.nodes.failed(place, Instant::now());
        }
        last
    }
}

impl Sink for Elasticsearch {
    async fn open(&mut self) -> Result<(), Failure> {
        install::open(self).await
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let mut body = Vec::new();
        let places = bulk::write(&self.options, &mut self.index, batch, &mut body);
        if places.sent.is_empty() {
            return Failure::partial(Vec::new(), places.refused, None);
        }
        let path = self.bulk.clone();
        let answer = self.ask(Method::POST, &path, "application/x-ndjson", body).await;
        bulk::verdict(answer.map_err(Failure::retry)?, places, &mut self.index, batch)
    }
}
