//! How the packets of one answer follow each other: what the next one may be, by what came before it.
//!
//! An answer to a query is OK, ERR, a request for a file, or a number of columns, their definitions, an EOF (unless both
//! sides do without), rows, and an EOF or OK. Where its status says so, another such result follows.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html>

use super::{
    answer::{self, Done, ERR, FILE, OK, Status},
    capability::Capabilities,
    command::Shape,
    field,
    packet::{Head, Packet},
};
use crate::reader::Reader;

/// How much of a packet that tells something is read: an error's text may be longer, but not of more use.
const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// Enough to see that it is an EOF, and to read it.
const EOF_BYTES: usize = 16;

/// What the next packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first of a result.
    #[default]
    First,
    /// One of so many definitions of columns.
    Columns(u64),
    /// The EOF behind them.
    ColumnsEnd,
    /// A row, or the end of them.
    Rows,
    /// The row of OUT parameters, or its end. The answer goes on behind it: at its end a MySQL forgets to say so.
    OutParameters,
    /// Definitions of columns without their number, or the end of them.
    AllColumns,
    /// One of so many definitions, with their EOFs, of a prepared statement of this number and so many parameters.
    Definitions { left: u64, statement: [u8; 4], parameters: u16 },
    /// The server reads a file.
    File,
    /// One of a stream.
    Stream,
}

