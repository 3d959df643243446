//! Packets: three bytes of length, a sequence number, a payload. A payload of 16 MiB less a byte goes on in the next
//! packet, so what one side says ends with a shorter one, which may be empty.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use super::{
    rewrite::Rewrite,
    statements::Condense,
    values::{self, Condenser, Skip},
};
use crate::{
    digest::{TextDigest, sha256},
    wire::{Digest, Nanos},
};

/// Length and sequence number.
pub(super) const HEADER: usize = 4;
/// Where the head has the packet's number.
pub(super) const NUMBER_AT: usize = 3;
/// The longest payload of one packet: another one follows.
pub(super) const LONGEST: u64 = 0xff_ffff;

/// What one side said at once: one packet, or several that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// Sequence number of the first.
    pub(super) first: u8,
    /// Sequence number of the last.
    pub(super) last: u8,
    /// First byte of the payload, where there is one.
    pub(super) head: Option<u8>,
    /// The payload, as far as it was to be kept.
    pub(super) body: &'a [u8],
    /// It is not the head of the payload, but what a [`Condenser`] kept.
    pub(super) condensed: bool,
    /// Length of the whole payload.
    pub(super) length: u64,
    /// Size on the wire.
    pub(super) size: u64,
    /// Of its text, where it is a long one.
    pub(super) digest: Option<Digest>,
    /// When its first byte was seen.
    pub(super) begun: Nanos,
}

/// The head of a packet, by which it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Sequence number.
    pub(super) number: u8,
    /// First byte of the payload, where there is one.
    pub(super) first: Option<u8>,
    /// Length of the payload, of this packet alone.
    pub(super) length: u64,
}

/// How much of a packet is kept, or why it is refused.
pub(super) type Rule = Result<Keep, &'static str>;

/// Finds where a text begins in what is kept of its packet.
pub(super) type FindText = fn(&[u8]) -> Option<usize>;

/// How much of a packet is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    /// Bytes of its payload.
    pub(super) bytes: usize,
    /// Where its text begins, in the head of it.
    pub(super) text: Option<FindText>,
    /// Bytes of that head, at most `bytes`: the text of a longer payload has a digest.
    pub(super) head: usize,
    /// What is changed as it passes.
    pub(super) rewrite: Option<Rewrite>,
    /// It is a run, to be condensed.
    pub(super) condense: Option<Box<Condense>>,
}

impl Keep {
    /// Of a packet that is no text and is not changed.
    pub(super) fn bytes(bytes: usize) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The head of a payload that is longer.
    pub(super) fn long<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        payload.get(..self.head).filter(|head| head.len() < payload.len())
    }
}

impl Head {
    /// Of a header, and the byte behind it.
    pub(super) fn of([a, b, c, number]: [u8; HEADER], first: Option<u8>) -> Self {
        let length = u64::from(u32::from_le_bytes([a, b, c, 0]));
        Self { number, first: first.filter(|_| length > 0), length }
    }
}

impl<'a> Packet<'a> {
    /// One that came whole, with its payload.
    pub(super) fn whole(head: Head, keep: &Keep, payload: &'a [u8], begun: Nanos) -> Self {
        let Head { number, first, length } = head;
        let body = payload.get(..keep.bytes).unwrap_or(payload);
        let text = keep.text.zip(keep.long(payload));
        let digest = text.and_then(|(text, head)| payload.get(text(head)?..)).map(sha256);
        Self {
            first: number,
            last: number,
            head: first,
            body,
            condensed: false,
            length,
            size: length + HEADER as u64,
            digest,
            begun,
        }
    }
}

/// Packets that belong together, as far as they have come.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) keep: Keep,
    digest: Digesting,
    condenser: Option<Condenser>,
    head: Option<u8>,
    first: u8,
    last: u8,
    length: u64,
    /// Bytes of attributes that nothing is kept of.
    skipped: u64,
    /// Bytes that have come.
    seen: u64,
    size: u64,
    /// A payload is being read: bytes of it that are still to come.
    pub(super) missing: Option<u64>,
    /// It is as long as it can be: another packet follows.
    pub(super) goes_on: bool,
}

