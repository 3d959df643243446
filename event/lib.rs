//! The audit event: what one record says, and how it is written down.
//!
//! * [`event`]: [`Event`] and its parts, as a reader sees them: typed, decoded from JSON.
//! * [`time`]: the forms in which an event tells its time.
//! * [`json`]: strings and objects of JSON, written in place; whatever could deceive a reader's terminal is escaped.
//! * [`table`]: the same as a row of a table; its columns, and the DDL for each database.
//! * [`batch`]: encoded events on their way to the journal, which gives each its number.
//!
//! The JSON form is a contract (version [`VERSION`]): a field may be added, never renamed or retyped.
//! An event is encoded once, by the auditor, and travels as bytes from then on.

pub mod batch;
pub mod event;
pub mod json;
pub mod table;
pub mod time;

pub use batch::Batch;
pub use event::*;
pub use uuid::Uuid;

/// The version of the JSON form.
pub const VERSION: u32 = 1;
