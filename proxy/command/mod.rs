//! The commands that look after the trail, the one that makes its table, and the one that reads SQL: each is a file; `output`: what they say.

mod again;
pub(crate) mod check;
pub(crate) mod classify;
pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod output;
mod replay;
pub(crate) mod schema;
pub(crate) mod verify;
