//! The numbers of parameters, where lists of them were folded before.

/// More lists than this in one statement are counted as one with the last.
const FOLDS: usize = 8;

/// Parameters seen, and those that went with the elements of lists.
#[derive(Default)]
pub(super) struct Parameters {
    highest: u32,
    /// Numbers above the first went down by the second.
    folds: [(u32, u32); FOLDS],
    count: usize,
}

impl Parameters {
    pub(super) fn highest(&self) -> u32 {
        self.highest
    }

    pub(super) fn saw(&mut self, number: u32) {
        self.highest = self.highest.max(number);
    }

    /// The number that a parameter has after those that went.
    pub(super) fn place(&self, number: u32) -> u32 {
        let mut folds = self.folds.iter().take(self.count).rev();
        folds.find(|(above, _)| number > *above).map_or(number, |(_, gone)| number - gone)
    }

    /// Those above `before` were in an element that went.
    pub(super) fn drop_since(&mut self, before: u32) {
        let gone = self.highest.saturating_sub(before);
        if gone == 0 {
            return;
        }
        let last = self.count.checked_sub(1).and_then(|last| self.folds.get(last)).copied();
        let (above, total) = last.unwrap_or_default();
        if self.count == 0 || (above != before && self.count < FOLDS) {
            self.count += 1;
        }
        if let Some(last) = self.folds.get_mut(self.count - 1) {
            *last = (self.highest, total + gone);
        }
    }
}
