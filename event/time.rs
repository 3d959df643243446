//! The forms in which an event tells its time, all UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

use crate::json::{self, Object};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Microseconds since 1970.
#[must_use]
pub fn unix_micros(at: SystemTime) -> i64 {
    let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

/// RFC 3339 with microseconds.
#[must_use]
pub fn rfc3339(unix_micros: i64) -> String {
    let mut clock = Clock::default();
    clock.turn(unix_micros);
    let timestamp = clock.members.get(TIMESTAMP.len()..clock.digits_at + DIGITS + 1);
    String::from_utf8_lossy(timestamp.unwrap_or_default()).into_owned()
}

/// Writes a time of so many microseconds in milliseconds, as a number with up to three decimals and at least one.
pub fn write_milliseconds(out: &mut Vec<u8>, micros: u64) {
    json::write_number(out, micros / 1_000);
    let [.., hundreds, tens, ones] = digits(micros % 1_000);
    let decimals = match (tens, ones) {
        (b'0', b'0') => 1,
        (_, b'0') => 2,
        _ => 3,
    };
    out.push(b'.');
    out.extend([hundreds, tens, ones].iter().take(decimals));
}

/// What stands before an encoded timestamp.
const TIMESTAMP: &str = r#""timestamp":""#;
/// Of the microseconds.
const DIGITS: usize = 6;

/// Writes times; the calendar is asked once a second only.
#[derive(Default)]
pub struct Clock {
    second: Option<i64>,
    /// `"timestamp":"2026-11-22T09:14:03.218411Z"` and the other members, encoded; the digits of the microseconds are
    /// replaced in place.
    members: Vec<u8>,
    digits_at: usize,
}

impl Clock {
    /// Writes `timestamp`, `timestampUnix`, `date` and `time` as members of `object`.
    pub fn write(&mut self, object: &mut Object<'_>, unix_micros: i64) {
        self.turn(unix_micros);
        object.inline(&self.members);
    }

    fn turn(&mut self, unix_micros: i64) {
        let second = unix_micros.div_euclid(MICROS_PER_SECOND);
        if self.second != Some(second) {
            self.second = Some(second);
            self.calendar(second);
        }
        if let Some(place) = self.members.get_mut(self.digits_at..self.digits_at + DIGITS) {
            place.copy_from_slice(&digits(unix_micros.rem_euclid(MICROS_PER_SECOND).unsigned_abs()));
        }
    }

    fn calendar(&mut self, second: i64) {
        // What no calendar holds is told as the epoch: only a clock that is far off gets here.
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
        let (date, time) = (at.strftime("%Y-%m-%d").to_string(), at.strftime("%H:%M:%S").to_string());
        let until_digits = format!("{TIMESTAMP}{date}T{time}.");
        self.digits_at = until_digits.len();
        self.members = until_digits.into_bytes();
        let rest = format!(r#"000000Z","timestampUnix":{second},"date":"{date}","time":"{time}""#);
        self.members.extend_from_slice(rest.as_bytes());
    }
}

/// The last decimal digits.
fn digits(number: u64) -> [u8; DIGITS] {
    let mut number = u32::try_from(number % 1_000_000).unwrap_or(0);
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_tells_the_same_instant() {
        let mut clock = Clock::default();
        for (micros, timestamp) in [
            (1_795_338_843_218_411, "2026-11-22T09:14:03.218411Z"),
            (1_795_338_843_000_007, "2026-11-22T09:14:03.000007Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (i64::MAX, "1970-01-01T00:00:00.775807Z"),
        ] {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out);
            clock.write(&mut object, micros);
            object.end();
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(value["timestamp"], timestamp);
            assert_eq!(value["timestampUnix"], micros.div_euclid(1_000_000));
            assert_eq!(rfc3339(micros), timestamp);
            assert!(timestamp.starts_with(value["date"].as_str().unwrap()));
            assert!(timestamp.contains(value["time"].as_str().unwrap()));
        }
    }

    #[test]
    fn milliseconds_are_written_as_the_number_they_are() {
        for micros in [0, 1, 10, 100, 366, 1_000, 8_870, 59_999, 60_000, 3_600_000_001, 86_400_000_000_050] {
            let mut out = Vec::new();
            write_milliseconds(&mut out, micros);
            let expected = serde_json::to_string(&(micros as f64 / 1_000.0)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
