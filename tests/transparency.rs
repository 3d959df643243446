//! A client cannot tell the proxy from the server: each real client's scripted mix gives the same transcript against
//! PostgreSQL 15 and 18 directly and through Panoptes, and each byte that goes in comes out.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

mod support;

use support::{
    clients::{Client, psql, same_lines},
    panoptes::Panoptes,
    postgres::{PASSWORD, PASSWORD_USERS, Postgres, Version},
    tap::{Digests, Streams, Tap},
};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let rigs: Vec<_> = Version::ALL.map(|version| Arc::new(Rig::new(version))).into();
    for rig in &rigs {
        for client in Client::ALL {
            trials
                .push(rig.trial(&client.name(), client.installed(), move |rig| same_transcript(rig, client)));
        }
        trials.push(rig.trial("passwords", true, same_logins));
        trials.push(rig.trial("bytes", true, same_bytes));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(rigs);
    conclusion.exit();
}

/// A server and the proxies before it, started when the first test wants them.
struct Rig {
    version: Version,
    server: std::sync::OnceLock<Postgres>,
    proxy: std::sync::OnceLock<Panoptes>,
}

impl Rig {
    fn new(version: Version) -> Self {
        Self { version, server: Default::default(), proxy: Default::default() }
    }

    fn server(&self) -> &Postgres {
        self.server.get_or_init(|| Postgres::start(self.version, &[]))
    }

    fn proxy(&self) -> &Panoptes {
        self.proxy.get_or_init(|| Panoptes::start(self.server().port, ""))
    }

    fn trial(
        self: &Arc<Self>,
        name: &str,
        possible: bool,
        test: impl Fn(&Self) -> Result<(), Failed> + Send + 'static,
    ) -> Trial {
        let rig = Arc::clone(self);
        let possible = possible && self.version.bin().is_some();
        Trial::test(format!("{}::{name}", self.version.name()), move || test(&rig))
            .with_ignored_flag(!possible)
    }
}

fn same_transcript(rig: &Rig, client: Client) -> Result<(), Failed> {
    let direct = client.run(rig.server().port);
    let through = client.run(rig.proxy().port);
    same_lines(&direct, &through)
}

/// Every method of authentication passes: the right password lets in, a wrong one is refused in the same words.
fn same_logins(rig: &Rig) -> Result<(), Failed> {
    for user in PASSWORD_USERS {
        for password in [PASSWORD, "wrong"] {
            let [direct, through] = [rig.server().port, rig.proxy().port]
                .map(|port| psql(port, user, password, "select current_user"));
            assert_eq!(direct.contains(&format!("{user}\n")), password == PASSWORD, "{direct}");
            same_lines(&direct, &through)?;
        }
    }
    Ok(())
}

/// All mixes with a tap on each side of the proxy: the same streams, by SHA-256, on both. On a server of its own, since
/// other tests run the same mixes at the same time.
fn same_bytes(rig: &Rig) -> Result<(), Failed> {
    let server = Postgres::start(rig.version, &[]);
    let inner = Tap::start(server.port);
    let proxy = Panoptes::start(inner.port, "");
    let outer = Tap::start(proxy.port);
    for client in Client::ALL.into_iter().filter(|c| c.installed()) {
        client.run(outer.port);
    }
    let (outside, inside) = (recorded(&outer), recorded(&inner));
    assert!(outside.len() > 50, "connections were recorded");
    let mut different = only("outside", &outside, &inside);
    different.extend(only("inside", &inside, &outside));
    if different.is_empty() && outside.len() == inside.len() {
        Ok(())
    } else {
        Err(different.join("\n").into())
    }
}

/// The connections that carried anything, by their digests.
fn recorded(tap: &Tap) -> Vec<(Digests, Arc<Streams>)> {
    let connections = tap.finished().into_iter().filter(|c| !c.session().0.is_empty());
    connections.map(|c| (c.digests(), c)).collect()
}

/// Those of one side that the other does not have, for people.
fn only(side: &str, these: &[(Digests, Arc<Streams>)], those: &[(Digests, Arc<Streams>)]) -> Vec<String> {
    let alone = these.iter().filter(|(digests, _)| !those.iter().any(|(other, _)| other == digests));
    alone
        .map(|(_, streams)| {
            let (client, server) = streams.session();
            let start = client[..client.len().min(120)].escape_ascii();
            let end = client[client.len().saturating_sub(60)..].escape_ascii();
            let last = server[server.len().saturating_sub(60)..].escape_ascii();
            format!(
                "{side}: {} bytes of the client: {start} … {end}\n  {} of the server, the last: {last}",
                client.len(),
                server.len()
            )
        })
        .collect()
}
