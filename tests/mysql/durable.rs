//! Mode `durable`: whatever was answered is in the trail, wherever kill -9 hits. As `tests/operations/durable.rs` has it for
//! PostgreSQL, by the packets of this protocol.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    raw::Raw,
    support::{panoptes::Panoptes, wait_for},
};

pub(crate) const TESTS: &[Named] = &[("answered_is_recorded_over_kills", killed)];

const CLIENTS: usize = 3;
const KILLS: usize = 3;
/// Statements answered between two kills.
const ENOUGH: usize = 40;

/// Nobody syncs for an answer's sake but the answer itself.
const DURABLE: [(&str, &str); 2] =
    [("PANOPTES_JOURNAL__MODE", "durable"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];

fn killed(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_mysql_prepared(rig.server().port, "", &DURABLE);
    let answered = Arc::<Mutex<BTreeSet<String>>>::default();
    let count = || answered.lock().expect("no panic").len();
    for round in 0..KILLS {
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| client_of(proxy.port, round, client, Arc::clone(&answered))).collect();
        // Not always at the same place of their work.
        let enough = count() + ENOUGH + 7 * round;
        wait_for("answers", || (count() >= enough).then_some(()));
        proxy.signal("KILL");
        proxy.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        proxy.start_again();
    }
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let recorded: BTreeSet<_> = events.iter().filter_map(|e| e["sql"]["raw"].as_str()).collect();
    let answered = answered.lock().expect("no panic");
    let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} answered are not in the trail: {lost:?}", lost.len(), answered.len());
    println!("durable: {KILLS} kills, {} statements answered, each in the trail", answered.len());
    Ok(())
}

/// Asks, one question after another, until the proxy is gone; notes what was answered to its end.
fn client_of(
    port: u16,
    round: usize,
    client: usize,
    answered: Arc<Mutex<BTreeSet<String>>>,
) -> JoinHandle<()> {
    let mut raw = Raw::connect(port);
    thread::spawn(move || {
        for number in 0.. {
            let text = format!("select 'round {round} client {client}', {number}");
            if raw.try_query(&text).is_err() {
                return;
            }
            answered.lock().expect("no panic").insert(text);
        }
    })
}
