//! The index of an event: a name with the date of the event's own time, so that a repeat goes to the same index.

use jiff::{Timestamp, tz::TimeZone};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// A name with `%Y`, `%m`, `%d`, `%H` in it, or without.
pub(super) struct Index {
    pattern: String,
    /// The hour that `name` is of; names change with the hour at most.
    hour: Option<i64>,
    name: String,
}

impl Index {
    pub(super) fn new(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), hour: None, name: String::new() }
    }

    /// The index of an event of this time, in UTC.
    pub(super) fn at(&mut self, unix_micros: i64) -> &str {
        let hour = unix_micros.div_euclid(MICROS_PER_HOUR);
        if self.hour != Some(hour) {
            self.hour = Some(hour);
            self.name = name(&self.pattern, unix_micros);
        }
        &self.name
    }
}

/// The pattern that all indices of a name fit, for templates and policies, and as few others as can be: a `*` for each part of
/// the date.
pub(super) fn glob(pattern: &str) -> String {
    let mut glob = pattern.to_owned();
    for part in ["%Y", "%m", "%d", "%H"] {
        glob = glob.replace(part, "*");
    }
    while glob.contains("**") {
        glob = glob.replace("**", "*");
    }
    glob
}

/// A name without its date.
pub(super) fn undated(pattern: &str) -> &str {
    let end = pattern.find('%').unwrap_or(pattern.len());
    pattern.get(..end).unwrap_or_default().trim_end_matches(['-', '.', '_'])
}

fn name(pattern: &str, unix_micros: i64) -> String {
    if !pattern.contains('%') {
        return pattern.to_owned();
    }
    let time =
        Timestamp::from_microsecond(unix_micros).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    let number = |number: i16, digits| format!("{number:0digits$}");
    pattern
        .replace("%Y", &number(time.year(), 4))
        .replace("%m", &number(time.month().into(), 2))
        .replace("%d", &number(time.day().into(), 2))
        .replace("%H", &number(time.hour().into(), 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_the_event() {
        let mut index = Index::new("audit-%Y.%m.%d-%H");
        assert_eq!(index.at(1_795_338_843_218_411), "audit-2026.11.22-09");
        assert_eq!(index.at(1_795_338_843_218_411 - 10 * MICROS_PER_HOUR), "audit-2026.11.21-23");
        assert_eq!(index.at(-1), "audit-1969.12.31-23");
        assert_eq!(Index::new("audit").at(0), "audit");
    }

    #[test]
    fn a_pattern_fits_the_indices_of_its_name_alone() {
        for (pattern, fits, undated) in [
            ("audit-%Y.%m.%d", "audit-*.*.*", "audit"),
            ("audit-%Y%m%d-%H", "audit-*-*", "audit"),
            ("a-%Y-b", "a-*-b", "a"),
            ("audit", "audit", "audit"),
        ] {
            assert_eq!((glob(pattern).as_str(), super::undated(pattern)), (fits, undated));
        }
    }
}
