//! How far what a worker handed over has come to the disk: sessions of a durable listener hold an answer back until the
//! events that it brings are there. Many share one sync.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use tokio::sync::Notify;

/// Told by the journal's thread, asked by a worker's.
#[derive(Debug, Default)]
struct State {
    /// All batches below this number are on disk.
    below: AtomicU64,
    news: Notify,
}

/// A worker's side.
#[derive(Debug, Default)]
pub(crate) struct Landed {
    state: Arc<State>,
    /// Who waits, and for which batch.
    waiting: RefCell<Vec<(u64, Waker)>>,
}

/// A batch that someone waits for.
#[derive(Debug)]
pub(crate) struct Landing {
    state: Arc<State>,
    batch: u64,
}

impl Landed {
    /// For the batch of this number.
    pub(crate) fn landing(&self, batch: u64) -> Landing {
        Landing { state: Arc::clone(&self.state), batch }
    }

    /// Whether a batch is on disk. If not, the task is woken when it is.
    pub(crate) fn poll(&self, batch: u64, cx: &Context<'_>) -> bool {
        let landed = batch < self.below();
        if !landed {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|(waits_for, waker)| *waits_for == batch && waker.will_wake(cx.waker())) {
                waiting.push((batch, cx.waker().clone()));
            }
        }
        landed
    }

    /// Wakes those whose batch has landed. Ends never.
    pub(crate) async fn run(&self) {
        loop {
            self.state.news.notified().await;
            let below = self.below();
            self.waiting
                .borrow_mut()
                .extract_if(.., |(batch, _)| *batch < below)
                .for_each(|(_, waker)| waker.wake());
        }
    }

    fn below(&self) -> u64 {
        self.state.below.load(Ordering::Acquire)
    }
}

impl Landing {
    /// It is on disk, and all before it.
    pub(crate) fn land(self) {
        self.state.below.fetch_max(self.batch.saturating_add(1), Ordering::Release);
        self.state.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_when_its_batch_has_landed() {
        let landed = Landed::default();
        let (first, second) = (landed.landing(0), landed.landing(1));
        let wait = std::future::poll_fn(|cx| match landed.poll(1, cx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        let land = async {
            tokio::task::yield_now().await;
            first.land();
            tokio::task::yield_now().await;
            second.land();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = wait => {}
            () = landed.run() => {}
            () = land => {}
        }
        assert!(landed.poll(0, &Context::from_waker(Waker::noop())), "the earlier one as well");
    }
}
