//! `passw…`, and calls of functions that take a secret, by the bytes around a `w` and before a bracket.

use std::cell::OnceCell;

use memchr::{memchr3_iter, memmem};

use super::super::call::Call;
use super::pair::PARTS;
use crate::sql::Dialect;

pub(super) fn passwords_and_calls(bytes: &[u8], dialect: Dialect, brackets: &mut bool) -> bool {
    let calls = Calls { bytes, dialect, names_secret: OnceCell::new() };
    memchr3_iter(b'w', b'W', b'(', bytes).any(|at| {
        let (before, from) = bytes.split_at_checked(at).unwrap_or_default();
        let bracket = from.first() == Some(&b'(');
        *brackets |= bracket;
        if bracket { calls.is_call(before) } else { is_password(before, from) }
    })
}

/// The calls of a text.
struct Calls<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    /// Some literal may be the name of a secret: looked for once.
    names_secret: OnceCell<bool>,
}

/// Do these bytes stand on both sides of the `w` of a password?
fn is_password(before: &[u8], from: &[u8]) -> bool {
    match before.last().map(|byte| byte | 0x20) {
        Some(b's') => {}
        Some(b'p') => return from.get(1).is_some_and(|next| next | 0x20 == b'd'),
        // As 0x22 and 0x27 have the bit already: a quote.
        Some(b'"' | b'\'') => {}
        _ => return false,
    }
    for (back, letter) in b"ssap".iter().enumerate() {
        match before.len().checked_sub(back + 1).and_then(|at| before.get(at)) {
            Some(byte) if byte | 0x20 == *letter => {}
            Some(b'\'' | b'"') => {
                return is_joined(before.get(..before.len() - back - 1).unwrap_or_default());
            }
            _ => return false,
        }
    }
    true
}

/// May the quote behind these bytes begin the next piece of a literal?
fn is_joined(before: &[u8]) -> bool {
    let trimmed = trim_end(before);
    // A quote, the end of a comment, MySQL's `/*!` or `/*!50000`.
    matches!(trimmed.last(), Some(b'\'' | b'"' | b'/' | b'!' | b'0'..=b'9'))
        || ends_with_comment(trimmed, before)
}

/// May there be a line's comment at the end of `trimmed`, which is `before` less its last white space?
pub(super) fn ends_with_comment(trimmed: &[u8], before: &[u8]) -> bool {
    let line_end =
        before.get(trimmed.len()..).is_some_and(|gap| gap.contains(&b'\n') || gap.contains(&b'\r'));
    line_end && {
        let start = trimmed.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(0);
        let line = trimmed.get(start..).unwrap_or_default();
        memmem::find(line, b"--").is_some() || line.contains(&b'#')
    }
}

impl Calls<'_> {
    /// Does the name before a bracket belong to a function that takes a secret?
    fn is_call(&self, before: &[u8]) -> bool {
        match before {
            [.., last] if is_name(last) => self.takes_secret(before),
            [name @ .., b' '] if name.last().is_some_and(is_name) => self.takes_secret(name),
            [.., b',' | b'(' | b'=', b' '] => false,
            [.., b' ' | b'\t'..=b'\r' | b'"' | b'`' | b'/'] => self.is_distant_call(before),
            _ => false,
        }
    }

    /// The same with anything between the name and its bracket.
    fn is_distant_call(&self, before: &[u8]) -> bool {
        let trimmed = trim_end(before);
        if ends_with_comment(trimmed, before) {
            return true;
        }
        match trimmed.split_last() {
            Some((b'"' | b'`', name)) => self.takes_secret(name),
            Some((b'/', comment)) => comment.last() == Some(&b'*'),
            _ => self.takes_secret(trimmed),
        }
    }

    /// Does the name at the end of these bytes?
    fn takes_secret(&self, before: &[u8]) -> bool {
        let [.., first, second] = before else { return false };
        if !Call::may_end(*first, *second, self.dialect) {
            return false;
        }
        let start = before.len() - before.iter().rev().take_while(|byte| is_name(byte)).count();
        let name = before.get(start..).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        match Call::named(name, self.dialect) {
            Call::Pairs => *self.names_secret.get_or_init(|| PARTS.are_in(self.bytes)),
            call => !call.is_harmless(),
        }
    }
}

pub(super) fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Without the white space at its end; the vertical tab is some as well.
pub(super) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'));
    bytes.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}
