//! Framing: a byte of type, four bytes of length that count themselves, a body.
//! <https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>
//!
//! A [`Framer`] sees one direction of a session, cut anywhere, and gives back frames. A frame that lies whole in a
//! chunk is read in place. Of one that does not, as much is kept as its rule says; a body that nobody wants is passed
//! over by its header.

use crate::{
    digest::TextDigest,
    wire::{Digest, Nanos},
};

use super::condense::Condenser;

/// Type and length.
const HEADER: usize = 5;
/// A buffer for cut frames that grew past this is given back after the frame.
const KEPT_BYTES: usize = 4 << 10;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Its type.
    pub(super) kind: u8,
    /// Its body, as far as it was to be kept.
    pub(super) body: &'a [u8],
    /// Length of the whole body; of one that was condensed, less what its names were shortened by.
    pub(super) length: u64,
    /// Of its text, where it is a long one.
    pub(super) digest: Option<&'a Digest>,
    /// When its first byte was seen.
    pub(super) begun: Nanos,
}

impl Frame<'_> {
    /// Its size on the wire.
    pub(super) fn size(&self) -> u64 {
        self.length + HEADER as u64
    }
}

/// What the direction's rules say of a frame, by its type and the length of its body.
pub(super) type Rule = Result<Keep, &'static str>;

/// How much of a frame is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// Bytes of its body.
    pub(super) bytes: usize,
    /// The digest is taken of the text in it, behind so many strings.
    pub(super) digest_behind: Option<u8>,
    /// These are not its first bytes, but what a [`Condenser`] keeps.
    pub(super) condensed: bool,
}

impl Keep {
    /// Of a body that is no text.
    pub(super) fn bytes(bytes: usize) -> Self {
        Self { bytes, digest_behind: None, condensed: false }
    }
}

/// Cuts one direction's bytes into frames.
#[derive(Debug, Default)]
pub(super) struct Framer {
    header: [u8; HEADER],
    have: usize,
    /// Body bytes that are still to come.
    missing: u64,
    /// Body bytes that are still to be kept.
    to_keep: usize,
    kept: Vec<u8>,
    /// Takes the digest of the frame in `kept`.
    hashing: Option<Box<TextDigest>>,
    /// Keeps the frame in place of `kept`.
    condensing: Option<Box<Condenser>>,
    /// Of the frame that was given out last, if it has one.
    digest: Digest,
    length: u64,
    begun: Nanos,
    /// The frame in `kept` was given out.
    given: bool,
}

