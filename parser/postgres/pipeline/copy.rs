//! COPY data, and streams in both directions: what the server passes over while it reads them.

use crate::wire::{Answer, Nanos, Observer};

use super::{super::frontend::Kind, Pipeline, RUNS, Told};

impl Pipeline {
    /// The server reads COPY data now.
    pub(in crate::postgres) fn copy_in(&mut self, out: &mut impl Observer) {
        self.copying_in = self.expect(RUNS, out);
        if self.copying_in {
            self.fold_passed();
        }
    }

    /// Whether the server reads COPY data, and will pass over what comes.
    pub(super) fn is_copied_to(&self) -> bool {
        let mut behind = (1..).map_while(|place| self.asked.entry(place));
        self.copying_in && behind.all(|entry| entry.kind == Kind::Sync)
    }

    /// What was asked before the end of the COPY data is passed over: its Syncs take one place, and its Flushes none.
    pub(super) fn fold_passed(&mut self) {
        let mut syncs = 0;
        while let Some(entry) = self.asked.entry(1).copied() {
            match entry.kind {
                Kind::Sync => syncs = entry.times.saturating_add(syncs),
                Kind::BadFlush => {}
                _ => break,
            }
            self.asked.remove_empty(1);
        }
        self.asked.insert_empty(1, Kind::Sync, syncs);
    }

    /// The server streams now, in both directions. The answer is how that ends.
    pub(in crate::postgres) fn stream(&mut self, out: &mut impl Observer) {
        self.streaming = self.expect(&[Kind::Query], out) && self.told == Told::Nothing;
    }

    /// The client has ended the session; a stream ends with it.
    pub(in crate::postgres) fn leave(&mut self, at: Nanos, out: &mut impl Observer) {
        if self.streaming {
            self.settle(&[Kind::Query], Answer::Streaming, at, out);
        }
    }

    /// Drops doubtful Syncs from the front, up to one of `kinds`.
    pub(super) fn pass_doubtful(&mut self, kinds: &[Kind]) -> bool {
        while self.doubtful > 0 && self.front() == Some(Kind::Sync) {
            self.asked.pop();
            self.doubtful -= 1;
        }
        self.front().is_some_and(|kind| kinds.contains(&kind))
    }

    /// The COPY at the front is complete, so the server has passed over all up to the end of its data; gives their size.
    pub(super) fn end_copy(&mut self) -> u64 {
        while let Some(entry) = self.asked.entry(1) {
            let (kind, length) = (entry.kind, entry.length);
            match kind {
                Kind::Sync | Kind::BadFlush => self.asked.remove_empty(1),
                Kind::CopyEnd => {
                    self.asked.remove_empty(1);
                    return length;
                }
                _ => break,
            }
        }
        0
    }

    /// The number of Syncs between the COPY at the front and the end of its data.
    pub(super) fn syncs_in_copy(&self) -> u64 {
        let entries = (1..).map_while(|place| self.asked.entry(place));
        let passed = entries.take_while(|entry| matches!(entry.kind, Kind::Sync | Kind::BadFlush));
        passed.filter(|entry| entry.kind == Kind::Sync).map(|entry| u64::from(entry.times)).sum()
    }
}
