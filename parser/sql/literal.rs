//! What a literal says: without its quotes, its prefix and its escapes.
//!
//! PostgreSQL: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS>,
//! MySQL: <https://dev.mysql.com/doc/refman/8.4/en/string-literals.html>.

use std::borrow::Cow;

use super::Dialect;
use super::lexer::gap_between_pieces;
use super::mysql::literal::escaped;

/// The text that a literal stands for.
pub(super) struct Value<'a> {
    pub(super) text: Cow<'a, str>,
    /// Where the text begins in the literal, if it stands there to the byte.
    pub(super) offset: Option<usize>,
}

/// The text of one string token, joined pieces and all. `escape` is that of a `U&'…'`. Bytes that are no ASCII and were
/// written as escapes become U+FFFD: what is looked for is ASCII.
pub(super) fn value(literal: &str, dialect: Dialect, escape: char) -> Value<'_> {
    if literal.starts_with('$') {
        return dollar(literal);
    }
    if let Some(digits) = hex_number(literal) {
        return Value { text: Cow::Owned(hex(digits)), offset: None };
    }
    let quote = literal.find(['\'', '"']).unwrap_or(literal.len());
    let (prefix, rest) = literal.split_at_checked(quote).unwrap_or((literal, ""));
    let escapes = Escapes::of(prefix, dialect, escape);
    if escapes == Escapes::Hex {
        return Value { text: Cow::Owned(hex(rest)), offset: None };
    }
    let mark = rest.chars().next().unwrap_or('\'');
    let body = rest.get(1..).unwrap_or_default();
    let body = body.strip_suffix(mark).unwrap_or(body);
    let plain = !body.contains(mark) && !escapes.mark().is_some_and(|mark| body.contains(mark));
    if plain {
        return Value { text: Cow::Borrowed(body), offset: Some(quote + 1) };
    }
    Value { text: Cow::Owned(decoded(rest, escapes, dialect)), offset: None }
}

/// A literal that says `text`.
pub(super) fn quoted(text: &str, dialect: Dialect) -> String {
    let text = text.replace('\'', "''");
    let escapes = Escapes::of("", dialect, '\\') != Escapes::None && text.contains('\\');
    let text = if escapes { text.replace('\\', "\\\\") } else { text };
    format!("'{text}'")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    /// `E'…'`
    Postgres,
    Mysql,
    /// `U&'…'`, by this character.
    Unicode(char),
    /// `X'…'`
    Hex,
}

impl Escapes {
    fn of(prefix: &str, dialect: Dialect, escape: char) -> Self {
        // The last word of `_latin1 X'…'`.
        let word = prefix.rsplit(|char: char| char.is_ascii_whitespace()).next().unwrap_or_default();
        match (word.as_bytes().first().map(|byte| byte | 0x20), dialect) {
            (Some(b'x'), _) => Self::Hex,
            (Some(b'u'), _) => Self::Unicode(escape),
            (Some(b'e'), _) | (_, Dialect::Postgres { standard_conforming_strings: false }) => Self::Postgres,
            (_, Dialect::Mysql { no_backslash_escapes: false, .. }) => Self::Mysql,
            _ => Self::None,
        }
    }

    fn mark(self) -> Option<char> {
        match self {
            Self::None | Self::Hex => None,
            Self::Postgres | Self::Mysql => Some('\\'),
            Self::Unicode(mark) => Some(mark),
        }
    }
}

fn dollar(literal: &str) -> Value<'_> {
    let tag = literal.get(1..).and_then(|rest| rest.find('$')).unwrap_or_default() + 2;
    let body = literal.get(tag..literal.len().saturating_sub(tag)).unwrap_or_default();
    Value { text: Cow::Borrowed(body), offset: Some(tag) }
}

/// The digits of MySQL's `0x…`, which is a string wherever one can stand, also behind `_utf8mb4`.
fn hex_number(literal: &str) -> Option<&str> {
    let word = literal.rsplit(|char: char| char.is_ascii_whitespace()).next()?;
    word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))
}

fn hex(pieces: &str) -> String {
    let digits: Vec<u8> = pieces
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0u8, |byte, digit| byte.wrapping_shl(4) | digit))
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The pieces of a literal from its first quote on, joined.
fn decoded(pieces: &str, escapes: Escapes, dialect: Dialect) -> String {
    let mut out = String::with_capacity(pieces.len());
    let mut rest = pieces;
    while let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
        rest = piece(rest.get(1..).unwrap_or_default(), quote, escapes, &mut out);
        rest = rest.get(gap_between_pieces(rest, dialect)..).unwrap_or_default();
    }
    out
}

