//! Which parameters of a statement are secret, and what of them.

use super::super::Dialect;
use super::super::lexer::{Kind, Lexer};
use super::hidden::{Hidden, LITERAL};
use super::{Redacted, name, said};

/// A parameter whose value is not to be shown as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretParameter {
    /// Its place, from 0: `$1` and the first `?` are 0.
    pub place: u16,
    /// How much of it.
    pub part: SecretPart,
}

/// How much of a parameter is secret.
///
/// Of two that are said of one parameter the first one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPart {
    /// All of it: a password, a key.
    Whole,
    /// What [`redact_value`] finds: a connection string, a statement.
    Within,
    /// The value of a setting, whose name is the parameter at this place: see [`is_secret_setting`].
    Setting(u16),
}

/// Hides the secrets of a value that is a connection string, an address or a statement; `None` where there are none.
pub fn redact_value(value: &str, dialect: Dialect) -> Option<String> {
    said::value(value, dialect)
}

/// Hides what a text says of secrets itself, as in a literal of any statement: the password of an address, `password=…`, a
/// statement about a user. `None` where there is none, which costs little to see.
pub fn redact_text(text: &str, dialect: Dialect) -> Option<String> {
    said::told(text, dialect)
}

/// The same of a text of which only the beginning is known.
pub fn redact_text_head(head: &str, dialect: Dialect) -> Option<String> {
    said::told_head(head, dialect)
}

/// Whether [`redact_text`] may find anything in a value of these bytes, in whatever encoding: a name has letters (but for the
/// user of an address), and between it and a secret is a sign or a space. Most values are told to be harmless by this alone: numbers, times, names, ids.
pub fn may_tell(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).take(SHORTEST_NAME).count();
    (letters == SHORTEST_NAME || value.contains(&b'@')) && !value.iter().all(|byte| is_of_a_word(*byte))
}

/// Of `pw`.
const SHORTEST_NAME: usize = 2;

/// Letters, digits, what is not ASCII, and the signs of which names, numbers and addresses without a password are made.
fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, 0x80..|b'_'| b'-' | b'.' | b',' | b'+' | b'@' | b'/' | b'#' | b'*' | b'!')
}

/// Does the setting of this name hold a secret, or may it?
pub fn is_secret_setting(name: &str) -> bool {
    name::is_secret(name) || name::is_connection(name) || name::is_command(name)
}

/// Hides the arguments of `EXECUTE name (…)` and of MySQL's `EXECUTE name USING …` at the places of the secret parameters
/// of what it runs, or all of them where `secret` is `None`: nobody knows what it runs. `None` where nothing is hidden.
/// `text` may say EXPLAIN before it, and may be of several statements; `secret` is in the order of places.
pub fn redact_arguments<'a>(
    text: &'a str,
    dialect: Dialect,
    secret: Option<&[SecretParameter]>,
) -> Option<Redacted<'a>> {
    let mut hidden = Hidden::default();
    let is_secret = |place| {
        secret.is_none_or(|secret| secret.binary_search_by_key(&place, |secret| secret.place).is_ok())
    };
    let rule = if secret.is_some() { "password" } else { "arguments" };
    let (mut depth, mut place, mut executes) = (0u32, 0u16, false);
    for token in Lexer::new(text.as_bytes(), dialect) {
        match token.kind {
            Kind::Word => {
                let word = text.get(token.start..token.end).unwrap_or_default();
                let using = executes && depth == 0 && !dialect.is_postgres();
                depth += u32::from(using && word.eq_ignore_ascii_case("using"));
                executes |= word.eq_ignore_ascii_case("execute");
            }
            Kind::Semicolon => (depth, place, executes) = (0, 0, false),
            Kind::Open | Kind::OpenBracket if executes => depth += 1,
            Kind::Close | Kind::CloseBracket => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 1 => place = place.saturating_add(1),
            Kind::String | Kind::Number if depth > 0 && is_secret(place) => {
                hidden.hide(token.start..token.end, LITERAL, rule);
            }
            _ => {}
        }
    }
    hidden.applied(text)
}
