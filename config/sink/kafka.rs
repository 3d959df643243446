//! Kafka.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{Format, Secret, Tls, http::TIMEOUT};
use crate::{size::ByteSize, value};

/// Events to a topic of Kafka, by an idempotent producer; each is delivered when all replicas in sync have it. The key is
/// the session, so that its events keep their order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Brokers to ask for all others: `["kafka-1:9092", …]`. At least one must be given.
    #[serde(deserialize_with = "value::list")]
    pub brokers: Vec<String>,
    /// The topic. Must be given.
    #[serde(deserialize_with = "value::text")]
    pub topic: String,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// How batches are compressed. Default zstd.
    #[serde(deserialize_with = "value::choice")]
    pub compression: KafkaCompression,
    /// The largest event; of a larger one the texts are cut, and `sql.truncated` says what they were. Default 960 KiB;
    /// brokers take 1 MiB by default.
    pub max_message: ByteSize,
    /// How the connection is made. Default plaintext.
    #[serde(deserialize_with = "value::choice")]
    pub security_protocol: SecurityProtocol,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, with `sasl_…`. Default PLAIN.
    #[serde(deserialize_with = "value::text")]
    pub sasl_mechanism: String,
    /// The login, with `sasl_…`.
    #[serde(deserialize_with = "value::optional_text")]
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The file with it; read again for each producer.
    pub password_file: Option<PathBuf>,
    /// How long to wait for delivery before that counts as a failure; it goes on meanwhile. Default 30 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// Further properties of librdkafka, as they are. Their values are not shown in any log.
    pub properties: BTreeMap<String, Secret>,
    /// TLS, with `ssl` and `sasl_ssl`.
    pub tls: Tls,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KafkaCompression {
    /// Not.
    None,
    /// RFC 1952.
    Gzip,
    /// Google's.
    Snappy,
    /// LZ4.
    Lz4,
    /// RFC 8878.
    #[default]
    Zstd,
}

/// How the connection is made: Kafka's own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// As it is.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A login, without TLS.
    SaslPlaintext,
    /// A login over TLS.
    SaslSsl,
}

impl KafkaCompression {
    /// librdkafka's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl SecurityProtocol {
    /// librdkafka's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether it has a login.
    #[must_use]
    pub fn has_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Whether it is TLS.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic: String::new(),
            format: Format::default(),
            compression: KafkaCompression::default(),
            max_message: ByteSize::kib(960),
            security_protocol: SecurityProtocol::default(),
            sasl_mechanism: "PLAIN".to_owned(),
            username: None,
            password: None,
            password_file: None,
            timeout: TIMEOUT * 6,
            properties: BTreeMap::new(),
            tls: Tls::default(),
        }
    }
}
