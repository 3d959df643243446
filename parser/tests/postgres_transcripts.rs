//! What real servers said, replayed: the same observations however the bytes are cut, and those that were expected.
//!
//! Transcripts are under `tests/data/postgres/transcripts` at the root, recorded by `record.py` beside them. With
//! `BLESS=1` an expected file that is missing is written, to be read with care before it is kept; none is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod transcript;

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use transcript::{Protocol, Run, Side, Transcript};

const PROTOCOL: Protocol = Protocol::Postgres;
const AT_LEAST: usize = 100;

fn transcripts() -> Vec<(PathBuf, Transcript)> {
    transcript::transcripts("postgres", AT_LEAST)
}

fn observe(runs: &[Run]) -> String {
    transcript::observe(PROTOCOL, runs)
}

#[test]
fn each_transcript_is_seen_as_expected() {
    let mut wrong = Vec::new();
    for (path, transcript) in transcripts() {
        let seen = observe(&transcript.runs(PROTOCOL));
        let expected = path.with_extension("expected");
        if !expected.exists() && std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &seen).expect("to write");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if expected != seen {
            wrong.push(format!("{}\n--- expected\n{expected}--- seen\n{seen}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    for (path, transcript) in transcripts() {
        let runs = transcript.runs(PROTOCOL);
        let whole = observe(&runs);
        for (place, run) in runs.iter().enumerate() {
            for cut in run.first_cut()..run.bytes.len() {
                let mut pieces = runs.clone();
                let (a, b) = run.split_at(cut);
                pieces.splice(place..=place, [a, b]);
                assert_eq!(observe(&pieces), whole, "{} run {place} cut at {cut}", path.display());
            }
        }
    }
}

#[test]
fn byte_by_byte_changes_nothing() {
    for (path, transcript) in transcripts() {
        let runs = transcript.runs(PROTOCOL);
        let bytes: Vec<_> = runs.iter().flat_map(|run| run.pieces(|_| 1)).collect();
        assert_eq!(observe(&bytes), observe(&runs), "{}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pieces_of_any_size_change_nothing(sizes in prop::collection::vec(1..300_usize, 1..50)) {
        for (path, transcript) in transcripts() {
            let runs = transcript.runs(PROTOCOL);
            let pieces: Vec<_> = runs.iter().flat_map(|run| run.pieces(|n| sizes[n % sizes.len()])).collect();
            prop_assert_eq!(observe(&pieces), observe(&runs), "{}", path.display());
        }
    }
}

#[test]
fn every_side_speaks_somewhere() {
    let all = transcripts();
    let spoken =
        |side| all.iter().filter(|(_, t)| t.runs(PROTOCOL).iter().any(|run| run.side == side)).count();
    assert_eq!(spoken(Side::Client), all.len());
    assert!(spoken(Side::Server) > AT_LEAST);
}
