//! The built `panoptes` before a server, and what it wrote.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{free_port, wait_for};

/// Attempts at a port that something else may take first.
const ATTEMPTS: usize = 5;

/// A running proxy with a journal, a file sink and an admin endpoint of its own. Dropping it kills it.
pub struct Panoptes {
    pub port: u16,
    pub admin: u16,
    dir: TempDir,
    environment: Vec<(String, String)>,
    /// How many files it may have open.
    files: Option<u32>,
    process: Child,
    /// How often it was started.
    starts: usize,
}

impl Panoptes {
    /// Starts the proxy before the server on `upstream` of 127.0.0.1. `extra` is added to its TOML file.
    pub fn start(upstream: u16, extra: &str) -> Self {
        Self::start_prepared(upstream, extra, &[], |_| {})
    }

    /// The same before a MySQL or a MariaDB.
    pub fn start_mysql(upstream: u16, extra: &str) -> Self {
        Self::start_mysql_prepared(upstream, extra, &[])
    }

    /// The same with variables of the environment.
    pub fn start_mysql_prepared(upstream: u16, extra: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_before(&format!("mysql://127.0.0.1:{upstream}"), extra, environment, |_| {})
    }

    /// The same with variables of the environment, after `prepare` saw the folder that it runs in.
    pub fn start_prepared(
        upstream: u16,
        extra: &str,
        environment: &[(&str, &str)],
        prepare: impl Fn(&Path),
    ) -> Self {
        Self::start_before(&format!("postgres://127.0.0.1:{upstream}"), extra, environment, prepare)
    }

    /// The same as [`Self::start`], and again with no more than so many files open.
    pub fn start_with_files(upstream: u16, extra: &str, files: u32) -> Self {
        let mut proxy = Self::start(upstream, extra);
        assert!(proxy.stop().success(), "{}", proxy.log());
        proxy.files = Some(files);
        proxy.start_again();
        proxy
    }

    fn start_before(
        upstream: &str,
        extra: &str,
        environment: &[(&str, &str)],
        prepare: impl Fn(&Path),
    ) -> Self {
        for _ in 0..ATTEMPTS {
            let dir = tempfile::Builder::new().prefix("panoptes-").tempdir().expect("a folder");
            prepare(dir.path());
            let mut proxy = Self::spawn(dir, upstream, extra, environment);
            if proxy.comes_up() {
                return proxy;
            }
            let log = proxy.log();
            assert!(log.contains("in use"), "panoptes did not start:\n{log}");
        }
        panic!("panoptes found no free port");
    }

    fn spawn(dir: TempDir, upstream: &str, extra: &str, environment: &[(&str, &str)]) -> Self {
        let (port, admin) = (free_port(), free_port());
        fs::write(dir.path().join("panoptes.toml"), configuration(&dir, port, admin, upstream, extra))
            .expect("its file");
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let process = run(&dir, &environment, None);
        Self { port, admin, dir, environment, files: None, process, starts: 1 }
    }

    /// Starts it anew where the last one ended: same folder, same ports.
    pub fn start_again(&mut self) {
        self.process = run(&self.dir, &self.environment, self.files);
        self.starts += 1;
        assert!(self.comes_up(), "panoptes did not start again:\n{}", self.log());
    }

    /// The events in the file sink so far, in order.
    pub fn events(&self) -> Vec<Value> {
        let bytes = fs::read(self.events_file()).unwrap_or_default();
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        let lines = std::str::from_utf8(&bytes[..whole]).expect("the file sink writes UTF-8");
        lines
            .lines()
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("an event: {e}: {l}")))
            .collect()
    }

    /// Waits until the events satisfy `enough`, and returns them. `what` is for the message when they never do.
    pub fn wait_for(&self, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for(&format!("{what}; the proxy's log:\n{}", self.log()), || {
            let events = self.events();
            enough(&events).then_some(events)
        })
    }

    /// Waits until the file sink has so many events, without reading them.
    pub fn wait_for_lines(&self, enough: usize) {
        wait_for(&format!("{enough} events"), || {
            let bytes = fs::read(self.events_file()).unwrap_or_default();
            (bytes.iter().filter(|&&b| b == b'\n').count() >= enough).then_some(())
        });
    }

    /// SIGTERM, then the way it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill").success(), "it runs");
    }

    /// Waits for its end, and tells the way.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("panoptes to end", || self.process.try_wait().expect("its state"))
    }

    /// Waits until its log has `words`.
    pub fn wait_for_log(&self, words: &str) {
        wait_for(&format!("{words:?} in the log"), || self.log().contains(words).then_some(()));
    }

    /// Status and body of a GET at the admin endpoint.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = self.visit();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("to be heard");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// A connection to the admin endpoint.
    pub fn visit(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin endpoint")
    }

    /// A figure of `/metrics` by its name with its labels, as it is written there; 0 where it is not.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |figure| figure.parse().expect("a number"))
    }

    /// The proxy's process, for `/proc`.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to standard output and standard error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("stderr")).unwrap_or_default()).into_owned()
    }

    /// The folder that it runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn events_file(&self) -> PathBuf {
        self.dir.path().join("events.jsonl")
    }

    fn comes_up(&mut self) -> bool {
        // Its sockets are bound long before it is ready for signals; and until then they may be another's.
        wait_for("panoptes to come up", || {
            if self.process.try_wait().expect("its state").is_some() {
                return Some(false);
            }
            let told = self.log().matches("metrics and health").count();
            (told == self.starts && self.get("/healthz").0 == 200).then_some(true)
        })
    }
}

impl Drop for Panoptes {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the log of panoptes:\n{}", self.log());
        }
    }
}

/// The built binary; its log goes on where there is one.
fn run(dir: &TempDir, environment: &[(String, String)], files: Option<u32>) -> Child {
    let log =
        fs::OpenOptions::new().create(true).append(true).open(dir.path().join("stderr")).expect("its log");
    const PROGRAM: &str = env!("CARGO_BIN_EXE_panoptes");
    let mut command = Command::new(if files.is_some() { "prlimit" } else { PROGRAM });
    if let Some(files) = files {
        command.args([&format!("--nofile={files}:{files}"), PROGRAM]);
    }
    command
        .args(["run", "--config"])
        .arg(dir.path().join("panoptes.toml"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("its log"))
        .stderr(log)
        .spawn()
        .expect("the built binary")
}

fn configuration(dir: &TempDir, port: u16, admin: u16, upstream: &str, extra: &str) -> String {
    let dir = dir.path().display();
    format!(
        r#"
app_name = "rig"
environment = "dev"

[[listen]]
address = "127.0.0.1:{port}"
upstream = "{upstream}"

[journal]
dir = "{dir}/journal"

[sinks.file]
path = "{dir}/events.jsonl"
batch.max_wait = "10 ms"

[admin]
address = "127.0.0.1:{admin}"

{extra}
"#
    )
}
