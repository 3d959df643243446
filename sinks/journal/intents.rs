//! Intents that have no outcome yet (mode `strict`), and what becomes of those that a crash left so.
//!
//! While it is open the journal keeps the segments that hold such intents, so that a start behind a crash finds them; but
//! no more than three quarters of what it may take: beyond that they go, and a crash leaves them without an outcome. A start
//! that finds some writes the outcome of each: a `statement` event of outcome `lost`, whose transaction has the verdict
//! `unknown`. These are on disk before anything else is taken; of those that another crash keeps away, the next start
//! writes the rest.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::ControlFlow,
};

use panoptes_event::{
    Batch, Event, Kind, Outcome, Session, Sql, Transaction, Uuid, Verdict, batch::Intended,
};

use super::{
    loss::Loss,
    scan::{Seen, scan},
    shared::{Shared, lock, now},
};

/// How many are followed; some megabytes of memory.
const MOST: usize = 1 << 17;

/// The intents without an outcome.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intents {
    /// With a number that is not behind that of their event.
    open: BTreeMap<Uuid, u64>,
    /// How many there were.
    told: u64,
    /// Those that there was no room to follow.
    unfollowed: u64,
}

impl Intents {
    /// The event of this number, or one behind it, says this of intents.
    pub(crate) fn note(&mut self, intended: Intended, seq: u64) {
        match intended {
            Intended::Told(id) => {
                self.told += 1;
                if self.open.len() < MOST {
                    self.open.insert(id, seq);
                } else {
                    self.unfollowed += 1;
                }
            }
            Intended::Met { first, count } => self.meet(first, count),
        }
    }

    fn meet(&mut self, first: Uuid, count: u32) {
        for place in 0..u128::from(count).min(MOST as u128) {
            self.open.remove(&Uuid::from_u128(first.as_u128().wrapping_add(place)));
        }
    }

    /// What a record says, as it is found in a file.
    pub(crate) fn see(&mut self, seq: u64, json: &[u8]) {
        let intended = Intended::of(json);
        // An outcome comes behind its intent.
        if let Some(intended) = intended.filter(|is| matches!(is, Intended::Told(_)) || !self.open.is_empty())
        {
            self.note(intended, seq);
        }
    }

    /// How many there were.
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// How many have no outcome.
    pub(crate) fn open(&self) -> u64 {
        self.open.len() as u64
    }

    /// The number of the oldest.
    fn oldest(&self) -> Option<u64> {
        self.open.values().min().copied()
    }

    /// Follows those no longer whose number is at most this; how many they were.
    fn let_go(&mut self, seq: u64) -> usize {
        let before = self.open.len();
        self.open.retain(|_, at| *at > seq);
        before - self.open.len()
    }
}

impl Shared {
    /// Follows what a batch says: from its event `from` on, so many, numbered from `first` on.
    pub(crate) fn intend(&self, batch: &Batch, from: usize, events: usize, first: u64) {
        let said = batch.intents().iter().filter(|(place, _)| (from..from + events).contains(place));
        let mut said = said.peekable();
        if said.peek().is_some() {
            let mut intents = lock(&self.intents);
            said.for_each(|(_, intended)| intents.note(*intended, first));
        }
    }

    /// The events of a batch from `from` on are not taken: whom they would have been the outcome of is not waited for.
    pub(crate) fn give_up_outcomes(&self, batch: &Batch, from: usize) {
        for (_, intended) in batch.intents().iter().filter(|(place, _)| *place >= from) {
            if let Intended::Met { first, count } = intended {
                lock(&self.intents).meet(*first, *count);
            }
        }
    }

    /// How far segments may go, of those whose numbers are all at most `passed`.
    pub(crate) fn outcomes_behind(&self, passed: u64) -> u64 {
        let crowded = lock(&self.ledger).bytes() > self.bounds.max_size / 4 * 3;
        let oldest = lock(&self.intents).oldest().filter(|_| !crowded);
        oldest.map_or(passed, |oldest| passed.min(oldest.saturating_sub(1)))
    }

