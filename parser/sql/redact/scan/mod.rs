//! One cheap look at a text: may a secret be in it? Most have none, and cost no more than this.
//!
//! A statement about rows shows one by `passw…`, by a call of a function that takes one, by an address, by a name beside a
//! value, or by escapes that could spell these: searches for rare bytes. Any other statement is searched for the words that announce one, all
//! at once.

mod announcement;
mod call;
mod pair;

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter, memchr3_iter};

use super::name;
use crate::sql::Dialect;
use crate::sql::lexer::{Kind, Lexer};
use announcement::ANNOUNCEMENTS;
use call::{is_name, passwords_and_calls};

/// A variable's name is no longer.
const MAX_NAME: usize = 64;
/// PostgreSQL's catalogs that hold secrets, behind their `pg`.
const CATALOGS: [&[u8]; 4] = [b"_authid", b"_foreign_server", b"_subscription", b"_user_mapping"];
/// Within so many bytes a statement names the table that it writes.
const MAX_HEAD: usize = 256;
/// Hex digits without quotes that are looked into: fewer spell no word about secrets.
pub(super) const SHORTEST_HEX: usize = 12;

/// May a secret be in this literal, or in a comment?
pub(super) fn may_tell_secret(text: &str, dialect: Dialect) -> bool {
    may_hold_secret(text, dialect) || names_secret(text.as_bytes())
}

/// May a secret be in `text`?
pub(super) fn may_hold_secret(text: &str, dialect: Dialect) -> bool {
    let bytes = text.as_bytes();
    let mut brackets = false;
    passwords_and_calls(bytes, dialect, &mut brackets)
        || addresses_and_escapes(bytes)
        || in_quotes(bytes, dialect)
        || brackets && dialect.is_postgres() && pair::names_argument(bytes)
        || in_comments(bytes)
        || !is_about_rows(text, dialect) && ANNOUNCEMENTS.are_in(bytes)
}

/// May somebody have commented out a secret, or written one into a tag?
fn in_comments(bytes: &[u8]) -> bool {
    let begins = |at: &usize| match bytes.get(*at) {
        Some(b'-') => bytes.get(at + 1) == Some(&b'-'),
        Some(b'/') => bytes.get(at + 1) == Some(&b'*'),
        _ => true,
    };
    let first = memchr3_iter(b'-', b'/', b'#', bytes).find(begins);
    first.and_then(|first| bytes.get(first..)).is_some_and(names_secret)
}

/// Statements whose secrets are all in calls and literals: the first eight letters of their verbs.
const ROWS: [u64; 20] = [
    letters(b"select"),
    letters(b"insert"),
    letters(b"update"),
    letters(b"delete"),
    letters(b"begin"),
    letters(b"commit"),
    letters(b"with"),
    letters(b"values"),
    letters(b"rollback"),
    letters(b"fetch"),
    letters(b"close"),
    letters(b"end"),
    letters(b"savepoint"),
    letters(b"release"),
    letters(b"deallocate"),
    letters(b"merge"),
    letters(b"show"),
    letters(b"replace"),
    letters(b"discard"),
    letters(b"abort"),
];

/// The first eight letters at most, in lower case, as a number.
#[allow(clippy::indexing_slicing)] // bounded by the loop
const fn letters(word: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < word.len() && at < 8 && word[at].is_ascii_alphabetic() {
        number = number << 8 | (word[at] | 0x20) as u64;
        at += 1;
    }
    number
}

fn is_about_rows(text: &str, dialect: Dialect) -> bool {
    let one = text.trim_ascii_end();
    let one = one.strip_suffix(';').unwrap_or(one);
    let mut first = text.as_bytes();
    if !first.first().is_some_and(u8::is_ascii_alphabetic) {
        // Behind white space, a comment, a bracket.
        let mut tokens = Lexer::new(first, dialect);
        let Some(token) = tokens.find(|token| token.kind != Kind::Open) else { return false };
        first = first.get(token.start..).unwrap_or_default();
    }
    ROWS.contains(&letters(first)) && memchr(b';', one.as_bytes()).is_none()
}

