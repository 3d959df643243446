//! The server's binary numeric.

use crate::json::{LONGEST_NUMBER, is_json_number, write_digits, write_integer};

/// Zeros that a numeric is padded with at most, beyond eight digits for each byte sent: ten bytes can ask for
/// 131,072 of them. One that has more is written with an exponent.
const MOST_PADDING: usize = 64;

/// Writes a binary numeric: count of base-10,000 digits, weight of the first, sign, decimal digits after
/// the point, the digits. None where the bytes are no numeric.
pub(super) fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    let [c0, c1, w0, w1, s0, s1, d0, d1] = *header;
    let (groups, extra) = rest.as_chunks::<2>();
    if groups.len() != usize::from(u16::from_be_bytes([c0, c1])) || !extra.is_empty() {
        return None;
    }
    let negative = match u16::from_be_bytes([s0, s1]) {
        0x0000 => false,
        0x4000 => true,
        special => return write_special(out, special),
    };
    let number = Number { groups, weight: i16::from_be_bytes([w0, w1]), scale: u16::from_be_bytes([d0, d1]) };
    number.write(out, negative)
}

fn write_special(out: &mut Vec<u8>, sign: u16) -> Option<()> {
    let name: &[u8] = match sign {
        0xc000 => b"\"NaN\"",
        0xd000 => b"\"Infinity\"",
        0xf000 => b"\"-Infinity\"",
        _ => return None,
    };
    out.extend_from_slice(name);
    Some(())
}

struct Number<'a> {
    /// Four decimal digits each.
    groups: &'a [[u8; 2]],
    /// Of the first group, as a power of 10,000.
    weight: i16,
    /// Decimal digits after the point.
    scale: u16,
}

impl Number<'_> {
    fn write(&self, out: &mut Vec<u8>, negative: bool) -> Option<()> {
        let whole_groups = usize::try_from(i32::from(self.weight) + 1).unwrap_or(0);
        let scale = usize::from(self.scale);
        let length = whole_groups * 4 + scale;
        if self.groups.iter().any(|g| value(*g) > 9999) {
            return None;
        }
        if length > self.groups.len() * 16 + MOST_PADDING {
            self.write_exponent(out, negative);
            return Some(());
        }
        let quote = length > LONGEST_NUMBER;
        out.extend(quote.then_some(b'"'));
        out.extend(negative.then_some(b'-'));
        self.write_whole(out);
        if scale > 0 {
            out.push(b'.');
            self.write_fraction(out, scale);
        }
        out.extend(quote.then_some(b'"'));
        Some(())
    }

    fn write_whole(&self, out: &mut Vec<u8>) {
        let mut leading = true;
        for power in (0..=i32::from(self.weight)).rev() {
            let group = self.group(power);
            if !leading || group > 0 {
                write_digits(out, group.into(), if leading { 1 } else { 4 });
                leading = false;
            }
        }
        if leading {
            out.push(b'0');
        }
    }

    fn write_fraction(&self, out: &mut Vec<u8>, scale: usize) {
        let end = out.len() + scale;
        for power in (i32::MIN..0).rev() {
            if out.len() >= end {
                break;
            }
            write_digits(out, self.group(power).into(), 4);
        }
        out.truncate(end);
    }

    /// Writes it as an integer and a power of ten: `1e100`.
    fn write_exponent(&self, out: &mut Vec<u8>, negative: bool) {
        let (digits, exponent) = self.significant();
        let mut text: Vec<u8> = negative.then_some(b'-').into_iter().collect();
        text.extend(digits.iter().skip_while(|digit| **digit == b'0'));
        match (digits.is_empty(), exponent) {
            (true, _) => text.push(b'0'),
            (_, 0) => {}
            (_, exponent) => {
                text.push(b'e');
                write_integer(&mut text, exponent);
            }
        }
        let quote = !str::from_utf8(&text).is_ok_and(is_json_number);
        out.extend(quote.then_some(b'"'));
        out.extend_from_slice(&text);
        out.extend(quote.then_some(b'"'));
    }

    /// Its digits up to the last that is not 0, and the power of ten of that one.
    fn significant(&self) -> (Vec<u8>, i64) {
        let mut digits = Vec::with_capacity(self.groups.len() * 4);
        for group in self.groups {
            write_digits(&mut digits, value(*group).into(), 4);
        }
        let mut exponent = 4 * (i64::from(self.weight) + 1) - digits.len() as i64;
        // Digits beyond its scale are no part of it.
        while digits.last().is_some_and(|last| *last == b'0' || exponent < -i64::from(self.scale)) {
            digits.pop();
            exponent += 1;
        }
        (digits, exponent)
    }

    /// The four digits at 10,000 to this power.
    fn group(&self, power: i32) -> u16 {
        let index = usize::try_from(i32::from(self.weight) - power).ok();
        index.and_then(|index| self.groups.get(index)).map_or(0, |group| value(*group))
    }
}

fn value(group: [u8; 2]) -> u16 {
    u16::from_be_bytes(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        write_binary(&mut out, bytes).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn long_numbers_are_strings_and_padding_is_bounded() {
        let mut long = vec![0, 100, 0, 99, 0, 0, 0, 0];
        long.extend([0x03, 0xe7].repeat(100));
        let expected = format!("\"999{}\"", "0999".repeat(99));
        assert_eq!(written(&long), Some(expected));
        for (bytes, expected) in [
            (&b"\0\x01\0\x19\0\0\0\0\0\x01"[..], "1e100"),
            (b"\0\x02\0\x1a\x40\0\0\0\0\x0c\x0d\x48", "-1234e102"),
            (b"\0\x01\xff\xe7\0\0\0\x64\0\x01", "1e-100"),
            (b"\0\x01\xff\xe7\0\0\0\x62\x04\xd2", "12e-98"),
            (b"\0\x01\xff\xe7\0\0\0\x60\0\x01", "0"),
            (b"\0\x01\x7f\xff\0\0\0\0\0\x01", "\"1e131068\""),
            (b"\0\x01\0\0\0\0\x01\xff\0\x05", "5"),
            (b"\0\0\0\0\0\0\x3f\xff", "0"),
        ] {
            assert_eq!(written(bytes).as_deref(), Some(expected));
        }
    }

    #[test]
    fn refuses_what_is_no_numeric() {
        assert_eq!(written(b"\0\x01\0\0\0\0\0\0\x27\x10"), None, "a group of 10,000");
        assert_eq!(written(b"\0\x02\0\0\0\0\0\0\0\x01"), None, "a group missing");
        assert_eq!(written(b"\0\0\0\0\x12\x34\0\0"), None, "an unknown sign");
        assert_eq!(written(b"\0\x02\0\x01\0\0\0\0\0\0\0\x05").as_deref(), Some("5"), "leading zeros go");
    }
}