impl Framer {
    /// The next frame of `chunk` from `place` on, which is moved past it; `None` when the chunk is used up.
    ///
    /// `rule` says how many bytes of a body to keep, or why the frame is refused. On an error `place` is behind the
    /// header of the refused frame.
    pub(super) fn next<'a>(
        &'a mut self,
        chunk: &'a [u8],
        place: &mut usize,
        at: Nanos,
        rule: impl FnOnce(u8, u64) -> Rule,
    ) -> Result<Option<Frame<'a>>, &'static str> {
        if self.given {
            self.forget();
        }
        let mut rest = chunk.get(*place..).unwrap_or_default();
        let frame = self.advance(&mut rest, at, rule);
        *place = chunk.len() - rest.len();
        frame.map(|whole| match whole {
            Advance::Whole(frame) => Some(frame),
            Advance::Digested(frame) => Some(Frame { digest: Some(&self.digest), ..frame }),
            Advance::Kept => Some(self.give()),
            Advance::More => None,
        })
    }

    /// Passes over the frames of one kind that lie whole in `chunk` from `place` on: their number and their size.
    /// Rows and COPY data come by the thousand, and nobody reads them.
    pub(super) fn pass(&self, kind: u8, chunk: &[u8], place: &mut usize) -> (u64, u64) {
        let all = chunk.get(*place..).unwrap_or_default();
        let (mut rest, mut frames) = (all, 0);
        while self.at_boundary()
            && let Some([first, length @ ..]) = rest.first_chunk::<HEADER>()
            && *first == kind
            && let Ok(length @ 4..) = usize::try_from(u32::from_be_bytes(*length))
            && let Some((_, behind)) = rest.split_at_checked(1 + length)
        {
            rest = behind;
            frames += 1;
        }
        let size = all.len() - rest.len();
        *place += size;
        (frames, size as u64)
    }

    fn advance<'c>(
        &mut self,
        rest: &mut &'c [u8],
        at: Nanos,
        rule: impl FnOnce(u8, u64) -> Rule,
    ) -> Result<Advance<'c>, &'static str> {
        if self.have == 0 {
            let Some((header, behind)) = rest.split_first_chunk() else {
                self.begun = at;
                self.take_header(rest);
                return Ok(Advance::More);
            };
            *rest = behind;
            let (kind, length) = parse(*header)?;
            let keep = rule(kind, length)?;
            if !keep.condensed
                && let Some((body, behind)) =
                    usize::try_from(length).ok().and_then(|n| behind.split_at_checked(n))
            {
                *rest = behind;
                let frame = Frame { kind, body: head(body, keep.bytes), length, digest: None, begun: at };
                return Ok(match keep.digest_behind {
                    None => Advance::Whole(frame),
                    Some(strings) => {
                        self.digest = TextDigest::of(strings, body);
                        Advance::Digested(frame)
                    }
                });
            }
            self.begun = at;
            self.begin_body(*header, length, keep);
        } else if self.have < HEADER {
            self.take_header(rest);
            if self.have < HEADER {
                return Ok(Advance::More);
            }
            // A refused frame leaves no trace, wherever it was cut.
            self.have = 0;
            let (kind, length) = parse(self.header)?;
            let keep = rule(kind, length)?;
            self.begin_body(self.header, length, keep);
        }
        Ok(self.take_body(rest))
    }

    /// Whether the last frame is complete.
    pub(super) fn at_boundary(&self) -> bool {
        self.have == 0 || self.given
    }

    fn take_header(&mut self, rest: &mut &[u8]) {
        let missing = self.header.get_mut(self.have..).unwrap_or_default();
        let here = missing.len().min(rest.len());
        for (place, byte) in missing.iter_mut().zip(*rest) {
            *place = *byte;
        }
        self.have += here;
        *rest = rest.get(here..).unwrap_or_default();
    }

    fn begin_body(&mut self, header: [u8; HEADER], length: u64, keep: Keep) {
        self.header = header;
        self.have = HEADER;
        self.length = length;
        self.missing = length;
        self.to_keep = keep.bytes;
        self.hashing = keep.digest_behind.map(|strings| Box::new(TextDigest::behind(strings)));
        self.condensing = keep.condensed.then(|| Box::new(Condenser::new(keep.bytes)));
    }

    fn take_body<'c>(&mut self, rest: &mut &'c [u8]) -> Advance<'c> {
        let here = usize::try_from(self.missing).unwrap_or(usize::MAX).min(rest.len());
        let (body, behind) = rest.split_at_checked(here).unwrap_or((rest, &[]));
        *rest = behind;
        self.missing -= body.len() as u64;
        if let Some(condensing) = &mut self.condensing {
            condensing.add(body);
        } else {
            let kept = head(body, self.to_keep);
            self.to_keep -= kept.len();
            self.kept.extend_from_slice(kept);
        }
        if let Some(hashing) = &mut self.hashing {
            hashing.add(body);
        }
        if self.missing > 0 { Advance::More } else { Advance::Kept }
    }

    fn give(&mut self) -> Frame<'_> {
        self.given = true;
        let [kind, ..] = self.header;
        if let Some(condensing) = self.condensing.take() {
            let (kept, left_out) = condensing.finish();
            (self.kept, self.length) = (kept, self.length - left_out);
        }
        let hashed = self.hashing.take().map(|hashing| hashing.finish());
        self.digest = hashed.unwrap_or_default();
        let digest = hashed.is_some().then_some(&self.digest);
        Frame { kind, body: &self.kept, length: self.length, digest, begun: self.begun }
    }

    fn forget(&mut self) {
        self.given = false;
        self.have = 0;
        self.kept.clear();
        self.kept.shrink_to(KEPT_BYTES);
    }
}

