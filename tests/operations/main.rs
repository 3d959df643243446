//! Panoptes in operation: how it goes down, what it does when a peer, a sink or itself fails, and what it tells of
//! itself. Each test runs the built program before a real server.
//!
//! | file | what |
//! |---|---|
//! | `drain.rs` | SIGTERM and SIGINT: who may finish, who is told what, what is written before the end |
//! | `upstream.rs` | a server that is down, dies, or never answers |
//! | `vanish.rs` | clients that are gone in the middle of a statement or a transaction |
//! | `strangers.rs` | who connects and does not log in takes nothing from those who do, nor from the journal |
//! | `cancel.rs` | cancel requests, true and forged |
//! | `violations.rs` | framing that a server refuses: nothing behind it runs |
//! | `overload.rs` | a sink that takes nothing and a journal that is full |
//! | `faults.rs` | a journal whose file system turns read-only, or whose disk does not sync |
//! | `restart.rs` | kill -9 under load |
//! | `trail.rs` | the chain over a crash; keys, verify, export, replay |
//! | `letters.rs` | dead letters sent once more |
//! | `durable.rs` | no answer before its event is on disk |
//! | `strict.rs` | no statement before its intent is |
//! | `kills.rs` | kill -9 in each mode, with oracles of its own |
//! | `secrets.rs` | no secret of a statement in anything that is written |
//! | `admin.rs` | metrics, health, readiness |
//! | `cli.rs` | the command line |
//! | `classify.rs` | `panoptes classify` |
//! | `unheard.rs` | nobody reads what is said, or a full disk takes it |
//! | `gate.rs` | a statement that runs until the test lets it end |
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod cancel;
mod classify;
mod cli;
mod drain;
mod durable;
mod faults;
mod gate;
mod kills;
mod letters;
mod overload;
mod restart;
mod secrets;
mod strangers;
mod strict;
mod trail;
mod unheard;
mod upstream;
mod vanish;
mod violations;

use support::postgres::{Postgres, Version};

/// A test and its name.
type Named = (&'static str, fn(&Rig) -> Result<(), Failed>);

/// What the tests share.
struct Rig {
    server: LazyLock<Postgres>,
}

impl Rig {
    /// A server for all, started when the first test wants it.
    fn server(&self) -> &Postgres {
        &self.server
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let missing = Version::V15.bin().is_none();
    let rig = Arc::new(Rig { server: LazyLock::new(|| Postgres::start(Version::V15, &[])) });
    let modules: [(&str, &[Named]); 19] = [
        ("drain", drain::TESTS),
        ("upstream", upstream::TESTS),
        ("vanish", vanish::TESTS),
        ("strangers", strangers::TESTS),
        ("cancel", cancel::TESTS),
        ("violations", violations::TESTS),
        ("overload", overload::TESTS),
        ("restart", restart::TESTS),
        ("trail", trail::TESTS),
        ("letters", letters::TESTS),
        ("durable", durable::TESTS),
        ("faults", faults::TESTS),
        ("strict", strict::TESTS),
        ("kills", kills::TESTS),
        ("secrets", secrets::TESTS),
        ("admin", admin::TESTS),
        ("cli", cli::TESTS),
        ("classify", classify::TESTS),
        ("unheard", unheard::TESTS),
    ];
    let mut trials = Vec::new();
    for (module, tests) in modules {
        for &(name, test) in tests {
            let rig = Arc::clone(&rig);
            let missing = missing || module == "faults" && support::program("cc").is_none();
            trials.push(
                Trial::test(format!("{module}::{name}"), move || test(&rig)).with_ignored_flag(missing),
            );
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(rig);
    conclusion.exit();
}

/// The one event of a kind; fails where there are more or none.
fn only<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let of_kind: Vec<_> = events.iter().filter(|e| e["kind"] == kind).collect();
    match of_kind[..] {
        [event] => event,
        _ => panic!("{} {kind} events:\n{events:#?}", of_kind.len()),
    }
}

/// The one statement event whose text has `words`.
fn statement<'a>(events: &'a [Value], words: &str) -> &'a Value {
    let with_words = |e: &&Value| e["sql"]["raw"].as_str().is_some_and(|raw| raw.contains(words));
    let found: Vec<_> = events.iter().filter(|e| e["kind"] == "statement").filter(with_words).collect();
    match found[..] {
        [event] => event,
        _ => panic!("{} statements with {words:?}:\n{events:#?}", found.len()),
    }
}

fn has(events: &[Value], kind: &str) -> bool {
    events.iter().any(|e| e["kind"] == kind)
}

/// Waits until who wants to log in is told that the proxy goes down.
fn refuses(port: u16) {
    support::wait_for("logins to be refused", || {
        let told = support::raw::Raw::greet(port).ok()?.last_words().ok()?;
        told.errors.first().is_some_and(|error| is_error(error, "FATAL", "57P03")).then_some(())
    });
}

/// Whether an error's fields have this severity and SQLSTATE.
fn is_error(fields: &str, severity: &str, sql_state: &str) -> bool {
    let has = |field: String| fields.split('\0').any(|f| f == field);
    has(format!("S{severity}")) && has(format!("C{sql_state}"))
}