/// Decodes up to the closing quote; what follows it.
fn piece<'a>(body: &'a str, quote: char, escapes: Escapes, out: &mut String) -> &'a str {
    let mut rest = body;
    loop {
        let mut chars = rest.chars();
        let Some(char) = chars.next() else { return "" };
        rest = chars.as_str();
        if char == quote {
            let Some(after) = rest.strip_prefix(quote) else { return rest };
            rest = after;
            out.push(quote);
        } else if escapes.mark() == Some(char) {
            rest = match escapes {
                Escapes::Unicode(mark) => unicode(rest, mark, out),
                Escapes::Postgres => postgres(rest, out),
                _ => mysql(rest, out),
            };
        } else {
            out.push(char);
        }
    }
}

fn postgres<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(first) = rest.chars().next() else { return "" };
    let after = rest.get(first.len_utf8()..).unwrap_or_default();
    match first {
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        '0'..='7' => return number(rest, 8, 3, out),
        'x' => return number(after, 16, 2, out),
        'u' => return number(after, 16, 4, out),
        'U' => return number(after, 16, 8, out),
        other => out.push(other),
    }
    after
}

fn mysql<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(first) = rest.chars().next() else { return "" };
    escaped(first, out);
    rest.get(first.len_utf8()..).unwrap_or_default()
}

fn unicode<'a>(rest: &'a str, mark: char, out: &mut String) -> &'a str {
    if let Some(after) = rest.strip_prefix(mark) {
        out.push(mark);
        return after;
    }
    match rest.strip_prefix('+') {
        Some(after) => number(after, 16, 6, out),
        None => number(rest, 16, 4, out),
    }
}

/// A character by its number, of so many digits at most.
fn number<'a>(rest: &'a str, radix: u32, most: usize, out: &mut String) -> &'a str {
    let digits = rest.bytes().take(most).take_while(|byte| char::from(*byte).is_digit(radix)).count();
    let (digits, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
    let code = u32::from_str_radix(digits, radix).ok();
    out.push(code.filter(|code| *code < 0x80).and_then(char::from_u32).unwrap_or('\u{fffd}'));
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_every_kind_are_read() {
        for (literal, dialect, expected) in [
            ("'a'", Dialect::POSTGRES, "a"),
            ("'it''s'", Dialect::POSTGRES, "it's"),
            (r"'a\x62'", Dialect::POSTGRES, r"a\x62"),
            (r"E'\x70\141\u0073\U00000073\'w\n'", Dialect::POSTGRES, "pass'w\n"),
            (r"U&'p\0061ss\+000077\\'", Dialect::POSTGRES, "passw\\"),
            ("$q$a'b$q$", Dialect::POSTGRES, "a'b"),
            ("'pass' -- '\n  'word'", Dialect::POSTGRES, "password"),
            ("X'7061'\n'7373'", Dialect::POSTGRES, "pass"),
            ("N'a'", Dialect::POSTGRES, "a"),
            (r#"'p\assw' /* ' */ "or""d""#, Dialect::MYSQL, "passwor\"d"),
            ("'pass' /*! 'wo' */ 'rd'", Dialect::MYSQL, "password"),
            ("'pass' */ 'word'", Dialect::MYSQL, "password"),
            (r"'a\%b'", Dialect::MYSQL, r"a\%b"),
            ("_utf8mb4 'a'", Dialect::MYSQL, "a"),
            ("_latin1 X'61'", Dialect::MYSQL, "a"),
            ("_utf8mb4 0x6162", Dialect::MYSQL, "ab"),
            ("0x616263", Dialect::MYSQL, "abc"),
            ("'a", Dialect::POSTGRES, "a"),
            ("'", Dialect::POSTGRES, ""),
        ] {
            assert_eq!(value(literal, dialect, '\\').text, expected, "{literal}");
        }
        assert_eq!(value("U&'p!0061'", Dialect::POSTGRES, '!').text, "pa");
        assert_eq!(quoted(r"a'\", Dialect::POSTGRES), r"'a''\'");
        assert_eq!(quoted(r"a'\", Dialect::MYSQL), r"'a''\\'");
    }
}