fn addresses_and_escapes(bytes: &[u8]) -> bool {
    memchr3_iter(b':', b'\\', b'&', bytes).any(|at| {
        let after = bytes.get(at + 1..).unwrap_or_default();
        match bytes.get(at) {
            Some(b':') => is_address(after) || pair::is_given(bytes, at),
            Some(b'\\') => after.first().is_some_and(|byte| is_escape(*byte)),
            _ => {
                let before = at.checked_sub(1).and_then(|at| bytes.get(at));
                matches!(before, Some(b'u' | b'U')) && matches!(after.first(), Some(b'\'' | b'"'))
            }
        }
    })
}

/// MySQL's `X'…'` and `0x…` may spell anything; and behind a quote IDENTIFIED is about a user, whatever the statement is.
fn in_quotes(bytes: &[u8], dialect: Dialect) -> bool {
    if !selects(bytes) && memchr2(b'?', b'$', bytes).is_some() && writes_catalog(bytes, dialect) {
        return true;
    }
    if dialect.is_postgres() {
        let quote = |at: &usize| !bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        let first = memchr2_iter(b'\'', b'$', bytes).find(|at| bytes.get(*at) == Some(&b'\'') || quote(at));
        let behind = first.and_then(|first| bytes.get(first..));
        return behind.is_some_and(|behind| {
            is_identified(behind) || names_secret(behind) || pair::runs_program(behind)
        });
    }
    let mut quotes = memchr2_iter(b'\'', b'"', bytes).peekable();
    let behind = quotes.peek().and_then(|first| bytes.get(*first..)).unwrap_or_default();
    memchr2_iter(b'x', b'X', bytes).any(|at| is_hex_number(bytes, at))
        || !behind.is_empty()
            && (is_identified(behind)
                || names_secret(behind)
                || pair::runs_program(behind)
                || is_identified_by(bytes)
                || !selects(bytes) && writes_catalog(bytes, dialect)
                || memchr_iter(b'@', bytes).any(|at| is_variable(bytes.get(at + 1..).unwrap_or_default()))
                || quotes.any(|at| is_hex(bytes.get(..at).unwrap_or_default())))
}

/// Is a literal among these that says itself that it holds one?
fn names_secret(bytes: &[u8]) -> bool {
    pair::equals(bytes) || pair::authorizes(bytes)
}

/// The most frequent statement, which writes nothing.
fn selects(bytes: &[u8]) -> bool {
    bytes.get(..3).is_some_and(|verb| verb.eq_ignore_ascii_case(b"sel"))
}

