//! Which events a destination refuses for what they are.
//!
//! A body that is refused is halved until single events are. One that is refused alone need not be at fault either: the
//! destination may refuse whatever it is sent, for a certificate that has expired, a quota, a mapping. So it is a suspect,
//! and what comes behind it is sent. Only an event that was refused, then others taken, then the event refused once more,
//! is at fault itself. The first time it may have been refused within a body, if the rest of that body was taken then.

use std::collections::VecDeque;

use crate::journal::Span;

/// Events that are sent at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) spans: Vec<Span>,
    /// How many events the destination had taken when the last of these was refused alone.
    alone_at: Option<u64>,
    /// The same of the body that it is the second half of, unless the first half was refused as well.
    body_at: Option<u64>,
}

/// An event that was refused alone.
#[derive(Debug)]
struct Suspect {
    span: Span,
    refused_at: u64,
    reason: String,
}

/// What one lane has still to send, in order, and what was refused meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    parts: VecDeque<Part>,
    suspects: Vec<Suspect>,
}

impl Part {
    fn alone(span: Span, refused_at: u64) -> Self {
        Self { spans: vec![span], alone_at: Some(refused_at), body_at: None }
    }

    /// Those of its events that are to be sent again.
    pub(crate) fn keep(&self, places: &[usize]) -> Self {
        let spans = places.iter().filter_map(|place| self.spans.get(*place).copied()).collect();
        Self { spans, alone_at: self.alone_at, body_at: None }
    }
}

impl Trial {
    /// Adds a part behind all others.
    pub(crate) fn send(&mut self, spans: &[Span]) {
        self.parts.push_back(Part { spans: spans.to_vec(), ..Part::default() });
    }

    /// What is sent next. Where the destination has taken something since it refused them, `taken` events by now, the
    /// suspects come first, each alone.
    pub(crate) fn next(&mut self, taken: u64) -> Option<Part> {
        if self.is_decidable(taken) {
            let (known, open) = self.suspects.drain(..).partition(|suspect| suspect.refused_at < taken);
            self.suspects = open;
            let known: Vec<Suspect> = known;
            for Suspect { span, refused_at, .. } in known.into_iter().rev() {
                self.parts.push_front(Part::alone(span, refused_at));
            }
        }
        self.parts.pop_front()
    }

    /// A part is to be sent again, for what has nothing to do with it; before it, in order, what was refused meanwhile.
    pub(crate) fn again(&mut self, part: Part) {
        self.parts.push_front(part);
        for Suspect { span, refused_at, .. } in self.suspects.drain(..).rev() {
            self.parts.push_front(Part::alone(span, refused_at));
        }
    }

    /// A part was refused as a whole when the destination had taken so many events. Gives back the event that is at fault.
    pub(crate) fn refused(&mut self, part: Part, reason: String, taken: u64) -> Option<(Span, String)> {
        if let Some(next) = self.parts.front_mut() {
            // Where that is its other half: it need not have been that one's fault.
            next.body_at = None;
        }
        if let [span] = *part.spans {
            let before = [part.alone_at, part.body_at].into_iter().flatten().min();
            if before.is_some_and(|before| before < taken) {
                return Some((span, reason));
            }
            self.suspects.push(Suspect { span, refused_at: taken, reason });
            return None;
        }
        let (first, second) = part.spans.split_at(part.spans.len() / 2);
        for (half, body_at) in [(second, Some(taken)), (first, None)] {
            let part = Part { spans: half.to_vec(), alone_at: part.alone_at, body_at };
            if !half.is_empty() {
                self.parts.push_front(part);
            }
        }
        None
    }

    /// Whether there is a suspect, and why it was refused.
    pub(crate) fn suspect(&self) -> Option<&str> {
        self.suspects.first().map(|suspect| suspect.reason.as_str())
    }

    /// Nobody is to wait until it is known whether the suspects are at fault.
    pub(crate) fn give_up(&mut self) -> Vec<(Span, String)> {
        self.suspects.drain(..).map(|suspect| (suspect.span, suspect.reason)).collect()
    }

