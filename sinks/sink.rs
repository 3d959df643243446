//! What a sink is: something that takes a batch of events or says why not.

use std::{borrow::Cow, future::Future, time::Duration};

use serde::Deserialize;

use crate::journal::Span;

/// A destination of events. It says how to send one batch; following the journal, batching, retries, dead letters and
/// counting are the driver's.
///
/// A batch may come again after a failure or a crash: events have ids, which make the repeat harmless.
pub trait Sink: Send + 'static {
    /// Looks whether the destination can be delivered to, and prepares it. Called before the first batch, and again until
    /// it succeeds.
    fn open(&mut self) -> impl Future<Output = Result<(), Failure>> {
        std::future::ready(Ok(()))
    }

    /// Sends one batch. Runs on a thread of this sink's own, so it may block; but only an `await` can be cut short
    /// when the program ends.
    fn deliver(&mut self, batch: &Records<'_>) -> impl Future<Output = Result<(), Failure>>;

    /// Makes what was taken survive a crash of the machine, where taking it was not enough. Called ahead of each cursor.
    ///
    /// # Errors
    ///
    /// Why what was taken since the last time may not stay: it is sent again. A sink that needs this has one lane.
    fn settle(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// How many events of the last delivery show that the destination takes any, where it `took` so many of them. Fewer where
    /// nothing was done for some; more where it also took, without an error, what was refused after that.
    fn proofs(&self, took: usize) -> usize {
        took
    }

    /// How many batches go into one delivery: more than one where the sink makes requests of its own of them, and has several
    /// under way.
    fn batches(&self) -> usize {
        1
    }

    /// How many events it takes at once, whatever a batch may hold.
    fn at_once(&self) -> usize {
        usize::MAX
    }
}

/// Why a batch is not, or not wholly, at its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The batch must be sent again.
    Retry {
        /// What went wrong, for the log.
        reason: String,
        /// How long the destination asked to be left alone.
        after: Option<Duration>,
    },
    /// The batch was refused as a whole, for what is in it: one event may be at fault, or none. Parts of it will tell.
    Refused {
        /// What the destination said.
        reason: String,
    },
    /// Some events were taken, others not. Places count from 0 within the batch; what is in no list was taken.
    Partial {
        /// Those to be sent again.
        again: Vec<usize>,
        /// Those that will never be taken, for certain, each with the reason: they go to the dead letters.
        refused: Vec<(usize, String)>,
        /// Those that were refused where nothing shows that others would have been taken.
        unproven: Vec<(usize, String)>,
        /// What went wrong, for the log.
        reason: String,
        /// How long the destination asked to be left alone.
        after: Option<Duration>,
    },
}

impl Failure {
    /// The batch must be sent again.
    pub fn retry(reason: impl ToString) -> Self {
        Self::Retry { reason: reason.to_string(), after: None }
    }

    /// Why, and how long the destination asked to be left alone.
    pub(crate) fn into_reason(self) -> (String, Option<Duration>) {
        match self {
            Self::Retry { reason, after } | Self::Partial { reason, after, .. } => (reason, after),
            Self::Refused { reason } => (reason, None),
        }
    }

    /// Some were taken: none that is in `again` or `refused`.
    pub(crate) fn partial(
        again: Vec<usize>,
        refused: Vec<(usize, String)>,
        rest: Option<(String, Option<Duration>)>,
    ) -> Result<(), Self> {
        let (reason, after) = rest.unwrap_or_default();
        match again.is_empty() && refused.is_empty() {
            true => Ok(()),
            false => Err(Self::Partial { again, refused, unproven: Vec::new(), reason, after }),
        }
    }
}

/// Why a sink cannot be made of its options: found at the start, for a person to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionError {
    /// The option, below the sink's own table.
    pub(crate) option: String,
    /// What is wrong with it, and what to do.
    pub(crate) what: String,
}

impl OptionError {
    pub(crate) fn new(option: impl Into<String>, what: impl ToString) -> Self {
        Self { option: option.into(), what: what.to_string() }
    }
}

/// A batch of events, in the order of their numbers.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    block: &'a [u8],
    spans: &'a [Span],
}

/// One event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number.
    pub seq: u64,
    /// Its time, in microseconds since 1970.
    pub unix_micros: i64,
    /// Its JSON, complete.
    pub json: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(block: &'a [u8], spans: &'a [Span]) -> Self {
        Self { block, spans }
    }

    /// Those at some places.
    #[must_use]
    pub fn slice(&self, places: std::ops::Range<usize>) -> Self {
        Self { block: self.block, spans: self.spans.get(places).unwrap_or_default() }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The events.
    pub fn iter(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let block = self.block;
        self.spans.iter().map(move |span| Record::new(block, span))
    }

    /// Writes the events to `out`, each behind `prefix` and on a line of its own.
    pub(crate) fn write_lines(&self, prefix: &[u8], out: &mut Vec<u8>) {
        for record in self.iter() {
            out.extend_from_slice(prefix);
            out.extend_from_slice(record.json);
            out.push(b'\n');
        }
    }
}

impl<'a> Record<'a> {
    pub(crate) fn new(block: &'a [u8], span: &Span) -> Self {
        Self { seq: span.seq, unix_micros: span.unix_micros, json: span.json(block) }
    }

    /// The event's id, from its place at the head of the JSON; empty for what is no event of ours.
    #[must_use]
    pub fn id(&self) -> &'a str {
        const BEFORE: &[u8] = br#"{"id":""#;
        let rest = self.json.strip_prefix(BEFORE).unwrap_or_default();
        let id = rest.iter().position(|byte| *byte == b'"').and_then(|end| rest.get(..end));
        id.and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default()
    }

    /// The id of its session; empty where it is of none.
    #[must_use]
    pub fn session(&self) -> Cow<'a, str> {
        session(self.json)
    }
}

/// The id of the session of an encoded event; empty where it is of none.
pub(crate) fn session(json: &[u8]) -> Cow<'_, str> {
    #[derive(Default, Deserialize)]
    struct Event<'a> {
        #[serde(borrow, default)]
        session: Session<'a>,
    }
    #[derive(Default, Deserialize)]
    struct Session<'a> {
        #[serde(borrow, default)]
        id: Cow<'a, str>,
    }
    let event: Event<'_> = serde_json::from_slice(json).unwrap_or_default();
    event.session.id
}
