//! [`Pipeline`]: questions without an answer yet, and the rules by which the server answers them.
//!
//! It settles questions in the order in which they were asked, but for three rules of the protocol:
//! * a simple Query has an answer for each statement, and its place in the queue until ReadyForQuery;
//! * after an error in the extended protocol the server passes over everything up to the next Sync;
//! * while it reads COPY data it passes over Sync and Flush, up to CopyDone or CopyFail. Which of them it had passed
//!   when a COPY failed nobody says: such a Sync is *doubtful*. It may be answered, or else the next answer is for
//!   what was asked behind it.

mod copy;

use crate::{
    digest::TextDigest,
    inflight::Inflight,
    wire::{Answer, Ask, Digest, Nanos, Observation, Observer, Settled},
};

use super::{
    backend::Report,
    condense::Condenser,
    frame::Frame,
    frontend::{self, Kind},
};

/// Questions in the order in which they were asked, and how far the answer to the first has come.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    asked: Inflight<Kind>,
    /// How many Syncs of the queue are doubtful: they come before all others.
    doubtful: u64,
    /// The server passes over what comes, up to the next Sync.
    skipping: bool,
    /// Something was asked since the last Sync.
    unsynced: bool,
    /// The server reads COPY data for the question at the front.
    copying_in: bool,
    /// What was asked by the question at the front became a stream in both directions.
    streaming: bool,
    /// Bytes of COPY data that the client sent since it last asked.
    sent: u64,
    told: Told,
    passed: Passed,
}

/// What was told of the Query or FunctionCall at the front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    /// Its text, and the answers of some of its statements.
    Some,
    /// It failed, or became a stream: there are no more answers to tell.
    All,
}

/// What was seen passing since the last answer.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    rows: u64,
    bytes: u64,
    warnings: u32,
}

/// Before a Sync the server holds answers back, up to `PQ_SEND_BUFFER_SIZE` of its `pqcomm.c`: 8 KiB. One takes five bytes
/// or more, so with as many unanswered some must come.
const HELD_BACK: usize = 2_000;
/// What is kept of a question where there is no room for more: names, and the beginning of a text.
const HEAD_BYTES: usize = 256;

/// What may be answered by CommandComplete, and by CopyInResponse.
pub(super) const RUNS: &[Kind] = &[Kind::Query, Kind::Execute];
const ASKS: &[Kind] = &[
    Kind::Query,
    Kind::Parse,
    Kind::Bind,
    Kind::Describe,
    Kind::Execute,
    Kind::Close,
    Kind::Function,
    Kind::BadFlush,
];

impl Pipeline {
    /// Takes a question of the client. Once `most` bytes are kept, it keeps the head of a question only: the client
    /// cannot be made to wait instead, as the server may hold its answers back until the client has sent a Sync.
    pub(super) fn ask(&mut self, kind: Kind, frame: Frame<'_>, most: usize, out: &mut impl Observer) {
        let mut length = frame.length;
        match kind {
            Kind::Sync => (self.skipping, self.unsynced) = (false, false),
            _ if self.skipping => return skipped(kind, frame, out),
            // Late, or for nothing: the server passes over it.
            Kind::CopyEnd if self.asked.is_empty() => return,
            Kind::CopyEnd => length = std::mem::take(&mut self.sent),
            Kind::BadFlush if self.is_copied_to() => return,
            Kind::BadFlush => {}
            _ => (self.sent, self.unsynced) = (0, !kind.is_synced()),
        }
        // As many of them as the client cares to send take one place.
        if matches!(kind, Kind::Sync | Kind::BadFlush) && self.asked.repeat(kind) {
            return;
        }
        let keep = if self.asked.size() < most { frame.body.len() } else { HEAD_BYTES };
        match frame.body.split_at_checked(keep) {
            // One that was condensed has its values in order; so has what is cut of it.
            Some((_, [_, ..])) if kind == Kind::Bind && length == frame.body.len() as u64 => {
                let mut condenser = Condenser::new(keep);
                condenser.add(frame.body);
                let (body, left_out) = condenser.finish();
                self.asked.push(kind, frame.begun, &body, length - left_out, None);
            }
            Some((head, [_, ..])) => {
                let hashed = digest(kind, frame.body);
                self.asked.push(kind, frame.begun, head, length, frame.digest.or(hashed.as_ref()));
            }
            _ => self.asked.push(kind, frame.begun, frame.body, length, frame.digest),
        }
    }

    /// Counts COPY data of the client.
    pub(super) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// Counts a row, or COPY data, of the server.
    pub(super) fn passed(&mut self, rows: u64, bytes: u64) {
        self.passed.rows += rows;
        self.passed.bytes += bytes;
    }

    /// Counts a warning.
    pub(super) fn warned(&mut self) {
        self.passed.warnings += 1;
    }