    /// Whether the destination, which has taken so many events by now, took one since it refused a suspect.
    pub(crate) fn is_decidable(&self, taken: u64) -> bool {
        self.suspects.iter().any(|suspect| suspect.refused_at < taken)
    }

    /// Sends all suspects once more, together, in parts of as many as `fitting` says; how many they are.
    pub(crate) fn retry(&mut self, fitting: impl Fn(&[Span]) -> usize) -> usize {
        let alone_at = self.suspects.iter().map(|suspect| suspect.refused_at).max();
        let mut spans: Vec<Span> = self.suspects.drain(..).map(|suspect| suspect.span).collect();
        let count = spans.len();
        spans.sort_unstable_by_key(|span| span.seq);
        let mut rest = spans.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest).clamp(1, rest.len()));
            self.parts.push_back(Part { spans: now.to_vec(), alone_at, body_at: None });
            rest = later;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of ten events.
    struct Sent {
        taken: Vec<u64>,
        at_fault: Vec<u64>,
        trial: Trial,
    }

    /// Sends ten events to a destination that takes a part if it `takes` each of them, knowing how many requests came before;
    /// and then one that comes behind them.
    fn sent(takes: impl Fn(u64, usize) -> bool) -> Sent {
        let spans: Vec<Span> = (0..10).map(|seq| Span::whole(seq, b"{}")).collect();
        let (mut trial, mut taken, mut at_fault, mut requests, mut behind) =
            (Trial::default(), vec![], vec![], 0, 0);
        trial.send(&spans);
        loop {
            let so_far = taken.len() as u64 + behind;
            let Some(part) = trial.next(so_far) else {
                behind += u64::from(takes(99, requests));
                requests += 1;
                if trial.is_decidable(taken.len() as u64 + behind) {
                    continue;
                }
                at_fault.sort_unstable();
                return Sent { taken, at_fault, trial };
            };
            if part.spans.iter().all(|span| takes(span.seq, requests)) {
                taken.extend(part.spans.iter().map(|span| span.seq));
            } else if let Some((span, _)) = trial.refused(part, "no".into(), so_far) {
                at_fault.push(span.seq);
            }
            requests += 1;
        }
    }

    #[test]
    fn those_at_fault_are_found_and_the_rest_is_taken_once_in_order() {
        // Each set of them there is.
        for set in 0..1 << 10 {
            let poison: Vec<u64> = (0..10).filter(|seq| set >> seq & 1 == 1).collect();
            let Sent { taken, at_fault, trial } = sent(|seq, _| !poison.contains(&seq));
            assert_eq!((at_fault, trial.suspect()), (poison.clone(), None));
            assert_eq!(taken, (0..10).filter(|seq| !poison.contains(seq)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_nothing_is_taken_nothing_is_at_fault() {
        let Sent { taken, at_fault, mut trial } = sent(|_, _| false);
        assert_eq!((taken.len(), at_fault.len(), trial.suspect()), (0, 0, Some("no")));
        assert!(!trial.is_decidable(0) && trial.is_decidable(1));
        assert_eq!(trial.retry(|_| 4), 10);
        let parts: Vec<_> = std::iter::from_fn(|| trial.next(1)).map(|part| part.spans.len()).collect();
        assert_eq!(parts, [4, 4, 2]);
    }

    #[test]
    fn a_destination_that_comes_back_in_the_middle_has_refused_none_for_good() {
        for recovers_at in 0..24 {
            let Sent { mut taken, at_fault, trial } = sent(|_, request| request >= recovers_at);
            assert_eq!((at_fault, trial.suspect().is_some()), (vec![], taken.is_empty()), "{recovers_at}");
            taken.sort_unstable();
            assert!(taken.is_empty() || taken == (0..10).collect::<Vec<_>>(), "{recovers_at}: {taken:?}");
        }
    }

    #[test]
    fn one_that_begins_to_refuse_everything_has_refused_none_for_good() {
        for poison in 0..10 {
            for breaks_at in 1..24 {
                let Sent { taken, at_fault, .. } = sent(|seq, request| request < breaks_at && seq != poison);
                assert!(at_fault.iter().all(|seq| *seq == poison), "{breaks_at}: {taken:?} {at_fault:?}");
            }
        }
    }
}
