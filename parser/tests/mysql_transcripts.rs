//! What a real MariaDB said, replayed: the same observations however the bytes are cut, and those that were expected.
//!
//! Transcripts are under `tests/data/mysql/transcripts` at the root, recorded by `record.py` beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod transcript;

use panoptes_parser::{
    mysql::{
        Mysql,
        values::{Parameter, Parameters, Value, write_json},
    },
    text::Encoding,
    wire::{Ask, Limits, Observation, Settled, Wire},
};
use proptest::prelude::*;
use transcript::{Protocol, Side, invariance};

const PROTOCOL: Protocol = Protocol::Mysql;

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

#[test]
fn parameters_are_read_as_they_were_meant() {
    let all = transcript::transcripts(PROTOCOL);
    let (_, transcript) =
        all.iter().find(|(path, _)| path.ends_with("b5-all-types.txt")).expect("a transcript");
    let (mut wire, mut json) = (Mysql::new(Limits::default()), Vec::new());
    let mut read = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask: Ask::Run { parameters: Some(body), .. }, .. }) =
            observation
        {
            for Parameter { kind, value, .. } in Parameters::new(body, 21, false, &[], &[]) {
                let value = match value {
                    Value::Null => None,
                    Value::Whole(bytes) => Some(bytes),
                    Value::Head { .. } => panic!("a head"),
                };
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
    let expected = "-1 255 -2 null -3 4294967293 null -9223372036854775808 18446744073709551615 1.5 0.1 123.4500 \
        \"2026-11-22\" \"2026-11-22 09:14:03\" \"2026-11-22 09:14:03.123456\" \"-26:03:04.000001\" \"text\" \"char\" \
        {\"type\":\"blob\",\"hex\":\"00ff\"} null null ";
    assert_eq!(String::from_utf8(json).expect("UTF-8"), expected);
}
