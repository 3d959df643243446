//! Documents, embedded in the event.

use std::fmt;

use memchr::{memchr, memchr2};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::text::{write_json_escaped, write_json_string};

/// Bytes up to which a document is embedded; a longer one is a string.
const LARGEST_DOCUMENT: usize = 256 * 1024;
/// Arrays and objects that may be nested. Readers of JSON stop at some depth (serde_json at 128), and the event
/// around the document has a few levels of its own.
const DEEPEST: usize = 64;

/// Writes a document on one line, or as a string where it is not one that every reader can take.
pub(crate) fn write(out: &mut Vec<u8>, text: &str) {
    if text.len() <= LARGEST_DOCUMENT && is_readable(text) {
        write_compact(out, text);
    } else {
        write_json_string(out, text);
    }
}

/// Whether `text` is JSON whose numbers fit a double, whose strings are Unicode, and which is not too deep.
fn is_readable(text: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    Levels(DEEPEST).deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

/// Reads any value and forgets it; the number is how many levels it may still have.
#[derive(Clone, Copy)]
struct Levels(usize);

impl Levels {
    fn below<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while elements.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while members.next_key_seed(below)?.is_some() {
            members.next_value_seed(below)?;
        }
        Ok(())
    }
}

/// Copies valid JSON without the white space between its tokens: an event is one line.
fn write_compact(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some((tokens, string)) = memchr(b'"', rest.as_bytes()).and_then(|at| split_around(rest, at)) {
        write_tokens(out, tokens);
        let (inside, after) = split_around(string, string_length(string)).unwrap_or((string, ""));
        out.push(b'"');
        write_json_escaped(out, inside);
        out.push(b'"');
        rest = after;
    }
    write_tokens(out, rest);
}

fn write_tokens(out: &mut Vec<u8>, tokens: &str) {
    out.extend(tokens.bytes().filter(|byte| !byte.is_ascii_whitespace()));
}

/// What is before and after the one-byte character at `at`.
fn split_around(text: &str, at: usize) -> Option<(&str, &str)> {
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Where the string ends whose opening quote is just before `text`.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return at,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn embeds_on_one_line() {
        assert_eq!(
            written(" {\n \"a b\" : [ 1.50 ,\t\"x\\\"\\\\\" , null ] } "),
            r#"{"a b":[1.50,"x\"\\",null]}"#
        );
        assert_eq!(written("\"\u{202e}\u{9b}\\n\""), r#""\u202e\u009b\n""#);
    }

    #[test]
    fn what_a_reader_could_stumble_over_is_a_string() {
        assert_eq!(written("{\"a\":}"), r#""{\"a\":}""#);
        assert_eq!(written("1e999"), r#""1e999""#);
        assert_eq!(written("1 2"), r#""1 2""#);
        assert_eq!(written(r#""\ud800""#), r#""\"\\ud800\"""#);
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(written(&nested(DEEPEST)), nested(DEEPEST));
        assert_eq!(written(&nested(DEEPEST + 1)), format!("\"{}\"", nested(DEEPEST + 1)));
        let long = format!("[\"{}\"]", "x".repeat(LARGEST_DOCUMENT));
        assert!(written(&long).starts_with("\"["));
    }
}
