//! Attributes of a query that are too large to be kept: they are passed over to find its text.

use super::{
    parameters::Attributes,
    types::{Size, Type},
};
use crate::{mysql::field, reader::Reader};

/// Passes over the values of attributes, however they are cut. What it holds is bounded by what was kept of them.
#[derive(Debug)]
pub(in crate::mysql) struct Skip {
    /// Of values that are still to come.
    sizes: std::vec::IntoIter<Size>,
    /// Bytes of the value at hand that are still to come.
    left: u64,
    /// Of a length that has not come whole.
    length: Vec<u8>,
}

impl Skip {
    /// Over the head of a query's body, in which the types of all attributes are; `None` where they are not.
    pub(in crate::mysql) fn begin(body: &[u8]) -> Option<Self> {
        let (sizes, values) = Attributes::sizes(body)?;
        let mut skip = Self { sizes: sizes.into_iter(), left: 0, length: Vec::new() };
        // The text would have been found if it was here.
        skip.pass(values);
        Some(skip)
    }

    /// Takes the next piece: what is left of it once all values have passed.
    pub(in crate::mysql) fn pass<'a>(&mut self, mut piece: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let here = usize::try_from(self.left).map_or(piece.len(), |left| left.min(piece.len()));
            self.left -= here as u64;
            piece = piece.get(here..)?;
            if self.left > 0 {
                return None;
            }
            match self.sizes.as_slice().first() {
                None => return Some(piece),
                Some(Size::Bytes(bytes)) => self.left = *bytes as u64,
                Some(Size::Nothing) => {}
                Some(Size::Prefixed) => {
                    let (byte, rest) = piece.split_first()?;
                    self.length.push(*byte);
                    piece = rest;
                    if let Some(0xfb | 0xff) = self.length.first() {
                        // Nobody knows where it ends.
                        self.left = u64::MAX;
                        continue;
                    }
                    let Some(length) = field::low_integer(&mut Reader::new(&self.length)) else { continue };
                    self.left = length;
                    self.length.clear();
                }
            }
            self.sizes.next();
        }
    }
}

/// Appends, in place of the attributes of a query, how many bytes of them were left out: where the number of their sets
/// stands, of which there is but one.
pub(in crate::mysql) fn leave_out(bytes: u64, kept: &mut Vec<u8>) {
    kept.extend_from_slice(&[0, 0xfe]);
    kept.extend_from_slice(&bytes.to_le_bytes());
}

/// The size of a value that is there, and of NULL.
pub(super) fn size(kind: u16, null: bool) -> Size {
    if null { Size::Nothing } else { Type::of(kind).size(true) }
}
