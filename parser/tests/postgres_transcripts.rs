//! What real servers said, replayed: the same observations however the bytes are cut, and those that were expected.
//!
//! Transcripts are under `tests/data/postgres/transcripts` at the root, recorded by `record.py` beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod transcript;

use proptest::prelude::*;
use transcript::{Protocol, invariance};

const PROTOCOL: Protocol = Protocol::Postgres;

#[test]
fn each_transcript_is_seen_as_expected() {
    invariance::each_is_seen_as_expected(PROTOCOL);
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    invariance::a_cut_anywhere_changes_nothing(PROTOCOL);
}

#[test]
fn byte_by_byte_changes_nothing() {
    invariance::pieces_change_nothing(PROTOCOL, |_| 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pieces_of_any_size_change_nothing(sizes in prop::collection::vec(1..300_usize, 1..50)) {
        invariance::pieces_change_nothing(PROTOCOL, |n| sizes[n % sizes.len()]);
    }
}

#[test]
fn every_side_speaks_somewhere() {
    invariance::every_side_speaks_somewhere(PROTOCOL);
}
