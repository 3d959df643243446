//! A run that is too long to be kept, condensed as it passes: one long value does not hide those around it.
//!
//! What is kept has the form of a run up to its values, with two differences. Where the number of iterations stands, of
//! which there is but one, or the flags of a run in bulk, is a mark. And of a value that does not fit only the head is
//! there: 0xff, which begins no length, four bytes of its length, two of that of the head, and the head.
//!
//! The room is shared out on the way, as nobody knows what is still to come: a value is kept whole if enough stays set
//! aside for each of those behind it; of a longer one it is the first KiB, or what there is.

use super::{bulk, parameters::Parameters};
use crate::{mysql::field, reader::Reader};

/// What is kept of a long value at most.
const HEAD_BYTES: usize = 1 << 10;
/// What is set aside for each value to come: numbers, times and ids fit whole.
const SET_ASIDE: usize = 64;
/// Where there is not even this for each, not all can be told, and the first ones are.
const LEAST: usize = 20;
/// Begins a head, with two lengths.
pub(super) const HEAD: u8 = 0xff;
const MARK: usize = 1 + 4 + 2;
/// The number of iterations of a run that was condensed.
const ITERATIONS: [u8; 4] = [0xff; 4];
/// Where they stand: behind the flags.
const ITERATIONS_AT: usize = 1;
/// The flags of a run in bulk that was condensed: the upper byte of them, which is not in use.
const FLAGS: u8 = 0xc0;
const FLAGS_AT: usize = 1;

/// Whether a run was condensed.
pub(super) fn is_condensed(body: &[u8], bulk: bool) -> bool {
    let (at, mark) = mark(bulk);
    body.get(at..).is_some_and(|behind| behind.starts_with(mark))
}

/// A run that was sent with the mark of what was condensed, without it: for it was not.
pub(in crate::mysql) fn unmarked(body: &[u8], bulk: bool) -> Option<Vec<u8>> {
    is_condensed(body, bulk).then(|| {
        let mut body = body.to_vec();
        set_mark(&mut body, bulk, 0);
        body
    })
}

fn mark(bulk: bool) -> (usize, &'static [u8]) {
    if bulk { (FLAGS_AT, &[FLAGS]) } else { (ITERATIONS_AT, &ITERATIONS) }
}

fn set_mark(body: &mut [u8], bulk: bool, with: u8) {
    let (at, mark) = mark(bulk);
    for (byte, marked) in body.iter_mut().skip(at).zip(mark) {
        *byte = *marked & with;
    }
}

/// How much of a body a value takes, as a byte: nothing, so many bytes, or this.
pub(super) const PREFIXED: u8 = u8::MAX;

/// What is known of a statement when it is run.
#[derive(Clone, Copy, Debug)]
pub(in crate::mysql) struct Declared<'a> {
    /// The types of its parameters.
    pub(in crate::mysql) types: &'a [u32],
    /// Places of those whose values were sent ahead.
    pub(in crate::mysql) appended: &'a [u16],
    /// Parameters may have names.
    pub(in crate::mysql) named: bool,
    pub(in crate::mysql) bulk: bool,
}

/// Condenses the values of one run, cut anywhere.
#[derive(Debug)]
pub(in crate::mysql) struct Condenser {
    kept: Vec<u8>,
    /// How much of values may still be kept.
    room: usize,
    /// What each value takes, of a row where there are rows.
    shapes: Vec<u8>,
    place: usize,
    /// There are rows, as many as come.
    bulk: bool,
    /// Values that are still to come; not known of rows.
    values: usize,
    /// What is set aside for each of them.
    set_aside: usize,
    /// What one value may take.
    most: usize,
    part: Part,
    /// What came of a length that was cut.
    length: Vec<u8>,
    /// Where the value that is passing begins in `kept`.
    begun: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A value; of rows, how it is sent.
    Begin,
    /// The value itself.
    Shape,
    Length,
    /// Bytes of a value that are kept, and that are not.
    Value {
        keep: usize,
        pass: u64,
    },
    /// Nothing that is kept.
    Rest,
}

