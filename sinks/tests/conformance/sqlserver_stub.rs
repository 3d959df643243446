//! No SQL Server can be had here: a stub that speaks its protocol (`tds.rs`) shows how the sink logs in, that a batch is one
//! transaction, in statements that a server takes, and that what is sent again has the same ids. Whether a real server
//! understands its SQL no stub can tell.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    sync::atomic::Ordering::SeqCst,
    thread,
};

use libtest_mimic::Trial;
use panoptes_config::{Database, DatabaseUrl, Secret, SinkOptions};

use crate::{
    named,
    relay::Relay,
    scenarios::{self, Destination, Refusal},
    tds::{LOGIN7, NO_TLS, PRELOGIN, Server, answer, error, message, utf16},
    trial::{Got, Poison, Run, wait_for},
};

const DONE: u8 = 0xfd;
const PASSWORD: &str = "what was seen";

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str| format!("database to a stub of SQL Server: {name}");
    let mut trials: Vec<Trial> = scenarios::ALL
        .into_iter()
        .map(|(name, scenario)| named(trial(name), true, move || scenario(&mut Stub::new())))
        .collect();
    trials.extend([
        named(trial("a login that is refused"), true, refused),
        named(trial("TLS that it does not have"), true, without_tls),
        named(trial("repeats, and large events"), true, repeats),
    ]);
    trials
}

/// The stub, and the way to it.
struct Stub {
    server: Server,
    relay: Relay,
}

impl Stub {
    fn new() -> Self {
        let server = Server::new();
        Self { relay: Relay::to(server.port), server }
    }
}

impl Destination for Stub {
    fn options(&self) -> SinkOptions {
        let auto_create_table = true;
        SinkOptions::Database(Database { auto_create_table, ..options(self.relay.port, "?sslmode=disable") })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        let trail = self.server.trail.lock().unwrap();
        trail.rows.iter().map(|(_, event)| Got::of(&serde_json::from_str(event).unwrap())).collect()
    }

    fn kill(&mut self) {
        self.server.up.store(false, SeqCst);
    }

    fn start(&mut self) {
        self.server.up.store(true, SeqCst);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.server.trail.lock().unwrap().refuses = Some(refusal);
    }

    fn poison(&self) -> Poison {
        Poison::LargeReason(200)
    }
}

fn options(port: u16, query: &str) -> Database {
    Database {
        url: DatabaseUrl::try_from(format!("sqlserver://127.0.0.1:{port}/trail{query}").as_str()).unwrap(),
        username: Some("panoptes".into()),
        password: Some(Secret::new(PASSWORD)),
        ..Database::default()
    }
}

/// The second time all of them are there. Texts of more than 8,000 bytes are sent in parts.
fn repeats() {
    let mut stub = Stub::new();
    for _ in 0..2 {
        let mut run = Run::by_default(stub.options());
        run.start();
        run.send(120);
        run.send_sized(1, 20_000);
        run.finish();
        run.check(&stub.received(), true);
    }
    let trail = stub.server.trail.lock().unwrap();
    assert_eq!(trail.rows.len(), 121);
    assert!(
        (1_000..=2_098).contains(&trail.most) && trail.longest > 20_000,
        "{} {}",
        trail.most,
        trail.longest
    );
}

/// What the sink complains of, to a server that does what `serve` does.
fn complaint(query: &str, serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    let mut run = Run::new(SinkOptions::Database(options(port, query)));
    run.send(1);
    run.start();
    let told = || run.journal().stats().sinks[0].last_error.clone();
    wait_for("a complaint", || told().is_some());
    told().unwrap()
}

fn refused() {
    let told = complaint("?sslmode=disable", |mut client| {
        let (kind, greeting) = message(&mut client).unwrap();
        // Its first option is the version.
        assert_eq!((kind, greeting[0]), (PRELOGIN, 0));
        answer(&mut client, &NO_TLS).unwrap();
        let (kind, login) = message(&mut client).unwrap();
        assert_eq!(kind, LOGIN7);
        assert!(holds(&login, "panoptes") && holds(&login, "trail") && !holds(&login, PASSWORD));
        answer(&mut client, &error(18456, "Login failed for user 'panoptes'.", DONE)).unwrap();
    });
    assert!(told.contains("18456 Login failed for user 'panoptes'."), "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
}

/// A password goes to nobody who has no TLS, unless that is asked for.
fn without_tls() {
    let told = complaint("", |mut client| {
        let _ = message(&mut client);
        answer(&mut client, &NO_TLS).unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert!(!rest.starts_with(&[LOGIN7]), "no login in plain text");
    });
    assert!(!told.is_empty() && !told.contains(PASSWORD), "{told}");
}

fn holds(payload: &[u8], text: &str) -> bool {
    let text = utf16(text);
    payload.windows(text.len()).any(|window| window == text)
}
