//! Mode `durable`: what waits and what does not. That nothing is lost is `kills.rs`'.

use std::io::Write;

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    support::{
        panoptes::Panoptes,
        raw::{Raw, bind, execute, message, parse, sync},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("one_listener_alone_may_be_durable", one_listener),
    ("big_results_and_errors_pass_as_they_are", passes),
    ("what_is_flushed_is_written_before_its_sync", flushed),
];

/// Nobody syncs for an answer's sake but the answer itself.
const DURABLE: [(&str, &str); 2] =
    [("PANOPTES_JOURNAL__MODE", "durable"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];

/// The other listener does not wait: its statements bring about no sync.
fn one_listener(rig: &Rig) -> Result<(), Failed> {
    let (server, port) = (rig.server().port, crate::support::free_port());
    let durable = format!(
        "[[listen]]\naddress = \"127.0.0.1:{port}\"\nupstream = \"postgres://127.0.0.1:{server}\"\nmode = \"durable\"\n"
    );
    let slow = [("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];
    let mut proxy = Panoptes::start_prepared(server, &durable, &slow, |_| {});
    let syncs = || proxy.metric(r#"panoptes_journal_operations_total{operation="syncs"}"#);
    let before = syncs();
    assert_eq!(Raw::connect(proxy.port)?.query("select 'async'")?.completed, 1);
    proxy.wait_for("its event", |events| events.iter().any(|e| e["sql"]["raw"] == "select 'async'"));
    assert_eq!(syncs(), before, "nobody waits");
    assert_eq!(Raw::connect(port)?.query("select 'durable'")?.completed, 1);
    assert!(syncs() > before, "an answer waited");
    assert!(proxy.stop().success(), "{}", proxy.log());
    Ok(())
}

/// Held back is not changed: results larger than any buffer, errors, pipelines, the end of a session.
fn passes(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &DURABLE, |_| {});
    let mut session = Raw::connect(proxy.port)?;
    for text in ["select repeat('x', 1000) from generate_series(1, 5000)", "select 1/0", "select 1; select 2"]
    {
        let through = session.query(text)?;
        let direct = Raw::connect(rig.server().port)?.query(text)?;
        assert_eq!(through, direct, "{text}");
    }
    // A server that goes in the middle: what it still said arrives.
    let gone = session.query("select pg_terminate_backend(pg_backend_pid())");
    assert!(gone.is_err() || gone.is_ok_and(|gone| !gone.errors.is_empty()));
    assert!(proxy.stop().success(), "{}", proxy.log());
    let ended = proxy.events().iter().filter(|e| e["kind"] == "logout").count();
    assert_eq!(ended, 1);
    Ok(())
}

/// An answer that a client asked for by Flush is as good as any: its event is there, before the server is ready.
fn flushed(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &DURABLE, |_| {});
    let mut session = Raw::connect(proxy.port)?;
    let flush = message(b'H', &[]);
    let messages = [parse("", "select 'flushed'"), bind("", &[]), execute(), flush].concat();
    session.stream().write_all(&messages)?;
    assert_eq!(session.completion()?.rows, 1);
    proxy.signal("KILL");
    proxy.ended();
    proxy.start_again();
    proxy.wait_for("it", |events| events.iter().any(|e| e["sql"]["raw"] == "select 'flushed'"));

    let mut session = Raw::connect(proxy.port)?;
    let messages = [parse("", "select 'to its end'"), bind("", &[]), execute(), message(b'H', &[])].concat();
    session.stream().write_all(&messages)?;
    session.completion()?;
    session.stream().write_all(&sync())?;
    session.exchange()?;
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let written = crate::statement(&events, "to its end");
    let verdict =
        events.iter().find(|e| e["kind"] == "verdict").expect("its verdict, once the server was ready");
    assert_eq!(verdict["transaction"]["id"], written["transaction"]["id"]);
    assert_eq!(verdict["transaction"]["verdict"], "committed");
    Ok(())
}
