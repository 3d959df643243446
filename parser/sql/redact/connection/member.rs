//! Members that tell the name of a secret and its value apart: `{"name": "password", "value": "…"}`, `["password", "…"]`, PHP's
//! `s:8:"password";s:6:"…";`.

use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::super::{name, prose};
use super::harmless::is_placeholder;
use super::pair::{Pair, is_name};
use super::skip;

/// Bytes of an object around its value that are looked through for its name.
const MAX_OBJECT: usize = 256;

impl Pair<'_> {
    /// Is it the value of an object that another member calls as a secret?
    pub(super) fn is_value_of_secret(&self) -> bool {
        const VALUES: [&str; 4] = ["content", "v", "val", "value"];
        let value = self.quoted && VALUES.iter().any(|known| self.name.eq_ignore_ascii_case(known));
        value && self.object().is_some_and(names_secret)
    }

    /// What is near of the object around it.
    fn object(&self) -> Option<&str> {
        let bracket = |byte: &u8| matches!(byte, b'{' | b'}');
        let (before, behind) = self.text.as_bytes().split_at_checked(self.sign)?;
        let before = before.iter().rev().take(MAX_OBJECT).take_while(|byte| !bracket(byte)).count();
        let behind = behind.iter().take(MAX_OBJECT).take_while(|byte| !bracket(byte)).count();
        let start = (self.sign - before..=self.sign).find(|at| self.text.is_char_boundary(*at))?;
        let end = (self.sign..=self.sign + behind).rev().find(|at| self.text.is_char_boundary(*at))?;
        self.text.get(start..end)
    }
}

/// Has an object a member `"name": "password"`?
fn names_secret(object: &str) -> bool {
    #[rustfmt::skip]
    const NAMES: [&str; 11] =
        ["attribute", "field", "header", "id", "k", "key", "name", "param", "property", "setting", "variable"];
    memchr_iter(b':', object.as_bytes()).any(|sign| {
        let pair = Pair::before(object, sign);
        let named = NAMES.iter().any(|known| pair.name.eq_ignore_ascii_case(known));
        let typed = pair.name.eq_ignore_ascii_case("type");
        let from = skip(object, pair.from(), |byte| matches!(byte, b'\\' | b'"' | b'\''));
        let value = object.get(from..skip(object, from, is_name)).unwrap_or_default();
        pair.quoted && (named && name::is_secret_pair(value) || typed && name::is_password(value))
    })
}

/// `["password", "…"]`, by the name: not a list of fields, or of words about one.
pub(super) fn listed(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let before = text.get(..name.start)?.trim_end_matches(is_name_char);
    let outside = before.strip_suffix('"')?.trim_end_matches('\\').trim_ascii_end();
    let opens = outside.ends_with('[');
    let from = close(text, name.end, ",")?;
    let from = skip(text, from, |byte| byte.is_ascii_whitespace() || byte == b'\\');
    let from = from + usize::from(text.as_bytes().get(from) == Some(&b'"'));
    let value = text.get(from..)?.split('"').next().unwrap_or_default();
    let end = from + value.trim_end_matches('\\').len();
    let value = text.get(from..end)?;
    let field = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let closes = close(text, end, "]").is_some();
    (opens && closes && !field && !is_placeholder(value, "") && !prose::begins_sentence(value))
        .then_some(from..end)
}

/// Behind the quote at `from`, and the sign behind that.
fn close(text: &str, from: usize, sign: &str) -> Option<usize> {
    let rest = text.get(from..)?.trim_start_matches('\\').strip_prefix('"')?;
    let rest = rest.trim_ascii_start().strip_prefix(sign)?;
    Some(text.len() - rest.len())
}

fn is_name_char(char: char) -> bool {
    u8::try_from(char).is_ok_and(is_name)
}

/// PHP's `serialize`, which may stand in a string of JSON.
/// <https://www.php.net/manual/en/function.serialize.php>
pub(super) fn serialized(text: &str, hide: &mut impl FnMut(Range<usize>)) {
    for quote in memmem::find_iter(text.as_bytes(), b"\";") {
        let quoted = text.get(..quote).unwrap_or_default();
        let name = quoted.trim_end_matches('\\');
        // Of a private property, behind the name of its class and a NUL.
        let start = name.trim_end_matches(is_name_char).len();
        let from = quote + 4;
        let value = match text.get(quote + 2..from) {
            Some("s:") if name.get(start..).is_some_and(name::is_secret_pair) => {
                string(text, from, quoted.len() - name.len())
            }
            Some("i:") if name.get(start..).is_some_and(name::is_password) => {
                Some(from..skip(text, from, |byte| byte.is_ascii_digit()))
            }
            _ => None,
        };
        value.into_iter().for_each(&mut *hide);
    }
}

/// The text of `6:"…";` at `from`, whose quotes have so many backslashes before them.
fn string(text: &str, from: usize, backslashes: usize) -> Option<Range<usize>> {
    let digits = skip(text, from, |byte| byte.is_ascii_digit());
    let length: usize = text.get(from..digits)?.parse().ok()?;
    let quote = format!("{}\"", "\\".repeat(backslashes.min(16)));
    let start = digits + 1 + quote.len();
    if !text.get(digits..)?.strip_prefix(':')?.starts_with(&quote) || length == 0 {
        return None;
    }
    let end = format!("{quote};");
    let told =
        start.checked_add(length).filter(|told| text.get(*told..).is_some_and(|rest| rest.starts_with(&end)));
    // In JSON what is escaped is longer; a text that was cut has no end.
    let found = || text.get(start..).and_then(|rest| rest.find(&end)).map(|at| start + at);
    Some(start..told.or_else(found).unwrap_or(text.len()))
}
