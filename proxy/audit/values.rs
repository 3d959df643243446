//! The values of a run, less those that are secret.

use panoptes_parser::{
    mysql::values::{
        BulkParameters, Cell, Parameters, UNKNOWN_TYPE, Value, write_head, write_head_text, write_json,
    },
    sql::Dialect,
    text::Encoding,
};

use super::{
    ahead::Ahead,
    aside::Aside,
    names::Prepared,
    secret::{Places, Secrets, write_shown, write_shown_head},
};

/// Flags and iterations: what a run without values consists of.
pub(super) const EMPTY_RUN: u64 = 5;

/// What was sent with a run, and ahead of it.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    /// As far as it is kept.
    pub(super) body: &'a [u8],
    pub(super) length: u64,
    pub(super) bulk: bool,
    pub(super) named: bool,
    pub(super) ahead: &'a [Ahead],
    /// Not all that was sent ahead is known.
    pub(super) overflowed: bool,
    /// So many bytes of values are told.
    pub(super) most: usize,
}

/// What is to be told of it beside the values.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) secrets: Option<Secrets>,
    /// Size of all values, where some of it is missing.
    pub(super) truncated: Option<u64>,
    pub(super) aside: Option<Aside>,
    /// The types, where they are others than those of the run before.
    pub(super) types: Option<Vec<u32>>,
}

/// How texts of the session are read.
type ReadAs<'a> = (&'a Encoding, Dialect);

/// Writes the values as a JSON array, or as an array for each row; nothing where there are none.
pub(super) fn read(sent: &Sent<'_>, prepared: &Prepared, read_as: ReadAs<'_>, out: &mut Vec<u8>) -> Read {
    out.clear();
    let all = sent.ahead.iter().fold(sent.length, |all, ahead| all.saturating_add(ahead.length));
    let missing = sent.length > sent.body.len() as u64
        || sent.ahead.iter().any(|ahead| ahead.length > ahead.data.len() as u64);
    if sent.overflowed {
        return Read { truncated: Some(all), ..Read::default() };
    }
    let (mut read, torn) = if sent.bulk {
        rows(sent, prepared, read_as, out)
    } else if prepared.types.is_empty() && !sent.named {
        // Of a statement that is not known nobody knows what was sent.
        let lost = prepared.text.is_none() && sent.length > EMPTY_RUN;
        return Read { truncated: lost.then_some(all), ..Read::default() };
    } else {
        one(sent, prepared, read_as, out)
    };
    read.truncated = (missing || torn).then_some(all);
    read
}

/// The values of one run.
fn one(sent: &Sent<'_>, prepared: &Prepared, read_as: ReadAs<'_>, out: &mut Vec<u8>) -> (Read, bool) {
    let declared = prepared.types.len();
    let places: Vec<u16> = sent.ahead.iter().map(|ahead| ahead.parameter).collect();
    let count = u16::try_from(declared).unwrap_or(u16::MAX);
    let values = Parameters::new(sent.body, count, sent.named, &prepared.types, &places);
    let mut values = values.within(sent.most);
    let types = values.sent_types().and_then(|types| changed(types.take(declared), prepared));
    let all = values.clone();
    let other = |place: u16| value_at(&all, place, sent.ahead);
    let mut hidden = Hidden::new(prepared, read_as);
    let mut place = 0;
    while place < declared
        && let Some(parameter) = values.next()
    {
        out.push(if place == 0 { b'[' } else { b',' });
        let value = ahead_of(place, sent.ahead).unwrap_or(parameter.value);
        hidden.write(out, place, parameter.kind, value, other);
        place += 1;
    }
    if !out.is_empty() {
        out.push(b']');
    }
    let aside = Aside::of(values.by_ref(), read_as.0, read_as.1);
    let torn = values.truncated() || place < declared;
    (Read { secrets: hidden.secrets(), aside, types, truncated: None }, torn)
}

