//! The real clients: each runs its mix of `tests/clients` against an address and gives the transcript back.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use super::{
    cache,
    postgres::{DATABASE, USER},
    program, root,
};

/// Where Debian has the programs of PostgreSQL's client packages; not all are on the search path.
const TOOLS: &str = "/usr/lib/postgresql/15/bin";

/// A client and its mix. The name is also its `application_name` with `_mix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Psql,
    Psycopg,
    Asyncpg,
    Pg8000,
    NodePg,
    PostgresJs,
    /// psql as a walsender's client, pg_recvlogical, pg_basebackup.
    Replication,
    /// pgbench with its `-M` mode: TPC-B, then `-S`.
    Pgbench(&'static str),
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 10] = [
        Self::Psql,
        Self::Psycopg,
        Self::Asyncpg,
        Self::Pg8000,
        Self::NodePg,
        Self::PostgresJs,
        Self::Replication,
        Self::Pgbench("simple"),
        Self::Pgbench("extended"),
        Self::Pgbench("prepared"),
    ];

    /// As test names have it.
    pub fn name(self) -> String {
        match self {
            Self::Psql => "psql".to_owned(),
            Self::Psycopg => "psycopg".to_owned(),
            Self::Asyncpg => "asyncpg".to_owned(),
            Self::Pg8000 => "pg8000".to_owned(),
            Self::NodePg => "node_pg".to_owned(),
            Self::PostgresJs => "postgres_js".to_owned(),
            Self::Replication => "replication".to_owned(),
            Self::Pgbench(mode) => format!("pgbench_{mode}"),
        }
    }

    /// Is it there? Else the test that needs it is ignored.
    pub fn installed(self) -> bool {
        match self {
            Self::Psql => program("psql").is_some(),
            Self::Psycopg => package("psycopg"),
            Self::Asyncpg => package("asyncpg"),
            Self::Pg8000 => package("pg8000"),
            Self::NodePg => program("node").is_some() && cache().join("node/node_modules/pg").exists(),
            Self::PostgresJs => {
                program("node").is_some() && cache().join("node/node_modules/postgres").exists()
            }
            Self::Replication => ["pg_recvlogical", "pg_basebackup"].iter().all(|name| tool(name).is_some()),
            Self::Pgbench(_) => tool("pgbench").is_some(),
        }
    }

    /// Runs the whole mix against a port of 127.0.0.1; fails where the client itself does. The transcript is the same
    /// for each run against the same server.
    pub fn run(self, port: u16) -> String {
        match self {
            Self::Psql => {
                let mix = mix("psql_mix.sql");
                let command = "exec psql -X -q -a -v ON_ERROR_STOP=0 -f \"$0\" 2>&1";
                without_pids(&output(Command::new("sh").args(["-c", command]).arg(mix), port, "psql_mix"))
            }
            Self::Psycopg => python("psycopg_mix.py", port),
            Self::Asyncpg => python("asyncpg_mix.py", port),
            Self::Pg8000 => python("pg8000_mix.py", port),
            Self::NodePg => node("node_pg_mix.js", port),
            Self::PostgresJs => node("postgres_js_mix.js", port),
            Self::Replication => {
                output(Command::new("bash").arg(mix("replication_mix.sh")), port, "replication_mix")
            }
            Self::Pgbench(mode) => pgbench_runs(mode, port),
        }
    }
}

/// Runs one command of SQL through psql as `user`; standard output and standard error, whether it worked or not.
pub fn psql(port: u16, user: &str, password: &str, text: &str) -> String {
    let out = connected(Command::new("psql").args(["-XAt", "-c", text]), port, "psql")
        .env("PGUSER", user)
        .env("PGPASSWORD", password)
        .output()
        .expect("psql");
    // libpq names the port that it failed at.
    let error = String::from_utf8_lossy(&out.stderr).replace(&port.to_string(), "PORT");
    String::from_utf8_lossy(&out.stdout).into_owned() + &error
}

fn python(file: &str, port: u16) -> String {
    output(Command::new(cache().join("venv/bin/python")).arg(mix(file)), port, "")
}

fn node(file: &str, port: u16) -> String {
    output(Command::new("node").arg(mix(file)), port, "")
}

/// A hundred transactions by each of two clients. The summary tells times, so that only what was done is kept.
fn pgbench_runs(mode: &str, port: u16) -> String {
    let database = format!("pgbench_{mode}");
    let mut transcript = String::new();
    let application = format!("pgbench_{mode}_mix");
    output(Command::new("psql").args(["-Xqc", &format!("create database {database}")]), port, &application);
    for arguments in [
        &["-i", "-s", "1", "-q"][..],
        &["-M", mode, "-c", "2", "-t", "100"],
        &["-S", "-M", mode, "-c", "2", "-t", "100"],
    ] {
        let mut command = Command::new("pgbench");
        let told = output(command.args(arguments).arg(&database), port, &application);
        transcript.extend(told.lines().filter(|l| l.starts_with("number of")).map(|l| format!("{l}\n")));
    }
    let sums = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history), \
                (select count(*) from pgbench_history)";
    transcript += &output(Command::new("psql").args(["-XAtc", sums, &database]), port, &application);
    output(Command::new("psql").args(["-Xqc", &format!("drop database {database}")]), port, &application);
    transcript
}

fn output(command: &mut Command, port: u16, application: &str) -> String {
    let out = connected(command, port, application).output().expect("the client is installed");
    let (told, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{told}\n{complained}", out.status);
    told.into_owned()
}

/// The address and all else that a transcript could depend on. Encryption is asked for or not as each driver does by
/// itself.
fn connected<'a>(command: &'a mut Command, port: u16, application: &str) -> &'a mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        command.env_remove(name);
    }
    if !application.is_empty() {
        command.env("PGAPPNAME", application);
    }
    command
        .envs([("PGHOST", "127.0.0.1"), ("PGUSER", USER), ("PGDATABASE", DATABASE)])
        .envs([("PGPORT", port.to_string())])
        .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("PYTHONUTF8", "1"), ("NODE_NO_WARNINGS", "1")])
        .env("PATH", format!("{TOOLS}:{}", std::env::var("PATH").unwrap_or_default()))
        .env("NODE_PATH", cache().join("node/node_modules"))
        .current_dir(root())
        .stdin(Stdio::null())
}

fn mix(file: &str) -> PathBuf {
    Path::new("tests/clients").join(file)
}

fn package(name: &str) -> bool {
    Command::new(cache().join("venv/bin/python"))
        .args(["-c", &format!("import {name}")])
        .output()
        .is_ok_and(|out| out.status.success())
}

/// One of PostgreSQL's own programs.
fn tool(name: &str) -> Option<PathBuf> {
    Some(Path::new(TOOLS).join(name)).filter(|file| file.exists())
}

/// Fails with the first line in which two transcripts differ.
pub fn same_lines(direct: &str, through: &str) -> Result<(), Failed> {
    if direct == through {
        assert!(!direct.is_empty(), "a transcript");
        return Ok(());
    }
    let mut pairs = direct.lines().zip(through.lines()).enumerate();
    let message = match pairs.find(|(_, (d, t))| d != t) {
        Some((n, (d, t))) => format!("line {}\n  direct:  {d}\n  through: {t}", n + 1),
        None => format!("{} lines directly, {} through", direct.lines().count(), through.lines().count()),
    };
    Err(message.into())
}

/// psql tells which process a notification came from.
fn without_pids(transcript: &str) -> String {
    let cut = |line: &str| line.split(" with PID ").next().unwrap_or_default().to_owned() + "\n";
    transcript.lines().map(cut).collect()
}
