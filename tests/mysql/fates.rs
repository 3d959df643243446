//! Sessions at random: what each INSERT is said to have come to, against what is in the tables afterwards.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    raw::Raw,
    support::panoptes::Panoptes,
    verdicts::{ended, run, verdict},
};

pub(crate) const TESTS: &[Named] = &[("verdicts_are_what_is_in_the_tables", fates)];

const SESSIONS: usize = 40;
const STEPS: usize = 50;
/// Of verdicts, as many per cent may be unknown: failed definitions, procedures, tables without transactions.
const UNKNOWN: usize = 25;

/// What a session does beside inserting. Some of it fails, which is as it should be.
const CONTROL: [&str; 37] = [
    "begin",
    "begin",
    "begin",
    "start transaction",
    "start transaction read only",
    "commit",
    "commit",
    "commit",
    "rollback",
    "rollback",
    "rollback",
    "commit and chain",
    "rollback and chain",
    "savepoint a",
    "savepoint b",
    "savepoint a",
    "rollback to a",
    "rollback to savepoint b",
    "release savepoint a",
    "release savepoint b",
    "set autocommit = 0",
    "set autocommit = 1",
    "set autocommit = 1",
    "create table fates_more (a int)",
    "drop table fates_more",
    "create temporary table fates_own (a int)",
    "drop temporary table fates_own",
    "drop table nope",
    "insert into nope values (-1)",
    "selct",
    "analyze table fates_other",
    "truncate fates_other",
    "lock tables fates write, fates_plain write",
    "unlock tables",
    "call fates_ends()",
    "call fates_begins()",
    "call fates_undoes()",
];

fn fates(rig: &Rig) -> Result<(), Failed> {
    let _turn = rig.turn();
    rig.server().sql(
        "use work; create table fates (a int primary key) engine=InnoDB; create table fates_plain (a int primary key) engine=MyISAM; \
         create table fates_other (a int); insert into fates values (0); create procedure fates_ends() commit; \
         create procedure fates_begins() start transaction; create procedure fates_undoes() rollback; \
         create procedure fates_inserts(n int) insert into fates values (n)",
    );
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut random = Random(std::env::var("FATES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7));
    let mut marks = 0;
    let mut ids = Vec::new();
    for session in 0..SESSIONS {
        let mut client = Raw::connect(proxy.port);
        ids.push(client.id.to_string());
        run(&mut client, &["use work"]);
        client.allow_several();
        // Who goes without a word is not told what stays of tables without transactions.
        let polite = session % 3 > 0;
        for _ in 0..STEPS {
            step(&mut client, &mut random, &mut marks, polite);
        }
        if polite {
            run(&mut client, &["rollback"]);
        }
    }
    let events = ended(&proxy, SESSIONS);
    // Those of other trials may be open for long.
    rig.server().wait_until(&format!(
        "not exists (select * from information_schema.innodb_trx where trx_mysql_thread_id in ({}))",
        ids.join(",")
    ));
    let there = rig.server().sql("select a from work.fates union all select a from work.fates_plain");
    let there: BTreeSet<usize> = there.lines().map(|row| row.parse().expect("a number")).collect();
    judge(&events, &there, marks)
}

fn step(client: &mut Raw, random: &mut Random, marks: &mut usize, polite: bool) {
    let mut mark = || {
        *marks += 1;
        *marks
    };
    let mut control = CONTROL[random.below(CONTROL.len())];
    // A server forgets by it that there is something to warn of.
    if polite && control == "set autocommit = 0" {
        control = "commit";
    }
    match random.below(20) {
        0..7 => drop(client.query(&format!("insert into fates values ({})", mark()))),
        7 => drop(client.query(&format!("insert into fates values ({}), (0)", mark()))),
        8 if random.below(4) == 0 => drop(client.query(&format!("call fates_inserts({})", mark()))),
        8 => drop(client.try_run(&format!("insert into fates values ({})", mark()))),
        9 if polite && random.below(3) == 0 => {
            drop(client.query(&format!("insert into fates_plain values ({})", mark())))
        }
        9 => {
            let insert = |mark| format!("insert into fates values ({mark})");
            drop(client.queries(&format!("{}; {control}; {}", insert(mark()), insert(mark()))));
        }
        10 if random.below(8) == 0 => {
            if polite {
                run(client, &["rollback"]);
            }
            client.send(0, &[0x1f]);
            assert_eq!(client.answer().error, None, "the session is reset");
            run(client, &["use work"]);
        }
        10 => drop(client.query(&format!("execute immediate 'insert into fates values ({})'", mark()))),
        _ => drop(client.query(control)),
    }
}

/// What was committed is there, and what was rolled back is not.
fn judge(events: &[Value], there: &BTreeSet<usize>, marks: usize) -> Result<(), Failed> {
    let (mut committed, mut rolled_back, mut unknown, mut wrong) = (0, 0, 0, Vec::new());
    for mark in 1..=marks {
        let words = format!("({mark})");
        let has = |e: &&Value| e["sql"]["raw"].as_str().is_some_and(|raw| raw.contains(&words));
        let told: Vec<_> = events.iter().filter(has).collect();
        let [one] = told[..] else { return Err(format!("not one event of {mark}: {told:?}").into()) };
        // What never ran has no verdict.
        let fate =
            if one["sql"]["outcome"] == "skipped" { "rolledBack".to_owned() } else { verdict(events, one) };
        let is_there = there.contains(&mark);
        match (fate.as_str(), is_there) {
            ("committed", true) => committed += 1,
            ("rolledBack", false) => rolled_back += 1,
            ("unknown", _) => unknown += 1,
            _ => wrong.push(format!(
                "{fate}, is there: {is_there}: {}\n{}",
                one["sql"]["raw"],
                around(events, one)
            )),
        }
    }
    println!("verdicts: {marks} rows: {committed} committed, {rolled_back} rolled back, {unknown} unknown");
    assert!(committed > 100 && rolled_back > 100, "both ends");
    assert!(unknown * 100 <= marks * UNKNOWN, "of most the end is known");
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} wrong: {}",
            wrong.len(),
            wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n")
        )
        .into())
    }
}

/// What its session did before it and after it, for people.
fn around(events: &[Value], one: &Value) -> String {
    let own: Vec<_> = events.iter().filter(|e| e["session"]["id"] == one["session"]["id"]).collect();
    let place = own.iter().position(|e| e["id"] == one["id"]).unwrap_or_default();
    let brief = |e: &&Value| {
        let (sql, transaction) = (&e["sql"], &e["transaction"]);
        let command = &e["operation"]["command"];
        let raw = sql["raw"].as_str().or(command.as_str()).unwrap_or_default();
        format!(
            "    {} {raw} | {} {} | {} {} {}-{}\n",
            e["kind"],
            sql["outcome"],
            sql["errorCode"],
            transaction["status"],
            transaction["verdict"],
            transaction["fromSeq"],
            transaction["toSeq"]
        )
    };
    own.iter().skip(place.saturating_sub(12)).take(24).map(brief).collect()
}

/// Xorshift: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
