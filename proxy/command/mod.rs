//! The commands that look after the trail, and the one that makes its table: each is a file.

pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod schema;
pub(crate) mod verify;
