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
mod tests;
