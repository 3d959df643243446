//! The command line: what is wrong is said with its place and its remedy, by an exit code, never by a panic.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig, only,
    support::{panoptes::Panoptes, raw::Raw},
};

pub(crate) const TESTS: &[Named] = &[
    ("check_of_a_good_file", check_good),
    ("check_of_bad_files", check_bad),
    ("check_reads_the_environment", check_environment),
    ("address_in_use", address_in_use),
    ("journal_that_cannot_be", journal_that_cannot_be),
    ("journal_in_use", journal_in_use),
    ("run_reads_the_environment", run_environment),
    ("nonsense", nonsense),
    ("commands_name_what_is_wrong", commands),
];

const GOOD: &str = "[[listen]]\naddress = \"127.0.0.1:6432\"\nupstream = \"postgres://db.internal:5433\"\n";

fn check_good(_: &Rig) -> Result<(), Failed> {
    let (out, told) = check(GOOD, &[]);
    assert_eq!(out.status.code(), Some(0), "{told}");
    for part in ["127.0.0.1:6432", "db.internal:5433", "ok"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    for file in fs::read_dir(examples)? {
        let (out, told) = run(panoptes().arg("check").arg("--config").arg(file?.path()));
        assert_eq!(out.status.code(), Some(0), "{told}");
    }
    Ok(())
}

fn check_bad(_: &Rig) -> Result<(), Failed> {
    for (options, parts) in [
        ("[journal]\nmax_sise = \"1 GiB\"", &["journal.max_sise", "max_size"][..]),
        ("[journl]\ndir = \"x\"", &["journl", "journal"]),
        ("[journal]\nmax_size = \"much\"", &["journal.max_size", "\"much\"", "20 GiB"]),
        ("[limits]\nlogin_timeout = 5", &["limits.login_timeout", "5 s"]),
        ("[sinks.file]\npath = \"\"", &["sinks.file.path"]),
        ("[sinks.events]\npath = \"x\"", &["sinks.events", "kind"]),
        ("[admin]\naddress = \"127.0.0.1:6432\"", &["admin.address", "listen", "another port"]),
        ("[journal", &[]),
    ] {
        let (out, told) = check(&format!("{GOOD}{options}\n"), &[]);
        assert_eq!(out.status.code(), Some(2), "{options}: {told}");
        for part in parts.iter().chain(&["panoptes.toml"]) {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("panicked"), "{told}");
    }
    // What the options name cannot be used: `run` would refuse it as well.
    let http = "[sinks.http]\nurl = \"https://a.b/\"\n";
    for (options, key) in [
        (format!("{http}auth.bearer_file = \"/nowhere/token\""), "sinks.http.auth.bearer_file"),
        (format!("{http}tls.ca_file = \"/nowhere/ca.pem\""), "sinks.http.tls.ca_file"),
        ("[sinks.file]\npath = \"/tmp\"".to_owned(), "sinks.file.path"),
        ("[sinks.database]\nurl = \"sqlite:///tmp\"".to_owned(), "sinks.database.url: /tmp is a folder"),
        ("[journal]\ndir = \"/etc/passwd\"".to_owned(), "journal.dir: /etc/passwd cannot be made"),
        ("[journal]\ndir = \"/etc/passwd/journal\"".to_owned(), "journal.dir"),
        ("[journal]\ndir = \"/proc/panoptes\"".to_owned(), "journal.dir"),
        (
            "[sinks.kafka]\nbrokers = [\"a:9092\"]\nproperties = { \"bogus.prop\" = \"1\" }".to_owned(),
            "sinks.kafka",
        ),
    ] {
        let (out, told) = check(&format!("{GOOD}{options}\n"), &[]);
        assert_eq!(out.status.code(), Some(2), "{options}: {told}");
        assert!(told.contains(key), "{key}: {told}");
    }
    // What may be otherwise by then is told.
    let (out, told) = check(&format!("{GOOD}[sinks.file]\npath = \"/proc/panoptes/events\"\n"), &[]);
    assert_eq!(out.status.code(), Some(0), "{told}");
    assert!(told.contains("warning: sinks.file.path: /proc/panoptes cannot be made or written"), "{told}");
    let (out, told) = check("", &[]);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("--listen"), "{told}");
    let (out, told) = run(panoptes().args(["check", "--config", "/nowhere/panoptes.toml"]));
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("/nowhere/panoptes.toml"), "{told}");
    Ok(())
}

fn check_environment(_: &Rig) -> Result<(), Failed> {
    let (out, told) = check(GOOD, &[("PANOPTES_LIMITS__DRAIN_TIMEOUT", "never")]);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("PANOPTES_LIMITS__DRAIN_TIMEOUT") && told.contains("\"never\""), "{told}");
    let (out, told) = check(GOOD, &[("PANOPTES_NO_SUCH_OPTION", "1")]);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("PANOPTES_NO_SUCH_OPTION"), "{told}");
    Ok(())
}

