//! Mode `durable`: whatever was answered is in the trail, wherever kill -9 hits. As `tests/operations/durable.rs` has it for
//! PostgreSQL, by the packets of this protocol.

use std::{collections::BTreeSet, thread};

use libtest_mimic::Failed;

use crate::{Named, Rig, kills::kill, raw::Raw, support::panoptes::Panoptes};

pub(crate) const TESTS: &[Named] =
    &[("answered_is_recorded_over_kills", killed), ("who_awaits_an_answer_is_told_of_a_full_journal", full)];

/// How often it is tried to catch a client that waits.
const ROUNDS: usize = 8;
const KILLS: usize = 3;

/// Nobody syncs for an answer's sake but the answer itself.
const DURABLE: [(&str, &str); 2] =
    [("PANOPTES_JOURNAL__MODE", "durable"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];

fn killed(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_mysql_prepared(rig.server().port, "", &DURABLE);
    let answered = kill(&mut proxy, KILLS);
    let events = proxy.events();
    let recorded: BTreeSet<_> = events.iter().filter_map(|e| e["sql"]["raw"].as_str()).collect();
    let lost: Vec<_> = answered.iter().filter(|text| !recorded.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} answered are not in the trail: {lost:?}", lost.len(), answered.len());
    println!("durable: {KILLS} kills, {} statements answered, each in the trail", answered.len());
    Ok(())
}

/// An answer that there is no room for is never given: in its place comes an error, under the number that the client awaits.
fn full(rig: &Rig) -> Result<(), Failed> {
    // Who happens to be between two statements gets it ahead of its next question.
    for _ in 0..ROUNDS {
        if sent_away(rig) > 0 {
            return Ok(());
        }
    }
    Err(format!("in {ROUNDS} rounds none of the clients got it as its answer").into())
}

/// Fills a journal that nobody empties; how many of the clients got the error as an answer.
fn sent_away(rig: &Rig) -> usize {
    const TINY: [(&str, &str); 5] = [
        ("PANOPTES_JOURNAL__MODE", "durable"),
        ("PANOPTES_JOURNAL__ON_FULL", "fail_closed"),
        ("PANOPTES_JOURNAL__MAX_SIZE", "2 MiB"),
        ("PANOPTES_JOURNAL__SEGMENT_SIZE", "64 KiB"),
        ("PANOPTES_SINKS__FILE__PATH", "/dev/full"),
    ];
    let proxy = Panoptes::start_mysql_prepared(rig.server().port, "", &TINY);
    let client = |client| {
        let mut session = Raw::connect(proxy.port);
        thread::spawn(move || {
            for n in 0.. {
                let text = format!("select 'full {client} {n} {}'", "x".repeat(2_000));
                let answer = session.try_query(&text);
                if let Some(error) = answer.expect("a word at the end").error {
                    return (error, session.in_order);
                }
            }
            unreachable!("the journal is full at some time")
        })
    };
    let clients: Vec<_> = (0..4).map(client).collect();
    let mut in_order = 0;
    for client in clients {
        let ((code, message), awaited) = client.join().expect("no panic");
        assert_eq!(code, 1053, "{message}");
        in_order += usize::from(awaited);
    }
    in_order
}
