//! kill -9 under load, again and again.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use crate::{
    raw::Raw,
    support::{panoptes::Panoptes, wait_for},
};

pub(crate) const CLIENTS: usize = 4;
/// Statements answered between two kills.
pub(crate) const ENOUGH: usize = 40;

type Answered = Arc<Mutex<BTreeSet<String>>>;

/// Kills the proxy while clients ask and starts it again, so many times, and stops it then; gives what was answered to its
/// end.
pub(crate) fn kill(proxy: &mut Panoptes, kills: usize) -> BTreeSet<String> {
    let answered = Answered::default();
    let count = || answered.lock().expect("no panic").len();
    for round in 0..kills {
        let clients = clients(proxy.port, round, &answered);
        // Not always at the same place of their work.
        let enough = count() + ENOUGH + 7 * round % 13;
        wait_for("answers", || (count() >= enough).then_some(()));
        proxy.signal("KILL");
        proxy.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        proxy.start_again();
    }
    assert!(proxy.stop().success(), "{}", proxy.log());
    mem::take(&mut answered.lock().expect("no panic"))
}

/// Clients that send statements, one by one, until the proxy is gone: half of them as texts, half prepared.
fn clients(port: u16, round: usize, answered: &Answered) -> Vec<JoinHandle<()>> {
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
