//! One lane of a sink: delivers what it is given, in order, until each event is taken or among the dead letters.
//!
//! A sink has as many lanes as deliveries may be under way at once; the events of a session keep to one lane.

use std::{collections::BTreeMap, sync::atomic::AtomicU64, time::Duration};

use panoptes_config as config;
use tokio::time::{Instant, sleep_until};

use crate::{
    dead_letters::DeadLetters,
    journal::{Follower, Progress, Span, count, lock},
    sink::{Failure, Records, Sink},
};

/// A destination may ask to be left alone; a longer rest than this is not kept.
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

/// A connection of its own to the destination, and what is still to be sent over it.
pub(crate) struct Lane<S> {
    sink: S,
    backoff: Backoff,
    /// What it is given of the batch in hand.
    pub(crate) queue: Vec<Span>,
    /// What is still to be sent of the delivery in hand.
    pending: Vec<Span>,
    /// How many of what it was given became dead letters.
    pub(crate) refused: usize,
    /// Why what was taken since the last cursor may not stay.
    unsettled: Option<String>,
}

/// What all lanes of a sink share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'d> {
    pub(crate) name: &'d str,
    pub(crate) follower: &'d Follower,
    pub(crate) dead_letters: &'d DeadLetters,
    pub(crate) bounds: &'d config::Batch,
}

impl<S: Sink> Lane<S> {
    pub(crate) fn new(sink: S, retry: &config::Retry) -> Self {
        let (queue, pending) = Default::default();
        Self { sink, backoff: Backoff::new(retry), queue, pending, refused: 0, unsettled: None }
    }

    /// Prepares the destination, however long that takes.
    pub(crate) async fn open(&mut self, shared: Shared<'_>) {
        while let Err(failure) = self.sink.open().await {
            let (Failure::Retry { reason, after } | Failure::Partial { reason, after, .. }) = failure;
            self.pause(shared, &reason, after).await;
        }
        self.backoff.reset();
    }

    /// Sends what it is given, a delivery at a time.
    pub(crate) async fn deliver(&mut self, shared: Shared<'_>) {
        self.refused = 0;
        let queue = std::mem::take(&mut self.queue);
        let mut rest = queue.as_slice();
        while !rest.is_empty() {
            let (delivery, later) = rest.split_at(shared.fitting(rest));
            self.pending.clear();
            self.pending.extend_from_slice(delivery);
            self.deliver_pending(shared).await;
            rest = later;
        }
        self.queue = queue;
    }

    async fn deliver_pending(&mut self, shared: Shared<'_>) {
        while !self.pending.is_empty() {
            let batch = Records::new(shared.follower.batch().0, &self.pending);
            let (reason, after) = match self.sink.deliver(&batch).await {
                Ok(()) => break,
                Err(Failure::Retry { reason, after }) => (reason, after),
                Err(Failure::Partial { again, refused, reason, after }) => {
                    self.refuse(shared, refused).await;
                    if self.keep(&again) {
                        self.backoff.reset();
                    }
                    (reason, after)
                }
            };
            if !self.pending.is_empty() {
                self.pause(shared, &reason, after).await;
                shared.count(|progress| &progress.retried, self.pending.len());
            }
        }
        self.backoff.reset();
    }

    /// Puts refused events among the dead letters, however long that takes.
    async fn refuse(&mut self, shared: Shared<'_>, refused: Vec<(usize, String)>) {
        let Some((_, first)) = refused.first().cloned() else { return };
        let refused: BTreeMap<usize, String> = refused.into_iter().collect();
        loop {
            let batch = Records::new(shared.follower.batch().0, &self.pending);
            let letters = batch.iter().enumerate();
            let letters = letters.filter_map(|(place, record)| Some((record, refused.get(&place)?.as_str())));
            match shared.dead_letters.add(letters) {
                Ok(()) => break,
                Err(error) => self.pause(shared, &format!("cannot write dead letters: {error}"), None).await,
            }
        }
        self.refused += refused.len();
        shared.count(|progress| &progress.dead_lettered, refused.len());
        tracing::error!(sink = %shared.name, events = refused.len(), reason = first, "events will never be taken: see the dead letters");
    }

    /// Keeps those that are to be sent again; whether these are fewer than before.
    fn keep(&mut self, again: &[usize]) -> bool {
        let mut kept = vec![false; self.pending.len()];
        for &place in again {
            if let Some(kept) = kept.get_mut(place) {
                *kept = true;
            }
        }
        let before = self.pending.len();
        let mut kept = kept.into_iter();
        self.pending.retain(|_| kept.next().unwrap_or(false));
        self.pending.len() < before
    }

    /// Waits after a failure. The first one of several is logged.
    pub(crate) async fn pause(&mut self, shared: Shared<'_>, reason: &str, after: Option<Duration>) {
        shared.failed(reason);
        let pause = self.backoff.next();
        let due = Instant::now() + after.unwrap_or(pause).clamp(pause, LONGEST_REST.max(pause));
        // A cursor need not wait for the destination to take more.
        if shared.follower.is_save_due() && self.settle() {
            shared.follower.save();
        }
        sleep_until(due).await;
    }

    /// Whether what was taken will stay; if not, [`Lane::unsettled`] tells why.
    fn settle(&mut self) -> bool {
        if self.unsettled.is_none() {
            self.unsettled = self.sink.settle().err();
        }
        self.unsettled.is_none()
    }

    /// Why what was taken since the last cursor may not stay, if so. Asked once: then all of it is sent again.
    pub(crate) fn unsettled(&mut self) -> Option<String> {
        self.settle();
        self.unsettled.take()
    }
}

impl Shared<'_> {
    /// How many of these go into one delivery.
    fn fitting(&self, spans: &[Span]) -> usize {
        let (block, mut bytes) = (self.follower.batch().0, 0);
        let fits = |span: &&Span| {
            bytes += span.json(block).len();
            bytes <= self.bounds.max_bytes.as_usize()
        };
        spans.iter().take(self.bounds.max_events).take_while(fits).count().max(1).min(spans.len())
    }

    fn failed(&self, reason: &str) {
        self.count(|progress| &progress.failures, 1);
        let Some(progress) = self.follower.progress() else { return };
        let before = lock(&progress.last_error).replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(sink = %self.name, reason, "delivery failed; it is tried again until it succeeds");
        }
    }

    fn count(&self, counter: impl Fn(&Progress) -> &AtomicU64, n: usize) {
        if let Some(progress) = self.follower.progress() {
            count(counter(progress), n as u64);
        }
    }
}

/// The pauses between repeated deliveries: doubling, each shortened by up to a half at random, so that many senders do
/// not come back at once.
struct Backoff {
    initial: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    fn new(config: &config::Retry) -> Self {
        Self { initial: config.initial, max: config.max, next: config.initial }
    }

    fn next(&mut self) -> Duration {
        let pause = self.next.min(self.max);
        self.next = pause.saturating_mul(2);
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    fn reset(&mut self) {
        self.next = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_start_over() {
        let retry = config::Retry { initial: Duration::from_millis(100), max: Duration::from_millis(350) };
        let mut backoff = Backoff::new(&retry);
        for full in [100, 200, 350, 350] {
            let full = Duration::from_millis(full);
            let pause = backoff.next();
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