impl Condenser {
    /// Over the head of a run, in which the types of all values are; keeps it, and so many bytes of values. `None` where it
    /// is not known what comes.
    pub(in crate::mysql) fn begin(body: &[u8], declared: Declared<'_>, most: usize) -> Option<Self> {
        let Declared { types, appended, named, bulk } = declared;
        let count = u16::try_from(types.len()).ok()?;
        let (shapes, values) = if bulk {
            bulk::BulkParameters::new(body, count, types).shapes()?
        } else {
            Parameters::new(body, count, named, types, appended).shapes()?
        };
        let mut kept = body.get(..body.len().checked_sub(values.len())?)?.to_vec();
        set_mark(&mut kept, bulk, u8::MAX);
        let count = if bulk { 0 } else { shapes.iter().filter(|shape| **shape > 0).count() };
        let each = most / count.max(1);
        let (set_aside, of_one) =
            if each < LEAST { (0, SET_ASIDE) } else { (each.min(SET_ASIDE), usize::MAX) };
        let mut condenser = Self {
            begun: kept.len(),
            kept,
            room: most,
            shapes,
            place: 0,
            bulk,
            values: count,
            set_aside,
            most: of_one,
            part: Part::Begin,
            length: Vec::new(),
        };
        condenser.add(values);
        Some(condenser)
    }

    /// Takes the next piece of the values.
    pub(in crate::mysql) fn add(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() && self.part != Part::Rest {
            self.step(&mut rest);
        }
    }

    /// What is kept of the run, which is complete.
    pub(in crate::mysql) fn finish(mut self) -> Vec<u8> {
        // A value that is longer than its packets is none.
        if self.part != Part::Begin && self.part != Part::Rest {
            self.kept.truncate(self.begun);
        }
        self.kept
    }

    fn step(&mut self, rest: &mut &[u8]) {
        match self.part {
            Part::Begin if self.bulk => self.begin_cell(rest),
            Part::Begin => self.begin_value(),
            Part::Shape => match self.shapes.get(self.place) {
                Some(&PREFIXED) => self.part = Part::Length,
                Some(&bytes) => self.value(bytes.into()),
                None => self.part = Part::Rest,
            },
            Part::Length => self.take_length(rest),
            Part::Value { keep, pass } => {
                let kept = take(rest, keep as u64);
                self.kept.extend_from_slice(kept);
                let passed = take(rest, pass);
                self.go_on(keep - kept.len(), pass - passed.len() as u64);
            }
            Part::Rest => {}
        }
    }

    /// A parameter of a run: one that takes nothing is passed over.
    fn begin_value(&mut self) {
        self.begun = self.kept.len();
        match self.shapes.get(self.place) {
            None => self.part = Part::Rest,
            Some(0) => self.place += 1,
            Some(_) => {
                self.values = self.values.saturating_sub(1);
                self.part = Part::Shape;
            }
        }
    }

    /// A parameter of a row: a value, or what stands for one.
    fn begin_cell(&mut self, rest: &mut &[u8]) {
        self.begun = self.kept.len();
        let Some((how @ 0..=3, behind)) = rest.split_first() else { return self.part = Part::Rest };
        let Some(room) = self.room.checked_sub(1) else { return self.part = Part::Rest };
        (*rest, self.room) = (behind, room);
        self.kept.push(*how);
        match (how, self.shapes.get(self.place)) {
            (0, Some(1..)) => self.part = Part::Shape,
            _ => self.next_value(),
        }
    }

    fn next_value(&mut self) {
        self.place += 1;
        if self.bulk && self.place >= self.shapes.len() {
            self.place = 0;
        }
        self.part = Part::Begin;
    }

    fn take_length(&mut self, rest: &mut &[u8]) {
        let Some((byte, behind)) = rest.split_first() else { return };
        *rest = behind;
        self.length.push(*byte);
        if let Some(0xfb | 0xff) = self.length.first() {
            // Nobody knows where it ends.
            self.part = Part::Rest;
            self.kept.truncate(self.begun);
        } else if let Some(length) = field::low_integer(&mut Reader::new(&self.length)) {
            self.value(length);
            self.length.clear();
        }
    }

