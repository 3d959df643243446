//! What both sides may agree on. A client that was not offered something does without it, so what is not followed here
//! is not offered.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection#capabilities>

/// Flags of the greeting and of a login; MariaDB's own from bit 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(pub(super) u64);

impl Capabilities {
    /// `CLIENT_LONG_PASSWORD` of old; a MariaDB, or a client that knows it, leaves it clear and sends bits from 32.
    pub(super) const MYSQL: Self = Self::bit(0);
    pub(super) const CONNECT_WITH_DB: Self = Self::bit(3);
    const COMPRESS: Self = Self::bit(5);
    pub(super) const PROTOCOL_41: Self = Self::bit(9);
    const SSL: Self = Self::bit(11);
    pub(super) const SECURE_CONNECTION: Self = Self::bit(15);
    pub(super) const MULTI_STATEMENTS: Self = Self::bit(16);
    pub(super) const PLUGIN_AUTH: Self = Self::bit(19);
    pub(super) const CONNECT_ATTRS: Self = Self::bit(20);
    pub(super) const PLUGIN_AUTH_LENENC: Self = Self::bit(21);
    pub(super) const SESSION_TRACK: Self = Self::bit(23);
    pub(super) const DEPRECATE_EOF: Self = Self::bit(24);
    pub(super) const OPTIONAL_METADATA: Self = Self::bit(25);
    const ZSTD: Self = Self::bit(26);
    pub(super) const QUERY_ATTRIBUTES: Self = Self::bit(27);
    /// MySQL's sign of flags to come, MariaDB's progress reports of old.
    const EXTENSION: Self = Self::bit(29);
    pub(super) const PROGRESS: Self = Self::bit(32);
    const BULK: Self = Self::bit(34);
    const EXTENDED_METADATA: Self = Self::bit(35);
    pub(super) const CACHE_METADATA: Self = Self::bit(36);
    const BULK_UNIT_RESULTS: Self = Self::bit(37);

    /// What is followed here: all of the first 32 but compression, TLS and what is to come; of MariaDB's those that
    /// are named above. (The others in the first 32 change no byte's place, or none of an answer.)
    pub(super) const FOLLOWED: Self = Self(
        0xffff_ffff & !(Self::COMPRESS.0 | Self::SSL.0 | Self::ZSTD.0 | Self::EXTENSION.0)
            | Self::PROGRESS.0
            | Self::BULK.0
            | Self::EXTENDED_METADATA.0
            | Self::CACHE_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    const fn bit(place: u32) -> Self {
        Self(1 << place)
    }

    /// Whether all of `other` are among them.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are among both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The same, with `flag` or without.
    pub(super) fn with(self, flag: Self, set: bool) -> Self {
        Self(if set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }

    /// One of the eight bytes, as they are sent.
    pub(super) fn byte(self, place: usize) -> u8 {
        self.0.to_le_bytes().get(place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_hide_the_rest_is_not_followed() {
        for (name, bit, followed) in [
            ("COMPRESS", 5, false),
            ("LOCAL_FILES", 7, true),
            ("SSL", 11, false),
            ("MULTI_STATEMENTS", 16, true),
            ("DEPRECATE_EOF", 24, true),
            ("ZSTD", 26, false),
            ("MULTI_FACTOR", 28, true),
            ("EXTENSION", 29, false),
            ("PROGRESS", 32, true),
            ("COM_MULTI", 33, false),
            ("BULK_UNIT_RESULTS", 37, true),
            ("38", 38, false),
            ("63", 63, false),
        ] {
            assert_eq!(Capabilities::FOLLOWED.has(Capabilities::bit(bit)), followed, "{name}");
        }
    }
}
