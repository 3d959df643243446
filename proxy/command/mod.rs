//! The commands that look after the trail: each is a file.

pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod verify;
