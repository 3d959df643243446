//! What a string literal says.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/string-literals.html>

use crate::sql::Dialect;
use crate::sql::lexer::gap_between_pieces;

/// The value of one string token of MySQL: quotes and prefix gone, escapes resolved, pieces joined. `None` where it is no text
/// (`X'4142'`), or has no end.
pub(in crate::sql) fn value(literal: &str, dialect: Dialect) -> Option<String> {
    let Dialect::Mysql { no_backslash_escapes, .. } = dialect else { return None };
    let mut rest = literal.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c.is_whitespace());
    if literal.starts_with(['x', 'X', 'b', 'B']) {
        return None;
    }
    let mut out = String::with_capacity(literal.len());
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        rest = piece(rest.get(1..)?, quote, !no_backslash_escapes, &mut out)?;
        rest = rest.get(gap_between_pieces(rest, dialect)..)?;
    }
    Some(out)
}

/// Adds one piece, from behind its quote on. Returns what follows it.
fn piece<'a>(text: &'a str, quote: char, escapes: bool, out: &mut String) -> Option<&'a str> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if escapes => escaped(characters.next()?.1, out),
            _ if character != quote => out.push(character),
            _ if characters.next_if(|(_, next)| *next == quote).is_some() => out.push(quote),
            _ => return text.get(at + 1..),
        }
    }
    None
}

/// Adds what a character behind a backslash stands for.
pub(in crate::sql) fn escaped(character: char, out: &mut String) {
    match character {
        '0' => out.push('\0'),
        'b' => out.push('\u{8}'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'Z' => out.push('\u{1a}'),
        // LIKE needs them as they are.
        '%' | '_' => out.extend(['\\', character]),
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Server;

    #[test]
    fn says_what_the_server_reads() {
        for (literal, expected) in [
            ("'a'", Some("a")),
            ("'it''s'", Some("it's")),
            (r#"'a\'b\n\\\%\Z\x'"#, Some("a'b\n\\\\%\u{1a}x")),
            (r#""say ""x"" 'y'""#, Some(r#"say "x" 'y'"#)),
            ("'a' \"b\"\n'c'", Some("abc")),
            ("N'a'", Some("a")),
            ("_utf8mb4 'é'", Some("é")),
            ("''", Some("")),
            ("X'4142'", None),
            ("'a", None),
            (r"'a\'", None),
            ("'a' /* c */ 'b'", Some("ab")),
            ("'a' /*!50000 'b' */ /*! 'c' */ 'd'", Some("abcd")),
            ("'a' */ 'b'", Some("ab")),
            ("@x", None),
        ] {
            assert_eq!(value(literal, Dialect::MYSQL).as_deref(), expected, "{literal}");
        }
        let plain =
            Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: true, server: Server::Unknown };
        assert_eq!(value(r"'a\'", plain).as_deref(), Some(r"a\"));
    }
}
