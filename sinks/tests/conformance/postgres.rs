//! PostgreSQL 15.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use libtest_mimic::Trial;
use panoptes_config::{DatabaseUrl, Partitions, Tls};
use panoptes_event::{
    Batch, Kind,
    table::{Engine, Schema},
};

use crate::{
    certificates::Certificates,
    database::{self, PASSWORD, Server, Table, event},
    free_port, named, program, rate,
    scenarios::{self, Destination, Refusal},
    trial::{Poison, wait_for},
};

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub struct Postgres {
    dir: PathBuf,
    port: u16,
    process: Option<Child>,
    /// Stops the server and removes its files when this process is gone.
    _watchdog: Child,
}

fn server() -> MutexGuard<'static, Postgres> {
    static SERVER: OnceLock<Mutex<Postgres>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Mutex::new(Postgres::new()));
    let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
    // A trial that failed may have left it down.
    server.start();
    server
}

fn table(name: &str) -> Table<Postgres> {
    Table::new(server(), &format!("t_{}", name.replace([' ', ',', '-'], "_")))
}

pub fn trials() -> Vec<Trial> {
    let there =
        Path::new(BIN).join("postgres").is_file() && program("psql").is_some() && Certificates::can_be_had();
    let trial = |name: &'static str, run: fn()| named(format!("database PostgreSQL: {name}"), there, run);
    let mut trials: Vec<Trial> = scenarios::ALL
        .into_iter()
        .map(|(name, scenario)| {
            named(format!("database PostgreSQL: {name}"), there, move || scenario(&mut table(name)))
        })
        .collect();
    trials.extend(rate("PostgreSQL", there, || table("rate")));
    trials.extend([
        trial("verdicts", || database::verdicts(&table("verdicts"))),
        trial("a trigger that objects to rows", || database::objections(table("objections"), false)),
        trial("a trigger that lets rows go", || database::objections(table("silence"), true)),
        trial("a trigger that puts rows elsewhere", routed),
        trial("a trigger that puts rows where they do not show", hidden),
        trial("an older table", || database::older_table(table("older"), OLDER)),
        trial("complaints, then repeats", || {
            database::complaints(table("complaints"), "password authentication failed");
        }),
        trial("four at once, by month", by_month),
        trial("over TLS", over_tls),
        trial("a login that may only insert", insert_only),
        trial("a sequence that is behind", behind),
    ]);
    trials
}

/// Before there were ids: types and rules as people have them.
const OLDER: &str = "CREATE TABLE t_older (id BIGSERIAL PRIMARY KEY, app_name VARCHAR(255) NOT NULL,
    environment VARCHAR(50) NOT NULL, timestamp TIMESTAMP NOT NULL, timestamp_unix BIGINT NOT NULL, date DATE NOT NULL,
    time CHAR(8) NOT NULL, duration_ms NUMERIC(10, 2), db_engine VARCHAR(50) NOT NULL, operation_type VARCHAR(50) NOT NULL,
    tables_involved JSONB, sql_raw TEXT NOT NULL, sql_parameters JSONB, row_count INTEGER,
    success BOOLEAN NOT NULL DEFAULT TRUE, actor_roles JSONB, created_at TIMESTAMP NOT NULL DEFAULT now())";

fn by_month() {
    let mut table = table("months");
    table.options.partitions = Partitions::Monthly;
    table.options.concurrency = 4;
    let mut run = table.run();
    run.start();
    run.send(200);
    let mut batch = Batch::default();
    // The second is of the next month.
    event(&mut batch, 1, Kind::Statement, 1, None);
    event(&mut batch, 31 * 24 * 60 * 60 * 1_000_000, Kind::Statement, 2, None);
    run.journal().append(&batch).unwrap();
    run.finish();
    let rows = table.server.sql("SELECT tableoid::regclass, count(*) FROM t_months GROUP BY 1 ORDER BY 1");
    assert_eq!(rows, "t_months_y2026m11|201\nt_months_y2026m12|1\n");
    // A default partition that has rows of a month keeps that month.
    table.server.sql("CREATE TABLE t_months_rest PARTITION OF t_months DEFAULT");
    table.server.sql(
        "INSERT INTO t_months (timestamp, event_id, kind, event) VALUES ('2027-01-09', gen_random_uuid(), 'external', '{}')",
    );
    let mut batch = Batch::default();
    event(&mut batch, 60 * 24 * 60 * 60 * 1_000_000, Kind::Statement, 3, None);
    let mut run = table.run();
    run.start();
    run.journal().append(&batch).unwrap();
    run.finish();
    assert_eq!(table.server.sql("SELECT count(*) FROM t_months_rest WHERE kind = 'statement'"), "1\n");
    let mut plain = table;
    plain.server.sql("CREATE TABLE t_plain (event JSON)");
    plain.options.table = "t_plain".into();
    let mut run = plain.run();
    run.send(1);
    run.start();
    run.wait_for_failures(1);
    let error = run.journal().stats().sinks[0].last_error.clone().unwrap();
    assert!(error.contains("table t_plain is not partitioned"), "{error}");
}

