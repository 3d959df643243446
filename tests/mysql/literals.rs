//! Values as a server writes them into its log, in place of the `?` of a prepared statement, against those of an event.

use serde_json::{Map, Value};

/// How many values of a statement's text are those of the event, each in its place; the first that is not. `cut` if
/// the event may have fewer.
pub(crate) fn filled(text: &[u8], raw: &str, values: &[Value], cut: bool) -> Result<usize, String> {
    let (mut rest, mut values, mut same) = (text, values.iter(), 0);
    for (place, part) in raw.split('?').enumerate() {
        if place > 0 {
            let Some(value) = values.next() else {
                return if cut { Ok(same) } else { Err(format!("no value for ? {place}")) };
            };
            let literal = Literal::at(rest).ok_or_else(|| format!("no literal for ? {place}"))?;
            if !literal.is(value) {
                return Err(format!("? {place} is {}, told as {value}", literal.value.escape_ascii()));
            }
            rest = &rest[literal.length..];
            same += 1;
        }
        let behind = rest.strip_prefix(part.as_bytes());
        rest = behind.ok_or_else(|| format!("{part:?} is not where it should be"))?;
    }
    let done = rest.is_empty() && values.next().is_none();
    if done { Ok(same) } else { Err(format!("more than was run: {}", rest.escape_ascii())) }
}

/// A literal of SQL.
struct Literal {
    /// Bytes of it in the text.
    length: usize,
    quoted: bool,
    value: Vec<u8>,
}

impl Literal {
    /// The one that a text begins with, `TIMESTAMP` and such before its quote left out.
    fn at(text: &[u8]) -> Option<Self> {
        const KINDS: [&[u8]; 5] = [b"", b"TIMESTAMP", b"DATE", b"TIME", b"_binary"];
        match text.iter().position(|byte| *byte == b'\'') {
            Some(quote) if KINDS.contains(&&text[..quote]) => Self::quoted(text, quote + 1),
            _ => Self::bare(text),
        }
    }

    fn bare(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| b",) ".contains(byte));
        let length = end.unwrap_or(text.len());
        (length > 0).then(|| Self { length, quoted: false, value: text[..length].to_vec() })
    }

    fn quoted(text: &[u8], start: usize) -> Option<Self> {
        let (mut value, mut place) = (Vec::new(), start);
        while let Some(byte) = text.get(place) {
            place += 1;
            match byte {
                b'\'' => return Some(Self { length: place, quoted: true, value }),
                b'\\' => {
                    value.push(escaped(*text.get(place)?));
                    place += 1;
                }
                other => value.push(*other),
            }
        }
        None
    }

    fn is(&self, value: &Value) -> bool {
        let text = shown(&self.value);
        match value {
            Value::Null => !self.quoted && self.value == b"NULL",
            Value::Number(number) => {
                !self.quoted && (text == number.to_string() || text.parse().ok() == number.as_f64())
            }
            Value::String(told) => self.quoted && same(without_zeros(&text), without_zeros(told)),
            Value::Object(told) => self.quoted && self.is_told_by(told),
            _ => false,
        }
    }

    /// Bytes, or the head of a value that is too long to be told.
    fn is_told_by(&self, told: &Map<String, Value>) -> bool {
        let hex: String = self.value.iter().map(|byte| format!("{byte:02x}")).collect();
        let whole = |size: usize| told.get("length").is_none_or(|length| *length == size);
        let cut = told.contains_key("length");
        match (told.get("hex"), told.get("head")) {
            (Some(Value::String(head)), None) if cut => hex.starts_with(head) && whole(self.value.len()),
            (Some(Value::String(all)), None) => *all == hex,
            (None, Some(Value::String(head))) => {
                shown(&self.value).starts_with(head) && whole(self.value.len())
            }
            _ => false,
        }
    }
}

/// A byte that stands behind a backslash.
fn escaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'n' => b'\n',
        b'r' => b'\r',
        b'Z' => 0x1a,
        other => other,
    }
}

/// What is not UTF-8 as events have it.
fn shown(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}

/// A MariaDB writes what is not UTF-8 as `\xFF`.
fn same(literal: &str, told: &str) -> bool {
    literal == told || literal.contains("\\x") && literal.eq_ignore_ascii_case(told)
}

/// A MySQL shows microseconds even where there are none.
fn without_zeros(moment: &str) -> &str {
    moment.strip_suffix(".000000").unwrap_or(moment)
}
