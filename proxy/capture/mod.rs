//! What one worker saw, on its way to the auditor.
//!
//! Records are collected in a batch and handed over when the batch is large, or a tenth of a second old: so nothing on
//! the path of the bytes locks, wakes or allocates for a single statement. Batches come back empty and are filled
//! again.
//!
//! The queue is bounded. While it is full, no more is read from clients (`block`), or statements are left out,
//! counted, and told as a gap (`drop`).

mod batch;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    task::{Context, Waker},
};

use panoptes_config::OnFull;
use panoptes_parser::wire::Nanos;
use prometheus::IntGauge;

use self::batch::Home;
pub(crate) use self::batch::{Batch, Note, Queue, Record, Span};
use crate::{
    clock::{self, Anchor},
    landed::Landed,
    pacer::{Beat, Pacer},
    session::SessionNumber,
};

/// A batch is handed over at this size, in bytes of records and text.
const BATCH_BYTES: usize = 256 << 10;
/// Or at this age in nanoseconds, as soon as the worker does something; one that has nothing to do is called. Each
/// hand-over wakes threads whose code and data have gone cold: with 150 connections/s, 40 ms would cost a connection 25 µs
/// more. It is as long as an `async` journal waits for its sync, so a crash takes no more for it than that already may.
const BATCH_AGE: Nanos = 100_000_000;
/// What a batch may hold where even a full queue must not lose it (logins, prepared statements): beyond it clients
/// wait, whatever the policy.
const MAX_HELD_BYTES: usize = 8 << 20;
/// Empty batches that wait to be filled again.
const SPARE_BATCHES: usize = 4;

/// One worker's end of the queue. Lives on the worker's thread.
#[derive(Debug)]
pub(crate) struct Capture {
    records: RefCell<Vec<Record>>,
    bytes: RefCell<Vec<u8>>,
    queue: Queue,
    spare: Receiver<(Vec<Record>, Vec<u8>)>,
    home: Home,
    on_full: OnFull,
    /// Counts the batches in the queue.
    queued: IntGauge,
    /// The queue was full at the last try.
    full: Cell<bool>,
    left_out: Cell<Option<(u64, Nanos, Nanos)>>,
    /// When the batch was first looked at.
    since: Cell<Option<Nanos>>,
    pacer: Pacer,
    beat: Arc<Beat>,
    waiting: RefCell<Vec<Waker>>,
    /// How often they were woken, from 1.
    rooms: Cell<u64>,
    /// Number of the batch that is being filled.
    number: Cell<u64>,
    /// Someone waits for it to be on disk.
    wanted: Cell<bool>,
    pub(crate) landed: Landed,
}

impl Capture {
    /// A worker's end of `queue`.
    pub(crate) fn new(
        queue: Queue,
        on_full: OnFull,
        queued: IntGauge,
        pacer: Pacer,
        beat: Arc<Beat>,
    ) -> Rc<Self> {
        let (give, spare) = sync_channel(SPARE_BATCHES);
        let home = Home { spare: give, room: Arc::clone(&queue.room) };
        Rc::new(Self {
            records: RefCell::default(),
            bytes: RefCell::default(),
            queue,
            spare,
            home,
            on_full,
            queued,
            full: Cell::new(false),
            left_out: Cell::new(None),
            since: Cell::new(None),
            pacer,
            beat,
            waiting: RefCell::default(),
            rooms: Cell::new(1),
            number: Cell::new(0),
            wanted: Cell::new(false),
            landed: Landed::default(),
        })
    }

    /// Adds a record; its bytes were added before.
    pub(crate) fn push(&self, session: SessionNumber, note: Note) {
        let mut records = self.records.borrow_mut();
        if records.is_empty() {
            self.pacer.begin(&self.beat);
        }
        records.push(Record { session, note });
        let size = records.len() * size_of::<Record>() + self.bytes.borrow().len();
        drop(records);
        if size >= BATCH_BYTES && !self.full.get() {
            self.flush();
        }
    }

    /// Hands over what is old enough; whether it was.
    pub(crate) fn look(&self, now: Nanos) -> bool {
        match self.since.get() {
            Some(since) => now.saturating_sub(since) >= BATCH_AGE && !self.full.get() && self.flush(),
            None if self.records.borrow().is_empty() => false,
            None => {
                self.since.set(Some(now));
                false
            }
        }
    }

