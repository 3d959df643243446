//! Passwords in connection strings, addresses and command lines.
//!
//! libpq's `host=h password=…` (<https://www.postgresql.org/docs/current/libpq-connect.html>), ODBC's `UID=u;PWD=…`,
//! `scheme://user:password@host/?password=…`.

use std::{borrow::Cow, ops::Range};

use memchr::{memchr_iter, memchr2_iter};

use super::{name, prose};

/// Bytes of an element of XML that are looked through for its end.
const MAX_ELEMENT: usize = 256;

/// Bytes of a word that are looked at.
const MAX_WORD: usize = 128;

/// What a text is known to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything: only what names itself a password is one.
    Any,
    /// A text in a statement about who may log in: any secret's name counts.
    Secret,
    /// A connection string: the same, and an address goes on to the end of the text.
    Connection,
    /// A routine in another language than SQL: the same, where the value is a string.
    Code,
}

/// Calls `hide` for each secret of a text. True where the text ends just before one: `'… password=' || x`.
pub(super) fn secrets(text: &str, form: Form, mut hide: impl FnMut(Range<usize>)) -> bool {
    let assigned = assigned(text, form, &mut hide);
    let labelled = labelled(text, &mut hide);
    if form == Form::Connection {
        slashed(text, &mut hide);
    }
    // Each literal of a routine is read by itself.
    form != Form::Code && uri(text, form, &mut hide) || assigned || labelled
}

/// `password=…`, `sslpassword = …`, `PGPASSWORD=…`, `password: …`, `{"password": "…"}`.
fn assigned(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let is_secret = if form == Form::Any { name::is_password } else { name::is_secret };
    let (mut end, mut open) = (0, false);
    for sign in memchr2_iter(b'=', b':', text.as_bytes()) {
        if sign < end || !is_assignment(text, sign) {
            continue;
        }
        let before = text.get(..sign).unwrap_or_default().trim_ascii_end();
        // A member's name in JSON, which may be in a string of its own.
        let name = before.trim_end_matches(['"', '\'', '\\', '(', ')', '[', ']', ':']);
        let quoted = name.len() < before.len();
        let start = name.len() - name.bytes().rev().take_while(|byte| is_name(*byte)).count();
        let name = name.get(start..).unwrap_or_default();
        // An address may spell its names with escapes.
        let name = if name.contains('%') { Cow::Owned(unescaped(name)) } else { Cow::Borrowed(name) };
        if !is_secret(&name) {
            continue;
        }
        let separator = before.get(..start).unwrap_or_default().trim_ascii_end().bytes().next_back();
        let from = skip(text, sign + 1, |byte| byte.is_ascii_whitespace() || byte == b'>');
        let string = skip(text, from, |byte| byte.is_ascii_alphabetic());
        if form == Form::Code && !matches!(text.as_bytes().get(string), Some(b'"' | b'\'' | b'`')) {
            continue;
        }
        let from = if form == Form::Code { string } else { from };
        end = match text.as_bytes().get(from) {
            Some(b'"' | b'\'' | b'{' | b'[' | b'\\') | None => value_end(text, from, separator),
            _ if quoted => skip(text, from, |byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte)),
            _ => value_end(text, from, separator),
        };
        open |= hide_value(text, from..end, hide);
    }
    open
}

/// Does the `=` or `:` at `sign` assign, and is not a part of `==`, `::`, `://`?
fn is_assignment(text: &str, sign: usize) -> bool {
    let byte = |at: usize| text.as_bytes().get(at);
    let after = byte(sign + 1);
    match byte(sign) {
        Some(b':') => {
            !matches!(after, Some(b':' | b'='))
                && slashes(text, sign).is_none()
                && sign.checked_sub(1).and_then(byte) != Some(&b':')
        }
        _ => after != Some(&b'='),
    }
}

