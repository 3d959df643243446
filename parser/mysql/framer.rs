//! Framing: a [`Framer`] sees one direction of a session, cut anywhere, and gives back packets, those that belong together
//! as one. One that lies whole in a chunk is read in place. Of one that does not, as much is kept as its rule says; what
//! nobody wants is passed over by its header.

use std::ops::Range;

use super::packet::{HEADER, Head, Keep, LONGEST, Packet, Parts, Rule};
use crate::wire::Nanos;

/// A buffer for cut packets that grew past this is given back after the packet.
const KEPT_BYTES: usize = 4 << 10;

/// Cuts one direction's bytes into packets.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// Header, and of the first packet the first byte of the payload.
    head: [u8; HEADER + 1],
    have: usize,
    /// The packets that belong together, as far as they have come: of them the first was judged.
    parts: Option<Parts>,
    kept: Vec<u8>,
    begun: Nanos,
    /// The packet in `kept` was given out.
    given: bool,
}

impl Framer {
    /// The next packet of `chunk` from `place` on, which is moved past it; `None` when the chunk is used up.
    ///
    /// `rule` says how much of a packet to keep, or why it is refused. On an error `place` is behind the header of the
    /// refused packet, and the first byte of its payload.
    pub(super) fn next<'a>(
        &'a mut self,
        chunk: &'a mut [u8],
        place: &mut usize,
        at: Nanos,
        rule: impl Fn(Head) -> Rule,
    ) -> Result<Option<Packet<'a>>, &'static str> {
        if self.given {
            self.forget();
        }
        if self.have == 0 && self.parts.is_none() {
            self.begun = at;
            if let Some(Whole { head, keep, payload }) = whole(chunk, place, &rule)? {
                return Ok(Some(Packet::whole(head, &keep, chunk.get(payload).unwrap_or_default(), at)));
            }
        }
        loop {
            if !self.is_inside() && !self.take_head(chunk, place, &rule)? {
                return Ok(None);
            }
            match self.take_payload(chunk, place) {
                Payload::More => return Ok(None),
                Payload::GoesOn => {}
                Payload::Over => return Ok(Some(self.give_kept())),
            }
        }
    }

    /// Passes over the packets that lie whole in `chunk` from `place` on, are neither empty nor of the longest, and do
    /// not begin with one of the last two bytes: rows, which come by the thousand, and which nobody reads. Gives their
    /// number, their size and the sequence number of the last.
    pub(super) fn pass(&self, chunk: &[u8], place: &mut usize) -> Option<(u64, u64, u8)> {
        if !self.at_boundary() {
            return None;
        }
        let all = chunk.get(*place..)?;
        let (mut rest, mut rows, mut last) = (all, 0, 0);
        while let Some(([a, b, c, number, first], _)) = rest.split_first_chunk()
            && *first < 0xfe
            && let length @ 1..0xff_ffff = u32::from_le_bytes([*a, *b, *c, 0])
            && let Some(behind) = rest.get(HEADER + length as usize..)
        {
            (rest, last) = (behind, *number);
            rows += 1;
        }
        let size = all.len() - rest.len();
        *place += size;
        (rows > 0).then_some((rows, size as u64, last))
    }

    /// Whether the last packet is complete.
    pub(super) fn at_boundary(&self) -> bool {
        self.given || self.have == 0 && self.parts.is_none()
    }

    fn is_inside(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.missing.is_some())
    }

    /// Reads a header, and asks the rule if it is the first of packets that belong together; whether it is there.
    fn take_head(
        &mut self,
        chunk: &[u8],
        place: &mut usize,
        rule: impl Fn(Head) -> Rule,
    ) -> Result<bool, &'static str> {
        while self.have < HEADER || self.wants_first_byte() {
            let Some(byte) = chunk.get(*place) else { return Ok(false) };
            if let Some(free) = self.head.get_mut(self.have) {
                *free = *byte;
            }
            (self.have, *place) = (self.have + 1, *place + 1);
        }
        let [a, b, c, number, first] = self.head;
        let head = Head::of([a, b, c, number], Some(first));
        let with_first_byte = std::mem::take(&mut self.have) > HEADER;
        if self.parts.is_none() {
            self.parts = Some(Parts::begin(head, rule(head)?));
        }
        // It was in this chunk, as it made the head complete, and is read with the others.
        *place -= usize::from(with_first_byte);
        if let Some(parts) = &mut self.parts {
            parts.open(head);
        }
        Ok(true)
    }

    /// Whether the rule needs more than the header.
    fn wants_first_byte(&self) -> bool {
        self.have == HEADER && self.parts.is_none() && !self.head.starts_with(&[0; 3])
    }

    fn take_payload(&mut self, chunk: &mut [u8], place: &mut usize) -> Payload {
        let Some(parts) = &mut self.parts else { return Payload::More };
        let missing = parts.missing.take().unwrap_or_default();
        let end = usize::try_from(missing).map_or(chunk.len(), |missing| chunk.len().min(*place + missing));
        let piece = chunk.get_mut(*place..end).unwrap_or_default();
        *place = end;
        if let Some(rewrite) = &mut parts.keep.rewrite {
            rewrite.pass(piece);
        }
        parts.keep_some(piece, &mut self.kept);
        let left = missing - piece.len() as u64;
        if left > 0 {
            parts.missing = Some(left);
            return Payload::More;
        }
        if parts.goes_on { Payload::GoesOn } else { Payload::Over }
    }

    fn give_kept(&mut self) -> Packet<'_> {
        self.given = true;
        let parts =
            self.parts.take().unwrap_or_else(|| Parts::begin(Head::of([0; HEADER], None), Keep::default()));
        parts.end(&mut self.kept, self.begun)
    }

    fn forget(&mut self) {
        self.given = false;
        self.kept.clear();
        self.kept.shrink_to(KEPT_BYTES);
    }
}

