//! Values in text format, as clients send them: what the server's input functions take, which is
//! more than what it prints.

use super::array;
use super::types::Kind;
use crate::json::{is_json_integer, is_json_number, write_document, write_hex};
use crate::text::{Encoding, write_json_string};

/// Writes a value; None where the type is known by name alone. What is not well formed, or not of the
/// encoding, is a string.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, bytes: &[u8], encoding: &Encoding) -> Option<()> {
    if !is_read(kind) {
        return None;
    }
    match encoding.decode_exact(bytes) {
        Some(text) => write_str(out, kind, &text),
        None => write_json_string(out, &encoding.decode(bytes)),
    }
    Some(())
}

fn is_read(kind: Kind) -> bool {
    match kind {
        Kind::Array(element) => array::element_kind(element).is_some(),
        _ => kind != Kind::Opaque,
    }
}

/// Writes a value whose text is known to be of the encoding.
pub(super) fn write_str(out: &mut Vec<u8>, kind: Kind, text: &str) {
    let start = out.len();
    let written = match kind {
        Kind::Bool => boolean(text).map(|name| out.extend_from_slice(name)),
        Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Oid | Kind::Xid8 => {
            is_json_integer(text).then(|| out.extend_from_slice(text.as_bytes()))
        }
        Kind::Float4 | Kind::Float8 | Kind::Numeric => {
            is_json_number(text).then(|| out.extend_from_slice(text.as_bytes()))
        }
        Kind::Bytea => write_bytea(out, text.as_bytes()),
        Kind::Json | Kind::Jsonb => {
            write_document(out, text);
            Some(())
        }
        Kind::Array(element) => array::write_text(out, element, text),
        _ => None,
    };
    if written.is_none() {
        out.truncate(start);
        write_json_string(out, text);
    }
}

/// Booleans may be cut short as long as they differ: `t`, `fal`, `of`.
fn boolean(text: &str) -> Option<&'static [u8]> {
    let is = |word: &str, least: usize| {
        text.len() >= least && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    if text == "1" || is("true", 1) || is("yes", 1) || is("on", 2) {
        Some(b"true")
    } else if text == "0" || is("false", 1) || is("no", 1) || is("off", 2) {
        Some(b"false")
    } else {
        None
    }
}

/// Either `\x` and hexadecimal digits, with white space between bytes, or the older form in which a backslash
/// is doubled or begins three octal digits.
fn write_bytea(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    out.extend_from_slice(b"\"\\\\x");
    match text.strip_prefix(b"\\x") {
        Some(digits) => write_hex_digits(out, digits)?,
        None => write_unescaped(out, text)?,
    }
    out.push(b'"');
    Some(())
}

fn write_hex_digits(out: &mut Vec<u8>, digits: &[u8]) -> Option<()> {
    let mut rest = digits;
    while let [byte, tail @ ..] = rest {
        rest = match byte {
            b' ' | b'\n' | b'\t' | b'\r' => tail,
            _ => {
                let ([high, low], tail) = rest.split_first_chunk()?;
                if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
                    return None;
                }
                out.extend_from_slice(&[high.to_ascii_lowercase(), low.to_ascii_lowercase()]);
                tail
            }
        };
    }
    Some(())
}

fn write_unescaped(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let byte;
        (byte, rest) = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => (b'\\', tail),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail)
            }
            (b'\\', _) => return None,
            (byte, tail) => (*byte, tail),
        };
        write_hex(out, &[byte]);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind, text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, kind, text.as_bytes(), &Encoding::UTF8).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn booleans_as_loose_as_the_server() {
        for yes in ["t", "TRUE", "tr", "y", "yes", "on", "1"] {
            assert_eq!(written(Kind::Bool, yes), "true", "{yes}");
        }
        for no in ["f", "False", "n", "no", "of", "off", "0"] {
            assert_eq!(written(Kind::Bool, no), "false", "{no}");
        }
        for other in ["", "o", "truest", "2", "é"] {
            assert_eq!(written(Kind::Bool, other), format!("\"{other}\""));
        }
    }

    #[test]
    fn numbers_where_well_formed() {
        assert_eq!(written(Kind::Int8, "-12"), "-12");
        assert_eq!(written(Kind::Int8, " 12"), "\" 12\"");
        assert_eq!(written(Kind::Int8, "1.0"), "\"1.0\"");
        assert_eq!(written(Kind::Numeric, "1.500"), "1.500");
        assert_eq!(written(Kind::Float8, "1e+20"), "1e+20");
        assert_eq!(written(Kind::Float8, "Infinity"), "\"Infinity\"");
    }

    #[test]
    fn bytea_in_both_its_forms() {
        assert_eq!(written(Kind::Bytea, "\\xDE adBE"), r#""\\xdeadbe""#);
        assert_eq!(written(Kind::Bytea, "a\\\\b\\001\\377"), r#""\\x615c6201ff""#);
        assert_eq!(written(Kind::Bytea, "\\xabc"), r#""\\xabc""#);
        assert_eq!(written(Kind::Bytea, "\\9"), r#""\\9""#);
    }
}
