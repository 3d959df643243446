//! The raw parameters at the tail of a Bind message.

/// Reads the parameters of a Bind one by one, each with its format code (0 text, 1 binary; others are passed on as
/// they come) and its bytes, None for NULL.
///
/// The body may have been cut at a cap: the walk ends before the first value that is not all there, and
/// [`truncated`](Self::truncated) then says so. Allocates nothing.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    formats: &'a [[u8; 2]],
    values: &'a [u8],
    declared: u16,
    seen: u16,
    truncated: bool,
}

impl<'a> Parameters<'a> {
    /// Over the part of a Bind's body that follows the names of portal and statement: the count of format codes,
    /// the codes, the count of values, the values. What follows these is left alone.
    pub fn new(body: &'a [u8]) -> Self {
        Self::open(body).unwrap_or(Self { formats: &[], values: &[], declared: 0, seen: 0, truncated: true })
    }

    /// How many parameters the message says it has; 0 where it was cut before it could say.
    pub fn declared(&self) -> u16 {
        self.declared
    }

    /// Whether the walk came to an end before all that was declared, because the rest is missing or malformed.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn open(body: &'a [u8]) -> Option<Self> {
        let (count, rest) = body.split_first_chunk()?;
        let (formats, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*count)) * 2)?;
        let (declared, values) = rest.split_first_chunk()?;
        let (formats, _) = formats.as_chunks();
        Some(Self { formats, values, declared: u16::from_be_bytes(*declared), seen: 0, truncated: false })
    }

    /// No code at all: all text. One code: for all. Else one each.
    fn format(&self) -> i16 {
        let code = match self.formats {
            [one] => Some(one),
            each => each.get(usize::from(self.seen)),
        };
        code.map_or(0, |code| i16::from_be_bytes(*code))
    }

    fn value(&mut self) -> Option<Option<&'a [u8]>> {
        let (length, rest) = self.values.split_first_chunk()?;
        let length = i32::from_be_bytes(*length);
        let (value, rest) = match length {
            -1 => (None, rest),
            _ => rest
                .split_at_checked(usize::try_from(length).ok()?)
                .map(|(value, rest)| (Some(value), rest))?,
        };
        self.values = rest;
        Some(value)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (i16, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.truncated || self.seen == self.declared {
            return None;
        }
        let Some(value) = self.value() else {
            self.truncated = true;
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

    const BODY: &[u8] = b"\0\x02\0\x01\0\0\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x01\0\0";

    #[test]
    fn walks_values_with_their_formats() {
        let mut parameters = Parameters::new(BODY);
        assert_eq!(parameters.declared(), 3);
        let all: Vec<_> = parameters.by_ref().collect();
        assert_eq!(all, [(1, Some(&b"ab"[..])), (0, None), (0, Some(&b""[..]))]);
        assert!(!parameters.truncated());
    }

    #[test]
    fn one_format_is_for_all_and_none_is_text() {
        let one = b"\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01x";
        assert!(Parameters::new(one).all(|(format, _)| format == 1));
        let none = b"\0\0\0\x02\xff\xff\xff\xff\0\0\0\x01x";
        assert_eq!(Parameters::new(none).map(|(format, _)| format).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(Parameters::new(b"\0\0\0\0").count(), 0);
    }

    #[test]
    fn a_cut_body_ends_early_and_says_so() {
        let values_end = BODY.len() - 4;
        for cut in 0..values_end {
            let mut parameters = Parameters::new(&BODY[..cut]);
            let seen = parameters.by_ref().count();
            assert!(seen < 3 && parameters.truncated(), "cut at {cut}");
            assert_eq!(parameters.next(), None);
        }
    }

    #[test]
    fn a_negative_length_but_minus_one_ends_the_walk() {
        let mut parameters = Parameters::new(b"\0\0\0\x02\xff\xff\xff\xfe\0\0\0\0");
        assert_eq!(parameters.next(), None);
        assert!(parameters.truncated());
    }
}
