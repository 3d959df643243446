//! One sink on its thread: driven to the journal's end, and begun anew where it ends in a panic.
//!
//! A panic is a defect of Panoptes, and one of this sink alone: sessions and other sinks go on, and this one goes on behind
//! what it acknowledged, after a pause (`retry.initial`, doubling to `retry.max` until it has delivered something again).

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt;
use panoptes_config as config;
use tokio::{sync::watch, time::sleep};

use crate::{
    backoff::Backoff,
    driver::Driver,
    lane::Lane,
    sink::{OptionError, Sink},
};

/// Makes a sink of its options.
pub(crate) type New<O, S> = fn(&O) -> Result<S, OptionError>;

/// What a sink is made of, as often as it has to be.
pub(crate) struct Maker<O, S> {
    pub(crate) options: O,
    pub(crate) new: New<O, S>,
    /// Over how many connections it delivers at once.
    pub(crate) lanes: usize,
    pub(crate) retry: config::Retry,
}

impl<O, S: Sink> Maker<O, S> {
    pub(crate) fn lanes(&self) -> Result<Vec<Lane<S>>, OptionError> {
        let lane = |_| Ok(Lane::new((self.new)(&self.options)?, &self.retry));
        (0..self.lanes).map(lane).collect()
    }
}

/// Drives a sink until it has the whole of a closed journal, or is told to stop: whether it has.
pub(crate) async fn live<O, S: Sink>(
    mut driver: Driver<S>,
    maker: Maker<O, S>,
    mut stop: watch::Receiver<bool>,
) -> bool {
    let mut backoff = Backoff::new(&maker.retry);
    loop {
        let before = driver.taken();
        let ended = tokio::select! {
            ended = AssertUnwindSafe(once(&mut driver, &maker)).catch_unwind() => Some(ended),
            // Also where nobody holds the other end any more.
            _ = stop.wait_for(|&stop| stop) => None,
        };
        match ended {
            None => {
                let _ = caught(|| driver.save());
                return false;
            }
            Some(Ok(Ok(finished))) => return finished,
            Some(Ok(Err(OptionError { option, what }))) => driver.shared.failed(&format!("{option}: {what}")),
            Some(Err(_)) => fell(&mut driver),
        }
        if driver.taken() > before {
            backoff.reset();
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            _ = stop.wait_for(|&stop| stop) => return false,
        }
    }
}

/// Drives it to the journal's end; whether that is kept.
async fn once<O, S: Sink>(driver: &mut Driver<S>, maker: &Maker<O, S>) -> Result<bool, OptionError> {
    if driver.lanes.is_empty() {
        driver.lanes = maker.lanes()?;
    }
    driver.run().await;
    Ok(driver.save())
}

/// It ended in a panic: what it acknowledged is kept if it can be, what it had in hand is read again, and its connections are
/// given up.
fn fell<S: Sink>(driver: &mut Driver<S>) {
    driver.shared.fell();
    let _ = caught(|| driver.save());
    driver.shared.follower.rewind();
    let lanes = std::mem::take(&mut driver.lanes);
    let _ = caught(|| drop(lanes));
}

/// What was in the middle of something may panic once more.
fn caught<T>(what: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(what))
}