    /// A value of so many bytes comes, behind what is in `length`.
    fn value(&mut self, bytes: u64) {
        let may_take = self.may_take();
        let whole = usize::try_from(bytes).ok().filter(|whole| whole + self.length.len() <= may_take);
        if let Some(whole) = whole {
            self.kept.extend_from_slice(&self.length);
            self.room -= self.length.len() + whole;
            return self.go_on(whole, 0);
        }
        let head = HEAD_BYTES.min(may_take.saturating_sub(MARK));
        match (u32::try_from(bytes), u16::try_from(head)) {
            (Ok(length), Ok(mark @ 1..)) if !self.length.is_empty() && bytes > head as u64 => {
                self.kept.push(HEAD);
                self.kept.extend_from_slice(&length.to_le_bytes());
                self.kept.extend_from_slice(&mark.to_le_bytes());
                self.room -= MARK + head;
                self.go_on(head, bytes - head as u64);
            }
            // There is no room.
            _ => {
                self.kept.truncate(self.begun);
                self.part = Part::Rest;
            }
        }
    }

    /// What the value that comes may take. Of rows nobody knows how many there are: it is the half of what is left.
    fn may_take(&self) -> usize {
        if self.bulk {
            return self.room.div_ceil(2);
        }
        self.room.saturating_sub(self.values * self.set_aside).min(self.most)
    }

    fn go_on(&mut self, keep: usize, pass: u64) {
        if keep > 0 || pass > 0 { self.part = Part::Value { keep, pass } } else { self.next_value() }
    }
}

