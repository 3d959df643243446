//! A private PostgreSQL server: its own data, its own port, gone with the test that started it.
//!
//! It is started under a small shell that holds the reading end of a pipe. When the pipe closes, because the
//! [`Postgres`] was dropped, the test panicked, or the test process was killed, the shell stops the server and removes
//! its files: so nothing is left over in any case, and no signal or unsafe code is needed.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{cache, free_port, program, wait_for};

/// The superuser; logs in without a password.
pub const USER: &str = "postgres";
/// The database that tests use.
pub const DATABASE: &str = "postgres";
/// Logins that need [`PASSWORD`], each by the method of its name.
pub const PASSWORD_USERS: [&str; 3] = ["scram_user", "md5_user", "cleartext_user"];
/// The password of [`PASSWORD_USERS`].
pub const PASSWORD: &str = "wide open to those who test";

/// Attempts at a port that something else may take first.
const ATTEMPTS: usize = 5;

/// The servers that tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian 12's.
    V15,
    /// The newest: protocol 3.2, long cancel keys.
    V18,
}

impl Version {
    /// Every version.
    pub const ALL: [Self; 2] = [Self::V15, Self::V18];

    /// As test names have it: `pg15`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V15 => "pg15",
            Self::V18 => "pg18",
        }
    }

    /// The folder with `initdb` and `postgres`, where it is installed.
    pub fn bin(self) -> Option<PathBuf> {
        let dir = match self {
            Self::V15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
            Self::V18 => cache().join("pg18/bin"),
        };
        (dir.join("postgres").exists() && program("psql").is_some()).then_some(dir)
    }
}

/// A running server. Dropping it stops it and removes its files.
pub struct Postgres {
    pub version: Version,
    pub port: u16,
    dir: PathBuf,
    supervisor: Child,
}

impl Postgres {
    /// Starts a server that logs every statement, its duration and its errors as JSON; `settings` are added to its
    /// configuration. Clients on 127.0.0.1 are trusted, but for [`PASSWORD_USERS`].
    pub fn start(version: Version, settings: &[(&str, &str)]) -> Self {
        let server = (0..ATTEMPTS).find_map(|_| Self::attempt(version, settings));
        let server = server.expect("PostgreSQL to find a free port");
        server.create_logins();
        server
    }

    fn attempt(version: Version, settings: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("panoptes-pg-").tempdir().expect("a folder").keep();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("its mode");
        let bin = readable(&version.bin().expect("the server is installed"), &dir);
        initialise(&bin, &dir);
        configure(&dir, settings);
        let port = free_port();
        let supervisor = supervise(&bin, &dir, port);
        let server = Self { version, port, dir, supervisor };
        server.comes_up().then_some(server)
    }

    /// Host and port.
    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// Runs SQL as the superuser, past any proxy; one row a line, columns apart by `|`.
    pub fn sql(&self, application: &str, text: &str) -> String {
        let out = Command::new("psql")
            .args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                USER,
                "-d",
                DATABASE,
                "-c",
                text,
            ])
            .env("PGPORT", self.port.to_string())
            .env("PGAPPNAME", application)
            .output()
            .expect("psql");
        assert!(out.status.success(), "{text}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Waits until an SQL condition holds.
    pub fn wait_until(&self, condition: &str) {
        wait_for(condition, || {
            (self.sql("wait", &format!("select {condition}")).trim() == "t").then_some(())
        });
    }

    /// The lines of the server's log so far.
    pub fn log(&self) -> Vec<Value> {
        let bytes = fs::read(self.dir.join("log/server.json")).unwrap_or_default();
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        String::from_utf8_lossy(&bytes[..whole])
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("a log line: {e}: {line}")))
            .collect()
    }

    fn comes_up(&self) -> bool {
        wait_for("PostgreSQL to start", || {
            if self.dir.join("ended").exists() {
                return Some(false);
            }
            let status = fs::read_to_string(self.dir.join("data/postmaster.pid")).ok()?;
            (status.lines().nth(7)?.trim() == "ready").then_some(true)
        })
    }

    fn create_logins(&self) {
        for user in PASSWORD_USERS {
            let encryption = if user == "md5_user" { "md5" } else { "scram-sha-256" };
            self.sql(
                "setup",
                &format!(
                    "set password_encryption = '{encryption}'; create role {user} login password '{PASSWORD}'"
                ),
            );
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The server's programs where its user can reach them: a checkout below `/root` is closed to `postgres`.
fn readable(bin: &Path, dir: &Path) -> PathBuf {
    let reached =
        as_server(Path::new("test")).arg("-x").arg(bin.join("postgres")).status().expect("test").success();
    if reached {
        return bin.to_owned();
    }
    let install = bin.parent().expect("a folder above bin");
    let copied =
        Command::new("cp").arg("-a").arg(install).arg(dir.join("install")).status().expect("cp").success();
    assert!(copied, "copying {}", install.display());
    dir.join("install/bin")
}

fn initialise(bin: &Path, dir: &Path) {
    if root_user() {
        let home = fs::metadata("/var/lib/postgresql").expect("the home of user postgres");
        chown(dir, Some(home.uid()), Some(home.gid())).expect("handing the folder over");
    }
    let out = as_server(&bin.join("initdb"))
        .args(["--no-sync", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
        .arg(dir.join("data"))
        .output()
        .expect("initdb");
    assert!(out.status.success(), "initdb: {}", String::from_utf8_lossy(&out.stderr));
}

fn configure(dir: &Path, settings: &[(&str, &str)]) {
    let log_dir = dir.join("log");
    let own = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("fsync", "off"),
        ("max_connections", "200"),
        ("wal_level", "logical"),
        ("max_wal_senders", "10"),
        ("timezone", "UTC"),
        ("logging_collector", "on"),
        ("log_destination", "jsonlog"),
        ("log_directory", log_dir.to_str().expect("a plain path")),
        ("log_filename", "server.log"),
        ("log_file_mode", "0644"),
        ("log_statement", "all"),
        ("log_min_duration_statement", "0"),
        ("log_replication_commands", "on"),
        ("log_connections", "on"),
        ("log_disconnections", "on"),
        ("lc_messages", "C"),
    ];
    let mut file =
        fs::OpenOptions::new().append(true).open(dir.join("data/postgresql.conf")).expect("its file");
    for (key, value) in own.iter().chain(settings) {
        writeln!(file, "{key} = '{value}'").expect("a setting");
    }
    let access = "host all scram_user 127.0.0.1/32 scram-sha-256\n\
                  host all md5_user 127.0.0.1/32 md5\n\
                  host all cleartext_user 127.0.0.1/32 password\n\
                  host all,replication all 127.0.0.1/32 trust\n";
    fs::write(dir.join("data/pg_hba.conf"), access).expect("pg_hba.conf");
}

/// The server below its shell, which waits in `cat` for the pipe to close.
fn supervise(bin: &Path, dir: &Path, port: u16) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        { "$@" >"$DIR/server.out" 2>&1 </dev/null; : >"$DIR/ended"; } &
        cat >/dev/null
        kill -INT "$(head -n 1 "$DIR/data/postmaster.pid")" 2>/dev/null
        wait
        rm -rf "$DIR"
    "#;
    let server = as_server(&bin.join("postgres"));
    Command::new("/bin/bash")
        .args(["-c", SCRIPT, "postgres"])
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string()])
        .env("DIR", dir)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// `postgres` and `initdb` refuse to run as root.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new(if root_user() { Path::new("setpriv") } else { program });
    if root_user() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    }
    command.current_dir("/");
    command
}

fn root_user() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
