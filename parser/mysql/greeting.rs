//! The server's greeting: it speaks first.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use super::capability::Capabilities;
use crate::reader::Reader;

/// The protocol's number.
const PROTOCOL: u8 = 10;

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting<'a> {
    /// Its version, as it says it: a MariaDB before 11 hides behind `5.5.5-`.
    pub(super) version: &'a [u8],
    /// The session's id: what `KILL` takes.
    pub(super) thread: u32,
    /// What it can do, as far as it was passed on.
    pub(super) capabilities: Capabilities,
    /// Low byte of the number of the collation that it has for those who choose none.
    pub(super) collation: u8,
    /// The session's status.
    pub(super) status: u16,
}

impl<'a> Greeting<'a> {
    /// Reads it as it was passed on; `None` if it is none.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        if reader.u8()? != PROTOCOL {
            return None;
        }
        let version = reader.cstr()?;
        let thread = reader.u32_le()?;
        // The first part of the scramble, and a filler.
        reader.bytes(8 + 1)?;
        let low = u64::from(reader.u16_le()?);
        let collation = reader.u8()?;
        let status = reader.u16_le()?;
        let high = u64::from(reader.u16_le()?);
        // Length of the scramble, and a filler.
        reader.bytes(1 + 6)?;
        let extended = u64::from(reader.u32_le()?);
        let mut capabilities = Capabilities(low | high << 16);
        if !capabilities.has(Capabilities::MYSQL) {
            capabilities.0 |= extended << 32;
        }
        Some(Self { version, thread, capabilities, collation, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of MariaDB 10.11, as it was recorded.
    const MARIADB: &[u8] =
        b"\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0\x1f\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\
        \0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";

    #[test]
    fn a_greeting_is_read() {
        let greeting = Greeting::parse(MARIADB).unwrap();
        assert_eq!((greeting.version, greeting.thread), (&b"5.5.5-10.11.19-MariaDB-0+deb12u1"[..], 31));
        assert_eq!((greeting.status, greeting.capabilities), (2, Capabilities(0x1d_81ff_f7fe)));
        assert!(!greeting.capabilities.has(Capabilities::MYSQL));
    }

    #[test]
    fn what_is_torn_is_none() {
        let fixed = MARIADB.len() - b"ijklmnopqrst\0mysql_native_password\0".len();
        for cut in 0..fixed {
            assert_eq!(Greeting::parse(&MARIADB[..cut]), None, "cut at {cut}");
        }
        assert!(Greeting::parse(&MARIADB[..fixed]).is_some());
        assert_eq!(Greeting::parse(b"\x09a\0"), None);
    }
}
