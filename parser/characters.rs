//! How a MySQL tells where characters of several bytes end, where their last byte may look like a backslash, a quote or a
//! letter: it goes by ranges, and the tables by which texts are read here by what has a character.
//! <https://dev.mysql.com/doc/refman/8.4/en/charset-asian-sets.html>

use crate::text::Encoding;

/// A character set with such characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Characters {
    /// `big5`.
    Big5,
    /// `sjis`, `cp932`.
    Sjis,
    /// `gbk`.
    Gbk,
    /// `gb2312`, whose characters have no such bytes, but which is read as `gbk`.
    Gb2312,
    /// `gb18030`, with characters of four bytes as well.
    Gb18030,
    /// `euckr`.
    Euckr,
}

impl Characters {
    /// Of a character set of this name, in any case.
    pub(crate) fn of(charset: &str) -> Option<Self> {
        Some(match charset.to_ascii_lowercase().as_str() {
            "big5" => Self::Big5,
            "sjis" | "cp932" => Self::Sjis,
            "gbk" => Self::Gbk,
            "gb2312" => Self::Gb2312,
            "gb18030" => Self::Gb18030,
            "euckr" => Self::Euckr,
            _ => return None,
        })
    }

    /// Whether a server finds the same characters in a text as `encoding`, by which it is read. Else neither quotes nor `;`
    /// are known to be where they seem to be.
    pub(crate) fn agree(self, mut text: &[u8], encoding: &Encoding) -> bool {
        while let Some(start) = text.iter().position(|byte| *byte >= 0x80) {
            text = text.get(start..).unwrap_or_default();
            let length = self.length(text);
            if read_as(text, encoding) != Some(length) {
                return false;
            }
            text = text.get(length..).unwrap_or_default();
        }
        true
    }

    /// Of the character that a text begins with, to a server.
    fn length(self, text: &[u8]) -> usize {
        match text {
            [0x81..=0xfe, b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', ..] if self == Self::Gb18030 => 4,
            [lead, trail, ..] if self.pair(*lead, *trail) => 2,
            _ => 1,
        }
    }

    fn pair(self, lead: u8, trail: u8) -> bool {
        let wide = matches!(trail, 0x40..=0x7e | 0x80..=0xfe);
        match self {
            Self::Big5 => matches!(lead, 0xa1..=0xf9) && matches!(trail, 0x40..=0x7e | 0xa1..=0xfe),
            Self::Sjis => {
                matches!(lead, 0x81..=0x9f | 0xe0..=0xfc) && matches!(trail, 0x40..=0x7e | 0x80..=0xfc)
            }
            Self::Gbk | Self::Gb18030 => matches!(lead, 0x81..=0xfe) && wide,
            Self::Gb2312 => matches!(lead, 0xa1..=0xf7) && matches!(trail, 0xa1..=0xfe),
            Self::Euckr => {
                matches!(lead, 0x81..=0xfe) && matches!(trail, 0x41..=0x5a | 0x61..=0x7a | 0x81..=0xfe)
            }
        }
    }
}

/// The same as it is read here; `None` where that depends on what is behind it.
fn read_as(text: &[u8], encoding: &Encoding) -> Option<usize> {
    let reads =
        |length| text.get(..length).is_some_and(|character| encoding.decode_exact(character).is_some());
    let whole = [1, 2, 4].into_iter().find(|length| reads(*length));
    // What has no character gives an ASCII byte back.
    whole.or_else(|| text.get(1).is_none_or(u8::is_ascii).then_some(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::encoding_of_charset;

    fn agree(charset: &str, text: &[u8]) -> bool {
        Characters::of(charset).unwrap().agree(text, &encoding_of_charset(charset))
    }

    #[test]
    fn texts_of_today_are_read_alike() {
        for (charset, text) in [
            ("big5", &b"select '\xa4\xa4\xa4\xe5', '\xb3\x5c'"[..]),
            ("sjis", b"select '\x95\x5c', '\x83\x65\xb1'"),
            ("cp932", b"select '\x95\x5c'"),
            ("gbk", b"select '\xc4\x5c', '\x81\x5c'"),
            ("gb2312", b"select '\xd6\xd0\xce\xc4'"),
            ("gb18030", b"select '\xd6\xd0\x81\x30\x81\x30'"),
            ("euckr", b"select '\xc7\xd1\x81\x41'"),
            // Half a character, before a quote.
            ("gbk", b"select '\xc4'"),
            ("big5", b"select '\xa4'"),
        ] {
            assert!(agree(charset, text), "{charset} {}", text.escape_ascii());
        }
        assert!(Characters::of("ujis").is_none() && Characters::of("utf8mb4").is_none());
    }

    /// As MySQL 9.7 and MariaDB 10.11 read them.
    #[test]
    fn what_the_server_reads_otherwise_is_found() {
        for (charset, text) in [
            ("big5", &b"select '\x87\\' , '"[..]),
            ("gb2312", b"select '\x81\\' , '"),
            ("sjis", b"select '\x85\\'"),
            ("cp932", b"select '\x85\\'"),
            ("big5", b"'\x80\xa1'"),
        ] {
            assert!(!agree(charset, text), "{charset} {}", text.escape_ascii());
        }
    }

    /// Where they agree, a backslash is one to the server and in the text that is read, or to neither.
    #[test]
    fn where_they_agree_the_ascii_bytes_are_the_same() {
        for charset in ["big5", "sjis", "gbk", "gb2312", "gb18030", "euckr"] {
            let (characters, encoding) = (Characters::of(charset).unwrap(), encoding_of_charset(charset));
            let mut agreed = 0;
            for (lead, trail) in (0x80..=0xff).flat_map(|lead| (0..=0xff).map(move |trail| (lead, trail))) {
                let text = [lead, trail, b'\'', b'a'];
                if characters.agree(&text, &encoding) {
                    agreed += 1;
                    let shown = encoding.decode(&text).replace("\\x", "");
                    let alone = trail.is_ascii() && characters.length(&text) == 1;
                    let quoted = shown.matches('\'').count() == 1 + usize::from(alone && trail == b'\'');
                    assert!(quoted, "{charset} {lead:x} {trail:x} {shown}");
                    assert_eq!(shown.contains('\\'), alone && trail == b'\\', "{charset} {lead:x} {trail:x}");
                }
            }
            assert!(agreed > 10_000, "{charset}: {agreed}");
        }
    }
}
