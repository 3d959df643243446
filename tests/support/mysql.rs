//! A private MariaDB or MySQL: its own data, its own port, gone with the test that started it. And its clients.
//!
//! It is started under a shell that waits in `cat` for a pipe to close, as PostgreSQL's is (see `postgres.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{cache, free_port, program, root, wait_for};

/// Logs in over TCP, with [`PASSWORD`] or without one.
pub const USER: &str = "mixer";
/// Of [`USER`] where the server has `mysql_native_password`.
pub const PASSWORD: &str = "wide open";

/// Attempts at a port that something else may take first.
const ATTEMPTS: usize = 5;

/// The servers that tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian 12's MariaDB 10.11.
    Maria,
    /// Debian sid's MariaDB 11.8, of `scripts/mariadb11`.
    Maria11,
    /// MySQL 9.7 of `scripts/mysql9`.
    My9,
}

impl Version {
    /// Every version.
    pub const ALL: [Self; 3] = [Self::Maria, Self::Maria11, Self::My9];

    /// As test names have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maria => "mariadb10_11",
            Self::Maria11 => "mariadb11_8",
            Self::My9 => "mysql9_7",
        }
    }

    /// Whether it is there, with the client that asks it.
    pub fn installed(self) -> bool {
        let server = match self {
            Self::Maria => {
                Path::new("/usr/sbin/mariadbd").exists() && program("mariadb-install-db").is_some()
            }
            Self::Maria11 => cache().join("mariadb11/usr/sbin/mariadbd").exists(),
            Self::My9 => cache().join("mysql9/usr/sbin/mysqld").exists(),
        };
        server && program("mariadb").is_some()
    }

    /// Whether it is a MariaDB.
    pub fn is_mariadb(self) -> bool {
        self != Self::My9
    }

    /// Of [`USER`]: a MySQL of today has no method by which a password goes over plain TCP without its server's key.
    pub fn password(self) -> &'static str {
        match self {
            Self::Maria | Self::Maria11 => PASSWORD,
            Self::My9 => "",
        }
    }
}

/// A running server. Dropping it stops it and removes its files.
pub struct Server {
    pub version: Version,
    pub port: u16,
    dir: PathBuf,
    supervisor: Child,
}

impl Server {
    /// Starts a server; `options` are added to its command line.
    pub fn start(version: Version, options: &[&str]) -> Self {
        let server = (0..ATTEMPTS).find_map(|_| Self::attempt(version, options));
        let server = server.expect("the server to find a free port");
        server.sql(&format!(
            "create user {USER}@'%' identified by '{}'; grant all on *.* to {USER}@'%' with grant option; create database work; create user raw@'%' identified by ''; grant all on *.* to raw@'%' with grant option",
            version.password()
        ));
        server
    }

    /// Keeps the outcome of each statement, to be asked for by [`Self::statements`], and logs each in a table.
    pub fn start_recording(version: Version) -> Self {
        // Texts as they were sent, those that do not parse too; a MariaDB has no others.
        let raw = if version.is_mariadb() { "--log-output=TABLE" } else { "--log-raw=1" };
        Self::start(
            version,
            &[
                raw,
                "--general-log=1",
                "--log-output=TABLE",
                "--performance-schema=ON",
                "--performance-schema-instrument=statement/%=ON",
                "--performance-schema-consumer-events-statements-current=ON",
                "--performance-schema-consumer-events-statements-history=ON",
                "--performance-schema-consumer-events-statements-history-long=ON",
                "--performance-schema-events-statements-history-long-size=20000",
                "--performance-schema-events-statements-history-size=1",
                "--performance-schema-max-sql-text-length=4096",
                "--performance-schema-digests-size=10",
                "--performance-schema-max-thread-instances=120",
            ],
        )
    }

