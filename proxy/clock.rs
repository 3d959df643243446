//! Time as the path of the bytes reads it: monotonic nanoseconds, turned into wall time later.

use std::time::{Duration, SystemTime};

use panoptes_event::time::unix_micros;
use panoptes_parser::wire::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since an instant that is the same for the whole process.
pub(crate) fn now() -> Nanos {
    // `Instant` would ask the same clock and then subtract, check and convert; this is read four times a statement.
    let time = clock_gettime(ClockId::Monotonic);
    // Both are positive: the clock counts from the start of the machine.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// A span of time, as this clock counts.
pub(crate) fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One instant on both clocks. A new one for each batch follows the wall clock where it is set right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    at: Nanos,
    unix_micros: i64,
}

impl Anchor {
    /// Both clocks, now.
    pub(crate) fn now() -> Self {
        Self { at: now(), unix_micros: unix_micros(SystemTime::now()) }
    }

    /// The instant on the monotonic clock.
    pub(crate) fn at(self) -> Nanos {
        self.at
    }

    /// The wall time of an instant, in microseconds since 1970.
    pub(crate) fn unix_micros(self, at: Nanos) -> i64 {
        let since = i64::try_from(at / 1_000).unwrap_or(i64::MAX);
        let anchor = i64::try_from(self.at / 1_000).unwrap_or(i64::MAX);
        self.unix_micros.saturating_add(since).saturating_sub(anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_turns_one_clock_into_the_other() {
        let anchor = Anchor { at: 5_000_000, unix_micros: 1_000_000 };
        assert_eq!(anchor.unix_micros(5_000_000), 1_000_000);
        assert_eq!(anchor.unix_micros(4_000_000), 999_000);
        assert_eq!(anchor.unix_micros(6_000_999), 1_001_000);
    }
}
