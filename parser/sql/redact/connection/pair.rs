//! `name=value`, `name: value`, `{"name": "value"}`, `?name=value`: what is called as a secret is one, unless it is a word of a
//! sentence.

use std::{borrow::Cow, ops::Range};

use memchr::memchr2_iter;

use super::super::{name, prose};
use super::address::slashes;
use super::{Form, hide_value, skip, value_end};

/// A name, and the sign that gives it a value.
struct Pair<'t> {
    text: &'t str,
    name: Cow<'t, str>,
    /// It has quotes, as in JSON.
    quoted: bool,
    /// What stands before it.
    separator: Option<u8>,
    /// The place of the `=` or the `:`.
    sign: usize,
}

/// `password=…`, `sslpassword = …`, `PGPASSWORD=…`, `password: …`, `{"apiKey": "…"}`, `?token=…`.
pub(super) fn assigned(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for sign in memchr2_iter(b'=', b':', text.as_bytes()) {
        if sign < end || !is_assignment(text, sign) {
            continue;
        }
        let pair = Pair::before(text, sign);
        let Some(value) = pair.value(form) else { continue };
        end = value.end;
        open |= hide_value(text, value, hide);
    }
    open
}

impl<'t> Pair<'t> {
    fn before(text: &'t str, sign: usize) -> Self {
        let before = text.get(..sign).unwrap_or_default().trim_ascii_end();
        // A member's name in JSON, which may be in a string of its own.
        let name = before.trim_end_matches(['"', '\'', '\\', '(', ')', '[', ']', ':']);
        let quoted = name.len() < before.len();
        let start = name.len() - name.bytes().rev().take_while(|byte| is_name(*byte)).count();
        let name = name.get(start..).unwrap_or_default();
        let separator = before.get(..start).unwrap_or_default().trim_ascii_end().bytes().next_back();
        // An address may spell its names with escapes.
        let name = if name.contains('%') { Cow::Owned(unescaped(name)) } else { Cow::Borrowed(name) };
        Self { text, name, quoted, separator, sign }
    }

    /// Where the value is, if it is a secret; empty where another text brings it.
    fn value(&self, form: Form) -> Option<Range<usize>> {
        let query = self.is_query() && name::is_secret_query(&self.name);
        if !query && !name::is_secret_pair(&self.name) {
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
        let end = match text.as_bytes().get(from) {
            Some(b'"' | b'\'' | b'{' | b'[' | b'\\') | None => value_end(text, from, self.separator),
            _ if self.quoted => {
                skip(text, from, |byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte))
            }
            _ => value_end(text, from, self.separator),
        };
        let value = text.get(from..end)?;
        let stays = query && !prose::is_random(value) || form == Form::Any && self.is_harmless(from, value);
        (!stays).then_some(from..end)
    }

    /// Where the value begins, or the scheme of its header.
    fn from(&self) -> usize {
        skip(self.text, self.sign + 1, |byte| byte.is_ascii_whitespace() || byte == b'>')
    }

    /// Bytes of the scheme and its space in `Authorization: Basic …`.
    fn scheme(&self, from: usize) -> usize {
        let header = !self.quoted && name::is_authorization(&self.name);
        let rest = self.text.get(from..).filter(|_| header).unwrap_or_default();
        let scheme = ["basic ", "bearer ", "digest ", "token "]
            .iter()
            .find(|scheme| rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)));
        scheme.map_or(0, |scheme| scheme.len())
    }

    fn is_query(&self) -> bool {
        matches!(self.separator, Some(b'?' | b'&'))
    }

    /// Is the value a word of a sentence, or one that nobody would call a secret?
    fn is_harmless(&self, from: usize, value: &str) -> bool {
        let spaced = from > self.sign + 1;
        let sentence =
            spaced && !self.quoted && prose::begins_sentence(self.text.get(from..).unwrap_or_default());
        // The end of an element, what somebody else has hidden, MySQL's `(using password: YES)`.
        let hidden = value.starts_with("</")
            || !value.is_empty() && value.bytes().all(|byte| byte == b'*')
            || matches!(value, "YES" | "NO");
        sentence || hidden || !name::is_password(&self.name) && self.is_remark(value)
    }

    /// A count, a placeholder, or what follows a word that people use in talk: `token: expired`.
    fn is_remark(&self, value: &str) -> bool {
        let bare = value.trim_end_matches([',', ';', ')', '.']);
        let count = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let placeholder = value.starts_with(['$', '?']) && value.len() < 4;
        let talk = !self.quoted
            && self.text.as_bytes().get(self.sign) == Some(&b':')
            && name::is_common_word(&self.name)
            && self.scheme(self.from()) == 0
            && !value.starts_with(['"', '\''])
            && !prose::is_random(value);
        count || placeholder || talk || matches!(bare, "true" | "false" | "null" | "None" | "NULL")
    }
}

/// Does the `=` or `:` at `sign` assign, and is not a part of `==`, `::`, `://`?
fn is_assignment(text: &str, sign: usize) -> bool {
    let byte = |at: usize| text.as_bytes().get(at);
    let after = byte(sign + 1);
    match byte(sign) {
        Some(b':') => {
            !matches!(after, Some(b':' | b'='))
                && slashes(text, sign).is_none()
                && sign.checked_sub(1).and_then(byte) != Some(&b':')
        }
        _ => after != Some(&b'='),
    }
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%')
}

/// `%70assword` as the server reads it.
fn unescaped(name: &str) -> String {
    let mut pieces = name.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = code.filter(u8::is_ascii);
        out.extend(byte.map(char::from));
        out.push_str(byte.and_then(|_| piece.get(2..)).unwrap_or(piece));
    }
    out
}
