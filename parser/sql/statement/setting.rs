//! PostgreSQL's settings that decide how the texts behind them are read: `client_encoding` and
//! `standard_conforming_strings`. Within a pipeline the server tells of a change at its end only.

use std::borrow::Cow;

use super::read::name;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;
use crate::sql::literal::value;

/// A change of how texts are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<'a> {
    /// Their encoding; none for the session's first.
    Encoding(Option<Cow<'a, str>>),
    /// Whether a backslash in `'…'` is an ordinary character; none for what it was first.
    Conforming(Option<bool>),
    /// Both are what they were first.
    First,
    /// The text does not tell.
    Unknown,
}

impl Reading<'_> {
    /// The same, with names of its own.
    pub(super) fn into_owned(self) -> Reading<'static> {
        match self {
            Self::Encoding(name) => Reading::Encoding(name.map(|name| Cow::Owned(name.into_owned()))),
            Self::Conforming(on) => Reading::Conforming(on),
            Self::First => Reading::First,
            Self::Unknown => Reading::Unknown,
        }
    }
}

/// Whether a text may call `set_config`.
pub(super) fn calls_set_config(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_called = |place: usize| {
        let word = place.checked_sub(3).and_then(|start| bytes.get(start..place + 7));
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"set_config"))
    };
    memchr::memchr_iter(b'_', bytes).any(is_called)
}

/// `SET [SESSION | LOCAL] name { TO | = } value`, `SET NAMES value`
pub(super) fn set<'a>(cursor: &mut Cursor<'a>) -> Option<Reading<'a>> {
    cursor.skip(&["session", "local"]);
    if cursor.eat("names") {
        return Some(Reading::Encoding(argument(cursor)));
    }
    let name = name(cursor)?;
    if cursor.eat("from") {
        return is_followed(&name).then_some(Reading::Unknown);
    }
    if !cursor.eat("to") {
        cursor.eat_kind(Kind::Operator)?;
    }
    of(&name, argument(cursor))
}

/// `RESET { name | ALL }`
pub(super) fn reset<'a>(cursor: &mut Cursor<'a>) -> Option<Reading<'a>> {
    if cursor.at("all") { Some(Reading::First) } else { of(&name(cursor)?, None) }
}

/// `SELECT set_config('name', 'value', …)`, wherever it stands.
pub(super) fn set_config<'a>(cursor: &mut Cursor<'a>) -> Option<Reading<'a>> {
    let mut found = None;
    while let Some(token) = cursor.take() {
        let spelling = cursor.spelling(token).trim_matches('"');
        if !spelling.eq_ignore_ascii_case("set_config") || cursor.eat_kind(Kind::Open).is_none() {
            continue;
        }
        let literal = |cursor: &mut Cursor<'a>| {
            let token = cursor.eat_kind(Kind::String)?;
            // A literal alone: what an expression makes of it nobody here knows.
            let ends = matches!(cursor.kind(), Some(Kind::Comma | Kind::Close));
            ends.then(|| value(cursor.spelling(token), cursor.dialect, '\\').text)
        };
        let reading = match literal(cursor) {
            Some(name) if !is_followed(&name) => continue,
            Some(name) => {
                cursor.take();
                literal(cursor).map_or(Some(Reading::Unknown), |value| of(&name, Some(value)))
            }
            None => Some(Reading::Unknown),
        };
        found = if found.is_none() { reading } else { Some(Reading::Unknown) };
    }
    found
}

fn is_followed(name: &str) -> bool {
    ["client_encoding", "standard_conforming_strings"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn of<'a>(name: &str, value: Option<Cow<'a, str>>) -> Option<Reading<'a>> {
    if name.eq_ignore_ascii_case("client_encoding") {
        return Some(Reading::Encoding(value));
    }
    is_followed(name).then(|| match value.map(|value| boolean(&value)) {
        None => Reading::Conforming(None),
        Some(Some(on)) => Reading::Conforming(Some(on)),
        Some(None) => Reading::Unknown,
    })
}

/// A value as it is written; none for `DEFAULT`, or where there is none.
fn argument<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    if cursor.at("default") {
        return None;
    }
    let token = cursor.take()?;
    let spelling = cursor.spelling(token);
    Some(match token.kind {
        Kind::String => value(spelling, cursor.dialect, '\\').text,
        _ => Cow::Borrowed(spelling.trim_matches('"')),
    })
}

/// A boolean as the server reads it.
fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let begins = |word: &str| !value.is_empty() && word.starts_with(&value);
    if value == "on" || value == "1" || begins("true") || begins("yes") {
        return Some(true);
    }
    let off = value == "of" || value == "off" || value == "0" || begins("false") || begins("no");
    off.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, Effect, effect};

    #[test]
    fn a_change_of_how_texts_are_read_is_found() {
        let encoding = |name: &'static str| Some(Reading::Encoding(Some(name.into())));
        for (text, expected) in [
            ("set client_encoding = 'LATIN1'", encoding("LATIN1")),
            ("SET SESSION Client_Encoding TO utf8;", encoding("utf8")),
            ("set local client_encoding to \"UTF8\"", encoding("UTF8")),
            ("set names 'sjis'", encoding("sjis")),
            ("set names", Some(Reading::Encoding(None))),
            ("set client_encoding to default", Some(Reading::Encoding(None))),
            ("set client_encoding from current", Some(Reading::Unknown)),
            ("reset client_encoding", Some(Reading::Encoding(None))),
            ("RESET ALL", Some(Reading::First)),
            ("set standard_conforming_strings = OFF", Some(Reading::Conforming(Some(false)))),
            ("set standard_conforming_strings to 1", Some(Reading::Conforming(Some(true)))),
            ("reset standard_conforming_strings", Some(Reading::Conforming(None))),
            ("select 1, SET_CONFIG('client_encoding', 'win1251', false)", encoding("win1251")),
            ("select pg_catalog.set_config($1, $2, true)", Some(Reading::Unknown)),
            ("select set_config('client_encoding', $1, true)", Some(Reading::Unknown)),
            ("select set_config('client_' || 'encoding', 'utf8', true)", Some(Reading::Unknown)),
            ("select set_config('app.user', 'ana', true)", None),
            ("select a_set_configuration from t", None),
            ("set search_path to a, b", None),
            ("set session authorization ana", None),
            ("reset role", None),
        ] {
            let expected = expected.map_or(Effect::None, Effect::Read);
            assert_eq!(effect(text, Dialect::POSTGRES), expected, "{text}");
        }
        assert_eq!(
            effect("set names 'sjis'", Dialect::POSTGRES).into_owned(),
            Effect::Read(Reading::Encoding(Some("sjis".into())))
        );
    }
}
