//! What is to be hidden of a text.

use std::{borrow::Cow, ops::Range};

use super::{Redacted, parameter::SecretParameter};

/// What hides a whole literal.
pub(super) const LITERAL: &str = "'[REDACTED]'";
/// What hides a part of one.
pub(super) const INSIDE: &str = "[REDACTED]";

/// The ranges to hide, with what stands in their place.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    ranges: Vec<(Range<usize>, Cow<'static, str>)>,
    rules: Vec<&'static str>,
    pub(super) parameters: Vec<SecretParameter>,
    /// The text could not be read where it had something to do with secrets.
    pub(super) uncertain: bool,
}

impl Hidden {
    /// Hides `range`; what is shown instead says nothing of it.
    pub(super) fn hide(
        &mut self,
        range: Range<usize>,
        instead: impl Into<Cow<'static, str>>,
        rule: &'static str,
    ) {
        self.ranges.push((range, instead.into()));
        self.rule(rule);
    }

    pub(super) fn rule(&mut self, rule: &'static str) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// The rules of another text, which stands in this one.
    pub(super) fn rules_of(&mut self, other: &Self) {
        other.rules.iter().for_each(|rule| self.rule(rule));
    }

    /// What `inner` hides of a text that stands in this one, at `base`.
    pub(super) fn take(&mut self, inner: Self, base: usize) {
        let shifted = |range: Range<usize>| range.start + base..range.end + base;
        self.ranges.extend(inner.ranges.into_iter().map(|(range, instead)| (shifted(range), instead)));
    }

    /// Is this character among what is shown instead?
    pub(super) fn shows(&self, mark: char) -> bool {
        self.ranges.iter().any(|(_, instead)| instead.contains(mark))
    }

    /// Shows `instead`, which hides by rules that are told elsewhere.
    pub(super) fn put(&mut self, range: Range<usize>, instead: String) {
        self.ranges.push((range, instead.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The text without what is hidden. Where ranges meet, the first one's words stand for all of them.
    pub(super) fn shown(&mut self, text: &str) -> String {
        // Of two that begin together the longer one: it holds the other. Of two that are the same the one that shows nothing.
        self.ranges.sort_by_key(|(range, instead)| {
            (range.start, usize::MAX - range.end, matches!(instead, Cow::Owned(_)))
        });
        let (mut out, mut end) = (String::with_capacity(text.len()), 0);
        for (range, instead) in &self.ranges {
            if range.start >= end {
                out.push_str(text.get(end..range.start).unwrap_or_default());
                out.push_str(instead);
            }
            end = end.max(range.end);
        }
        out.push_str(text.get(end..).unwrap_or_default());
        out
    }

    /// `None` where nothing is hidden.
    pub(super) fn applied(mut self, text: &str) -> Option<Redacted<'_>> {
        if self.ranges.is_empty() && self.parameters.is_empty() {
            return None;
        }
        let shown = if self.ranges.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(self.shown(text)) };
        let hidden = self.ranges.into_iter().map(|(range, _)| range).collect();
        Some(Redacted { text: shown, rules: self.rules, hidden, parameters: self.parameters })
    }
}
