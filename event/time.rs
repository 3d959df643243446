//! The forms in which an event tells its time, all UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

use crate::json::Object;

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
    clock.timestamp
}

/// Writes times; the calendar is asked once a second only.
#[derive(Default)]
pub struct Clock {
    second: Option<i64>,
    /// `2026-11-22T09:14:03.218411Z`; the digits of the microseconds are replaced in place.
    timestamp: String,
    /// The members that change with the second, encoded.
    members: Vec<u8>,
}

impl Clock {
    /// Writes `timestamp`, `timestampUnix`, `date` and `time` as members of `object`.
    pub fn write(&mut self, object: &mut Object<'_>, unix_micros: i64) {
        self.turn(unix_micros);
        object.member("timestamp", &self.timestamp).inline(&self.members);
    }

    fn turn(&mut self, unix_micros: i64) {
        let second = unix_micros.div_euclid(MICROS_PER_SECOND);
        if self.second != Some(second) {
            self.second = Some(second);
            self.calendar(second);
        }
        self.timestamp.truncate("2026-11-22T09:14:03.".len());
        self.timestamp.extend(digits(unix_micros.rem_euclid(MICROS_PER_SECOND)).map(char::from));
        self.timestamp.push('Z');
    }

    fn calendar(&mut self, second: i64) {
        // What no calendar holds is told as the epoch: only a clock that is far off gets here.
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
        let (date, time) = (at.strftime("%Y-%m-%d").to_string(), at.strftime("%H:%M:%S").to_string());
        self.timestamp = format!("{date}T{time}.");
        self.members = format!(r#""timestampUnix":{second},"date":"{date}","time":"{time}""#).into_bytes();
    }
}

/// Six decimal digits.
fn digits(mut micros: i64) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(micros % 10).unwrap_or(0);
        micros /= 10;
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
}
