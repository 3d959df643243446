//! The audit event: what one record says, and how it is written down.
//!
//! * [`event`]: [`Event`], as a reader sees it: typed, decoded from JSON. Its parts: [`statement`], [`session`], and
//!   [`notice`], of what is no statement.
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
pub mod notice;
pub mod session;
pub mod statement;
pub mod table;
pub mod time;

pub use batch::Batch;
pub use event::*;
pub use notice::*;
pub use session::*;
pub use statement::*;
pub use uuid::Uuid;

/// The version of the JSON form.
pub const VERSION: u32 = 1;
