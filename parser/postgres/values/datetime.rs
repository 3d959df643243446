//! Dates, times and intervals from their binary form, printed as the server does: `DateStyle` ISO, time zone UTC,
//! `IntervalStyle` postgres. Each writes the bare characters, without quotes.

use crate::json::write_digits;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Offsets from UTC are less than this many seconds.
const ZONE_LIMIT: u32 = 16 * 3600;

/// Days since 2000-01-01.
pub(super) fn write_date(out: &mut Vec<u8>, days: i32) {
    match days {
        i32::MAX => out.extend_from_slice(b"infinity"),
        i32::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            let bc = write_day(out, days.into());
            out.extend_from_slice(bc);
        }
    }
}

/// Microseconds since 2000-01-01, followed by the zone that they are in.
pub(super) fn write_timestamp(out: &mut Vec<u8>, microseconds: i64, zone: &[u8]) {
    match microseconds {
        i64::MAX => out.extend_from_slice(b"infinity"),
        i64::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            let bc = write_day(out, microseconds.div_euclid(DAY));
            out.push(b' ');
            write_clock(out, microseconds.rem_euclid(DAY).unsigned_abs());
            out.extend_from_slice(zone);
            out.extend_from_slice(bc);
        }
    }
}

/// Microseconds since midnight; 24:00:00 is a time.
pub(super) fn write_time(out: &mut Vec<u8>, microseconds: i64) -> Option<()> {
    (0..=DAY).contains(&microseconds).then(|| write_clock(out, microseconds.unsigned_abs()))
}

/// An offset in seconds west of Greenwich.
pub(super) fn write_zone(out: &mut Vec<u8>, west: i32) -> Option<()> {
    let offset = west.unsigned_abs();
    if offset >= ZONE_LIMIT {
        return None;
    }
    out.push(if west <= 0 { b'+' } else { b'-' });
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    write_digits(out, hours.into(), 2);
    if minutes > 0 || seconds > 0 {
        out.push(b':');
        write_digits(out, minutes.into(), 2);
    }
    if seconds > 0 {
        out.push(b':');
        write_digits(out, seconds.into(), 2);
    }
    Some(())
}

/// An interval's three independent parts. Since PostgreSQL 17 the extremes of all three together are infinite.
pub(super) fn write_interval(out: &mut Vec<u8>, microseconds: i64, days: i32, months: i32) {
    match (microseconds, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => return out.extend_from_slice(b"infinity"),
        (i64::MIN, i32::MIN, i32::MIN) => return out.extend_from_slice(b"-infinity"),
        _ => {}
    }
    let start = out.len();
    let mut after_negative = false;
    for (count, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if count == 0 {
            continue;
        }
        write_sign(out, start, count < 0, after_negative);
        write_digits(out, count.unsigned_abs().into(), 1);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        out.extend((count != 1).then_some(b's'));
        after_negative = count < 0;
    }
    if microseconds != 0 || out.len() == start {
        write_sign(out, start, microseconds < 0, after_negative);
        write_clock(out, microseconds.unsigned_abs());
    }
}

/// A plus is written only where a negative part went before.
fn write_sign(out: &mut Vec<u8>, start: usize, negative: bool, after_negative: bool) {
    if out.len() > start {
        out.push(b' ');
    }
    if negative {
        out.push(b'-');
    } else if after_negative {
        out.push(b'+');
    }
}

/// Writes `YYYY-MM-DD` of the proleptic Gregorian calendar and gives what follows the time of a year before 1.
///
/// The days are counted in eras of 400 years from 0000-03-01, so that the leap day is a year's last
/// (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn write_day(out: &mut Vec<u8>, since_2000: i64) -> &'static [u8] {
    let days = since_2000 + 730_425;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let (month, next) = if shifted_month < 10 { (shifted_month + 3, 0) } else { (shifted_month - 9, 1) };
    let year = era * 400 + year_of_era + next;

    let (shown, bc): (i64, &[u8]) = if year > 0 { (year, b"") } else { (1 - year, b" BC") };
    write_digits(out, shown.unsigned_abs(), 4);
    for part in [month, day_of_month] {
        out.push(b'-');
        write_digits(out, part.unsigned_abs(), 2);
    }
    bc
}

/// `HH:MM:SS`, and the microseconds where there are any, without the zeros at their end.
fn write_clock(out: &mut Vec<u8>, microseconds: u64) {
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    write_digits(out, seconds / 3600, 2);
    for part in [seconds / 60 % 60, seconds % 60] {
        out.push(b':');
        write_digits(out, part, 2);
    }
    if fraction > 0 {
        out.push(b'.');
        write_digits(out, fraction, 6);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}
