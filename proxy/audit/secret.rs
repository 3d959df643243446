//! What was hidden, for as long as the server's answer may repeat it; and parameters that are to be hidden.

use std::{borrow::Cow, fmt, rc::Rc};

use panoptes_parser::{
    postgres::values::{Parameters, Value, write_head, write_head_text, write_json},
    sql::{self, Dialect, SecretParameter, SecretPart},
    text::{Encoding, write_json_string},
};
use serde::de::IgnoredAny;

use super::text::Text;

/// Bytes of secrets that are kept to be found in a message: no server repeats more.
const MAX_BYTES: usize = 4 << 10;

/// What was hidden of a statement. It shows itself to nobody.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Rc<[Box<str>]>);

impl Secrets {
    /// The message of a failure without them, and without what it tells itself of other secrets; `None` where it has none.
    /// `shown` is the text as the event has it.
    pub(crate) fn hide(
        hidden: [Option<&Self>; 2],
        message: &str,
        shown: &str,
        dialect: Dialect,
    ) -> Option<String> {
        let secrets: Vec<&str> = hidden.into_iter().flatten().flat_map(Self::iter).collect();
        sql::redact_message(message, shown, &secrets, dialect)
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

/// Which parameters of a statement are secret.
#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// Nobody knows what runs.
    All,
    /// These; in order.
    Known(&'a [SecretParameter]),
}

impl<'a> Places<'a> {
    /// Of what a text says; `None` where it is not known.
    pub(super) fn of(text: Option<&'a Rc<Text>>) -> Self {
        match text {
            Some(text) if !text.is_uncertain() => Self::Known(text.secret_parameters()),
            _ => Self::All,
        }
    }

    /// How much of this one is.
    pub(super) fn part(self, place: usize) -> Option<SecretPart> {
        let Self::Known(secret) = self else { return Some(SecretPart::Whole) };
        let found = secret.binary_search_by_key(&place, |secret| secret.place.into());
        found.ok().and_then(|found| secret.get(found)).map(|secret| secret.part)
    }
}

/// Appends the values of a Bind as a JSON array, less those at the places of `secret` and what others tell of secrets, which it
/// gives back; nothing where there are no values. `values` is left at its end.
pub(super) fn write_parameters(
    out: &mut Vec<u8>,
    values: &mut Parameters<'_>,
    types: &[u32],
    secret: Places<'_>,
    read_as: (&Encoding, Dialect),
) -> Option<Secrets> {
    let all = values.clone();
    let mut types = types.iter().copied();
    let mut hidden: Vec<String> = Vec::new();
    for (place, (format, value)) in values.by_ref().enumerate() {
        out.push(if place == 0 { b'[' } else { b',' });
        let oid = types.next().unwrap_or(0);
        let part = secret.part(place);
        let other = |place: u16| match all.clone().nth(place.into()) {
            Some((_, Value::Whole(value))) => Some(value),
            _ => None,
        };
        let value = match value {
            Value::Null => None,
            Value::Whole(value) => Some(value),
            Value::Head { bytes, length } => {
                let write = |out: &mut Vec<u8>, shown: Option<&str>| match shown {
                    Some(shown) => write_head_text(out, oid, shown, length),
                    None => write_head(out, oid, format, bytes, length, read_as.0),
                };
                hidden.extend(write_shown_head(out, bytes, part, other, write, read_as));
                continue;
            }
        };
        let write = |out: &mut Vec<u8>| write_json(out, oid, format, value, read_as.0);
        hidden.extend(write_shown(out, value, part, other, write, read_as));
    }
    if !out.is_empty() {
        out.push(b']');
    }
    (!hidden.is_empty()).then(|| hidden.iter().map(String::as_str).collect())
}

/// Writes a value, less what is secret of it; gives it back where something is. `write` writes all of it.
pub(super) fn write_shown<'a>(
    out: &mut Vec<u8>,
    value: Option<&[u8]>,
    part: Option<SecretPart>,
    other: impl FnOnce(u16) -> Option<&'a [u8]>,
    write: impl FnOnce(&mut Vec<u8>),
    read_as: (&Encoding, Dialect),
) -> Option<String> {
    if let Some((part, value)) = part.zip(value) {
        let value = read_as.0.decode(value);
        if let Some(shown) = shown(&value, part, other, read_as) {
            write_json_string(out, &shown);
            return Some(value.into_owned());
        }
    }
    let start = out.len();
    write(out);
    let shown = without_told(out.get(start..)?, value?, read_as)?;
    out.truncate(start);
    out.extend_from_slice(&shown);
    Some(read_as.0.decode(value?).into_owned())
}

/// The same of what was kept of a long value, where `write` takes the text that is shown, if it is not all of the head. Where
/// it depends on what is not here what is secret, all of it goes.
pub(super) fn write_shown_head<'a>(
    out: &mut Vec<u8>,
    head: &[u8],
    part: Option<SecretPart>,
    other: impl FnOnce(u16) -> Option<&'a [u8]>,
    write: impl FnOnce(&mut Vec<u8>, Option<&str>),
    read_as: (&Encoding, Dialect),
) -> Option<String> {
    let text = read_as.0.decode(head);
    let part = part.map(|part| if part == SecretPart::Within { SecretPart::Whole } else { part });
    if let Some(shown) = part.and_then(|part| shown(&text, part, other, read_as)) {
        write_json_string(out, &shown);
        return Some(text.into_owned());
    }
    let told = sql::may_tell(head).then(|| sql::redact_text_head(&text, read_as.1)).flatten();
    write(out, told.as_deref());
    told.map(|_| text.into_owned())
}

/// A value as it was written, less what it tells itself of secrets, as a literal would; `None` where that is nothing.
fn without_told(written: &[u8], value: &[u8], (encoding, dialect): (&Encoding, Dialect)) -> Option<Vec<u8>> {
    if !matches!(written.first()?, b'"' | b'{' | b'[') || !sql::may_tell(value) {
        return None;
    }
    let mut out = Vec::new();
    match written.first()? {
        b'"' => {
            let plain = written.get(1..written.len() - 1).filter(|text| !text.contains(&b'\\'));
            let text = match plain {
                Some(text) => Cow::Borrowed(str::from_utf8(text).ok()?),
                None => Cow::Owned(serde_json::from_slice(written).ok()?),
            };
            write_json_string(&mut out, &sql::redact_text(&text, dialect)?);
        }
        // Of a type that nobody knows: its bytes are there, too, which have to go.
        b'{' if written.starts_with(b"{\"type\":\"") => {
            write_json_string(&mut out, &sql::redact_text(&encoding.decode(value), dialect)?);
        }
        b'{' | b'[' => {
            let shown = sql::redact_text(str::from_utf8(written).ok()?, dialect)?;
            match serde_json::from_str::<IgnoredAny>(&shown) {
                Ok(_) => out.extend_from_slice(shown.as_bytes()),
                Err(_) => write_json_string(&mut out, &shown),
            }
        }
        _ => return None,
    }
    Some(out)
}

/// What stands for something hidden.
pub(super) const HIDDEN: &str = "[REDACTED]";

/// What is shown of a secret value; `None` for all of it. `other` gives the value of another parameter.
fn shown<'a>(
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