    /// Segments went, up to this number: those of its intents that are open are followed no longer.
    pub(crate) fn let_go_of_intents(&self, seq: u64) {
        let count = lock(&self.intents).let_go(seq);
        if count > 0 {
            tracing::warn!(
                count,
                "the journal is three quarters full, and the intents of statements that are under way had to go: a crash now would leave them without an outcome"
            );
        }
    }

    /// Writes the outcome of each of these intents, which stand in the files below the number `end`.
    pub(crate) fn write_outcomes(&self, intents: &Intents, end: u64) -> io::Result<()> {
        if intents.unfollowed > 0 {
            self.cannot_tell(intents.unfollowed, "too many intents had no outcome");
        }
        let Some(oldest) = intents.oldest() else { return Ok(()) };
        let numbers = oldest..=end.saturating_sub(1);
        let mut sessions = HashMap::new();
        let is_open = |event: &Event| event.kind == Kind::Intent && intents.open.contains_key(&event.id);
        self.each_event(numbers.clone(), |_, event| {
            if let Some((id, at)) =
                event.session.as_ref().and_then(|session| Some((session.id, session.seq?)))
            {
                if is_open(&event) {
                    sessions.entry(id).or_insert(at);
                }
                sessions.entry(id).and_modify(|last| *last = at.max(*last));
            }
            Ok(())
        })?;
        let mut left = intents.open();
        self.each_event(numbers, |unix_micros, event| {
            if is_open(&event) {
                let last = event.session.as_ref().and_then(|session| sessions.get_mut(&session.id));
                let at = last.map(|last| {
                    *last += 1;
                    *last
                });
                left -= u64::from(self.write_outcome(&event, unix_micros, at)?);
            }
            Ok(())
        })?;
        tracing::warn!(
            intents = intents.open() - left,
            "statements were under way at the crash: their outcome is not known, and told so"
        );
        if left > 0 {
            self.cannot_tell(left, "no room for the outcomes of intents");
        }
        Ok(())
    }

    /// Shows events as they stand in the files, with their times. What cannot be read was told already.
    fn each_event(
        &self,
        numbers: std::ops::RangeInclusive<u64>,
        mut each: impl FnMut(i64, Event) -> io::Result<()>,
    ) -> io::Result<()> {
        scan(self.directory.path(), numbers, |seen| {
            if let Seen::Event { unix_micros, json, .. } = seen
                && let Ok(event) = serde_json::from_slice(json)
            {
                each(unix_micros, event)?;
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Whether there was room for it.
    fn write_outcome(&self, intent: &Event, unix_micros: i64, at: Option<u64>) -> io::Result<bool> {
        let batch = outcome(intent, unix_micros, at);
        let size = (batch.size() + super::OVERHEAD) as u64;
        let full = lock(&self.ledger).bytes() + size > self.bounds.max_size;
        if !full {
            lock(&self.writer).write(self, batch.iter())?;
        }
        Ok(!full)
    }

    fn cannot_tell(&self, count: u64, reason: &str) {
        let now = now();
        self.lose(&Loss { count, from: now, to: now, reason: reason.to_owned() });
    }
}

/// That of a statement of which a crash hides what became of it; `at` is its number in the session.
fn outcome(intent: &Event, unix_micros: i64, at: Option<u64>) -> Batch {
    let mut batch = Batch::default();
    let sql =
        Sql { success: Some(false), outcome: Some(Outcome::Lost), ..intent.sql.clone().unwrap_or_default() };
    let session = intent.session.clone().map(|session| Session { seq: at, ..session });
    let transaction =
        Transaction { verdict: Some(Verdict::Unknown), ..intent.transaction.clone().unwrap_or_default() };
    batch.event(Uuid::now_v7(), Kind::Statement, unix_micros, |event| {
        event
            .member("meta", &intent.meta)
            .optional("db", intent.db.as_ref())
            .optional("operation", intent.operation.as_ref())
            .member("sql", &sql)
            .optional("actor", intent.actor.as_ref())
            .optional("request", intent.request.as_ref())
            .optional("session", session)
            .member("transaction", &transaction)
            .uuid("intentId", intent.id);
    });
    batch
}
