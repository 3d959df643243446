//! What holds of the transcripts of every protocol: what is seen is what was expected, however the bytes are cut.
//!
//! With `BLESS=1` an expected file that is missing is written, to be read with care before it is kept; none is replaced.

use std::fs;

use super::{Protocol, Run, Side, observe, transcripts};

pub(crate) fn each_is_seen_as_expected(protocol: Protocol) {
    let mut wrong = Vec::new();
    for (path, transcript) in transcripts(protocol) {
        let seen = observe(protocol, &transcript.runs(protocol));
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

pub(crate) fn a_cut_anywhere_changes_nothing(protocol: Protocol) {
    for (path, transcript) in transcripts(protocol) {
        let runs = transcript.runs(protocol);
        let whole = observe(protocol, &runs);
        for (place, run) in runs.iter().enumerate() {
            for cut in run.first_cut()..run.bytes.len() {
                let mut pieces = runs.clone();
                let (a, b) = run.split_at(cut);
                pieces.splice(place..=place, [a, b]);
                assert_eq!(observe(protocol, &pieces), whole, "{} run {place} cut at {cut}", path.display());
            }
        }
    }
}

/// `size` is that of the n-th piece of a run.
pub(crate) fn pieces_change_nothing(protocol: Protocol, size: impl Fn(usize) -> usize) {
    for (path, transcript) in transcripts(protocol) {
        let runs = transcript.runs(protocol);
        let pieces: Vec<Run> = runs.iter().flat_map(|run| run.pieces(&size)).collect();
        assert_eq!(observe(protocol, &pieces), observe(protocol, &runs), "{}", path.display());
    }
}

pub(crate) fn every_side_speaks_somewhere(protocol: Protocol) {
    let all = transcripts(protocol);
    let spoken =
        |side| all.iter().filter(|(_, t)| t.runs(protocol).iter().any(|run| run.side == side)).count();
    assert_eq!(spoken(Side::Client), all.len());
    let (_, at_least) = protocol.transcripts();
    assert!(spoken(Side::Server) > at_least);
}