    /// The server has done what was asked: one of `kinds`.
    pub(super) fn complete(&mut self, kinds: &[Kind], tag: &[u8], at: Nanos, out: &mut impl Observer) {
        let sent = if std::mem::take(&mut self.copying_in) { self.end_copy() } else { 0 };
        let Passed { rows, bytes, .. } = self.passed;
        let complete = Answer::Complete { tag, rows, bytes, sent };
        self.settle(kinds, if self.streaming { Answer::Streaming } else { complete }, at, out);
    }

    /// The server has sent some of the rows.
    pub(super) fn suspend(&mut self, at: Nanos, out: &mut impl Observer) {
        let Passed { rows, bytes, .. } = self.passed;
        self.settle(&[Kind::Execute], Answer::Suspended { rows, bytes }, at, out);
    }

    /// The server has answered the question at the front: one of `kinds`.
    pub(super) fn settle(
        &mut self,
        kinds: &[Kind],
        answer: Answer<&[u8]>,
        at: Nanos,
        out: &mut impl Observer,
    ) {
        if !self.expect(kinds, out) || self.told == Told::All {
            return;
        }
        let warnings = self.end_answer(&answer, out);
        self.tell(answer, at, warnings, out);
        let last = matches!(answer, Answer::Failed(_) | Answer::Streaming);
        match self.asked.front_kind() {
            Some(Kind::Query) if !last => self.told = Told::Some,
            Some(Kind::Query | Kind::Function) => self.told = Told::All,
            _ => self.asked.pop(),
        }
        self.doubtful = 0;
    }

    /// The server has described a statement's parameters.
    pub(super) fn describe(&mut self, types: &[u8], out: &mut impl Observer) {
        if self.expect(&[Kind::Describe], out)
            && let Some((entry, body, _)) = self.asked.front()
            && let Ask::Describe { name, .. } = frontend::ask(entry.kind, body, entry.length)
        {
            out.observe(Observation::Described { statement: name, types });
        }
    }

    /// The server has described rows, or that there are none: the end of its answer to a Describe.
    pub(super) fn described(&mut self, out: &mut impl Observer) {
        if self.expect(&[Kind::Describe, Kind::Query, Kind::Execute], out)
            && self.asked.front_kind() == Some(Kind::Describe)
        {
            self.asked.pop();
        }
    }

    /// The server has failed.
    pub(super) fn fail(&mut self, report: Report<'_>, at: Nanos, out: &mut impl Observer) {
        let failure = report.failure();
        // Behind a doubtful Sync it is the error of what was asked there: that Sync had nothing to commit.
        if self.doubtful > 0 && self.len() > 0 {
            self.pass_doubtful(ASKS);
        }
        match self.front() {
            Some(Kind::Sync) if !failure.fatal => out.observe(Observation::CommitFailed(failure)),
            None if !failure.fatal => astray(out),
            Some(kind) if kind != Kind::Sync && self.told != Told::All => {
                let doubtful = if std::mem::take(&mut self.copying_in) { self.syncs_in_copy() } else { 0 };
                self.settle(&[kind], Answer::Failed(failure), at, out);
                self.doubtful = doubtful;
                if failure.fatal {
                    self.abandon(Answer::Skipped, at, out);
                } else if !kind.is_synced() {
                    self.skip(at, out);
                }
            }
            front if failure.fatal => {
                out.observe(Observation::Ended(failure));
                // Whether a Sync was still heard nobody knows. What is behind a statement that had failed was not.
                if front != Some(Kind::Sync) {
                    self.abandon(Answer::Skipped, at, out);
                }
            }
            _ => {}
        }
    }

    /// The server is ready for the next question.
    pub(super) fn ready(&mut self, at: Nanos, out: &mut impl Observer) {
        self.leave(at, out);
        loop {
            match self.front() {
                Some(Kind::Sync) => break self.asked.pop(),
                Some(kind) if kind.is_synced() && self.told != Told::Nothing => break self.asked.pop(),
                None => break astray(out),
                Some(kind) => {
                    out.observe(Observation::Blind { reason: "the server was ready before it answered" });
                    self.drop_front(Answer::Lost, at, out);
                    if kind.is_synced() {
                        break;
                    }
                }
            }
        }
        (self.skipping, self.copying_in) = (false, false);
        (self.told, self.passed) = (Told::Nothing, Passed::default());
        if self.front().is_none() {
            self.doubtful = 0;
        }
    }

    /// Ends everything that has no answer; whether something was to be committed.
    pub(super) fn abandon(&mut self, answer: Answer<&[u8]>, at: Nanos, out: &mut impl Observer) -> bool {
        let entries = (0..self.asked.len()).filter_map(|place| self.asked.entry(place));
        let synced = entries.filter(|entry| entry.kind.is_synced());
        let unanswered = synced.map(|entry| u64::from(entry.times)).sum::<u64>() > self.doubtful;
        while let Some(kind) = self.asked.front_kind() {
            match kind {
                Kind::Sync => self.asked.remove_empty(0),
                _ => self.drop_front(answer, at, out),
            }
        }
        unanswered
    }

    /// Forgets what passed so far: nobody asked for it.
    pub(super) fn begin(&mut self) {
        self.passed = Passed::default();
    }

