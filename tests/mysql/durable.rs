//! Mode `durable`: whatever was answered is in the trail, wherever kill -9 hits. As `tests/operations/durable.rs` has it for
//! PostgreSQL, by the packets of this protocol.

use std::collections::BTreeSet;

use libtest_mimic::Failed;

use crate::{Named, Rig, kills::kill, support::panoptes::Panoptes};

pub(crate) const TESTS: &[Named] = &[("answered_is_recorded_over_kills", killed)];

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