fn over_tls() {
    let mut table = table("tls");
    let authority = |file| Tls { ca_file: Some(file), ..Tls::default() };
    let other = Certificates::new();
    let (right, wrong) = (authority(table.server.dir.join("ca.crt")), authority(other.certificate("ca")));
    table.options.url.tls = true;
    table.options.tls = wrong;
    let mut run = table.run();
    run.send(1);
    run.start();
    run.wait_for_failures(1);
    let error = run.journal().stats().sinks[0].last_error.clone().unwrap();
    assert!(error.contains("certificate"), "{error}");
    table.options.tls = right;
    let mut run = table.run();
    run.start();
    run.send(50);
    wait_for("a delivery", || run.delivered() == 50);
    let ssl =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'panoptes'";
    assert_eq!(table.server.sql(ssl), "t\n");
    run.finish();
    run.check(&table.received(), true);
}

fn insert_only() {
    let mut table = table("insert_only");
    let create = Schema { engine: Engine::Postgres, table: "t_insert_only", monthly: false };
    table.server.sql(&create.script());
    table.server.sql(
        "GRANT INSERT ON t_insert_only TO panoptes; GRANT USAGE ON SEQUENCE t_insert_only_id_seq TO panoptes",
    );
    table.options.auto_create_table = false;
    database::repeats(table);
}

/// As partitions were made before there were any: no row goes into the table itself, and all of them are there.
fn routed() {
    let mut table = table("routed");
    let create = Schema { engine: Engine::Postgres, table: "t_routed", monthly: false };
    table.server.sql(&create.script());
    table.server.grant("t_routed");
    table.server.sql(
        "CREATE TABLE t_routed_2026 (UNIQUE (event_id)) INHERITS (t_routed);
         CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$ BEGIN INSERT INTO t_routed_2026 SELECT NEW.*; RETURN NULL; END $$;
         CREATE TRIGGER route BEFORE INSERT ON t_routed FOR EACH ROW EXECUTE FUNCTION route()",
    );
    // The second time they are repeats, and some behind them are none.
    for events in [50, 75] {
        let mut run = table.run();
        run.send(events);
        run.start();
        run.finish();
        run.check(&table.received(), true);
    }
    assert_eq!(table.server.sql("SELECT count(*) FROM ONLY t_routed"), "0\n");
}

/// Into a table of another kind, once each: no event of them waits for another one to be taken, of which there is none.
fn hidden() {
    let table = table("hidden");
    let create = Schema { engine: Engine::Postgres, table: "t_hidden", monthly: false };
    table.server.sql(&create.script());
    table.server.grant("t_hidden");
    table.server.sql(
        "CREATE TABLE t_beside (id uuid);
         CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$ BEGIN INSERT INTO t_beside VALUES (NEW.event_id); RETURN NULL; END $$;
         CREATE TRIGGER hide BEFORE INSERT ON t_hidden FOR EACH ROW EXECUTE FUNCTION hide()",
    );
    let mut run = table.run();
    run.send(50);
    run.start();
    run.finish();
    let letters = run.dead_letters();
    assert!(letters.values().all(|reason| reason.contains("there is no row of it")), "{letters:?}");
    assert_eq!(letters.len(), 50);
    assert_eq!(table.server.sql("SELECT count(*), count(DISTINCT id) FROM t_beside"), "50|50\n");
}

