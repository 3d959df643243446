//! The types that a client may send a parameter as, by their number.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html>

/// Flag of a type whose numbers have no sign.
const UNSIGNED: u16 = 0x8000;

/// A type, as a client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) code: u16,
    pub(super) unsigned: bool,
}

/// How much of a packet a value takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Bytes(usize),
    /// Its length is ahead of it.
    Prefixed,
    /// It is NULL, though its bit is not set.
    Nothing,
}

/// How values of a type are encoded and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
        Self { code: field & !UNSIGNED, unsigned: field & UNSIGNED != 0 }
    }

    /// How much its values take. `named` parameters are a MySQL's: all types but the numbers of 1, 2, 4 and 8 bytes have their
    /// length ahead, even those of NULL, of a number of three bytes and of a year. A MariaDB takes some of these for NULL; a
    /// MySQL refuses them where a statement is run.
    pub(super) fn size(self, named: bool) -> Size {
        match self.code {
            1 => Size::Bytes(1),
            2 => Size::Bytes(2),
            3 | 4 => Size::Bytes(4),
            5 | 8 => Size::Bytes(8),
            9 | 13 | 16 | 255 if !named => Size::Nothing,
            _ => Size::Prefixed,
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self.code {
            0 | 246 => Kind::Decimal,
            1 => Kind::Tiny,
            2 => Kind::Short,
            3 => Kind::Long,
            4 => Kind::Float,
            5 => Kind::Double,
            7 | 12 => Kind::DateTime,
            8 => Kind::LongLong,
            10 => Kind::Date,
            11 => Kind::Time,
            245 => Kind::Json,
            6 | 9 | 13 | 15 | 247 | 248 | 253 | 254 => Kind::Text,
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

    #[test]
    fn only_numbers_have_a_size() {
        let sized = (0..256).filter(|code| matches!(Type::of(*code).size(true), Size::Bytes(_)));
        assert_eq!(sized.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 8]);
        let nothing = (0..256).filter(|code| Type::of(*code).size(false) == Size::Nothing);
        assert_eq!(nothing.collect::<Vec<_>>(), [9, 13, 16, 255]);
        assert_eq!(Type::of(0x103).kind(), Kind::Opaque);
    }
}
