//! Events to any HTTP endpoint, by POST.
//!
//! | file | what |
//! |---|---|
//! | `client.rs` `credentials.rs` | requests with a time limit, bounded answers, who the client is |
//! | `body.rs` | how events lie in a body, how it is compressed, its idempotency key |
//! | `splunk.rs` | Splunk's HTTP Event Collector |
//!
//! What an answer means: 2xx is delivery. 400, 413 and 422 may be about what was sent: the driver finds out whether an event
//! is at fault. All else is about the request, the destination or the moment, as is whatever comes with a `Retry-After`
//! (RFC 9110, 15.5.14): it is tried again until someone has mended it.

mod body;
mod client;
mod credentials;
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
        })
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
        let mut body = Vec::new();
        let refused = body::write(self.layout, self.format, batch, &mut body);
        if refused.len() < batch.len() {
            let request = self.request(batch, body);
            let answer = self.client.send_for_status(request).await.map_err(Failure::retry)?;
            verdict(answer)?;
        }
        Failure::partial(Vec::new(), refused, None)
    }

    fn at_once(&self) -> usize {
        if self.layout == HttpBody::Event { 1 } else { usize::MAX }
    }
}

/// What an answer means to the events that it is for.
fn verdict(answer: Answer) -> Result<(), Failure> {
    /// What can be about an event: its form, its size, its values. 415 and the like are about the request.
    const ABOUT_EVENTS: [StatusCode; 3] =
        [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
    match answer.status {
        status if status.is_success() => Ok(()),
        status if ABOUT_EVENTS.contains(&status) => Err(answer.into_refusal()),
        _ => Err(answer.into_retry()),
    }
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        time::Duration,
    };

    use super::*;

    fn failure(status: u16, retry_after: Option<u64>) -> Option<Failure> {
        let status = StatusCode::from_u16(status).unwrap();
        let retry_after = retry_after.map(Duration::from_secs);
        verdict(Answer { status, retry_after, body: b"why\n so".to_vec(), asked: Default::default() }).err()
    }

    #[test]
    fn only_what_can_be_about_an_event_is_a_refusal() {
        for status in 300..600 {
            match (status, failure(status, None)) {
                (400 | 413 | 422, Some(Failure::Refused { reason })) => assert!(reason.ends_with(": why so")),
                (_, Some(Failure::Retry { after: None, .. })) => {
                    assert!(![400, 413, 422].contains(&status), "{status}");
                }
                (status, other) => panic!("{status}: {other:?}"),
            }
            // What is over after a while is about the moment.
            let Some(Failure::Retry { after, .. }) = failure(status, Some(7)) else { panic!("{status}") };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
        assert_eq!((failure(204, None), failure(200, Some(7))), (None, None));
    }

    #[test]
    fn an_answer_that_does_not_end_counts_by_its_status() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let options = config::Http {
            url: format!("http://{}/", server.local_addr().unwrap()).as_str().try_into().unwrap(),
            timeout: Duration::from_secs(1),
            ..config::Http::default()
        };
        let serve = std::thread::spawn(move || {
            ["200 OK", "503 Busy"].map(|status| {
                let (mut stream, _) = server.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"{\"seq\":1}\n") {
                    let mut block = [0; 1024];
                    let read = stream.read(&mut block).unwrap();
                    assert!(read > 0, "the whole request");
                    request.extend_from_slice(&block[..read]);
                }
                let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                stream
            })
        });
        let json = br#"{"seq":1}"#;
        let span = crate::journal::Span::whole(1, json);
        let mut sink = Http::new(&options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut deliver = || runtime.block_on(sink.deliver(&Records::new(json, &[span])));
        assert_eq!(deliver(), Ok(()));
        let Err(Failure::Retry { reason, .. }) = deliver() else { panic!("503 is no delivery") };
        assert!(reason.contains("503 ") && reason.ends_with(": why"), "{reason}");
        assert_eq!(serve.join().unwrap().len(), 2, "a connection each");
    }
}
