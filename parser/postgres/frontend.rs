//! What the client says: which frames the server accepts, and the bodies of those that ask something.

use crate::{
    reader::Reader,
    wire::{Ask, Limits, Target},
};

use super::frame::{Keep, Rule};

/// The server's limits on whole messages, less the four bytes of the length: `PQ_SMALL_MESSAGE_LIMIT` and
/// `PQ_LARGE_MESSAGE_LIMIT` of its `libpq.h`.
const SMALL: u64 = 10_000 - 4;
const LARGE: u64 = 0x3fff_fffe - 4;
/// The server's `PG_MAX_AUTH_TOKEN_LENGTH`.
const AUTH: u64 = 65_535 - 4;
/// Enough of a first SASL message to tell the mechanism's name, and none of its secret.
const MECHANISM_BYTES: usize = 24;
/// The server keeps names in keys of `NAMEDATALEN` bytes, the last of which is NUL: longer ones are cut.
pub(super) const NAME_BYTES: usize = 63;

/// What asks something. One that asks nothing has no answer and no place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Parse,
    Bind,
    Describe,
    Execute,
    Close,
    Sync,
    Function,
    /// CopyDone or CopyFail: no answer of its own, but behind it a Sync counts again. Its length is that of the data.
    CopyEnd,
    /// A Flush with a body: the server answers it with an error.
    BadFlush,
}

impl Kind {
    /// The kind of a frame that asks, by its type and the length of its body.
    pub(super) fn of(kind: u8, length: u64) -> Option<Self> {
        Some(match kind {
            b'Q' => Self::Query,
            b'P' => Self::Parse,
            b'B' => Self::Bind,
            b'D' => Self::Describe,
            b'E' => Self::Execute,
            b'C' => Self::Close,
            b'S' => Self::Sync,
            b'F' => Self::Function,
            b'c' | b'f' => Self::CopyEnd,
            b'H' if length > 0 => Self::BadFlush,
            _ => return None,
        })
    }

    /// Whether it ends with a ReadyForQuery.
    pub(super) fn is_synced(self) -> bool {
        matches!(self, Self::Query | Self::Sync | Self::Function)
    }

    /// How many strings stand ahead of its text, if it has one.
    pub(super) fn text_behind(self) -> Option<u8> {
        match self {
            Self::Query => Some(0),
            Self::Parse => Some(1),
            _ => None,
        }
    }

    /// Whether it is told also where it has no answer.
    pub(super) fn is_told(self) -> bool {
        !matches!(self, Self::Sync | Self::Describe | Self::CopyEnd | Self::BadFlush)
    }
}

/// How much of a frame to keep, or why the server refuses it (its `SocketBackend`).
pub(super) fn rule(kind: u8, length: u64, authenticating: bool, limits: &Limits) -> Rule {
    let (most, keep) = match kind {
        b'p' if authenticating => (AUTH, MECHANISM_BYTES),
        // Its NUL is no part of the text.
        b'Q' => (LARGE, limits.kept(length.saturating_sub(1)).saturating_add(1)),
        b'P' => (LARGE, limits.sql),
        b'B' => (LARGE, limits.parameters),
        b'F' => (LARGE, 4),
        b'd' => (LARGE, 0),
        b'D' | b'E' | b'C' => (SMALL, usize::MAX),
        b'S' | b'H' | b'X' | b'c' | b'f' => (SMALL, 0),
        _ => return Err("invalid frontend message type"),
    };
    let text_behind = match kind {
        b'Q' => Kind::Query.text_behind(),
        b'P' => Kind::Parse.text_behind(),
        _ => None,
    };
    let digest_behind = text_behind.filter(|_| length > limits.sql as u64);
    let condensed = kind == b'B' && length > limits.parameters as u64;
    if length > most {
        return Err("invalid message length");
    }
    Ok(Keep { bytes: keep, digest_behind, condensed })
}

/// As much of a Query as is told.
pub(super) fn told<'a>(body: &'a [u8], length: u64, limits: &Limits) -> &'a [u8] {
    let whole = length == body.len() as u64;
    let text = body.strip_suffix(b"\0").filter(|_| whole).unwrap_or(body);
    let told = limits.told(text, whole);
    if told.len() < text.len() { told } else { body }
}

/// What a message asks; `length` is that of its whole body.
pub(super) fn ask(kind: Kind, body: &[u8], length: u64) -> Ask<&[u8]> {
    let mut reader = Reader::new(body);
    let cut = length > body.len() as u64;
    let ask = match kind {
        Kind::Query => Some(query(body, length, cut)),
        Kind::Parse => parse(reader, length, cut),
        Kind::Bind => bind(reader, length, cut),
        Kind::Describe => target(&mut reader).map(|(target, name)| Ask::Describe { target, name }),
        Kind::Close => target(&mut reader).map(|(target, name)| Ask::Close { target, name }),
        Kind::Execute => reader.cstr().map(|portal| Ask::Execute { portal: name(portal) }),
        Kind::Function => reader.u32().map(|object| function(Some(object))),
        Kind::Sync | Kind::CopyEnd | Kind::BadFlush => None,
    };
    ask.unwrap_or(Ask::Malformed)
}

/// All of the text: one with a NUL inside, or none at its end, is refused, and told as it was sent.
fn query(body: &[u8], length: u64, cut: bool) -> Ask<&[u8]> {
    let text = if cut { body } else { body.strip_suffix(b"\0").unwrap_or(body) };
    Ask::Query { text: Some(text), length: if cut { length - 1 } else { text.len() as u64 } }
}

