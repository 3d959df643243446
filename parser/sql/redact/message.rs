//! Error messages quote the statement: `syntax error at or near "…"`, `… near '…' at line 1`.

use super::connection::{self, Form};
use super::hidden::{Hidden, INSIDE as HIDDEN};
use super::quotation::{MARKS, is_of, quotation};
use super::said;
use crate::sql::Dialect;

/// Shortest run of a secret's characters that is looked for in a message; less of it says nothing.
const SHORTEST: usize = 4;

/// Longest message that is searched, in bytes; of a longer one nothing stays.
const MAX_MESSAGE: usize = 4 << 10;

/// A server's message about a statement; `None` where it may stay as it is.
///
/// It may quote another text than that of the statement: what it quotes is read as a literal is. Where something of the
/// statement was hidden, from the first to the last quotation mark of a kind goes what `shown`, the redacted text, does not have.
/// So does every other word of the message that has four characters in a row of a secret. What is a secret as a whole goes
/// anyway. `secrets` is what was hidden, as it was written. Work is the product of both lengths, which the caller bounds.
pub fn redact_message(message: &str, shown: &str, secrets: &[&str], dialect: Dialect) -> Option<String> {
    if message.len() > MAX_MESSAGE {
        return Some(HIDDEN.to_owned());
    }
    let mut out = message.to_owned();
    if !secrets.is_empty() {
        hide_secrets(&mut out, shown, secrets);
    }
    for (open, close) in MARKS {
        if let Some((first, last)) = quotation(&out, open, close)
            && let Some(told) = out.get(first..last).and_then(|quoted| said::told(quoted, dialect))
        {
            out.replace_range(first..last, &told);
        }
    }
    let mut hidden = Hidden::default();
    connection::secrets(&out, Form::Any, |range| hidden.hide(range, HIDDEN, "connection"));
    if !hidden.is_empty() {
        out = hidden.shown(&out);
    }
    (out != message).then_some(out)
}

fn hide_secrets(out: &mut String, shown: &str, secrets: &[&str]) {
    for (open, close) in MARKS {
        hide_quotation(out, open, close, shown, secrets);
    }
    if secrets.iter().any(|secret| has_run(out, secret) || has_word(out, secret)) {
        let is_secret = |word: &str| secrets.iter().any(|secret| repeats(word, secret, shown));
        *out = out.split_inclusive(char::is_whitespace).map(|word| without(word, is_secret)).collect();
    }
}

fn hide_quotation(message: &mut String, open: char, close: char, shown: &str, secrets: &[&str]) {
    let Some((first, last)) = quotation(message, open, close) else { return };
    let quoted = message.get(first..last).unwrap_or_default();
    let is_secret = || secrets.iter().any(|secret| bare(secret) == bare(quoted));
    if !quoted.is_empty() && quoted != HIDDEN && (!is_of(quoted, shown) || is_secret()) {
        message.replace_range(first..last, HIDDEN);
    }
}

/// A word and the space behind it, or what stands for the word.
fn without(word: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let bare = word.trim_end();
    if bare != HIDDEN && is_secret(bare) { word.replacen(bare, HIDDEN, 1) } else { word.to_owned() }
}

/// Does a word of the message repeat what is shown nowhere else?
fn repeats(word: &str, secret: &str, shown: &str) -> bool {
    bare(word) == bare(secret) || has_run(word, secret) && !shown.contains(bare(word))
}

/// Has `text` some of the secret's characters in a row?
fn has_run(text: &str, secret: &str) -> bool {
    let starts = text.char_indices().map(|(at, _)| at);
    let mut runs = starts.filter_map(|start| {
        let rest = text.get(start..)?;
        let (last, char) = rest.char_indices().nth(SHORTEST - 1)?;
        rest.get(..last + char.len_utf8())
    });
    runs.any(|run| secret.contains(run))
}

fn has_word(text: &str, secret: &str) -> bool {
    let secret = bare(secret);
    !secret.is_empty() && text.split_whitespace().any(|word| bare(word) == secret)
}

/// Without what quotes and punctuation may be around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|char: char| !char.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_does_not_repeat_what_is_hidden() {
        let text = "alter role ana password '[REDACTED]'";
        for (message, secrets, expected) in [
            (
                r#"syntax error at or near "s3cr3tK3Y""#,
                &["s3cr3tK3Y"][..],
                r#"syntax error at or near "[REDACTED]""#,
            ),
            (
                r#"syntax error at or near "'s3cr3tK3Y'""#,
                &["'s3cr3tK3Y'"],
                r#"syntax error at or near "[REDACTED]""#,
            ),
            (r#"role "ana" does not exist"#, &["'banana'", "'analog'"], r#"role "ana" does not exist"#),
            (
                "Operation ALTER USER failed for 'ana'@'%'",
                &["'s3cr3tK3Y'"],
                "Operation ALTER USER failed for 'ana'@'%'",
            ),
            (r#"role "alter" does not exist"#, &["'alter1'"], r#"role "alter" does not exist"#),
            (
                "You have an error in your SQL syntax; … to use near 's3cr3tK3Y' valid' at line 1",
                &["s3cr3tK3Y"],
                "You have an error in your SQL syntax; … to use near '[REDACTED]' at line 1",
            ),
            ("near '3tK3Y", &["'s3cr3tK3Y'"], "near '[REDACTED]"),
            ("bad word: s3cr3tK3Y!", &["'s3cr3tK3Y'"], "bad word: [REDACTED]"),
            ("bad word cr3tK (cut)", &["'s3cr3tK3Y'"], "bad word [REDACTED] (cut)"),
            ("bad word abc, it is", &["'abc'"], "bad word [REDACTED] it is"),
            (r#"at or near "a""#, &["a"], r#"at or near "[REDACTED]""#),
            (
                "erreur de syntaxe sur ou près de « s3cr »",
                &["'s3cr'"],
                "erreur de syntaxe sur ou près de «[REDACTED]»",
            ),
            ("Fehler bei »s3cr3«", &["'s3cr3'"], "Fehler bei »[REDACTED]«"),
        ] {
            let hidden = redact_message(message, text, secrets, Dialect::MYSQL);
            assert_eq!(hidden.as_deref().unwrap_or(message), expected, "{message}");
        }
        for (message, expected) in [
            (
                "You have an error in your SQL syntax; … near 'alterr user x identified by 's3cr3tK3Y'' at line 1",
                "You have an error in your SQL syntax; … near 'alterr user x identified by '[REDACTED]'' at line 1",
            ),
            ("could not reach postgres://u:s3cr3tK3Y@h", "could not reach postgres://u:[REDACTED]@h"),
            (
                "Access denied for user 'a'@'h' (using password: YES)",
                "Access denied for user 'a'@'h' (using password: YES)",
            ),
            (r#"column "password" does not exist"#, r#"column "password" does not exist"#),
            ("Operation CREATE USER failed for 'a'@'%'", "Operation CREATE USER failed for 'a'@'%'"),
        ] {
            let hidden = redact_message(message, "", &[], Dialect::MYSQL);
            assert_eq!(hidden.as_deref().unwrap_or(message), expected);
        }
        assert_eq!(
            redact_message(&"a ".repeat(9_000), text, &[], Dialect::MYSQL).as_deref(),
            Some("[REDACTED]")
        );
    }
}
