//! The packets by which a server ends an answer: OK, EOF and ERR.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html>

use super::{
    capability::Capabilities,
    field,
    packet::{HEADER, LONGEST},
};
use crate::{reader::Reader, wire::Failure};

/// First byte of an OK.
pub(super) const OK: u8 = 0x00;
/// First byte of an EOF, and of an OK in its place.
pub(super) const EOF: u8 = 0xfe;
/// First byte of an ERR.
pub(super) const ERR: u8 = 0xff;
/// First byte of a request for a file of the client's, in place of a number of columns.
pub(super) const FILE: u8 = 0xfb;
/// An EOF is shorter than this; else what begins like it is a row whose first value is longer than 16 MiB.
const EOF_BYTES: u64 = 9;
/// The errno of a progress report.
/// <https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/err_packet>
const PROGRESS: &[u8] = &[ERR, 0xff, 0xff];

/// A session's status, as the server tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status(pub(super) u16);

impl Status {
    pub(super) const IN_TRANSACTION: Self = Self(0x0001);
    pub(super) const MORE_RESULTS: Self = Self(0x0008);
    pub(super) const CURSOR: Self = Self(0x0040);
    pub(super) const LAST_ROW: Self = Self(0x0080);
    pub(super) const NO_BACKSLASH_ESCAPES: Self = Self(0x0200);
    pub(super) const OUT_PARAMETERS: Self = Self(0x1000);
    const CHANGED: Self = Self(0x4000);

    /// Whether it has this flag.
    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// What it is after an error, which tells no status: class 40 says that the transaction is rolled back, as of a
    /// deadlock.
    pub(super) fn after(self, failure: &Failure<&[u8]>) -> Self {
        if failure.sql_state.starts_with(b"40") { Self(self.0 & !Self::IN_TRANSACTION.0) } else { self }
    }
}

/// An OK or an EOF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done<'a> {
    /// Rows that were changed.
    pub(super) rows: u64,
    /// The first number that was given to a new row.
    pub(super) insert_id: u64,
    pub(super) status: Status,
    pub(super) warnings: u16,
    /// The server's remark.
    pub(super) info: &'a [u8],
    /// What changed in the session.
    pub(super) changes: Changes<'a>,
}

impl<'a> Done<'a> {
    /// Reads what [`ends`] said to be one.
    pub(super) fn parse(body: &'a [u8], agreed: Capabilities) -> Option<Self> {
        let mut reader = Reader::new(body);
        let is_eof = reader.u8()? == EOF && !agreed.has(Capabilities::DEPRECATE_EOF);
        // COM_SET_OPTION and COM_DEBUG are answered by an EOF, whatever was agreed.
        if is_eof || body.len() == 5 && body.first() == Some(&EOF) {
            let (warnings, status) = (reader.u16_le()?, Status(reader.u16_le()?));
            return Some(Self { status, warnings, ..Self::default() });
        }
        let (rows, insert_id) = (field::integer(&mut reader)?, field::integer(&mut reader)?);
        let (status, warnings) = (Status(reader.u16_le()?), reader.u16_le()?);
        let mut done = Self { rows, insert_id, status, warnings, ..Self::default() };
        // With its length ahead, whatever the manual says of those who track no session.
        done.info = field::string(&mut reader).unwrap_or_default();
        if agreed.has(Capabilities::SESSION_TRACK) && status.has(Status::CHANGED) {
            done.changes = Changes(field::string(&mut reader).unwrap_or_default());
        }
        Some(done)
    }
}

/// Whether a packet among rows, of this first byte and this length, is their end.
pub(super) fn ends(first: Option<u8>, length: u64, agreed: Capabilities) -> bool {
    let longest = if agreed.has(Capabilities::DEPRECATE_EOF) { LONGEST } else { EOF_BYTES };
    first == Some(EOF) && length < longest
}

/// Whether an ERR only tells how far the server is.
pub(super) fn is_progress(body: &[u8], agreed: Capabilities) -> bool {
    body.starts_with(PROGRESS) && agreed.has(Capabilities::PROGRESS)
}

/// What changed in the session, as an OK tells it.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes<'a>(&'a [u8]);

impl<'a> Changes<'a> {
    /// Each variable, and `schema`: names and values.
    pub(super) fn each(self, mut tell: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        let mut reader = Reader::new(self.0);
        while reader.left() > 0 {
            let kind = reader.u8()?;
            let mut change = Reader::new(field::string(&mut reader)?);
            match kind {
                // MariaDB tells several variables at once.
                0 => {
                    while change.left() > 0 {
                        tell(field::string(&mut change)?, field::string(&mut change)?);
                    }
                }
                1 => tell(b"schema", field::string(&mut change)?),
                _ => {}
            }
        }
        Some(())
    }
}

/// An ERR. Before the login there is no SQLSTATE in it.
pub(super) fn failure(body: &[u8]) -> Failure<&[u8]> {
    let mut reader = Reader::new(body);
    let code = reader.u8().and_then(|_| reader.u16_le()).unwrap_or_default();
    let rest = reader.rest();
    let marked = rest.strip_prefix(b"#").and_then(|rest| rest.split_at_checked(5));
    let (sql_state, message) = marked.unwrap_or((b"", rest));
    Failure { sql_state, message, position: 0, code, fatal: is_fatal(code) }
}

