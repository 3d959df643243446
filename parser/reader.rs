//! A bounded cursor over one frame: every read can fail, none can panic, none can leave the frame.

use memchr::memchr;

/// Reads fields one after the other: big-endian numbers, and little-endian ones by the methods of that name.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `frame`.
    #[must_use]
    pub fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(bytes)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next two bytes, little-endian.
    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next three bytes, little-endian.
    pub fn u24_le(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// The next four bytes, little-endian.
    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes, little-endian.
    pub fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bytes up to the next NUL, which is passed over.
    pub fn cstr(&mut self) -> Option<&'a [u8]> {
        let end = memchr(0, self.rest)?;
        let text = self.bytes(end)?;
        self.u8()?;
        Some(text)
    }

    /// The bytes up to the next NUL, or to the end of a frame that was cut.
    pub fn cstr_or_rest(&mut self) -> &'a [u8] {
        self.cstr().unwrap_or_else(|| self.rest())
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The next bytes, as many as an array has.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stay_in_the_frame() {
        let mut reader = Reader::new(b"\0\x02ab\0c");
        assert_eq!(reader.u16(), Some(2));
        assert_eq!(reader.u32(), Some(u32::from_be_bytes(*b"ab\0c")));
        let mut reader = Reader::new(b"ab\0c");
        assert_eq!(reader.cstr(), Some(&b"ab"[..]));
        assert_eq!(reader.cstr(), None);
        assert_eq!(reader.bytes(2), None);
        assert_eq!(reader.cstr_or_rest(), b"c");
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (None, None, None));
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((reader.u16_le(), reader.u24_le(), reader.u32_le()), (Some(1), Some(2), Some(3)));
        assert_eq!((reader.left(), reader.u64_le(), reader.u64_le()), (8, Some(4), None));
    }
}
