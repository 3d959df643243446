//! From records to events, away from the path of the bytes.
//!
//! * [`Auditor`]: one thread; the sessions of some workers, in order.
//! * `session`: applies what was seen, one observation after the other. `change`: what a statement changes for the next.
//!   `extended`: those of the extended protocol.
//!   `run`, `values`, `ahead`: runs of statements that the server numbers. `login`: who it is, and how its texts are read.
//! * `query`: the simple query protocol, and the statements of a text. `names`: prepared statements and portals.
//! * `text`: a statement's text, understood once. `texts`, `cache`: what is remembered of texts. `operation`: what was done.
//! * `statement`: one execution of it; `execution`: how its answer makes one. `aside`: what is told beside it. `secret`: what was
//!   hidden of it, and parameters that are to be.
//! * `transaction`, `block`, `item`: whether it lasted, and what is held until that is known.
//! * `intent`: what is to run, told before it does (mode `strict`).
//! * `encode`: the event. `identity`: what all events of a session have in common.
//!   `ids`: what tells events apart.

mod ahead;
mod alone;
mod aside;
mod block;
mod cache;
mod change;
mod encode;
mod execution;
mod extended;
mod identity;
mod ids;
mod implicit;
mod intent;
mod item;
mod login;
mod lost;
mod names;
mod operation;
mod query;
mod reading;
mod readings;
mod run;
mod secret;
mod session;
mod statement;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod texts;
mod transaction;
mod values;

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use panoptes_event::{Uuid, time::Clock};
use panoptes_parser::wire::Nanos;
use panoptes_sinks::{AppendError, Journal, Origin};
use tracing::warn;

use crate::{
    cancel::Keys,
    capture::{Batch, Note, Record},
    clock::{self, Anchor},
    metrics::{Metrics, StatementCounts},
    session::SessionNumber,
};
use encode::EncodedOrigin;
use ids::Ids;
use item::Item;
use names::NameLimits;
use operation::Operated;
use session::Session;
use texts::Texts;

/// The parser recurses as deep as a statement is nested, so its thread has a stack for the deepest that it is given.
pub(crate) const STACK_BYTES: usize = 64 << 20;
/// Events are written to the journal so many bytes at a time: what is encoded, numbered and checksummed is then still
/// in the core's own cache, and a sink takes it as one batch.
const WRITE_BYTES: usize = 240 << 10;
/// How long a statement may wait for the end of its transaction before it is written without its verdict.
const MAX_HELD: Duration = Duration::from_secs(1);

/// What the making of events needs.
pub(crate) struct Tools {
    origin: EncodedOrigin,
    texts: Texts,
    calendar: Clock,
    anchor: Anchor,
    ids: Ids,
    out: panoptes_event::Batch,
    /// Where the sessions of other threads are.
    keys: Arc<Keys>,
    metrics: Arc<Metrics>,
    metrics_batch: StatementCounts,
    unknown: Rc<Operated>,
    no_parameters: Rc<[u8]>,
    /// Parameters that are being encoded.
    encoded: Vec<u8>,
    /// Memory for what a session holds.
    spare: Vec<Item>,
}