/// Errors behind which a server closes: of the connection itself, of a shutdown, of a session that was killed.
fn is_fatal(code: u16) -> bool {
    matches!(
        code,
        1040 | 1042 | 1043 | 1053 | 1077 | 1079 | 1080 | 1129 | 1130 | 1152..=1161 | 1927 | 3169 | 4031
    )
}

/// An ERR packet.
pub(super) fn err_packet(number: u8, code: u16, sql_state: Option<&str>, message: &str) -> Vec<u8> {
    /// What a client's buffer for a message takes.
    const LONGEST_MESSAGE: usize = 511;
    let mut packet = vec![0, 0, 0, number, ERR];
    packet.extend_from_slice(&code.to_le_bytes());
    if let Some(sql_state) = sql_state {
        packet.push(b'#');
        packet.extend_from_slice(sql_state.as_bytes());
    }
    packet.extend(message.bytes().take(LONGEST_MESSAGE));
    let length = u32::try_from(packet.len() - HEADER).unwrap_or_default();
    for (place, byte) in packet.iter_mut().zip(length.to_le_bytes()).take(3) {
        *place = byte;
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACK: Capabilities = Capabilities::SESSION_TRACK;
    const NONE: Capabilities = Capabilities(0);

    #[test]
    fn an_ok_is_read() {
        let done = Done::parse(b"\0\x02\xfc\x01\x02\x02\0\x03\0\x0fRows matched: 2", NONE).unwrap();
        assert_eq!((done.rows, done.insert_id, done.status, done.warnings), (2, 513, Status(2), 3));
        assert_eq!(done.info, b"Rows matched: 2");
        assert_eq!(Done::parse(b"\0\x02\xfc\x01", NONE), None);
    }

    #[test]
    fn what_changed_is_told() {
        let changed =
            b"\0\0\0\x02\x40\0\0\x02hi\x1b\x00\x0f\x0aautocommit\x03OFF\x01\x05\x04shop\x05\x01\x49";
        let done = Done::parse(changed, TRACK).unwrap();
        assert_eq!(done.info, b"hi");
        let mut told = Vec::new();
        assert_eq!(done.changes.each(|name, value| told.push((name, value))), Some(()));
        assert_eq!(told, [(&b"autocommit"[..], &b"OFF"[..]), (b"schema", b"shop")]);
        assert_eq!(Changes(b"\0\x09\x01a").each(|_, _| ()), None);
        let two = Changes(b"\0\x08\x01a\x01b\x01c\x01d");
        let mut told = 0;
        assert_eq!((two.each(|_, _| told += 1), told), (Some(()), 2));
    }

    #[test]
    fn an_eof_is_read_in_both_its_forms() {
        let old = Done::parse(b"\xfe\x01\0\x08\0", NONE).unwrap();
        assert_eq!((old.warnings, old.status), (1, Status(8)));
        let new = Done::parse(b"\xfe\0\0\x08\0\x01\0", Capabilities::DEPRECATE_EOF).unwrap();
        assert_eq!((new.warnings, new.status), (1, Status(8)));
        assert_eq!(Done::parse(b"\xfe\0\0\x02\0", Capabilities::DEPRECATE_EOF).unwrap().status, Status(2));
        assert!(ends(Some(EOF), 5, NONE) && !ends(Some(EOF), 9, NONE) && !ends(Some(OK), 5, NONE));
        assert!(
            ends(Some(EOF), 9, Capabilities::DEPRECATE_EOF)
                && !ends(Some(EOF), LONGEST, Capabilities::DEPRECATE_EOF)
        );
    }

    #[test]
    fn an_error_is_read_with_and_without_its_state() {
        let told = failure(b"\xff\x28\x04#42000You have an error");
        assert_eq!(
            (told.code, told.sql_state, told.message),
            (1064, &b"42000"[..], &b"You have an error"[..])
        );
        let early = failure(b"\xff\x10\x04Too many connections");
        assert_eq!((early.code, early.sql_state, early.fatal), (1040, &b""[..], true));
        assert_eq!(failure(b"\xff").code, 0);
        assert!(
            is_progress(b"\xff\xff\xff\x01", Capabilities::PROGRESS)
                && !is_progress(b"\xff\xff\xff\x01", NONE)
        );
    }

    #[test]
    fn a_deadlock_ends_the_transaction() {
        let after = |packet| Status(3).after(&failure(packet));
        assert_eq!(after(b"\xff\xbd\x04#40001Deadlock found"), Status(2));
        assert_eq!(after(b"\xff\xb5\x04#HY000Lock wait timeout exceeded"), Status(3));
    }

    #[test]
    fn our_own_errors_read_back() {
        let bytes = err_packet(3, 1040, Some("08004"), "Too many connections");
        assert_eq!(bytes[..4], [(bytes.len() - 4) as u8, 0, 0, 3]);
        let told = failure(&bytes[4..]);
        assert_eq!(
            (told.code, told.sql_state, told.message),
            (1040, &b"08004"[..], &b"Too many connections"[..])
        );
        assert_eq!(failure(&err_packet(0, 1040, None, "x")[4..]).message, b"x");
    }
}
