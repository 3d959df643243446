//! PostgreSQL's wire: frontend/backend protocol 3.0 to 3.2.
//! <https://www.postgresql.org/docs/current/protocol.html>
//!
//! * `startup`: the packets before the first typed message.
//! * `frame`: type, length, body; any cut of the stream.
//! * `frontend`, `backend`: the bodies that matter, a direction each; `condense`: those of a Bind with long values.
//! * `key`: the cancel key, exchanged for one of ours.
//! * `pipeline`: what was asked and not yet answered; ties answers to questions.
//! * `session`: [`Postgres`], one session in both directions.
//! * [`values`]: bound parameters as JSON.

mod backend;
mod condense;
mod frame;
mod frontend;
mod key;
mod pipeline;
mod session;
mod startup;
pub mod values;

pub use backend::tag_rows;
pub use frontend::type_oids;
pub use key::SECRET_BYTES;
pub use session::Postgres;
pub use startup::pairs;
