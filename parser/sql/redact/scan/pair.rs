//! Names that say that the value beside them is a secret: `name=…`, `"name": …`, `name => …`; and tokens that say so themselves.

use std::sync::LazyLock;

use memchr::{memchr_iter, memmem::Finder};

use super::super::name;
use super::announcement::Words;
use super::call::{ends_with_comment, is_name, trim_end};

/// A name is no longer.
const MAX_NAME: usize = 64;

/// A part of each such name.
pub(super) static PARTS: Words = Words::new(&[
    b"secret", b"token", b"crede", b"key", b"authori", b"pass", b"pw", b"jwt", b"phrase", b"sig",
]);

/// Made once: to make one costs as much as to look through a short text.
static ARROW: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("=>"));
static BEARER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("earer "));
static BASIC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("asic "));

/// `api_key=…`
pub(super) fn equals(bytes: &[u8]) -> bool {
    memchr_iter(b'=', bytes).any(|sign| {
        let last = sign.checked_sub(1).and_then(|last| bytes.get(last));
        let compares = matches!(last, Some(b':' | b'<' | b'>' | b'!' | b'='));
        !compares && is_before(bytes, sign)
    })
}

/// `token => …`
pub(super) fn names_argument(bytes: &[u8]) -> bool {
    ARROW.find_iter(bytes).any(|sign| is_before(bytes, sign) || is_behind_comment(bytes, sign))
}

/// `"apiKey": …`, `token := …`, by the `:` at `sign`.
pub(super) fn is_given(bytes: &[u8], sign: usize) -> bool {
    let after = bytes.get(sign + 1);
    let casts = after == Some(&b':') || sign.checked_sub(1).and_then(|last| bytes.get(last)) == Some(&b':');
    !casts && (is_before(bytes, sign) || after == Some(&b'=') && is_behind_comment(bytes, sign))
}

/// `Bearer …` and `Basic …` of a header.
pub(super) fn authorizes(bytes: &[u8]) -> bool {
    BEARER.find(bytes).is_some() || BASIC.find(bytes).is_some()
}

/// Does the name before the sign say so?
fn is_before(bytes: &[u8], sign: usize) -> bool {
    let before = bytes.get(..sign).unwrap_or_default();
    let around =
        |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r' | b'"' | b'\'' | b'\\' | b'(' | b')' | b'[' | b']');
    let around = before.iter().rev().take_while(around).count();
    let before = before.get(..sign - around).unwrap_or_default();
    let length =
        before.iter().rev().take(MAX_NAME).take_while(|byte| is_name(byte) || **byte == b'-').count();
    let (before, name) = before.split_at_checked(before.len() - length).unwrap_or_default();
    PARTS.are_in(name)
        && str::from_utf8(name).is_ok_and(|name| {
            name::is_secret_pair(name)
                || matches!(before.last(), Some(b'?' | b'&')) && name::is_secret_query(name)
        })
}

/// A comment may stand between a name and the sign.
fn is_behind_comment(bytes: &[u8], sign: usize) -> bool {
    let before = bytes.get(..sign).unwrap_or_default();
    let trimmed = trim_end(before);
    trimmed.ends_with(b"*/") || ends_with_comment(trimmed, before)
}
