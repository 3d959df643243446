//! Files.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{Compression, Format};
use crate::{size::ByteSize, value};

/// Events in a file, one JSON object a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The file; it and its directory are created where missing. Default `./logs/panoptes.log`.
    pub path: PathBuf,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// When the file is put aside and a new one begun.
    pub rotate: Rotate,
}

/// When a file is put aside, as `<path>.<UTC time>`, and what becomes of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// The size that it does not grow beyond, unless one event alone is larger. Default: any.
    pub max_size: Option<ByteSize>,
    /// At each multiple of this in UTC: `"1 day"` is midnight. Default: never.
    #[serde(deserialize_with = "value::optional_duration")]
    pub every: Option<Duration>,
    /// How many are kept, the newest; 0 keeps all. Default 0.
    #[serde(deserialize_with = "value::count")]
    pub max_files: usize,
    /// How they are compressed. Default none.
    #[serde(deserialize_with = "value::choice")]
    pub compression: Compression,
}

impl Default for File {
    fn default() -> Self {
        Self {
            path: PathBuf::from("./logs/panoptes.log"),
            format: Format::default(),
            rotate: Rotate::default(),
        }
    }
}
