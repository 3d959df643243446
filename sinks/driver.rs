//! The one driver of all sinks: follows the journal, picks what the sink gets, makes batches, moves the cursor on.
//!
//! ```text
//! follower (a batch) → filter → lane of the session (sent again until taken, or a dead letter) → cursor
//!                             ↖ a witness from behind the batch, where all that is left of it is refused
//! ```

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    filter::Filter,
    journal::lock,
    lane::{Lane, Shared},
    sink::{Failure, Sink, session},
    witness::Witnesses,
};

/// Drives one sink.
pub(crate) struct Driver<S> {
    pub(crate) shared: Shared,
    pub(crate) filter: Option<Filter>,
    /// At least one.
    pub(crate) lanes: Vec<Lane<S>>,
    pub(crate) witnesses: Witnesses,
    /// Someone has these events sent once more, and looks at what becomes of them: what is refused waits for no proof.
    pub(crate) is_watched: bool,
}

impl<S: Sink> Driver<S> {
    /// Delivers until the journal is closed and all of it is delivered.
    pub(crate) async fn run(&mut self) {
        self.open().await;
        while self.more().await {
            if self.read().await {
                let filtered = self.distribute();
                self.deliver().await;
                let refused: usize = self.lanes.iter().map(|lane| lane.refused).sum();
                self.shared.follower.acknowledge(filtered + refused, filtered);
            }
        }
    }

    /// Keeps what was acknowledged, if it will stay where it is; if not, it is delivered again. Whether it was kept.
    pub(crate) fn save(&mut self) -> bool {
        let lost = self.lanes.iter_mut().filter_map(Lane::unsettled).reduce(|first, _| first);
        match &lost {
            Some(reason) => {
                tracing::warn!(sink = %self.shared.name, reason, "what was delivered last may not stay; it is delivered again");
                self.shared.follower.rewind();
                self.witnesses = Witnesses::default();
            }
            None => self.shared.follower.save(),
        }
        lost.is_none()
    }