/// Hides a value, less its quotes. True where another text brings it: it is missing, or a place for `format` to fill.
fn hide_value(text: &str, range: Range<usize>, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let value = text.get(range.clone()).unwrap_or_default();
    if value.starts_with('%') && value.len() < 6 {
        return true;
    }
    let quoted = value.len() > 2
        && matches!(
            (value.bytes().next(), value.bytes().next_back()),
            (Some(b'\''), Some(b'\'')) | (Some(b'"'), Some(b'"'))
        );
    let quotes = usize::from(quoted);
    if !range.is_empty() {
        hide(range.start + quotes..range.end - quotes);
    }
    let unfinished = !quoted && value.starts_with(['\'', '"']);
    unfinished || range.start >= text.len()
}

/// The `password "…"` of a Spider table's comment, `--password …`, `<password>…</password>`.
fn labelled(text: &str, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for at in words(text, b"passw") {
        if at < end {
            continue;
        }
        let name = skip(text, at + 5, is_name);
        // What else is in this name ends with it.
        end = name;
        let from = skip(text, name, |byte| byte.is_ascii_whitespace());
        if let Some(told) = told(text, at + 5..name, from) {
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

/// `… the password is 4X9t2Qe7`: the word, where it can be read in no other way. The rest of the name stands at `tail`.
fn told(text: &str, tail: Range<usize>, from: usize) -> Option<Range<usize>> {
    let apart = text.as_bytes().get(tail.end).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b',');
    let from = from.max(tail.end + 1);
    if !(apart && matches!(text.get(tail)?, "d" | "ord" | "ORD" | "D")) {
        return None;
    }
    let ends = |byte: u8| byte.is_ascii_whitespace() || b"'\"`,;".contains(&byte);
    let word = |from: usize| {
        let near = text.as_bytes().iter().skip(from).take(MAX_WORD);
        from..from + near.take_while(|byte| !ends(**byte)).count()
    };
    let mut range = word(from);
    if matches!(text.get(range.clone())?, "is" | "was" | "to" | "IS") {
        range = word(skip(text, range.end, |byte| byte.is_ascii_whitespace()));
    }
    let random = prose::is_random(text.get(range.start..ceil(text, range.end))?);
    random.then(|| range.start..skip(text, range.end, |byte| !ends(byte)))
}

/// Oracle's `jdbc:oracle:thin:user/password@host`.
fn slashed(text: &str, hide: &mut impl FnMut(Range<usize>)) {
    for driver in [&b":thin:"[..], b":oci:", b":oci8:"] {
        for at in words(text, driver) {
            let start = at + driver.len();
            let end = skip(text, start, |byte| !byte.is_ascii_whitespace() && byte != b'@');
            let slash = text.get(start..end).and_then(|login| login.find('/')).map(|slash| start + slash + 1);
            if let Some(from) = slash.filter(|from| *from < end && text.as_bytes().get(end) == Some(&b'@')) {
                hide(from..end);
            }
        }
    }
}

/// Where a value ends that begins at `from`; `separator` is what stands before its name.
fn value_end(text: &str, from: usize, separator: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    // In a piece of a statement the quotes may still be doubled: `password=''…''`.
    let rest = text.get(from..).unwrap_or_default();
    if let Some(value) =
        rest.strip_prefix("''").filter(|rest| rest.starts_with(|c: char| c.is_alphanumeric()))
    {
        return value.find("''").map_or(text.len(), |end| from + end + 4);
    }
    let mut at = from;
    let close = match bytes.get(from) {
        Some(quote @ (b'\'' | b'"')) => Some(*quote),
        Some(b'{') => Some(b'}'),
        Some(b'[') => Some(b']'),
        _ => None,
    };
    at += usize::from(close.is_some());
    while let Some(byte) = bytes.get(at) {
        match (*byte, close) {
            (b'\\', _) => at += 1,
            (byte, Some(close)) if byte == close && bytes.get(at + 1) == Some(&close) => at += 1,
            // A quote that a letter follows is one that nobody escaped, or not as it is read here.
            (byte, Some(close))
                if byte == close && !bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                return at + 1;
            }
            (b';', None) if separator == Some(b';') => break,
            (b'&', None) if matches!(separator, Some(b'&' | b'?')) => break,
            (byte, None) if byte.is_ascii_whitespace() && separator != Some(b';') => break,
            _ => {}
        }
        at += 1;
    }
    let mut end = at.min(bytes.len());
    // The quote that closes an argument around it, and what follows that.
    while close.is_none()
        && end > from
        && matches!(bytes.get(end - 1), Some(b'\'' | b'"' | b',' | b')' | b';'))
    {
        end -= 1;
    }
    ceil(text, end)
}

/// `scheme://user:password@host`: from the first `:` to the last `@`.
fn uri(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for colon in memchr_iter(b':', text.as_bytes()) {
        let Some(start) = slashes(text, colon).filter(|start| *start >= end) else { continue };
        end = if form == Form::Connection { text.len() } else { address_end(text, start) };
        let run = text.get(start..end).unwrap_or_default();
        // Behind the first `/` a `:` is part of a path.
        let colon = run.find([':', '/']).filter(|at| run.as_bytes().get(*at) == Some(&b':'));
        match (colon, run.rfind('@')) {
            // `https://h:80/@joe`
            (Some(colon), Some(_)) if form == Form::Any && is_port(run, colon + 1) => {}
            (Some(colon), Some(at)) if colon + 1 < at => {
                open |= hide_value(text, start + colon + 1..start + at, hide);
            }
            (Some(colon), None) if end == text.len() => {
                let rest = run.get(colon + 1..).unwrap_or_default();
                let is_port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
                open |= !rest.contains('/') && !is_port;
            }
            _ => {}
        }
    }
    open
}

/// Is there a port at `from`, which a path follows?
fn is_port(run: &str, from: usize) -> bool {
    let end = skip(run, from, |byte| byte.is_ascii_digit());
    (from + 1..=from + 5).contains(&end) && run.as_bytes().get(end) == Some(&b'/')
}

/// Where the `//` behind this `:` ends; JSON may write it `\/\/`.
fn slashes(text: &str, colon: usize) -> Option<usize> {
    let after = text.as_bytes().get(colon + 1..)?;
    let slashes: [&[u8]; 2] = [b"//", b"\\/\\/"];
    slashes.iter().find(|slashes| after.starts_with(slashes)).map(|slashes| colon + 1 + slashes.len())
}

/// An address ends with white space, or with a quote; not with one that a letter of its password follows.
fn address_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    loop {
        end = skip(text, end, |byte| !byte.is_ascii_whitespace() && byte != b'\'' && byte != b'"');
        let quote = matches!(bytes.get(end), Some(b'\'' | b'"'));
        if !quote || !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) {
            return end;
        }
        end += 1;
    }
}

