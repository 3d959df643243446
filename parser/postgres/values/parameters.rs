//! The raw parameters at the tail of a Bind message.

pub use crate::head::Value;

/// Reads the parameters of a Bind one by one, each with its format code (0 text, 1 binary; others are passed on as
/// they come).
///
/// Of a body beyond its cap long values are kept with their heads only, and perhaps not all values: the walk ends before
/// the first that is not there. [`truncated`](Self::truncated) then says so. Allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Parameters<'a> {
    formats: &'a [[u8; 2]],
    values: &'a [u8],
    declared: u16,
    seen: u16,
    /// Values may be heads.
    condensed: bool,
    truncated: bool,
    ended: bool,
}

impl<'a> Parameters<'a> {
    /// Over the part of a Bind's body that follows the names of portal and statement: the count of format codes,
    /// the codes, the count of values, the values. What follows these is left alone.
    ///
    /// `length` is that of the part as it was sent: where `body` is shorter, it is what the wire kept of it.
    pub fn new(body: &'a [u8], length: u64) -> Self {
        let opened = Self::open(body, length > body.len() as u64);
        opened.unwrap_or(Self { truncated: true, ended: true, ..Self::default() })
    }

    /// How many parameters the message says it has; 0 where it was cut before it could say.
    pub fn declared(&self) -> u16 {
        self.declared
    }

    /// Whether some of what was declared is missing: the end of a value that was walked over, or values behind it.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn open(body: &'a [u8], condensed: bool) -> Option<Self> {
        let (count, rest) = body.split_first_chunk()?;
        let (formats, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*count)) * 2)?;
        let (declared, values) = rest.split_first_chunk()?;
        let (formats, _) = formats.as_chunks();
        Some(Self { formats, values, declared: u16::from_be_bytes(*declared), condensed, ..Self::default() })
    }

    /// No code at all: all text. One code: for all. Else one each.
    fn format(&self) -> i16 {
        let code = match self.formats {
            [one] => Some(one),
            each => each.get(usize::from(self.seen)),
        };
        code.map_or(0, |code| i16::from_be_bytes(*code))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let (length, rest) = self.values.split_first_chunk()?;
        let (value, rest) = match i32::from_be_bytes(*length) {
            -1 => (Value::Null, rest),
            length @ 0.. => {
                let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Value::Whole(bytes), rest)
            }
            turned if self.condensed => {
                let (head, rest) = rest.split_first_chunk()?;
                let (bytes, rest) = rest.split_at_checked(u16::from_be_bytes(*head).into())?;
                self.truncated = true;
                (Value::Head { bytes, length: (!turned).unsigned_abs() }, rest)
            }
            _ => return None,
        };
        self.values = rest;
        Some(value)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (i16, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.seen == self.declared {
            return None;
        }
        let Some(value) = self.value() else {
            (self.truncated, self.ended) = (true, true);
            return None;
        };
        let format = self.format();
        self.seen += 1;
        Some((format, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(body: &[u8]) -> Parameters<'_> {
        Parameters::new(body, body.len() as u64)
    }

    const BODY: &[u8] = b"\0\x02\0\x01\0\0\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x01\0\0";

    #[test]
    fn walks_values_with_their_formats() {
        let mut parameters = parameters(BODY);
        assert_eq!(parameters.declared(), 3);
        let all: Vec<_> = parameters.by_ref().collect();
        assert_eq!(all, [(1, Value::Whole(b"ab")), (0, Value::Null), (0, Value::Whole(b""))]);
        assert!(!parameters.truncated());
    }

    #[test]
    fn one_format_is_for_all_and_none_is_text() {
        let one = b"\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01x";
        assert!(parameters(one).all(|(format, _)| format == 1));
        let none = b"\0\0\0\x02\xff\xff\xff\xff\0\0\0\x01x";
        assert_eq!(parameters(none).map(|(format, _)| format).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(parameters(b"\0\0\0\0").count(), 0);
    }

    #[test]
    fn a_cut_body_ends_early_and_says_so() {
        let values_end = BODY.len() - 4;
        for (cut, length) in (0..values_end).flat_map(|cut| [(cut, cut as u64), (cut, 99)]) {
            let mut parameters = Parameters::new(&BODY[..cut], length);
            let seen = parameters.by_ref().count();
            assert!(seen < 3 && parameters.truncated(), "cut at {cut}");
            assert_eq!(parameters.next(), None);
        }
    }

    #[test]
    fn a_negative_length_but_minus_one_ends_the_walk() {
        let mut parameters = parameters(b"\0\0\0\x02\xff\xff\xff\xfe\0\0\0\0");
        assert_eq!(parameters.next(), None);
        assert!(parameters.truncated());
    }

    #[test]
    fn a_head_is_one_only_where_something_was_left_out() {
        let body = b"\0\0\0\x02\xff\xff\xff\xf5\0\x02ab\0\0\0\x01x";
        let mut parameters = Parameters::new(body, 99);
        let all: Vec<_> = parameters.by_ref().collect();
        assert_eq!(all, [(0, Value::Head { bytes: b"ab", length: 10 }), (0, Value::Whole(b"x"))]);
        assert!(parameters.truncated());
        assert_eq!(Parameters::new(body, body.len() as u64).count(), 0, "a length that no Bind may have");
    }
}