/// How far a payload has come.
enum Payload {
    /// Not to its end.
    More,
    /// To its end, and another packet belongs to it.
    GoesOn,
    /// To the end of all that belongs together.
    Over,
}

/// A packet that lies whole in the chunk, and is all that is said.
struct Whole {
    head: Head,
    keep: Keep,
    /// Where its payload is.
    payload: Range<usize>,
}

/// Finds one, and changes its payload where it is to be.
fn whole(
    chunk: &mut [u8],
    place: &mut usize,
    rule: impl Fn(Head) -> Rule,
) -> Result<Option<Whole>, &'static str> {
    let Some((header, rest)) = chunk.get_mut(*place..).and_then(<[u8]>::split_first_chunk_mut) else {
        return Ok(None);
    };
    let head = Head::of(*header, rest.first().copied());
    let payload = usize::try_from(head.length).ok().and_then(|length| rest.get_mut(..length));
    let Some(payload) = payload.filter(|_| head.length < LONGEST) else { return Ok(None) };
    let (before, start) = (*place, *place + HEADER);
    *place = start + usize::from(head.first.is_some());
    let mut keep = rule(head)?;
    let text_is_behind = keep.text.zip(keep.long(payload)).is_some_and(|(text, head)| text(head).is_none());
    if text_is_behind || keep.condense.is_some() {
        // Its text is looked for as the rest passes; so are its values.
        *place = before;
        return Ok(None);
    }
    if let Some(rewrite) = &mut keep.rewrite {
        rewrite.pass(payload);
    }
    *place = start + payload.len();
    Ok(Some(Whole { head, keep, payload: start..*place }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Digest;
    use proptest::prelude::*;
    use sha2::Digest as _;

    type Seen = Vec<(u8, u8, Vec<u8>, u64, u64, Option<Digest>)>;

    fn packets(chunks: &[&[u8]], rule: fn(Head) -> Rule) -> (Seen, Option<&'static str>) {
        let (mut framer, mut seen) = (Framer::default(), Vec::new());
        for chunk in chunks {
            let (mut place, mut chunk) = (0, chunk.to_vec());
            loop {
                match framer.next(&mut chunk, &mut place, 0, rule) {
                    Ok(Some(Packet { first, last, body, length, size, digest, .. })) => {
                        seen.push((first, last, body.to_vec(), length, size, digest))
                    }
                    Ok(None) => break,
                    Err(reason) => return (seen, Some(reason)),
                }
            }
            assert_eq!(place, chunk.len());
        }
        (seen, None)
    }

    fn three_bytes(head: Head) -> Rule {
        match head.first {
            Some(b'!') => Err("refused"),
            Some(3) => Ok(Keep { text: Some(|_| Some(1)), head: 3, ..Keep::bytes(3) }),
            _ => Ok(Keep::bytes(3)),
        }
    }

    fn sha256(text: &[u8]) -> Option<Digest> {
        Some(sha2::Sha256::digest(text).into())
    }

    const STREAM: &[u8] = b"\x06\0\0\0\x03selec\0\0\0\x01\x01\0\0\x02\xff\x05\0\0\xffabcde";

    #[test]
    fn a_packet_is_the_same_wherever_it_is_cut() {
        let expected = [
            (0, 0, b"\x03se".to_vec(), 6, 10, sha256(b"selec")),
            (1, 1, vec![], 0, 4, None),
            (2, 2, vec![0xff], 1, 5, None),
            (255, 255, b"abc".to_vec(), 5, 9, None),
        ];
        let whole = packets(&[STREAM], three_bytes);
        assert_eq!(whole.0, expected);
        for cut in 0..=STREAM.len() {
            let (a, b) = STREAM.split_at(cut);
            assert_eq!(packets(&[a, b], three_bytes), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(packets(&bytes, three_bytes), whole);
    }

    #[test]
    fn packets_of_16_mib_belong_together() {
        let longest = vec![b'x'; 0xff_ffff];
        for tail in [&b""[..], b"yz"] {
            let text = [&[3][..], &longest[1..], tail].concat();
            let head = [&b"\xff\xff\xff\xfe"[..], &text[..longest.len()]].concat();
            let stream = [&head[..], &[tail.len() as u8, 0, 0, 0xff], tail, b"\x01\0\0\0a"].concat();
            let size = stream.len() as u64 - 5;
            let first = (0xfe, 0xff, b"\x03xx".to_vec(), text.len() as u64, size, sha256(&text[1..]));
            let expected = (vec![first, (0, 0, b"a".to_vec(), 1, 5, None)], None);
            for piece in [stream.len(), 1 << 20, 65_537] {
                let chunks: Vec<&[u8]> = stream.chunks(piece).collect();
                assert_eq!(packets(&chunks, three_bytes), expected, "by {piece}");
            }
        }
    }

    #[test]
    fn a_refused_packet_passes_up_to_its_first_byte() {
        let stream = b"\x01\0\0\0a\x02\0\0\0!b";
        for size in 1..=stream.len() {
            let (mut framer, mut passed, mut refused) = (Framer::default(), 0, false);
            for chunk in stream.chunks(size) {
                let (mut place, mut chunk) = (0, chunk.to_vec());
                while !refused {
                    match framer.next(&mut chunk, &mut place, 0, three_bytes) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => refused = true,
                    }
                }
                passed += place;
                if refused {
                    break;
                }
            }
            assert_eq!((passed, refused), (10, true), "by {size}");
        }
    }

    #[test]
    fn rows_that_lie_whole_in_the_chunk_are_passed_over() {
        let (stream, mut place) = (b"\x01\0\0\x04a\x02\0\0\x05bc\x01\0\0\x06\xfe\x01\0\0\x07a", 0);
        let mut framer = Framer::default();
        assert_eq!((framer.pass(stream, &mut place), place), (Some((2, 11, 5)), 11));
        assert_eq!(framer.pass(stream, &mut place), None, "it may be the end");
        assert!(framer.next(&mut stream.to_vec(), &mut place, 0, three_bytes).unwrap().is_some());
        assert_eq!(framer.pass(stream, &mut place), Some((1, 5, 7)));
        for other in [&b"\0\0\0\x01"[..], b"\xff\xff\xff\x01a", b"\x02\0\0\x01a", b"\x01\0\0\x01"] {
            assert_eq!(framer.pass(other, &mut 0), None);
        }
        assert_eq!(framer.next(&mut b"\x02\0\0\x01a".to_vec(), &mut 0, 0, three_bytes), Ok(None));
        assert_eq!(framer.pass(stream, &mut 0), None, "in the middle of another");
    }

    #[test]
    fn nothing_is_allocated_by_a_length() {
        let mut framer = Framer::default();
        let all = |_| Ok(Keep::bytes(usize::MAX));
        assert_eq!(framer.next(&mut b"\xff\xff\xff\0abc".to_vec(), &mut 0, 0, all), Ok(None));
        assert!(framer.kept.capacity() < 64 && !framer.at_boundary());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(bytes in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..200), cut in 0..200_usize) {
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(packets(&[a, b], three_bytes), packets(&[&bytes], three_bytes));
        }
    }
}
