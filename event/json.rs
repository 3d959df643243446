//! JSON written in place: objects made of parts, some of them encoded long before.
//!
//! Strings are escaped beyond what JSON asks for: control characters of C1, DEL and the marks that turn the
//! direction of text are written as `\u` escapes, so that no event can deceive the terminal it is read on.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use uuid::Uuid;

/// Room for the members of most of our structs.
const USUAL_MEMBERS: usize = 256;
/// `,"":` around a name.
const NAME_SIGNS: usize = 4;

/// Writes `value` as JSON at the end of `out`.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    if value.serialize(&mut Serializer::with_formatter(&mut *out, Escaping)).is_err() {
        // Neither the memory behind it nor our own types refuse; were it so, the member is null, not torn.
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Writes a number.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes bytes as lower-case hex digits, without quotes.
pub fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Encodes a struct as the members of an object, without its braces: `"a":1,"b":2`.
#[must_use]
pub fn members<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL_MEMBERS);
    write(&mut out, value);
    match out.as_slice() {
        [b'{', .., b'}'] => {
            out.pop();
            out.remove(0);
            out.shrink_to_fit();
            out
        }
        _ => Vec::new(),
    }
}

/// An object that is being written.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `out`. It is closed by [`Object::end`].
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Goes on with an object whose first members are at the end of `out`.
    pub(crate) fn resume(out: &'a mut Vec<u8>) -> Self {
        Self { out, empty: false }
    }

    /// Writes a member. The name is ours and needs no escape.
    #[inline]
    pub fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> &mut Self {
        self.name(name);
        write(self.out, value);
        self
    }

    /// Writes a member where there is a value.
    #[inline]
    pub fn optional<T: Serialize>(&mut self, name: &str, value: Option<T>) -> &mut Self {
        if let Some(value) = value {
            self.member(name, &value);
        }
        self
    }

    /// Writes a member whose value is JSON already.
    #[inline]
    pub fn encoded(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(value);
        self
    }

    /// Writes a member that is a string without anything to escape: words of our own, numbers in hex.
    #[inline]
    pub fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
        self
    }

    /// Writes a member that is a number.
    #[inline]
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        write_number(self.out, value);
        self
    }

    /// Writes a member that is a UUID.
    pub fn uuid(&mut self, name: &str, value: Uuid) -> &mut Self {
        self.plain(name, value.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    /// Writes members that are JSON already (see [`members`]).
    #[inline]
    pub fn inline(&mut self, members: &[u8]) -> &mut Self {
        if !members.is_empty() {
            self.comma();
            self.out.extend_from_slice(members);
        }
        self
    }

    /// Opens a member whose value the caller writes, as one JSON value, to the buffer given back.
    #[inline]
    pub fn value(&mut self, name: &str) -> &mut Vec<u8> {
        self.name(name);
        self.out
    }

    /// Opens a member that is an object itself.
    #[inline]
    pub fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::begin(self.out)
    }

    /// Opens a member that is an object and is encoded already, up to where more members may follow: `"name":{"a":1`.
    #[inline]
    pub fn opened(&mut self, begun: &[u8]) -> Object<'_> {
        self.inline(begun);
        Object::resume(self.out)
    }

    /// Closes the object.
    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Names are known when this is compiled; inlined, their bytes are stored, not copied.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        self.out.reserve(name.len() + NAME_SIGNS);
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline]
    fn comma(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

/// The compact form, with the escapes of this module's head.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        // The first bytes in UTF-8 of all that is escaped here: DEL, U+0080–U+00BF, U+0600–U+063F, U+2000–U+2FFF.
        let may_deceive = |byte: &u8| matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2);
        while let Some(at) = rest.as_bytes().iter().position(may_deceive) {
            let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            let Some(first) = chars.next() else { return Ok(()) };
            if deceives(first) {
                write!(out, "\\u{:04x}", u32::from(first))?;
            } else {
                out.write_all(first.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        CompactFormatter.write_char_escape(out, escape)
    }
}

/// Whether a character changes how the text around it is shown: DEL, C1 controls, bidirectional marks.
#[must_use]
pub fn deceives(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_deceives_a_terminal_is_escaped() {
        assert_eq!(encoded("a\u{1b}[2J\0\u{7f}"), r#""a\u001b[2J\u0000\u007f""#);
        assert_eq!(encoded("\u{85}\u{202e}x\u{2067}\u{61c}"), r#""\u0085\u202ex\u2067\u061c""#);
        assert_eq!(encoded("Grüße, 10 €, “ok” \u{a0}"), "\"Grüße, 10 €, “ok” \u{a0}\"");
    }

    #[test]
    fn objects_are_spliced_from_parts() {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.inline(b"").inline(b"\"a\":1").member("b", "x").optional::<u8>("c", None).encoded("d", b"[]");
        let mut inner = object.object("e");
        inner.member("f", &2);
        inner.end();
        let mut begun = object.opened(b"\"g\":{\"h\":3");
        begun.number("i", 4);
        begun.end();
        object.end();
        assert_eq!(out, br#"{"a":1,"b":"x","d":[],"e":{"f":2},"g":{"h":3,"i":4}}"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&encoded(&text)).unwrap(), text);
        }
    }
}
