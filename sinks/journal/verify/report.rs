//! What a check found, for people and for scripts.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use crate::journal::chain::CHECKPOINT_EVENTS;

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// In a word.
    pub verdict: Verdict,
    /// Records read, repeats included.
    pub records: u64,
    /// Number of the first.
    pub first: Option<u64>,
    /// Number of the last.
    pub last: Option<u64>,
    /// Checkpoints whose signature is right.
    pub checkpoints: u64,
    /// Number of the last of them: nothing behind it is covered.
    pub covered_to: Option<u64>,
    /// Its time.
    pub covered_at: Option<String>,
    /// What is wrong, in order of the numbers as far as there are.
    pub findings: Vec<Finding>,
    /// What cannot be said, and what is no fault.
    pub notes: Notes,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Up to the last checkpoint nothing is missing, nothing was changed, and a signature covers it.
    Whole,
    /// Something is missing, changed, out of place or not of the trail.
    Violated,
    /// There is no signature, or it is not of a known key, or part of the trail is not chained.
    Unknown,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "what")]
#[non_exhaustive]
pub enum Finding {
    /// A record is not what it was.
    Changed {
        /// Its number.
        seq: u64,
    },
    /// Records are gone.
    Missing {
        /// Number of the first.
        from: u64,
        /// Number of the last.
        to: u64,
    },
    /// A record stands elsewhere than where it was written.
    Misplaced {
        /// Its number.
        seq: u64,
        /// Where it stands.
        place: Option<String>,
    },
    /// A record is not of this trail: its number is another's, or never reached.
    Inserted {
        /// Its number.
        seq: u64,
        /// Where it stands.
        place: Option<String>,
    },
    /// A checkpoint that the key it names did not sign as it stands.
    Forged {
        /// Its number.
        seq: u64,
        /// Where it stands.
        place: Option<String>,
    },
    /// No checkpoint covers records, though there are more of them than the proxy ever leaves without: it did not write
    /// them.
    Uncovered {
        /// Number of the first.
        from: u64,
        /// Number of the last.
        to: u64,
    },
    /// Something is no record.
    Unreadable {
        /// Where it stands.
        place: String,
        /// Why.
        reason: String,
    },
}

/// What cannot be said, and what is no fault.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notes {
    #[serde(skip)]
    pub(super) records: u64,
    /// Numbers that were lost before they could be chained, as the chain itself says.
    pub lost: Vec<(u64, u64)>,
    /// Records that a sink has, and that the journal lost in a crash of its machine: nothing vouches for them.
    pub orphaned: Vec<(u64, u64)>,
    /// Records whose checkpoint stands behind a fault, and no longer reaches them.
    pub unproven: Vec<(u64, u64)>,
    /// Records at the end that no checkpoint covers, though one was due, unless the proxy was killed in between, or its
    /// clock was set.
    pub overdue: Option<(u64, u64)>,
    /// Records that are not chained.
    pub unchained: u64,
    /// Records that came again, unchanged: sinks deliver at least once.
    pub repeats: u64,
    /// Records that came again too late to be compared.
    pub far_back: u64,
    /// Keys that signed checkpoints, and are not at hand.
    pub other_keys: BTreeSet<String>,
}

impl Report {
    pub(super) fn new(
        mut findings: Vec<Finding>,
        notes: Notes,
        (first, last): (Option<u64>, Option<u64>),
        (checkpoints, covered_to, covered_at): (u64, Option<u64>, Option<String>),
        has_keys: bool,
    ) -> Self {
        findings.sort_by_key(Finding::number);
        findings.dedup();
        let unsaid = notes.unchained > 0
            || notes.far_back > 0
            || !notes.orphaned.is_empty()
            || notes.overdue.is_some()
            || !notes.other_keys.is_empty()
            || covered_to.is_none()
            || !has_keys;
        let verdict = match (findings.is_empty(), unsaid) {
            // What has no event at all is no trail.
            _ if first.is_none() => Verdict::Unknown,
            (false, _) => Verdict::Violated,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Whole,
        };
        let records = notes.records;
        Self { verdict, records, first, last, checkpoints, covered_to, covered_at, findings, notes }
    }

