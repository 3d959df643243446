//! The commands that look after the trail, the one that makes its table, and the one that reads SQL: each is a file.

mod again;
pub(crate) mod classify;
pub(crate) mod journal;
pub(crate) mod keys;
mod replay;
pub(crate) mod schema;
pub(crate) mod verify;