    /// How many events the destination has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.get()
    }

    /// Prepares the destination. Where nothing is left to deliver, nobody waits for it.
    async fn open(&mut self) {
        let Self { shared, lanes, .. } = self;
        let Some(first) = lanes.first_mut() else { return };
        tokio::select! {
            () = first.open(shared) => self.recovered(),
            () = shared.follower.ended() => {}
        }
    }

    /// Waits for events, and then for more of them to fill a batch. `false` at the journal's end.
    async fn more(&mut self) -> bool {
        let delivered = self.shared.follower.save_at().is_some();
        // What is there when a batch was just delivered has waited for it: it goes at once.
        let mut gathered = delivered && self.shared.follower.backlog() > 0;
        if self.shared.follower.is_save_due() {
            self.save();
        }
        if delivered && !gathered {
            // Where there were events there will be more: their first one need not wake this thread.
            self.gather().await;
            gathered = true;
        }
        while self.shared.follower.backlog() == 0 {
            if self.shared.follower.is_closed() {
                return false;
            }
            let save_at = self.shared.follower.save_at();
            tokio::select! {
                () = self.shared.follower.ready() => gathered = false,
                () = sleep_until(save_at.unwrap_or_else(Instant::now)), if save_at.is_some() => drop(self.save()),
            }
        }
        if !gathered
            && self.shared.follower.backlog() < (self.shared.bounds.max_events * self.lanes.len()) as u64
        {
            self.gather().await;
        }
        true
    }

    /// One wake-up a batch, and not with each append; but while what came is still in memory.
    async fn gather(&mut self) {
        tokio::select! {
            () = sleep(self.shared.bounds.max_wait) => {}
            () = self.shared.follower.filled() => {}
            () = self.shared.follower.closed() => {}
        }
    }

    /// Takes the next batch in hand; `false` where there is none after all.
    async fn read(&mut self) -> bool {
        let batches: usize = self.lanes.iter().map(Lane::batches).sum();
        let bounds = &self.shared.bounds;
        let events = bounds.max_events.saturating_mul(batches);
        let bytes = bounds.max_bytes.as_usize().saturating_mul(batches);
        loop {
            match self.shared.follower.read(events, bytes) {
                Ok(found) => return found,
                Err(error) => self.rest(&format!("cannot read the journal: {error}"), None).await,
            }
        }
    }

    async fn rest(&mut self, reason: &str, after: Option<Duration>) {
        let Self { shared, lanes, .. } = self;
        if let Some(first) = lanes.first_mut() {
            first.pause(shared, reason, after).await;
        }
    }

    /// Gives each event of the batch that the sink gets to a lane; how many it does not get.
    fn distribute(&mut self) -> usize {
        let (block, spans) = self.shared.follower.batch();
        for lane in &mut self.lanes {
            lane.queue.clear();
            lane.refused = 0;
        }
        let mut filtered = 0;
        for span in spans {
            if self.witnesses.was_early(span.seq) {
                continue;
            }
            let json = span.json(block);
            if self.filter.as_ref().is_some_and(|filter| !filter.fits(json)) {
                filtered += 1;
                continue;
            }
            let place = if self.lanes.len() > 1 { lane_of(json) % self.lanes.len() } else { 0 };
            if let Some(lane) = self.lanes.get_mut(place) {
                lane.queue.push(*span);
            }
        }
        filtered
    }

    /// Sends the batch in hand until each of its events is taken or among the dead letters.
    async fn deliver(&mut self) {
        loop {
            let Self { shared, lanes, .. } = self;
            match lanes.as_mut_slice() {
                [only] => only.deliver(shared).await,
                several => drop(join_all(several.iter_mut().map(|lane| lane.deliver(shared))).await),
            }
            let Some(reason) = self.lanes.iter().find_map(Lane::suspect) else { break };
            // Another lane's events may have been taken since.
            let taken = self.shared.taken.get();
            if self.lanes.iter().any(|lane| lane.is_decidable(taken)) {
                continue;
            }
            if self.is_watched {
                let Self { shared, lanes, .. } = self;
                for lane in lanes {
                    lane.give_up(shared).await;
                }
                break;
            }
            let reason = format!("it takes no event: {reason}");
            if let Err((reason, after)) = self.hear_witness(reason).await {
                self.rest(&reason, after).await;
            }
        }
        self.recovered();
    }

    /// All that is left of the batch is refused: sends events from behind it, one by one, until one is taken. An error where
    /// none is, with the reason.
    async fn hear_witness(&mut self, reason: String) -> Result<(), (String, Option<Duration>)> {
        self.witnesses.begin();
        let Some(lane) = self.lanes.first_mut() else { return Ok(()) };
        loop {
            let event = match self.witnesses.next(&self.shared.follower, self.filter.as_ref()) {
                Ok(Some(event)) => event,
                Ok(None) => return Err((reason, None)),
                Err(error) => return Err((format!("cannot read the journal: {error}"), None)),
            };
            let (tried, proves) = lane.try_one(&event).await;
            match tried {
                Ok(()) => self.witnesses.taken(),
                Err(failure @ Failure::Retry { .. }) => return Err(failure.into_reason()),
                Err(Failure::Partial { again, reason, after, .. }) if !again.is_empty() => {
                    return Err((reason, after));
                }
                // In its turn it may be at fault itself.
                Err(Failure::Refused { .. } | Failure::Partial { .. }) => {}
            }
            if proves {
                break;
            }
        }
        self.shared.taken.set(self.shared.taken.get() + 1);
        Ok(())
    }

    fn recovered(&self) {
        let Some(progress) = self.shared.follower.progress() else { return };
        if let Some(reason) = lock(&progress.last_error).take() {
            tracing::info!(sink = %self.shared.name, after = reason, "delivery goes on");
        }
    }
}

/// A number that is the same for all events of a session.
fn lane_of(json: &[u8]) -> usize {
    crc32c::crc32c(session(json).as_bytes()) as usize
}
