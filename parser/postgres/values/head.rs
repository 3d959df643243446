//! Values of which only the head was kept. A head is never read as a value of its type: it may be another one.

use std::borrow::Cow;

use super::types::{Kind, Type};
use super::write_type;
use crate::head::{decode_exact, end_with_bytes, end_with_text};
use crate::text::Encoding;

/// Appends what was kept of a long value: `{"type":…,"head":…,"length":…}`, with `"hex"` in place of `"head"` where it is no
/// text. `length` is that of the whole, in bytes as they were sent; the rest is as with [`write_json`](super::write_json).
///
/// Takes any bytes. A character that the end of the head cuts is left out.
pub fn write_head(out: &mut Vec<u8>, oid: u32, format: i16, head: &[u8], length: u32, encoding: &Encoding) {
    match text(oid, format, head) {
        Some(head) => write_head_text(out, oid, &decode(head, encoding), length),
        None => {
            write_type(out, oid);
            end_with_bytes(out, head, length);
        }
    }
}

/// The same of a head that is shown as this text.
pub fn write_head_text(out: &mut Vec<u8>, oid: u32, head: &str, length: u32) {
    write_type(out, oid);
    end_with_text(out, head, length);
}

/// What of a head is text.
fn text(oid: u32, format: i16, head: &[u8]) -> Option<&[u8]> {
    match (format, Type::of(oid).map(|known| known.kind)) {
        (0, _) | (1, Some(Kind::Text | Kind::Json)) => Some(head),
        // Its version is ahead of it.
        (1, Some(Kind::Jsonb)) => head.strip_prefix(&[1]),
        _ => None,
    }
}

fn decode<'a>(head: &'a [u8], encoding: &Encoding) -> Cow<'a, str> {
    decode_exact(head, encoding).unwrap_or_else(|| encoding.decode(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(oid: u32, format: i16, head: &[u8], encoding: &str) -> String {
        let mut out = Vec::new();
        write_head(&mut out, oid, format, head, 70_000, &Encoding::named(encoding));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_is_text_or_hex_and_never_a_value() {
        for (oid, format, head, shown) in [
            (25, 0, &b"a\"b"[..], r#"{"type":"text","head":"a\"b","length":70000}"#),
            (0, 0, b"42", r#"{"type":"unknown","head":"42","length":70000}"#),
            (23, 0, b"42", r#"{"type":"int4","head":"42","length":70000}"#),
            (25, 1, b"ab", r#"{"type":"text","head":"ab","length":70000}"#),
            (114, 0, b"[1,2", r#"{"type":"json","head":"[1,2","length":70000}"#),
            (3802, 1, b"\x01[1,2", r#"{"type":"jsonb","head":"[1,2","length":70000}"#),
            (3802, 1, b"\x02[", r#"{"type":"jsonb","hex":"025b","length":70000}"#),
            (17, 0, b"\\xab", r#"{"type":"bytea","head":"\\xab","length":70000}"#),
            (17, 1, b"\xab", r#"{"type":"bytea","hex":"ab","length":70000}"#),
            (1700, 1, b"\0\x01", r#"{"type":"numeric","hex":"0001","length":70000}"#),
            (0, 1, b"ab", r#"{"type":"unknown","hex":"6162","length":70000}"#),
            (99_999, 1, b"ab", r#"{"type":"99999","hex":"6162","length":70000}"#),
            (25, 2, b"ab", r#"{"type":"text","hex":"6162","length":70000}"#),
        ] {
            assert_eq!(written(oid, format, head, "UTF8"), shown);
        }
    }

    #[test]
    fn a_character_that_is_cut_is_left_out() {
        let head = |bytes: &[u8], encoding| {
            let event: serde_json::Value = serde_json::from_str(&written(25, 0, bytes, encoding)).unwrap();
            event["head"].as_str().unwrap().to_owned()
        };
        let text = "a€😀";
        for end in 1..=text.len() {
            let whole = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap();
            assert_eq!(head(&text.as_bytes()[..end], "UTF8"), text[..whole]);
        }
        assert_eq!(head(b"\xffabcd\xe2", "UTF8"), r"\xffabcd\xe2", "what is no text is shown");
        assert_eq!(head(b"\x95\x5c\x95", "SJIS"), "表");
    }
}
