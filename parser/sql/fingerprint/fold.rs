//! Lists and rows of which all elements look alike: one of them stays.

use super::super::lexer::{Kind, Token};
use super::{Form, Last};

/// No position yet.
const NONE: usize = usize::MAX;

/// The elements inside one pair of brackets.
#[derive(Clone, Copy)]
pub(super) struct Level {
    fold: Fold,
    /// The element being written, and the last one kept: positions in the output.
    start: usize,
    kept: (usize, usize),
    /// The highest parameter before the element being written.
    parameter: u32,
}

/// Which equal neighbours become one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Nothing,
    /// Elements between commas: `IN (…)`, `ARRAY[…]`.
    List,
    /// Rows in parentheses: `VALUES (…), (…)`.
    Rows,
}

impl Default for Level {
    fn default() -> Self {
        Self::of(Fold::Nothing)
    }
}

impl Level {
    pub(super) fn of(fold: Fold) -> Self {
        Self { fold, start: NONE, kept: (NONE, NONE), parameter: 0 }
    }

    pub(super) fn folds(&self) -> bool {
        self.fold != Fold::Nothing
    }
}

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    #[inline(never)]
    /// Notes where an element begins; anything but rows ends a list of rows.
    pub(super) fn begin(&mut self, token: Token, last: Last) {
        let at = self.out.len() + self.run.1 - self.run.0;
        let Some(level) = self.levels.get_mut(self.depth).filter(|level| level.fold != Fold::Nothing) else {
            return;
        };
        if level.start == NONE {
            (level.start, level.parameter) = (at, self.parameters.highest());
        }
        let row = matches!(token.kind, Kind::Open | Kind::Close) || last == Last::Keyword("ROW");
        if level.fold == Fold::Rows && !row {
            level.fold = Fold::Nothing;
            self.folds = false;
        }
    }

    /// An element ended: drops it where it equals the one before and holds a literal or a parameter.
    pub(super) fn finish(&mut self, fold: Fold) {
        if !self.folds || self.levels.get(self.depth).is_none_or(|level| level.fold != fold) {
            return;
        }
        self.flush();
        let end = self.out.len();
        let Some(level) = self.levels.get_mut(self.depth) else { return };
        let (start, kept) = (std::mem::replace(&mut level.start, NONE), level.kept);
        let (Some(element), before) = (self.out.get(start..end), self.out.get(kept.0..kept.1)) else {
            return;
        };
        let alike = |before| match fold {
            // How many rows there are is data, whatever is in them.
            Fold::Rows => before == element || same_less_numbers(before, element, POSTGRES),
            _ => alike(before, element, POSTGRES),
        };
        if before.is_some_and(alike) {
            self.out.truncate(kept.1);
            self.parameters.drop_since(level.parameter);
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
    let (mut before, mut element) = (before.bytes().peekable(), element.bytes().peekable());
    let (mut last, mut parameters) = (b' ', false);
    let mut quoted = false;
    loop {
        let (Some(byte), Some(other)) = (before.next(), element.next()) else {
            return parameters && before.next().is_none() && element.next().is_none();
        };
        if byte != other {
            return false;
        }
        quoted ^= byte == b'"';
        // Elsewhere `$` is part of a name.
        if byte == b'$' && !quoted && !is_part(last) {
            parameters = true;
            while before.next_if(u8::is_ascii_digit).is_some() {}
            while element.next_if(u8::is_ascii_digit).is_some() {}
        }
        last = byte;
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}
