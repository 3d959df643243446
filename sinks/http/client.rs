//! Requests with a time limit and bounded answers.
//!
//! The client is hyper-util's, which the HTTP endpoint of this program stands on already: pooled connections, HTTP/1.1,
//! TLS by hyper-rustls; and nothing that would go on behind a sink's back: no redirects, no cookies, no proxies taken
//! from the environment.

use std::{error::Error, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use panoptes_config as config;
use tokio::time::{Instant, timeout_at};

use super::credentials::Credentials;
use crate::{
    sink::{Failure, OptionError},
    tls,
};

const USER_AGENT: &str = concat!("panoptes/", env!("CARGO_PKG_VERSION"));
/// Of an answer, what is shown in an error.
const MAX_SHOWN: usize = 300;

/// So short no part of an address is a secret.
const SECRET: usize = 5;

/// A client of one destination.
pub(crate) struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    credentials: Credentials,
    timeout: Duration,
    /// What is read of an answer, in bytes.
    max_answer: usize,
}

/// What a destination answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long it asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Its first bytes.
    pub(crate) body: Vec<u8>,
    /// Where it was sent: servers say that back in their error pages, and there may be a token in it.
    pub(crate) asked: Uri,
}

impl Client {
    /// `https` says whether any URL needs TLS.
    pub(crate) fn new(
        tls: &config::Tls,
        https: bool,
        credentials: Credentials,
        timeout: Duration,
        max_answer: usize,
    ) -> Result<Self, OptionError> {
        let tls = if https { tls::client(tls)? } else { tls::none()? };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let inner = legacy::Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp));
        Ok(Self { inner, credentials, timeout, max_answer })
    }

    /// Sends a request; an error says why there is no answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        match self.exchange(request).await? {
            (answer, true) => Ok(answer),
            (_, false) => Err(format!("no end of the answer within {:?}", self.timeout)),
        }
    }

    /// The same where only the status counts: an answer may come to no end.
    pub(crate) async fn send_for_status(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        self.exchange(request).await.map(|(answer, _)| answer)
    }

    /// The answer, and whether it came to its end, or as far as it is read, in time.
    async fn exchange(&mut self, mut request: Request<Full<Bytes>>) -> Result<(Answer, bool), String> {
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(value) = self.credentials.header()? {
            headers.insert(header::AUTHORIZATION, value);
        }
        let (until, asked) = (Instant::now() + self.timeout, request.uri().clone());
        let answer = timeout_at(until, self.inner.request(request))
            .await
            .map_err(|_| format!("no answer within {:?}", self.timeout))?
            .map_err(|error| chain(&error))?;
        let (head, incoming) = answer.into_parts();
        let mut body = Vec::new();
        let read = timeout_at(until, first_bytes(incoming, self.max_answer, &mut body)).await;
        let is_whole = read.is_ok();
        read.unwrap_or(Ok(()))?;
        let answer = Answer { status: head.status, retry_after: retry_after(&head.headers), body, asked };
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // What a file says may have changed since.
            self.credentials.forget();
        }
        Ok((answer, is_whole))
    }
}

impl Answer {
    /// It refuses what was sent; with a time to wait, just for now.
    pub(crate) fn into_refusal(self) -> Failure {
        match self.retry_after {
            None => Failure::Refused { reason: self.describe() },
            Some(_) => self.into_retry(),
        }
    }

    /// It is to be asked again.
    pub(crate) fn into_retry(self) -> Failure {
        Failure::Retry { reason: self.describe(), after: self.retry_after }
    }

    /// Status and the first words, for an error.
    pub(crate) fn describe(&self) -> String {
        let text = without_address(&String::from_utf8_lossy(&self.body), &self.asked);
        let shown: String =
            text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SHOWN).collect();
        match shown.is_empty() {
            true => self.status.to_string(),
            false => format!("{}: {shown}", self.status),
        }
    }
}

/// An answer's words without the path and the query that it was asked for, and without what stands in these.
fn without_address(text: &str, asked: &Uri) -> String {
    let (path, query) = (asked.path(), asked.query().unwrap_or_default());
    let parts = path.split('/').chain(query.split(['&', '=', ';']));
    let mut parts: Vec<&str> =
        [path, query].into_iter().chain(parts).filter(|part| part.len() >= SECRET).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.into_iter().fold(text.to_owned(), |text, part| text.replace(part, "…"))
}

/// A URL as requests need it.
pub(crate) fn uri(url: &config::Url, option: &str) -> Result<Uri, OptionError> {
    url.as_str().parse().map_err(|error| OptionError::new(option, error))
}

/// A URL with a path below its own.
pub(crate) fn below(url: &config::Url, path: &str, option: &str) -> Result<Uri, OptionError> {
    let whole = format!("{}/{path}", url.as_str().trim_end_matches('/'));
    whole.parse().map_err(|error| OptionError::new(option, error))
}

/// Reads up to a limit; the rest, if any, goes with the connection.
async fn first_bytes(mut body: Incoming, limit: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| chain(&error))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        bytes.extend_from_slice(data.get(..limit.saturating_sub(bytes.len())).unwrap_or(data));
        if bytes.len() >= limit {
            break;
        }
    }
    Ok(())
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let date = || httpdate::parse_http_date(value).ok()?.duration_since(std::time::SystemTime::now()).ok();
    value.parse().ok().map(Duration::from_secs).or_else(date)
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_says_the_address_back_shows_none_of_it() {
        let asked: Uri = "https://h.example/in/SEKRET1/log?token=SEKRET2&v=1".parse().unwrap();
        for said in [
            "Cannot POST /in/SEKRET1/log?token=SEKRET2&v=1",
            "no /in/SEKRET1/log here",
            "<a href=\"/in/SEKRET1/log?token=SEKRET2&amp;v=1\">",
            "token SEKRET2 is not known",
        ] {
            let shown = without_address(said, &asked);
            assert!(!shown.contains("SEKRET") && shown.contains('…'), "{shown}");
        }
        assert_eq!(without_address("out of disk: v 1", &asked), "out of disk: v 1");
    }
}
