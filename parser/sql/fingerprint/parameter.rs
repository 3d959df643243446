//! The numbers of parameters, where lists of them were folded: what is left counts without those that went, wherever in the
//! text it stands.

use std::{fmt::Write, ops::Range};

use memchr::memchr2;

/// Runs of numbers that are told apart; of those beyond, none counts as gone.
const RUNS: usize = 16;

/// Parameters that went with the elements of lists.
#[derive(Default)]
pub(super) struct Dropped {
    /// The first and the last number of each run.
    runs: [(u32, u32); RUNS],
    count: usize,
}

impl Dropped {
    /// An element went.
    pub(super) fn element(&mut self, element: &str) {
        let mut numbers = Numbers::default();
        while let Some((_, number)) = numbers.next(element.as_bytes()) {
            self.add(number);
        }
    }

    /// Gives the parameters left in `out` the numbers they have without those that went.
    pub(super) fn renumber(mut self, out: &mut String) {
        if self.count == 0 {
            return;
        }
        let end = out.len();
        let mut numbers = Numbers::default();
        while let Some((_, number)) = numbers.next(out.as_bytes()) {
            self.keep(number);
        }
        let (mut numbers, mut copied) = (Numbers::default(), 0);
        while let Some((digits, number)) = numbers.next(out.as_bytes().get(..end).unwrap_or_default()) {
            let place = self.place(number);
            if place != number {
                out.extend_from_within(copied..digits.start);
                _ = write!(out, "{place}");
                copied = digits.end;
            }
        }
        if copied > 0 {
            out.extend_from_within(copied..end);
            out.drain(..end);
        }
    }

    fn add(&mut self, number: u32) {
        let runs = self.runs.get_mut(..self.count).unwrap_or_default();
        for (first, last) in runs.iter_mut().rev() {
            if (*first..=*last).contains(&number) {
                return;
            }
            if number == last.saturating_add(1) {
                *last = number;
                return;
            }
            if number.saturating_add(1) == *first {
                *first = number;
                return;
            }
        }
        self.push((number, number));
    }

    fn push(&mut self, run: (u32, u32)) {
        if let Some(free) = self.runs.get_mut(self.count) {
            *free = run;
            self.count += 1;
        }
    }

    /// It stands elsewhere as well.
    fn keep(&mut self, number: u32) {
        let runs = self.runs.get_mut(..self.count).unwrap_or_default();
        let Some(run) = runs.iter_mut().find(|(first, last)| (*first..=*last).contains(&number)) else {
            return;
        };
        let (first, last) = *run;
        // An empty one counts for nothing.
        *run = (first, number.wrapping_sub(1));
        if first == number {
            *run = (number.saturating_add(1), last);
        } else if number < last {
            self.push((number + 1, last));
        }
    }

    fn place(&self, number: u32) -> u32 {
        let runs = self.runs.get(..self.count).unwrap_or_default();
        let gone = |(first, last): &(u32, u32)| {
            (*last).min(number.saturating_sub(1)).saturating_add(1).saturating_sub(*first)
        };
        number.saturating_sub(runs.iter().map(gone).sum())
    }
}

/// Where the parameters of a normalized text stand.
#[derive(Default)]
struct Numbers {
    at: usize,
    quoted: bool,
}

impl Numbers {
    /// The digits of the next one and what they say.
    fn next(&mut self, text: &[u8]) -> Option<(Range<usize>, u32)> {
        loop {
            let found = self.at + memchr2(b'$', b'"', text.get(self.at..)?)?;
            self.at = found + 1;
            if text.get(found) == Some(&b'"') {
                self.quoted = !self.quoted;
                continue;
            }
            // Elsewhere `$` is part of a name.
            let name = found.checked_sub(1).and_then(|before| text.get(before)).copied().is_some_and(is_part);
            if self.quoted || name {
                continue;
            }
            self.at = skip_digits(text, self.at);
            let digits = found + 1..self.at;
            let number = text.get(digits.clone()).and_then(|digits| str::from_utf8(digits).ok());
            if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
                return Some((digits, number));
            }
        }
    }
}

pub(super) fn skip_digits(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

pub(super) fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}
