//! `name=value`, `name: value`, `{"name": "value"}`, `?name=value`: what is called as a secret is one, unless it is harmless (see there).

use std::{borrow::Cow, ops::Range};

use memchr::memchr3_iter;

use super::super::{name, prose};
use super::address::slashes;
use super::harmless::is_placeholder;
use super::{Form, hide_value, skip, value_end};

/// Bytes of a name that are looked at, from its end.
const MAX_NAME: usize = 128;
/// Quotes, brackets and backslashes between a name and its sign; a string of JSON in one in one has fewer.
const MAX_SIGNS: usize = 64;
/// White space before a name, behind what separates it from another pair.
const MAX_GAP: usize = 256;
/// Bytes of a value that are looked through. What is longer is hidden, whatever it looks like: the next name in it does not look
/// through it again.
pub(super) const MAX_VALUE: usize = 512;
/// Bytes of `{{ password }}`.
const MAX_TEMPLATE: usize = 128;

/// A name, and the sign that gives it a value.
pub(super) struct Pair<'t> {
    pub(super) text: &'t str,
    pub(super) name: Cow<'t, str>,
    /// It has quotes, as in JSON.
    pub(super) quoted: bool,
    /// What stands before it.
    pub(super) separator: Option<u8>,
    /// The place of the `=` or the `:`, or of the `%3D` that stands for one in an address.
    pub(super) sign: usize,
}

/// `password=…`, `sslpassword = …`, `PGPASSWORD=…`, `password: …`, `{"apiKey": "…"}`, `?token=…`, `password%3D…`.
pub(super) fn assigned(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for sign in memchr3_iter(b'=', b':', b'%', text.as_bytes()) {
        if sign < end || !is_assignment(text, sign) {
            continue;
        }
        let pair = Pair::before(text, sign);
        let Some(value) = pair.value(form) else { continue };
        end = value.end;
        let brought = form == Form::Any
            && text.get(value.clone()).is_some_and(|value| is_placeholder(value, &pair.name));
        open |= brought || hide_value(text, value, hide);
    }
    open
}

impl<'t> Pair<'t> {
    pub(super) fn before(text: &'t str, sign: usize) -> Self {
        // No sign is white space: what is before one is not before the next.
        let before = text.get(..sign).unwrap_or_default().trim_ascii_end();
        // A member's name in JSON, which may be in a string of its own.
        let signs = run_before(before, MAX_SIGNS, |byte| b"\"'\\()[]:".contains(&byte));
        let name = before.get(..before.len() - signs).unwrap_or_default();
        let quoted = name.len() < before.len();
        let length = |takes: fn(u8) -> bool| run_before(name, MAX_NAME, takes);
        let plain = length(is_name);
        let escaped = quoted && name.as_bytes().iter().rev().nth(plain) == Some(&b'\\');
        let start = name.len() - if escaped { length(is_escaped_name) } else { plain };
        let name = name.get(start..).unwrap_or_default();
        let outside = before.get(..start).unwrap_or_default();
        let gap = run_before(outside, MAX_GAP, |byte| byte.is_ascii_whitespace());
        let separator = outside.bytes().rev().nth(gap);
        let name = match () {
            () if escaped => Cow::Owned(json_unescaped(name)),
            // An address may spell its names with escapes.
            () if name.contains('%') => Cow::Owned(unescaped(name)),
            () => Cow::Borrowed(name),
        };
        Self { text, name, quoted, separator, sign }
    }

    /// Where the value is, if it is a secret; empty where another text brings it.
    fn value(&self, form: Form) -> Option<Range<usize>> {
        let query = self.is_query() && name::is_secret_query(&self.name);
        if !query && !name::is_secret_pair(&self.name) && !self.is_value_of_secret() {
            return None;
        }
        let text = self.text;
        let from = self.from();
        let string = skip(text, from, |byte| byte.is_ascii_alphabetic());
        let is_string = matches!(text.as_bytes().get(string), Some(b'"' | b'\'' | b'`'));
        if form == Form::Code && !is_string {
            return None;
        }
        let from = if form == Form::Code { string } else { from + self.scheme(from) };
        let end = self.end(from);
        let value = text.get(from..end)?;
        if matches!(value, "\"\"" | "''") {
            // Where nothing follows, another text may.
            let more = text.get(end..).is_some_and(|rest| !rest.trim_ascii_start().is_empty());
            return (!more).then_some(text.len()..text.len());
        }
        let stays =
            || query && !prose::is_random(value) || form == Form::Any && self.is_harmless(from, value);
        (value.len() > MAX_VALUE || !stays()).then_some(from..end)
    }

