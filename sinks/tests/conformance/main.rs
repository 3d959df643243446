//! What every sink must hold, through the real driver, against real servers: down at the start, down in the middle, slow,
//! deaf (takes all, answers nothing), refusing some, refusing all, poison, restarts. At the end each event is there by
//! its id, those of a session in order, and what was refused for good is among the dead letters.
//!
//! | file | what |
//! |---|---|
//! | `trial.rs` | the events, the run, what must be there at the end |
//! | `scenarios.rs` | what happens to a destination meanwhile |
//! | `relay.rs` | the network between a sink and its server, which can be cut, slowed, or lose answers |
//! | `certificates.rs` | what TLS needs, made by openssl |
//! | `nginx.rs` `opensearch.rs` `rsyslog.rs` | real servers |
//! | `database.rs` `postgres.rs` `mysql.rs` `sqlite.rs` | databases: what holds of each, and real ones |
//! | `kafka.rs` | librdkafka's own cluster of brokers, and a real one |
//! | `splunk_stub.rs` `sqlserver_stub.rs` `tds.rs` | neither Splunk nor SQL Server can be had here: stubs, named so |
//!
//! A server that is not there makes its trials `ignored` under their names. OpenSearch is looked for at
//! `PANOPTES_OPENSEARCH_LIB`, which `scripts/opensearch` fetches, and Kafka's broker at `PANOPTES_KAFKA_LIB`, by `scripts/kafka`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "of tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod database;
#[cfg(feature = "kafka")]
mod kafka;
mod mysql;
mod nginx;
mod opensearch;
mod postgres;
mod relay;
mod rsyslog;
mod scenarios;
mod splunk_stub;
mod sqlite;
#[cfg(feature = "sqlserver")]
mod sqlserver_stub;
#[cfg(feature = "sqlserver")]
mod tds;
mod trial;

use std::{env, path::PathBuf};

use libtest_mimic::{Arguments, Trial};
use scenarios::Destination;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(nginx::trials());
    trials.extend(opensearch::trials());
    trials.extend(rsyslog::trials());
    trials.extend(postgres::trials());
    trials.extend(mysql::trials());
    trials.extend(sqlite::trials());
    #[cfg(feature = "kafka")]
    trials.extend(kafka::trials());
    trials.extend(splunk_stub::trials());
    #[cfg(feature = "sqlserver")]
    trials.extend(sqlserver_stub::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

/// A trial that is ignored, under its name, where what it needs is not there.
fn named(name: String, there: bool, run: impl FnOnce() + Send + 'static) -> Trial {
    let run = move || {
        run();
        Ok(())
    };
    let name = if there { name } else { format!("{name} (its server is not installed)") };
    Trial::test(name, run).with_ignored_flag(!there)
}

/// How fast a sink delivers; only where asked for: `cargo test --release -p panoptes-sinks --test conformance -- --ignored rate`.
fn rate<D: Destination>(to: &str, there: bool, new: impl FnOnce() -> D + Send + 'static) -> Option<Trial> {
    let run = move || {
        scenarios::rate(&mut new());
        Ok(())
    };
    there.then(|| Trial::test(format!("rate of {to}"), run).with_ignored_flag(true))
}

/// A program on the search path, or where servers are.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a server answers on a port.
fn wait_for_port(port: u16) {
    trial::wait_for("a server to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
}
