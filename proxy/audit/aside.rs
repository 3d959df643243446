//! What is told of a statement beside its text and its answer: few have any of it.

use panoptes_event::{Cancel, Request, json};
use panoptes_parser::{
    mysql::values::{self, Parameter, write_head, write_json},
    sql::{self, Dialect},
    text::Encoding,
};
use serde_json::{Map, Value};

use super::{intent::Intent, secret::HIDDEN};

/// Beside a statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    /// `request`, encoded; empty where the client said nothing.
    pub(crate) request: Vec<u8>,
    /// Size of what the client said, as it was sent.
    pub(crate) said: u64,
    /// Size of what the client said, where it was too much to be kept.
    pub(crate) left_out: Option<u64>,
    /// The file of the client's that the server asked for.
    pub(crate) file: Option<String>,
    /// It was a stream, which is over: what the server sent, and what the client did, in bytes.
    pub(crate) streamed: Option<(u64, u64)>,
    /// It is another session's end, or that of its statement: the event is a `cancel`.
    pub(crate) kill: Option<Cancel>,
    /// What was told before it went to the server.
    pub(crate) intent: Option<Intent>,
}

impl Aside {
    /// Of attributes that were sent with a statement; `None` where there are none.
    pub(crate) fn of<'a>(
        attributes: impl Iterator<Item = Parameter<'a>>,
        encoding: &Encoding,
        dialect: Dialect,
    ) -> Option<Self> {
        let (mut request, mut rest) = (Request::default(), Map::new());
        for attribute in attributes {
            let name = encoding.decode(attribute.name).into_owned();
            match (name.as_str(), value(&attribute, &name, encoding, dialect)) {
                ("traceparent", Value::String(context)) => request.traceparent = Some(context),
                (_, value) => drop(rest.insert(name, value)),
            }
        }
        request.attributes = Some(rest).filter(|rest| !rest.is_empty());
        let mut encoded = Vec::new();
        json::write(&mut encoded, &request);
        (request != Request::default()).then_some(Self { request: encoded, ..Self::default() })
    }
}

/// Its value, less what is secret.
fn value(attribute: &Parameter<'_>, name: &str, encoding: &Encoding, dialect: Dialect) -> Value {
    if sql::is_secret_setting(name) {
        return HIDDEN.into();
    }
    let mut encoded = Vec::new();
    let whole = match attribute.value {
        values::Value::Null => None,
        values::Value::Whole(bytes) => Some(bytes),
        values::Value::Head { bytes, length } => {
            let text = encoding.decode(bytes);
            let told = sql::redact_text_head(&text, dialect).or_else(|| sql::redact_value(&text, dialect));
            if told.is_some() {
                return HIDDEN.into();
            }
            write_head(&mut encoded, attribute.kind, bytes, length, encoding);
            return serde_json::from_slice(&encoded).unwrap_or_default();
        }
    };
    write_json(&mut encoded, attribute.kind, whole, encoding);
    match serde_json::from_slice(&encoded).unwrap_or_default() {
        Value::String(text) => sql::redact_value(&text, dialect).unwrap_or(text).into(),
        value => value,
    }
}
