//! Text of a session: from the client's encoding to UTF-8, and from there into JSON.
//!
//! An event must show what was sent even where it is not valid text, and must not let what was sent
//! play tricks on whoever reads it: bytes outside of the encoding become `\xNN`, and characters that a
//! terminal or an editor would obey instead of show become `\u` escapes.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, mem};

use crate::characters::Characters;

/// The character encoding of a session, by PostgreSQL's `client_encoding`.
///
/// UTF-8 until told otherwise. `SQL_ASCII` promises nothing about its bytes and a few rare encodings
/// (`EUC_TW`, `JOHAB`, `MULE_INTERNAL`, `EUC_JIS_2004`, `SHIFT_JIS_2004`) have no table here: for those, as
/// for names never heard of, valid UTF-8 is shown as text and every other byte as `\xNN`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    form: Form,
    /// Where the server finds its characters, if that may be elsewhere.
    characters: Option<Characters>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// UTF-8, and bytes of which nothing is known.
    #[default]
    Utf8,
    /// One that has no table here.
    Unknown,
    /// ISO 8859-1 proper: the web's table, which is encoding_rs's, means windows-1252 by this name.
    Latin1,
    Table(&'static encoding_rs::Encoding),
    /// One that nobody knows: of its bytes only ASCII can be shown.
    Uncertain,
}

impl Encoding {
    /// UTF-8.
    pub const UTF8: Self = Self { form: Form::Utf8, characters: None };
    /// What it is cannot be told: all but ASCII is shown as `\xNN`.
    pub const UNCERTAIN: Self = Self { form: Form::Uncertain, characters: None };

    /// The encoding of this name, spelled as loosely as the server allows: case and punctuation do not count.
    pub fn named(name: &str) -> Self {
        let letters: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(LONGEST_NAME)
            .collect::<String>()
            .to_ascii_lowercase();
        let form = match letters.as_str() {
            "latin1" | "iso88591" => Form::Latin1,
            "utf8" | "unicode" | "sqlascii" => Form::Utf8,
            other => table(other).map_or(Form::Unknown, Form::Table),
        };
        Self { form, characters: None }
    }

    /// The same of a server that finds its characters by ranges of bytes.
    pub(crate) fn by_ranges(self, characters: Option<Characters>) -> Self {
        Self { characters, ..self }
    }

    /// Whether it can be read. Where it cannot, a byte that looks like a quote or a `;` may be part of a character.
    pub fn is_known(&self) -> bool {
        !matches!(self.form, Form::Unknown | Form::Uncertain)
    }

    /// Whether the server finds the same characters in these bytes. Where it may not, a quote or a `;` may be part of one.
    pub fn is_certain(&self, bytes: &[u8]) -> bool {
        let known = self.is_known() || bytes.is_ascii();
        known && self.characters.is_none_or(|characters| characters.agree(bytes, self))
    }

    /// The text of `bytes`; those that are not of the encoding are shown as `\xNN`, lower case.
    ///
    /// Borrows where the bytes already are UTF-8. The result is at most four times as long as `bytes`.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.decode_exact(bytes).unwrap_or_else(|| {
            Cow::Owned(match self.form {
                Form::Utf8 | Form::Unknown | Form::Latin1 => show_utf8(bytes),
                Form::Table(table) => show_table(table, bytes),
                Form::Uncertain => show_ascii(bytes),
            })
        })
    }

    /// The text of `bytes`, or None where some of them are not of the encoding.
    pub fn decode_exact<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        match self.form {
            Form::Utf8 | Form::Unknown => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Form::Latin1 => Some(mem::decode_latin1(bytes)),
            Form::Uncertain => str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed),
            Form::Table(table) => table.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// The bytes of a text, or None where some of it has none. Of several spellings of a character it is one.
    pub fn encode<'a>(&self, text: &'a str) -> Option<Cow<'a, [u8]>> {
        match self.form {
            Form::Utf8 | Form::Unknown => Some(Cow::Borrowed(text.as_bytes())),
            Form::Latin1 => mem::is_str_latin1(text).then(|| mem::encode_latin1_lossy(text)),
            Form::Uncertain => text.is_ascii().then_some(Cow::Borrowed(text.as_bytes())),
            Form::Table(table) => {
                let (bytes, _, unmapped) = table.encode(text);
                (!unmapped).then_some(bytes)
            }
        }
    }
}

/// Letters of an encoding's name that are looked at; the server knows none this long.
const LONGEST_NAME: usize = 32;

