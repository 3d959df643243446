//! A producer of librdkafka, and what it says of itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use panoptes_config as config;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, Producer as _},
    types::RDKafkaConfRes,
};

use crate::{journal::lock, sink::OptionError};

/// What makes the promise: none of these can be configured.
pub(super) const OURS: [(&str, &str); 3] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // The journal keeps what is not delivered; to give up on it early would only make repeats.
    ("message.timeout.ms", "0"),
];
/// Bytes of events that go to a broker at once, before they are compressed: a batch of this sink, as is usual.
const BATCH_BYTES: &str = "262144";
/// Metadata of one topic comes at once or not at all.
const METADATA: Duration = Duration::from_secs(5);

pub(super) type Producer = FutureProducer<Listener>;

/// Keeps the last trouble that librdkafka tells of, for whoever reports that nothing was delivered.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Option<String>>>);

impl Listener {
    /// The last trouble since the last time.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.0).take()
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let mut trouble = lock(&self.0);
        // That all brokers are down is said after each trouble, and would hide what it was.
        if code == Some(RDKafkaErrorCode::AllBrokersDown) && trouble.is_some() {
            return;
        }
        let code = code.map(|code| format!("{code:?}: ")).unwrap_or_default();
        *trouble = Some(format!("{code}{reason}"));
    }
}

/// librdkafka's properties, less the password of a file.
pub(super) fn properties(options: &config::Kafka) -> Result<ClientConfig, OptionError> {
    let protocol = options.security_protocol;
    if protocol.is_tls() && !cfg!(feature = "kafka-tls") {
        return Err(OptionError::new(
            "security_protocol",
            format!("{:?} needs a build with --features kafka-tls, which brings OpenSSL", protocol.name()),
        ));
    }
    if protocol.has_login() && options.sasl_mechanism.starts_with("SCRAM") && !cfg!(feature = "kafka-tls") {
        return Err(OptionError::new(
            "sasl_mechanism",
            "SCRAM needs a build with --features kafka-tls, which brings OpenSSL; PLAIN does not",
        ));
    }
    let mut properties = ClientConfig::new();
    properties
        .set("client.id", "panoptes")
        .set("bootstrap.servers", options.brokers.join(","))
        .set("compression.type", options.compression.name())
        // Who waits for a delivery does not wait for what TCP puts off.
        .set("socket.nagle.disable", "true")
        // A topic may take less at once than librdkafka's 1 MB, and refuses what is more as a whole.
        .set("batch.size", BATCH_BYTES)
        // Keys and headers are counted as well.
        .set("message.max.bytes", (options.max_message.as_usize() + 4_096).to_string())
        .set("security.protocol", protocol.name())
        .set_log_level(RDKafkaLogLevel::Warning);
    if protocol.has_login() {
        properties.set("sasl.mechanism", &options.sasl_mechanism);
    }
    if let Some(username) = &options.username {
        properties.set("sasl.username", username);
    }
    if let Some(password) = &options.password {
        properties.set("sasl.password", password.reveal());
    }
    let files = [
        ("ssl.ca.location", &options.tls.ca_file),
        ("ssl.certificate.location", &options.tls.cert_file),
        ("ssl.key.location", &options.tls.key_file),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            properties.set(name, file.to_string_lossy());
        }
    }
    for (name, value) in &options.properties {
        properties.set(name, value.reveal());
    }
    for (name, value) in OURS {
        properties.set(name, value);
    }
    Ok(properties)
}

/// A producer of these properties. It connects by itself.
///
/// # Errors
///
/// The property that librdkafka does not take. Its value is not shown: it may be a key or a password, also under a name that
/// is misspelt.
pub(super) fn create(properties: &ClientConfig, listener: &Listener) -> Result<Producer, OptionError> {
    properties.create_with_context(listener.clone()).map_err(|error| match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
            OptionError::new(format!("properties.{name}"), "is no property of librdkafka; remove it")
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            OptionError::new(format!("properties.{name}"), "has a value that librdkafka does not take for it")
        }
        other => OptionError::new("properties", other),
    })
}

/// Whether the topic can be produced to, as far as its brokers say.
pub(super) fn look_at(producer: &Producer, topic: &str, timeout: Duration) -> Result<(), String> {
    let metadata = producer.client().fetch_metadata(Some(topic), timeout.min(METADATA));
    let metadata = metadata.map_err(|error| error.to_string())?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| (found.error(), found.partitions().is_empty())) {
        Some((None, false)) => Ok(()),
        Some((Some(error), _)) => Err(format!("topic {topic}: {}", RDKafkaErrorCode::from(error))),
        _ => Err(format!("topic {topic} is not there; create it")),
    }
}

#[cfg(test)]
mod tests {
    use panoptes_config::Secret;

    use super::*;

    #[test]
    fn a_property_that_is_not_taken_is_named_and_its_value_is_not_shown() {
        for (name, value) in [("sasl.pasword", "SEKRET"), ("partitioner", "SEKRET"), ("linger.ms", "SEKRET")]
        {
            let mut options =
                config::Kafka { brokers: vec!["localhost:1".into()], ..config::Kafka::default() };
            options.properties = [(name.to_owned(), Secret::new(value))].into();
            let made = create(&properties(&options).unwrap(), &Listener::default());
            let OptionError { option, what } = made.map(drop).unwrap_err();
            assert_eq!(option, format!("properties.{name}"));
            assert!(what.contains("librdkafka") && !what.contains(value), "{what}");
        }
    }
}
