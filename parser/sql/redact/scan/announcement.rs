//! The words that announce a secret, searched for all at once.

/// What any announcement of a secret has in it, in a statement that is not about rows.
#[rustfmt::skip]
pub(super) static ANNOUNCEMENTS: Words = Words::new(&[
    b"role", b"user", b"group", b"server", b"dentif", b"option", b"ogram", b"secret", b"token", b"crede",
    b"nnect", b"conni", b"phrase", b"link", b"login", b"key", b"_comm", b"dsn", b"pw", b"pass",
    b"accou", b"princ", b"subscr", b"t_auth", b"jwt", b"ecut", b"oncat",
]);

/// Shift-And: one bit for each letter of each word; a letter of the text moves those on that it fits. Case does not count.
pub(super) struct Words {
    fits: [u128; 256],
    first: u128,
    last: u128,
}

impl Words {
    /// Of words in lower case, of 128 letters together.
    #[allow(clippy::indexing_slicing)] // evaluated by the compiler: out of bounds would not build
    pub(super) const fn new(words: &[&[u8]]) -> Self {
        let mut table = Self { fits: [0; 256], first: 0, last: 0 };
        let (mut word, mut bit) = (0, 0);
        while word < words.len() {
            let letters = words[word];
            table.first |= 1 << bit;
            let mut letter = 0;
            while letter < letters.len() {
                table.fits[letters[letter] as usize] |= 1 << bit;
                table.fits[letters[letter].to_ascii_uppercase() as usize] |= 1 << bit;
                bit += 1;
                letter += 1;
            }
            table.last |= 1 << (bit - 1);
            word += 1;
        }
        table
    }

    /// Is one of them in the text?
    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        let mut state = 0;
        bytes.iter().any(|byte| {
            let fits = self.fits.get(usize::from(*byte)).copied().unwrap_or_default();
            state = (state << 1 | self.first) & fits;
            state & self.last != 0
        })
    }
}
