//! Metrics, health and readiness say what is so.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use crate::{
    Named, Rig, has,
    support::{
        clients::psql,
        panoptes::Panoptes,
        postgres::{Postgres, USER, Version},
        program,
        raw::{Raw, bind, execute, parse, sync},
        wait_for,
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("promtool_has_nothing_to_say", promtool),
    ("counters_agree_with_what_ran", counters),
    ("ready_or_why_not", ready_or_why_not),
];

fn promtool(rig: &Rig) -> Result<(), Failed> {
    if program("promtool").is_none() {
        return Err("promtool is not installed (Debian package prometheus)".into());
    }
    let proxy = Panoptes::start(rig.server().port, "");
    // Who connects and says nothing keeps nobody from an answer.
    let _silent: Vec<_> = (0..200).map(|_| proxy.visit()).collect();
    psql(proxy.port, USER, "", "select 1; select 1/0");
    proxy.wait_for("the logout", |events| has(events, "logout"));
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    check.stdin.take().expect("a pipe").write_all(proxy.get("/metrics").1.as_bytes())?;
    let out = check.wait_with_output()?;
    let told = [out.stdout, out.stderr].concat();
    assert!(out.status.success() && told.is_empty(), "{}", String::from_utf8_lossy(&told));
    Ok(())
}

fn counters(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start(rig.server().port, "");
    let mut client = Raw::connect(proxy.port)?;
    let open = || proxy.metric("panoptes_connections");
    wait_for("the connection to be counted", || (open() == 1.0).then_some(()));
    client.query("begin; create temporary table counted (n int); insert into counted select 1; commit")?;
    client.query("select 1/0")?;
    let pipeline = [parse("", "select 1/0"), bind("", &[]), execute(), execute(), sync()].concat();
    client.stream().write_all(&pipeline)?;
    client.exchange()?;
    drop(client);
    let events = proxy.wait_for("the logout", |events| has(events, "logout"));

    let mut expected = BTreeMap::new();
    for event in events.iter().filter(|e| e["kind"] == "statement") {
        let label = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_lowercase();
        let labels = (label(&event["operation"]["category"]), label(&event["sql"]["outcome"]));
        *expected.entry(labels).or_insert(0.0) += 1.0;
    }
    assert!(expected.len() > 3, "of several kinds: {expected:?}");
    let text = proxy.get("/metrics").1;
    let counted: BTreeMap<_, _> = text.lines().filter_map(statements).collect();
    assert_eq!(counted, expected, "{text}");
    for (name, figure) in [
        (r#"panoptes_sessions_ended_total{reason="client_eof"}"#, 1.0),
        ("panoptes_connections", 0.0),
        (r#"panoptes_sink_events_total{result="delivered",sink="file"}"#, events.len() as f64),
        (r#"panoptes_sink_lag_events{sink="file"}"#, 0.0),
        (r#"panoptes_sink_panics_total{sink="file"}"#, 0.0),
        (r#"panoptes_journal_operations_total{operation="appended"}"#, events.len() as f64),
    ] {
        wait_for(&format!("{name} {figure}; it is {}", proxy.metric(name)), || {
            (proxy.metric(name) == figure).then_some(())
        });
    }
    for name in [
        r#"panoptes_passed_bytes_total{direction="to_client"}"#,
        r#"panoptes_passed_bytes_total{direction="to_server"}"#,
        "panoptes_added_latency_seconds_count",
        &format!(r#"panoptes_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION")),
    ] {
        assert!(proxy.metric(name) > 0.0, "{name}\n{text}");
    }
    Ok(())
}

/// Labels and figure of a line of the statements' counter, names in lower case.
fn statements(line: &str) -> Option<((String, String), f64)> {
    let rest = line.strip_prefix("panoptes_statements_total{category=\"")?;
    let (category, rest) = rest.split_once("\",outcome=\"")?;
    let (outcome, figure) = rest.split_once("\"} ")?;
    Some(((category.to_lowercase(), outcome.to_lowercase()), figure.parse().ok()?))
}

fn ready_or_why_not(_: &Rig) -> Result<(), Failed> {
    let server = Postgres::start(Version::V15, &[]);
    let upstream = format!("127.0.0.1:{}", server.port);
    let proxy = Panoptes::start(server.port, "");
    assert_eq!(proxy.get("/healthz").0, 200);
    assert_eq!(proxy.get("/readyz"), (200, "ok\n".to_owned()));
    drop(server);
    let (status, why) = proxy.get("/readyz");
    assert!(status == 503 && why.contains(&upstream), "{status} {why}");
    assert_eq!(proxy.get("/healthz").0, 200, "it is alive");
    assert_eq!(proxy.get("/nothing").0, 404);
    Ok(())
}
