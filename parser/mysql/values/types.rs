//! The types that a client may send a parameter as, by their number.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html>

/// Flag of a type whose numbers have no sign.
const UNSIGNED: u16 = 0x8000;

/// A type, as a client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) code: u8,
    pub(super) unsigned: bool,
}

/// How values of a type are encoded and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Tiny,
    Short,
    Long,
    LongLong,
    Float,
    Double,
    Decimal,
    Date,
    DateTime,
    Time,
    Text,
    Json,
    /// Bytes, which may be a text.
    Blob,
    /// Bytes that are none.
    Opaque,
}

impl Type {
    /// The type in a field of two bytes.
    pub(super) fn of(field: u16) -> Self {
        Self { code: field.to_le_bytes()[0], unsigned: field & UNSIGNED != 0 }
    }

    pub(super) fn kind(self) -> Kind {
        match self.code {
            0 | 246 => Kind::Decimal,
            1 => Kind::Tiny,
            // A year is a short.
            2 | 13 => Kind::Short,
            // A number of three bytes is sent as one of four.
            3 | 9 => Kind::Long,
            4 => Kind::Float,
            5 => Kind::Double,
            6 => Kind::Null,
            7 | 12 => Kind::DateTime,
            8 => Kind::LongLong,
            10 => Kind::Date,
            11 => Kind::Time,
            245 => Kind::Json,
            15 | 247 | 248 | 253 | 254 => Kind::Text,
            249..=252 => Kind::Blob,
            _ => Kind::Opaque,
        }
    }

    /// Its name, where it is one whose values are shown as bytes.
    pub(super) fn name(self) -> Option<&'static str> {
        Some(match self.code {
            16 => "bit",
            242 => "vector",
            249 => "tinyblob",
            250 => "mediumblob",
            251 => "longblob",
            252 => "blob",
            255 => "geometry",
            _ => match self.kind() {
                Kind::Date => "date",
                Kind::DateTime => "datetime",
                Kind::Time => "time",
                Kind::Text | Kind::Json => "text",
                Kind::Decimal => "decimal",
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_a_sign_or_none() {
        assert_eq!(Type::of(0x8003), Type { code: 3, unsigned: true });
        assert_eq!(Type::of(0x0003).kind(), Kind::Long);
        assert_eq!(Type::of(255).name(), Some("geometry"));
        assert_eq!((Type::of(99).kind(), Type::of(99).name()), (Kind::Opaque, None));
    }
}
