//! Which texts JSON takes as numbers.

/// Digits that a JSON number is given at most: any more and readers that use doubles see an infinity. A longer one
/// is written as a string.
pub(crate) const LONGEST_NUMBER: usize = 300;

/// Whether JSON takes this text as an integer.
pub(crate) fn is_json_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    digits.len() <= LONGEST_NUMBER && integer_length(digits) == Some(digits.len())
}

/// Whether JSON takes this text as a number, and a double can hold one of its size.
pub(crate) fn is_json_number(text: &str) -> bool {
    number_end(text.strip_prefix('-').unwrap_or(text).as_bytes()).is_some_and(|has_exponent| {
        text.len() <= LONGEST_NUMBER && (!has_exponent || text.parse().is_ok_and(f64::is_finite))
    })
}

/// Reads a JSON number to the end of `bytes`, and says whether it has an exponent; None where it is none.
fn number_end(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.get(integer_length(bytes)?..)?;
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = fraction.get(digits_length(fraction)?..)?;
    }
    let Some((b'e' | b'E', exponent)) = rest.split_first() else { return rest.is_empty().then_some(false) };
    let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    (digits_length(exponent)? == exponent.len()).then_some(true)
}

fn integer_length(bytes: &[u8]) -> Option<usize> {
    let length = digits_length(bytes)?;
    (length == 1 || bytes.first() != Some(&b'0')).then_some(length)
}

fn digits_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_json_takes_as_a_number() {
        for text in
            ["0", "-0", "10", "-7", "0.50", "1e5", "1E+5", "1.5e-7", "123456789012345678901234567890.1"]
        {
            assert!(is_json_number(text), "{text}");
        }
        for text in [
            "", "-", "+1", "01", ".5", "5.", "1e", "1e+", "1e400", "0x10", "1 ", "NaN", "1_000", "1.e5",
            "--1",
        ] {
            assert!(!is_json_number(text), "{text}");
        }
        assert!(
            is_json_integer("-9223372036854775808") && !is_json_integer("1.0") && !is_json_integer("-007")
        );
        assert!(!is_json_integer(&"9".repeat(301)) && !is_json_number(&"9".repeat(301)));
    }
}
