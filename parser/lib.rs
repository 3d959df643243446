//! Wire protocols and SQL, pure: no sockets, no clock, no runtime.
//!
//! * [`wire`]: the one trait that a protocol implements. [`observation`]: what it observes.
//! * [`reader`]: a bounded cursor over a frame.
//! * [`inflight`]: what was asked and not yet answered.
//! * `digest`: what a text that is too long to be kept can be known by.
//! * `head`: values of which only the head was kept.
//! * `json`: values as JSON, whatever protocol they came by.
//! * [`postgres`]: PostgreSQL's protocol. [`mysql`]: MySQL's, and MariaDB's.
//! * [`sql`]: what a statement does, and to what.
//! * [`text`]: bytes of a session's encoding as text. `characters`: where a server reads them otherwise.
//!
//! Bytes come in by [`wire::Wire`], cut anywhere; a frame is read in place by its header, a question waits in
//! [`inflight`] for its answer, and both go out together as an observation. What the SQL says is found out later,
//! away from the path of the bytes.

mod characters;
mod digest;
mod head;
pub mod inflight;
mod json;
pub mod mysql;
pub mod observation;
pub mod postgres;
pub mod reader;
pub mod sql;
pub mod text;
pub mod wire;
