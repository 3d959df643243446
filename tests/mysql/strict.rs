//! Mode `strict`: no statement at the server without its intent, over all clients' mixes and over kill -9.

use std::{collections::BTreeSet, env};

use libtest_mimic::Failed;

use crate::{
    Named, Rig, completeness,
    kills::{CLIENTS, ENOUGH, kill},
    support::{
        intents::{lost_outcomes, pair, texts},
        mysql::Server,
        panoptes::Panoptes,
    },
};

pub(crate) const TESTS: &[Named] =
    &[("one_intent_per_statement", completeness::one_intent_per_statement), ("run_is_intended", killed)];

/// Kills, where nothing else is said (see `scripts/kill-loop`).
const KILLS: usize = 2;

/// kill -9 under load: what the server's general log says that ran was intended, what was answered is in the trail.
fn killed(rig: &Rig) -> Result<(), Failed> {
    let kills = env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let server = Server::start(rig.version, &["--general-log=1", "--log-output=TABLE"]);
    let strict = [("PANOPTES_JOURNAL__MODE", "strict"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];
    let mut proxy = Panoptes::start_mysql_prepared(server.port, "", &strict);
    let answered = kill(&mut proxy, kills);
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
    let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "{} answered and lost: {lost:?}", lost.len());
    let intents = pair(&events);
    let unknown = lost_outcomes(&events);
    println!(
        "strict: {kills} kills, {} ran, {} answered, {} intents, {} of them told to be lost",
        ran.len(),
        answered.len(),
        intents.count,
        unknown.len()
    );
    assert_eq!((&intents.problems[..], &intents.open[..]), (&[][..], &[][..]));
    assert!(answered.len() >= kills * ENOUGH && ran.len() >= answered.len());
    assert!(unknown.len() <= kills * CLIENTS, "each client has one statement under way at a kill");
    assert!(!unknown.iter().any(|text| answered.contains(*text)), "what was answered is known");
    Ok(())
}
