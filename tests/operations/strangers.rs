//! Who connects and says nothing.

use std::fs;

use libtest_mimic::Failed;

use crate::{
    Named, Rig, has, is_error,
    support::{panoptes::Panoptes, raw::Raw},
};

pub(crate) const TESTS: &[Named] = &[
    ("take_no_file_from_the_journal", take_no_file),
    ("keep_nobody_out", keep_nobody_out),
    ("too_few_files_are_told", too_few_files),
];

const STRANGERS: usize = 300;

/// With files for a few connections, more of them are opened than there are files; the journal begins segment after segment
/// meanwhile, and misses nothing.
fn take_no_file(rig: &Rig) -> Result<(), Failed> {
    const FILES: u32 = 256;
    const STATEMENTS: usize = 600;
    let mut proxy = Panoptes::start_with_files(rig.server().port, "", FILES);
    proxy.wait_for_log("limits.max_connections is lowered from 10000 to");
    // It reads its configuration anew: smaller segments, and none may wait for room.
    assert!(proxy.stop().success(), "{}", proxy.log());
    let file = proxy.dir().join("panoptes.toml");
    let journal = "[journal]\nsegment_size = \"256 KiB\"\non_full = \"drop\"";
    fs::write(&file, fs::read_to_string(&file)?.replace("[journal]", journal))?;
    proxy.start_again();

    let mut session = Raw::connect(proxy.port)?;
    let strangers = open(proxy.port);
    let text = format!("select 1 /* {} */", "x".repeat(3_000));
    for _ in 0..STATEMENTS {
        assert_eq!(session.query(&text)?.completed, 1);
    }
    let files = fs::read_dir(format!("/proc/{}/fd", proxy.pid()))?.count();
    assert!(files < FILES as usize, "{files} files");
    drop(session);
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let told = events.iter().filter(|e| e["kind"] == "statement").count();
    assert_eq!((told, has(&events, "gap")), (STATEMENTS, false), "{}", proxy.log());
    drop(strangers);
    assert!(proxy.stop().success(), "{}", proxy.log());
    Ok(())
}

/// Those who log in come in, however many say nothing; of these the oldest are told to go.
fn keep_nobody_out(rig: &Rig) -> Result<(), Failed> {
    const LIMITS: &str = "[limits]\nmax_connections = 3\nmax_pending_logins = 20\nlogin_timeout = \"1 h\"";
    let proxy = Panoptes::start(rig.server().port, LIMITS);
    let mut strangers = open(proxy.port);
    let mut sessions: Vec<_> = (0..3).map(|_| Raw::connect(proxy.port)).collect::<Result<_, _>>()?;
    let told = strangers[0].last_words()?;
    assert!(matches!(&told.errors[..], [error] if is_error(error, "FATAL", "53300")), "{told:?}");
    let refused = Raw::greet(proxy.port)?.last_words()?;
    assert!(matches!(&refused.errors[..], [error] if is_error(error, "FATAL", "53300")), "{refused:?}");
    for session in &mut sessions {
        assert_eq!(session.query("select 1")?.completed, 1);
    }
    assert!(proxy.metric("panoptes_connections_pending") <= 20.0);
    assert!(proxy.metric("panoptes_connections") <= 23.0);
    let gone = proxy.metric(r#"panoptes_sessions_ended_total{reason="too_many_connections"}"#);
    assert!(gone >= (STRANGERS - 20) as f64, "{gone}");
    Ok(())
}

fn too_few_files(rig: &Rig) -> Result<(), Failed> {
    let upstream = format!("postgres://127.0.0.1:{}", rig.server().port);
    let out = std::process::Command::new("prlimit")
        .args(["--nofile=80:80", env!("CARGO_BIN_EXE_panoptes"), "run", "--listen", "127.0.0.1:0"])
        .args(["--upstream", &upstream])
        .output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(1) && told.contains("80 files open: raise its limit"), "{told}");
    Ok(())
}

fn open(port: u16) -> Vec<Raw> {
    (0..STRANGERS).map(|_| Raw::open(port, b"").expect("a connection")).collect()
}
