//! Values that were sent for placeholders, of which only the head may have been kept: the same for each protocol.

use std::borrow::Cow;

use crate::{
    json::{write_digits, write_hex},
    text::{Encoding, write_json_string},
};

/// One value, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// All of it.
    Whole(&'a [u8]),
    /// What was kept of a long one.
    Head {
        /// Its first bytes.
        bytes: &'a [u8],
        /// How many there were.
        length: u32,
    },
}

/// Ends an object that has the type: `,"head":…,"length":…}`.
pub(crate) fn end_with_text(out: &mut Vec<u8>, head: &str, length: u32) {
    out.extend_from_slice(b",\"head\":");
    write_json_string(out, head);
    end(out, length);
}

/// The same of what is no text: `,"hex":…,"length":…}`.
pub(crate) fn end_with_bytes(out: &mut Vec<u8>, head: &[u8], length: u32) {
    out.extend_from_slice(b",\"hex\":\"");
    write_hex(out, head);
    out.push(b'"');
    end(out, length);
}

fn end(out: &mut Vec<u8>, length: u32) {
    out.extend_from_slice(b",\"length\":");
    write_digits(out, length.into(), 1);
    out.push(b'}');
}

/// A head as text, less a character that its end cuts; `None` where it is none.
pub(crate) fn decode_exact<'a>(head: &'a [u8], encoding: &Encoding) -> Option<Cow<'a, str>> {
    // The longest character has four bytes.
    let mut ends = (0..4).filter_map(|less| head.get(..head.len().checked_sub(less)?));
    ends.find_map(|head| encoding.decode_exact(head))
}
