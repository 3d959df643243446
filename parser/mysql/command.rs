//! What the client asks: the command in the first byte of a packet, and the bodies of those that matter.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

use super::{capability::Capabilities, packet::Keep, values};
use crate::{
    reader::Reader,
    wire::{Ask, Limits, Target},
};

/// Names of schemas and tables are 64 characters at most.
const NAME_BYTES: usize = 1 << 10;
/// A login within a session: names, and attributes of 64 KiB.
const LOGIN_BYTES: usize = 80 << 10;
/// What stands ahead of the values of a run: which are NULL, and the types, of as many as there can be.
const TYPES_BYTES: usize = 65_535 / 8 + 1 + 1 + 2 * 65_535;
/// Enough for the numbers of any other command.
const NUMBER_BYTES: usize = 16;

/// What a packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Prepare,
    Execute,
    BulkExecute,
    Append,
    CloseStatement,
    Reset,
    Fetch,
    ChangeUser,
    /// One that is told by its name; of an empty packet it is not known.
    Other(Option<u8>),
}

/// What its answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// None comes.
    Silent,
    /// OK, or EOF in its place.
    Done,
    /// OK, or rows with their columns ahead; perhaps several.
    Results,
    /// Rows without their columns.
    Rows,
    /// Definitions of columns.
    Columns,
    /// A number for the statement, and definitions of its parameters and columns.
    Prepared,
    /// A text, of one packet.
    Text,
    /// What a login is answered with.
    Login,
    /// Packets without end.
    Stream,
    /// ERR alone.
    Unknown,
}

impl Kind {
    /// By the first byte of a packet; nothing of an empty one.
    pub(super) fn of(command: Option<u8>) -> Self {
        match command {
            Some(0x03) => Self::Query,
            Some(0x11) => Self::ChangeUser,
            Some(0x16) => Self::Prepare,
            Some(0x17) => Self::Execute,
            Some(0x18) => Self::Append,
            Some(0x19) => Self::CloseStatement,
            Some(0x1a) => Self::Reset,
            Some(0x1c) => Self::Fetch,
            Some(0xfa) => Self::BulkExecute,
            other => Self::Other(other),
        }
    }

    /// What its answer looks like.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Query | Self::Execute | Self::BulkExecute | Self::Other(Some(0x0a)) => Shape::Results,
            Self::Prepare => Shape::Prepared,
            Self::Append | Self::CloseStatement => Shape::Silent,
            Self::Fetch => Shape::Rows,
            Self::ChangeUser => Shape::Login,
            Self::Other(Some(0x04)) => Shape::Columns,
            Self::Other(Some(0x09)) => Shape::Text,
            Self::Other(Some(0x12 | 0x1e)) => Shape::Stream,
            Self::Reset | Self::Other(Some(0x02 | 0x05..=0x08 | 0x0c..=0x0e | 0x15 | 0x1b | 0x1f)) => {
                Shape::Done
            }
            Self::Other(_) => Shape::Unknown,
        }
    }

    /// Whether what was prepared is forgotten with it: COM_RESET_CONNECTION.
    pub(super) fn forgets_statements(self) -> bool {
        self == Self::Other(Some(0x1f))
    }

    /// Whether it runs what was prepared.
    pub(super) fn is_run(self) -> bool {
        matches!(self, Self::Execute | Self::BulkExecute)
    }

    /// Whether it says if a text may be of several statements: COM_SET_OPTION.
    pub(super) fn sets_option(self) -> bool {
        self == Self::Other(Some(0x1b))
    }

    /// Whether it takes its leave.
    pub(super) fn is_quit(self) -> bool {
        self == Self::Other(Some(0x01))
    }

    /// Whether it is answered and then told to nobody: it reads no data, and changes nothing.
    pub(super) fn is_idle_talk(self) -> bool {
        matches!(self, Self::Other(Some(0x09 | 0x0e)))
    }

    /// Whether it makes of the connection what nobody can follow: COM_CLONE, and group replication's stream. Of MySQL
    /// alone; to a MariaDB they are unknown.
    pub(super) fn is_opaque(self) -> bool {
        matches!(self, Self::Other(Some(0x20 | 0x21)))
    }

    /// How much of its packet is kept, of so many bytes in all, or more.
    pub(super) fn keep(self, length: u64, agreed: Capabilities, limits: &Limits) -> Keep {
        match self {
            Self::Query => keep_query(length, agreed, limits),
            Self::Prepare => {
                let head = limits.sql.saturating_add(1);
                Keep { text: Some(behind_command), head, ..Keep::bytes(head) }
            }
            Self::Execute | Self::BulkExecute => {
                Keep::bytes(limits.parameters.saturating_add(NUMBER_BYTES + TYPES_BYTES))
            }
            Self::Append => Keep::bytes(limits.parameters.saturating_add(NUMBER_BYTES)),
            Self::ChangeUser => Keep::bytes(LOGIN_BYTES),
            Self::Other(Some(0x02 | 0x04..=0x06)) => Keep::bytes(NAME_BYTES),
            _ => Keep::bytes(NUMBER_BYTES),
        }
    }

    /// What it asks, by what is behind the command; `length` is that of all of it. `last` is the number of the statement
    /// that was prepared last, and `with_attributes` whether parameters have names.
    pub(super) fn ask<'a>(
        self,
        body: &'a [u8],
        length: u64,
        last: Option<&'a [u8; 4]>,
        with_attributes: bool,
    ) -> Ask<&'a [u8]> {
        let mut reader = Reader::new(body);
        let ask = match self {
            Self::Query => {
                let (_, text) = if with_attributes { values::split_query(body) } else { (&b""[..], body) };
                let length = length - (body.len() - text.len()) as u64;
                Some(Ask::Query { text: Some(text), length })
            }
            Self::Prepare => Some(Ask::Parse { statement: &b""[..], text: body, length, types: b"" }),
            Self::Execute | Self::BulkExecute => statement(&mut reader, last).map(|statement| Ask::Run {
                statement,
                parameters: Some(reader.rest()),
                length: length.saturating_sub(4),
                bulk: self == Self::BulkExecute,
                named: with_attributes,
            }),
            Self::Append => append(reader, length, last),
            Self::CloseStatement => {
                statement(&mut reader, last).map(|name| Ask::Close { target: Target::Statement, name })
            }
            Self::Reset => statement(&mut reader, last).map(|statement| Ask::Reset { statement }),
            Self::Fetch => statement(&mut reader, last).map(|statement| Ask::Fetch { statement }),
            Self::ChangeUser => Some(command("COM_CHANGE_USER", None, b"")),
            Self::Other(None) => None,
            Self::Other(Some(code)) => Some(other(code, body)),
        };
        ask.unwrap_or(Ask::Malformed)
    }
}

