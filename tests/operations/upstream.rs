//! A server that is down, dies in the middle of a statement, or never answers.

use std::{
    collections::BTreeSet,
    io::Write,
    net::{TcpListener, TcpStream},
    process::Command,
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig,
    gate::Gate,
    has, is_error, only, statement,
    support::{
        clients::psql,
        free_port,
        panoptes::Panoptes,
        postgres::{Postgres, USER, Version},
        raw::{Raw, query},
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("down", down),
    ("killed_in_the_middle_of_a_statement", killed),
    ("shut_down_while_idle", shut_down),
    ("one_of_several_is_down", one_of_several),
    ("never_answers", never_answers),
    ("client_never_logs_in", client_never_logs_in),
];

fn down(_: &Rig) -> Result<(), Failed> {
    let nowhere = free_port();
    let mut proxy = Panoptes::start(nowhere, "");
    let mut client = Raw::greet(proxy.port)?;
    let last = client.last_words()?;
    assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "08006")), "{last:?}");
    let place = format!("127.0.0.1:{nowhere}");
    assert!(last.errors[0].contains(&place), "{last:?}");
    let events = proxy.wait_for("the failed login", |events| has(events, "login"));
    let login = only(&events, "login");
    assert_eq!((&login["sql"]["success"], &login["sql"]["sqlState"]), (&false.into(), &"08006".into()));
    assert!(login["sql"]["errorMessage"].as_str().is_some_and(|m| m.contains(&place)), "{login:#}");
    assert_eq!((&login["db"]["port"], &login["db"]["user"]), (&nowhere.into(), &USER.into()));
    assert!(!has(&events, "logout"), "nobody was logged in");

    let told = psql(proxy.port, USER, "", "select 1");
    assert!(told.contains("FATAL") && told.contains(&place), "{told}");
    assert!(proxy.stop().success());
    let warnings = proxy.log().matches("WARN panoptes::connection").count();
    assert_eq!(warnings, 2, "one line for each connection:\n{}", proxy.log());
    assert_eq!(proxy.log().matches("ERROR").count(), 0, "{}", proxy.log());
    Ok(())
}

fn killed(_: &Rig) -> Result<(), Failed> {
    // Its own server: the death of a backend is that of all.
    let server = Postgres::start(Version::V15, &[]);
    let mut proxy = Panoptes::start(server.port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.query("begin")?;
    client.query("select 'before'")?;
    let gate = Gate::closed(&server);
    client.stream().write_all(&query(&gate.statement()))?;
    gate.wait_until_reached();
    let (pid, _) = gate.waiter();
    // The postmaster first: a server that is told to end while it recovers from the death of a backend may hang.
    let postmaster = server.sql("test", "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
    assert!(Command::new("kill").args(["-9", postmaster.trim(), &pid.to_string()]).status()?.success());
    let last = client.last_words()?;
    assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "08006")), "{last:?}");
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    assert_eq!(statement(&events, &gate.statement())["sql"]["outcome"], "lost");
    assert_eq!(statement(&events, "before")["sql"]["outcome"], "ok");
    assert_eq!(only(&events, "logout")["session"]["endReason"], "server_eof");
    let sql = &only(&events, "logout")["sql"];
    assert_eq!((&sql["outcome"], &sql["sqlState"]), (&"error".into(), &"08006".into()), "{sql:#}");
    assert!(proxy.stop().success(), "{}", proxy.log());
    Ok(())
}

/// The server's own farewell passes, and is the reason in the logout.
fn shut_down(_: &Rig) -> Result<(), Failed> {
    let server = Postgres::start(Version::V15, &[]);
    let proxy = Panoptes::start(server.port, "");
    let mut client = Raw::connect(proxy.port)?;
    client.query("select 1")?;
    drop(server);
    let last = client.last_words()?;
    assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "57P01")), "{last:?}");
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let logout = only(&events, "logout");
    assert_eq!(logout["session"]["endReason"], "server_eof", "{logout:#}");
    assert_eq!(logout["sql"]["sqlState"], "57P01", "{logout:#}");
    Ok(())
}

/// Listeners of one process know nothing of each other.
fn one_of_several(rig: &Rig) -> Result<(), Failed> {
    let (second, nowhere) = (free_port(), free_port());
    let listen = format!(
        "[[listen]]\naddress = \"127.0.0.1:{second}\"\nupstream = \"postgres://127.0.0.1:{nowhere}\""
    );
    let proxy = Panoptes::start(rig.server().port, &listen);
    let refused = Raw::greet(second)?.last_words()?;
    assert!(matches!(&refused.errors[..], [error] if is_error(error, "FATAL", "08006")), "{refused:?}");
    assert_eq!(Raw::connect(proxy.port)?.query("select 1")?.completed, 1);
    let (status, why) = proxy.get("/readyz");
    assert!(status == 503 && why.contains(&nowhere.to_string()), "{status} {why}");
    assert!(!why.contains(&rig.server().port.to_string()), "{why}");
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));
    let logins = events.iter().filter(|e| e["kind"] == "login");
    let ports: BTreeSet<_> = logins.map(|e| e["db"]["port"].as_u64()).collect();
    assert_eq!(ports, [nowhere, rig.server().port].map(|port| Some(port.into())).into());
    Ok(())
}

fn never_answers(_: &Rig) -> Result<(), Failed> {
    let silent = TcpListener::bind(("127.0.0.1", 0))?;
    let proxy = Panoptes::start(silent.local_addr()?.port(), "[limits]\nlogin_timeout = \"300 ms\"");
    let mut client = Raw::greet(proxy.port)?;
    let last = client.last_words()?;
    assert!(matches!(&last.errors[..], [error] if is_error(error, "FATAL", "08006")), "{last:?}");
    let events = proxy.wait_for("the failed login", |events| has(events, "login"));
    let login = only(&events, "login");
    assert_eq!((&login["sql"]["success"], &login["sql"]["sqlState"]), (&false.into(), &"08006".into()));
    assert_eq!(proxy.metric(r#"panoptes_sessions_ended_total{reason="login_timeout"}"#), 1.0);
    Ok(())
}

/// A client that says nothing does not stay.
fn client_never_logs_in(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "[limits]\nlogin_timeout = \"300 ms\"");
    let mut client = Raw::open(proxy.port, b"\0\0")?;
    client.last_words()?;
    let events = proxy.wait_for("the failed login", |events| has(events, "login"));
    assert_eq!(only(&events, "login")["sql"]["success"], false);
    // One that is gone before it said anything is a health check, and no event.
    drop(TcpStream::connect(("127.0.0.1", proxy.port))?);
    Raw::connect(proxy.port)?.query("select 1")?;
    let events = proxy.wait_for("the other's logout", |events| has(events, "logout"));
    assert_eq!(events.iter().filter(|e| e["kind"] == "login").count(), 2);
    Ok(())
}
