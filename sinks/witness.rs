//! Events that are sent before their turn, to learn whether a destination that refuses all that it is given takes any.

use std::{collections::BTreeSet, io};

use crate::{
    filter::Filter,
    journal::{Follower, Span},
    sink::Records,
};

/// How many are tried between two attempts to deliver what was refused, and among how many they are looked for.
const MOST_TRIED: usize = 64;
const MOST_LOOKED_AT: usize = 10_000;
/// Bytes of them that are read at once.
const MOST_BYTES: usize = 256 << 10;
/// Those taken before their turn that are remembered; of more, the first ones are sent twice.
const MOST_EARLY: usize = 10_000;

/// Reads on behind the batch in hand, without moving the cursor. Over several attempts it comes to the journal's end, and
/// begins again.
#[derive(Default)]
pub(crate) struct Witnesses {
    ahead: Option<Follower>,
    /// Which of the events that were read last is next.
    place: usize,
    /// Taken before their turn, by number.
    early: BTreeSet<u64>,
    tried: usize,
    looked_at: usize,
}

impl Witnesses {
    /// Begins another attempt.
    pub(crate) fn begin(&mut self) {
        (self.tried, self.looked_at) = (0, 0);
    }

    /// The next event behind those of `follower` that the sink gets, as a batch; none where there is none any more, or enough
    /// were tried.
    pub(crate) fn next(
        &mut self,
        follower: &Follower,
        filter: Option<&Filter>,
    ) -> io::Result<Option<Records<'_>>> {
        let Some(place) = self.find(follower, filter)? else { return Ok(None) };
        self.tried += 1;
        let batch = self.ahead.as_ref().map(Follower::batch);
        Ok(batch.map(|(block, spans)| Records::new(block, spans).slice(place..place + 1)))
    }

    /// The one given last was taken.
    pub(crate) fn taken(&mut self) {
        self.early.extend(self.last().map(|span| span.seq));
        if self.early.len() > MOST_EARLY {
            self.early.pop_first();
        }
    }

    /// Whether the sink has this one already, as is said once.
    pub(crate) fn was_early(&mut self, seq: u64) -> bool {
        !self.early.is_empty() && self.early.remove(&seq)
    }

    fn last(&self) -> Option<Span> {
        self.ahead.as_ref()?.batch().1.get(self.place.checked_sub(1)?).copied()
    }

    fn find(&mut self, follower: &Follower, filter: Option<&Filter>) -> io::Result<Option<usize>> {
        if self.ahead.as_ref().is_some_and(|ahead| ahead.next() <= follower.next()) {
            self.ahead = None;
        }
        let ahead = self.ahead.get_or_insert_with(|| {
            self.place = 0;
            follower.ahead()
        });
        while self.tried < MOST_TRIED && self.looked_at < MOST_LOOKED_AT {
            let (block, spans) = ahead.batch();
            let Some(span) = spans.get(self.place) else {
                self.place = 0;
                if ahead.read(MOST_TRIED, MOST_BYTES)? {
                    continue;
                }
                self.ahead = None;
                return Ok(None);
            };
            let json = span.json(block);
            self.place += 1;
            self.looked_at += 1;
            let fits = filter.is_none_or(|filter| filter.fits(json));
            if fits && span.seq >= follower.next() && !self.early.contains(&span.seq) {
                return Ok(Some(self.place - 1));
            }
        }
        Ok(None)
    }
}
