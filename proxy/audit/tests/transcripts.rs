//! What real servers said, replayed.
//!
//! Beside each transcript of `tests/data/postgres/transcripts` is what must come of it, `<name>.events`, a line for each
//! event. With `BLESS=1` a file that is missing is written, to be read with care before it is kept; none is replaced.

use std::{fs, path::PathBuf};

use panoptes_parser::{
    postgres::Postgres,
    wire::{Limits, Opening, Wire},
};

use super::Stage;
use crate::session::Ending;

#[path = "../../../parser/tests/transcript/mod.rs"]
mod transcript;

use transcript::{Protocol, Run, Side, Transcript};

/// Fewer files than these are a mistake of this test.
const AT_LEAST: usize = 100;

#[test]
fn each_transcript_makes_the_events_that_it_should() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/postgres/transcripts");
    let entries = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    assert!(paths.len() > AT_LEAST, "{} transcripts", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let told = replay(&Transcript::read(&path).runs(Protocol::Postgres));
        let expected = path.with_extension("events");
        if !expected.exists() && std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_else(|_| "missing\n".into());
        if expected != told {
            wrong.push(format!("{}\n--- expected\n{expected}--- told\n{told}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Shows a session's bytes to its wire, and what the wire saw to the auditor.
fn replay(runs: &[Run]) -> String {
    let mut wire = Postgres::new(Limits::default(), [7; 32]);
    let mut stage = Stage::new();
    let (mut open, mut refused) = (true, false);
    for run in runs {
        match run.side {
            Side::Client if open => match wire.open(&run.bytes) {
                Opening::Dial => {
                    open = false;
                    refused = wire.client(&mut run.bytes.clone(), 0, &mut stage).is_err();
                }
                Opening::Reply { .. } => {}
                Opening::Refuse { .. } => return stage.told(),
                other => panic!("{other:?}"),
            },
            Side::Client if !refused => refused = wire.client(&mut run.bytes.clone(), 0, &mut stage).is_err(),
            Side::Client => {}
            // The proxy's own answer.
            Side::Server if open => {}
            Side::Server => wire.server(&mut run.bytes.clone(), 0, &mut stage).unwrap(),
        }
    }
    let ending = if wire.is_terminated() { Ending::ClientTerminate } else { Ending::ClientEof };
    wire.end(0, &mut stage);
    stage.end(&ending).told()
}
