//! Where a checkpoint is due. Behind the last one nobody vouches for anything, so no more may stand there than the proxy
//! leaves: who holds no key can make up the rest of a trail behind any old checkpoint, but no further one.

use super::record::{Record, Signed};
use crate::journal::chain::{CHECKPOINT_EVENTS, CHECKPOINT_INTERVAL};

/// So many times the interval may lie between the first and the last time: events wait for the audit stage, and clocks are
/// set.
const SLACK: i64 = 3;

/// The chained records behind the last checkpoint, be its key known or not.
#[derive(Default)]
pub(super) struct Due {
    /// Number of the first.
    first: Option<u64>,
    records: u64,
    /// Those since the proxy told that it lost events, as it does when it was killed: what it had not covered by then is
    /// counted anew.
    run: u64,
    longest: u64,
    /// When the last checkpoint was written.
    covered: Option<i64>,
    /// When the first was written, at the earliest; in microseconds since 1970, as is all here.
    since: Option<i64>,
    /// When the last was.
    until: Option<i64>,
}

/// What no checkpoint covers, though one was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// For the number of events: the proxy writes one behind so many, and nothing between.
    Certain {
        /// Number of the first record.
        from: u64,
    },
    /// For the number of events, but the proxy was killed in between; or for their times.
    Perhaps {
        /// Number of the first record.
        from: u64,
    },
}

impl Due {
    /// Takes the record that comes next.
    pub(super) fn take(&mut self, record: &Record) {
        if record.signed != Signed::No {
            *self = Self { covered: record.ended.or(self.until), ..Self::default() };
            return;
        }
        if record.prev.is_none() {
            return;
        }
        self.first.get_or_insert(record.seq);
        self.records += 1;
        self.run = if record.is_gap { 0 } else { self.run + 1 };
        self.longest = self.longest.max(self.run);
        if let Some(ended) = record.ended {
            // It was written behind the checkpoint, however old what it tells.
            self.since.get_or_insert(self.covered.map_or(ended, |covered| covered.max(ended)));
            self.until = self.until.max(Some(ended));
        }
    }

    /// Whether one is due at the end.
    pub(super) fn overdue(&self) -> Option<Overdue> {
        let from = self.first?;
        let limit = SLACK * i64::try_from(CHECKPOINT_INTERVAL.as_micros()).unwrap_or(i64::MAX);
        let is_late = matches!((self.since, self.until), (Some(since), Some(until)) if until.saturating_sub(since) > limit);
        match (self.longest > CHECKPOINT_EVENTS, self.records > CHECKPOINT_EVENTS || is_late) {
            (true, _) => Some(Overdue::Certain { from }),
            (false, true) => Some(Overdue::Perhaps { from }),
            (false, false) => None,
        }
    }
}
