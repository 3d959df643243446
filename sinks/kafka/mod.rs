//! Events to Kafka, through librdkafka.
//!
//! `producer.rs`: the producer, and its properties. `shorten.rs`: an event that is too large.
//!
//! An event is delivered when its report says so, and only then does the cursor move on. A batch that is sent again is
//! first of all waited for again: what librdkafka still has in hand is not given to it twice. After a fatal error the
//! producer is made anew; what was in hand may then come twice, under the same id.

mod producer;
mod shorten;

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
};

use panoptes_config::{self as config, Format};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureRecord, Producer as _, future_producer::OwnedDeliveryResult},
};
use tokio::time::{Instant, timeout_at};

use self::producer::{Listener, Producer};
use crate::{
    format,
    sink::{Failure, OptionError, Record, Records, Sink},
};

/// Batches in one delivery: librdkafka makes its own of them, and the wait for the last reports is shared by more events.
const BATCHES: usize = 16;
/// An event is not cut further than this.
const SHORTEST: usize = 1_024;

/// The Kafka sink.
pub(crate) struct Kafka {
    options: config::Kafka,
    properties: ClientConfig,
    listener: Listener,
    producer: Option<Producer>,
    /// What librdkafka has in hand, by number.
    in_hand: BTreeMap<u64, DeliveryFuture>,
    /// What the brokers found too large, by number: how large it may be now.
    limits: BTreeMap<u64, usize>,
}

/// What became of an event.
enum Fate {
    Delivered,
    /// It must be sent again.
    Again(String),
    /// librdkafka's queue has no room for it.
    Full(String),
    /// Its batch was too large for the brokers: for this one, or for another.
    TooLarge,
    /// Its batch was refused for what is in it: in this one, or in another.
    Invalid(String),
    /// It will never be taken.
    Refused(String),
}

/// What becomes of a batch, by places.
#[derive(Default)]
struct Fates {
    again: Vec<usize>,
    too_large: Vec<usize>,
    invalid: Vec<(usize, String)>,
    refused: Vec<(usize, String)>,
    reason: Option<String>,
}

impl Kafka {
    pub(crate) fn new(options: &config::Kafka) -> Result<Self, OptionError> {
        let properties = producer::properties(options)?;
        let listener = Listener::default();
        // What librdkafka does not know, or not so, is found out here.
        drop(producer::create(&properties, &listener)?);
        let options = options.clone();
        Ok(Self {
            options,
            properties,
            listener,
            producer: None,
            in_hand: BTreeMap::new(),
            limits: BTreeMap::new(),
        })
    }

    fn connect(&mut self) -> Result<(), String> {
        if let Some(file) = &self.options.password_file {
            let read = fs::read_to_string(file);
            let password =
                read.map_err(|error| format!("password_file {} cannot be read: {error}", file.display()))?;
            self.properties.set("sasl.password", password.trim_end_matches(['\r', '\n']));
        }
        let made = producer::create(&self.properties, &self.listener);
        self.producer = Some(made.map_err(|OptionError { option, what }| format!("{option} {what}"))?);
        Ok(())
    }

    /// Gives an event to librdkafka, unless it has it in hand.
    fn hand_over(&mut self, record: &Record<'_>) -> Result<(), Fate> {
        if self.in_hand.contains_key(&record.seq) {
            return Ok(());
        }
        let Some(producer) = &self.producer else { return Err(Fate::Again("no producer".to_owned())) };
        let max = self.limits.get(&record.seq).copied().unwrap_or(self.options.max_message.as_usize());
        let payload = payload(self.options.format, record, max).map_err(Fate::Refused)?;
        let session = record.session();
        let message = FutureRecord {
            topic: &self.options.topic,
            partition: None,
            payload: Some(&payload),
            key: Some(&*session).filter(|session: &&str| !session.is_empty()),
            timestamp: Some(record.unix_micros / 1_000),
            headers: Some(headers(self.options.format, record)),
        };
        match producer.send_result(message) {
            Ok(report) => {
                self.in_hand.insert(record.seq, report);
                Ok(())
            }
            Err((error, _)) => Err(fate(&error)),
        }
    }

    /// Gives events to librdkafka in order, and waits for what it says of each.
    async fn produce(&mut self, batch: &Records<'_>, until: Instant) -> Fates {
        let (mut fates, mut given) = (Fates::default(), VecDeque::new());
        for (place, record) in batch.iter().enumerate() {
            let handed = loop {
                match self.hand_over(&record) {
                    // Its queue may be shorter than what is given at once: what is done with makes room.
                    Err(Fate::Full(reason)) => match given.pop_front() {
                        Some(first) => self.await_report(first, until, &mut fates).await,
                        None => break Err(Fate::Again(reason)),
                    },
                    handed => break handed,
                }
            };
            match handed {
                Ok(()) => given.push_back((place, record.seq)),
                // What comes behind it must not overtake it.
                Err(fate @ Fate::Again(_)) => {
                    fates.add(place, fate);
                    fates.again.extend(place + 1..batch.len());
                    break;
                }
                Err(fate) => fates.add(place, fate),
            }
        }
        for one in given {
            self.await_report(one, until, &mut fates).await;
        }
        fates
    }

    /// Waits for what librdkafka says of the event at a place of the batch.
    async fn await_report(&mut self, (place, seq): (usize, u64), until: Instant, fates: &mut Fates) {
        let Some(report) = self.in_hand.get_mut(&seq) else { return };
        let fate = match timeout_at(until, report).await {
            Ok(Ok(report)) => of_report(report),
            Ok(Err(_)) => Fate::Again("the producer ended".to_owned()),
            Err(_) => return fates.add(place, Fate::Again(self.late())),
        };
        self.in_hand.remove(&seq);
        fates.add(place, fate);
    }

