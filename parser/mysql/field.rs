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

/// A number as the servers read those of parameters: of one of eight bytes they take the lower half.
pub(super) fn low_integer(reader: &mut Reader<'_>) -> Option<u64> {
    integer(reader).map(|number| number & u64::from(u32::MAX))
}

/// The value of a parameter, with its length ahead. What begins with 0xfb or 0xff has none: one server refuses it, another
/// takes all that is left, a third reads eight bytes of length.
pub(super) fn value<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = low_integer(reader)?;
    reader.bytes(usize::try_from(length).ok()?)
}

/// The name of a parameter. MySQL takes 0xff for 0xfe here.
pub(super) fn name<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut behind = *reader;
    if behind.u8()? != 0xff {
        return value(reader);
    }
    let length = behind.u32_le()?;
    behind.u32_le()?;
    *reader = behind;
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

    /// As MySQL 9.7 does.
    #[test]
    fn a_parameter_has_four_bytes_of_length() {
        let long = |first: u8| [&[first, 2, 0, 0, 0, 9, 9, 9, 9][..], b"abc"].concat();
        assert_eq!(value(&mut Reader::new(&long(0xfe))), Some(&b"ab"[..]));
        assert_eq!(name(&mut Reader::new(&long(0xff))), Some(&b"ab"[..]));
        assert_eq!(name(&mut Reader::new(b"\x01abc")), Some(&b"a"[..]));
        for first in [0xfb, 0xff] {
            assert_eq!(value(&mut Reader::new(&long(first))), None);
        }
        assert_eq!(name(&mut Reader::new(&long(0xfb))), None);
    }
}