    /// Where the value ends that begins at `from`.
    fn end(&self, from: usize) -> usize {
        let text = self.text;
        match text.as_bytes().get(from) {
            _ if self.is_escaped() => escaped_end(text, from),
            Some(b'{') if let Some(end) = template_end(text, from) => end,
            Some(b'"' | b'\'' | b'{' | b'[' | b'\\') | None => value_end(text, from, self.separator),
            _ if self.quoted => {
                skip(text, from, |byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte))
            }
            _ => value_end(text, from, self.separator),
        }
    }

    /// Is the sign the `%3D` of an address?
    pub(super) fn is_escaped(&self) -> bool {
        self.text.as_bytes().get(self.sign) == Some(&b'%')
    }

    /// Where the value begins, or the scheme of its header.
    pub(super) fn from(&self) -> usize {
        if self.is_escaped() {
            return self.sign + 3;
        }
        skip(self.text, self.sign + 1, |byte| byte.is_ascii_whitespace() || byte == b'>')
    }

    /// Bytes of the scheme and its space in `Authorization: Basic …`.
    pub(super) fn scheme(&self, from: usize) -> usize {
        let header = !self.quoted && name::is_authorization(&self.name);
        let rest = self.text.get(from..).filter(|_| header).unwrap_or_default();
        let scheme = ["basic ", "bearer ", "digest ", "token "]
            .iter()
            .find(|scheme| rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)));
        scheme.map_or(0, |scheme| scheme.len())
    }

    pub(super) fn is_query(&self) -> bool {
        matches!(self.separator, Some(b'?' | b'&'))
    }
}

/// Bytes of the run at the end of `text`, of so many at most.
fn run_before(text: &str, most: usize, takes: impl Fn(u8) -> bool) -> usize {
    text.bytes().rev().take(most).take_while(|byte| takes(*byte)).count()
}

/// Where a value ends that `%3D` assigns: before the `%26` at the latest that stands for a `&`.
fn escaped_end(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    let ends = |at: usize, byte: u8| {
        byte.is_ascii_whitespace()
            || b"&\"'<>".contains(&byte)
            || rest.get(at..).is_some_and(|rest| rest.starts_with(b"%26"))
    };
    from + rest.iter().enumerate().position(|(at, byte)| ends(at, *byte)).unwrap_or(rest.len())
}

/// Where a `{{ … }}` ends that begins here, with what stands directly behind it.
fn template_end(text: &str, from: usize) -> Option<usize> {
    let near = text.as_bytes().get(from..)?.iter().take(MAX_TEMPLATE);
    let near: Vec<u8> = near.copied().collect();
    let end = near.windows(2).position(|two| two == b"}}").filter(|_| near.starts_with(b"{{"))?;
    Some(skip(text, from + end + 2, |byte| !byte.is_ascii_whitespace() && !b"\"',;)]}&<".contains(&byte)))
}

/// Does the sign assign, and is not a part of `==`, `::`, `://`, or of another escape?
fn is_assignment(text: &str, sign: usize) -> bool {
    let byte = |at: usize| text.as_bytes().get(at);
    let after = byte(sign + 1);
    match byte(sign) {
        Some(b':') => {
            !matches!(after, Some(b':' | b'='))
                && slashes(text, sign).is_none()
                && sign.checked_sub(1).and_then(byte) != Some(&b':')
        }
        Some(b'%') => after == Some(&b'3') && matches!(byte(sign + 2), Some(b'D' | b'd')),
        _ => after != Some(&b'='),
    }
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%')
}

/// Of a name in JSON that spells some of its letters `\u0070`.
fn is_escaped_name(byte: u8) -> bool {
    is_name(byte) || byte == b'\\'
}

/// `%70assword` as the server reads it; of `user%3Du%26password` the last name.
fn unescaped(name: &str) -> String {
    let mut pieces = name.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        spell(&mut out, piece, 2);
    }
    let last = out.rsplit(['&', '?', '=', '/', ';']).next().unwrap_or_default();
    last.to_owned()
}

/// `\u0070assword` as a reader of JSON does; in a string of its own the backslash is doubled.
fn json_unescaped(name: &str) -> String {
    let mut pieces = name.split("\\u");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        spell(&mut out, piece, 4);
    }
    out.replace('\\', "")
}

/// Adds a piece that begins with so many digits of a letter, if they are those of one.
fn spell(out: &mut String, piece: &str, digits: usize) {
    let code = piece.get(..digits).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let byte = code.filter(u8::is_ascii);
    out.extend(byte.map(char::from));
    out.push_str(byte.and_then(|_| piece.get(digits..)).unwrap_or(piece));
}
