//! The journal, and the sinks that follow it.
//!
//! ```text
//! Journal::append → journal/ (disk) → driver (one thread a sink: batch, retry, dead letters, cursor) → Sink::deliver
//! ```
//!
//! * [`journal`]: the numbered log on disk; segments, cursors, recovery.
//! * `sink`: [`Sink`], what a destination must do: take a batch of [`Records`] or say which [`Failure`] it is.
//! * `driver`: follows the journal for one sink; `filter`: which events it gets; `lane`, `backoff`: sends again what failed;
//!   `life`: begins anew what ended in a panic; `trial`, `witness`: which events are refused for what they are; `dead_letters`: what a destination will never take,
//!   and how that is sent once more.
//! * `format`: how an event is told: native, ECS, OCSF, CloudEvents.
//! * `sinks`: [`Sinks`], all of them; `kinds`: the place where a new kind is registered.
//! * `console` (with `pretty`), `file`, `http` (Splunk's too), `elasticsearch`, `syslog`, `database`, `kafka`: a sink each;
//!   `tls`: for all that connect.
//! * `vital`: [`Vital`], for threads that nothing may go on without.
//!
//! A program opens the journal with the names of its sinks, starts [`Sinks`], and appends. It ends with
//! [`Journal::close`], then [`Sinks::finish`].

pub mod journal;

mod backoff;
mod console;
mod database;
mod dead_letters;
mod driver;
mod elasticsearch;
mod file;
mod filter;
mod format;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod kinds;
mod lane;
mod life;
mod pretty;
mod sink;
mod sinks;
mod syslog;
mod tls;
mod trial;
mod vital;
mod witness;

pub use dead_letters::Letters;
pub use journal::{AppendError, Appended, Journal, Origin};
pub use sink::{Failure, Record, Records, Sink};
pub use sinks::{Sinks, StartError};
pub use vital::{EXIT_DEFECT, Vital};