    fn attempt(version: Version, options: &[&str]) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("panoptes-my-").tempdir().expect("a folder").keep();
        let port = free_port();
        let mut command = command(version, &dir);
        command
            .args([
                format!("--port={port}"),
                "--bind-address=127.0.0.1".into(),
                "--skip-networking=OFF".into(),
            ])
            .args(["--local-infile=1", "--max-allowed-packet=64M", "--innodb-buffer-pool-size=32M"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--skip-name-resolve"])
            .args(options);
        let supervisor = supervise(&command, &dir);
        let server = Self { version, port, dir, supervisor };
        server.comes_up().then_some(server)
    }

    fn comes_up(&self) -> bool {
        wait_for("the server to start", || match self.dir.join("ended").exists() {
            true => Some(false),
            false => self.ask("select 1").status.success().then_some(true),
        })
    }

    fn ask(&self, text: &str) -> std::process::Output {
        let mut mariadb = Command::new("mariadb");
        mariadb.args(["--no-defaults", "-uroot", "-N", "-B", "-r", "--default-character-set=utf8mb4"]);
        mariadb.arg("-S").arg(self.dir.join("s")).args(["-e", text]).output().expect("mariadb")
    }

    /// Runs SQL as root, past any proxy; one row a line, columns apart by tabs.
    pub fn sql(&self, text: &str) -> String {
        let out = self.ask(text);
        assert!(out.status.success(), "{text}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Waits until an SQL condition holds.
    pub fn wait_until(&self, condition: &str) {
        wait_for(condition, || {
            let _turn = condition.contains("innodb_trx").then(turn_to_look);
            (self.sql(&format!("select {condition}")).trim() == "1").then_some(())
        });
    }

    /// Its general log, in order.
    pub fn general_log(&self) -> Vec<Logged> {
        let rows = self.sql(
            "select thread_id, locate('[mixer]', user_host) > 0, command_type, hex(argument) from mysql.general_log",
        );
        rows.lines().map(Logged::of).collect()
    }

    /// What its performance schema says that it ran, in order: for each connection of the log by its id, that ran something.
    pub fn statements(&self, log: &[Logged]) -> BTreeMap<u32, Vec<Statement>> {
        let rows = self.sql(
            "select json_object('thread', THREAD_ID, 'event', EVENT_NAME, 'text', SQL_TEXT, 'affected', ROWS_AFFECTED, \
             'sent', ROWS_SENT, 'errno', MYSQL_ERRNO, 'state', RETURNED_SQLSTATE, 'warnings', WARNINGS) \
             from performance_schema.events_statements_history_long \
             where coalesce(NESTING_EVENT_TYPE, '') <> 'STATEMENT' and EVENT_NAME not like 'statement/sp/%' \
             order by THREAD_ID, EVENT_ID",
        );
        let rows: Vec<Statement> =
            rows.lines().map(|line| Statement(serde_json::from_str(line).expect("a row"))).collect();
        let by_thread = rows.chunk_by(|a, b| a.0["thread"] == b.0["thread"]);
        // Its threads have numbers of their own, given in the order in which connections came.
        let ran = log.iter().filter(|row| row.id > 0 && row.kind != "Connect");
        let ids: BTreeSet<u32> = ran.map(|row| row.id).collect();
        ids.into_iter().zip(by_thread.map(<[_]>::to_vec)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// A row of the general log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Of the connection; 0 of the server itself.
    pub id: u32,
    /// It is of one that [`USER`] opened.
    pub ours: bool,
    /// `Query`, `Execute`, `Connect`, …
    pub kind: String,
    pub text: Vec<u8>,
}

impl Logged {
    fn of(line: &str) -> Self {
        let fields: Vec<_> = line.split('\t').collect();
        let [id, ours, kind, text] = fields[..] else { panic!("four columns: {line}") };
        let bytes = text.as_bytes().as_chunks().0.iter().map(|[high, low]| {
            let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
            digit(*high) << 4 | digit(*low)
        });
        let id = id.parse().expect("an id");
        Self { id, ours: ours == "1", kind: kind.to_owned(), text: bytes.collect() }
    }
}

/// One statement or command, as the server's performance schema tells it.
#[derive(Clone, Debug)]
pub struct Statement(pub Value);

impl Statement {
    /// `statement/com/Ping` → `Ping`; of SQL the kind of statement.
    pub fn name(&self) -> &str {
        self.0["event"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default()
    }

    pub fn is_command(&self) -> bool {
        self.0["event"].as_str().is_some_and(|name| name.starts_with("statement/com/"))
    }

    pub fn errno(&self) -> u64 {
        self.0["errno"].as_u64().unwrap_or_default()
    }
}

/// The server's command line, its data made anew.
fn command(version: Version, dir: &Path) -> Command {
    match version {
        Version::Maria => {
            let data = dir.join("data");
            let made = Command::new("mariadb-install-db")
                .args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    "--user=root",
                ])
                .arg(format!("--datadir={}", data.display()))
                .output()
                .expect("mariadb-install-db");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            let mut command = Command::new("/usr/sbin/mariadbd");
            command.args(["--no-defaults", "--user=root"]);
            command
                .arg(format!("--datadir={}", data.display()))
                .arg(format!("--socket={}", dir.join("s").display()));
            command
        }
        Version::Maria11 => started_by("scripts/mariadb11", dir),
        Version::My9 => started_by("scripts/mysql9", dir),
    }
}

fn started_by(script: &str, dir: &Path) -> Command {
    let mut command = Command::new(root().join(script));
    command.arg("start").arg(dir);
    command
}

fn supervise(server: &Command, dir: &Path) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        "$@" >"$DIR/server.out" 2>&1 </dev/null &
        server=$!
        (while kill -0 $server 2>/dev/null; do sleep 0.2; done; : >"$DIR/ended") 2>/dev/null &
        watcher=$!
        cat >/dev/null
        kill -KILL $server 2>/dev/null
        wait $server $watcher 2>/dev/null
        rm -rf "$DIR"
    "#;
    Command::new("/bin/bash")
        .args(["-c", SCRIPT, "mysql"])
        .arg(server.get_program())
        .args(server.get_args())
        .env("DIR", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// Where Debian has it.
const CONNECTOR_J: &str = "/usr/share/java/mariadb-java-client.jar";

/// A client and its mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Mariadb,
    PyMysql,
    /// mysqlclient, on a C library.
    LibMysql,
    Connector,
    Mysql2,
    /// MariaDB Connector/J.
    ConnectorJ,
    /// sysbench's oltp_read_write, with prepared statements or without.
    Sysbench(&'static str),
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 8] = [
        Self::Mariadb,
        Self::PyMysql,
        Self::LibMysql,
        Self::Connector,
        Self::Mysql2,
        Self::ConnectorJ,
        Self::Sysbench("disable"),
        Self::Sysbench("auto"),
    ];

    /// As test names have it.
    pub fn name(self) -> String {
        match self {
            Self::Mariadb => "mariadb".to_owned(),
            Self::PyMysql => "pymysql".to_owned(),
            Self::LibMysql => "mysqlclient".to_owned(),
            Self::Connector => "connector_python".to_owned(),
            Self::Mysql2 => "mysql2".to_owned(),
            Self::ConnectorJ => "connector_j".to_owned(),
            Self::Sysbench(mode) => format!("sysbench_ps_{mode}"),
        }
    }

    /// Is it there? Else the test that needs it is ignored.
    pub fn installed(self) -> bool {
        let package = |name: &str| {
            let import = format!("import {name}");
            let python = Command::new(cache().join("venv/bin/python")).args(["-c", &import]).output();
            python.is_ok_and(|out| out.status.success())
        };
        match self {
            Self::Mariadb => program("mariadb").is_some(),
            Self::PyMysql => package("pymysql"),
            Self::LibMysql => package("MySQLdb"),
            Self::Connector => package("mysql.connector"),
            Self::Mysql2 => program("node").is_some() && cache().join("node/node_modules/mysql2").exists(),
            Self::ConnectorJ => program("javac").is_some() && Path::new(CONNECTOR_J).exists(),
            Self::Sysbench(_) => program("sysbench").is_some(),
        }
    }

    /// Runs the whole mix against a port of 127.0.0.1, and gives its transcript.
    pub fn run(self, version: Version, port: u16) -> String {
        let python = |file: &str| {
            let mut command = Command::new(cache().join("venv/bin/python"));
            command.args(["-W", "ignore", file]);
            command
        };
        let mut command = match self {
            Self::Mariadb => {
                let mut command = Command::new("mariadb");
                command.args(["--no-defaults", "--force", "--comments", "-v", "-v", "--protocol=tcp"]);
                command.args(["--default-character-set=utf8mb4", "-h127.0.0.1", &format!("-P{port}")]);
                // Without a `=` no password would be asked for at the terminal.
                command.args([&format!("-u{USER}"), &format!("--password={}", version.password())]);
                command.stdin(fs::File::open(root().join("tests/clients/mariadb_mix.sql")).expect("the mix"));
                return transcript(&mut command, port);
            }
            Self::PyMysql => python("tests/clients/pymysql_mix.py"),
            Self::LibMysql => python("tests/clients/mysqlclient_mix.py"),
            Self::Connector => python("tests/clients/connector_mix.py"),
            Self::Mysql2 => {
                let mut command = Command::new("node");
                command.arg("tests/clients/mysql2_mix.js");
                command
            }
            Self::ConnectorJ => {
                let mut command = Command::new("java");
                command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", CONNECTOR_J]);
                command.arg("tests/clients/ConnectorJMix.java");
                command
            }
            Self::Sysbench(mode) => return sysbench(version, port, mode),
        };
        transcript(command.args([&port.to_string(), USER, version.password()]), port)
    }
}

/// Twenty transactions by each of two threads. The summary tells times, so that only what was done is kept.
fn sysbench(version: Version, port: u16, mode: &str) -> String {
    let mut told = String::new();
    for step in ["prepare", "run", "cleanup"] {
        let mut command = Command::new("sysbench");
        command.args(["--db-driver=mysql", "--mysql-host=127.0.0.1", &format!("--mysql-port={port}")]);
        command.args([&format!("--mysql-user={USER}"), &format!("--mysql-password={}", version.password())]);
        command.args([
            "--mysql-db=work",
            "--tables=1",
            "--table-size=200",
            "--threads=1",
            "--events=20",
            "--time=0",
        ]);
        command.args([&format!("--db-ps-mode={mode}"), "--rand-seed=7", "oltp_read_write", step]);
        let said = transcript(&mut command, port);
        let kept =
            said.lines().filter(|l| l.contains("read:") || l.contains("write:") || l.contains("other:"));
        told.extend(kept.map(|l| l.trim().to_owned() + "\n"));
    }
    told
}

/// What it says on both ends; fails where the client itself does.
fn transcript(command: &mut Command, port: u16) -> String {
    let out = command
        .env("NODE_PATH", cache().join("node/node_modules"))
        .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("PYTHONUTF8", "1"), ("NODE_NO_WARNINGS", "1")])
        .current_dir(root())
        .output()
        .expect("the client is installed");
    let (told, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let lines = told.lines().chain(complained.lines()).map(|line| timeless(line, port));
    let all = lines.fold(String::new(), |all, line| all + &line + "\n");
    // With --force the command line client still tells by its status that statements failed.
    let forced = command.get_args().any(|arg| arg == "--force");
    assert!(out.status.success() || forced, "{command:?}: {}\n{all}", out.status);
    all
}

/// A line without how long it took.
fn timeless(line: &str, port: u16) -> String {
    let line = line.replace(&port.to_string(), "PORT");
    match line.rfind(" (").filter(|_| line.ends_with(" sec)")) {
        Some(at) => line[..at].to_owned(),
        None => line,
    }
}

/// InnoDB reads its list of transactions anew only if nobody has looked at it for 100 ms: trials that all look often would see
/// the same for ever. So one looks at a time.
fn turn_to_look() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    thread::sleep(Duration::from_millis(150));
    turn
}
