//! MySQL and MariaDB through Panoptes, as PostgreSQL's tests have it: the same transcripts directly and through, exactly
//! one event for each statement that the server says it ran, what happens when a side fails, and bounded memory.
//!
//! | file | what |
//! |---|---|
//! | `transparency.rs` | real clients' mixes, directly and through; each byte that goes in comes out |
//! | `completeness.rs` | the events against the server's own log and its performance schema |
//! | `general_log.rs`, `literals.rs` | how the server's log tells a session, and values in it |
//! | `strict.rs` | no statement before its intent, over all mixes and kill -9 |
//! | `operations.rs` | shutdown, limits, servers and clients that vanish, KILL, secrets, readiness |
//! | `raw.rs` | a client that writes packets by hand |
//! | `verdicts.rs` | what became of statements where that is told in a roundabout way |
//! | `fates.rs` | the same of transactions at random, against what is in the tables |
//! | `texts.rs` | texts that a server reads in another way than they look |
//! | `replication.rs` | binary logs that are read through the proxy |
//! | `durable.rs` | no answer before its event is on disk, over kill -9 |
//! | `memory.rs` | huge rows, results and parameters |
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "../support/mod.rs"]
mod support;

mod completeness;
mod durable;
mod fates;
mod general_log;
mod kills;
mod literals;
mod memory;
mod operations;
mod raw;
mod replication;
mod strict;
mod texts;
mod transparency;
mod verdicts;

use support::{
    mysql::{Client, Server, Version},
    panoptes::Panoptes,
};

/// A test and its name.
type Named = (&'static str, fn(&Rig) -> Result<(), Failed>);

/// The same, of what it captured.
type Test = Box<dyn Fn(&Rig) -> Result<(), Failed> + Send>;

/// A server of a version and a proxy before it, for all tests of it that need no other.
struct Rig {
    version: Version,
    server: LazyLock<Server, Box<dyn FnOnce() -> Server + Send>>,
    proxy: OnceLock<Panoptes>,
    /// The mixes work on one database.
    turn: Mutex<()>,
}

impl Rig {
    fn new(version: Version) -> Self {
        let mut options = vec!["--log-bin=binary", "--server-id=1", "--sync-binlog=0"];
        if version == Version::My9 {
            // Else tables without transactions may not be written in one.
            options.extend(["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]);
            // A second factor.
            options.push("--plugin-load-add=authentication_webauthn.so");
            options.push("--loose-authentication-webauthn-rp-id=panoptes.test");
        }
        let start: Box<dyn FnOnce() -> Server + Send> = Box::new(move || Server::start(version, &options));
        Self { version, server: LazyLock::new(start), proxy: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// Waits for its turn to run mixes.
    fn turn(&self) -> impl Sized + use<'_> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn proxy(&self) -> &Panoptes {
        self.proxy.get_or_init(|| Panoptes::start_mysql(self.server().port, ""))
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let rigs: Vec<_> = Version::ALL.map(|version| Arc::new(Rig::new(version))).into();
    let mut trials = Vec::new();
    for rig in &rigs {
        let mut add = |name: &str, possible: bool, test: Test| {
            let (missing, rig) = (!possible || !rig.version.installed(), Arc::clone(rig));
            let name = format!("{}::{name}", rig.version.name());
            trials.push(Trial::test(name, move || test(&rig)).with_ignored_flag(missing));
        };
        for client in Client::ALL {
            let test = move |rig: &Rig| transparency::same_transcript(rig, client);
            add(&client.name(), client.installed(), Box::new(test));
        }
        add("bytes", true, Box::new(transparency::same_bytes));
        add("logins", true, Box::new(transparency::same_logins));
        if rig.version == Version::My9 {
            add("a_second_factor", true, Box::new(transparency::second_factor));
        }
        add("one_event_per_statement", true, Box::new(completeness::one_event_per_statement));
        for &(name, test) in verdicts::TESTS
            .iter()
            .chain(fates::TESTS)
            .chain(replication::TESTS)
            .chain(durable::TESTS)
            .chain(texts::TESTS)
            .chain(memory::ON_EACH)
            .chain(operations::ON_EACH)
        {
            add(name, true, Box::new(test));
        }
        for &(name, test) in operations::TESTS.iter().chain(memory::TESTS).chain(strict::TESTS) {
            // What does not hang on the server is tried once.
            if rig.version == Version::Maria {
                add(name, true, Box::new(test));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(rigs);
    conclusion.exit();
}