/// As after a restore: there are rows whose numbers the table would give again. None is passed over for that.
fn behind() {
    let table = table("behind");
    let create = Schema { engine: Engine::Postgres, table: "t_behind", monthly: false };
    table.server.sql(&create.script());
    table.server.grant("t_behind");
    table.server.sql(
        "INSERT INTO t_behind (id, timestamp, event_id, kind, event)
         SELECT n, now(), gen_random_uuid(), 'external', '{}' FROM generate_series(1, 29, 2) n",
    );
    let mut run = table.run();
    run.send(5);
    run.start();
    run.wait_for_failures(1);
    let told = || run.journal().stats().sinks[0].last_error.clone();
    assert!(told().is_none_or(|error| error.contains("the sequence of the column id is behind")));
    run.send(20);
    run.finish();
    table.server.sql("DELETE FROM t_behind WHERE kind = 'external'");
    let mut table = table;
    run.check(&table.received(), true);
    assert!(run.dead_letters().is_empty());
}

impl Postgres {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("panoptes-pg-").tempdir().unwrap().keep();
        run(Command::new("chown").arg("postgres").arg(&dir));
        let data = dir.join("data");
        let options = ["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"];
        run(as_server(&format!("{BIN}/initdb")).args(options).arg(&data));
        let port = free_port();
        let shown = dir.display();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\nmax_connections = 50\n\
             shared_buffers = '16MB'\nssl = on\nssl_cert_file = '{shown}/server.crt'\nssl_key_file = '{shown}/server.key'\n\
             log_min_messages = fatal\n"
        );
        fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .unwrap()
            .write_all(settings.as_bytes())
            .unwrap();
        let rules = "host all panoptes 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        fs::write(data.join("pg_hba.conf"), rules).unwrap();
        Certificates::new().copy_to(&dir);
        run(Command::new("chown").arg("postgres").arg(dir.join("server.key")));
        // Reads until the pipe ends, which it does with this process, however that ends.
        let clean = format!(
            "cat >/dev/null; kill -QUIT $(head -1 {shown}/data/postmaster.pid); sleep 0.5; rm -rf {shown}"
        );
        let watchdog = Command::new("sh")
            .args(["-c", &clean])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { dir, port, process: None, _watchdog: watchdog };
        server.start();
        server.sql(&format!(
            "CREATE ROLE panoptes LOGIN PASSWORD '{PASSWORD}'; GRANT CREATE ON SCHEMA public TO panoptes"
        ));
        server.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_ARGV[0] = 'All' OR random() < 0.03 THEN RAISE 'no room' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$");
        server.sql("CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too much reason'; END $$");
        server
            .sql("CREATE FUNCTION ignore() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$");
        server
    }

    fn pid(&self) -> Option<String> {
        let file = fs::read_to_string(self.dir.join("data/postmaster.pid")).ok()?;
        file.lines().next().map(str::to_owned)
    }
}

impl Server for Postgres {
    const ENGINE: Engine = Engine::Postgres;

    fn port(&self) -> u16 {
        self.port
    }

    fn url(&self, port: u16) -> DatabaseUrl {
        DatabaseUrl::try_from(format!("postgres://127.0.0.1:{port}/postgres?sslmode=disable").as_str())
            .unwrap()
    }

    fn sql(&self, text: &str) -> String {
        let port = self.port.to_string();
        let options =
            ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-c", text];
        let out = Command::new("psql").args(options).output().unwrap();
        assert!(out.status.success(), "{text}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    fn kill(&mut self) {
        if let (Some(mut process), Some(pid)) = (self.process.take(), self.pid()) {
            run(Command::new("kill").args(["-QUIT", &pid]));
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let mut command = as_server(&format!("{BIN}/postgres"));
        command.arg("-D").arg(self.dir.join("data")).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        let port = self.port.to_string();
        let ready = || {
            Command::new(format!("{BIN}/pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status()
        };
        wait_for("PostgreSQL", || ready().unwrap().success());
    }

    fn grant(&self, table: &str) {
        self.sql(&format!(
            "GRANT ALL ON {table} TO panoptes; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO panoptes"
        ));
    }

    fn refuse(&self, table: &str, refusal: Refusal) {
        self.sql(&format!("DROP TRIGGER IF EXISTS refuse ON {table}"));
        if refusal != Refusal::None {
            self.sql(&format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse('{refusal:?}')"));
        }
    }

    fn object_to(&self, table: &str, silently: bool) {
        let how = if silently { "ignore" } else { "object" };
        self.sql(&format!("CREATE TRIGGER object BEFORE INSERT ON {table} FOR EACH ROW WHEN (length(NEW.reason) > 99) EXECUTE FUNCTION {how}()"));
    }

    fn poison(&self) -> Poison {
        Poison::Nul
    }
}

/// A server refuses to run as root.
fn as_server(program: &str) -> Command {
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--", program]);
    command
}

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}
