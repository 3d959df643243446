//! Bound parameters as JSON: the values of a Bind message, by type and format.
//!
//! [`Parameters`] walks the raw values of a Bind; [`write_json`] writes one of them, [`write_head`] what was kept of one:
//! `types` knows the built-in types by OID, `text` and `binary` read the two formats a value can be sent
//! in, and `numeric`, `datetime` and `array` the types that need more than a line.
//! All is written straight into the buffer of the event's JSON.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>; the binary forms are documented only by the
//! server's `…_send` functions, so `tests/data/postgres/values.tsv` holds what a real one sent.

mod array;
mod binary;
mod datetime;
mod head;
mod numeric;
mod parameters;
mod text;
mod types;

pub use head::{write_head, write_head_text};
pub use parameters::{Parameters, Value};

use self::types::Type;
use crate::{
    json::{write_digits, write_hex},
    text::{Encoding, write_json_string},
};

/// Appends one parameter as a JSON value.
///
/// `oid` is the type as the server or the client declared it, 0 where neither did; `format` is 0 for text, 1 for
/// binary; None is SQL NULL. `encoding` is the session's.
///
/// - Booleans, integers, floats and numeric become JSON booleans and numbers, digit for digit (a binary numeric of mostly
///   zeros has an exponent: `1e100`); NaN, the infinities, and what is not well formed or too long for a number (300 digits)
///   become strings.
/// - json and jsonb are embedded (up to 256 KiB and 64 levels, else a string), arrays become arrays (up to 65,536
///   elements; their lower bounds are not shown), bytea a string of `\x` and hexadecimal digits.
/// - Other known types are strings: in text format as sent, in binary format as the server would print them
///   with `DateStyle` ISO, `IntervalStyle` postgres and time zone UTC.
/// - All else, and binary values that their type cannot have, is `{"type":…,"hex":…}`, with the type's name, its
///   number, or `unknown`; in text format with `"text"` too.
///
/// Takes any bytes. Writes at most a small multiple of their length, allocates nothing but `out` (and a copy of a
/// text in a foreign encoding, of an array element or a JSON string with escapes).
pub fn write_json(out: &mut Vec<u8>, oid: u32, format: i16, value: Option<&[u8]>, encoding: &Encoding) {
    let Some(bytes) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    let start = out.len();
    let written = Type::of(oid).and_then(|Type { kind, .. }| match format {
        0 => text::write(out, kind, bytes, encoding),
        1 => binary::write(out, kind, bytes, encoding),
        _ => None,
    });
    if written.is_none() {
        out.truncate(start);
        write_opaque(out, oid, format, bytes, encoding);
    }
}

fn write_opaque(out: &mut Vec<u8>, oid: u32, format: i16, bytes: &[u8], encoding: &Encoding) {
    write_type(out, oid);
    out.extend_from_slice(b",\"hex\":\"");
    write_hex(out, bytes);
    out.push(b'"');
    if let Some(text) = (format == 0).then(|| encoding.decode_exact(bytes)).flatten() {
        out.extend_from_slice(b",\"text\":");
        write_json_string(out, &text);
    }
    out.push(b'}');
}

/// Begins an object with the type's name.
fn write_type(out: &mut Vec<u8>, oid: u32) {
    out.extend_from_slice(b"{\"type\":\"");
    match Type::of(oid) {
        Some(Type { name, .. }) => out.extend_from_slice(name.as_bytes()),
        None if oid == 0 => out.extend_from_slice(b"unknown"),
        None => write_digits(out, oid.into(), 1),
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