    /// Asks for all records from a number on: what is not there is missing, though nothing in the trail tells of it.
    #[must_use]
    pub fn from(mut self, seq: u64) -> Self {
        if let Some(first) = self.first.filter(|first| *first > seq) {
            self.findings.insert(0, Finding::Missing { from: seq, to: first - 1 });
            self.verdict = Verdict::Violated;
        }
        self
    }
}

impl Finding {
    fn number(&self) -> u64 {
        match self {
            Self::Missing { from: seq, .. }
            | Self::Uncovered { from: seq, .. }
            | Self::Changed { seq }
            | Self::Misplaced { seq, .. }
            | Self::Inserted { seq, .. }
            | Self::Forged { seq, .. } => *seq,
            Self::Unreadable { .. } => u64::MAX,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            for finding in &self.findings {
                writeln!(f, "{finding}")?;
            }
            return f.write_str("cannot say: there is no event");
        };
        writeln!(f, "{} records, numbers {first} to {last}, {} checkpoints", self.records, self.checkpoints)?;
        if first > 1 && !matches!(self.findings.first(), Some(Finding::Missing { to, .. }) if to + 1 == first)
        {
            writeln!(f, "of what was before number {first} nothing can be said (--from asks for it)")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        self.notes.fmt(f)?;
        match (&self.covered_to, &self.covered_at) {
            (Some(to), Some(at)) if *to < last => writeln!(
                f,
                "not covered yet: {}, behind the last checkpoint, number {to} of {at}",
                range(to + 1, last)
            )?,
            (Some(to), Some(at)) => writeln!(f, "covered to the end by the checkpoint {to} of {at}")?,
            _ => writeln!(f, "not covered: no checkpoint of a known key")?,
        }
        f.write_str(match self.verdict {
            Verdict::Whole => "whole",
            Verdict::Violated => "violated",
            Verdict::Unknown => "cannot say",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stands = |place: &Option<String>| place.as_ref().map(|p| format!(" ({p})")).unwrap_or_default();
        match self {
            Self::Changed { seq } => write!(f, "changed: {seq}"),
            Self::Missing { from, to } => write!(f, "missing: {}", range(*from, *to)),
            Self::Misplaced { seq, place } => write!(f, "out of place: {seq}{}", stands(place)),
            Self::Inserted { seq, place } => {
                write!(f, "inserted: {seq}{}, which is not of this trail", stands(place))
            }
            Self::Forged { seq, place } => {
                write!(f, "changed: {seq}{}, a checkpoint whose signature is wrong", stands(place))
            }
            Self::Uncovered { from, to } => {
                let range = range(*from, *to);
                write!(
                    f,
                    "no checkpoint: {range}, where the proxy writes one behind each {CHECKPOINT_EVENTS} events"
                )
            }
            Self::Unreadable { place, reason } => write!(f, "unreadable: {place} {reason}"),
        }
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (from, to) in &self.lost {
            writeln!(f, "lost by the proxy itself, as the chain says: {}", range(*from, *to))?;
        }
        for (from, to) in &self.orphaned {
            writeln!(
                f,
                "delivered, then lost from the journal in a crash; nothing vouches for: {}",
                range(*from, *to)
            )?;
        }
        for (from, to) in &self.unproven {
            writeln!(
                f,
                "no longer covered, since what covered it stands behind a fault: {}",
                range(*from, *to)
            )?;
        }
        if let Some((from, to)) = self.overdue {
            writeln!(
                f,
                "a checkpoint was due among these: {}; nothing vouches for them, unless the proxy still writes one",
                range(from, to)
            )?;
        }
        for (count, what) in [
            (self.unchained, "not chained: nothing can be said of them"),
            (self.repeats, "came again, unchanged: sinks deliver at least once"),
            (self.far_back, "came again, too late to be compared"),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        for key in &self.other_keys {
            writeln!(f, "signed with another key, {key}: give its public half by --key as well")?;
        }
        Ok(())
    }
}

/// Numbers, for people.
pub(in crate::journal) fn range(from: u64, to: u64) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}
