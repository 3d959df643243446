//! Events to any HTTP endpoint, by POST.
//!
//! | file | what |
//! |---|---|
//! | `client.rs` `credentials.rs` | requests with a time limit, bounded answers, who the client is |
//! | `body.rs` | how events lie in a body, how it is compressed, its idempotency key |
//! | `parts.rs` | a batch that is refused is halved until the events at fault are found |
//! | `splunk.rs` | Splunk's HTTP Event Collector |
//!
//! What an answer means: 2xx is delivery. 400, 413, 415, 422 and the like can only be about the events: the one at fault
//! goes to the dead letters, once the destination has taken any. All else (no answer, 5xx, 429, redirects, and 401, 403, 404, 405, 407, which are about
//! the configuration) is tried again until someone has mended it.

mod body;
mod client;
mod credentials;
mod parts;
mod splunk;

use http_body_util::Full;
use hyper::{
    HeaderMap, Request, StatusCode, Uri,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use panoptes_config::{self as config, Compression, Format, HttpBody};

pub(crate) use self::{
    body::compress,
    client::{Answer, Client, below},
    credentials::Credentials,
    parts::{Later, Reply, Trust, deliver},
    splunk::Splunk,
};
use crate::sink::{Failure, OptionError, Records, Sink};

/// Of an answer only its status counts; the rest is for people.
const MAX_ANSWER: usize = 16 << 10;

/// The HTTP sink.
pub(crate) struct Http {
    client: Client,
    uri: Uri,
    format: Format,
    layout: HttpBody,
    compression: Compression,
    headers: HeaderMap,
    idempotency_header: Option<HeaderName>,
    trust: Trust,
}

impl Http {
    pub(crate) fn new(options: &config::Http) -> Result<Self, OptionError> {
        let uri = client::uri(&options.url, "url")?;
        let https = uri.scheme_str() == Some("https");
        let credentials = Credentials::new(&options.auth)?;
        let idempotency_header = match options.idempotency_header.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|error| OptionError::new("idempotency_header", error))?),
        };
        Ok(Self {
            client: Client::new(&options.tls, https, credentials, options.timeout, MAX_ANSWER)?,
            uri,
            format: options.format,
            layout: options.body,
            compression: options.compression,
            headers: headers(options)?,
            idempotency_header,
            trust: Trust::default(),
        })
    }

    async fn post(&mut self, events: &Records<'_>) -> Reply {
        let mut body = Vec::new();
        let refused = body::write(self.layout, self.format, events, &mut body);
        if refused.len() == events.len() {
            return Reply::Mixed { again: Vec::new(), refused, later: Later::default() };
        }
        let answer = match self.client.send(self.request(events, body)).await {
            Ok(answer) => reply(&answer),
            Err(reason) => Reply::Later(Later::new(reason)),
        };
        match answer {
            Reply::Taken if !refused.is_empty() => {
                Reply::Mixed { again: Vec::new(), refused, later: Later::default() }
            }
            answer => answer,
        }
    }

    fn request(&self, events: &Records<'_>, body: Vec<u8>) -> Request<Full<Bytes>> {
        let (body, encoding) = compress(self.compression, body);
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, encoding);
        }
        let key = self.idempotency_header.clone().zip(body::idempotency_key(events).try_into().ok());
        if let Some((name, key)) = key {
            headers.insert::<HeaderName>(name, key);
        }
        request
    }
}

impl Sink for Http {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let size = if self.layout == HttpBody::Event { 1 } else { batch.len() };
        let trust = self.trust.clone();
        deliver(batch, size, trust, async |part: Records<'_>| self.post(&part).await).await
    }
}

/// What an answer means to the events that it is for.
fn reply(answer: &Answer) -> Reply {
    match answer.status {
        status if status.is_success() => Reply::Taken,
        status if is_about_events(status) => Reply::Refused(answer.describe()),
        _ => Reply::Later(Later { reason: answer.describe(), after: answer.retry_after }),
    }
}

/// Whether a status can only be about what was sent, not about the destination or the configuration.
fn is_about_events(status: StatusCode) -> bool {
    let of_others = [
        StatusCode::UNAUTHORIZED,
        StatusCode::PAYMENT_REQUIRED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::GONE,
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::LOCKED,
        StatusCode::TOO_EARLY,
        StatusCode::UPGRADE_REQUIRED,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
    ];
    status.is_client_error() && !of_others.contains(&status)
}

fn headers(options: &config::Http) -> Result<HeaderMap, OptionError> {
    let mut headers = HeaderMap::new();
    let content_type = body::content_type(options.body, options.format);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in &options.headers {
        let option = format!("headers.{name}");
        let name: HeaderName = name.parse().map_err(|error| OptionError::new(&option, error))?;
        let mut value: HeaderValue =
            value.reveal().parse().map_err(|error| OptionError::new(&option, error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}
