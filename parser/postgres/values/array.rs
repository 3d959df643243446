//! Arrays in both formats.

use std::borrow::Cow;

use super::types::{Kind, Type};
use super::{binary, text};
use crate::text::Encoding;

/// Dimensions that the server allows.
const MOST_DIMENSIONS: usize = 6;
/// Elements up to which an array is written as one; what has more is shown as a whole, in hex or as a string.
const MOST_ELEMENTS: usize = 65_536;

/// The kind of the elements of an array type, where its values can be written.
pub(super) fn element_kind(oid: u32) -> Option<Kind> {
    Type::of(oid).map(|element| element.kind).filter(|kind| *kind != Kind::Opaque)
}

/// Writes a binary array: number of dimensions, whether there are NULLs, type of the elements, for each dimension its
/// length and lower bound, then the elements, each with its length, -1 for NULL.
pub(super) fn write_binary(out: &mut Vec<u8>, element: u32, bytes: &[u8], encoding: &Encoding) -> Option<()> {
    let (header, rest) = bytes.split_first_chunk::<12>()?;
    let [n0, n1, n2, n3, _, _, _, _, t0, t1, t2, t3] = *header;
    let count = usize::try_from(u32::from_be_bytes([n0, n1, n2, n3])).ok()?;
    if u32::from_be_bytes([t0, t1, t2, t3]) != element || count > MOST_DIMENSIONS {
        return None;
    }
    let (dimensions, elements) = rest.split_at_checked(count * 8)?;
    let (dimensions, _) = dimensions.as_chunks::<8>();
    let total = total(dimensions, elements.len())?;
    let mut reader = Elements { kind: element_kind(element)?, rest: elements, encoding };
    if total == 0 {
        out.extend_from_slice(b"[]");
    } else {
        reader.write(out, dimensions)?;
    }
    reader.rest.is_empty().then_some(())
}

/// How many elements these dimensions make; None where that is more than `room` bytes can hold.
fn total(dimensions: &[[u8; 8]], room: usize) -> Option<usize> {
    let mut lengths = dimensions.iter().map(|dimension| length(*dimension));
    if dimensions.is_empty() || lengths.clone().any(|length| length == Some(0)) {
        return Some(0);
    }
    let most = MOST_ELEMENTS.min(room / 4);
    lengths
        .try_fold(1_usize, |product, length| product.checked_mul(length?).filter(|product| *product <= most))
}

fn length([a, b, c, d, ..]: [u8; 8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes([a, b, c, d])).ok()
}

struct Elements<'a> {
    kind: Kind,
    rest: &'a [u8],
    encoding: &'a Encoding,
}

impl Elements<'_> {
    fn write(&mut self, out: &mut Vec<u8>, dimensions: &[[u8; 8]]) -> Option<()> {
        let Some((first, inner)) = dimensions.split_first() else { return self.write_one(out) };
        out.push(b'[');
        for index in 0..length(*first)? {
            out.extend((index > 0).then_some(b','));
            self.write(out, inner)?;
        }
        out.push(b']');
        Some(())
    }

    fn write_one(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            self.rest = rest;
            out.extend_from_slice(b"null");
            return Some(());
        }
        let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        binary::write(out, self.kind, value, self.encoding)
    }
}

/// Writes an array in text format: `{1,NULL,"a \"b\""}`, `{{1,2},{3,4}}`, `[2:3]={5,6}`. None where it is malformed; `out`
/// may then hold a part of it.
pub(super) fn write_text(out: &mut Vec<u8>, element: u32, text: &str) -> Option<()> {
    let kind = element_kind(element)?;
    let text = text.trim_ascii();
    let body = if text.starts_with('[') { text.split_once('=')?.1.trim_ascii_start() } else { text };
    let mut literal = Literal { kind, rest: body, elements: 0 };
    literal.write(out, MOST_DIMENSIONS)?;
    literal.rest.is_empty().then_some(())
}

struct Literal<'a> {
    kind: Kind,
    rest: &'a str,
    elements: usize,
}

impl<'a> Literal<'a> {
    fn write(&mut self, out: &mut Vec<u8>, levels: usize) -> Option<()> {
        let below = levels.checked_sub(1)?;
        self.rest = self.rest.strip_prefix('{')?;
        out.push(b'[');
        if !self.take('}') {
            loop {
                self.write_item(out, below)?;
                if self.take('}') {
                    break;
                }
                self.rest = self.rest.strip_prefix(',')?;
                out.push(b',');
            }
        }
        out.push(b']');
        Some(())
    }

