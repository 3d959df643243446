//! A Bind that is too long to be kept, condensed as it passes: one long value does not hide those around it.
//!
//! What is kept has the form of a Bind up to its values, with two differences. Names are no longer than the server
//! takes them. And of a value that does not fit only the head is there: its length then has all its bits turned, which
//! makes a negative number that no Bind may have, and behind it two bytes say how long the head is. What follows the
//! values is left out, so that whatever is missing, what is kept is shorter than what was sent.
//!
//! Nobody knows what is still to come, so the room is shared out on the way: a value is kept whole if enough stays set
//! aside for each of those behind it; of a longer one it is the first KiB, or what there is.

use super::frontend::NAME_BYTES;

/// What is kept of a long value at most.
const HEAD_BYTES: usize = 1 << 10;
/// What is set aside for each value to come: numbers, times and ids fit whole.
const SET_ASIDE: usize = 64;
/// Where there is not even this for each (a UUID and its length), not all can be told, and the first ones are.
const LEAST: usize = 20;
/// A value's length.
const LENGTH: usize = 4;
/// The same, and that of the head.
const MARK: usize = LENGTH + 2;

/// Condenses the body of one Bind, cut anywhere.
#[derive(Debug)]
pub(super) struct Condenser {
    kept: Vec<u8>,
    /// How much may still be kept.
    room: usize,
    part: Part,
    /// What came of a number that was cut.
    field: Vec<u8>,
    /// Values that are still to come.
    values: usize,
    /// What is set aside for each of them.
    set_aside: usize,
    /// What one value may take.
    most: usize,
    /// Where the value that is passing begins in `kept`.
    begun: usize,
    /// Bytes of names that were left out.
    left_out: u64,
}

/// What comes next; there is at least a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A name of which so many bytes are kept, and whether it is the last one.
    Name {
        kept: usize,
        last: bool,
    },
    FormatCount,
    /// Bytes of format codes.
    Formats(usize),
    ValueCount,
    Length,
    /// Bytes of a value that are kept, and that are not.
    Value {
        keep: usize,
        pass: usize,
    },
    /// Nothing that is kept.
    Rest,
}

impl Condenser {
    /// Keeps at most so many bytes, and the names.
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            room: most,
            part: Part::Name { kept: 0, last: false },
            field: Vec::new(),
            values: 0,
            set_aside: 0,
            most: usize::MAX,
            begun: 0,
            left_out: 0,
        }
    }

    /// Takes the next piece of the body.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() && self.part != Part::Rest {
            self.step(&mut rest);
        }
    }

    /// What is kept of the body, which is complete, and by how much its names were shortened.
    pub(super) fn finish(mut self) -> (Vec<u8>, u64) {
        // A value that is longer than its message is none.
        if let Part::Value { .. } = self.part {
            self.kept.truncate(self.begun);
        }
        (self.kept, self.left_out)
    }

    fn step(&mut self, rest: &mut &[u8]) {
        match self.part {
            Part::Name { kept, last } => self.name(kept, last, rest),
            Part::FormatCount => {
                if let Some(count) = self.field(rest) {
                    self.begin_formats(count);
                }
            }
            Part::Formats(left) => {
                let codes = take(rest, left);
                self.kept.extend_from_slice(codes);
                self.part = formats(left - codes.len());
            }
            Part::ValueCount => {
                if let Some(count) = self.field(rest) {
                    self.begin_values(count);
                }
            }
            Part::Length => {
                if let Some(length) = self.field(rest) {
                    self.begin_value(i32::from_be_bytes(length));
                }
            }
            Part::Value { keep, pass } => {
                let kept = take(rest, keep);
                self.kept.extend_from_slice(kept);
                let passed = take(rest, pass);
                self.go_on(keep - kept.len(), pass - passed.len());
            }
            Part::Rest => {}
        }
    }

    fn name(&mut self, kept: usize, last: bool, rest: &mut &[u8]) {
        let end = memchr::memchr(0, rest);
        let name = take(rest, end.unwrap_or(rest.len()));
        let head = name.get(..NAME_BYTES.saturating_sub(kept)).unwrap_or(name);
        self.left_out += (name.len() - head.len()) as u64;
        self.kept.extend_from_slice(head);
        self.kept.extend_from_slice(take(rest, usize::from(end.is_some())));
        self.part = match end {
            None => Part::Name { kept: kept + head.len(), last },
            Some(_) if last => Part::FormatCount,
            Some(_) => Part::Name { kept: 0, last: true },
        };
    }

    fn begin_formats(&mut self, count: [u8; 2]) {
        let codes = usize::from(u16::from_be_bytes(count)) * 2;
        // With the count of values.
        let needed = self.kept.len() + codes + 4;
        let room = self.room.checked_sub(needed);
        // A value whose format is not known says nothing.
        let Some(room) = room else { return self.part = Part::Rest };
        self.room = room;
        self.kept.extend_from_slice(&count);
        self.part = formats(codes);
    }

    fn begin_values(&mut self, count: [u8; 2]) {
        self.kept.extend_from_slice(&count);
        self.values = u16::from_be_bytes(count).into();
        let each = self.room / self.values.max(1);
        if each < LEAST {
            self.most = SET_ASIDE;
        } else {
            self.set_aside = each.min(SET_ASIDE);
        }
        self.next_value();
    }

    fn next_value(&mut self) {
        self.begun = self.kept.len();
        self.part = if self.values == 0 { Part::Rest } else { Part::Length };
    }

    fn begin_value(&mut self, length: i32) {
        self.values -= 1;
        let may_take = self.room.saturating_sub(self.values * self.set_aside).min(self.most);
        match usize::try_from(length) {
            Err(_) if length == -1 && may_take >= LENGTH => {
                self.keep(length, &[], 0);
                self.next_value();
            }
            Ok(whole) if whole + LENGTH <= may_take => {
                self.keep(length, &[], whole);
                self.go_on(whole, 0);
            }
            Ok(whole) if may_take > MARK => {
                let head = HEAD_BYTES.min(may_take - MARK);
                let mark = u16::try_from(head).unwrap_or_default().to_be_bytes();
                self.keep(!length, &mark, head);
                self.go_on(head, whole - head);
            }
            // There is no room, or it is no length.
            _ => self.part = Part::Rest,
        }
    }

    /// Keeps a length, and takes the room for what follows it.
    fn keep(&mut self, length: i32, mark: &[u8], bytes: usize) {
        self.kept.extend_from_slice(&length.to_be_bytes());
        self.kept.extend_from_slice(mark);
        self.room -= LENGTH + mark.len() + bytes;
    }

    fn go_on(&mut self, keep: usize, pass: usize) {
        if keep + pass > 0 { self.part = Part::Value { keep, pass } } else { self.next_value() }
    }

    /// The next number, once all of it has come.
    fn field<const N: usize>(&mut self, rest: &mut &[u8]) -> Option<[u8; N]> {
        self.field.extend_from_slice(take(rest, N.saturating_sub(self.field.len())));
        let field = self.field.as_slice().try_into().ok()?;
        self.field.clear();
        Some(field)
    }
}

