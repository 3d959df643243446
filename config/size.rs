//! A number of bytes, written the way people write it: `"64 KiB"`, `"20 GiB"`, `"1 MB"`, `1048576`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// Nothing here is larger, so that sums of sizes cannot overflow.
const MAX_BYTES: u64 = 1 << 50;

/// A number of bytes. In a configuration: a whole number of bytes, or a number and a unit
/// (`KiB`, `MiB`, `GiB`, `TiB` by 1024; `kB`, `MB`, `GB`, `TB` by 1000; case does not matter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes; unlike a text not bounded.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many KiB of 1024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 10))
    }

    /// So many MiB of 1024² bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 20))
    }

    /// So many GiB of 1024³ bytes.
    pub const fn gib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 30))
    }

    /// The bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The bytes as a length in memory; what does not fit becomes `usize::MAX`.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Why a text is no [`ByteSize`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Neither a whole number nor a number and a unit.
    #[error("{0:?} is not a size; write a number and a unit, e.g. \"20 GiB\"")]
    Syntax(String),
    /// More than 1024 TiB.
    #[error("{0:?} is above 1024 TiB; write a smaller size, e.g. \"20 GiB\"")]
    TooLarge(String),
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let syntax = || SizeError::Syntax(text.to_owned());
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (digits, unit) = trimmed.split_at(end);
        let unit = unit_bytes(unit.trim_start()).ok_or_else(syntax)?;
        if digits.is_empty() {
            return Err(syntax());
        }
        let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        bytes.filter(|n| *n <= MAX_BYTES).map(Self).ok_or_else(|| SizeError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for ByteSize {
    /// Exact: the largest binary unit that divides the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size: a number and a unit, e.g. \"20 GiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                self.visit_str(&bytes.to_string())
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                self.visit_str(&bytes.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn unit_bytes(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7 B", 7),
            ("64 KiB", 65_536),
            ("64kib", 65_536),
            (" 20  GiB ", 20 << 30),
            ("1 MB", 1_000_000),
            ("2 TiB", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize::new(bytes)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_remedy() {
        for text in ["", "GiB", "-1", "1.5 GiB", "20 GB of", "20 G", "64 KiB\0", "١"] {
            assert_eq!(text.parse::<ByteSize>(), Err(SizeError::Syntax(text.to_owned())));
        }
        for text in ["99999999999999999999", "99999999999 TiB", "1025 TiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(SizeError::TooLarge(text.to_owned())));
        }
        assert_eq!(
            "20 GB of".parse::<ByteSize>().unwrap_err().to_string(),
            r#""20 GB of" is not a size; write a number and a unit, e.g. "20 GiB""#
        );
    }

    #[test]
    fn sizes_print_as_they_are_written() {
        for text in ["20 GiB", "64 KiB", "1 TiB", "1000 B", "0 B", "1025 KiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }
}
