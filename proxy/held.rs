//! Bytes that wait until what is told of them is on disk: answers, and in strict mode statements. Nothing but the journal
//! is waited for, so the two never wait for each other.

use std::task::{Context, Poll};

use panoptes_parser::wire::Rest;

use crate::{capture::Capture, leg::Leg};

/// What a session that holds bytes back keeps of the memory for them.
const KEPT: usize = 4 << 10;

/// Answers that wait for their events; until they have gone no more is read from the server.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    /// What they wait for.
    batch: Option<u64>,
    /// They begin with a message.
    whole: bool,
}

impl Held {
    /// Holds bytes until all that was captured so far is on disk. Nothing else waits. `whole` if they begin with a message.
    pub(crate) fn hold(&mut self, bytes: &[u8], whole: bool, capture: &Capture) {
        self.bytes.extend_from_slice(bytes);
        (self.batch, self.whole) = (Some(capture.want()), whole);
    }

    /// What waits is never passed on; given back if a message can stand in its place.
    pub(crate) fn give_up(&mut self) -> Option<Vec<u8>> {
        self.batch = None;
        Some(std::mem::take(&mut self.bytes)).filter(|_| self.whole)
    }

    /// Whether something waits.
    pub(crate) fn is_holding(&self) -> bool {
        self.batch.is_some()
    }

    /// Passes on what waited, if it may go. Ready when nothing of it is left.
    pub(crate) fn poll(&mut self, client: &mut Leg, capture: &Capture, cx: &mut Context<'_>) -> Poll<()> {
        let Some(batch) = self.batch else { return Poll::Ready(()) };
        if !capture.landed.poll(batch, cx) {
            return Poll::Pending;
        }
        self.batch = None;
        client.write(cx, &self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        client.poll_pending(cx)
    }
}

/// Statements that wait for their intents, in the server's leg: behind its gate, with all that came in the same chunk.
/// Until they have gone no more is read from the client.
#[derive(Debug)]
pub(crate) struct Withheld {
    /// What they wait for.
    pub(crate) batch: u64,
    /// How many.
    pub(crate) count: u32,
    /// What the session was at before them.
    pub(crate) before: Rest,
}