/// Does the statement write a table of the server's own, whose name stands near the begin, or MySQL's column of hashes?
fn writes_catalog(bytes: &[u8], dialect: Dialect) -> bool {
    let head = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    let named = |head: &[u8], at: usize, name: &[u8]| {
        head.get(at..at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    if dialect.is_postgres() {
        let catalog = |at: usize| CATALOGS.iter().any(|name| named(head, at, name));
        let own = |at: usize| at.checked_sub(2).is_some_and(|start| named(head, start, b"pg"));
        return memchr_iter(b'_', head).any(|at| own(at) && catalog(at));
    }
    memchr2_iter(b'q', b'Q', head)
        .any(|at| at.checked_sub(3).is_some_and(|start| named(head, start, b"mysql")))
        || memchr_iter(b'_', bytes)
            .any(|at| at.checked_sub(14).is_some_and(|start| named(bytes, start, b"authentication_string")))
}

/// Does the name of a variable that holds a secret begin here?
fn is_variable(after: &[u8]) -> bool {
    let quote = usize::from(matches!(after.first(), Some(b'`' | b'\'' | b'"')));
    let after = after.get(quote..).unwrap_or_default();
    let length = after.iter().take(MAX_NAME).take_while(|byte| is_name(byte)).count();
    after.get(..length).and_then(|name| str::from_utf8(name).ok()).is_some_and(name::is_secret_variable)
}

/// Does `X` stand at the end, and no longer word?
fn is_hex(before: &[u8]) -> bool {
    let [before @ .., b'x' | b'X'] = before else { return false };
    !before.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Is the `x` at this place that of a `0x…` with room for a secret?
fn is_hex_number(bytes: &[u8], at: usize) -> bool {
    let digits = bytes.get(at + 1..).unwrap_or_default();
    let long =
        digits.iter().take(SHORTEST_HEX).filter(|digit| digit.is_ascii_hexdigit()).count() == SHORTEST_HEX;
    long && at.checked_sub(1).and_then(|zero| bytes.get(zero)) == Some(&b'0')
}

fn is_identified(bytes: &[u8]) -> bool {
    memchr2_iter(b'f', b'F', bytes).any(|at| {
        let before = bytes.get(..at).unwrap_or_default();
        before.last().is_some_and(|byte| byte | 0x20 == b'i')
            && before
                .len()
                .checked_sub(5)
                .and_then(|from| before.get(from..))
                .is_some_and(|before| before.eq_ignore_ascii_case(b"denti"))
    })
}

/// The same word whole, as a comment may have it before the first quote; many a column is an identifier.
fn is_identified_by(bytes: &[u8]) -> bool {
    memchr2_iter(b'f', b'F', bytes).any(|at| {
        let word = at.checked_sub(6).and_then(|start| bytes.get(start..at + 4));
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"identified"))
    })
}

/// `//` behind a `:`, in one literal or in two pieces of one.
fn is_address(after: &[u8]) -> bool {
    if after.starts_with(b"//") {
        return true;
    }
    let after = after.strip_prefix(b"/").unwrap_or(after);
    let Some((b'\'' | b'"', rest)) = after.split_first() else { return false };
    let piece = rest.trim_ascii_start();
    matches!(piece.first(), Some(b'\'' | b'"' | b'-' | b'/' | b'#')) && piece.get(1) != Some(&b'>')
}

/// May the escape of this byte stand for a letter of the words that are looked for? Not those of white space.
fn is_escape(byte: u8) -> bool {
    (byte.is_ascii_alphanumeric() && !matches!(byte, b'n' | b'r' | b't' | b'b' | b'f' | b'Z'))
        || matches!(byte, b'+' | b':' | b'/' | b'@' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_secret_is_told_from_what_cannot() {
        let held = |text: &str| may_hold_secret(text, Dialect::POSTGRES);
        for text in [
            "select PassWord from t",
            "select crypt('a', b)",
            "select \"crypt\" ('a', b)",
            "select crypt/* */('a', b)",
            "select crypt -- a\n ('a', b)",
            "select crypt\u{b}('a', b)",
            "(select 1); alter role a password 'b'",
            "insert into t values ('a://b')",
            "insert into t values ('pas'\n'sword=x')",
            "insert into t values ('pass' -- x\n'word=x')",
            "insert into t values ('a:'\n'//b')",
            r"insert into t values (E'p\x61ssword=a')",
            r"insert into t values (U&'p!0061ssword=a' UESCAPE '!')",
            "/* a */ create ROLE b",
            "select 1; create user a identified by 'b'",
            "alter system set archive_command = 'a'",
            "select f(b => 'c', api_key => 'a')",
            "select f(my_secret /* a */ => $1)",
            "select f(\"token\":='a')",
            "do $$ begin execute 'al' || 'ter'; end $$",
        ] {
            assert!(held(text), "{text}");
        }
        for text in [
            "select * from users where role = 'a' and x in (1, 2)",
            "insert into t (a, b) values\n  ('w', 'web'), ('a:b', E'\\n')",
            "begin",
            "update t set connection = 'x' where extract(year from a) = 1",
            "create table t (a int)",
            "set search_path to a",
            "select f(key => 'a', b => 'c') from t where d <= e",
            "",
        ] {
            assert!(!held(text), "{text}");
        }
    }
}