impl Tools {
    fn new(origin: Origin, cache_bytes: usize, keys: Arc<Keys>, metrics: Arc<Metrics>) -> Self {
        Self {
            origin: EncodedOrigin::new(&origin),
            texts: Texts::new(cache_bytes),
            calendar: Clock::default(),
            anchor: Anchor::now(),
            ids: Ids::new(),
            out: panoptes_event::Batch::default(),
            keys,
            metrics,
            metrics_batch: StatementCounts::default(),
            unknown: Operated::unknown(),
            no_parameters: Rc::default(),
            encoded: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// A UUIDv7 of a time.
    fn event_id(&self, unix_micros: i64) -> Uuid {
        self.ids.next(unix_micros)
    }

    /// The first of so many, that count up from it.
    fn event_ids(&self, unix_micros: i64, count: u32) -> Uuid {
        self.ids.next_of(unix_micros, count)
    }
}

/// One audit thread.
pub(crate) struct Auditor {
    sessions: HashMap<SessionNumber, Box<Session>, RandomState>,
    limits: NameLimits,
    tools: Tools,
    journal: Journal,
    /// Sessions of the batch at hand, where someone waits for it.
    awaited: Vec<SessionNumber>,
    /// When it was last looked for what is held too long.
    looked: Nanos,
}

impl Auditor {
    /// Writes to `journal`.
    pub(crate) fn new(
        origin: Origin,
        config: &panoptes_config::Config,
        journal: Journal,
        keys: Arc<Keys>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let limits = NameLimits {
            count: config.limits.max_prepared_statements,
            bytes: config.limits.max_prepared_bytes.as_usize(),
            ahead: config.limits.max_parameter_bytes.as_usize(),
            text: config.limits.max_sql_bytes.as_usize(),
        };
        let cache_bytes = config.audit.statement_cache.as_usize() / config.audit.threads.max(1);
        Self {
            sessions: HashMap::default(),
            limits,
            tools: Tools::new(origin, cache_bytes, keys, metrics),
            journal,
            awaited: Vec::new(),
            looked: 0,
        }
    }

    /// Works until all workers are gone.
    pub(crate) fn run(mut self, queue: &Receiver<Batch>) {
        loop {
            match queue.recv_timeout(MAX_HELD) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    return;
                }
            }
            self.spill(clock::now());
            self.write();
        }
    }

    fn take(&mut self, mut batch: Batch) {
        self.tools.anchor = batch.anchor;
        let mut records = std::mem::take(&mut batch.records);
        let mut last = None;
        for Record { session, note } in records.drain(..) {
            if batch.landing.is_some() && last != Some(session) {
                self.awaited.extend(last.replace(session));
            }
            self.record(session, note, &batch);
            if self.tools.out.size() >= WRITE_BYTES {
                self.write();
            }
        }
        batch.records = records;
        self.awaited.extend(last);
        self.spill_awaited();
        if let Some(landing) = batch.landing.take()
            && self.write()
        {
            self.journal.when_durable(move || landing.land());
        }
        batch.recycle();
        self.tools.metrics.queued.dec();
    }

    fn record(&mut self, number: SessionNumber, note: Note, batch: &Batch) {
        let tools = &mut self.tools;
        match note {
            Note::Observed(observation) => {
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.observe(observation.map(|span| batch.at(span)), tools);
                }
            }
            Note::Opened(opened) => {
                let session = Session::new(*opened, self.limits);
                self.sessions.insert(number, Box::new(session));
            }
            Note::Ended { at, ending } => {
                if let Some(mut session) = self.sessions.remove(&number) {
                    session.end(at, &ending, tools);
                }
            }
            Note::Unsent { count } => {
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.unsent(count);
                }
            }
            Note::Cancel(request) => encode::write_cancel(&request, tools),
            Note::Gap { count, from, to } => encode::write_gap(count, from, to, tools),
        }
    }

    /// Writes what is held of sessions whose answers wait for it: until the server is ready they may wait for long, and a
    /// client may not.
    fn spill_awaited(&mut self) {
        for number in self.awaited.drain(..) {
            if let Some(session) = self.sessions.get_mut(&number).filter(|session| session.is_awaited()) {
                session.spill(&mut self.tools);
            }
        }
    }

    /// Writes what has been held too long.
    fn spill(&mut self, now: Nanos) {
        let too_long = clock::nanos(MAX_HELD);
        // All sessions are looked at: not with every batch.
        if now.saturating_sub(self.looked) < too_long / 4 {
            return;
        }
        self.looked = now;
        for session in self.sessions.values_mut() {
            if session.held_since.is_some_and(|since| now.saturating_sub(since) > too_long) {
                session.spill(&mut self.tools);
            }
        }
    }

    /// Writes the events so far; whether the journal, or a gap event of its own, has them all.
    fn write(&mut self) -> bool {
        if self.tools.out.is_empty() {
            return true;
        }
        let told = match self.journal.append(&self.tools.out) {
            Ok(_) | Err(AppendError::Dropped { .. }) => true,
            Err(error @ AppendError::Closed { .. }) => {
                warn!(%error, "events were lost");
                false
            }
        };
        self.tools.out.clear();
        self.tools.metrics.count_statements(&mut self.tools.metrics_batch);
        told
    }
}
