//! Texts longer than what is told of a statement: one is told by its head, several may each be told whole.

use panoptes_parser::{text::Encoding, wire::sha256};

use super::super::text::Cut;

/// Of a text: how much of it there was, and how much is told.
#[derive(Debug)]
pub(crate) struct Long {
    whole: Cut,
    /// All that is here is its head.
    is_head: bool,
    /// Bytes that are told of a statement.
    most: usize,
    /// How its bytes come back from its characters; `None` where some do not.
    encoding: Option<Encoding>,
}

impl Long {
    /// Of a text of which `bytes` were told, which say `text`; `None` of one that is told whole.
    pub(crate) fn of(whole: Cut, bytes: &[u8], text: &str, encoding: Encoding, most: usize) -> Option<Self> {
        let is_head = whole.length > bytes.len() as u64;
        if !is_head && bytes.len() <= most {
            return None;
        }
        let encoding = Some(encoding).filter(|encoding| encoding.encode(text).as_deref() == Some(bytes));
        Some(Self { whole, is_head, most, encoding })
    }

    /// Whether the rest of it is not here.
    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// What is told of all of it.
    pub(super) fn whole<'a>(&self, text: &'a str) -> (&'a str, Option<Cut>) {
        let told = if self.is_head { text } else { self.head(text) };
        (told, Some(self.whole))
    }

    /// What is told of one of its statements, or of the only one, and what is missing of it.
    pub(super) fn statement<'a>(&self, text: &'a str, only: bool) -> (&'a str, Option<Cut>) {
        match text.len() > self.most {
            true if only => (self.head(text), Some(self.whole)),
            true => (self.head(text), Some(self.cut(text))),
            false => (text, None),
        }
    }

    fn head<'a>(&self, text: &'a str) -> &'a str {
        let end = (0..=self.most).rev().find(|end| text.is_char_boundary(*end));
        end.and_then(|end| text.get(..end)).unwrap_or(text)
    }

    fn cut(&self, text: &str) -> Cut {
        match self.encoding.and_then(|encoding| encoding.encode(text)) {
            Some(sent) => Cut { length: sent.len() as u64, sha256: Some(sha256(&sent)) },
            None => Cut { length: text.len() as u64, sha256: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8], length: u64, encoding: Encoding) -> Option<Long> {
        Long::of(Cut { length, sha256: None }, bytes, &encoding.decode(bytes), encoding, 6)
    }

    #[test]
    fn a_statement_has_the_size_and_the_digest_of_what_was_sent() {
        let latin1 = Encoding::named("latin1");
        for (encoding, sent) in [(Encoding::UTF8, "do 'äöü'".as_bytes()), (latin1, b"do '\xe4\xf6\xfc'")] {
            let long = long(sent, sent.len() as u64, encoding).unwrap();
            let (told, cut) = long.statement("do 'äöü'", false);
            let cut = cut.unwrap();
            assert_eq!((told, cut.length, cut.sha256), ("do 'ä", sent.len() as u64, Some(sha256(sent))));
            assert!(long.statement("do 'ä", false).1.is_none() && !long.is_head());
        }
        // Which of its bytes are those of one statement is not told by what is shown of them.
        let long = long(b"do '\xff\xff'", 7, Encoding::UTF8).unwrap();
        assert_eq!(long.statement(r"do '\xff\xff'", false).1.unwrap().sha256, None);
    }

    #[test]
    fn a_head_is_told_as_it_came() {
        assert!(long(b"do 1", 4, Encoding::UTF8).is_none());
        let head = long(b"do 1; do 2", 11, Encoding::UTF8).unwrap();
        assert!(head.is_head());
        assert_eq!(head.whole("do 1; do 2").0, "do 1; do 2");
        let (told, cut) = long(b"do 1; do 2", 10, Encoding::UTF8).unwrap().whole("do 1; do 2");
        assert_eq!((told, cut.unwrap().length), ("do 1; ", 10));
    }
}