/// The values of a run in bulk.
fn rows(sent: &Sent<'_>, prepared: &Prepared, read_as: ReadAs<'_>, out: &mut Vec<u8>) -> (Read, bool) {
    let columns = prepared.types.len();
    let count = u16::try_from(columns).unwrap_or(u16::MAX);
    let mut cells = BulkParameters::new(sent.body, count, &prepared.types).within(sent.most);
    let types = cells.sent_types().and_then(|types| changed(types, prepared));
    let mut hidden = Hidden::new(prepared, read_as);
    let mut column = 0;
    for (kind, cell) in cells.by_ref() {
        out.extend_from_slice(match (out.is_empty(), column) {
            (true, _) => b"[[",
            (false, 0) => b"],[",
            _ => b",",
        });
        match cell {
            Cell::Value(value) => hidden.write(out, column, kind, value, |_| None),
            Cell::Default => out.extend_from_slice(b"{\"type\":\"default\"}"),
            Cell::Ignore => out.extend_from_slice(b"{\"type\":\"ignore\"}"),
        }
        column = (column + 1) % columns.max(1);
    }
    if !out.is_empty() {
        out.extend_from_slice(b"]]");
    }
    (Read { secrets: hidden.secrets(), types, ..Read::default() }, cells.truncated())
}

/// The value that was sent ahead for the parameter at a place.
fn ahead_of(place: usize, ahead: &[Ahead]) -> Option<Value<'_>> {
    let found = ahead.iter().find(|ahead| usize::from(ahead.parameter) == place)?;
    let (bytes, is_head) = (found.data.as_slice(), found.length > found.data.len() as u64);
    let length = u32::try_from(found.length).unwrap_or(u32::MAX);
    Some(if is_head { Value::Head { bytes, length } } else { Value::Whole(bytes) })
}

fn value_at<'a>(all: &Parameters<'a>, place: u16, ahead: &'a [Ahead]) -> Option<&'a [u8]> {
    let value = ahead_of(place.into(), ahead).or_else(|| Some(all.clone().nth(place.into())?.value));
    if let Some(Value::Whole(value)) = value { Some(value) } else { None }
}

/// The types of a run, where they are not those that are known.
fn changed(types: impl Iterator<Item = u16>, prepared: &Prepared) -> Option<Vec<u32>> {
    let types: Vec<u32> = types.map(u32::from).collect();
    (types != prepared.types).then_some(types)
}

/// Types of so many parameters, none of which was sent yet.
pub(super) fn unknown_types(parameters: u16) -> Vec<u32> {
    vec![UNKNOWN_TYPE; parameters.into()]
}

/// Writes values, and keeps those that it hides.
struct Hidden<'a> {
    secret: Places<'a>,
    read_as: ReadAs<'a>,
    values: Vec<String>,
}

impl<'a> Hidden<'a> {
    fn new(prepared: &'a Prepared, read_as: ReadAs<'a>) -> Self {
        Self { secret: Places::of(prepared.text.as_ref()), read_as, values: Vec::new() }
    }

    fn write<'b>(
        &mut self,
        out: &mut Vec<u8>,
        place: usize,
        kind: u16,
        value: Value<'_>,
        other: impl FnOnce(u16) -> Option<&'b [u8]>,
    ) {
        let (part, encoding) = (self.secret.part(place), self.read_as.0);
        let value = match value {
            Value::Null => None,
            Value::Whole(value) => Some(value),
            Value::Head { bytes, length } => {
                let write = |out: &mut Vec<u8>, shown: Option<&str>| match shown {
                    Some(shown) => write_head_text(out, kind, shown, length),
                    None => write_head(out, kind, bytes, length, encoding),
                };
                self.values.extend(write_shown_head(out, bytes, part, other, write, self.read_as));
                return;
            }
        };
        let write = |out: &mut Vec<u8>| write_json(out, kind, value, encoding);
        let hidden = write_shown(out, value, part, other, write, self.read_as);
        self.values.extend(hidden);
    }

    fn secrets(&self) -> Option<Secrets> {
        (!self.values.is_empty()).then(|| self.values.iter().map(String::as_str).collect())
    }
}
