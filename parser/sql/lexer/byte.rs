//! What a byte may be part of.

pub(super) const START: u8 = 1;
pub(super) const PART: u8 = 2;
pub(super) const DIGIT: u8 = 4;
pub(super) const OPERATOR: u8 = 8;
/// Part of a word or number, but no `$`.
pub(super) const WORD: u8 = 16;
/// What may stand between two pieces of a string, and begin the second one.
pub(super) const GAP: u8 = 32;

static CLASSES: [u8; 256] = classes();

pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: out of bounds would not build
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => START | PART | WORD,
            b'0'..=b'9' => DIGIT | PART | WORD,
            b'$' => PART,
            b'#' | b'-' | b'*' | b'/' => OPERATOR | GAP,
            b'~' | b'!' | b'@' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'%' | b'<' | b'>' | b'=' => {
                OPERATOR
            }
            b' ' | b'\t'..=b'\r' | b'\'' | b'"' => GAP,
            _ => 0,
        };
        byte += 1;
    }
    table
}