fn address_in_use(_: &Rig) -> Result<(), Failed> {
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    let dir = tempfile::tempdir()?;
    let journal = dir.path().join("journal");
    for [listen, admin] in [[&*address, "127.0.0.1:0"], ["127.0.0.1:0", &*address]] {
        let (out, told) = run(panoptes()
            .args(["run", "--listen", listen, "--upstream", "postgres://127.0.0.1:1", "--admin", admin])
            .arg("--journal")
            .arg(&journal));
        assert_eq!(out.status.code(), Some(1), "{told}");
        assert!(
            told.contains(&address) && told.contains("in use") && told.contains("another address"),
            "{told}"
        );
        assert!(!told.contains("panicked"), "{told}");
    }
    Ok(())
}

fn journal_that_cannot_be(_: &Rig) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("a-file");
    fs::write(&file, "")?;
    let (out, told) = run(panoptes()
        .args(["run", "--listen", "127.0.0.1:0", "--upstream", "postgres://127.0.0.1:1", "--journal"])
        .arg(&file));
    assert_eq!(out.status.code(), Some(1), "{told}");
    assert!(told.contains("journal.dir: ") && told.contains("a-file"), "{told}");
    assert!(told.contains("give a folder") && !told.contains("panicked"), "{told}");
    Ok(())
}

fn journal_in_use(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let (out, told) = run(panoptes()
        .args(["run", "--listen", "127.0.0.1:0", "--upstream", "postgres://127.0.0.1:1", "--journal"])
        .arg(proxy.dir().join("journal")));
    assert_eq!(out.status.code(), Some(1), "{told}");
    assert!(told.contains("in use by another Panoptes") && told.contains("journal.dir"), "{told}");
    Ok(())
}

fn run_environment(rig: &Rig) -> Result<(), Failed> {
    let environment = [("PANOPTES_APP_NAME", "by variable"), ("PANOPTES_ENVIRONMENT", "production")];
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &environment, |_| {});
    Raw::connect(proxy.port)?.query("select 1")?;
    assert!(proxy.stop().success());
    let events = proxy.events();
    let meta = &only(&events, "statement")["meta"];
    assert_eq!((&meta["appName"], &meta["environment"]), (&"by variable".into(), &"prod".into()), "{meta:#}");
    Ok(())
}

fn nonsense(_: &Rig) -> Result<(), Failed> {
    for arguments in [&["walk"][..], &["run", "--listen", "here"], &["check", "--sink", "pigeon"], &[]] {
        let (out, told) = run(panoptes().args(arguments));
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(!told.is_empty() && !told.contains("panicked"), "{told}");
    }
    let (out, told) = run(panoptes().arg("--version"));
    assert!(out.status.success() && told.contains(env!("CARGO_PKG_VERSION")), "{told}");
    Ok(())
}

fn commands(_: &Rig) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("taken.pub"), "")?;
    for (arguments, code, parts) in [
        (&["schema", "-e", "postgres", "--table", ""][..], 2, &["--table", "no name of a table"][..]),
        (&["schema", "-e", "oracle", "--table", "a\"b"], 2, &["--table", "no name of a table"]),
        (&["schema", "-e", "mysql", "--table", "a.b.c"], 2, &["--table", "no name of a table"]),
        (&["schema", "-e", "mysql", "--table", "a.b"], 0, &["CREATE TABLE", "`a`.`b`"]),
        (&["verify", ".", "--from", "0"], 2, &["--from"]),
        (&["verify", "nowhere"], 3, &["nowhere", "No such file"]),
        (&["journal", "replay", "--sink", "file"], 2, &["--config"]),
        (&["keys", "no/where"], 1, &["no/where.key", "create that first"]),
        (&["keys", "taken"], 1, &["taken.pub exists", "never overwritten"]),
    ] {
        let (out, told) = run(panoptes().args(arguments).current_dir(dir.path()));
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {told}");
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    assert!(!dir.path().join("taken.key").exists(), "half a pair");
    let unread = panoptes().args(["verify", "nowhere", "--json"]).output()?;
    let report: Value = serde_json::from_slice(&unread.stdout)?;
    assert_eq!(report["verdict"], "unknown");
    assert!(report["error"].as_str().is_some_and(|error| error.contains("nowhere")), "{report}");
    Ok(())
}

/// `panoptes check` of a file with this text.
fn check(toml: &str, environment: &[(&str, &str)]) -> (Output, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("panoptes.toml");
    fs::write(&file, toml).expect("the file");
    run(panoptes().arg("check").arg("--config").arg(file).envs(environment.iter().copied()))
}

fn panoptes() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panoptes"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PANOPTES_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What it wrote, on both ways.
fn run(command: &mut Command) -> (Output, String) {
    let out = command.output().expect("the built binary");
    let told = [&out.stdout[..], &out.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    (out, told)
}