    fn late(&self) -> String {
        let trouble = self.listener.trouble().map(|trouble| format!("; {trouble}"));
        format!("not delivered within {:?}{}", self.options.timeout, trouble.unwrap_or_default())
    }

    /// Brokers refuse a batch as a whole: sent alone, each event is judged by itself, and cut if need be.
    async fn produce_alone(&mut self, batch: &Records<'_>, fates: &mut Fates, until: Instant) {
        let invalid = std::mem::take(&mut fates.invalid).into_iter().map(|(place, _)| place);
        let mut refused: Vec<usize> =
            std::mem::take(&mut fates.too_large).into_iter().chain(invalid).collect();
        refused.sort_unstable();
        for place in refused {
            let alone = batch.slice(place..place + 1);
            loop {
                let fate = self.produce(&alone, until).await;
                if !fate.too_large.is_empty() && self.lower_limit(&alone) {
                    continue;
                }
                let too_large = fate.too_large.iter().map(|_| (0, "too large for the brokers".to_owned()));
                fates
                    .refused
                    .extend(fate.refused.into_iter().chain(too_large).map(|(_, reason)| (place, reason)));
                fates.invalid.extend(fate.invalid.into_iter().map(|(_, reason)| (place, reason)));
                fates.again.extend(fate.again.iter().map(|_| place));
                fates.reason = fate.reason.or(fates.reason.take());
                break;
            }
        }
    }

    /// Whether the event can be cut further.
    fn lower_limit(&mut self, alone: &Records<'_>) -> bool {
        let Some(record) = alone.iter().next() else { return false };
        let limit = self
            .limits
            .entry(record.seq)
            .or_insert(self.options.max_message.as_usize().min(record.json.len()));
        *limit /= 2;
        *limit >= SHORTEST
    }

    /// After a fatal error the producer does nothing any more.
    fn renew(&mut self) -> Option<String> {
        let (code, text) = self.producer.as_ref()?.client().fatal_error()?;
        self.producer = None;
        self.in_hand.clear();
        Some(format!("{code:?}: {text}; the producer is made anew"))
    }
}

impl Sink for Kafka {
    async fn open(&mut self) -> Result<(), Failure> {
        if self.producer.is_none() {
            self.connect().map_err(Failure::retry)?;
        }
        let Some(producer) = &self.producer else { return Ok(()) };
        let looked = producer::look_at(producer, &self.options.topic, self.options.timeout);
        looked.map_err(|reason| {
            let trouble = self.listener.trouble().map(|trouble| format!("; {trouble}"));
            Failure::retry(format!(
                "{}: {reason}{}",
                self.options.brokers.join(","),
                trouble.unwrap_or_default()
            ))
        })
    }

    fn batches(&self) -> usize {
        BATCHES
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        if self.producer.is_none() {
            self.connect().map_err(Failure::retry)?;
        }
        let until = Instant::now() + self.options.timeout;
        let mut fates = self.produce(batch, until).await;
        self.produce_alone(batch, &mut fates, until).await;
        if let Some(fatal) = self.renew() {
            fates.reason = Some(fatal);
        }
        if fates.again.is_empty() {
            self.limits.clear();
        }
        fates.again.sort_unstable();
        let Fates { again, invalid: unproven, refused, reason, .. } = fates;
        if again.is_empty() && refused.is_empty() && unproven.is_empty() {
            return Ok(());
        }
        let reason = format!("{}: {}", self.options.brokers.join(","), reason.unwrap_or_default());
        Err(Failure::Partial { again, refused, unproven, reason, after: None })
    }
}

impl Fates {
    fn add(&mut self, place: usize, fate: Fate) {
        match fate {
            Fate::Delivered => {}
            Fate::TooLarge => self.too_large.push(place),
            Fate::Invalid(reason) => self.invalid.push((place, reason)),
            Fate::Refused(reason) => self.refused.push((place, reason)),
            Fate::Again(reason) | Fate::Full(reason) => {
                self.again.push(place);
                self.reason.get_or_insert(reason);
            }
        }
    }
}

fn of_report(report: OwnedDeliveryResult) -> Fate {
    match report {
        Ok(_) => Fate::Delivered,
        Err((error, _)) => fate(&error),
    }
}

/// What an error means to the event that it is for. Only its own form and size are its fault.
fn fate(error: &KafkaError) -> Fate {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => {
            Fate::TooLarge
        }
        Some(RDKafkaErrorCode::InvalidRecord) => Fate::Invalid(error.to_string()),
        Some(RDKafkaErrorCode::QueueFull) => Fate::Full(error.to_string()),
        _ => Fate::Again(error.to_string()),
    }
}

/// The event in its format, in at most `max` bytes.
fn payload(format: Format, record: &Record<'_>, max: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    format::write(format, record, &mut out)?;
    let mut limit = max;
    while out.len() > max {
        let shorter = shorten::shorten(record.json, limit)?;
        out.clear();
        format::write(format, &Record { json: &shorter, ..*record }, &mut out)?;
        // What the format adds to the event must fit as well.
        limit = limit.saturating_sub(out.len().saturating_sub(max).max(1));
    }
    Ok(out)
}

fn headers(format: Format, record: &Record<'_>) -> OwnedHeaders {
    let content_type = match format {
        Format::Cloudevents => "application/cloudevents+json",
        _ => "application/json",
    };
    let header = |key, value| Header { key, value: Some(value) };
    OwnedHeaders::new_with_capacity(2)
        .insert(header("id", record.id()))
        .insert(header("content-type", content_type))
}
