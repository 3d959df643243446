//! Mode `strict`: no statement at the server without its intent, over all clients' mixes and over kill -9.

use std::{
    collections::BTreeSet,
    env,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig, completeness,
    raw::Raw,
    support::{
        intents::{pair, texts},
        mysql::Server,
        panoptes::Panoptes,
        wait_for,
    },
};

pub(crate) const TESTS: &[Named] =
    &[("one_intent_per_statement", completeness::one_intent_per_statement), ("run_is_intended", killed)];

const CLIENTS: usize = 4;
/// Statements answered between two kills.
const ENOUGH: usize = 40;
/// Kills, where nothing else is said (see `scripts/kill-loop`).
const KILLS: usize = 2;

/// kill -9 under load: what the server's general log says that ran was intended, what was answered is in the trail.
fn killed(rig: &Rig) -> Result<(), Failed> {
    let kills = env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let server = Server::start(rig.version, &["--general-log=1", "--log-output=TABLE"]);
    let strict = [("PANOPTES_JOURNAL__MODE", "strict"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];
    let mut proxy = Panoptes::start_mysql_prepared(server.port, "", &strict);
    let answered = Arc::<Mutex<BTreeSet<String>>>::default();
    for round in 0..kills {
        let clients = clients(proxy.port, round, &answered);
        let before = answered.lock().expect("no panic").len();
        // Not always at the same place of their work.
        let enough = before + ENOUGH + round % 13;
        wait_for("answers", || (answered.lock().expect("no panic").len() >= enough).then_some(()));
        proxy.signal("KILL");
        proxy.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        proxy.start_again();
    }
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    // What a connection was at when its client went is in the log before the connection is gone.
    server.wait_until("count(*) = 0 from information_schema.processlist where user = 'raw'");
    let log = server.sql(
        "select convert(argument using utf8mb4) from mysql.general_log \
         where command_type in ('Query', 'Execute') and argument like 'select ''round %'",
    );
    let ran: BTreeSet<&str> = log.lines().collect();
    let intended: BTreeSet<String> = texts(&events).collect();
    let recorded: BTreeSet<_> = events.iter().filter_map(|event| event["sql"]["raw"].as_str()).collect();
    let unseen: Vec<_> = ran.iter().filter(|text| !intended.contains(**text)).collect();
    assert!(unseen.is_empty(), "{} ran unseen: {unseen:?}", unseen.len());
    let answered = answered.lock().expect("no panic");
    let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "{} answered and lost: {lost:?}", lost.len());
    let intents = pair(&events);
    println!(
        "strict: {kills} kills, {} ran, {} answered, {} intents, {} without an outcome",
        ran.len(),
        answered.len(),
        intents.count,
        intents.open.len()
    );
    assert_eq!(intents.problems, [""; 0]);
    assert!(answered.len() >= kills * ENOUGH && ran.len() >= answered.len());
    assert!(intents.open.len() <= kills * CLIENTS, "each client has one statement under way at a kill");
    Ok(())
}

/// Clients that send statements, one by one, until the proxy is gone: half of them as texts, half prepared.
fn clients(port: u16, round: usize, answered: &Arc<Mutex<BTreeSet<String>>>) -> Vec<JoinHandle<()>> {
    let client = |client| {
        let answered = Arc::clone(answered);
        thread::spawn(move || {
            let mut session = Raw::connect(port);
            for n in 0.. {
                let text = format!("select 'round {round} client {client} statement {n}'");
                let done = if client % 2 == 0 { session.try_query(&text) } else { session.try_run(&text) };
                if done.is_err() {
                    return;
                }
                answered.lock().expect("no panic").insert(text);
            }
        })
    };
    (0..CLIENTS).map(client).collect()
}
