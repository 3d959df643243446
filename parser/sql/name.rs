//! Identifiers: what a server makes of the spelling in a text.

use std::borrow::Cow;

use super::Dialect;
use super::lexer::{Kind, Lexer, Token};

/// PostgreSQL cuts identifiers here (`NAMEDATALEN` - 1), on a character's border.
pub(super) const POSTGRES_NAME_BYTES: usize = 63;

/// The spelling without its quotes: `"a""b"` → `a"b`; an unquoted word as it is.
pub(super) fn unquoted(text: &str, token: Token) -> Cow<'_, str> {
    let spelling = text.get(token.start..token.end).unwrap_or_default();
    if token.kind == Kind::Word {
        return Cow::Borrowed(spelling);
    }
    let Some(open) = spelling.find(['"', '`', '\'']) else { return Cow::Borrowed(spelling) };
    let quote = spelling.get(open..=open).unwrap_or_default();
    let body = spelling.get(open + 1..).unwrap_or_default();
    let body = body.strip_suffix(quote).unwrap_or(body);
    let body = match body.contains(quote) {
        true => Cow::Owned(body.replace(&quote.repeat(2), quote)),
        false => Cow::Borrowed(body),
    };
    // U&"…": the only quoted form with a prefix that is an identifier.
    let mark = if open == 2 { escape(text, token.end) } else { '\\' };
    if open == 2 && body.contains(mark) { Cow::Owned(unescaped(&body, mark)) } else { body }
}

/// What `UESCAPE '!'` says behind `U&"…"`; a backslash where nothing does.
fn escape(text: &str, end: usize) -> char {
    let rest = text.get(end..).unwrap_or_default();
    let mut tokens = Lexer::new(rest.as_bytes(), Dialect::POSTGRES);
    let mut next = || tokens.next().and_then(|token| rest.get(token.start..token.end)).unwrap_or_default();
    if !next().eq_ignore_ascii_case("uescape") {
        return '\\';
    }
    let mark = next().strip_prefix('\'').and_then(|mark| mark.strip_suffix('\'')).unwrap_or_default();
    mark.chars().next().unwrap_or('\\')
}

/// The name as the server keeps it: unquoted words in lower case, quoted ones exact, cut at the server's limit.
pub(super) fn folded(text: &str, token: Token, dialect: Dialect) -> Cow<'_, str> {
    let name = unquoted(text, token);
    // MySQL compares the names of statements and savepoints without case, quoted or not.
    let lower = token.kind == Kind::Word || !dialect.is_postgres();
    let name = match lower && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => name,
    };
    if dialect.is_postgres() { cut(name) } else { name }
}

fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= POSTGRES_NAME_BYTES {
        return name;
    }
    let end = (0..=POSTGRES_NAME_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.get(..end).unwrap_or(name)),
        Cow::Owned(mut name) => {
            name.truncate(end);
            Cow::Owned(name)
        }
    }
}

/// `\XXXX`, `\+XXXXXX` and `\\` of `U&"…"`, with `mark` for the backslash; anything else stays as it is.
fn unescaped(body: &str, mark: char) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find(mark) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + mark.len_utf8()..).unwrap_or_default();
        let (character, length) = escaped(escape, mark).unwrap_or((mark, 0));
        out.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn escaped(escape: &str, mark: char) -> Option<(char, usize)> {
    let (digits, length) = match escape.chars().next()? {
        first if first == mark => return Some((mark, mark.len_utf8())),
        '+' => (escape.get(1..7)?, 7),
        _ => (escape.get(..4)?, 4),
    };
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_as_the_server_does() {
        let long = "x".repeat(62);
        let (accent, cut_accent) = (format!("{long}é"), long.clone());
        for (sql, dialect, expected) in [
            ("Foo", Dialect::POSTGRES, "foo"),
            ("\"Foo\"", Dialect::POSTGRES, "Foo"),
            ("\"a\"\"b\"", Dialect::POSTGRES, "a\"b"),
            (r#"U&"d\0061t\+000061""#, Dialect::POSTGRES, "data"),
            (r#"U&"t!0061b!!\0061" /* a */ UESCAPE '!'"#, Dialect::POSTGRES, r"tab!\0061"),
            (r#"U&"d\0061t" AS x"#, Dialect::POSTGRES, "dat"),
            ("Ünder", Dialect::POSTGRES, "Ünder"),
            (accent.as_str(), Dialect::POSTGRES, cut_accent.as_str()),
            ("`A``b`", Dialect::MYSQL, "a`b"),
        ] {
            let token = Lexer::new(sql.as_bytes(), dialect).next().unwrap();
            assert_eq!(folded(sql, token, dialect), expected, "{sql}");
        }
    }
}
