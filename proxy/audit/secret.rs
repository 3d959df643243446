//! What was hidden, for as long as the server's answer may repeat it; and parameters that are to be hidden.

use std::{fmt, rc::Rc};

use panoptes_parser::{
    postgres::values::{Parameters, write_json},
    sql::{self, Dialect, SecretParameter, SecretPart},
    text::{Encoding, write_json_string},
};

/// Bytes of secrets that are kept to be found in a message: no server repeats more.
const MAX_BYTES: usize = 4 << 10;

/// What was hidden of a statement. It shows itself to nobody.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Rc<[Box<str>]>);

impl Secrets {
    /// The message of a failure without them; `None` where nothing was hidden, or the message has none of it. `shown` is
    /// the text as the event has it.
    pub(crate) fn hide(hidden: [Option<&Self>; 2], message: &str, shown: &str) -> Option<String> {
        if hidden.iter().all(Option::is_none) {
            return None;
        }
        let secrets: Vec<&str> = hidden.into_iter().flatten().flat_map(Self::iter).collect();
        sql::redact_message(message, shown, &secrets)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// What they take in memory.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|secret| secret.len()).sum()
    }
}

impl<'a> FromIterator<&'a str> for Secrets {
    fn from_iter<I: IntoIterator<Item = &'a str>>(secrets: I) -> Self {
        let mut room = MAX_BYTES;
        let kept = secrets.into_iter().map_while(|secret| {
            let end = (0..=room.min(secret.len())).rev().find(|end| secret.is_char_boundary(*end))?;
            room -= end;
            secret.get(..end).filter(|kept| !kept.is_empty()).map(Into::into)
        });
        Self(kept.collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Appends the values of a Bind as a JSON array, less those at the places of `secret`, which it gives back; nothing where
/// there are no values. `values` is left at its end.
pub(super) fn write_parameters(
    out: &mut Vec<u8>,
    values: &mut Parameters<'_>,
    types: &[u32],
    secret: &[SecretParameter],
    (encoding, dialect): (&Encoding, Dialect),
) -> Option<Secrets> {
    let all = values.clone();
    let (mut types, mut secret) = (types.iter().copied(), secret.iter().peekable());
    let mut hidden: Vec<String> = Vec::new();
    for (place, (format, value)) in values.by_ref().enumerate() {
        out.push(if place == 0 { b'[' } else { b',' });
        let oid = types.next().unwrap_or(0);
        let part = secret.next_if(|secret| usize::from(secret.place) == place).map(|secret| secret.part);
        let shown = part.zip(value).and_then(|(part, value)| {
            let value = encoding.decode(value);
            let other = |place: u16| all.clone().nth(place.into()).and_then(|(_, value)| value);
            let shown = shown(&value, part, other, (encoding, dialect))?;
            hidden.push(value.into_owned());
            Some(shown)
        });
        match shown {
            Some(shown) => write_json_string(out, &shown),
            None => write_json(out, oid, format, value, encoding),
        }
    }
    if !out.is_empty() {
        out.push(b']');
    }
    (!hidden.is_empty()).then(|| hidden.iter().map(String::as_str).collect())
}

/// What stands for something hidden.
pub(super) const HIDDEN: &str = "[REDACTED]";

/// What is shown of a secret value; `None` for all of it. `other` gives the value of another parameter.
pub(super) fn shown<'a>(
    value: &str,
    part: SecretPart,
    other: impl FnOnce(u16) -> Option<&'a [u8]>,
    (encoding, dialect): (&Encoding, Dialect),
) -> Option<String> {
    match part {
        SecretPart::Whole => Some(HIDDEN.into()),
        SecretPart::Within => sql::redact_value(value, dialect),
        SecretPart::Setting(name) => {
            let name = other(name).map(|name| encoding.decode(name));
            name.is_none_or(|name| sql::is_secret_setting(&name)).then(|| HIDDEN.into())
        }
    }
}
