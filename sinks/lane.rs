//! One lane of a sink: delivers what it is given, in order, until each event is taken or among the dead letters.
//!
//! A sink has as many lanes as deliveries may be under way at once; the events of a session keep to one lane.

use std::{cell::Cell, sync::atomic::AtomicU64, time::Duration};

use panoptes_config as config;
use tokio::time::{Instant, sleep_until};

use crate::{
    backoff::Backoff,
    dead_letters::DeadLetters,
    journal::{Follower, Progress, Span, count, lock},
    sink::{Failure, Record, Records, Sink},
    trial::{Part, Trial},
};

/// A destination may ask to be left alone; a longer rest than this is not kept.
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);
/// That events are refused for the same reason as those before is told so seldom.
const TOLD_AGAIN: Duration = Duration::from_secs(10 * 60);

/// A connection of its own to the destination, and what is still to be sent over it.
pub(crate) struct Lane<S> {
    sink: S,
    backoff: Backoff,
    /// What it is given of the batch in hand.
    pub(crate) queue: Vec<Span>,
    /// What is still to be sent of it.
    trial: Trial,
    /// How many of what it was given became dead letters.
    pub(crate) refused: usize,
    /// For which reason it was told last that there are dead letters, and when.
    told: Option<(String, Instant)>,
    /// Why what was taken since the last cursor may not stay.
    unsettled: Option<String>,
}

/// What a delivery may hold.
struct Room {
    events: usize,
    bytes: usize,
}

/// What all lanes of a sink share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) follower: Follower,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) bounds: config::Batch,
    /// How many events the destination has taken.
    pub(crate) taken: Cell<u64>,
}

impl<S: Sink> Lane<S> {
    pub(crate) fn new(sink: S, retry: &config::Retry) -> Self {
        let (queue, trial) = Default::default();
        Self { sink, backoff: Backoff::new(retry), queue, trial, refused: 0, told: None, unsettled: None }
    }

    /// Prepares the destination, however long that takes.
    pub(crate) async fn open(&mut self, shared: &Shared) {
        while let Err(failure) = self.sink.open().await {
            let (reason, after) = failure.into_reason();
            self.pause(shared, &reason, after).await;
        }
        self.backoff.reset();
    }

    /// Sends what it is given, a delivery at a time, and then what was refused before. In the end there is nothing left but
    /// suspects.
    pub(crate) async fn deliver(&mut self, shared: &Shared) {
        let room = self.room(&shared.bounds);
        let mut rest = self.queue.as_slice();
        if rest.is_empty() {
            let suspects = self.trial.retry(|spans| shared.fitting(spans, &room));
            shared.count(|progress| &progress.retried, suspects);
        }
        while !rest.is_empty() {
            let (delivery, later) = rest.split_at(shared.fitting(rest, &room));
            self.trial.send(delivery);
            rest = later;
        }
        self.queue.clear();
        while let Some(part) = self.trial.next(shared.taken.get()) {
            let batch = Records::new(shared.follower.batch().0, &part.spans);
            match self.sink.deliver(&batch).await {
                Ok(()) => self.took(shared, part.spans.len()),
                Err(failure) => self.failed(shared, part, failure).await,
            }
        }
    }

    /// How many batches it is given at a time.
    pub(crate) fn batches(&self) -> usize {
        self.sink.batches()
    }

    /// What one delivery may hold.
    fn room(&self, bounds: &config::Batch) -> Room {
        let batches = self.batches();
        let events = bounds.max_events.saturating_mul(batches).min(self.sink.at_once());
        Room { events, bytes: bounds.max_bytes.as_usize().saturating_mul(batches) }
    }

    /// Sends one event before its turn; and whether that shows that the destination takes any.
    pub(crate) async fn try_one(&mut self, event: &Records<'_>) -> (Result<(), Failure>, bool) {
        let tried = self.sink.deliver(event).await;
        let proves = match &tried {
            Ok(()) => self.sink.proofs(event.len()) > 0,
            Err(Failure::Partial { .. }) => self.sink.proofs(0) > 0,
            Err(_) => false,
        };
        (tried, proves)
    }

    /// Puts among the dead letters what was refused, whoever is at fault.
    pub(crate) async fn give_up(&mut self, shared: &Shared) {
        let suspects = self.trial.give_up();
        self.refuse(shared, suspects).await;
    }