fn parse(mut reader: Reader<'_>, length: u64, cut: bool) -> Option<Ask<&[u8]>> {
    let statement = whole_or_cut(&mut reader, cut)?;
    let text = whole_or_cut(&mut reader, cut)?;
    // Of a text that was cut the end is not known exactly: the types behind it take two bytes at least.
    let length = length.saturating_sub(statement.len() as u64 + 1 + 1 + 2);
    let length = if cut { length } else { text.len() as u64 };
    let types = reader.u16().map_or(&[][..], |_| reader.rest());
    Some(Ask::Parse { statement: name(statement), text, length, types })
}

fn bind(mut reader: Reader<'_>, length: u64, cut: bool) -> Option<Ask<&[u8]>> {
    let (portal, statement) = (reader.cstr()?, whole_or_cut(&mut reader, cut)?);
    let length = length.saturating_sub((portal.len() + statement.len() + 2) as u64);
    Some(Ask::Bind { portal: name(portal), statement: name(statement), parameters: reader.rest(), length })
}

/// A string that ends in the frame, or with it where the frame was cut.
fn whole_or_cut<'a>(reader: &mut Reader<'a>, cut: bool) -> Option<&'a [u8]> {
    if cut { Some(reader.cstr_or_rest()) } else { reader.cstr() }
}

fn function(object: Option<u32>) -> Ask<&'static [u8]> {
    Ask::Command { name: "FunctionCall", object, argument: b"" }
}

fn target<'a>(reader: &mut Reader<'a>) -> Option<(Target, &'a [u8])> {
    let target = match reader.u8()? {
        b'S' => Target::Statement,
        b'P' => Target::Portal,
        _ => return None,
    };
    Some((target, name(reader.cstr()?)))
}

fn name(name: &[u8]) -> &[u8] {
    name.get(..NAME_BYTES).unwrap_or(name)
}

/// Types of parameters as Parse and ParameterDescription carry them.
pub fn type_oids(types: &[u8]) -> impl Iterator<Item = u32> {
    types.as_chunks::<4>().0.iter().map(|oid| u32::from_be_bytes(*oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn b(text: &'static str) -> &'static [u8] {
        text.as_bytes()
    }

    #[test]
    fn each_message_tells_what_it_asks() {
        let asked = |kind, body: &'static [u8]| ask(kind, body, body.len() as u64);
        assert_eq!(asked(Kind::Query, b"select 1\0"), Ask::Query { text: Some(b("select 1")), length: 8 });
        let types: &[u8] = b"\0\0\0\x17";
        assert_eq!(
            asked(Kind::Parse, b"s1\0select $1\0\0\x01\0\0\0\x17"),
            Ask::Parse { statement: b("s1"), text: b("select $1"), length: 9, types }
        );
        assert_eq!(
            asked(Kind::Bind, b"p\0s1\0\0\0\0\0"),
            Ask::Bind { portal: b("p"), statement: b("s1"), parameters: b("\0\0\0\0"), length: 4 }
        );
        assert_eq!(asked(Kind::Execute, b"p\0\0\0\0\0"), Ask::Execute { portal: b("p") });
        assert_eq!(asked(Kind::Describe, b"S\0"), Ask::Describe { target: Target::Statement, name: b("") });
        assert_eq!(asked(Kind::Close, b"Pp\0"), Ask::Close { target: Target::Portal, name: b("p") });
        assert_eq!(asked(Kind::Function, b"\0\0\0\x09"), function(Some(9)));
        assert_eq!(type_oids(types).collect::<Vec<_>>(), [23]);
    }

    #[test]
    fn what_is_torn_is_malformed() {
        for (kind, body) in [
            (Kind::Parse, &b"s1\0select"[..]),
            (Kind::Bind, b"p\0s1"),
            (Kind::Execute, b""),
            (Kind::Describe, b"X\0"),
            (Kind::Close, b"S"),
            (Kind::Function, b"\0\0"),
        ] {
            assert_eq!(ask(kind, body, body.len() as u64), Ask::Malformed, "{kind:?}");
        }
    }

    #[test]
    fn a_text_that_was_cut_keeps_its_length() {
        assert_eq!(ask(Kind::Query, b"sel", 9), Ask::Query { text: Some(b("sel")), length: 8 });
        let cut = Ask::Parse { statement: &b""[..], text: b"sel", length: 8, types: b"" };
        assert_eq!(ask(Kind::Parse, b"\0sel", 12), cut);
    }

    #[test]
    fn the_servers_limits_are_ours() {
        let limits = Limits::default();
        let check = |kind, length| rule(kind, length, false, &limits).is_ok();
        assert!(check(b'Q', LARGE) && !check(b'Q', LARGE + 1));
        assert!(check(b'S', SMALL) && !check(b'S', SMALL + 1));
        assert!(!check(b'p', 1) && !check(b'!', 0) && !check(0, 0));
        assert!(rule(b'p', 65_531, true, &limits).is_ok() && rule(b'p', 65_532, true, &limits).is_err());
    }

    #[test]
    fn long_names_are_cut_as_the_server_cuts_them() {
        let body = [&b"S"[..], &[b'n'; 100], b"\0"].concat();
        let cut = Ask::Describe { target: Target::Statement, name: &[b'n'; 63][..] };
        assert_eq!(ask(Kind::Describe, &body, 102), cut);
    }
}
