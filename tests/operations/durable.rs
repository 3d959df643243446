//! Mode `durable`: whatever was answered is in the trail, wherever kill -9 hits.
//!
//! `PANOPTES_KILLS` says how often (see `scripts/kill-loop`).

use std::{
    collections::BTreeSet,
    env,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    support::{panoptes::Panoptes, raw::Raw, wait_for},
};

pub(crate) const TESTS: &[Named] = &[
    ("answered_is_recorded_over_kills", killed),
    ("one_listener_alone_may_be_durable", one_listener),
    ("big_results_and_errors_pass_as_they_are", passes),
];

const CLIENTS: usize = 4;
/// Statements answered between two kills.
const ENOUGH: usize = 60;
/// Kills, where nothing else is said.
const KILLS: usize = 4;

/// Nobody syncs for an answer's sake but the answer itself.
const DURABLE: [(&str, &str); 2] =
    [("PANOPTES_JOURNAL__MODE", "durable"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];

fn killed(rig: &Rig) -> Result<(), Failed> {
    let kills = env::var("PANOPTES_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &DURABLE, |_| {});
    let answered = Arc::<Mutex<BTreeSet<String>>>::default();
    for round in 0..kills {
        let clients = clients(proxy.port, round, &answered);
        let before = answered.lock().expect("no panic").len();
        // Not always at the same place of their work.
        let enough = before + ENOUGH + round % 17;
        wait_for("answers", || (answered.lock().expect("no panic").len() >= enough).then_some(()));
        proxy.signal("KILL");
        proxy.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        proxy.start_again();
    }
    assert!(proxy.metric(r#"panoptes_journal_operations_total{operation="sync_failures"}"#) == 0.0);
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let recorded: BTreeSet<_> = events.iter().filter_map(|e| e["sql"]["raw"].as_str()).collect();
    let answered = answered.lock().expect("no panic");
    let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} answered are not in the trail: {lost:?}", lost.len(), answered.len());
    println!("durable: {kills} kills, {} statements answered, each in the trail", answered.len());
    Ok(())
}

/// Clients that send statements, one by one, until the proxy is gone.
fn clients(port: u16, round: usize, answered: &Arc<Mutex<BTreeSet<String>>>) -> Vec<JoinHandle<()>> {
    let client = |client| {
        let answered = Arc::clone(answered);
        thread::spawn(move || {
            let Ok(mut session) = Raw::connect(port) else { return };
            for n in 0.. {
                let text = format!("select 'round {round} client {client} statement {n}'");
                if session.query(&text).is_err() {
                    return;
                }
                answered.lock().expect("no panic").insert(text);
            }
        })
    };
    (0..CLIENTS).map(client).collect()
}

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
