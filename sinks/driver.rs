//! The one driver of all sinks: follows the journal, makes batches, sends again what failed, moves the cursor on.

use std::{sync::atomic::AtomicU64, time::Duration};

use panoptes_config as config;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    dead_letters::DeadLetters,
    journal::{Follower, Span, count, lock},
    sink::{Failure, Records, Sink},
};

/// Drives one sink.
pub(crate) struct Driver<S> {
    pub(crate) name: String,
    pub(crate) sink: S,
    pub(crate) follower: Follower,
    pub(crate) batch: config::Batch,
    pub(crate) backoff: Backoff,
    pub(crate) dead_letters: DeadLetters,
    /// What is still to be sent of the batch in hand.
    pub(crate) pending: Vec<Span>,
}

impl<S: Sink> Driver<S> {
    /// Delivers until the journal is closed and all of it is delivered.
    pub(crate) async fn run(&mut self) {
        while self.more().await {
            if self.read().await {
                self.deliver().await;
                self.follower.acknowledge();
            }
        }
    }

    /// Keeps what was acknowledged.
    pub(crate) fn save(&mut self) {
        self.follower.save();
    }

    /// Waits for events, and then for more of them to fill a batch. `false` at the journal's end.
    async fn more(&mut self) -> bool {
        let delivered = self.follower.save_at().is_some();
        // What is there when a batch was just delivered has waited for it: it goes at once.
        let mut gathered = delivered && self.follower.backlog() > 0;
        self.save_if_due();
        if delivered && !gathered {
            // Where there were events there will be more: their first one need not wake this thread.
            self.gather().await;
            gathered = true;
        }
        while self.follower.backlog() == 0 {
            if self.follower.is_closed() {
                return false;
            }
            let save_at = self.follower.save_at();
            tokio::select! {
                () = self.follower.ready() => gathered = false,
                () = sleep_until(save_at.unwrap_or_else(Instant::now)), if save_at.is_some() => self.follower.save(),
            }
        }
        if !gathered && self.follower.backlog() < self.batch.max_events as u64 {
            self.gather().await;
        }
        true
    }

    /// One wake-up a batch: a watch for the moment when it is full would wake with each append.
    async fn gather(&mut self) {
        tokio::select! {
            () = sleep(self.batch.max_wait) => {}
            () = self.follower.closed() => {}
        }
    }

    fn save_if_due(&mut self) {
        if self.follower.save_at().is_some_and(|at| at <= Instant::now()) {
            self.follower.save();
        }
    }

    /// Takes the next batch in hand; `false` where there is none after all.
    async fn read(&mut self) -> bool {
        loop {
            match self.follower.read(self.batch.max_events, self.batch.max_bytes.as_usize()) {
                Ok(found) => return found,
                Err(error) => self.pause(&format!("cannot read the journal: {error}"), None).await,
            }
        }
    }

    /// Sends the batch in hand until each of its events is taken or among the dead letters.
    async fn deliver(&mut self) {
        self.pending.clear();
        self.pending.extend_from_slice(self.follower.batch().1);
        while !self.pending.is_empty() {
            let batch = Records::new(self.follower.batch().0, &self.pending);
            let (reason, after) = match self.sink.deliver(&batch).await {
                Ok(()) => break,
                Err(Failure::Retry { reason, after }) => (reason, after),
                Err(Failure::Partial { again, refused, reason, after }) => {
                    self.refuse(&refused).await;
                    if self.keep(&again) {
                        self.backoff.reset();
                    }
                    (reason, after)
                }
            };
            if !self.pending.is_empty() {
                self.pause(&reason, after).await;
                self.count(|progress| &progress.retried, self.pending.len());
            }
        }
        self.recovered();
    }

    /// Puts refused events among the dead letters, however long that takes.
    async fn refuse(&mut self, refused: &[(usize, String)]) {
        if refused.is_empty() {
            return;
        }
        loop {
            let batch = Records::new(self.follower.batch().0, &self.pending);
            let letters = batch.iter().enumerate().filter_map(|(place, record)| {
                let (_, reason) = refused.iter().find(|(refused, _)| *refused == place)?;
                Some((record, reason.as_str()))
            });
            match self.dead_letters.add(letters) {
                Ok(()) => break,
                Err(error) => self.pause(&format!("cannot write dead letters: {error}"), None).await,
            }
        }
        self.count(|progress| &progress.dead_lettered, refused.len());
        let reason = refused.first().map_or("", |(_, reason)| reason);
        tracing::error!(sink = %self.name, events = refused.len(), reason, "events will never be taken: see the dead letters");
    }

    /// Keeps those of the batch that are to be sent again; whether these are fewer than before.
    fn keep(&mut self, again: &[usize]) -> bool {
        let before = self.pending.len();
        let mut place = 0..;
        self.pending.retain(|_| place.next().is_some_and(|place| again.contains(&place)));
        self.pending.len() < before
    }

    /// Waits after a failure. The first one of several is logged.
    async fn pause(&mut self, reason: &str, after: Option<Duration>) {
        self.count(|progress| &progress.failures, 1);
        if let Some(progress) = self.follower.progress() {
            let before = lock(&progress.last_error).replace(reason.to_owned());
            if before.as_deref() != Some(reason) {
                tracing::warn!(sink = %self.name, reason, "delivery failed; it is tried again until it succeeds");
            }
        }
        let pause = self.backoff.next();
        let due = Instant::now() + after.unwrap_or(pause).max(pause);
        // A cursor need not wait for the destination.
        self.save_if_due();
        sleep_until(due).await;
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        let Some(progress) = self.follower.progress() else { return };
        if let Some(reason) = lock(&progress.last_error).take() {
            tracing::info!(sink = %self.name, after = reason, "delivery goes on");
        }
    }

    fn count(&self, counter: impl Fn(&crate::journal::Progress) -> &AtomicU64, n: usize) {
        if let Some(progress) = self.follower.progress() {
            count(counter(progress), n as u64);
        }
    }
}

/// The pauses between repeated deliveries: doubling, each shortened by up to a half at random, so that many senders do
/// not come back at once.
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(config: &config::Retry) -> Self {
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