/// Where a word stands, in any case.
fn words<'t>(text: &'t str, word: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    let places = text.as_bytes().windows(word.len()).enumerate();
    places.filter(|(_, found)| found.eq_ignore_ascii_case(word)).map(|(at, _)| at)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%')
}

/// `%70assword` as the server reads it.
fn unescaped(name: &str) -> String {
    let mut pieces = name.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = code.filter(u8::is_ascii);
        out.extend(byte.map(char::from));
        out.push_str(byte.and_then(|_| piece.get(2..)).unwrap_or(piece));
    }
    out
}

/// The end of the run of bytes from `from` on.
pub(super) fn skip(text: &str, from: usize, takes: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| takes(**byte)).count()
}

/// The next boundary of a character.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, form: Form) -> (String, bool) {
        let mut ranges = Vec::new();
        let open = secrets(text, form, |range| ranges.push(range));
        ranges.sort_by_key(|range| range.start);
        let mut out = text.to_owned();
        for range in ranges.into_iter().rev() {
            out.replace_range(range, "*");
        }
        (out, open)
    }

    #[test]
    fn only_the_password_of_a_connection_string_goes() {
        for (text, expected) in [
            ("host=h password=CANARY dbname=d", "host=h password=* dbname=d"),
            ("password = 'CAN ARY' host=h", "password = '*' host=h"),
            (r"password='CAN\' ARY' host=h", "password='*' host=h"),
            (r"password=CAN\ ARY host=h", "password=* host=h"),
            ("password=CAN&ARY;x host=h", "password=* host=h"),
            ("DSN=d;UID=u;PWD=CANARY;DATABASE=b", "DSN=d;UID=u;PWD=*;DATABASE=b"),
            ("Server=h;Password=CAN ARY;x=y", "Server=h;Password=*;x=y"),
            ("s3://b?a=b&AWS_SECRET_ACCESS_KEY=CANARY&c=d", "s3://b?a=b&AWS_SECRET_ACCESS_KEY=*&c=d"),
            ("<a><password>CANARY</password></a>", "<a><password>*</password></a>"),
            ("password>5 login --password CANARY", "password>5 login --password *"),
            ("login --password CANARY -h h", "login --password * -h h"),
            ("PWD={CAN;ARY};UID=u", "PWD=*;UID=u"),
            ("postgres://u:CANARY@h/d?sslmode=a", "postgres://u:*@h/d?sslmode=a"),
            ("postgres://h/d?password=CANARY&user=u", "postgres://h/d?password=*&user=u"),
            ("postgres://u:CAN:AR@Y@h,i/d", "postgres://u:*@h,i/d"),
            ("see https://example.org/a@b, c=d", "see https://example.org/a@b, c=d"),
            ("host \"h\", password \"CANARY\", user \"u\"", "host \"h\", password \"*\", user \"u\""),
            (r#"{"url":"postgres:\/\/u:CANARY@h"}"#, r#"{"url":"postgres:\/\/u:*@h"}"#),
            ("password: CANARY, x", "password: *, x"),
            ("postgres://h/d?%70ass%77ord=CANARY&user=u", "postgres://h/d?%70ass%77ord=*&user=u"),
            ("jdbc:sqlserver://h;user=u;password=CANARY;x=y", "jdbc:sqlserver://h;user=u;password=*;x=y"),
            ("password_encryption=md5 a::b", "password_encryption=md5 a::b"),
            ("password=ž", "password=*"),
            ("see https://example.org:8080/@joe", "see https://example.org:8080/@joe"),
            ("postgres://u:CANARY/8080@h/d", "postgres://u:*@h/d"),
            ("see https://example.org/a:b@c", "see https://example.org/a:b@c"),
            (r#"{"password": "CAN\"ARY", "n": 1}"#, r#"{"password": "*", "n": 1}"#),
            (r#"{"a": {"password":123},"b":1}"#, r#"{"a": {"password":*},"b":1}"#),
            (r#"{"password": ["CANARY", "CANARY"], "n": 1}"#, r#"{"password": *, "n": 1}"#),
            (r#"{'password' : 'CANARY'}"#, r#"{'password' : '*'}"#),
            (r#"{\"password\":\"CANARY\"}"#, r#"{\"password\":*"#),
            ("a::password::b", "a::password::b"),
        ] {
            assert_eq!(shown(text, Form::Any), (expected.to_owned(), false), "{text}");
        }
        let connection = shown("mysql://u:CAN ARY'@h/d", Form::Connection);
        assert_eq!(connection, ("mysql://u:*@h/d".to_owned(), false));
        assert_eq!(shown("a=b oauth_client_secret=CANARY", Form::Connection).0, "a=b oauth_client_secret=*");
        assert_eq!(shown("token=1", Form::Any).0, "token=1");
    }

    #[test]
    fn a_text_may_end_before_its_password() {
        for text in [
            "host=h password=",
            "password = ",
            "postgres://u:",
            "postgres://u:ab",
            "postgres://%s:%s@%s/d",
            "password: ",
            "host=%s password=%s user=%s",
            "SET PASSWORD='",
        ] {
            assert!(shown(text, Form::Any).1, "{text}");
        }
        assert_eq!(shown("password='CANARY", Form::Any), ("password=*".to_owned(), true));
        for text in ["host=h", "http://h:80", "http://h:80/a", "https://", "password"] {
            assert!(!shown(text, Form::Any).1, "{text}");
        }
    }
}
