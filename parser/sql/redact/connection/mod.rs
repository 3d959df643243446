//! Passwords in connection strings, addresses and command lines.
//!
//! libpq's `host=h password=…` (<https://www.postgresql.org/docs/current/libpq-connect.html>), ODBC's `UID=u;PWD=…`,
//! `scheme://user:password@host/?password=…`.

mod address;
mod harmless;
mod label;
mod member;
mod pair;
#[cfg(test)]
mod tests;

use std::ops::Range;

use address::{slashed, uri};
use label::{abbreviated, authorized, labelled};
use member::serialized;
use pair::assigned;

/// Signs behind a value that are none of it.
const MAX_TAIL: usize = 64;

/// What a text is known to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything: a sentence may speak of a password.
    Any,
    /// A text in a statement about who may log in: none does.
    Secret,
    /// A connection string: the same, and an address goes on to the end of the text.
    Connection,
    /// A routine in another language than SQL: only a string is a value.
    Code,
}

/// Calls `hide` for each secret of a text. True where the text ends just before one: `'… password=' || x`.
pub(super) fn secrets(text: &str, form: Form, mut hide: impl FnMut(Range<usize>)) -> bool {
    let assigned = assigned(text, form, &mut hide);
    let labelled = labelled(text, &mut hide) | authorized(text, &mut hide);
    abbreviated(text, &mut hide);
    match form {
        Form::Connection => slashed(text, &mut hide),
        _ => serialized(text, &mut hide),
    }
    // Each literal of a routine is read by itself.
    form != Form::Code && uri(text, form, &mut hide) || assigned || labelled
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
        && at - end < MAX_TAIL
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

/// The end of the run of bytes from `from` on.
pub(super) fn skip(text: &str, from: usize, takes: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| takes(**byte)).count()
}

/// The next boundary of a character.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}