/// The conversion table of a PostgreSQL encoding, by its folded name.
fn table(name: &str) -> Option<&'static encoding_rs::Encoding> {
    Some(match name {
        "latin2" | "iso88592" => encoding_rs::ISO_8859_2,
        "latin3" | "iso88593" => encoding_rs::ISO_8859_3,
        "latin4" | "iso88594" => encoding_rs::ISO_8859_4,
        // The same but for 0x80 to 0x9F, which in ISO 8859-9 are controls that text does not have.
        "latin5" | "iso88599" => encoding_rs::WINDOWS_1254,
        "latin6" | "iso885910" => encoding_rs::ISO_8859_10,
        "latin7" | "iso885913" => encoding_rs::ISO_8859_13,
        "latin8" | "iso885914" => encoding_rs::ISO_8859_14,
        "latin9" | "iso885915" => encoding_rs::ISO_8859_15,
        "latin10" | "iso885916" => encoding_rs::ISO_8859_16,
        "iso88595" => encoding_rs::ISO_8859_5,
        "iso88596" => encoding_rs::ISO_8859_6,
        "iso88597" => encoding_rs::ISO_8859_7,
        "iso88598" => encoding_rs::ISO_8859_8,
        "win866" | "windows866" | "alt" => encoding_rs::IBM866,
        "win874" | "windows874" => encoding_rs::WINDOWS_874,
        "win1250" | "windows1250" => encoding_rs::WINDOWS_1250,
        "win1251" | "windows1251" | "win" => encoding_rs::WINDOWS_1251,
        "win1252" | "windows1252" => encoding_rs::WINDOWS_1252,
        "win1253" | "windows1253" => encoding_rs::WINDOWS_1253,
        "win1254" | "windows1254" => encoding_rs::WINDOWS_1254,
        "win1255" | "windows1255" => encoding_rs::WINDOWS_1255,
        "win1256" | "windows1256" => encoding_rs::WINDOWS_1256,
        "win1257" | "windows1257" => encoding_rs::WINDOWS_1257,
        "win1258" | "windows1258" | "abc" | "tcvn" | "tcvn5712" | "vscii" => encoding_rs::WINDOWS_1258,
        "koi8" | "koi8r" => encoding_rs::KOI8_R,
        "koi8u" => encoding_rs::KOI8_U,
        "eucjp" => encoding_rs::EUC_JP,
        "sjis" | "shiftjis" | "mskanji" | "win932" | "windows932" => encoding_rs::SHIFT_JIS,
        "euccn" | "gbk" | "win936" | "windows936" => encoding_rs::GBK,
        "gb18030" => encoding_rs::GB18030,
        "euckr" | "uhc" | "win949" | "windows949" => encoding_rs::EUC_KR,
        "big5" | "win950" | "windows950" => encoding_rs::BIG5,
        _ => return None,
    })
}

fn show_utf8(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        show_bytes(&mut shown, chunk.invalid());
    }
    shown
}

fn show_table(table: &'static encoding_rs::Encoding, bytes: &[u8]) -> String {
    let mut decoder = table.new_decoder_without_bom_handling();
    let mut shown = String::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // Reserved anew each time, so that the decoder is never short of room for one more character.
        shown.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()));
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut shown, true);
        at += read;
        match result {
            DecoderResult::InputEmpty => return shown,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                let end = at.saturating_sub(usize::from(after));
                let start = end.saturating_sub(usize::from(bad));
                show_bytes(&mut shown, bytes.get(start..end).unwrap_or_default());
            }
        }
    }
}

fn show_ascii(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte.is_ascii() {
            true => shown.push(char::from(*byte)),
            false => show_bytes(&mut shown, &[*byte]),
        }
    }
    shown
}

fn show_bytes(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        shown.push_str("\\x");
        shown.extend(hex_digits(*byte).map(char::from));
    }
}

/// Appends `text` as a JSON string with its quotes.
///
/// Besides what JSON demands, everything that acts on a reader's screen rather than shows on it is escaped: DEL, the
/// C1 controls, line and paragraph separators, and the marks that turn the direction of writing.
/// At most six bytes are written for one of `text`.
pub fn write_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text, true);
    out.push(b'"');
}

/// Appends what stands between the quotes of a valid JSON string, escaping what would act on a reader's
/// screen and leaving the escapes that are there already.
pub(crate) fn write_json_escaped(out: &mut Vec<u8>, inside: &str) {
    write_escaped(out, inside, false);
}

fn write_escaped(out: &mut Vec<u8>, text: &str, syntax: bool) {
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, tail) = rest.split_at_checked(plain_length(rest.as_bytes())).unwrap_or((rest, ""));
        out.extend_from_slice(plain.as_bytes());
        let mut chars = tail.chars();
        if let Some(char) = chars.next() {
            write_char(out, char, syntax);
        }
        rest = chars.as_str();
    }
}

/// How many bytes at the front can be copied unseen.
///
/// Sixteen at a time first, which the compiler turns into a few vector instructions; most text is plain ASCII.
fn plain_length(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let clean =
        blocks.iter().take_while(|block| !block.iter().fold(false, |dirty, b| dirty | is_odd(*b))).count()
            * 16;
    let rest = bytes.get(clean..).unwrap_or_default();
    clean + rest.iter().position(|b| is_lead(*b)).unwrap_or(rest.len())
}