    /// Number of questions that are to be answered for certain.
    pub(super) fn len(&self) -> usize {
        let mut doubtful = self.doubtful;
        let is_doubtful = |place: &usize| {
            let times = self.asked.entry(*place).map(|entry| u64::from(entry.times));
            let less = times.and_then(|times| doubtful.checked_sub(times)).filter(|_| doubtful > 0);
            doubtful = less.unwrap_or(0);
            less.is_some()
        };
        self.asked.len() - (0..self.asked.len()).take_while(is_doubtful).count()
    }

    /// Whether no more should be taken, of `most` questions without an answer: some answers come whatever the client does.
    pub(super) fn is_full(&self, most: usize) -> bool {
        let length = self.len();
        length >= most && (length >= HELD_BACK || !self.unsynced && !self.copying_in && !self.streaming)
    }

    /// Whether something was asked since the last Sync.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Whether the question that is answered next is one of `kinds`.
    fn expect(&mut self, kinds: &[Kind], out: &mut impl Observer) -> bool {
        let expected = self.front().is_some_and(|kind| kinds.contains(&kind)) || self.pass_doubtful(kinds);
        if !expected {
            astray(out);
        }
        expected
    }

    /// The kind of the question that is answered next. An end of COPY data that has come to the front is a late one,
    /// which the server passes over.
    fn front(&mut self) -> Option<Kind> {
        while self.asked.front_kind() == Some(Kind::CopyEnd) {
            self.asked.pop();
        }
        self.asked.front_kind()
    }

    /// After an error in the extended protocol: everything up to the next Sync is passed over.
    fn skip(&mut self, at: Nanos, out: &mut impl Observer) {
        while let Some(kind) = self.asked.front_kind() {
            if kind == Kind::Sync {
                return;
            }
            self.drop_front(Answer::Skipped, at, out);
        }
        self.skipping = true;
    }

    /// Settles the question at the front without a word of the server.
    fn drop_front(&mut self, answer: Answer<&[u8]>, at: Nanos, out: &mut impl Observer) {
        if self.asked.front_kind().is_some_and(Kind::is_told) && self.told != Told::All {
            self.end_answer(&answer, out);
            self.tell(answer, at, 0, out);
        }
        self.told = Told::Nothing;
        self.asked.pop();
    }

    /// What is told ahead of an answer, of what passed of it: all of a stream, or as much as came before it broke off. Gives
    /// the number of warnings.
    fn end_answer(&mut self, answer: &Answer<&[u8]>, out: &mut impl Observer) -> u32 {
        let Passed { rows, bytes, warnings } = std::mem::take(&mut self.passed);
        if std::mem::take(&mut self.streaming) {
            let sent = std::mem::take(&mut self.sent) + self.end_copy();
            out.observe(Observation::Streamed { returned: bytes, sent });
        } else if bytes > 0 && matches!(answer, Answer::Failed(_) | Answer::Lost) {
            out.observe(Observation::BrokeOff { rows, bytes });
        }
        warnings
    }

    /// Tells the question at the front; a text only once.
    fn tell(&self, answer: Answer<&[u8]>, answered: Nanos, warnings: u32, out: &mut impl Observer) {
        let Some((entry, body, digest)) = self.asked.front() else { return };
        let mut ask = frontend::ask(entry.kind, body, entry.length);
        if self.told != Told::Some {
            hashed(digest, out);
        } else if let Ask::Query { text, .. } = &mut ask {
            *text = None;
        }
        out.observe(Observation::Settled(Settled { ask, answer, asked: entry.asked, answered, warnings }));
    }
}

/// Tells a question before it is passed on.
pub(super) fn tell_asked(kind: Kind, frame: &Frame<'_>, out: &mut impl Observer) {
    let ask = frontend::ask(kind, frame.body, frame.length);
    if ask.is_told_ahead() {
        hashed(frame.digest, out);
        out.observe(Observation::Asked { ask, at: frame.begun });
    }
}

/// Of a question's text.
fn digest(kind: Kind, body: &[u8]) -> Option<Digest> {
    kind.text_behind().map(|strings| TextDigest::of(strings, body))
}

fn hashed(digest: Option<&Digest>, out: &mut impl Observer) {
    if let Some(sha256) = digest {
        out.observe(Observation::Hashed { sha256 });
    }
}

/// Settles a question that never had a place in the queue.
fn skipped(kind: Kind, frame: Frame<'_>, out: &mut impl Observer) {
    if kind.is_told() {
        hashed(frame.digest, out);
        let ask = frontend::ask(kind, frame.body, frame.length);
        let (asked, answered) = (frame.begun, frame.begun);
        out.observe(Observation::Settled(Settled {
            ask,
            answer: Answer::Skipped,
            asked,
            answered,
            warnings: 0,
        }));
    }
}

fn astray(out: &mut impl Observer) {
    out.observe(Observation::Blind { reason: "an answer of the server fits no question" });
}
