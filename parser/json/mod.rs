//! Values as JSON, whatever protocol they came by.

mod document;
mod number;

pub(crate) use document::write as write_document;
pub(crate) use number::{LONGEST_NUMBER, is_json_integer, is_json_number};

use crate::text::hex_digits;

/// Appends two digits a byte.
pub(crate) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.extend_from_slice(&hex_digits(*byte));
    }
}

/// Appends `number` in decimal, with zeros before it up to `width`, which is 20 at most.
pub(crate) fn write_digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        if number == 0 && count >= width {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// Appends an integer.
pub(crate) fn write_integer(out: &mut Vec<u8>, number: i64) {
    out.extend((number < 0).then_some(b'-'));
    write_digits(out, number.unsigned_abs(), 1);
}

/// The shortest digits that give this very float again.
pub(crate) fn write_float<F: Copy + Into<f64> + serde::Serialize>(out: &mut Vec<u8>, float: F) -> Option<()> {
    match name_of(float.into()) {
        Some(name) => out.extend_from_slice(name),
        None => serde_json::to_writer(out, &float).ok()?,
    }
    Some(())
}

/// What a float is called that is no JSON number.
fn name_of(float: f64) -> Option<&'static [u8]> {
    if float.is_finite() {
        None
    } else if float.is_nan() {
        Some(b"\"NaN\"")
    } else if float > 0.0 {
        Some(b"\"Infinity\"")
    } else {
        Some(b"\"-Infinity\"")
    }
}
