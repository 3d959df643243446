//! What a message quotes, between the marks of the server's language.

use std::collections::HashSet;

use super::hidden::INSIDE as HIDDEN;

/// Quotation marks of the servers' languages: opening and closing.
pub(super) const MARKS: [(char, char); 8] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('«', '»'), ('»', '«'), ('“', '”'), ('„', '“'), ('‹', '›')];

/// The message of a server that could not read a text, which need not be the one that was sent: `PREPARE … FROM @text`, CALL and
/// functions run others. `None` where it quotes nothing but words of `shown`, the text as the event has it. Else the quotation
/// goes: it begins behind what told that it holds a secret.
pub fn redact_quotation(message: &str, shown: &str) -> Option<String> {
    let mut out = message.to_owned();
    for (open, close) in MARKS {
        let Some((first, last)) = quotation(&out, open, close) else { continue };
        let quoted = out.get(first..last).unwrap_or_default();
        if !quoted.is_empty() && quoted != HIDDEN && !is_of(quoted, shown) {
            out.replace_range(first..last, HIDDEN);
        }
    }
    (out != message).then_some(out)
}

/// Is it in `shown`, or are all of its words, in any case? Servers cut a long quotation, and so its last word.
pub(super) fn is_of(quoted: &str, shown: &str) -> bool {
    if shown.contains(quoted) {
        return true;
    }
    let (quoted, shown) = (quoted.to_ascii_lowercase(), shown.to_ascii_lowercase());
    let known: HashSet<&str> = words(&shown).collect();
    let mut words = words(&quoted).peekable();
    let mut found = false;
    while let Some(word) = words.next() {
        let last = words.peek().is_none();
        found = known.contains(word) || last && known.iter().any(|other| other.starts_with(word));
        if !found {
            break;
        }
    }
    found
}

/// From behind the first mark to the last one; a quotation that was cut has no end.
pub(super) fn quotation(message: &str, open: char, close: char) -> Option<(usize, usize)> {
    let first = message.find(open).map(|at| at + open.len_utf8())?;
    Some((first, message.rfind(close).filter(|last| *last >= first).unwrap_or(message.len())))
}

/// Runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_the_text_that_was_sent_are_quoted() {
        for (shown, message, expected) in [
            ("prepare s from @s", "near 'bi 'canary'' at line 1", "near '[REDACTED]' at line 1"),
            ("execute immediate @s", "near ''canary'' at line 1", "near '[REDACTED]' at line 1"),
            ("call p(5)", "near 'userr x identified by `canary`' at line 1", "near '[REDACTED]' at line 1"),
            ("call p(5)", "near '%%-!!' at line 1", "near '[REDACTED]' at line 1"),
            ("call p(5)", "erreur près de «canary»", "erreur près de «[REDACTED]»"),
            ("", r#"syntax error at or near "canary""#, r#"syntax error at or near "[REDACTED]""#),
            // It shows nothing that the event does not.
            ("execute immediate 'selec a, ''b'''", "near 'selec a, 'b'' at line 1", ""),
            ("prepare s from 'delet from orders'", "near 'delet from ord", ""),
            ("call p(5", "near '' at line 1", ""),
            ("selec f()", r#"syntax error at or near "selec""#, ""),
            ("call p(", "syntax error at end of input", ""),
        ] {
            let hidden = redact_quotation(message, shown);
            assert_eq!(hidden.as_deref().unwrap_or_default(), expected, "{message}");
        }
    }
}