    fn write_item(&mut self, out: &mut Vec<u8>, below: usize) -> Option<()> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.starts_with('{') {
            self.write(out, below)?;
        } else {
            self.elements += 1;
            (self.elements <= MOST_ELEMENTS).then_some(())?;
            match self.rest.strip_prefix('"') {
                Some(rest) => self.write_quoted(out, rest)?,
                None => self.write_bare(out)?,
            }
        }
        self.rest = self.rest.trim_ascii_start();
        Some(())
    }

    fn write_quoted(&mut self, out: &mut Vec<u8>, rest: &'a str) -> Option<()> {
        let end = unescaped(rest, |byte| byte == b'"')?;
        text::write_str(out, self.kind, &unescape(rest.get(..end)?));
        self.rest = rest.get(end + 1..)?;
        Some(())
    }

    fn write_bare(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let end = unescaped(self.rest, |byte| matches!(byte, b',' | b'}' | b'{' | b'"'))?;
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let word = word.trim_ascii_end();
        if word.is_empty() {
            return None;
        }
        if word.eq_ignore_ascii_case("null") {
            out.extend_from_slice(b"null");
        } else {
            text::write_str(out, self.kind, &unescape(word));
        }
        Some(())
    }

    /// Takes `next` if it comes next, after white space.
    fn take(&mut self, next: char) -> bool {
        let rest = self.rest.trim_ascii_start().strip_prefix(next);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// Where the first byte is that ends a word and has no backslash before it.
fn unescaped(text: &str, ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let end = !escaped && ends(byte);
        escaped = !escaped && byte == b'\\';
        end
    })
}

/// Each backslash gone that escapes what follows it.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::values::write_json;

    fn text_array(oid: u32, text: &str) -> String {
        let mut out = Vec::new();
        write_json(&mut out, oid, 0, Some(text.as_bytes()), &Encoding::UTF8);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reads_literals_as_loosely_as_the_server() {
        assert_eq!(text_array(1007, " { 1 , NULL ,\n3 } "), "[1,null,3]");
        assert_eq!(
            text_array(1009, r#"{a b , "c\"d\\" ,"null", nUlL, \{x\,}"#),
            r#"["a b","c\"d\\","null",null,"{x,"]"#
        );
        assert_eq!(text_array(1007, "[2:3][0:0]={{5},{6}}"), "[[5],[6]]");
        assert_eq!(text_array(1007, "{ }"), "[]");
    }

    #[test]
    fn a_malformed_literal_is_a_string() {
        for text in [
            "",
            "{",
            "}",
            "{1",
            "{1,}",
            "{,1}",
            "{1}x",
            "{1 {2}}",
            "1,2",
            "{{{{{{{1}}}}}}}",
            "[1:2",
            "{1,2}}",
        ] {
            assert_eq!(text_array(1007, text), format!("\"{text}\""));
        }
        let long = format!("{{{}1}}", "1,".repeat(MOST_ELEMENTS));
        assert!(text_array(1007, &long).starts_with("\"{1,1"));
    }

    #[test]
    fn an_array_of_a_type_known_by_name_alone_stays_whole() {
        assert_eq!(text_array(1017, "{}"), r#"{"type":"_point","hex":"7b7d","text":"{}"}"#);
    }

    #[test]
    fn a_malformed_binary_array_is_hex() {
        let opaque = |bytes: &[u8]| {
            let mut out = Vec::new();
            write_json(&mut out, 1007, 1, Some(bytes), &Encoding::UTF8);
            out.starts_with(b"{\"type\":\"_int4\",\"hex\":\"")
        };
        let good = b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x07";
        assert!(!opaque(good));
        for cut in 0..good.len() {
            assert!(opaque(&good[..cut]), "cut at {cut}");
        }
        assert!(opaque(&[&good[..], b"x"].concat()), "more bytes than elements");
        for (at, byte) in [(3, 7), (11, 0x19), (15, 2), (12, 0x7f), (12, 0x80), (23, 3)] {
            let mut bad = good.to_vec();
            bad[at] = byte;
            assert!(opaque(&bad), "byte {at} = {byte}");
        }
    }
}
