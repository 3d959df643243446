//! Nobody reads what is said, or the disk that it goes to is full: each exit code stays what it means, and nothing panics.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    support::{free_port, raw::Raw, wait_for},
};

pub(crate) const TESTS: &[Named] =
    &[("commands_keep_their_exit_codes", commands), ("a_proxy_goes_on_without_its_log", log)];

/// Attempts at a port that something else may take first.
const ATTEMPTS: usize = 5;
const ROUTE: [&str; 4] = ["--listen", "127.0.0.1:6432", "--upstream", "postgres://db.internal"];

fn commands(_: &Rig) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("journal"))?;
    let check = [&["check"][..], &ROUTE].concat();
    for (arguments, heard, full) in [
        (&["schema", "--engine", "postgres"][..], 0, 1),
        (&check, 0, 1),
        (&["keys", "pair"], 0, 1),
        (&["journal", "state", "--journal", "journal"], 0, 1),
        (&["journal", "state", "--journal", "journal", "--json"], 0, 1),
        (&["verify", "journal"], 3, 3),
        (&["verify", "journal", "--json"], 3, 3),
    ] {
        let answers = [(Stdio::piped(), heard, false), (nobody()?, heard, false), (full_disk()?, full, true)];
        for (out, code, is_lost) in answers {
            let _ = fs::remove_file(dir.path().join("pair.key"));
            let _ = fs::remove_file(dir.path().join("pair.pub"));
            let ended = run(dir.path(), arguments, out, Stdio::piped())?;
            let told = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {told}");
            assert_eq!(told.contains("standard output: No space"), is_lost, "{arguments:?}: {told}");
        }
    }
    for (arguments, code) in [(&["check"][..], 2), (&["verify", "nowhere"], 3), (&["keys", "no/where"], 1)] {
        for unheard in [nobody()?, full_disk()?] {
            let ended = run(dir.path(), arguments, Stdio::null(), unheard)?;
            assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
        }
    }
    Ok(())
}

fn log(rig: &Rig) -> Result<(), Failed> {
    let upstream = format!("postgres://127.0.0.1:{}", rig.server().port);
    for unheard in [nobody, full_disk] {
        let dir = tempfile::tempdir()?;
        let (mut proxy, mut client) = start(dir.path(), &upstream, unheard)?;
        client.query("select 'unheard'")?;
        let pid = proxy.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status()?.success());
        let ended = wait_for("panoptes to end", || proxy.try_wait().expect("its state"));
        assert_eq!(ended.code(), Some(0));
        assert!(fs::read_to_string(dir.path().join("events.jsonl"))?.contains("select 'unheard'"));
    }
    Ok(())
}

/// A proxy whose log goes nowhere, and a client of it.
fn start(dir: &Path, upstream: &str, log: fn() -> io::Result<Stdio>) -> Result<(Child, Raw), Failed> {
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let mut proxy = panoptes(dir)
            .args(["run", "--listen", &format!("127.0.0.1:{port}"), "--upstream", upstream])
            .args(["--journal", "journal", "--sink", "file=events.jsonl"])
            .env("PANOPTES_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(log()?)
            .spawn()?;
        let client = wait_for("panoptes to come up", || match proxy.try_wait().expect("its state") {
            Some(_) => Some(None),
            None => Raw::connect(port).ok().map(Some),
        });
        if let Some(client) = client {
            return Ok((proxy, client));
        }
    }
    Err("it ended at the start each time".into())
}

/// A pipe whose reader is gone.
fn nobody() -> io::Result<Stdio> {
    io::pipe().map(|(_, writer)| writer.into())
}

pub(crate) fn full_disk() -> io::Result<Stdio> {
    File::options().write(true).open("/dev/full").map(Into::into)
}

fn run(dir: &Path, arguments: &[&str], out: Stdio, err: Stdio) -> io::Result<Output> {
    panoptes(dir).args(arguments).stdout(out).stderr(err).spawn()?.wait_with_output()
}

fn panoptes(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panoptes"));
    command.current_dir(dir).stdin(Stdio::null());
    command
}
