//! One value in the binary protocol.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html#sect_protocol_binary_resultset_row_value>

use super::{
    condense,
    types::{Kind, Size, Type},
};
use crate::{
    json::{is_json_number, write_digits, write_document, write_float, write_hex, write_integer},
    mysql::field,
    reader::Reader,
    text::{Encoding, write_json_string},
};

pub use crate::head::Value;

/// The bytes of the next value, less their length; `None` where they are not all there. Only of a run that was `condensed`
/// there may be heads.
pub(super) fn take<'a>(reader: &mut Reader<'a>, of: Type, named: bool, condensed: bool) -> Option<Value<'a>> {
    match of.size(named) {
        Size::Bytes(bytes) => reader.bytes(bytes).map(Value::Whole),
        Size::Prefixed if condensed => match head(reader) {
            Some(head) => Some(head),
            None => field::value(reader).map(Value::Whole),
        },
        Size::Prefixed => field::value(reader).map(Value::Whole),
        Size::Nothing => Some(Value::Null),
    }
}

/// What a condenser kept of a long value, where that is what comes.
fn head<'a>(reader: &mut Reader<'a>) -> Option<Value<'a>> {
    let mut behind = *reader;
    if behind.u8()? != condense::HEAD {
        return None;
    }
    let (length, head) = (behind.u32_le()?, behind.u16_le()?);
    let bytes = behind.bytes(head.into())?;
    *reader = behind;
    Some(Value::Head { bytes, length })
}

/// Appends a value as JSON.
pub(super) fn write(out: &mut Vec<u8>, of: Type, bytes: &[u8], encoding: &Encoding) {
    let start = out.len();
    if write_known(out, of, bytes, encoding).is_none() {
        out.truncate(start);
        write_opaque(out, of, bytes, encoding);
    }
}

fn write_known(out: &mut Vec<u8>, of: Type, bytes: &[u8], encoding: &Encoding) -> Option<()> {
    match of.kind() {
        Kind::Tiny => number(out, of, i8::from_le_bytes(bytes.try_into().ok()?).into(), 1),
        Kind::Short => number(out, of, i16::from_le_bytes(bytes.try_into().ok()?).into(), 2),
        Kind::Long => number(out, of, i32::from_le_bytes(bytes.try_into().ok()?).into(), 4),
        Kind::LongLong => number(out, of, i64::from_le_bytes(bytes.try_into().ok()?), 8),
        Kind::Float => write_float(out, f32::from_le_bytes(bytes.try_into().ok()?))?,
        Kind::Double => write_float(out, f64::from_le_bytes(bytes.try_into().ok()?))?,
        Kind::Decimal => {
            let text = encoding.decode_exact(bytes)?;
            if is_json_number(&text) {
                out.extend_from_slice(text.as_bytes());
            } else {
                write_json_string(out, &text);
            }
        }
        Kind::Text => write_json_string(out, &encoding.decode(bytes)),
        Kind::Json => write_document(out, &encoding.decode_exact(bytes)?),
        Kind::Blob | Kind::Opaque => return None,
        kind @ (Kind::Date | Kind::DateTime | Kind::Time) => {
            out.push(b'"');
            write_moment(out, kind, bytes)?;
            out.push(b'"');
        }
    }
    Some(())
}

/// A number of so many bytes, with its sign or without.
fn number(out: &mut Vec<u8>, of: Type, signed: i64, bytes: u32) {
    if of.unsigned {
        let mask = u64::MAX >> (64 - 8 * bytes);
        write_digits(out, signed.cast_unsigned() & mask, 1);
    } else {
        write_integer(out, signed);
    }
}

/// What is zero at the end is not sent.
fn write_moment(out: &mut Vec<u8>, kind: Kind, bytes: &[u8]) -> Option<()> {
    let mut reader = Reader::new(bytes);
    if kind == Kind::Time {
        if !matches!(bytes.len(), 0 | 8 | 12) {
            return None;
        }
        let negative = reader.u8().unwrap_or_default() != 0;
        let days = u64::from(reader.u32_le().unwrap_or_default());
        out.extend(negative.then_some(b'-'));
        return write_clock(out, days * 24, reader);
    }
    if !matches!(bytes.len(), 0 | 4 | 7 | 11) {
        return None;
    }
    write_digits(out, reader.u16_le().unwrap_or_default().into(), 4);
    for _ in 0..2 {
        out.push(b'-');
        write_digits(out, reader.u8().unwrap_or_default().into(), 2);
    }
    // Of a date no server takes a time that is sent along.
    if kind == Kind::DateTime {
        out.push(b' ');
        write_clock(out, 0, reader)?;
    }
    Some(())
}

/// `HH:MM:SS`, and microseconds where there are any.
fn write_clock(out: &mut Vec<u8>, hours: u64, mut reader: Reader<'_>) -> Option<()> {
    let mut part = || u64::from(reader.u8().unwrap_or_default());
    let (hours, minutes, seconds) = (hours + part(), part(), part());
    write_digits(out, hours, 2);
    for part in [minutes, seconds] {
        out.push(b':');
        write_digits(out, part, 2);
    }
    if let Some(micros) = reader.u32_le() {
        out.push(b'.');
        write_digits(out, micros.into(), 6);
    }
    Some(())
}