    /// Why an event was refused of which it is not known whether that is its own fault.
    pub(crate) fn suspect(&self) -> Option<&str> {
        self.trial.suspect()
    }

    /// Whether that can be found out, now that the destination has taken so many.
    pub(crate) fn is_decidable(&self, taken: u64) -> bool {
        self.trial.is_decidable(taken)
    }

    fn took(&mut self, shared: &Shared, events: usize) {
        shared.taken.set(shared.taken.get() + self.sink.proofs(events) as u64);
        if events > 0 {
            self.backoff.reset();
        }
    }

    async fn failed(&mut self, shared: &Shared, part: Part, failure: Failure) {
        let (again, reason, after) = match failure {
            Failure::Retry { reason, after } => (part, reason, after),
            Failure::Refused { reason } => {
                let at_fault = self.trial.refused(part, reason, shared.taken.get());
                return self.refuse(shared, at_fault.into_iter().collect()).await;
            }
            Failure::Partial { again, refused, unproven, reason, after } => {
                let left = again.len() + refused.len() + unproven.len();
                self.took(shared, part.spans.len().saturating_sub(left));
                let span = |(place, reason)| Some((*part.spans.get(place)?, reason));
                let mut at_fault: Vec<_> = refused.into_iter().filter_map(span).collect();
                for (place, reason) in unproven {
                    at_fault.extend(self.trial.refused(part.keep(&[place]), reason, shared.taken.get()));
                }
                self.refuse(shared, at_fault).await;
                (part.keep(&again), reason, after)
            }
        };
        if !again.spans.is_empty() {
            self.pause(shared, &reason, after).await;
            shared.count(|progress| &progress.retried, again.spans.len());
            self.trial.again(again);
        }
    }

    /// Puts refused events among the dead letters, however long that takes.
    async fn refuse(&mut self, shared: &Shared, refused: Vec<(Span, String)>) {
        let Some((_, reason)) = refused.first() else { return };
        let block = shared.follower.batch().0;
        loop {
            let letters = refused.iter().map(|(span, reason)| (Record::new(block, span), reason.as_str()));
            match shared.dead_letters.add(letters) {
                Ok(()) => break,
                Err(error) => self.pause(shared, &format!("cannot write dead letters: {error}"), None).await,
            }
        }
        self.backoff.reset();
        self.refused += refused.len();
        shared.count(|progress| &progress.dead_lettered, refused.len());
        let now = Instant::now();
        let is_told = self.told.as_ref().is_some_and(|(told, at)| told == reason && now < *at + TOLD_AGAIN);
        if !is_told {
            tracing::error!(sink = %shared.name, events = refused.len(), reason, "events will never be taken: see the dead letters");
            self.told = Some((reason.clone(), now));
        }
    }

    /// Waits after a failure. The first one of several is logged.
    pub(crate) async fn pause(&mut self, shared: &Shared, reason: &str, after: Option<Duration>) {
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

impl Shared {
    /// How many of these go into one delivery.
    fn fitting(&self, spans: &[Span], room: &Room) -> usize {
        let (block, mut bytes) = (self.follower.batch().0, 0);
        let fits = |span: &&Span| {
            bytes += span.json(block).len();
            bytes <= room.bytes
        };
        spans.iter().take(room.events).take_while(fits).count().max(1).min(spans.len())
    }

    /// It failed for now. The first time of several it is told.
    pub(crate) fn failed(&self, reason: &str) {
        self.count(|progress| &progress.failures, 1);
        let Some(progress) = self.follower.progress() else { return };
        let before = lock(&progress.last_error).replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(sink = %self.name, reason, "delivery failed; it is tried again until it succeeds");
        }
    }

    /// It failed by a defect.
    pub(crate) fn fell(&self) {
        const DEFECT: &str = "the sink ended in a panic, which is a defect of Panoptes; it is begun anew";
        self.count(|progress| &progress.panics, 1);
        if let Some(progress) = self.follower.progress() {
            *lock(&progress.last_error) = Some(DEFECT.to_owned());
        }
        tracing::error!(sink = %self.name, "{DEFECT}");
    }

    fn count(&self, counter: impl Fn(&Progress) -> &AtomicU64, n: usize) {
        if let Some(progress) = self.follower.progress() {
            count(counter(progress), n as u64);
        }
    }
}
