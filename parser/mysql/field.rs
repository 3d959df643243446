//! Integers and strings that tell their own length.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>

use crate::reader::Reader;

/// An integer of 1, 3, 4 or 9 bytes. `None` as well for NULL and for the head of an ERR packet, which are none.
pub(super) fn integer(reader: &mut Reader<'_>) -> Option<u64> {
    match reader.u8()? {
        small @ 0..=0xfa => Some(small.into()),
        0xfc => reader.u16_le().map(Into::into),
        0xfd => reader.u24_le().map(Into::into),
        0xfe => reader.u64_le(),
        0xfb | 0xff => None,
    }
}

/// A string with its length ahead.
pub(super) fn string<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = integer(reader)?;
    reader.bytes(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_of_integer_is_read() {
        for (bytes, number) in [
            (&b"\0"[..], Some(0)),
            (b"\xfa", Some(0xfa)),
            (b"\xfb", None),
            (b"\xfc\x01\x02", Some(0x201)),
            (b"\xfd\x01\x02\x03", Some(0x3_0201)),
            (b"\xfe\x01\0\0\0\0\0\0\x80", Some(0x8000_0000_0000_0001)),
            (b"\xff", None),
            (b"\xfc\x01", None),
            (b"", None),
        ] {
            assert_eq!(integer(&mut Reader::new(bytes)), number, "{bytes:?}");
        }
    }

    #[test]
    fn a_string_stays_in_its_packet() {
        assert_eq!(string(&mut Reader::new(b"\x02abc")), Some(&b"ab"[..]));
        assert_eq!(string(&mut Reader::new(b"\x04abc")), None);
        assert_eq!(string(&mut Reader::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffabc")), None);
    }
}