/// What a packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The answer goes on.
    On,
    /// A row has passed, or a packet of a stream.
    Row,
    /// The server wants a file of this name.
    File(&'a [u8]),
    /// A result without rows is complete.
    Done(Done<'a>),
    /// A result with rows is complete.
    Rows(Done<'a>),
    /// The statement is prepared.
    Prepared { statement: [u8; 4], parameters: u16 },
    /// The server has given out a text.
    Text,
    /// A stream begins.
    Streaming,
    /// A stream has ended.
    StreamEnd,
    /// Refused.
    Failed,
}

/// What cannot be: the server's packets are not understood.
pub(super) const STRANGE: &str = "an answer of the server cannot be read";

impl Stage {
    /// Whether rows may come by the thousand.
    pub(super) fn is_rows(self, shape: Shape) -> bool {
        matches!(self, Self::Rows | Self::OutParameters | Self::Stream)
            || self == Self::First && shape == Shape::Rows
    }

    /// How much of the next packet is to be kept, and whether it may tell of session variables.
    pub(super) fn keep(self, shape: Shape, head: Head, agreed: Capabilities) -> (usize, bool) {
        let ends = answer::ends(head.first, head.length, agreed);
        match (self, head.first) {
            (_, Some(ERR)) => (MAX_MESSAGE_BYTES, false),
            (Self::ColumnsEnd, _) => (EOF_BYTES, false),
            (Self::First, Some(OK)) if !matches!(shape, Shape::Prepared | Shape::Rows | Shape::Stream) => {
                (MAX_MESSAGE_BYTES, true)
            }
            (Self::File, Some(OK)) => (MAX_MESSAGE_BYTES, true),
            (Self::First | Self::Rows | Self::OutParameters | Self::AllColumns | Self::Stream, _) if ends => {
                (MAX_MESSAGE_BYTES, true)
            }
            (Self::First, _) if !matches!(shape, Shape::Rows | Shape::Stream) => (MAX_MESSAGE_BYTES, false),
            _ => (0, false),
        }
    }

    /// Takes the next packet of an answer.
    pub(super) fn take<'a>(
        &mut self,
        shape: Shape,
        packet: &Packet<'a>,
        agreed: Capabilities,
    ) -> Result<Step<'a>, &'static str> {
        let first = packet.head;
        if first == Some(ERR) {
            return Ok(if answer::is_progress(packet.body, agreed) { Step::On } else { Step::Failed });
        }
        let ends = answer::ends(first, packet.length, agreed);
        match *self {
            Self::First => return self.first(shape, packet, agreed),
            Self::Columns(left) => *self = Self::columns(left - 1, agreed),
            Self::ColumnsEnd if ends => {
                let done = Done::parse(packet.body, agreed).ok_or(STRANGE)?;
                if done.status.has(Status::CURSOR) {
                    return Ok(Step::Rows(done));
                }
                let out = done.status.has(Status::OUT_PARAMETERS) && done.status.has(Status::MORE_RESULTS);
                *self = if out { Self::OutParameters } else { Self::Rows };
            }
            Self::OutParameters if ends => {
                let mut done = Done::parse(packet.body, agreed).ok_or(STRANGE)?;
                done.status.0 |= Status::OUT_PARAMETERS.0 | Status::MORE_RESULTS.0;
                return Ok(Step::Rows(done));
            }
            Self::ColumnsEnd => return Err(STRANGE),
            Self::Rows | Self::AllColumns if ends => return rows(packet.body, agreed),
            Self::Stream if ends => return Ok(Step::StreamEnd),
            Self::Rows | Self::OutParameters | Self::Stream => return Ok(Step::Row),
            Self::AllColumns => {}
            Self::Definitions { left: 1, statement, parameters } => {
                return Ok(Step::Prepared { statement, parameters });
            }
            Self::Definitions { left, statement, parameters } => {
                *self = Self::Definitions { left: left - 1, statement, parameters };
            }
            Self::File if first == Some(OK) => return done(packet.body, agreed),
            Self::File => return Err(STRANGE),
        }
        Ok(Step::On)
    }

    fn first<'a>(
        &mut self,
        shape: Shape,
        packet: &Packet<'a>,
        agreed: Capabilities,
    ) -> Result<Step<'a>, &'static str> {
        let (first, ends) = (packet.head, answer::ends(packet.head, packet.length, agreed));
        match (shape, first) {
            (Shape::Results, Some(FILE)) => {
                *self = Self::File;
                Ok(Step::File(packet.body.get(1..).unwrap_or_default()))
            }
            (Shape::Results | Shape::Done, Some(OK)) => done(packet.body, agreed),
            (Shape::Done, _) if ends => done(packet.body, agreed),
            (Shape::Results, _) => {
                *self = Self::number(packet.body, agreed).ok_or(STRANGE)?;
                Ok(Step::On)
            }
            (Shape::Prepared, Some(OK)) => self.prepared(packet.body, agreed).ok_or(STRANGE),
            (Shape::Rows, _) => {
                *self = Self::Rows;
                if ends { rows(packet.body, agreed) } else { Ok(Step::Row) }
            }
            (Shape::Columns, _) if ends => rows(packet.body, agreed),
            (Shape::Columns, _) => {
                *self = Self::AllColumns;
                Ok(Step::On)
            }
            (Shape::Text, _) => Ok(Step::Text),
            (Shape::Stream, _) if ends => Ok(Step::StreamEnd),
            (Shape::Stream, _) => {
                *self = Self::Stream;
                Ok(Step::Streaming)
            }
            _ => Err(STRANGE),
        }
    }

    /// The number of columns, and whether their definitions follow.
    fn number(body: &[u8], agreed: Capabilities) -> Option<Self> {
        let mut reader = Reader::new(body);
        let columns = field::integer(&mut reader)?;
        let may_lack =
            agreed.has(Capabilities::OPTIONAL_METADATA) || agreed.has(Capabilities::CACHE_METADATA);
        let lacking = may_lack && reader.u8() == Some(0);
        Some(Self::columns(if lacking { 0 } else { columns }, agreed))
    }

    fn columns(left: u64, agreed: Capabilities) -> Self {
        match left {
            0 if agreed.has(Capabilities::DEPRECATE_EOF) => Self::Rows,
            0 => Self::ColumnsEnd,
            left => Self::Columns(left),
        }
    }

    /// Number of the statement, columns, parameters, a filler, warnings, and whether definitions follow.
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>
    fn prepared(&mut self, body: &[u8], agreed: Capabilities) -> Option<Step<'static>> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        let (statement, columns, parameters) = (reader.array()?, reader.u16_le()?, reader.u16_le()?);
        reader.bytes(3)?;
        let lacking = agreed.has(Capabilities::OPTIONAL_METADATA) && reader.u8() == Some(0);
        let with_eof = u64::from(!agreed.has(Capabilities::DEPRECATE_EOF));
        let packets = |count: u16| match count {
            0 => 0,
            // Their EOF comes all the same.
            _ if lacking => with_eof,
            count => u64::from(count) + with_eof,
        };
        let left = packets(parameters) + packets(columns);
        if left == 0 {
            return Some(Step::Prepared { statement, parameters });
        }
        *self = Self::Definitions { left, statement, parameters };
        Some(Step::On)
    }
}