/// With its attributes, and all of a text that may be of several statements.
fn keep_query(length: u64, agreed: Capabilities, limits: &Limits) -> Keep {
    let with_attributes = agreed.has(Capabilities::QUERY_ATTRIBUTES);
    let ahead = if with_attributes { limits.parameters.saturating_add(1) } else { 1 };
    let text = if agreed.has(Capabilities::MULTI_STATEMENTS) {
        limits.kept(length.saturating_sub(ahead as u64))
    } else {
        limits.sql
    };
    Keep {
        text: Some(if with_attributes { behind_attributes } else { behind_command }),
        head: ahead.saturating_add(limits.sql),
        ..Keep::bytes(ahead.saturating_add(text))
    }
}

/// A run whose values look as if they were condensed, as it would look if they did not.
pub(super) fn unmarked(kind: Kind, body: &[u8]) -> Option<Vec<u8>> {
    let (number, values) = body.split_first_chunk::<4>()?;
    values::unmarked(values, kind == Kind::BulkExecute).map(|values| [&number[..], &values].concat())
}

/// Where the text of a Query begins.
fn behind_attributes(body: &[u8]) -> Option<usize> {
    let behind = body.get(1..)?;
    let (_, text) = values::split_query(behind);
    (!text.is_empty()).then(|| body.len() - text.len())
}

fn behind_command(_: &[u8]) -> Option<usize> {
    Some(1)
}

/// A MariaDB takes -1 for the statement that was prepared last.
fn statement<'a>(reader: &mut Reader<'a>, last: Option<&'a [u8; 4]>) -> Option<&'a [u8]> {
    let number = reader.bytes(4)?;
    Some(if number == [0xff; 4] { last.map_or(number, <[u8; 4]>::as_slice) } else { number })
}

fn append<'a>(mut reader: Reader<'a>, length: u64, last: Option<&'a [u8; 4]>) -> Option<Ask<&'a [u8]>> {
    let (statement, parameter) = (statement(&mut reader, last)?, reader.u16_le()?);
    Some(Ask::Append { statement, parameter, data: reader.rest(), length: length.saturating_sub(6) })
}

fn command<'a>(name: &'static str, object: Option<u32>, argument: &'a [u8]) -> Ask<&'a [u8]> {
    Ask::Command { name, object, argument }
}