/// How far a chunk led.
enum Advance<'c> {
    /// To a frame that lies whole in it.
    Whole(Frame<'c>),
    /// To one whose text has a digest.
    Digested(Frame<'c>),
    /// To the end of a frame that was cut, and kept.
    Kept,
    /// Not to the end of a frame.
    More,
}

/// Type and length of the body.
fn parse(header: [u8; HEADER]) -> Result<(u8, u64), &'static str> {
    let [kind, length @ ..] = header;
    let length = u64::from(u32::from_be_bytes(length));
    Ok((kind, length.checked_sub(4).ok_or("invalid message length")?))
}

fn head(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Seen = Vec<(u8, Vec<u8>, u64, Option<Digest>)>;

    fn frames(chunks: &[&[u8]], rule: fn(u8, u64) -> Rule) -> (Seen, Option<&'static str>) {
        let (mut framer, mut seen) = (Framer::default(), Vec::new());
        for chunk in chunks {
            let mut place = 0;
            loop {
                match framer.next(chunk, &mut place, 0, rule) {
                    Ok(Some(frame)) => {
                        seen.push((frame.kind, frame.body.to_vec(), frame.length, frame.digest.copied()))
                    }
                    Ok(None) => break,
                    Err(reason) => return (seen, Some(reason)),
                }
            }
            assert_eq!(place, chunk.len());
        }
        (seen, None)
    }

    fn two_bytes(kind: u8, length: u64) -> Rule {
        let digest_behind = (kind == b'Q' && length > 2).then_some(0);
        Ok(Keep { digest_behind, condensed: kind == b'B', ..Keep::bytes(2) })
    }

    #[test]
    fn whole_frames_of_a_kind_are_passed_over() {
        let (stream, mut framer, mut place) = (b"D\0\0\0\x05xD\0\0\0\x04D\0\0\0\x03", Framer::default(), 0);
        assert_eq!(framer.pass(b'd', stream, &mut place), (0, 0));
        assert_eq!((framer.pass(b'D', stream, &mut place), place), ((2, 11), 11));
        assert_eq!(framer.next(stream, &mut place, 0, two_bytes), Err("invalid message length"));
        let mut framer = Framer::default();
        assert_eq!(framer.next(b"D\0\0\0\x14", &mut 0, 0, two_bytes), Ok(None));
        assert_eq!(framer.pass(b'D', stream, &mut 0), (0, 0), "in the middle of another");
    }

    const STREAM: &[u8] = b"S\0\0\0\x04Q\0\0\0\x08abc\0B\0\0\0\x0ba\0b\0\0\0\0D\0\0\0\x05x";

    #[test]
    fn a_frame_is_the_same_wherever_it_is_cut() {
        let whole = frames(&[STREAM], two_bytes);
        let abc = Some(TextDigest::of(0, b"abc"));
        let expected = [
            (b'S', vec![], 0, None),
            (b'Q', b"ab".to_vec(), 4, abc),
            (b'B', b"a\0b\0".to_vec(), 7, None),
            (b'D', b"x".to_vec(), 1, None),
        ];
        assert_eq!(whole.0, expected);
        for cut in 0..=STREAM.len() {
            let (a, b) = STREAM.split_at(cut);
            assert_eq!(frames(&[a, b], two_bytes), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(frames(&bytes, two_bytes), whole);
    }

    #[test]
    fn a_length_below_four_is_refused() {
        assert_eq!(frames(&[b"Q\0\0\0\x03abc"], two_bytes).1, Some("invalid message length"));
        assert_eq!(frames(&[b"Q\0\0", b"\0\x03abc"], two_bytes).1, Some("invalid message length"));
    }

    #[test]
    fn nothing_is_allocated_by_a_length() {
        let mut framer = Framer::default();
        assert_eq!(
            framer.next(b"d\xff\xff\xff\xffabc", &mut 0, 0, |_, _| Ok(Keep::bytes(usize::MAX))),
            Ok(None)
        );
        assert!(framer.kept.capacity() < 64);
        assert!(!framer.at_boundary());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(frames(&[a, b], two_bytes), frames(&[&bytes], two_bytes));
        }
    }
}
