//! Passwords that a word announces: `password "…"`, `--password …`, `<password>…</password>`, `the password is …`.

use std::ops::Range;

use super::super::prose;
use super::member::listed;
use super::pair::is_name;
use super::{ceil, hide_value, skip, value_end, words};

/// Bytes of an element of XML that are looked through for its end.
const MAX_ELEMENT: usize = 256;

/// Bytes of a word that are looked at.
const MAX_WORD: usize = 128;

/// Letters of a token that no word of a sentence has.
const LONG_TOKEN: usize = 20;

/// The `password "…"` of a Spider table's comment, `--password …`, `<password>…</password>`.
pub(super) fn labelled(text: &str, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for at in words(text, b"passw") {
        if at < end {
            continue;
        }
        let name = skip(text, at + 5, is_name);
        // What else is in this name ends with it.
        end = name;
        let from = skip(text, name, |byte| byte.is_ascii_whitespace());
        if let Some(told) = told(text, at + 5..name, from).or_else(|| listed(text, at..name)) {
            end = told.end;
            hide(told);
        } else if from > name && text.as_bytes().get(from) == Some(&b'"') {
            end = value_end(text, from, None);
            open |= hide_value(text, from..end, hide);
        } else if from > name && text.get(..at).is_some_and(|before| before.ends_with("--")) {
            end = skip(text, from, |byte| !byte.is_ascii_whitespace());
            open |= hide_value(text, from..end, hide);
        } else if text.as_bytes().get(name) == Some(&b'>') {
            // In other texts than XML the sign compares, and no element ends near.
            let near = text.as_bytes().iter().skip(name + 1).take(MAX_ELEMENT);
            let close = name + 1 + near.take_while(|byte| **byte != b'<').count();
            if close > name + 1 && text.get(close..).is_some_and(|rest| rest.starts_with("</")) {
                end = close;
                hide(name + 1..end);
            }
        }
    }
    open
}

/// `pwd 4X9t2Qe7`
pub(super) fn abbreviated(text: &str, hide: &mut impl FnMut(Range<usize>)) {
    for at in words(text, b"pwd ") {
        let begins = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let alone = begins.is_none_or(|before| !before.is_ascii_alphanumeric());
        if let Some(word) = random_word(text, at + 4).filter(|_| alone) {
            hide(word);
        }
    }
}

/// RFC 6750's `Bearer …`, wherever it stands, and a text that is RFC 7617's `Basic …`.
pub(super) fn authorized(text: &str, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let basic = text.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic ")).map(|_| 6);
    let bearers = words(text, b"bearer ").map(|at| at + 7);
    let mut open = false;
    for start in bearers.chain(basic) {
        let end = skip(text, start, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=%".contains(&byte));
        let token = text.get(start..end).unwrap_or_default();
        if token.is_empty() && start == text.len() || token.starts_with('%') {
            open = true;
        } else if prose::is_random(token) || token.len() >= LONG_TOKEN {
            hide(start..end);
        }
    }
    open
}

/// `… the password is 4X9t2Qe7`: the word, where it can be read in no other way. The rest of the name stands at `tail`.
fn told(text: &str, tail: Range<usize>, from: usize) -> Option<Range<usize>> {
    let apart = text.as_bytes().get(tail.end).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b',');
    let from = from.max(tail.end + 1);
    if !(apart && matches!(text.get(tail)?, "d" | "ord" | "ORD" | "D")) {
        return None;
    }
    let word = word(text, from);
    let next = match text.get(word.clone())? {
        "is" | "was" | "to" | "IS" => skip(text, word.end, |byte| byte.is_ascii_whitespace()),
        _ => word.start,
    };
    random_word(text, next)
}

/// The word at `from`, if nobody can read it.
fn random_word(text: &str, from: usize) -> Option<Range<usize>> {
    let word = word(text, from);
    let random = prose::is_random(text.get(word.start..ceil(text, word.end))?);
    random.then(|| word.start..skip(text, word.end, |byte| !ends_word(byte)))
}

/// The word at `from`, or its beginning.
fn word(text: &str, from: usize) -> Range<usize> {
    let near = text.as_bytes().iter().skip(from).take(MAX_WORD);
    from..from + near.take_while(|byte| !ends_word(**byte)).count()
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"'\"`,;".contains(&byte)
}