    /// Hands over what there is; `false` if the queue is full.
    pub(crate) fn flush(&self) -> bool {
        if let Some((count, from, to)) = self.left_out.take() {
            // Ahead of it in the batch is only what came before.
            self.records.borrow_mut().push(Record { session: 0, note: Note::Gap { count, from, to } });
        }
        if self.records.borrow().is_empty() && !self.wanted.get() {
            return true;
        }
        let (records, bytes) = self.spare.try_recv().unwrap_or_default();
        let batch = Batch {
            records: self.records.replace(records),
            bytes: self.bytes.replace(bytes),
            anchor: Anchor::now(),
            landing: self.wanted.take().then(|| self.landed.landing(self.number.get())),
            home: self.home.clone(),
            load: None,
        };
        match self.queue.try_send(batch) {
            None => {
                self.full.set(false);
                self.since.set(None);
                self.number.set(self.number.get() + 1);
                self.beat.hand_over();
                self.queued.inc();
            }
            Some(batch) => {
                self.full.set(true);
                self.wanted.set(batch.landing.is_some());
                self.records.replace(batch.records);
                self.bytes.replace(batch.bytes);
                // From now on the task waits for room.
                self.beat.call.notify_one();
            }
        }
        !self.full.get()
    }

    /// Changes with each record.
    pub(crate) fn mark(&self) -> (u64, usize) {
        (self.number.get(), self.records.borrow().len())
    }

    /// The batch that has landed when all that was captured so far is on disk: it is handed over as soon as the sessions
    /// that are ready now had their turn.
    pub(crate) fn want(&self) -> u64 {
        self.wanted.set(true);
        self.beat.call.notify_one();
        self.number.get()
    }

    /// Whether clients may be read. If not, the task is woken when they may; `asked` is its own, and tells that it waits.
    pub(crate) fn poll_room(&self, asked: &mut u64, cx: &Context<'_>) -> bool {
        let closed =
            self.full.get() && (self.on_full != OnFull::Drop || self.bytes.borrow().len() > MAX_HELD_BYTES);
        if closed && *asked != self.rooms.get() {
            *asked = self.rooms.get();
            self.waiting.borrow_mut().push(cx.waker().clone());
        }
        !closed
    }

