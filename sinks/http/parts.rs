//! A batch that is refused as a whole is halved until the events at fault are found.
//!
//! A destination that has never taken anything and refuses each event is not refusing events: its address, its
//! credentials or its mapping is wrong. So no dead letters are made until it has taken one.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::sink::{Failure, Records};

/// What became of a part of a batch.
pub(crate) enum Reply {
    /// The destination has it.
    Taken,
    /// It will never take it as it is; the reason may be one event alone.
    Refused(String),
    /// It must be sent again.
    Later(Later),
    /// Some of it, by places within the part: those to be sent again, and those that will never be taken.
    Mixed { again: Vec<usize>, refused: Vec<(usize, String)>, later: Later },
}

/// Why something must be sent again.
#[derive(Default)]
pub(crate) struct Later {
    pub(crate) reason: String,
    /// How long the destination asked to be left alone.
    pub(crate) after: Option<Duration>,
}

impl Later {
    pub(crate) fn new(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), after: None }
    }
}

/// Whether a destination has taken any event yet.
#[derive(Clone, Default)]
pub(crate) struct Trust(Arc<AtomicBool>);

impl Trust {
    fn earn(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_earned(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Sends a batch, in parts of at most `size` events.
pub(crate) async fn deliver(
    batch: &Records<'_>,
    size: usize,
    trust: Trust,
    mut send: impl AsyncFnMut(Records<'_>) -> Reply,
) -> Result<(), Failure> {
    // The next part is the last item.
    let mut parts: Vec<Range<usize>> = (0..batch.len())
        .step_by(size.max(1))
        .map(|start| start..batch.len().min(start + size))
        .rev()
        .collect();
    let (mut again, mut refused) = (Vec::new(), Vec::new());
    while let Some(part) = parts.pop() {
        let later = match send(batch.slice(part.clone())).await {
            Reply::Taken => {
                trust.earn();
                continue;
            }
            Reply::Refused(reason) if part.len() == 1 => {
                refused.push((part.start, reason));
                continue;
            }
            Reply::Refused(_) => {
                let middle = part.start + part.len() / 2;
                parts.extend([middle..part.end, part.start..middle]);
                continue;
            }
            Reply::Mixed { again: places, refused: reasons, later } => {
                if places.len() + reasons.len() < part.len() {
                    trust.earn();
                }
                again.extend(places.iter().map(|place| part.start + place));
                refused.extend(reasons.into_iter().map(|(place, reason)| (part.start + place, reason)));
                if places.is_empty() {
                    continue;
                }
                later
            }
            Reply::Later(later) => {
                again.extend(part);
                later
            }
        };
        again.extend(parts.into_iter().rev().flatten());
        return Failure::partial(again, refused, Some((later.reason, later.after)));
    }
    match refused.first() {
        Some((_, reason)) if !trust.is_earned() && refused.len() == batch.len() => {
            Err(Failure::retry(format!("it has refused every event so far: {reason}")))
        }
        _ => Failure::partial(again, refused, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Span;

    /// Delivers numbers; the destination takes a part unless it holds one of `poison`, and goes down before `down`.
    fn delivered(poison: &[u64], down: u64, trust: Trust) -> (Vec<u64>, Result<(), Failure>) {
        let spans: Vec<Span> = (0..10).map(|seq| Span::whole(seq, b"{}")).collect();
        let mut taken = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let send = async |part: Records<'_>| {
            let seqs: Vec<u64> = part.iter().map(|record| record.seq).collect();
            if seqs.contains(&down) {
                return Reply::Later(Later::new("down"));
            }
            if seqs.iter().any(|seq| poison.contains(seq)) {
                return Reply::Refused("poison".into());
            }
            taken.extend(seqs);
            Reply::Taken
        };
        let result = runtime.block_on(deliver(&Records::new(b"{}", &spans), 10, trust, send));
        (taken, result)
    }

    #[test]
    fn poison_is_found_and_the_rest_is_taken_once_in_order() {
        let (taken, result) = delivered(&[3, 9], 99, Trust::default());
        assert_eq!(taken, [0, 1, 2, 4, 5, 6, 7, 8]);
        let refused = vec![(3, "poison".to_owned()), (9, "poison".to_owned())];
        assert_eq!(
            result,
            Err(Failure::Partial { again: vec![], refused, reason: String::new(), after: None })
        );
        assert_eq!(delivered(&[], 99, Trust::default()).1, Ok(()));
    }

    #[test]
    fn a_destination_that_has_taken_nothing_yet_makes_no_dead_letters() {
        let all: Vec<u64> = (0..10).collect();
        let reason = "it has refused every event so far: poison";
        assert_eq!(delivered(&all, 99, Trust::default()), (vec![], Err(Failure::retry(reason))));
        let trust = Trust::default();
        trust.earn();
        let (taken, result) = delivered(&all, 99, trust);
        let Err(Failure::Partial { again, refused, .. }) = result else { panic!("{result:?}") };
        assert_eq!((taken.len(), again.len(), refused.len()), (0, 0, 10));
    }

    #[test]
    fn what_comes_behind_a_failure_waits_in_order() {
        // The whole part fails before anything is known of its events.
        let (taken, result) = delivered(&[2], 7, Trust::default());
        assert_eq!(taken, [0; 0]);
        let Err(Failure::Partial { again, refused, .. }) = result else { panic!("{result:?}") };
        assert_eq!((again, refused), ((0..10).collect(), vec![]));
    }
}
