//! The SHA-256 of a text that is too long to be told, most often taken as its pieces pass.

use sha2::{Digest as _, Sha256};

use crate::wire::Digest;

/// Of all of it.
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Of the text in a message's body: what follows a number of strings, up to its NUL or the end of the body.
#[derive(Debug, Default)]
pub(crate) struct TextDigest {
    sha: Sha256,
    /// Strings that are still to be passed over.
    ahead: u8,
    /// What comes next.
    part: Part,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// A text that ends with NUL.
    #[default]
    Text,
    /// A text that ends with the body.
    Rest,
    /// Nothing that counts.
    Behind,
}

impl TextDigest {
    /// Of a text behind so many strings.
    pub(crate) fn behind(strings: u8) -> Self {
        Self { ahead: strings, ..Self::default() }
    }

    /// Of a text that ends with the body, whatever is in it.
    pub(crate) fn rest() -> Self {
        Self { part: Part::Rest, ..Self::default() }
    }

    /// Of a whole body.
    pub(crate) fn of(strings: u8, body: &[u8]) -> Digest {
        let mut digest = Self::behind(strings);
        digest.add(body);
        digest.finish()
    }

    /// Takes the next piece of the body.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while self.ahead > 0 {
            let Some(end) = memchr::memchr(0, rest) else { return };
            rest = rest.get(end + 1..).unwrap_or_default();
            self.ahead -= 1;
        }
        match self.part {
            Part::Text => {
                let end = memchr::memchr(0, rest);
                self.sha.update(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                if end.is_some() {
                    self.part = Part::Behind;
                }
            }
            Part::Rest => self.sha.update(rest),
            Part::Behind => {}
        }
    }

    /// The digest of what was taken.
    pub(crate) fn finish(self) -> Digest {
        self.sha.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_counts_wherever_the_body_is_cut() {
        let text = Digest::from(Sha256::digest(b"select 1"));
        for (strings, body) in
            [(0, &b"select 1\0"[..]), (0, b"select 1"), (1, b"name\0select 1\0\0\x01\0\0\0\x17")]
        {
            for cut in 0..=body.len() {
                let (a, b) = body.split_at(cut);
                let mut digest = TextDigest::behind(strings);
                digest.add(a);
                digest.add(b);
                assert_eq!(digest.finish(), text, "{body:?} cut at {cut}");
            }
            assert_eq!(TextDigest::of(strings, body), text);
        }
    }

    #[test]
    fn a_text_that_ends_with_the_body_may_hold_anything() {
        let mut digest = TextDigest::rest();
        digest.add(b"a\0");
        digest.add(b"b");
        assert_eq!(digest.finish(), Digest::from(Sha256::digest(b"a\0b")));
    }
}
