//! A journal whose file system turns read-only, or whose disk fails to sync: the policy holds at once, and what was wrong
//! is over without a new start. The faults are those of a shim between the program and its C library (`faults.c`).

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{LazyLock, mpsc},
    thread,
    time::Instant,
};

use libtest_mimic::Failed;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Named, Rig, has, is_error,
    support::{
        intents::pair,
        panoptes::Panoptes,
        raw::{Raw, query},
        root, wait_for,
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("read_only_block", |rig| block(rig, "erofs")),
    ("read_only_drop", |rig| goes_on(rig, "erofs")),
    ("read_only_fail_closed", |rig| fail_closed(rig, "erofs")),
    ("sync_fails_block", |rig| block(rig, "fsync")),
    ("sync_fails_drop", |rig| goes_on(rig, "fsync")),
    ("sync_fails_fail_closed", |rig| fail_closed(rig, "fsync")),
];

/// The shim, built once.
static SHIM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let shim = dir.path().join("faults.so");
    let source = root().join("tests/operations/faults.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&shim, &source]).status();
    assert!(built.expect("cc").success(), "the shim is built");
    (dir, shim)
});

/// A proxy with the shim.
struct Faulty {
    proxy: Panoptes,
    switch: TempDir,
}

impl Faulty {
    fn start(rig: &Rig, on_full: &str, mode: &str) -> Self {
        let switch = tempfile::tempdir().expect("a folder");
        let fault = switch.path().join("fault");
        let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
        // The journal's folder is in one that the proxy is given later: a folder of our own instead.
        let journal = path(&switch.path().join("journal"));
        let environment = [
            ("LD_PRELOAD", path(&SHIM.1)),
            ("FAULT", path(&fault)),
            ("FAULT_DIR", journal.clone()),
            ("PANOPTES_JOURNAL__DIR", journal),
            ("PANOPTES_JOURNAL__ON_FULL", on_full.to_owned()),
            ("PANOPTES_JOURNAL__MODE", mode.to_owned()),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let proxy = Panoptes::start_prepared(rig.server().port, "", &environment, |_| {});
        Self { proxy, switch }
    }

    fn breaks(&self, fault: &str) -> Instant {
        fs::write(self.switch.path().join("fault"), fault).expect("the switch");
        Instant::now()
    }

    fn heals(&self) {
        fs::remove_file(self.switch.path().join("fault")).expect("the switch");
    }

    /// Stops it, and gives its events: numbered without holes.
    fn end(mut self) -> Vec<Value> {
        assert!(self.proxy.stop().success(), "{}", self.proxy.log());
        let events = self.proxy.events();
        let numbers: BTreeSet<_> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
        assert_eq!(numbers.len() as u64, numbers.last().copied().unwrap_or_default(), "no number is missing");
        events
    }
}

/// Statements wait, and are answered once it is over.
fn block(rig: &Rig, fault: &str) -> Result<(), Failed> {
    for mode in ["durable", "strict"] {
        let faulty = Faulty::start(rig, "block", mode);
        let mut session = Raw::connect(faulty.proxy.port)?;
        assert_eq!(session.query("select 'before'")?.completed, 1);
        let since = faulty.breaks(fault);
        let (answered, answer) = mpsc::channel();
        let asking = thread::spawn(move || {
            let answer = session.query("select 'during'");
            answered.send(()).expect("it is awaited");
            answer.map(|answer| (answer.completed, session))
        });
        wait_for("the journal to be in trouble", || (faulty.proxy.get("/readyz").0 == 503).then_some(()));
        let seen = since.elapsed();
        assert!(answer.try_recv().is_err(), "nobody is answered");
        faulty.heals();
        let (completed, mut session) = asking.join().expect("no panic")?;
        assert_eq!((completed, session.query("select 'after'")?.completed), (1, 1));
        println!("{fault}, block, {mode}: in trouble after {seen:?}, answered once it was over");
        drop(session);
        let events = faulty.end();
        assert_eq!(recorded(&events), ["select 'before'", "select 'during'", "select 'after'"]);
        assert!(!has(&events, "gap"), "nothing is lost");
    }
    Ok(())
}

/// Statements go on; how many were lost is told.
fn goes_on(rig: &Rig, fault: &str) -> Result<(), Failed> {
    for mode in ["async", "durable", "strict"] {
        let faulty = Faulty::start(rig, "drop", mode);
        let mut session = Raw::connect(faulty.proxy.port)?;
        assert_eq!(session.query("select 'before'")?.completed, 1);
        let since = faulty.breaks(fault);
        let dropped = || faulty.proxy.metric(r#"panoptes_journal_operations_total{operation="dropped"}"#);
        let mut sent = 0;
        let mut slowest = std::time::Duration::ZERO;
        wait_for("something to be dropped", || {
            let begun = Instant::now();
            let answer = session.query("select 'during'").expect("a session");
            assert_eq!(answer.completed, 1);
            sent += 1;
            slowest = slowest.max(begun.elapsed());
            (dropped() > 0.0).then_some(())
        });
        let seen = since.elapsed();
        faulty.heals();
        // The journal is tried again within a second; until then more is dropped.
        let mut after = 0;
        wait_for("the journal to take events again", || {
            session.query("select 'after'").expect("a session");
            after += 1;
            faulty.proxy.events().iter().any(|e| e["sql"]["raw"] == "select 'after'").then_some(())
        });
        println!(
            "{fault}, drop, {mode}: dropping after {seen:?}, {sent} answered, the slowest in {slowest:?}"
        );
        drop(session);
        let events = faulty.end();
        let count: u64 = events.iter().filter_map(|e| e["gap"]["count"].as_u64()).sum();
        assert!(count > 0, "it is told");
        let told = events.iter().filter(|e| e["kind"] == "statement").count() as u64;
        assert!(told + count > sent + after, "{told} told, {count} lost of {sent} and {after}");
    }
    Ok(())
}

/// Sessions end, new ones are refused, until it is over.
fn fail_closed(rig: &Rig, fault: &str) -> Result<(), Failed> {
    for mode in ["durable", "strict"] {
        let faulty = Faulty::start(rig, "fail_closed", mode);
        let mut session = Raw::connect(faulty.proxy.port)?;
        let mut answered = vec!["select 'before'".to_owned()];
        assert_eq!(session.query(&answered[0])?.completed, 1);
        let since = faulty.breaks(fault);
        for n in 0.. {
            let text = format!("select 'during {n}'");
            match session.stream().write_all(&query(&text)).and_then(|()| session.exchange_or_last()) {
                Ok(answer) if answer.completed == 1 => answered.push(text),
                _ => break,
            }
        }
        let refused = wait_for("a refusal", || {
            let last = Raw::greet(faulty.proxy.port).ok()?.exchange_or_last().ok()?;
            (!last.errors.is_empty()).then_some(last)
        });
        let seen = since.elapsed();
        assert!(is_error(&refused.errors[0], "FATAL", "57P03"), "{refused:?}");
        faulty.heals();
        faulty.proxy.wait_for_log("sessions are served");
        answered.push("select 'after'".to_owned());
        assert_eq!(Raw::connect(faulty.proxy.port)?.query("select 'after'")?.completed, 1);
        println!("{fault}, fail_closed, {mode}: refused after {seen:?}, {} answered", answered.len());
        let events = faulty.end();
        let recorded: BTreeSet<_> = recorded(&events).into_iter().collect();
        let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
        assert!(lost.is_empty(), "answered and lost: {lost:?}");
        if mode == "strict" {
            assert_eq!(pair(&events).problems, [""; 0]);
        }
    }
    Ok(())
}

fn recorded(events: &[Value]) -> Vec<&str> {
    events.iter().filter(|e| e["kind"] == "statement").filter_map(|e| e["sql"]["raw"].as_str()).collect()
}
