//! MariaDB, and MySQL 9.7 where scripts/mysql9 has brought it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use libtest_mimic::Trial;
use panoptes_config::{Database, DatabaseUrl, Tls};
use panoptes_event::table::{Engine, Schema};

use crate::{
    certificates::Certificates,
    database::{self, PASSWORD, Server, Table},
    free_port, named, program, rate,
    scenarios::{self, Refusal},
    trial::{Poison, Run, wait_for},
};

#[derive(Clone, Copy, Debug)]
enum Flavour {
    Mariadb,
    Mysql,
}

struct Mysql {
    flavour: Flavour,
    dir: PathBuf,
    port: u16,
    process: Option<Child>,
    /// Stops the server and removes its files when this process is gone.
    _watchdog: Child,
}

fn server(flavour: Flavour) -> MutexGuard<'static, Mysql> {
    static SERVERS: [OnceLock<Mutex<Mysql>>; 2] = [OnceLock::new(), OnceLock::new()];
    let server = SERVERS[flavour as usize].get_or_init(|| Mutex::new(Mysql::new(flavour)));
    let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
    // A trial that failed may have left it down.
    server.start();
    server
}

fn table(flavour: Flavour, name: &str) -> Table<Mysql> {
    Table::new(server(flavour), &format!("t_{}", name.replace([' ', ',', '-'], "_")))
}

pub fn trials() -> Vec<Trial> {
    [Flavour::Mariadb, Flavour::Mysql].into_iter().flat_map(of_flavour).collect()
}

fn of_flavour(flavour: Flavour) -> Vec<Trial> {
    let (to, there) = (flavour.name(), flavour.is_there());
    let trial = |name: &'static str, run: fn(Flavour)| {
        named(format!("database {to}: {name}"), there, move || run(flavour))
    };
    let mut trials: Vec<Trial> = scenarios::ALL
        .into_iter()
        .map(|(name, scenario)| {
            named(format!("database {to}: {name}"), there, move || scenario(&mut table(flavour, name)))
        })
        .collect();
    trials.extend(rate(to, there, move || table(flavour, "rate")));
    trials.extend([
        trial("verdicts", |flavour| database::verdicts(&table(flavour, "verdicts"))),
        trial("a trigger that objects to rows", |flavour| {
            database::objections(table(flavour, "objections"), false)
        }),
        trial("an older table", |flavour| database::older_table(table(flavour, "older"), OLDER)),
        trial("complaints, then repeats", |flavour| {
            database::complaints(table(flavour, "complaints"), "Access denied");
        }),
        trial("over TLS", over_tls),
        trial("a login that may only insert", insert_only),
        trial("rows that are too long for an older table", too_long),
        trial("packets that are too large", packets),
    ]);
    trials
}

impl Flavour {
    fn name(self) -> &'static str {
        match self {
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL 9.7",
        }
    }

    fn is_there(self) -> bool {
        let server = match self {
            Self::Mariadb => program("mariadbd").is_some(),
            Self::Mysql => root().join(".cache/mysql9/usr/sbin/mysqld").is_file(),
        };
        server && program("mariadb").is_some() && Certificates::can_be_had()
    }
}

/// Of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Before there were ids: types and rules as people have them.
const OLDER: &str = "CREATE TABLE t_older (id BIGINT AUTO_INCREMENT PRIMARY KEY, app_name VARCHAR(255) NOT NULL,
    environment VARCHAR(50) NOT NULL, `timestamp` TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, timestamp_unix BIGINT NOT NULL,
    `date` DATE NOT NULL, `time` TIME NOT NULL, duration_ms DECIMAL(10, 2), db_engine VARCHAR(50) NOT NULL,
    operation_type VARCHAR(50) NOT NULL, tables_involved JSON, sql_raw TEXT NOT NULL, sql_parameters JSON, row_count INT,
    success BOOLEAN NOT NULL DEFAULT TRUE, actor_roles JSON, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)
    DEFAULT CHARSET=utf8mb4";

fn over_tls(flavour: Flavour) {
    let mut table = table(flavour, "tls");
    table.options.url.tls = true;
    table.options.tls = Tls { ca_file: Some(table.server.dir.join("ca.crt")), ..Tls::default() };
    let mut run = table.run();
    run.start();
    run.send(50);
    wait_for("a delivery", || run.delivered() == 50);
    run.finish();
    table.server.sql("ALTER USER panoptes REQUIRE SSL");
    let mut run = table.run();
    run.start();
    run.send(60);
    run.finish();
    table.server.sql("ALTER USER panoptes REQUIRE NONE");
    run.check(&scenarios::Destination::received(&mut table), true);
}

fn insert_only(flavour: Flavour) {
    let mut table = table(flavour, "insert_only");
    let schema = Schema { engine: Engine::Mysql, table: "t_insert_only", monthly: false };
    table.server.sql(&schema.script());
    table.server.sql(&format!("CREATE USER inserter IDENTIFIED BY '{PASSWORD}'; GRANT INSERT, SELECT ON trail.t_insert_only TO inserter"));
    table.options =
        Database { username: Some("inserter".into()), auto_create_table: false, ..table.options.clone() };
    database::repeats(table);
}

