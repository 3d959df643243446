//! The parameters of many rows at once: MariaDB's COM_STMT_BULK_EXECUTE.

use super::{
    condense::{PREFIXED, is_condensed},
    known,
    types::{Size, Type},
    value::{self, Value},
};
use crate::reader::Reader;

/// Types come ahead of the rows.
const TYPES: u16 = 128;

/// One parameter of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A value, or NULL.
    Value(Value<'a>),
    /// The column's default.
    Default,
    /// The column is left alone.
    Ignore,
}

/// Reads parameters one by one, row by row, each with its type. The body may have been cut: the walk ends before the
/// first that is not all there, and [`truncated`](Self::truncated) then says so. Allocates nothing.
#[derive(Clone, Debug)]
pub struct BulkParameters<'a> {
    types: &'a [[u8; 2]],
    known: &'a [u32],
    columns: usize,
    column: usize,
    cells: Reader<'a>,
    /// Values may be heads.
    condensed: bool,
    truncated: bool,
}

impl<'a> BulkParameters<'a> {
    /// Over [`Ask::Run`](crate::wire::Ask::Run)'s parameters, of a statement that has `declared` of them. `known` are the
    /// types that were sent last.
    #[must_use]
    pub fn new(body: &'a [u8], declared: u16, known: &'a [u32]) -> Self {
        let cells = Reader::new(b"");
        let none =
            Self { types: &[], known, columns: 0, column: 0, cells, condensed: false, truncated: true };
        Self::open(body, declared.into(), known).unwrap_or(none)
    }

    fn open(body: &'a [u8], columns: usize, known: &'a [u32]) -> Option<Self> {
        let mut cells = Reader::new(body);
        let with_types = cells.u16_le()? & TYPES != 0;
        let types = if with_types { cells.bytes(columns * 2)?.as_chunks().0 } else { &[] };
        let condensed = is_condensed(body, true);
        Some(Self { types, known, columns, column: 0, cells, condensed, truncated: false })
    }

    /// Over no more than so many bytes of values.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        let kept = self.cells.left().min(bytes);
        self.cells = Reader::new(self.cells.bytes(kept).unwrap_or_default());
        self
    }

    /// How many parameters a row has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether the walk came to an end before the last row did.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The types of a row, where they were sent: to be remembered for the next run.
    pub fn sent_types(&self) -> Option<impl Iterator<Item = u16> + use<'a>> {
        (!self.types.is_empty()).then(|| self.types.iter().map(|field| u16::from_le_bytes(*field)))
    }

    /// What each value of a row takes, and the rows.
    pub(super) fn shapes(self) -> Option<(Vec<u8>, &'a [u8])> {
        let kinds = (0..self.columns).map(|column| self.kind(column));
        let shapes: Vec<u8> = kinds.map(|kind| Some(shape(kind?, false))).collect::<Option<_>>()?;
        let mut cells = self.cells;
        (!shapes.is_empty()).then(|| (shapes, cells.rest()))
    }

    fn kind(&self, column: usize) -> Option<u16> {
        let sent = self.types.get(column).map(|field| u16::from_le_bytes(*field));
        sent.or_else(|| known(self.known, column))
    }

    fn read(&mut self) -> Option<(u16, Cell<'a>)> {
        let kind = self.kind(self.column)?;
        let cell = match self.cells.u8()? {
            0 => Cell::Value(value::take(&mut self.cells, Type::of(kind), false, self.condensed)?),
            1 => Cell::Value(Value::Null),
            2 => Cell::Default,
            3 => Cell::Ignore,
            _ => return None,
        };
        Some((kind, cell))
    }
}

/// What a value of a type takes.
pub(super) fn shape(kind: u16, named: bool) -> u8 {
    match Type::of(kind).size(named) {
        Size::Bytes(bytes) => u8::try_from(bytes).unwrap_or(PREFIXED),
        Size::Prefixed => PREFIXED,
        Size::Nothing => 0,
    }
}

impl<'a> Iterator for BulkParameters<'a> {
    type Item = (u16, Cell<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.truncated || self.columns == 0 || self.cells.left() == 0 && self.column == 0 {
            return None;
        }
        let cell = self.read();
        self.truncated = cell.is_none();
        self.column = (self.column + 1) % self.columns;
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &[u8] = b"\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x02ab\0\x02\0\0\0\x01\x02\x03";

    #[test]
    fn rows_are_read_one_behind_the_other() {
        let mut parameters = BulkParameters::new(RUN, 2, &[]);
        assert_eq!(parameters.sent_types().unwrap().collect::<Vec<_>>(), [3, 253]);
        let cells: Vec<_> = parameters.by_ref().map(|(_, cell)| cell).collect();
        let value = |bytes| Cell::Value(Value::Whole(bytes));
        let (one, two, null) = (value(&[1, 0, 0, 0]), value(&[2, 0, 0, 0]), Cell::Value(Value::Null));
        assert_eq!(cells, [one, value(b"ab"), two, null, Cell::Default, Cell::Ignore]);
        assert!(!parameters.truncated() && parameters.columns() == 2);
    }

    #[test]
    fn a_cut_body_ends_early_and_says_so() {
        for cut in [0, 1, 3, 7, 8, 13, RUN.len() - 1] {
            let mut parameters = BulkParameters::new(&RUN[..cut], 2, &[]);
            parameters.by_ref().for_each(drop);
            assert!(parameters.truncated(), "cut at {cut}");
        }
        let mut strange = BulkParameters::new(b"\0\0\x09", 1, &[3]);
        assert_eq!((strange.next(), strange.truncated()), (None, true));
        assert_eq!(BulkParameters::new(b"\0\0abc", 0, &[]).next(), None);
    }
}
