//! What stands for a text that holds a secret nobody can tell where.

use std::sync::LazyLock;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::super::Dialect;
use super::super::lexer::{Kind, Lexer};
use crate::text::hex_digits;

/// Random, and as old as the process: who reads the events cannot try words until their hash fits.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut key = [0; 32];
    // Without random bytes the hash would give the text away to who guesses it: see `digest`.
    if getrandom::fill(&mut key).is_err() {
        key = [0; 32];
    }
    key
});

/// Bytes of the hash that are shown.
const SHOWN: usize = 8;

/// The verb, if it is one, then the text's length in bytes and its keyed hash: equal texts of one process stay equal.
pub(super) fn stand_in(text: &str, dialect: Dialect) -> String {
    let (verb, space) = verb(text, dialect).map_or(("", ""), |verb| (verb, " "));
    format!("{verb}{space}'[REDACTED {} bytes{}]'", text.len(), digest(text))
}

/// The first word, if every reader knows it.
fn verb(text: &str, dialect: Dialect) -> Option<&str> {
    #[rustfmt::skip]
    const VERBS: [&str; 26] = [
        "alter", "analyze", "begin", "call", "change", "comment", "copy", "create", "declare", "delete", "do", "drop",
        "execute", "explain", "flush", "grant", "import", "insert", "merge", "prepare", "replace", "revoke", "select",
        "set", "start", "update",
    ];
    let first = Lexer::new(text.as_bytes(), dialect).next().filter(|token| token.kind == Kind::Word)?;
    let word = text.get(first.start..first.end)?;
    VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb)).then_some(word)
}

fn digest(text: &str) -> String {
    let key = *KEY;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok().filter(|_| key != [0; 32]);
    let Some(mut mac) = mac else { return String::new() };
    mac.update(text.as_bytes());
    let hash = mac.finalize().into_bytes();
    let digits = hash.iter().take(SHOWN).flat_map(|byte| hex_digits(*byte)).map(char::from);
    format!(", hmac {}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_look_equal_and_say_nothing() {
        let one = stand_in("alter role a password 'CANARY", Dialect::POSTGRES);
        assert_eq!(one, stand_in("alter role a password 'CANARY", Dialect::POSTGRES));
        assert_ne!(one, stand_in("alter role a password 'CANARX", Dialect::POSTGRES));
        assert!(one.starts_with("alter '[REDACTED 29 bytes, hmac "), "{one}");
        assert!(stand_in("CANARY 'x", Dialect::POSTGRES).starts_with("'[REDACTED 9 bytes"));
    }
}
