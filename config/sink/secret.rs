//! Secrets: from the moment they are read they have a type of their own, which no log and no `Debug` shows.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer};

use crate::value;

/// A password, a token, a key. In the file it is a text; better in a variable of the environment, or in a file of its
/// own, which the option with `_file` behind its name points to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What is secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// A number is taken as its digits: to refuse it would show it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::text(deserializer).map(Self)
    }
}

/// How a sink proves who it is: one of bearer, API key, or user and password. Each secret may stand in a file instead,
/// whose trailing newline is not part of it; the file is read again when the destination refuses what it said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// `Authorization: Bearer …`.
    pub bearer: Option<Secret>,
    /// The file with it.
    pub bearer_file: Option<PathBuf>,
    /// `Authorization: ApiKey …`: Elasticsearch's, encoded as it is given out.
    pub api_key: Option<Secret>,
    /// The file with it.
    pub api_key_file: Option<PathBuf>,
    /// `Authorization: Basic …`, together with the password.
    #[serde(deserialize_with = "value::optional_text")]
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The file with it.
    pub password_file: Option<PathBuf>,
}

/// TLS towards a destination. Without any of these, `https` trusts the authorities of the system.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of this client's certificate, with its chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the certificate's key.
    pub key_file: Option<PathBuf>,
}
