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
//! | `install.rs` `mapping.rs` | the template and the lifecycle policy, installed on request |

mod bulk;
mod index;
mod install;
mod mapping;

use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{self, HeaderValue},
};
use panoptes_config::{self as config, Compression, Url};

use self::index::Index;
use crate::{
    http::{Answer, Client, Credentials, Later, Reply, Trust, below, compress, deliver},
    sink::{Failure, OptionError, Records, Sink},
};

/// An answer has some hundred bytes for an event, and some thousand for one that is refused.
const MAX_ANSWER: usize = 64 << 20;
/// Of an answer: what became of each event, less what is not asked for.
const BULK: &str = "_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason";

/// The Elasticsearch sink.
pub(crate) struct Elasticsearch {
    client: Client,
    nodes: Vec<Url>,
    /// The node in use.
    node: usize,
    index: Index,
    /// Path and query of a bulk request.
    bulk: String,
    options: config::Elasticsearch,
    trust: Trust,
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
            nodes: options.urls.clone(),
            node: 0,
            index: Index::new(&options.index),
            bulk,
            options: options.clone(),
            trust: Trust::default(),
        })
    }

    async fn post(&mut self, events: &Records<'_>) -> Reply {
        let mut body = Vec::new();
        let places = bulk::write(&self.options, &mut self.index, events, &mut body);
        if places.sent.is_empty() {
            return Reply::Mixed { again: Vec::new(), refused: places.refused, later: Later::default() };
        }
        let path = self.bulk.clone();
        match self.ask(Method::POST, &path, "application/x-ndjson", body).await {
            Ok(answer) => bulk::reply(&answer, places),
            Err(reason) => Reply::Later(Later::new(reason)),
        }
    }

    /// Asks the node in use; one that does not answer, or cannot serve, makes room for the next.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let Some(url) = self.nodes.get(self.node) else { return Err("no node".to_owned()) };
        let uri: Uri = below(url, path, "urls").map_err(|error| error.what)?;
        let node = url.as_str().to_owned();
        let compression = if body.is_empty() { Compression::None } else { self.options.compression };
        let (body, encoding) = compress(compression, body);
        let mut request = Request::new(Full::<Bytes>::new(body.into()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(encoding) = encoding {
            request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
        }
        let answer = self.client.send(request).await;
        if answer.as_ref().map_or(true, |answer| answer.status.is_server_error()) {
            self.node = (self.node + 1) % self.nodes.len().max(1);
        }
        answer.map_err(|reason| format!("{node}: {reason}"))
    }
}

impl Sink for Elasticsearch {
    async fn open(&mut self) -> Result<(), Failure> {
        install::open(self).await
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let trust = self.trust.clone();
        deliver(batch, batch.len(), trust, async |part: Records<'_>| self.post(&part).await).await
    }
}
