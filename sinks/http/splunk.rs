//! Splunk's HTTP Event Collector (HEC): its envelope, its codes, indexer acknowledgement.
//!
//! Splunk knows no repeats: after a failure in between, an event may be there twice, under the same id.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{self, HeaderValue},
};
use panoptes_config::{self as config, Compression, Format};
use panoptes_event::{Uuid, json::Object};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{Answer, Client, Credentials, below, compress};
use crate::{
    format,
    sink::{Failure, OptionError, Record, Records, Sink},
};

const MAX_ANSWER: usize = 64 << 10;
/// The channel that acknowledgements belong to, one a connection.
const CHANNEL: &str = "x-splunk-request-channel";
/// How often the indexers are asked, at first and at last.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LAST_POLL: Duration = Duration::from_secs(5);
/// Of [the codes](https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector), those that are
/// about the events: no data, invalid data format, event field missing or blank, indexed fields, too large.
/// All others (9, server is busy; a wrong token or index) are tried again.
const ABOUT_EVENTS: [u32; 6] = [5, 6, 12, 13, 15, 27];

/// The Splunk sink.
pub(crate) struct Splunk {
    client: Client,
    collector: Uri,
    acknowledgements: Uri,
    channel: String,
    format: Format,
    compression: Compression,
    /// Members of the envelope that are the same for all events.
    envelope: Vec<u8>,
    acknowledge: Option<Duration>,
}

/// What the collector says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Word {
    code: u32,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
}

#[derive(Deserialize)]
struct Acknowledgements {
    acks: std::collections::BTreeMap<String, bool>,
}

impl Splunk {
    pub(crate) fn new(options: &config::Splunk) -> Result<Self, OptionError> {
        let collector = below(&options.url, "services/collector/event", "url")?;
        let channel = Uuid::now_v7().to_string();
        let path = format!("services/collector/ack?channel={channel}");
        let https = collector.scheme_str() == Some("https");
        let credentials = Credentials::splunk(options)?;
        Ok(Self {
            client: Client::new(&options.tls, https, credentials, options.timeout, MAX_ANSWER)?,
            collector,
            acknowledgements: below(&options.url, &path, "url")?,
            channel,
            format: options.format,
            compression: options.compression,
            envelope: envelope(options),
            acknowledge: options.acknowledge.then_some(options.acknowledge_timeout),
        })
    }

    async fn send(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        let (body, encoding) = compress(self.compression, body);
        let mut request = self.request(self.collector.clone(), body);
        if let Some(encoding) = encoding {
            request.headers_mut().insert(header::CONTENT_ENCODING, encoding);
        }
        let answer = self.client.send(request).await.map_err(Failure::retry)?;
        let word: Word = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (answer.status.is_success(), self.acknowledge, word.ack_id) {
            (false, ..) => Err(refusal(answer, word.code)),
            (true, None, _) => Ok(()),
            (true, Some(patience), Some(id)) => self.acknowledged(id, patience).await,
            (true, Some(_), None) => {
                Err(Failure::retry("no ackId in the answer: turn on indexer acknowledgement for the token"))
            }
        }
    }

    /// Waits until the indexers have what the collector took.
    async fn acknowledged(&mut self, id: u64, patience: Duration) -> Result<(), Failure> {
        let until = Instant::now() + patience;
        let mut pause = FIRST_POLL;
        while Instant::now() < until {
            sleep(pause).await;
            pause = (pause * 2).min(LAST_POLL);
            let question = format!("{{\"acks\":[{id}]}}").into_bytes();
            match self.client.send(self.request(self.acknowledgements.clone(), question)).await {
                Ok(answer) if answer.status.is_success() => {
                    let known = serde_json::from_slice::<Acknowledgements>(&answer.body);
                    if known.is_ok_and(|known| known.acks.get(&id.to_string()) == Some(&true)) {
                        return Ok(());
                    }
                }
                // The events may be there all the same: their acknowledgement can still come.
                Ok(_) | Err(_) => {}
            }
        }
        Err(Failure::retry(format!("the indexers did not acknowledge within {patience:?}")))
    }

    fn request(&self, uri: Uri, body: Vec<u8>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(channel) = HeaderValue::from_str(&self.channel) {
            headers.insert(CHANNEL, channel);
        }
        request
    }

    /// One event in its envelope; nothing where it cannot be told in the format.
    fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        let mut object = Object::begin(out);
        let (seconds, micros) =
            (record.unix_micros.div_euclid(1_000_000), record.unix_micros.rem_euclid(1_000_000));
        object.encoded("time", format!("{seconds}.{micros:06}").as_bytes()).inline(&self.envelope);
        let told = format::write(self.format, record, object.value("event"));
        object.end();
        told.inspect_err(|_| out.truncate(start))
    }
}

impl Sink for Splunk {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let mut body = Vec::new();
        let told = batch.iter().map(|record| self.write(&record, &mut body));
        let refused: Vec<_> =
            told.enumerate().filter_map(|(place, told)| Some((place, told.err()?))).collect();
        if !body.is_empty() {
            self.send(body).await?;
        }
        Failure::partial(Vec::new(), refused, None)
    }
}

fn envelope(options: &config::Splunk) -> Vec<u8> {
    let mut members = Vec::new();
    let mut object = Object::begin(&mut members);
    object.member("source", &options.source).member("sourcetype", &options.sourcetype);
    object.optional("index", options.index.as_ref());
    object.end();
    members.pop();
    members.drain(..1);
    members
}

fn refusal(answer: Answer, code: u32) -> Failure {
    let too_large = answer.status == hyper::StatusCode::PAYLOAD_TOO_LARGE;
    match answer.status.is_client_error() && (ABOUT_EVENTS.contains(&code) || too_large) {
        true => answer.into_refusal(),
        false => answer.into_retry(),
    }
}
