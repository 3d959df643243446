//! What a real MariaDB said, replayed: the same observations however the bytes are cut, and those that were expected.
//!
//! Transcripts are under `tests/data/mysql/transcripts` at the root, recorded by `record.py` beside them. With
//! `BLESS=1` an expected file that is missing is written, to be read with care before it is kept; none is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod transcript;

use std::{fs, path::PathBuf};

use panoptes_parser::{
    mysql::{
        Mysql,
        values::{Parameter, Parameters, write_json},
    },
    text::Encoding,
    wire::{Ask, Limits, Observation, Settled, Wire},
};
use proptest::prelude::*;
use transcript::{Protocol, Run, Side, Transcript};

const PROTOCOL: Protocol = Protocol::Mysql;
const AT_LEAST: usize = 50;

fn transcripts() -> Vec<(PathBuf, Transcript)> {
    transcript::transcripts("mysql", AT_LEAST)
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
fn parameters_are_read_as_they_were_meant() {
    let all = transcripts();
    let (_, transcript) =
        all.iter().find(|(path, _)| path.ends_with("b5-all-types.txt")).expect("a transcript");
    let (mut wire, mut json) = (Mysql::new(Limits::default()), Vec::new());
    let mut read = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask: Ask::Run { parameters: Some(body), .. }, .. }) =
            observation
        {
            for Parameter { kind, value, .. } in Parameters::new(body, 21, false, &[], &[]) {
                write_json(&mut json, kind, value, &Encoding::UTF8);
                json.push(b' ');
            }
        }
    };
    for run in transcript.runs(PROTOCOL) {
        let mut bytes = run.bytes.clone();
        match run.side {
            Side::Client => wire.client(&mut bytes, 0, &mut read).expect("to follow"),
            Side::Server => wire.server(&mut bytes, 0, &mut read).expect("to follow"),
        }
    }
    let expected = "-1 255 -2 2026 -3 4294967293 9 -9223372036854775808 18446744073709551615 1.5 0.1 123.4500 \
        \"2026-11-22\" \"2026-11-22 09:14:03\" \"2026-11-22 09:14:03.123456\" \"-26:03:04.000001\" \"text\" \"char\" \
        {\"type\":\"blob\",\"hex\":\"00ff\"} null null ";
    assert_eq!(String::from_utf8(json).expect("UTF-8"), expected);
}

#[test]
fn every_side_speaks_somewhere() {
    let all = transcripts();
    let spoken =
        |side| all.iter().filter(|(_, t)| t.runs(PROTOCOL).iter().any(|run| run.side == side)).count();
    assert_eq!(spoken(Side::Client), all.len());
    assert!(spoken(Side::Server) > AT_LEAST);
}
