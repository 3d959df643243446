//! Which events a sink gets.

use serde::Deserialize;

use crate::value;

/// Which events a sink gets: those that fit each list; an empty list fits all. An item with `!` before it is left out;
/// a list of such items alone fits all others. Letter case does not matter.
///
/// `gap` and `blind` events, a chain's `checkpoint` and the `verdict` of a transaction are about more than one statement:
/// for them only `kinds` counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// `statement`, `login`, `logout`, … Default: all.
    #[serde(deserialize_with = "value::list")]
    pub kinds: Vec<String>,
    /// `DML`, `DDL`, `DCL`, `TCL`, `SESSION`, `UTILITY`, `OTHER`. Default: all.
    #[serde(deserialize_with = "value::list")]
    pub categories: Vec<String>,
    /// `ok`, `warning`, `error`, `cancelled`, `lost`, `skipped`. Default: all.
    #[serde(deserialize_with = "value::list")]
    pub outcomes: Vec<String>,
    /// Tables, at least one of which a statement names; `*` and `?` stand for any characters, any one character. One with
    /// a dot is compared with the whole name, where the statement said the schema; one without with the last part. A
    /// statement that was not understood and names no table may be about any. Default: all.
    #[serde(deserialize_with = "value::list")]
    pub tables: Vec<String>,
}

impl Filter {
    /// Whether it fits all events.
    #[must_use]
    pub fn fits_all(&self) -> bool {
        *self == Self::default()
    }

    /// The lists that have a fixed vocabulary: name, items, words.
    pub(crate) fn vocabularies(&self) -> [(&'static str, &[String], &'static [&'static str]); 3] {
        [
            ("kinds", &self.kinds, &KINDS),
            ("categories", &self.categories, &CATEGORIES),
            ("outcomes", &self.outcomes, &OUTCOMES),
        ]
    }
}

const KINDS: [&str; 10] =
    ["statement", "login", "logout", "cancel", "blind", "gap", "verdict", "intent", "checkpoint", "external"];
const CATEGORIES: [&str; 7] = ["dml", "ddl", "dcl", "tcl", "session", "utility", "other"];
const OUTCOMES: [&str; 6] = ["ok", "warning", "error", "cancelled", "lost", "skipped"];