fn other(code: u8, body: &[u8]) -> Ask<&[u8]> {
    let mut reader = Reader::new(body);
    match code {
        0x02 => command("COM_INIT_DB", None, body),
        0x04 => command("COM_FIELD_LIST", None, reader.cstr_or_rest()),
        0x05 => command("COM_CREATE_DB", None, body),
        0x06 => command("COM_DROP_DB", None, body),
        0x07 => command("COM_REFRESH", reader.u8().map(Into::into), b""),
        0x08 => command("COM_SHUTDOWN", None, b""),
        0x09 => command("COM_STATISTICS", None, b""),
        0x0a => command("COM_PROCESS_INFO", None, b""),
        0x0c => command("COM_PROCESS_KILL", reader.u32_le(), b""),
        0x0d => command("COM_DEBUG", None, b""),
        0x0e => command("COM_PING", None, b""),
        0x12 => command("COM_BINLOG_DUMP", None, b""),
        0x15 => command("COM_REGISTER_SLAVE", reader.u32_le(), b""),
        0x1b => command("COM_SET_OPTION", reader.u16_le().map(Into::into), b""),
        0x1e => command("COM_BINLOG_DUMP_GTID", None, b""),
        0x1f => command("COM_RESET_CONNECTION", None, b""),
        _ => command("unknown command", Some(code.into()), b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(packet: &'static [u8]) -> Ask<&'static [u8]> {
        let body = &packet[1..];
        Kind::of(packet.first().copied()).ask(body, body.len() as u64, Some(&[9, 0, 0, 0]), false)
    }

    fn named(name: &'static str, argument: &'static str) -> Ask<&'static [u8]> {
        command(name, None, argument.as_bytes())
    }

    const SEVEN: &[u8] = &[7, 0, 0, 0];
    const NINE: &[u8] = &[9, 0, 0, 0];

    #[test]
    fn each_command_tells_what_it_asks() {
        assert_eq!(asked(b"\x03select 1"), Ask::Query { text: Some(&b"select 1"[..]), length: 8 });
        let prepare = Ask::Parse { statement: &b""[..], text: b"select ?", length: 8, types: b"" };
        assert_eq!(asked(b"\x16select ?"), prepare);
        let parameters = Some(&b"\0\x01\0\0\0"[..]);
        let run = Ask::Run { statement: SEVEN, parameters, length: 5, bulk: false, named: false };
        assert_eq!(asked(b"\x17\x07\0\0\0\0\x01\0\0\0"), run);
        let data = Ask::Append { statement: SEVEN, parameter: 2, data: b"abc", length: 3 };
        assert_eq!(asked(b"\x18\x07\0\0\0\x02\0abc"), data);
        assert_eq!(asked(b"\x19\x07\0\0\0"), Ask::Close { target: Target::Statement, name: SEVEN });
        assert_eq!(asked(b"\x1a\x07\0\0\0"), Ask::Reset { statement: SEVEN });
        assert_eq!(asked(b"\x1c\x07\0\0\0\x64\0\0\0"), Ask::Fetch { statement: SEVEN });
        assert_eq!(asked(b"\x02shop"), named("COM_INIT_DB", "shop"));
        assert_eq!(asked(b"\x04orders\0%"), named("COM_FIELD_LIST", "orders"));
        assert_eq!(asked(b"\x0c\x07\0\0\0"), command("COM_PROCESS_KILL", Some(7), b""));
        assert_eq!(asked(b"\x1b\x01\0"), command("COM_SET_OPTION", Some(1), b""));
        assert_eq!(asked(b"\x77"), command("unknown command", Some(0x77), b""));
    }

    #[test]
    fn minus_one_is_the_statement_that_was_prepared_last() {
        assert_eq!(asked(b"\x1a\xff\xff\xff\xff"), Ask::Reset { statement: NINE });
        let none = Kind::Reset.ask(&[0xff; 4], 4, None, false);
        assert_eq!(none, Ask::Reset { statement: &[0xff; 4][..] });
    }

    #[test]
    fn what_is_torn_is_malformed() {
        for packet in [&b"\x17\0\0"[..], b"\x18\0\0\0\0\0", b"\x19", b"\x1a\0", b"\x1c\0\0\0", b"\xfa"] {
            assert_eq!(asked(packet), Ask::Malformed, "{packet:?}");
        }
        assert_eq!(Kind::of(None).ask(b"", 0, None, false), Ask::Malformed);
    }

    #[test]
    fn every_byte_has_a_shape() {
        let silent = (0..=255).filter(|byte| Kind::of(Some(*byte)).shape() == Shape::Silent);
        assert_eq!(silent.collect::<Vec<_>>(), [0x18, 0x19]);
        let known = (0..=255).filter(|byte| Kind::of(Some(*byte)).shape() != Shape::Unknown).count();
        assert_eq!((known, Kind::of(None).shape()), (25, Shape::Unknown));
    }
}