/// `{"type":…,"hex":…}`, with the text as well where a blob is one.
fn write_opaque(out: &mut Vec<u8>, of: Type, bytes: &[u8], encoding: &Encoding) {
    write_type(out, of);
    out.extend_from_slice(b",\"hex\":\"");
    write_hex(out, bytes);
    out.push(b'"');
    if let Some(text) = (of.kind() == Kind::Blob).then(|| encoding.decode_exact(bytes)).flatten() {
        out.extend_from_slice(b",\"text\":");
        write_json_string(out, &text);
    }
    out.push(b'}');
}

/// Begins an object with the type's name.
pub(super) fn write_type(out: &mut Vec<u8>, of: Type) {
    out.extend_from_slice(b"{\"type\":\"");
    match of.name() {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => write_digits(out, of.code.into(), 1),
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(field: u16, sent: &[u8]) -> String {
        let (of, mut reader) = (Type::of(field), Reader::new(sent));
        let Some(Value::Whole(bytes)) = take(&mut reader, of, true, false) else {
            panic!("{field} {sent:?}")
        };
        assert_eq!(reader.left(), 0, "{field} {sent:?}");
        let mut out = Vec::new();
        write(&mut out, of, bytes, &Encoding::UTF8);
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_their_sign() {
        for (field, sent, shown) in [
            (1, &b"\xff"[..], "-1"),
            (0x8001, b"\xff", "255"),
            (2, b"\xfe\xff", "-2"),
            (0x8002, b"\xfe\xff", "65534"),
            (3, b"\xff\xff\xff\xff", "-1"),
            (0x8003, b"\xff\xff\xff\xff", "4294967295"),
            (8, b"\0\0\0\0\0\0\0\x80", "-9223372036854775808"),
            (0x8008, b"\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (4, &1.1_f32.to_le_bytes(), "1.1"),
            (5, &1.1_f64.to_le_bytes(), "1.1"),
            (5, &f64::NAN.to_le_bytes(), "\"NaN\""),
            (246, b"\x0512.50", "12.50"),
            (0, b"\x03abc", "\"abc\""),
        ] {
            assert_eq!(written(field, sent), shown, "{field} {sent:?}");
        }
    }

    #[test]
    fn moments_are_shown_as_the_server_shows_them() {
        for (field, sent, shown) in [
            (10, &b"\x04\xea\x07\x0b\x16"[..], "2026-11-22"),
            (10, b"\0", "0000-00-00"),
            (10, b"\x07\xea\x07\x0b\x16\x09\x0e\x03", "2026-11-22"),
            (12, b"\0", "0000-00-00 00:00:00"),
            (12, b"\x04\xea\x07\x0b\x16", "2026-11-22 00:00:00"),
            (12, b"\x07\xea\x07\x0b\x16\x09\x0e\x03", "2026-11-22 09:14:03"),
            (7, b"\x0b\xea\x07\x0b\x16\x09\x0e\x03\x40\xe2\x01\0", "2026-11-22 09:14:03.123456"),
            (11, b"\0", "00:00:00"),
            (11, b"\x08\x01\x01\0\0\0\x02\x03\x04", "-26:03:04"),
            (11, b"\x0c\0\0\0\0\0\x02\x03\x04\x01\0\0\0", "02:03:04.000001"),
        ] {
            assert_eq!(written(field, sent), format!("\"{shown}\""), "{field} {sent:?}");
        }
        assert_eq!(written(10, b"\x01a"), r#"{"type":"date","hex":"61"}"#);
    }

    #[test]
    fn bytes_are_shown_as_what_they_are() {
        assert_eq!(written(253, b"\x04a\xc3\xa4\""), r#""aä\"""#);
        assert_eq!(written(254, b"\x02a\xff"), r#""a\\xff""#);
        assert_eq!(written(245, b"\x09{\"a\": 1 }"), r#"{"a":1}"#);
        assert_eq!(written(252, b"\x02ab"), r#"{"type":"blob","hex":"6162","text":"ab"}"#);
        assert_eq!(written(252, b"\x02a\xff"), r#"{"type":"blob","hex":"61ff"}"#);
        assert_eq!(written(16, b"\x01\x05"), r#"{"type":"bit","hex":"05"}"#);
        assert_eq!(written(255, b"\x01\x05"), r#"{"type":"geometry","hex":"05"}"#);
        assert_eq!(written(99, b"\x01\x05"), r#"{"type":"99","hex":"05"}"#);
    }

    /// As MySQL 9.7 and MariaDB 10.11 read them.
    #[test]
    fn what_is_no_number_for_a_server_is_a_text() {
        for field in [6, 9, 13] {
            assert_eq!(written(field, b"\x03abc"), r#""abc""#, "{field}");
        }
        assert_eq!(written(0x103, b"\x01\x05"), r#"{"type":"259","hex":"05"}"#);
        assert_eq!(take(&mut Reader::new(b"\x01a"), Type::of(255), false, false), Some(Value::Null));
        let mut long = Reader::new(b"\xfc\x02\0xxselect 1");
        assert_eq!(
            (take(&mut long, Type::of(12), true, false), long.rest()),
            (Some(Value::Whole(b"xx")), &b"select 1"[..])
        );
    }

    #[test]
    fn a_value_that_is_not_all_there_is_none() {
        for (field, sent) in
            [(1, &b""[..]), (3, b"abc"), (8, b"abcdefg"), (253, b"\x02a"), (12, b"\x04abc"), (253, b"\xfb")]
        {
            assert_eq!(take(&mut Reader::new(sent), Type::of(field), true, false), None, "{field}");
        }
    }
}
