//! Values of which only the head was kept. A head is never read as a value of its type: it may be another one.

use std::borrow::Cow;

use super::{
    types::{Kind, Type},
    value::write_type,
};
use crate::{
    head::{decode_exact, end_with_bytes, end_with_text},
    text::Encoding,
};

/// Appends what was kept of a long value: `{"type":…,"head":…,"length":…}`, with `"hex"` in place of `"head"` where it is no
/// text. `length` is that of the whole, in bytes as they were sent; the rest is as with [`write_json`](super::write_json).
///
/// Takes any bytes. A character that the end of the head cuts is left out.
pub fn write_head(out: &mut Vec<u8>, kind: u16, head: &[u8], length: u32, encoding: &Encoding) {
    match text(Type::of(kind).kind(), head, encoding) {
        Some(head) => write_head_text(out, kind, &head, length),
        None => {
            write_type(out, Type::of(kind));
            end_with_bytes(out, head, length);
        }
    }
}

/// The same of a head that is shown as this text.
pub fn write_head_text(out: &mut Vec<u8>, kind: u16, head: &str, length: u32) {
    write_type(out, Type::of(kind));
    end_with_text(out, head, length);
}

/// The text of a head, where it is one. A blob may be.
fn text<'a>(kind: Kind, head: &'a [u8], encoding: &Encoding) -> Option<Cow<'a, str>> {
    let exact = decode_exact(head, encoding);
    match kind {
        Kind::Text | Kind::Json | Kind::Decimal => Some(exact.unwrap_or_else(|| encoding.decode(head))),
        Kind::Blob => exact,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_text_or_hex_and_never_a_value() {
        for (kind, head, shown) in [
            (253, &b"a\"b\xc3"[..], r#"{"type":"text","head":"a\"b","length":70000}"#),
            (245, b"[1,2", r#"{"type":"text","head":"[1,2","length":70000}"#),
            (246, b"12", r#"{"type":"decimal","head":"12","length":70000}"#),
            (254, b"a\xff1234", r#"{"type":"text","head":"a\\xff1234","length":70000}"#),
            (252, b"ab", r#"{"type":"blob","head":"ab","length":70000}"#),
            (252, b"a\xff\0\0\0", r#"{"type":"blob","hex":"61ff000000","length":70000}"#),
            (10, b"\xea\x07\x0b\x16", r#"{"type":"date","hex":"ea070b16","length":70000}"#),
            (255, b"ab", r#"{"type":"geometry","hex":"6162","length":70000}"#),
            (99, b"ab", r#"{"type":"99","hex":"6162","length":70000}"#),
        ] {
            let mut out = Vec::new();
            write_head(&mut out, kind, head, 70_000, &Encoding::UTF8);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
    }
}