    /// Hands over what this worker is called for. Ends never.
    pub(crate) async fn run(&self, mut tick: impl FnMut()) {
        loop {
            self.beat.call.notified().await;
            tick();
            {
                let mut handed_over = std::pin::pin!(self.hand_over());
                // However long there is no room, alarms ring.
                loop {
                    tokio::select! {
                        biased;
                        () = &mut handed_over => break,
                        () = self.beat.call.notified() => tick(),
                    }
                }
            }
            self.rooms.set(self.rooms.get() + 1);
            self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }

    /// Hands over what there is, once there is room for it.
    pub(crate) async fn hand_over(&self) {
        loop {
            // Room that comes while the queue is looked at is not missed.
            let room = self.queue.room.notified();
            if self.flush() {
                return;
            }
            room.await;
        }
    }

    /// Adds bytes that the next record tells of.
    pub(crate) fn store(&self, bytes: &[u8]) -> Span {
        let mut held = self.bytes.borrow_mut();
        let start = u32::try_from(held.len()).unwrap_or(u32::MAX);
        held.extend_from_slice(bytes);
        Span { start, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    /// Whether statements are to be left out: the queue is full, and that is the policy.
    pub(crate) fn is_dropping(&self) -> bool {
        self.full.get() && self.on_full == OnFull::Drop
    }

    /// Counts a statement that was left out.
    pub(crate) fn leave_out(&self) {
        let now = clock::now();
        let (count, from, _) = self.left_out.get().unwrap_or((0, now, now));
        self.left_out.set(Some((count + 1, from, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Recorder;
    use panoptes_parser::wire::{Answer, Ask, Observation, Observer, Settled, TransactionStatus};

    fn statement(text: &[u8]) -> Observation<&[u8]> {
        Observation::Settled(Settled {
            ask: Ask::Query { text: Some(text), length: 1 },
            answer: Answer::Empty,
            asked: 1,
            answered: 2,
            warnings: 0,
        })
    }

    fn capture(queue: Queue, on_full: OnFull) -> Rc<Capture> {
        let queued = IntGauge::new("queued", "queued").unwrap();
        Capture::new(queue, on_full, queued, Pacer::start(Vec::new()).unwrap(), Arc::default())
    }

    fn text(batch: &Batch, place: usize) -> &[u8] {
        match &batch.records[place].note {
            Note::Observed(Observation::Settled(Settled {
                ask: Ask::Query { text: Some(text), .. },
                ..
            })) => batch.at(*text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bytes_travel_with_their_record() {
        let (queue, auditor) = Queue::new(1);
        let capture = capture(queue, OnFull::Block);
        let mut recorder = Recorder::new(7, capture.clone());
        recorder.observe(statement(b"one"));
        recorder.observe(statement(b"two"));
        assert!(capture.flush());
        let batch = auditor.try_recv().unwrap();
        assert_eq!(
            (text(&batch, 0), text(&batch, 1), batch.records[1].session),
            (&b"one"[..], &b"two"[..], 7)
        );
        batch.recycle();
        recorder.observe(statement(b"three"));
        assert!(capture.flush());
        assert_eq!(text(&auditor.try_recv().unwrap(), 0), b"three");
    }

    #[test]
    fn what_is_old_enough_is_handed_over_at_the_next_look() {
        let (queue, auditor) = Queue::new(1);
        let capture = capture(queue, OnFull::Block);
        assert!(!capture.look(0) && !capture.look(BATCH_AGE), "there is nothing");
        Recorder::new(7, capture.clone()).observe(statement(b"one"));
        assert!(!capture.look(10) && !capture.look(9 + BATCH_AGE) && capture.look(10 + BATCH_AGE));
        assert_eq!(text(&auditor.try_recv().unwrap(), 0), b"one");
    }

    #[test]
    fn with_block_a_full_queue_stops_the_clients_and_loses_nothing() {
        let (queue, auditor) = Queue::new(1);
        let capture = capture(queue, OnFull::Block);
        let mut recorder = Recorder::new(7, capture.clone());
        recorder.observe(statement(b"one"));
        assert!(capture.flush());
        recorder.observe(statement(b"two"));
        assert!(!capture.flush());
        recorder.observe(statement(b"three"));
        assert!(!capture.poll_room(&mut 0, &Context::from_waker(Waker::noop())));
        auditor.try_recv().unwrap();
        assert!(capture.flush());
        let batch = auditor.try_recv().unwrap();
        assert_eq!((text(&batch, 0), text(&batch, 1)), (&b"two"[..], &b"three"[..]));
        assert!(capture.poll_room(&mut 0, &Context::from_waker(Waker::noop())));
    }

    #[test]
    fn the_queue_holds_so_many_bytes() {
        let (queue, auditor) = Queue::new(3 * BATCH_BYTES);
        let capture = capture(queue, OnFull::Block);
        let mut recorder = Recorder::new(7, capture.clone());
        recorder.observe(statement(&[b'x'; 4 * BATCH_BYTES]));
        // It was handed over at once, as there was nothing else.
        recorder.observe(statement(b"one"));
        assert!(!capture.flush());
        auditor.try_recv().unwrap().recycle();
        assert!(capture.flush());
        recorder.observe(statement(b"two"));
        assert!(capture.flush(), "they are small");
    }

    #[tokio::test]
    async fn room_is_told_to_every_worker() {
        let (queue, auditor) = Queue::new(1);
        let captures = [(); 2].map(|()| capture(queue.clone(), OnFull::Block));
        for capture in &captures {
            Recorder::new(7, capture.clone()).observe(statement(b"one"));
        }
        assert!(captures[0].flush());
        assert!(!captures[1].flush());
        let handed_over = async {
            // What filled the queue was the other's.
            tokio::task::yield_now().await;
            auditor.recv().unwrap().recycle();
            while auditor.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = captures[1].run(|| {}) => {}
            () = handed_over => {}
        }
        assert!(captures[1].poll_room(&mut 0, &Context::from_waker(Waker::noop())));
    }

    #[test]
    fn with_drop_a_full_queue_leaves_statements_out_and_says_how_many() {
        let (queue, auditor) = Queue::new(1);
        let capture = capture(queue, OnFull::Drop);
        let mut recorder = Recorder::new(7, capture.clone());
        recorder.observe(statement(b"one"));
        assert!(capture.flush());
        recorder.observe(statement(b"two"));
        assert!(!capture.flush());
        recorder.observe(statement(b"three"));
        recorder.observe(statement(b"four"));
        recorder.observe(Observation::Ready(TransactionStatus::Idle));
        assert!(capture.poll_room(&mut 0, &Context::from_waker(Waker::noop())));
        auditor.try_recv().unwrap();
        assert!(capture.flush());
        let batch = auditor.try_recv().unwrap();
        assert_eq!((batch.records.len(), text(&batch, 0)), (3, &b"two"[..]));
        assert!(matches!(batch.records[2].note, Note::Gap { count: 2, .. }));
    }
}
