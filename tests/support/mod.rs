//! What the whole-program tests stand on: real servers, real clients, the built `panoptes`, and ways to look at what
//! went between them.
//!
//! | file | what |
//! |---|---|
//! | `postgres.rs` | a private PostgreSQL, 15 or 18, that ends with the test |
//! | `mysql.rs` | a private MariaDB or MySQL, what it ran, and its clients' mixes |
//! | `panoptes.rs` | the built binary before such a server, and the events it wrote |
//! | `clients.rs` | the scripted mixes of `tests/clients`, run against an address: their transcripts |
//! | `raw.rs` | a client that writes messages by hand |
//! | `tap.rs` | a man in the middle that records both byte streams of each connection |
//! | `answers.rs` | what a recorded server stream says: one answer a statement, in order |
//! | `server_log.rs` | what the server's own log says: one unit a message, in order |
//! | `intents.rs` | intents of mode strict, paired with their outcomes |
//! | `ledger.rs` | the log and the answers joined with the events: what is missing, extra or different |
//!
//! `scripts/setup` brings what is needed. What is not there makes a test `ignored` under its name, never a pass.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of these modules")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

pub mod answers;
pub mod clients;
pub mod intents;
pub mod ledger;
pub mod mysql;
pub mod panoptes;
pub mod postgres;
pub mod raw;
pub mod server_log;
pub mod tap;

/// How long a test waits for what must come; only a broken run ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer; fails, naming `what`, when [`PATIENCE`] ends.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port that was free a moment ago. What binds it must be ready to fail and try another.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where `scripts/setup` puts what it downloads.
pub fn cache() -> PathBuf {
    root().join(".cache")
}

/// A program on the search path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file()))
}