/// A batch of more than a packet goes in parts; one event of more is a dead letter.
fn packets(flavour: Flavour) {
    let mut table = table(flavour, "packets");
    let before = table.server.sql("SELECT @@global.max_allowed_packet");
    table.server.sql("SET GLOBAL max_allowed_packet = 131072");
    let mut run = Run::by_default(scenarios::Destination::options(&table));
    run.send_sized(7, 40_000);
    run.send_poison(Poison::Large(200_000));
    run.send_sized(100, 1_000);
    run.start();
    run.finish();
    table.server.sql(&format!("SET GLOBAL max_allowed_packet = {before}"));
    run.check(&scenarios::Destination::received(&mut table), true);
}

/// What a column cannot take is a dead letter; the rest goes on.
fn too_long(flavour: Flavour) {
    let mut table = table(flavour, "short");
    table.server.sql("CREATE TABLE t_short (id BIGINT AUTO_INCREMENT PRIMARY KEY, event_id CHAR(36) UNIQUE, sql_raw VARCHAR(50), event LONGTEXT)");
    table.server.grant("t_short");
    table.options.auto_create_table = false;
    let mut run = table.run();
    run.send(30);
    run.send_poison(Poison::Large(60));
    run.send(30);
    run.start();
    run.finish();
    run.check(&scenarios::Destination::received(&mut table), true);
}

impl Mysql {
    fn new(flavour: Flavour) -> Self {
        let dir = tempfile::Builder::new().prefix("panoptes-mysql-").tempdir().unwrap().keep();
        if let Flavour::Mariadb = flavour {
            let data = format!("--datadir={}", dir.join("data").display());
            let options = [
                "--no-defaults",
                "--user=root",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ];
            run(Command::new(program("mariadb-install-db").unwrap()).args(options).arg(&data));
        }
        Certificates::new().copy_to(&dir);
        let shown = dir.display();
        // Reads until the pipe ends, which it does with this process, however that ends.
        let clean = format!("cat >/dev/null; kill -9 $(cat {shown}/pid); sleep 0.5; rm -rf {shown}");
        let watchdog = Command::new("sh")
            .args(["-c", &clean])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { flavour, dir, port: free_port(), process: None, _watchdog: watchdog };
        server.start();
        server.root("CREATE DATABASE trail", "");
        server.sql(&format!(
            "CREATE USER panoptes IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON trail.* TO panoptes"
        ));
        server
    }

    fn root(&self, text: &str, database: &str) -> String {
        let socket = format!("--socket={}/s", self.dir.display());
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "-NBr",
            "-uroot",
            "--default-character-set=utf8mb4",
            &socket,
            "-e",
            text,
            database,
        ]);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{text}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().replace('\t', "|")
    }
}

impl Server for Mysql {
    const ENGINE: Engine = Engine::Mysql;

    fn port(&self) -> u16 {
        self.port
    }

    fn url(&self, port: u16) -> DatabaseUrl {
        DatabaseUrl::try_from(format!("mariadb://127.0.0.1:{port}/trail?sslmode=disable").as_str()).unwrap()
    }

    fn sql(&self, text: &str) -> String {
        self.root(text, "trail")
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let shown = self.dir.display();
        let options = format!(
            "--pid-file={shown}/pid --port={} --bind-address=127.0.0.1 --skip-networking=OFF --innodb-flush-log-at-trx-commit=1
             --skip-name-resolve --ssl-cert={shown}/server.crt --ssl-key={shown}/server.key",
            self.port
        );
        let of_mariadb = format!(
            "--no-defaults --user=root --datadir={shown}/data --socket={shown}/s --innodb-buffer-pool-size=32M --innodb-log-file-size=16M"
        );
        let mut command = match self.flavour {
            Flavour::Mariadb => {
                let mut command = Command::new(program("mariadbd").unwrap());
                command.args(of_mariadb.split_whitespace());
                command
            }
            Flavour::Mysql => {
                let mut command = Command::new(root().join("scripts/mysql9"));
                command.arg("start").arg(&self.dir);
                command
            }
        };
        self.process = Some(command.args(options.split_whitespace()).stderr(Stdio::null()).spawn().unwrap());
        let socket = format!("--socket={shown}/s");
        let ready =
            || Command::new("mariadb").args(["--no-defaults", "-uroot", &socket, "-e", "SELECT 1"]).output();
        wait_for(self.flavour.name(), || ready().unwrap().status.success());
    }

    fn grant(&self, table: &str) {
        self.sql(&format!("GRANT ALL ON trail.{table} TO panoptes"));
    }

    fn refuse(&self, table: &str, refusal: Refusal) {
        self.sql("DROP TRIGGER IF EXISTS refuse");
        let when = match refusal {
            Refusal::None => return,
            Refusal::Some => "RAND() < 0.03",
            Refusal::All => "TRUE",
        };
        self.sql(&format!(
            "DELIMITER //\nCREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW IF {when} THEN SIGNAL SQLSTATE '53100' SET MESSAGE_TEXT = 'no room'; END IF//"
        ));
    }

    fn object_to(&self, table: &str, silently: bool) {
        assert!(!silently, "no trigger of its can");
        self.sql(&format!(
            "DELIMITER //\nCREATE TRIGGER object BEFORE INSERT ON {table} FOR EACH ROW IF CHAR_LENGTH(NEW.reason) > 99 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too much reason'; END IF//"
        ));
    }

    fn poison(&self) -> Poison {
        Poison::NoDate
    }
}

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}
