//! The chain and what looks after it: `panoptes keys`, `verify` and `journal`, over a crash under load.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    restart::pgbench,
    support::{panoptes::Panoptes, raw::Raw, wait_for},
    unheard::full_disk,
};

pub(crate) const TESTS: &[Named] =
    &[("keys_are_private_and_kept", keys), ("trail_is_whole_over_a_crash_and_every_edit_shows", trail)];

fn keys(_: &Rig) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    assert_eq!(run(dir.path(), &["keys"]).status.code(), Some(0));
    let secret = fs::read_to_string(dir.path().join("signing.key"))?;
    let again = run(dir.path(), &["keys"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(fs::read_to_string(dir.path().join("signing.key"))?, secret, "never overwritten");
    let check = run(dir.path(), &["check", "--listen", "127.0.0.1:6432", "--upstream", "postgres://db"]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let wrong = Command::new(env!("CARGO_BIN_EXE_panoptes"))
        .args(["check", "--listen", "127.0.0.1:6432", "--upstream", "postgres://db"])
        .env("PANOPTES_JOURNAL__SIGNING_KEY_FILE", dir.path().join("signing.pub"))
        .output()?;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("journal.signing_key_file") && !told.contains("panicked"), "{told}");
    Ok(())
}

fn trail(rig: &Rig) -> Result<(), Failed> {
    let server = rig.server();
    assert!(pgbench(server.port, &["-i", "-q"]).status()?.success());
    let signed = [("PANOPTES_JOURNAL__SIGNING_KEY_FILE", "signing.key")];
    let mut proxy = Panoptes::start_prepared(server.port, "", &signed, |dir| {
        assert!(run(dir, &["keys"]).status.success());
    });
    let mut load = pgbench(proxy.port, &["-n", "-S", "-c", "4", "-T", "600"]).spawn()?;
    proxy.wait_for_lines(2_500);
    assert_eq!(code(&verify(&proxy, &["journal"])), 0, "beside the process that writes it");
    let state = state(&proxy)?;
    assert_eq!((state["open"].as_bool(), state["first"].as_u64()), (Some(true), Some(1)), "{state}");
    assert!(state["last"].as_u64() > Some(2_000), "{state}");
    proxy.signal("KILL");
    proxy.ended();
    load.wait()?;
    let crashed = self::state(&proxy)?;
    assert_eq!(
        (crashed["open"].as_bool(), crashed["crashed"].as_bool()),
        (Some(false), Some(true)),
        "{crashed}"
    );
    proxy.start_again();
    Raw::connect(proxy.port)?.query("select 'after'")?;
    assert!(proxy.stop().success(), "{}", proxy.log());
    for trail in ["journal", "events.jsonl"] {
        let checked = verify(&proxy, &[trail]);
        assert_eq!(code(&checked), 0, "{trail}: {checked:?}");
        let report: Value = serde_json::from_slice(&verify(&proxy, &[trail, "--json"]).stdout)?;
        assert_eq!(report["coveredTo"], report["last"], "a journal that was closed is covered to its end");
    }
    expect_edits_to_show(&proxy)?;
    expect_replay(&mut proxy)
}

/// One event of the file is edited, deleted, put elsewhere.
fn expect_edits_to_show(proxy: &Panoptes) -> Result<(), Failed> {
    let text = fs::read_to_string(proxy.dir().join("events.jsonl"))?;
    // What came again after the kill is left out: of a record that stands there twice, neither can be missing.
    let mut seen = HashSet::new();
    let lines: Vec<&str> = text.lines().filter(|line| seen.insert(*line)).collect();
    let place = 1_234;
    let number = serde_json::from_str::<Value>(lines[place])?["seq"].to_string();
    let edited = lines[place].replace("\"SELECT\"", "\"DELETE\"");
    assert_ne!(edited, lines[place]);
    let with = |lines: Vec<&str>| lines.join("\n") + "\n";
    let mut replaced = lines.clone();
    replaced[place] = &edited;
    let mut deleted = lines.clone();
    deleted.remove(place);
    let mut swapped = lines.clone();
    swapped.swap(place, place + 1);
    for (what, lines) in [("changed", replaced), ("missing", deleted), ("out of place", swapped)] {
        fs::write(proxy.dir().join("forged.jsonl"), with(lines))?;
        let checked = verify(proxy, &["forged.jsonl"]);
        let told = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(code(&checked), 1, "{told}");
        let line = told.lines().find(|line| line.starts_with(what));
        let near = [number.clone(), (number.parse::<u64>()? + 1).to_string()];
        assert!(line.is_some_and(|line| near.iter().any(|n| line.contains(n.as_str()))), "{number}: {told}");
    }
    for (trail, expected) in [("events.jsonl", 3), ("forged.jsonl", 1)] {
        let unheard =
            command(proxy.dir(), &["verify", "--key", "signing.pub", trail]).stdout(full_disk()?).status()?;
        assert_eq!(unheard.code(), Some(expected), "{trail}: whole is not said, violated is");
    }
    let other = tempfile::tempdir()?;
    assert!(run(other.path(), &["keys", "other"]).status.success());
    let key = other.path().join("other.pub");
    let checked = run(proxy.dir(), &["verify", "events.jsonl", "--key", &key.display().to_string()]);
    assert_eq!(code(&checked), 3, "another key cannot say: {checked:?}");
    Ok(())
}

/// A range as lines, and the same range to the sink once more.
fn expect_replay(proxy: &mut Panoptes) -> Result<(), Failed> {
    let range = ["--from", "100", "--to", "109"];
    let exported = run(proxy.dir(), &[&["journal", "export", "--journal", "journal"], &range[..]].concat());
    let lines: Vec<Value> =
        String::from_utf8(exported.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let numbers: Vec<_> = lines.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (100..=109).collect::<Vec<_>>());
    let before = proxy.events().len();
    let replay = ["journal", "replay", "--config", "panoptes.toml", "--sink", "file"];
    let replayed = run(proxy.dir(), &[&replay[..], &range[..]].concat());
    assert!(replayed.status.success(), "{replayed:?}");
    assert_eq!(&proxy.events()[before..], lines, "the same events, under the same ids");
    assert_eq!(code(&verify(proxy, &["events.jsonl"])), 0, "a repeat is no fault");
    let unknown = run(proxy.dir(), &["journal", "replay", "--config", "panoptes.toml", "--sink", "nowhere"]);
    assert_eq!(code(&unknown), 1, "{unknown:?}");
    expect_ranges_to_be_judged(proxy, &replay)?;
    // What was replayed has moved no cursor, and the proxy starts as before.
    proxy.start_again();
    wait_for("the proxy to be at the end", || {
        (state(proxy).ok()?["sinks"][0]["lagEvents"] == 0).then_some(())
    });
    assert!(proxy.stop().success(), "{}", proxy.log());
    Ok(())
}

/// What is not there is said, by the exit code too.
fn expect_ranges_to_be_judged(proxy: &Panoptes, replay: &[&str]) -> Result<(), Failed> {
    let export = ["journal", "export", "--journal", "journal"];
    let last = state(proxy)?["last"].as_u64().ok_or("no event")?;
    let (beyond, far) = ((last + 10).to_string(), (last + 5).to_string());
    for command in [&export[..], replay] {
        let short = run(proxy.dir(), &[command, &["--from", &last.to_string(), "--to", &beyond]].concat());
        let told = String::from_utf8_lossy(&short.stderr).into_owned();
        assert_eq!(code(&short), 1, "{told}");
        assert!(told.contains(&format!("not in it: {} to {beyond}", last + 1)), "{told}");
        let none = run(proxy.dir(), &[command, &["--from", &far, "--to", &beyond]].concat());
        assert_eq!(code(&none), 1, "{none:?}");
        let reversed = run(proxy.dir(), &[command, &["--from", "9", "--to", "4"]].concat());
        assert_eq!(code(&reversed), 1, "{reversed:?}");
    }
    Ok(())
}

fn verify(proxy: &Panoptes, arguments: &[&str]) -> Output {
    run(proxy.dir(), &[&["verify", "--key", "signing.pub"], arguments].concat())
}

fn state(proxy: &Panoptes) -> Result<Value, Failed> {
    let state = run(proxy.dir(), &["journal", "state", "--journal", "journal", "--json"]);
    assert!(state.status.success(), "{state:?}");
    Ok(serde_json::from_slice(&state.stdout)?)
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().expect("the built binary")
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panoptes"));
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command
}
