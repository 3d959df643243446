//! Lists and rows of which all elements look alike: one of them stays.

use super::super::lexer::{Kind, Token};
use super::parameter::{is_part, skip_digits};
use super::{Form, Last};

/// No position yet.
const NONE: usize = usize::MAX;
/// Lists and rows within each other; those deeper than this are written out.
const LEVELS: usize = 8;

/// The lists and rows that are open, each within the one before.
#[derive(Default)]
pub(super) struct Levels {
    open: [Level; LEVELS],
    count: usize,
    /// Brackets open.
    depth: u32,
    /// Whether elements stand here that may fold.
    pub(super) folds: bool,
}

/// The elements of one list, or rows.
#[derive(Clone, Copy)]
struct Level {
    fold: Fold,
    /// Brackets around its elements.
    depth: u32,
    /// The element being written, and the last one kept: positions in the output.
    start: usize,
    kept: (usize, usize),
}

/// Which equal neighbours become one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Elements between commas: `IN (…)`, `ARRAY[…]`.
    List,
    /// Rows in parentheses: `VALUES (…), (…)`.
    Rows,
}

impl Default for Level {
    fn default() -> Self {
        Self { fold: Fold::List, depth: 0, start: NONE, kept: (NONE, NONE) }
    }
}

impl Levels {
    /// A bracket opens, around a list or anything else.
    pub(super) fn open(&mut self, list: bool) {
        self.depth += 1;
        self.folds = false;
        if list {
            self.begin(Fold::List);
        }
    }

    pub(super) fn close(&mut self) {
        self.end();
        self.depth = self.depth.saturating_sub(1);
        self.folds = self.at_hand().is_some();
    }

    /// Elements that may fold come next.
    pub(super) fn begin(&mut self, fold: Fold) {
        self.end();
        if let Some(level) = self.open.get_mut(self.count) {
            *level = Level { fold, depth: self.depth, ..Level::default() };
            self.count += 1;
            self.folds = true;
        }
    }

    fn end(&mut self) {
        self.count -= usize::from(self.at_hand().is_some());
        self.folds = false;
    }

    fn at_hand(&mut self) -> Option<&mut Level> {
        let last = self.count.checked_sub(1).and_then(|last| self.open.get_mut(last));
        last.filter(|level| level.depth == self.depth)
    }
}

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    #[inline(never)]
    /// Notes where an element begins; anything but rows ends a list of rows.
    pub(super) fn begin(&mut self, token: Token, last: Last) {
        let at = self.out.len() + self.run.1 - self.run.0;
        let Some(level) = self.levels.at_hand() else { return };
        let row = matches!(token.kind, Kind::Open | Kind::Close) || last == Last::Keyword("ROW");
        if level.fold == Fold::Rows && !row {
            self.levels.end();
        } else if level.start == NONE {
            level.start = at;
        }
    }

    /// An element ended: drops it where it equals the one before and holds a literal or a parameter.
    pub(super) fn finish(&mut self, fold: Fold) {
        if !self.levels.folds || self.levels.at_hand().is_none_or(|level| level.fold != fold) {
            return;
        }
        self.flush();
        let end = self.out.len();
        let Some(level) = self.levels.at_hand() else { return };
        let (start, kept) = (std::mem::replace(&mut level.start, NONE), level.kept);
        let (Some(element), before) = (self.out.get(start..end), self.out.get(kept.0..kept.1)) else {
            return;
        };
        let alike = |before| match fold {
            // How many rows there are is data, whatever is in them.
            Fold::Rows => before == element || same_less_numbers(before, element, POSTGRES),
            Fold::List => alike(before, element, POSTGRES),
        };
        if before.is_some_and(alike) {
            if POSTGRES {
                self.dropped.element(element);
            }
            self.out.truncate(kept.1);
        } else {
            level.kept = (start, end);
        }
    }
}

/// Whether two elements hold literals or parameters, and differ in the numbers of parameters alone.
fn alike(before: &str, element: &str, numbered: bool) -> bool {
    if before == element && element.contains('?') {
        return true;
    }
    same_less_numbers(before, element, numbered)
}

fn same_less_numbers(before: &str, element: &str, numbered: bool) -> bool {
    if !numbered || !element.contains('$') {
        return false;
    }
    let (before, element) = (before.as_bytes(), element.as_bytes());
    let (mut at, mut other) = (0, 0);
    let (mut last, mut parameters) = (b' ', false);
    let mut quoted = false;
    loop {
        let (Some(byte), Some(same)) = (element.get(at), before.get(other)) else {
            return parameters && at == element.len() && other == before.len();
        };
        if byte != same {
            return false;
        }
        (at, other) = (at + 1, other + 1);
        quoted ^= *byte == b'"';
        // Elsewhere `$` is part of a name.
        if *byte == b'$' && !quoted && !is_part(last) {
            parameters = true;
            (at, other) = (skip_digits(element, at), skip_digits(before, other));
        }
        last = *byte;
    }
}
