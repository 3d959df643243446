//! Binary logs that are read through the proxy, by the tools of both servers: the same bytes, and one event when it begins.

use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    operations::of_kind,
    support::{
        clients::same_lines,
        mysql::{Server, Version},
        panoptes::Panoptes,
        root,
    },
};

pub(crate) const TESTS: &[Named] = &[("binary_log", binary_log), ("endless_binary_log", endless)];

/// The tool of the server's own.
fn tool(rig: &Rig, port: u16) -> Command {
    let mut tool = match rig.version {
        Version::Maria => {
            let mut tool = Command::new("mariadb-binlog");
            tool.arg("--no-defaults");
            tool
        }
        Version::Maria11 => {
            let mut tool = Command::new(root().join("scripts/mariadb11"));
            tool.args(["mariadb-binlog", "--no-defaults", "--skip-ssl"]);
            tool
        }
        Version::My9 => {
            let mut tool = Command::new(root().join("scripts/mysql9"));
            tool.args(["mysqlbinlog", "--no-defaults", "--ssl-mode=DISABLED"]);
            tool
        }
    };
    let port = format!("--port={port}");
    tool.args(["--read-from-remote-server", "--protocol=tcp", "--host=127.0.0.1", &port, "--user=raw"]);
    tool
}

/// The statement events of the command that asks for the log.
fn dumps(events: &[Value]) -> Vec<&Value> {
    let asks =
        |e: &&Value| e["operation"]["command"].as_str().is_some_and(|c| c.starts_with("COM_BINLOG_DUMP"));
    of_kind(events, "statement").filter(asks).collect()
}

fn binary_log(rig: &Rig) -> Result<(), Failed> {
    let server = rig.server();
    server.sql("flush binary logs");
    let file = last_log(server);
    server.sql("create table work.logged (a int); insert into work.logged values (1); flush binary logs");
    let proxy = Panoptes::start_mysql(server.port, "");
    let [direct, through] = [server.port, proxy.port].map(|port| {
        let out = tool(rig, port).arg(&file).output().expect("the tool");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    });
    assert!(
        direct.contains("work.logged") || direct.contains("`logged`"),
        "the log of this server: {direct}"
    );
    same_lines(&direct, &through)?;
    let events = proxy.wait_for("the logout", |events| of_kind(events, "logout").count() == 1);
    let dumps = dumps(&events);
    assert_eq!(dumps.len(), 1, "{events:#?}");
    assert_eq!((&dumps[0]["sql"]["outcome"], &dumps[0]["sql"]["raw"]), (&"ok".into(), &Value::Null));
    let unread: Vec<_> = of_kind(&events, "blind").collect();
    assert!(unread.is_empty(), "{unread:?}");
    Ok(())
}

/// The log that is written.
fn last_log(server: &Server) -> String {
    let all = server.sql("show binary logs");
    all.lines().last().and_then(|line| line.split('\t').next()).expect("a log").to_owned()
}

/// It is told when it begins: who follows a log may do so for years.
fn endless(rig: &Rig) -> Result<(), Failed> {
    let server = rig.server();
    let proxy = Panoptes::start_mysql(server.port, "");
    let mut follower = tool(rig, proxy.port);
    follower.args(["--stop-never", &last_log(server)]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut follower = follower.spawn().expect("the tool");
    proxy.wait_for("the dump", |events| !dumps(events).is_empty());
    let read = || proxy.metric(r#"panoptes_passed_bytes_total{direction="to_client"}"#);
    let before = read();
    server.wait_until(
        "exists (select * from information_schema.processlist where state like '%has sent all binlog%')",
    );
    assert!(follower.try_wait().expect("its state").is_none(), "it follows on");
    follower.kill().expect("it runs");
    follower.wait().expect("its end");
    // A server that sends a log listens to nobody: it sees that he is gone when it has more to send.
    for _ in 0..3 {
        server.sql("create table work.followed (a int); drop table work.followed");
    }
    let events = proxy.wait_for("the logout", |events| of_kind(events, "logout").count() == 1);
    assert_eq!(dumps(&events).len(), 1, "{events:#?}");
    assert!(read() > before, "its bytes are counted");
    Ok(())
}
