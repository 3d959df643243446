//! Passwords in connection strings, addresses and command lines.
//!
//! libpq's `host=h password=…` (<https://www.postgresql.org/docs/current/libpq-connect.html>), ODBC's `UID=u;PWD=…`,
//! `scheme://user:password@host/?password=…`.

mod address;
mod label;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::Range};

use memchr::memchr2_iter;

use super::name;
use address::{slashed, slashes, uri};
use label::labelled;

/// What a text is known to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything: only what names itself a password is one.
    Any,
    /// A text in a statement about who may log in: any secret's name counts.
    Secret,
    /// A connection string: the same, and an address goes on to the end of the text.
    Connection,
    /// A routine in another language than SQL: the same, where the value is a string.
    Code,
}

/// Calls `hide` for each secret of a text. True where the text ends just before one: `'… password=' || x`.
pub(super) fn secrets(text: &str, form: Form, mut hide: impl FnMut(Range<usize>)) -> bool {
    let assigned = assigned(text, form, &mut hide);
    let labelled = labelled(text, &mut hide);
    if form == Form::Connection {
        slashed(text, &mut hide);
    }
    // Each literal of a routine is read by itself.
    form != Form::Code && uri(text, form, &mut hide) || assigned || labelled
}

/// `password=…`, `sslpassword = …`, `PGPASSWORD=…`, `password: …`, `{"password": "…"}`.
fn assigned(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let is_secret = if form == Form::Any { name::is_password } else { name::is_secret };
    let (mut end, mut open) = (0, false);
    for sign in memchr2_iter(b'=', b':', text.as_bytes()) {
        if sign < end || !is_assignment(text, sign) {
            continue;
        }
        let before = text.get(..sign).unwrap_or_default().trim_ascii_end();
        // A member's name in JSON, which may be in a string of its own.
        let name = before.trim_end_matches(['"', '\'', '\\', '(', ')', '[', ']', ':']);
        let quoted = name.len() < before.len();
        let start = name.len() - name.bytes().rev().take_while(|byte| is_name(*byte)).count();
        let name = name.get(start..).unwrap_or_default();
        // An address may spell its names with escapes.
        let name = if name.contains('%') { Cow::Owned(unescaped(name)) } else { Cow::Borrowed(name) };
        if !is_secret(&name) {
            continue;
        }
        let separator = before.get(..start).unwrap_or_default().trim_ascii_end().bytes().next_back();
        let from = skip(text, sign + 1, |byte| byte.is_ascii_whitespace() || byte == b'>');
        let string = skip(text, from, |byte| byte.is_ascii_alphabetic());
        if form == Form::Code && !matches!(text.as_bytes().get(string), Some(b'"' | b'\'' | b'`')) {
            continue;
        }
        let from = if form == Form::Code { string } else { from };
        end = match text.as_bytes().get(from) {
            Some(b'"' | b'\'' | b'{' | b'[' | b'\\') | None => value_end(text, from, separator),
            _ if quoted => skip(text, from, |byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte)),
            _ => value_end(text, from, separator),
        };
        open |= hide_value(text, from..end, hide);
    }
    open
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

/// Hides a value, less its quotes. True where another text brings it: it is missing, or a place for `format` to fill.
fn hide_value(text: &str, range: Range<usize>, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let value = text.get(range.clone()).unwrap_or_default();
    if value.starts_with('%') && value.len() < 6 {
        return true;
    }
    let quoted = value.len() > 2
        && matches!(
            (value.bytes().next(), value.bytes().next_back()),
            (Some(b'\''), Some(b'\'')) | (Some(b'"'), Some(b'"'))
        );
    let quotes = usize::from(quoted);
    if !range.is_empty() {
        hide(range.start + quotes..range.end - quotes);
    }
    let unfinished = !quoted && value.starts_with(['\'', '"']);
    unfinished || range.start >= text.len()
}

/// Where a value ends that begins at `from`; `separator` is what stands before its name.
fn value_end(text: &str, from: usize, separator: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    // In a piece of a statement the quotes may still be doubled: `password=''…''`.
    let rest = text.get(from..).unwrap_or_default();
    if let Some(value) =
        rest.strip_prefix("''").filter(|rest| rest.starts_with(|c: char| c.is_alphanumeric()))
    {
        return value.find("''").map_or(text.len(), |end| from + end + 4);
    }
    let mut at = from;
    let close = match bytes.get(from) {
        Some(quote @ (b'\'' | b'"')) => Some(*quote),
        Some(b'{') => Some(b'}'),
        Some(b'[') => Some(b']'),
        _ => None,
    };
    at += usize::from(close.is_some());
    while let Some(byte) = bytes.get(at) {
        match (*byte, close) {
            (b'\\', _) => at += 1,
            (byte, Some(close)) if byte == close && bytes.get(at + 1) == Some(&close) => at += 1,
            // A quote that a letter follows is one that nobody escaped, or not as it is read here.
            (byte, Some(close))
                if byte == close && !bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                return at + 1;
            }
            (b';', None) if separator == Some(b';') => break,
            (b'&', None) if matches!(separator, Some(b'&' | b'?')) => break,
            (byte, None) if byte.is_ascii_whitespace() && separator != Some(b';') => break,
            _ => {}
        }
        at += 1;
    }
    let mut end = at.min(bytes.len());
    // The quote that closes an argument around it, and what follows that.
    while close.is_none()
        && end > from
        && matches!(bytes.get(end - 1), Some(b'\'' | b'"' | b',' | b')' | b';'))
    {
        end -= 1;
    }
    ceil(text, end)
}

/// Where a word stands, in any case.
fn words<'t>(text: &'t str, word: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    let places = text.as_bytes().windows(word.len()).enumerate();
    places.filter(|(_, found)| found.eq_ignore_ascii_case(word)).map(|(at, _)| at)
}

fn is_name(byte: u8) -> bool {
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

/// The end of the run of bytes from `from` on.
pub(super) fn skip(text: &str, from: usize, takes: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| takes(**byte)).count()
}

/// The next boundary of a character.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}
