//! What people tell each other: remarks on roles, messages of routines.

use super::name;

/// Words of a remark that a secret may stand beside.
const SECRETS: [&str; 10] =
    ["credential", "credentials", "key", "pass", "passcode", "passphrase", "pin", "pw", "secret", "token"];

/// Does a remark speak of a secret, and go on?
pub(super) fn tells_secret(text: &str) -> bool {
    let is_secret =
        |word: &str| name::is_secret(word) || SECRETS.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut words = words(text);
    words.any(is_secret) && words.next().is_some()
}

/// Does it speak of a password?
pub(super) fn names_password(text: &str) -> bool {
    words(text).any(name::is_password)
}

/// Does a word look as one that nobody can read does: eight bytes or more, letters and digits?
pub(super) fn is_random(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Characters in which a word that sentences are made of, and the beginning of the next, stand.
const MAX_NEAR: usize = 64;

/// Does a sentence begin here, that a password stands before: `password: how do I change it?` It does with a word that sentences
/// are made of, which nobody has for a password, and which another one follows.
pub(super) fn begins_sentence(text: &str) -> bool {
    #[rustfmt::skip]
    const WORDS: [&str; 58] = [
        "a", "all", "an", "and", "any", "are", "at", "be", "can", "can't", "cannot", "could", "did", "do", "does", "doesn't", "for", "forgot", "forgotten",
        "from", "has", "have", "he", "how", "i", "if", "in", "is", "it", "must", "my", "needs", "no", "not", "of", "on", "or", "please", "should",
        "that", "the", "their", "this", "to", "too", "use", "was", "we", "what", "when", "where", "which", "who", "why", "will", "you", "your", "with",
    ];
    let end = text.char_indices().nth(MAX_NEAR).map_or(text.len(), |(end, _)| end);
    let mut words = text.get(..end).unwrap_or_default().split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    WORDS.iter().any(|word| first.eq_ignore_ascii_case(word))
        && words.next().is_some_and(|next| next.starts_with(char::is_alphabetic))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}