fn is_odd(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte >= 0x7f)
}

/// Whether a character that begins with this byte may need an escape: U+0080, U+061C and U+2000 and their neighbours
/// begin with the last three.
fn is_lead(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2)
}

fn write_char(out: &mut Vec<u8>, char: char, syntax: bool) {
    match char {
        '"' | '\\' if syntax => out.extend_from_slice(&[b'\\', char as u8]),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..' '
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => {
            let [.., high, low] = u32::from(char).to_be_bytes();
            out.extend_from_slice(b"\\u");
            out.extend_from_slice(&hex_digits(high));
            out.extend_from_slice(&hex_digits(low));
        }
        _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// The two lower-case hexadecimal digits of a byte.
#[must_use]
pub fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|n| if n < 10 { b'0' + n } else { b'a' + n - 10 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        write_json_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_what_acts_on_a_screen() {
        assert_eq!(json("a\"b\\c\n\r\t\0\u{1b}"), r#""a\"b\\c\n\r\t\u0000\u001b""#);
        assert_eq!(json("\u{7f}\u{80}\u{9b}\u{a0}é"), "\"\\u007f\\u0080\\u009b\u{a0}é\"");
        assert_eq!(
            json("x\u{202e}y\u{2066}z\u{200f}\u{61c}\u{2028}"),
            r#""x\u202ey\u2066z\u200f\u061c\u2028""#
        );
        assert_eq!(json("žluťoučký – kůň 日本 🐘"), "\"žluťoučký – kůň 日本 🐘\"");
    }

    #[test]
    fn decodes_by_name_and_shows_foreign_bytes() {
        let decode = |name: &str, bytes: &[u8]| Encoding::named(name).decode(bytes).into_owned();
        assert_eq!(decode("UTF8", b"a\xffb\xc5\xbe\xe2\x82"), "a\\xffbž\\xe2\\x82");
        assert_eq!(decode("SQL_ASCII", b"caf\xe9 \xc5\xbe"), "caf\\xe9 ž");
        assert_eq!(decode("martian", b"\x80"), "\\x80");
        assert_eq!(decode("LATIN1", b"caf\xe9\x85"), "café\u{85}");
        assert_eq!(decode("iso-8859-15", b"\xa4"), "€");
        assert_eq!(decode("WIN1250", b"\x9elu\x9d"), "žluť");
        assert_eq!(decode("WIN1253", b"\xd2a"), "\\xd2a");
        assert_eq!(decode("KOI8R", b"\xf0\xf2\xe9"), "ПРИ");
        assert_eq!(decode("SJIS", b"\x95\x5c\x81"), "表\\x81");
        assert_eq!(decode("EUC_JP", b"\xc6\xfc\xff!"), "日\\xff!");
        assert_eq!(decode("GBK", b"\xd6\xd0\xff'"), "中\\xff'");
        assert_eq!(decode("GB18030", b"\x81\x30\x81\x30\x81\x30z"), "\u{80}\\x810z");
        assert_eq!(decode("BIG5", b"\xa4\xa4"), "中");
        assert_eq!(decode("EUC_KR", b"\xc7\xd1"), "한");
    }

    #[test]
    fn knows_what_it_cannot_read() {
        for name in ["UTF8", "unicode", "SQL_ASCII", "LATIN1", "sjis"] {
            assert!(Encoding::named(name).is_known(), "{name}");
        }
        for name in ["SHIFT_JIS_2004", "JOHAB", "EUC_JIS_2004", "EUC_TW", "MULE_INTERNAL", "martian"] {
            assert!(!Encoding::named(name).is_known(), "{name}");
        }
    }

    #[test]
    fn borrows_what_is_text_already() {
        assert!(matches!(Encoding::UTF8.decode("ž".as_bytes()), Cow::Borrowed("ž")));
        assert!(matches!(Encoding::named("GBK").decode(b"plain"), Cow::Borrowed("plain")));
    }

    proptest! {
        #[test]
        fn any_text_survives_json(text in ".{0,80}") {
            prop_assert_eq!(serde_json::from_str::<String>(&json(&text)).unwrap(), text);
        }

        #[test]
        fn any_bytes_become_bounded_text(bytes in proptest::collection::vec(any::<u8>(), 0..60), table in 0_usize..9) {
            let names = ["UTF8", "LATIN1", "WIN1253", "SJIS", "EUC_JP", "GBK", "GB18030", "BIG5", "EUC_KR"];
            let encoding = Encoding::named(names[table]);
            let text = encoding.decode(&bytes);
            prop_assert!(text.len() <= 4 * bytes.len());
            prop_assert!(encoding.decode_exact(&bytes).is_none_or(|exact| exact == text));
        }
    }
}
