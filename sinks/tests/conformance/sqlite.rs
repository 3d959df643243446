//! SQLite: a file. It is down while another program holds it.

use libtest_mimic::Trial;
use panoptes_config::{Database, DatabaseUrl};
use panoptes_event::{
    Batch, Kind,
    table::{Engine, Schema},
};
use rusqlite::{Connection, types::ValueRef};

use crate::{
    database::{self, Server, Table, event},
    named, rate,
    scenarios::{self, Refusal},
    trial::{Poison, wait_for},
};

pub struct Sqlite {
    dir: tempfile::TempDir,
    /// Another program that has it for itself.
    holder: Option<Connection>,
}

/// Of a file of its own.
fn table(name: &str) -> Table<Sqlite> {
    let file = Sqlite { dir: tempfile::tempdir().unwrap(), holder: None };
    let mut table = Table::new(Box::new(file), &format!("t_{name}"));
    table.options = Database { username: None, password: None, ..table.options.clone() };
    // Longer than a failure takes to show, shorter than a trial's patience.
    table.options.timeout = std::time::Duration::from_millis(100);
    table
}

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| named(format!("database SQLite: {name}"), true, run);
    // There is no network to it.
    let of_network = |name: &str| ["down in the middle", "slow", "deaf"].contains(&name);
    let mut trials: Vec<Trial> = scenarios::ALL
        .into_iter()
        .filter(|(name, _)| !of_network(name))
        .map(|(name, scenario)| {
            named(format!("database SQLite: {name}"), true, move || scenario(&mut table("trail")))
        })
        .collect();
    trials.extend(rate("SQLite", true, || table("rate")));
    trials.extend([
        trial("verdicts", || database::verdicts(&table("verdicts"))),
        trial("a trigger that objects to rows", || database::objections(table("objections"), false)),
        trial("a trigger that lets rows go", || database::objections(table("silence"), true)),
        trial("a trigger that lets every row go", lets_all_go),
        trial("an older table that refuses", refuses),
        trial("an older table", || database::older_table(table("older"), OLDER)),
        trial("a file that was deleted", deleted),
        trial("repeats", || database::repeats(table("repeats"))),
    ]);
    trials
}

/// What comes after goes to a new file, not to one that nobody can read any more.
fn deleted() {
    let table = table("deleted");
    let mut run = table.run();
    run.start();
    run.send(10);
    wait_for("the first events", || run.delivered() == 10);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(table.server.dir.path().join(format!("trail.db{suffix}")));
    }
    run.send(5);
    run.finish();
    assert_eq!(table.column("seq"), ["11", "12", "13", "14", "15"]);
}

/// The file has answered, and would answer so for ever: nothing waits for a row that is taken.
fn lets_all_go() {
    let table = table("ignores");
    let create = Schema { engine: Engine::Sqlite, table: "t_ignores", monthly: false };
    table.server.sql(&create.script());
    table.server.sql("CREATE TRIGGER object BEFORE INSERT ON t_ignores BEGIN SELECT RAISE(IGNORE); END");
    let mut run = table.run();
    run.send(50);
    run.start();
    run.finish();
    assert_eq!(run.dead_letters().len(), 50);
}

/// Events that it has no rows for do not show that it takes others.
fn refuses() {
    let mut table = table("older");
    table.server.sql(OLDER);
    table.options.auto_create_table = false;
    table
        .server
        .sql("CREATE TRIGGER object BEFORE INSERT ON t_older BEGIN SELECT RAISE(ABORT, 'closed'); END");
    let mut batch = Batch::default();
    for id in 1..=40 {
        let kind = if id % 2 == 0 { Kind::Intent } else { Kind::Statement };
        event(&mut batch, u128::from(id), kind, id, None);
    }
    let mut run = table.run();
    run.journal().append(&batch).unwrap();
    run.start();
    run.wait_for_failures(3);
    let told = run.journal().stats().sinks[0].last_error.clone();
    assert!(told.is_none_or(|error| error.contains("it takes no event")));
    assert!(run.dead_letters().is_empty());
    table.server.sql("DROP TRIGGER object");
    run.finish();
    assert!(run.dead_letters().is_empty());
    assert_eq!(table.column("app_name").len(), 20);
}

/// Before there were ids: types and rules as people have them.
const OLDER: &str = "CREATE TABLE t_older (id INTEGER PRIMARY KEY AUTOINCREMENT, app_name TEXT NOT NULL,
    environment TEXT NOT NULL, timestamp TEXT NOT NULL, timestamp_unix INTEGER NOT NULL, date TEXT NOT NULL, time TEXT NOT NULL,
    duration_ms REAL, db_engine TEXT NOT NULL, operation_type TEXT NOT NULL, tables_involved TEXT, sql_raw TEXT NOT NULL,
    sql_parameters TEXT, row_count INTEGER, success INTEGER NOT NULL DEFAULT 1, actor_roles TEXT,
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";

impl Sqlite {
    fn open(&self) -> Connection {
        let connection = Connection::open(self.dir.path().join("trail.db")).unwrap();
        connection.busy_timeout(crate::support::PATIENCE).unwrap();
        connection
    }
}

impl Server for Sqlite {
    const ENGINE: Engine = Engine::Sqlite;

    fn port(&self) -> u16 {
        0
    }

    fn url(&self, _port: u16) -> DatabaseUrl {
        DatabaseUrl::try_from(format!("sqlite://{}/trail.db", self.dir.path().display()).as_str()).unwrap()
    }

    fn sql(&self, text: &str) -> String {
        let connection = self.open();
        if !text.starts_with("SELECT") {
            connection.execute_batch(text).unwrap();
            return String::new();
        }
        let mut statement = connection.prepare(text).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut lines = String::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|n| match row.get_ref(n).unwrap() {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8(text.to_vec()).unwrap(),
            });
            lines += &(values.collect::<Vec<_>>().join("|") + "\n");
        }
        lines
    }

    fn kill(&mut self) {
        let holder = self.open();
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        self.holder = Some(holder);
    }

    fn start(&mut self) {
        self.holder = None;
    }

    fn grant(&self, _table: &str) {}

    fn refuse(&self, table: &str, refusal: Refusal) {
        self.sql("DROP TRIGGER IF EXISTS refuse");
        let when = match refusal {
            Refusal::None => return,
            Refusal::Some => "random() % 33 = 0",
            Refusal::All => "1",
        };
        // A rule of the table would be about the row.
        self.sql(&format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {when} BEGIN INSERT INTO nowhere VALUES (1); END"
        ));
    }

    fn object_to(&self, table: &str, silently: bool) {
        let how = if silently { "IGNORE" } else { "ABORT, 'too much reason'" };
        self.sql(&format!(
            "CREATE TRIGGER object BEFORE INSERT ON {table} WHEN length(NEW.reason) > 99 BEGIN SELECT RAISE({how}); END"
        ));
    }

    fn poison(&self) -> Poison {
        Poison::WrongType
    }
}