/// So many bytes of what is left, or all of it.
fn take<'a>(rest: &mut &'a [u8], most: u64) -> &'a [u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (bytes, behind) = rest.split_at_checked(most).unwrap_or((rest, &[]));
    *rest = behind;
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::{BulkParameters, Cell, Value};
    use super::*;
    use proptest::prelude::*;

    const CAP: usize = 4 << 10;
    const LONG: u16 = 3;
    const TEXT: u16 = 253;

    /// What is sent: a number, a text, or NULL.
    #[derive(Clone, Debug, PartialEq)]
    enum Sent {
        Number(u32),
        Text(usize),
        Null,
    }
    use Sent::{Null, Number, Text};

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n % 251) as u8).collect()
    }

    fn kind(sent: &Sent) -> u16 {
        if matches!(sent, Number(_)) { LONG } else { TEXT }
    }

    fn add_value(body: &mut Vec<u8>, sent: &Sent) {
        match sent {
            Number(number) => body.extend(number.to_le_bytes()),
            Text(length) => {
                match u8::try_from(*length) {
                    Ok(short @ 0..=0xfa) => body.push(short),
                    _ => {
                        body.push(0xfd);
                        body.extend(&u32::try_from(*length).unwrap().to_le_bytes()[..3]);
                    }
                }
                body.extend(bytes(*length));
            }
            Null => {}
        }
    }

    fn run(values: &[Sent], with_types: bool) -> Vec<u8> {
        let mut nulls = vec![0; values.len().div_ceil(8)];
        for (place, _) in values.iter().enumerate().filter(|(_, value)| **value == Null) {
            nulls[place / 8] |= 1 << (place % 8);
        }
        let mut body = [&[0, 1, 0, 0, 0][..], &nulls, &[with_types.into()]].concat();
        body.extend(values.iter().filter(|_| with_types).flat_map(|value| kind(value).to_le_bytes()));
        values.iter().for_each(|value| add_value(&mut body, value));
        body
    }

    fn rows(rows: &[Vec<Sent>]) -> Vec<u8> {
        let mut body = b"\x80\0".to_vec();
        body.extend(rows[0].iter().flat_map(|value| kind(value).to_le_bytes()));
        for value in rows.iter().flatten() {
            body.push(u8::from(*value == Null));
            add_value(&mut body, value);
        }
        body
    }

    fn declared(types: &[u32], bulk: bool) -> Declared<'_> {
        Declared { types, appended: &[], named: false, bulk }
    }

    fn condensed(body: &[u8], declared: Declared<'_>, most: usize) -> Vec<u8> {
        Condenser::begin(body, declared, most).unwrap().finish()
    }

    fn seen(value: Value<'_>) -> (Sent, Option<u32>) {
        match value {
            Value::Null => (Null, None),
            Value::Whole(bytes) => match bytes.try_into() {
                Ok(number) if bytes != self::bytes(4) => (Number(u32::from_le_bytes(number)), None),
                _ => {
                    assert_eq!(bytes, self::bytes(bytes.len()));
                    (Text(bytes.len()), None)
                }
            },
            Value::Head { bytes, length } => {
                assert_eq!(bytes, self::bytes(bytes.len()));
                (Text(bytes.len()), Some(length))
            }
        }
    }

    fn read(kept: &[u8], types: &[u32]) -> Vec<(Sent, Option<u32>)> {
        let count = u16::try_from(types.len()).unwrap();
        Parameters::new(kept, count, false, types, &[]).map(|parameter| seen(parameter.value)).collect()
    }

    fn types(values: &[Sent]) -> Vec<u32> {
        values.iter().map(|value| kind(value).into()).collect()
    }

    #[test]
    fn a_long_value_hides_no_other() {
        let head = |length| (Text(HEAD_BYTES), Some(length));
        let whole = |sent| (sent, None);
        for (values, expected) in [
            (vec![Text(200_000), Number(42)], vec![head(200_000), whole(Number(42))]),
            (vec![Number(42), Text(5_000), Text(9)], vec![whole(Number(42)), head(5_000), whole(Text(9))]),
            (
                vec![Null, Text(5_000), Null, Number(7)],
                vec![whole(Null), head(5_000), whole(Null), whole(Number(7))],
            ),
            (
                vec![Text(2_000), Text(5_000), Number(1)],
                vec![whole(Text(2_000)), head(5_000), whole(Number(1))],
            ),
        ] {
            for with_types in [true, false] {
                let types = types(&values);
                let kept = condensed(&run(&values, with_types), declared(&types, false), CAP);
                assert_eq!(read(&kept, &types), expected);
                assert!(kept.len() < CAP + 32);
            }
        }
    }

    #[test]
    fn what_was_sent_ahead_takes_no_place() {
        let values = [Number(7), Text(5_000), Number(9)];
        let types = [LONG.into(), TEXT.into(), TEXT.into(), LONG.into()];
        let body = [&b"\0\x01\0\0\0\0\0"[..], &run(&values, false)[7..]].concat();
        let declared = Declared { appended: &[1], ..declared(&types, false) };
        let kept = condensed(&body, declared, CAP);
        let all: Vec<_> = Parameters::new(&kept, 4, false, &types, &[1]).map(|one| one.value).collect();
        let head = Value::Head { bytes: &bytes(HEAD_BYTES), length: 5_000 };
        assert_eq!(all, [Value::Whole(&[7, 0, 0, 0]), Value::Whole(b""), head, Value::Whole(&[9, 0, 0, 0])]);
    }

    #[test]
    fn each_of_many_is_told_as_long_as_there_is_room() {
        for (count, told) in [(50, 50), (150, 150), (300, 72), (65_535, 72)] {
            let mut values = vec![Text(300); count];
            values[count - 1] = Number(1_234);
            let types = types(&values);
            let kept = condensed(&run(&values, true), declared(&types, false), CAP);
            let all = read(&kept, &types);
            assert!(all.len().abs_diff(told) < 10, "{count}: {}", all.len());
            assert_eq!(all.len() == count, all.last() == Some(&(Number(1_234), None)));
        }
    }

    #[test]
    fn rows_are_told_as_long_as_there_is_room() {
        let sent: Vec<_> =
            (0..50).map(|row| vec![Number(row), Text(700_000 * usize::from(row == 1)), Null]).collect();
        let body = rows(&sent);
        let kept = condensed(&body, declared(&[0, 0, 0], true), CAP);
        let mut cells = BulkParameters::new(&kept, 3, &[]);
        let all: Vec<_> = cells
            .by_ref()
            .map(|(_, cell)| match cell {
                Cell::Value(value) => seen(value),
                other => panic!("{other:?}"),
            })
            .collect();
        let mut expected: Vec<_> = sent.into_iter().flatten().map(|value| (value, None)).collect();
        expected[4] = (Text(HEAD_BYTES), Some(700_000));
        assert_eq!(all, expected);
        assert!(!cells.truncated() && kept.len() < CAP);
        // Too many: the first ones.
        let sent: Vec<_> = (0..500).map(|row| vec![Number(row), Text(700)]).collect();
        let kept = condensed(&rows(&sent), declared(&[0, 0], true), CAP);
        assert!(kept.len() < CAP + 32 && BulkParameters::new(&kept, 2, &[]).count() > 10);
    }

    #[test]
    fn what_is_no_run_is_kept_as_far_as_it_is_one() {
        let types = [TEXT.into(), TEXT.into()];
        let begin =
            |rest: &[u8]| condensed(&[b"\0\x01\0\0\0\0\0", rest].concat(), declared(&types, false), CAP);
        for torn in [&b"\x01a\xfc\x00"[..], b"\x01a\x05ab", b"\x01a\xff\x01\0\0\0\x01\0b", b"\x01a\xfbab"] {
            assert_eq!(begin(torn), b"\0\xff\xff\xff\xff\0\0\x01a", "{torn:?}");
        }
        for short in [&b""[..], b"\0\x01\0\0\0", b"\0\x01\0\0\0\0\x01\x03\0\xfd"] {
            assert!(Condenser::begin(short, declared(&types, false), CAP).is_none());
        }
        let unknown = [super::super::UNKNOWN_TYPE];
        assert!(Condenser::begin(b"\0\x01\0\0\0\0\0\x01a", declared(&unknown, false), CAP).is_none());
    }

    #[test]
    fn a_mark_that_was_sent_is_none() {
        let sent = b"\0\xff\xff\xff\xff\0\0\xff\x09\0\0\0\x01\0ab";
        let types = [TEXT.into()];
        assert_eq!(Parameters::new(sent, 1, false, &types, &[]).count(), 1);
        let read = unmarked(sent, false).unwrap();
        assert_eq!(Parameters::new(&read, 1, false, &types, &[]).count(), 0);
        assert_eq!(unmarked(&read, false), None);
        let sent = b"\x00\xc0\0\xff\x09\0\0\0\x01\0a";
        assert_eq!(BulkParameters::new(sent, 1, &types).count(), 1);
        assert_eq!(BulkParameters::new(&unmarked(sent, true).unwrap(), 1, &types).count(), 0);
    }

    fn values() -> impl Strategy<Value = Vec<Sent>> {
        let number = any::<u32>().prop_filter("no text", |n| n.to_le_bytes() != *bytes(4)).prop_map(Number);
        let one =
            prop_oneof![number, (0..40_usize).prop_map(Text), (0..3_000_usize).prop_map(Text), Just(Null)];
        prop::collection::vec(one, 1..60)
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(
            values in values(), bulk in any::<bool>(), noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
            sizes in prop::collection::vec(1..400_usize, 1..9), most in 0..5_000_usize,
        ) {
            let types = types(&values);
            let mut body = if bulk { rows(std::slice::from_ref(&values)) } else { run(&values, true) };
            for (at, byte) in noise {
                let at = at % body.len();
                body[at] = byte;
            }
            let declared = declared(&types, bulk);
            let Some(whole) = Condenser::begin(&body, declared, most) else { return Ok(()) };
            let whole = whole.finish();
            let ahead = body.len() - if bulk {
                BulkParameters::new(&body, types.len() as u16, &types).shapes().unwrap().1.len()
            } else {
                Parameters::new(&body, types.len() as u16, false, &types, &[]).shapes().unwrap().1.len()
            };
            let mut condenser = Condenser::begin(&body[..ahead], declared, most).unwrap();
            let (mut rest, mut sizes) = (&body[ahead..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                condenser.add(piece);
                rest = behind;
            }
            prop_assert_eq!(&condenser.finish(), &whole);
            prop_assert!(whole.len() <= ahead + most && whole.len() <= body.len());
            // Whatever is kept can be read to its end.
            if bulk {
                let mut cells = BulkParameters::new(&whole, types.len() as u16, &types);
                cells.by_ref().for_each(drop);
            } else {
                Parameters::new(&whole, types.len() as u16, false, &types, &[]).for_each(drop);
            }
        }

        /// Every value of as many as can be told is there, and its head is the head of what was sent.
        #[test]
        fn nothing_is_made_up(values in values()) {
            let types = types(&values);
            let all = read(&condensed(&run(&values, true), declared(&types, false), CAP), &types);
            prop_assert_eq!(all.len(), values.len());
            for ((seen, more), sent) in all.iter().zip(&values) {
                match more {
                    None => prop_assert_eq!(seen, sent),
                    Some(length) => prop_assert_eq!(&Text(*length as usize), sent),
                }
            }
        }
    }
}
