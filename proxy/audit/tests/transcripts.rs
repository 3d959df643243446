//! What real servers said, replayed.
//!
//! Beside each transcript of `tests/data/*/transcripts` is what must come of it, `<name>.events`, a line for each
//! event. With `BLESS=1` a file that is missing is written, to be read with care before it is kept; none is replaced.

use std::{fs, path::PathBuf};

use panoptes_config::Protocol as Spoken;
use panoptes_parser::{
    mysql::Mysql,
    postgres::Postgres,
    wire::{Limits, Opening, Wire},
};

use super::Stage;
use crate::session::Ending;

#[path = "../../../parser/tests/transcript/mod.rs"]
mod transcript;

use transcript::{Protocol, Run, Side, Transcript};

#[test]
fn each_transcript_of_postgres_makes_the_events_that_it_should() {
    check(Protocol::Postgres, "postgres", 100);
}

#[test]
fn each_transcript_of_mysql_makes_the_events_that_it_should() {
    check(Protocol::Mysql, "mysql", 50);
}

/// Fewer files than `at_least` are a mistake of this test.
fn check(protocol: Protocol, folder: &str, at_least: usize) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{folder}/transcripts"));
    let entries = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    assert!(paths.len() > at_least, "{} transcripts", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let runs = Transcript::read(&path).runs(protocol);
        let told = match protocol {
            Protocol::Postgres => replay(Postgres::new(Limits::default(), [7; 32]), Stage::new(), &runs),
            Protocol::Mysql => replay(Mysql::new(Limits::default()), Stage::of(Spoken::Mysql), &runs),
        };
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
fn replay(mut wire: impl Wire, mut stage: Stage, runs: &[Run]) -> String {
    let (mut open, mut refused) = (wire.open(b"") == Opening::More, false);
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