fn done(body: &[u8], agreed: Capabilities) -> Result<Step<'_>, &'static str> {
    Done::parse(body, agreed).map(Step::Done).ok_or(STRANGE)
}

fn rows(body: &[u8], agreed: Capabilities) -> Result<Step<'_>, &'static str> {
    Done::parse(body, agreed).map(Step::Rows).ok_or(STRANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Capabilities = Capabilities(0);
    const NEW: Capabilities = Capabilities::DEPRECATE_EOF;
    const EOF: &[u8] = b"\xfe\0\0\x02\0";
    const OK_EOF: &[u8] = b"\xfe\0\0\x02\0\0\0";
    const COLUMN: &[u8] = b"\x03def";

    /// What is said of each packet, by its first word.
    fn steps(shape: Shape, agreed: Capabilities, packets: &[&[u8]]) -> String {
        let mut stage = Stage::First;
        let told = packets.iter().map(|body| {
            let (first, length) = (body.first().copied(), body.len() as u64);
            let (keep, _) = stage.keep(shape, Head { number: 1, first, length }, agreed);
            let body = body.get(..keep).unwrap_or(body);
            let packet = packet(first, body, length);
            let step = format!("{:?}", stage.take(shape, &packet, agreed));
            step.trim_start_matches("Ok(").split(['(', ')', ' ']).next().unwrap().to_owned()
        });
        told.collect::<Vec<_>>().join(" ")
    }

    fn packet(head: Option<u8>, body: &[u8], length: u64) -> Packet<'_> {
        let (first, last, size) = (1, 1, length + 4);
        Packet { first, last, head, body, length, size, condensed: false, digest: None, begun: 0 }
    }

    #[test]
    fn results_in_both_forms() {
        let old: &[&[u8]] = &[b"\x02", COLUMN, COLUMN, EOF, b"\x01a\x01b", b"\xfb\x01b", EOF];
        assert_eq!(steps(Shape::Results, OLD, old), "On On On On Row Row Rows");
        let new: &[&[u8]] = &[b"\x01", COLUMN, b"\x01a", OK_EOF];
        assert_eq!(steps(Shape::Results, NEW, new), "On On Row Rows");
        assert_eq!(steps(Shape::Results, OLD, &[b"\0\0\0\x02\0\0\0"]), "Done");
        assert_eq!(steps(Shape::Results, OLD, &[b"\xff\x28\x04#42000no"]), "Failed");
        assert_eq!(steps(Shape::Results, OLD, &[b"\x01", COLUMN, EOF, b"\xff\x28\x04"]), "On On On Failed");
        assert_eq!(steps(Shape::Results, OLD, &[b"\x01", COLUMN, b"\x01a"]), "On On Err");
    }

    #[test]
    fn a_row_that_begins_like_an_eof_is_none() {
        let long = [&[0xfe][..], &[0; 9]].concat();
        assert_eq!(steps(Shape::Results, OLD, &[b"\x01", COLUMN, EOF, &long, EOF]), "On On On Row Rows");
    }

    #[test]
    fn columns_may_be_known_already() {
        let cache = Capabilities(Capabilities::CACHE_METADATA.0 | NEW.0);
        assert_eq!(steps(Shape::Results, cache, &[b"\x02\0", b"\0\0row", OK_EOF]), "On Row Rows");
        assert_eq!(steps(Shape::Results, cache, &[b"\x01\x01", COLUMN, OK_EOF]), "On On Rows");
        let optional = Capabilities::OPTIONAL_METADATA;
        assert_eq!(steps(Shape::Results, optional, &[b"\x02\0", EOF, EOF]), "On On Rows");
    }

    #[test]
    fn a_cursor_has_no_rows_yet() {
        assert_eq!(steps(Shape::Results, OLD, &[b"\x01", COLUMN, b"\xfe\0\0\x42\0"]), "On On Rows");
        assert_eq!(steps(Shape::Rows, OLD, &[b"\0\0a", b"\0\0b", EOF]), "Row Row Rows");
        assert_eq!(steps(Shape::Rows, NEW, &[OK_EOF]), "Rows");
    }

    #[test]
    fn a_statement_is_prepared_once_all_is_defined() {
        let ok: &[u8] = b"\0\x07\0\0\0\x01\0\x02\0\0\0\0";
        let old = steps(Shape::Prepared, OLD, &[ok, COLUMN, COLUMN, EOF, COLUMN, EOF]);
        assert_eq!(old, "On On On On On Prepared");
        assert_eq!(steps(Shape::Prepared, NEW, &[ok, COLUMN, COLUMN, COLUMN]), "On On On Prepared");
        assert_eq!(steps(Shape::Prepared, OLD, &[b"\0\x07\0\0\0\0\0\0\0\0\0\0"]), "Prepared");
        let lacking = [ok, b"\0"].concat();
        let optional = Capabilities::OPTIONAL_METADATA;
        assert_eq!(steps(Shape::Prepared, optional, &[&lacking, EOF, EOF]), "On On Prepared");
        let new = Capabilities(optional.0 | NEW.0);
        assert_eq!(steps(Shape::Prepared, new, &[&lacking]), "Prepared");
        assert_eq!(steps(Shape::Prepared, OLD, &[b"\0\x07"]), "Err");
    }

    /// MySQL 9.7: of what follows the flags tell before the row alone.
    #[test]
    fn behind_out_parameters_the_answer_goes_on() {
        let mut stage = Stage::ColumnsEnd;
        let mut last = None;
        for body in [&b"\xfe\0\0\x0a\x10"[..], b"\0\0row", b"\xfe\0\0\x02\0"] {
            let (head, length) = (body.first().copied(), body.len() as u64);
            let packet = packet(head, body, length);
            last = Some(stage.take(Shape::Results, &packet, OLD));
        }
        let Some(Ok(Step::Rows(done))) = last else { panic!("{last:?}") };
        assert!(done.status.has(Status::MORE_RESULTS) && done.status.has(Status::OUT_PARAMETERS));
    }

    #[test]
    fn what_else_is_said() {
        assert_eq!(steps(Shape::Results, OLD, &[b"\xfb/etc/passwd", b"\0\0\0\x02\0\0\0"]), "File Done");
        assert_eq!(steps(Shape::Columns, OLD, &[COLUMN, COLUMN, EOF]), "On On Rows");
        assert_eq!(steps(Shape::Columns, OLD, &[EOF]), "Rows");
        assert_eq!(steps(Shape::Text, OLD, &[b"Uptime: 1"]), "Text");
        assert_eq!(steps(Shape::Done, NEW, &[EOF]), "Done");
        assert_eq!(steps(Shape::Stream, OLD, &[b"\0event", b"\0event", EOF]), "Streaming Row StreamEnd");
        assert_eq!(steps(Shape::Unknown, OLD, &[b"\0\0\0\x02\0\0\0"]), "Err");
        assert_eq!(steps(Shape::Done, OLD, &[b"\x01"]), "Err");
    }

    #[test]
    fn progress_is_no_error() {
        let progress: &[u8] = b"\xff\xff\xff\x01\x01\x02\0\0\0\x04copy";
        let packets = [progress, progress, b"\0\0\0\x02\0\0\0"];
        assert_eq!(steps(Shape::Results, Capabilities::PROGRESS, &packets), "On On Done");
        assert_eq!(steps(Shape::Results, OLD, &packets[..1]), "Failed");
    }
}