#[derive(Debug, Default)]
enum Digesting {
    /// There is no more than the head, so far.
    #[default]
    Not,
    /// The text goes on behind the head.
    Text(Box<TextDigest>),
    /// It begins behind that.
    Ahead(Box<Skip>),
    /// Nobody knows where it begins.
    Lost,
}

impl Parts {
    /// None has come but the first's head.
    pub(super) fn begin(head: Head, keep: Keep) -> Self {
        Self {
            keep,
            digest: Digesting::Not,
            condenser: None,
            head: head.first,
            first: head.number,
            last: head.number,
            length: 0,
            skipped: 0,
            seen: 0,
            size: 0,
            missing: None,
            goes_on: false,
        }
    }

    /// Another packet begins.
    pub(super) fn open(&mut self, head: Head) {
        self.last = head.number;
        self.length += head.length;
        self.size += head.length + HEADER as u64;
        self.missing = Some(head.length);
        self.goes_on = head.length == LONGEST;
    }

    /// Keeps what there is room for; a text that goes on behind the head goes into its digest.
    /// So does its beginning, where all there is room for are attributes: these are forgotten then.
    pub(super) fn keep_some(&mut self, piece: &[u8], kept: &mut Vec<u8>) {
        self.seen += piece.len() as u64;
        match &mut self.condenser {
            Some(condenser) => condenser.add(piece),
            None => self.keep_piece(piece, kept),
        }
    }

    fn keep_piece(&mut self, piece: &[u8], kept: &mut Vec<u8>) {
        let head = if self.keep.text.is_some() { self.keep.head } else { self.keep.bytes };
        let beyond = fill(kept, head, piece);
        if !beyond.is_empty() && self.begin_condensing(kept) {
            return self.condenser.iter_mut().for_each(|condenser| condenser.add(beyond));
        }
        let (Some(text), [_, ..]) = (self.keep.text, beyond) else { return };
        if matches!(self.digest, Digesting::Not) {
            self.digest = text(kept).and_then(|start| kept.get(start..)).map_or_else(
                || {
                    kept.get(1..)
                        .and_then(Skip::begin)
                        .map_or(Digesting::Lost, |skip| Digesting::Ahead(skip.into()))
                },
                |text| {
                    let mut digest = Box::new(TextDigest::rest());
                    digest.add(text);
                    Digesting::Text(digest)
                },
            );
        }
        match &mut self.digest {
            Digesting::Text(digest) => {
                digest.add(beyond);
                fill(kept, self.keep.bytes, beyond);
            }
            Digesting::Ahead(skip) => {
                if let Some(text) = skip.pass(beyond) {
                    self.digest = Digesting::Not;
                    kept.truncate(1);
                    values::leave_out(self.seen.saturating_sub(1 + text.len() as u64), kept);
                    self.skipped = self.seen.saturating_sub((text.len() + kept.len()) as u64);
                    self.keep_piece(text, kept);
                }
            }
            Digesting::Not | Digesting::Lost => {}
        }
    }

    /// Whether what was kept is the head of a run whose values can be told apart.
    fn begin_condensing(&mut self, kept: &[u8]) -> bool {
        self.condenser = self.keep.condense.take().and_then(|condense| condense.begin(kept));
        self.condenser.is_some()
    }

    /// All have come.
    pub(super) fn end(mut self, kept: &mut Vec<u8>, begun: Nanos) -> Packet<'_> {
        let condensed = self.condenser.is_some() || self.begin_condensing(kept);
        if let Some(condenser) = self.condenser {
            kept.truncate(Condense::AHEAD);
            kept.append(&mut condenser.finish());
        }
        let Self { head, first, last, size, digest, .. } = self;
        let length = self.length.saturating_sub(self.skipped);
        let digest = if let Digesting::Text(digest) = digest { Some(digest.finish()) } else { None };
        Packet { first, last, head, body: kept, condensed, length, size, digest, begun }
    }
}

/// Adds what there is room for, up to so many bytes in all; gives what there is none for.
fn fill<'a>(kept: &mut Vec<u8>, most: usize, piece: &'a [u8]) -> &'a [u8] {
    let room = most.saturating_sub(kept.len());
    let (here, beyond) = piece.split_at_checked(room).unwrap_or((piece, &[]));
    kept.extend_from_slice(here);
    beyond
}
