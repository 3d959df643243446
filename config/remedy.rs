//! The words for what is wrong with an option, and what to do about it.

use figment::{
    error::{Actual, Kind},
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

use crate::{Admin, Audit, Config, Journal, Limits, Log, environment, key::Key};

/// A longer name is no slip of an option's name, and comparing it costs its square.
const MAX_COMPARED: usize = 64;
const LEVELS: &str =
    "the levels of an option are joined by two underscores, as in PANOPTES_SINKS__CONSOLE__FORMAT";

/// What is wrong, for one of serde's errors. `siblings` are options beside those that serde knows.
pub(crate) fn wording(kind: &Kind, key: &Key, siblings: &[&str], origin: Option<&str>) -> String {
    match kind {
        Kind::UnknownField(name, expected) => {
            let known: Vec<&str> = expected.iter().chain(siblings).copied().collect();
            unknown(name, key, &known, origin)
        }
        Kind::UnknownVariant(name, expected) => choose(name, expected),
        Kind::MissingField(name) => missing(name).to_owned(),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("is {}; write {}", kind_of(found), wanted(expected))
        }
        other => other.to_string(),
    }
}

/// What is wrong with a word that is none of a few.
pub(crate) fn choose(name: &str, choices: &[&str]) -> String {
    let hint = nearest(name, choices).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    format!("{name:?} is none of {}{hint}", choices.join(", "))
}

/// What is wrong with a value that should be a table.
pub(crate) fn not_a_table(found: &Value) -> String {
    format!("is {}; write a table", kind_of(&found.to_actual()))
}

fn unknown(name: &str, key: &Key, known: &[&str], origin: Option<&str>) -> String {
    if let Some(variable) = origin.filter(|origin| origin.starts_with(environment::PREFIX)) {
        return unknown_variable(variable, key, known);
    }
    let elsewhere = tables().into_iter().find(|(_, options)| options.contains(&name));
    match (nearest(name, known), elsewhere) {
        (Some(near), _) => format!("no such option; did you mean {near:?}?"),
        (None, Some(("", _))) => {
            format!("no such option; {name} goes to the top of the file, before the first [table]")
        }
        (None, Some((table, _))) => format!("no such option; {name} belongs in [{table}]"),
        (None, None) => format!("no such option; known here: {}", known.join(", ")),
    }
}

fn unknown_variable(variable: &str, key: &Key, siblings: &[&str]) -> String {
    let parents = key.names().split_last().map(|(_, parents)| parents.join("__")).unwrap_or_default();
    let beside = siblings.iter().map(|option| variable_of(&parents, option));
    let tables = tables();
    let anywhere =
        tables.iter().flat_map(|(table, options)| options.iter().map(|option| variable_of(table, option)));
    let variables: Vec<String> = beside.chain(anywhere).collect();
    match nearest(variable, &variables.iter().map(String::as_str).collect::<Vec<_>>()) {
        Some(near) => format!("no such option; did you mean {near}?"),
        None => format!("no such option; {LEVELS}"),
    }
}

fn variable_of(table: &str, option: &str) -> String {
    let levels = if table.is_empty() { "" } else { "__" };
    format!("{}{table}{levels}{option}", environment::PREFIX).to_ascii_uppercase()
}

fn missing(name: &str) -> &'static str {
    match name {
        "address" => "is missing; give the IP and port that clients connect to, e.g. --listen 127.0.0.1:6432",
        "upstream" => "is missing; give the database behind it, e.g. --upstream postgres://db.internal:5432",
        _ => "is missing; add it",
    }
}

/// What kind of value it is. It is not shown: where it is no secret itself, it may be one that is at the wrong place.
fn kind_of(found: &Actual) -> String {
    match found {
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number".to_owned(),
        Actual::Str(_) => "a text".to_owned(),
        Actual::Bool(value) => value.to_string(),
        Actual::Map => "a table".to_owned(),
        Actual::Seq => "an array".to_owned(),
        other => other.to_string(),
    }
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "an array",
        table if table.starts_with("struct ") => "a table",
        other => other,
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.replace('-', "_").to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&name, &known.to_lowercase());
    let best =
        known.iter().copied().map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance);
    let close =
        best.filter(|(distance, near)| *distance <= 1.max(near.len().min(12) / 3)).map(|(_, near)| near);
    close.or_else(|| {
        known.iter().copied().find(|known| name.len() > 2 && known.to_lowercase().starts_with(&name))
    })
}

/// The options of each table, asked from serde itself; `""` is the top.
pub(crate) fn tables() -> [(&'static str, &'static [&'static str]); 6] {
    [
        ("", options::<Config>()),
        ("journal", options::<Journal>()),
        ("audit", options::<Audit>()),
        ("limits", options::<Limits>()),
        ("admin", options::<Admin>()),
        ("log", options::<Log>()),
    ]
}

/// The options of one table: what serde says to expect when it refuses another.
pub(crate) fn options<T: DeserializeOwned>() -> &'static [&'static str] {
    let other = Value::from(Dict::from([("?".to_owned(), Value::from(0))]));
    match other.deserialize::<T>().map_err(|error| error.kind) {
        Err(Kind::UnknownField(_, options)) => options,
        _ => &[],
    }
}
