//! Names that say that the value beside them is a secret: `name=…`, `"name": …`, `name => …`; and tokens that say so themselves.

use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2_iter, memmem::Finder};

use super::super::name;
use super::announcement::Words;
use super::call::{ends_with_comment, is_name, trim_end};

/// A name is no longer.
const MAX_NAME: usize = 64;

/// Bytes before a value that are looked through for its name.
const MAX_OBJECT: usize = 192;

/// A part of each such name.
pub(super) static PARTS: Words = Words::new(&[
    b"secret", b"token", b"crede", b"key", b"authori", b"pass", b"pw", b"jwt", b"phrase", b"sig",
]);

/// Made once: to make one costs as much as to look through a short text.
static ARROW: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("=>"));

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
    !casts
        && (is_before(bytes, sign)
            || after == Some(&b'=') && is_behind_comment(bytes, sign)
            || is_serialized(bytes, sign)
            || is_value(bytes, sign))
}

/// PHP's `s:5:"token";s:6:"…"`, by the `:` behind the second `s`.
fn is_serialized(bytes: &[u8], sign: usize) -> bool {
    bytes.get(..sign).is_some_and(|before| before.ends_with(b";s")) && is_before(bytes, sign - 2)
}

/// `"name": "api_key", "value": …`, by the last `:`.
fn is_value(bytes: &[u8], sign: usize) -> bool {
    let before = bytes.get(..sign).unwrap_or_default();
    let [before @ .., b'"'] = before else { return false };
    let value = before.strip_suffix(b"\\").unwrap_or(before).strip_suffix(b"value");
    value.is_some_and(|object| {
        PARTS.are_in(object.get(object.len().saturating_sub(MAX_OBJECT)..).unwrap_or(object))
    })
}

/// `Bearer …` and `Basic …` of a header.
pub(super) fn authorizes(bytes: &[u8]) -> bool {
    let begins = |at: usize, rest: &[u8]| {
        let word = bytes.get(at + 1..at + 1 + rest.len());
        word.is_some_and(|word| word.eq_ignore_ascii_case(rest))
    };
    memchr2_iter(b'b', b'B', bytes).any(|at| begins(at, b"earer ") || begins(at, b"asic "))
}

/// COPY's `PROGRAM '…'` of a statement in a literal.
pub(super) fn runs_program(bytes: &[u8]) -> bool {
    memchr2_iter(b'g', b'G', bytes).any(|at| {
        let (before, behind) = bytes.split_at_checked(at + 1).unwrap_or_default();
        let before = before.len().checked_sub(4).and_then(|start| before.get(start..));
        let word = before.is_some_and(|word| word.eq_ignore_ascii_case(b"prog"))
            && behind.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"ram"));
        let next = || behind.get(3..).unwrap_or_default().trim_ascii_start().first();
        word && matches!(next(), Some(b'\'' | b'"' | b'$' | b'\\' | b'e' | b'E' | b'u' | b'U'))
    })
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