fn formats(left: usize) -> Part {
    if left == 0 { Part::ValueCount } else { Part::Formats(left) }
}

/// So many bytes of what is left, or all of it.
fn take<'a>(rest: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (bytes, behind) = rest.split_at_checked(most).unwrap_or((rest, &[]));
    *rest = behind;
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::values::{Parameters, Value};
    use super::*;
    use proptest::prelude::*;

    const CAP: usize = 4 << 10;

    /// A Bind of the statement `s`, all values text; and result formats, which nobody reads.
    fn body(values: &[Option<&[u8]>]) -> Vec<u8> {
        let count = u16::try_from(values.len()).unwrap().to_be_bytes();
        let mut body = [&b"\0s\0\0\0"[..], &count].concat();
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
            body.extend(length.to_be_bytes());
            body.extend(value.unwrap_or_default());
        }
        [&body[..], b"\0\x01\0\x01"].concat()
    }

    fn condensed(body: &[u8], most: usize) -> (Vec<u8>, u64) {
        let mut condenser = Condenser::new(most);
        condenser.add(body);
        condenser.finish()
    }

    /// The head of each value, and its length where there is more of it.
    fn read(kept: &[u8]) -> Vec<(Vec<u8>, Option<u32>)> {
        let values = Parameters::new(&kept[3..], u64::MAX);
        let seen = values.map(|(_, value)| match value {
            Value::Null => (b"NULL".to_vec(), None),
            Value::Whole(bytes) => (bytes.to_vec(), None),
            Value::Head { bytes, length } => (bytes.to_vec(), Some(length)),
        });
        seen.collect()
    }

    #[test]
    fn a_long_value_hides_none_of_the_others() {
        let long = [b'x'; 200_000];
        let head = (vec![b'x'; HEAD_BYTES], Some(200_000));
        let whole = |text: &str| (text.as_bytes().to_vec(), None);
        for (values, expected) in [
            ([Some(&long[..]), Some(b"42"), None], [head.clone(), whole("42"), whole("NULL")]),
            ([Some(b"42"), Some(&long), Some(b"tail")], [whole("42"), head.clone(), whole("tail")]),
            ([Some(b""), Some(&long), Some(&long)], [whole(""), head.clone(), head.clone()]),
        ] {
            let (kept, left_out) = condensed(&body(&values), CAP);
            assert!(kept.len() <= CAP && left_out == 0);
            assert_eq!(read(&kept), expected);
        }
    }

    #[test]
    fn what_fits_is_whole_however_long_the_others_are() {
        let (long, fits) = (vec![b'x'; CAP], vec![b'y'; 2_000]);
        let (kept, _) = condensed(&body(&[Some(&fits), Some(&long), Some(b"1")]), CAP);
        let lengths: Vec<_> = read(&kept).into_iter().map(|(bytes, whole)| (bytes.len(), whole)).collect();
        assert_eq!(lengths, [(2_000, None), (HEAD_BYTES, Some(4_096)), (1, None)]);
    }

    #[test]
    fn each_of_many_is_told_as_long_as_there_is_room() {
        let long = [b'x'; 300];
        for (count, told, last) in [(50, 50, true), (190, 190, true), (300, 64, false)] {
            let mut values = vec![Some(&long[..]); count - 1];
            values.push(Some(b"1234"));
            let (kept, _) = condensed(&body(&values), CAP);
            let seen = read(&kept);
            assert!(kept.len() <= CAP);
            assert_eq!((seen.len(), seen.last() == Some(&(b"1234".to_vec(), None))), (told, last), "{count}");
        }
        let most = vec![Some(&long[..]); 65_535];
        let (kept, _) = condensed(&body(&most), CAP);
        assert!(kept.len() <= CAP && read(&kept).len() > 60);
    }

    #[test]
    fn names_take_no_room_of_the_values() {
        let mut sent = vec![b'p'; 10_000];
        sent.extend(&body(&[Some(b"42")]));
        let (kept, left_out) = condensed(&sent, 256);
        assert_eq!((kept.len(), left_out), (63 + 3 + 4 + 4 + 2, 10_000 - 63));
        assert!(kept.ends_with(b"p\0s\0\0\0\0\x01\0\0\0\x0242"));
    }

    #[test]
    fn what_is_no_bind_is_kept_as_far_as_it_is_one() {
        let torn = b"\0s\0\0\0\0\x02\0\0\0\x0142\0\0\xff\xffabc";
        assert_eq!(condensed(torn, CAP).0, b"\0s\0\0\0\0\x02\0\0\0\x014", "no length");
        let long = b"\0s\0\0\0\0\x02\0\0\0\x014\0\0\xff\xffabc";
        assert_eq!(condensed(long, CAP).0, b"\0s\0\0\0\0\x02\0\0\0\x014", "longer than its message");
        assert_eq!(condensed(b"\0s\0\xff\xff\0\0", CAP).0, b"\0s\0", "more formats than there is room");
    }

    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let value = prop_oneof![Just(None), (0..40_usize).prop_map(Some), (0..3_000_usize).prop_map(Some)];
        let real = prop::collection::vec(value, 0..60).prop_map(|lengths| {
            let bytes = [b'v'; 3_000];
            body(&lengths.iter().map(|length| length.map(|length| &bytes[..length])).collect::<Vec<_>>())
        });
        let changed = (real.clone(), any::<(usize, u8)>()).prop_map(|(mut body, (at, byte))| {
            let at = at % body.len();
            body[at] = byte;
            body
        });
        let noise = prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..300);
        prop_oneof![real, changed, noise]
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(sent in bodies(), size in 1..50_usize, most in 0..5_000_usize) {
            let whole = condensed(&sent, most);
            let mut condenser = Condenser::new(most);
            sent.chunks(size).for_each(|piece| condenser.add(piece));
            prop_assert_eq!(&condenser.finish(), &whole);
            prop_assert!(whole.0.len() <= most.max(2 * (NAME_BYTES + 1)));
            prop_assert!(whole.0.len() as u64 + whole.1 <= sent.len() as u64);
        }

        /// Every value of as many as can be told is there, and its head is the head of what was sent.
        #[test]
        fn nothing_is_made_up(lengths in prop::collection::vec(0..3_000_usize, 1..200)) {
            let bytes: Vec<u8> = (0..3_000_u32).map(|n| (n % 251) as u8).collect();
            let sent: Vec<_> = lengths.iter().map(|length| Some(&bytes[..*length])).collect();
            let seen = read(&condensed(&body(&sent), CAP).0);
            prop_assert_eq!(seen.len(), lengths.len());
            for ((head, more), length) in seen.iter().zip(&lengths) {
                prop_assert!(bytes.starts_with(head));
                prop_assert_eq!(more.map_or(head.len(), |length| length as usize), *length);
                prop_assert!(more.is_some() || head.len() == *length);
            }
        }
    }
}
