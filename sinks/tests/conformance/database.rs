//! What holds of every database: the scenarios, each with a table of its own on one server; older tables; verdicts.

use std::ops::DerefMut;

use panoptes_config::{Database, DatabaseUrl, SinkOptions};
use panoptes_event::{
    Batch, Db, Gap, Kind, Meta, Operation, Outcome, Session, Sql, Transaction, Uuid, Verdict,
    table::{Engine, Schema},
    time,
};

use crate::{
    relay::Relay,
    scenarios::{Destination, Refusal},
    trial::{Got, Poison, Run, START},
};

/// A database server, started once for all trials.
pub trait Server: Send {
    const ENGINE: Engine;
    fn port(&self) -> u16;
    /// Where it is, through a relay.
    fn url(&self, port: u16) -> DatabaseUrl;
    /// Runs statements as the administrator: a line a row, columns apart by `|`.
    fn sql(&self, text: &str) -> String;
    fn kill(&mut self);
    fn start(&mut self);
    /// Gives the login all rights on a table.
    fn grant(&self, table: &str);
    /// What makes a table refuse rows.
    fn refuse(&self, table: &str, refusal: Refusal);
    /// Gives a table a trigger that takes no reason of a hundred characters, and says so, or does not.
    fn object_to(&self, table: &str, silently: bool);
    /// An event that it cannot store.
    fn poison(&self) -> Poison;
}

/// A table, and the way to it.
pub struct Table<S: 'static> {
    pub server: Box<dyn DerefMut<Target = S>>,
    pub name: String,
    pub relay: Relay,
    pub options: Database,
}

impl<S: Server> Table<S> {
    /// One that the sink shall create.
    pub fn new(server: impl DerefMut<Target = S> + 'static, name: &str) -> Self {
        let relay = Relay::to(server.port());
        let options = Database {
            url: server.url(relay.port),
            username: Some("panoptes".into()),
            password: Some(panoptes_config::Secret::new(PASSWORD)),
            table: name.into(),
            auto_create_table: true,
            ..Database::default()
        };
        Self { server: Box::new(server), name: name.into(), relay, options }
    }

    pub fn run(&self) -> Run {
        Run::new(SinkOptions::Database(self.options.clone()))
    }

    /// A column, or any expression, of all rows in order.
    pub fn column(&self, what: &str) -> Vec<String> {
        let rows = self.server.sql(&format!("SELECT {what} FROM {} ORDER BY id", self.name));
        rows.lines().map(str::to_owned).collect()
    }
}

/// Of the login `panoptes`.
pub const PASSWORD: &str = "what was seen";

impl<S: Server> Destination for Table<S> {
    fn options(&self) -> SinkOptions {
        SinkOptions::Database(self.options.clone())
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        let events = self.column("event");
        assert_eq!(self.column("DISTINCT event_id, id").len(), events.len());
        events.iter().map(|event| Got::of(&serde_json::from_str(event).expect(event))).collect()
    }

    fn kill(&mut self) {
        self.server.kill();
    }

    fn start(&mut self) {
        self.server.start();
    }

    fn refuse(&mut self, refusal: Refusal) {
        // It may be there before the sink is.
        let schema = Schema { engine: S::ENGINE, table: &self.name, monthly: false };
        self.server.sql(&schema.script());
        self.server.grant(&self.name);
        self.server.refuse(&self.name, refusal);
    }

    fn poison(&self) -> Poison {
        self.server.poison()
    }
}

/// An event of a session that has just one.
pub fn event(batch: &mut Batch, id: u128, kind: Kind, seq: u64, transaction: Option<&Transaction>) {
    let at = START + i64::try_from(id).unwrap();
    let timestamp = time::rfc3339(at);
    let date = timestamp[..10].to_owned();
    let meta = Meta {
        app_name: "shop".into(),
        environment: "prod".into(),
        time: timestamp[11..19].to_owned(),
        timestamp,
        timestamp_unix: at / 1_000_000,
        date,
        duration_ms: Some(1.5),
        ..Meta::default()
    };
    let session = Session { id: Uuid::from_u128(7), seq: Some(seq), ..Session::default() };
    batch.event(Uuid::from_u128(id), kind, at, |event| {
        event.member("meta", &meta).member("session", &session);
        if kind == Kind::Statement {
            let sql = Sql {
                raw: Some("SELECT 'é'".into()),
                outcome: Some(Outcome::Ok),
                row_count: Some(3),
                ..Sql::default()
            };
            let operation = Operation {
                kind: "SELECT".into(),
                tables_involved: vec!["a\"b".into()],
                ..Operation::default()
            };
            event.member("db", &Db { engine: "postgres".into(), ..Db::default() });
            event.member("operation", &operation).member("sql", &sql);
        }
        event.optional("transaction", transaction);
    });
}

/// Rows learn what became of their transaction: those of its range that know nothing yet.
pub fn verdicts<S: Server>(table: &Table<S>) {
    let id = |n: u128| Some(Uuid::from_u128(n));
    let part = |of| Transaction { id: id(of), ..Transaction::default() };
    let told = |of, verdict, from, to| Transaction {
        verdict: Some(verdict),
        from_seq: Some(from),
        to_seq: Some(to),
        ..part(of)
    };
    let mut batch = Batch::default();
    let mut next = 0;
    let mut add = |kind, transaction: Transaction| {
        next += 1;
        event(&mut batch, u128::from(next) + 100, kind, next, Some(&transaction));
    };
    (1..=4).for_each(|_| add(Kind::Statement, part(50)));
    // To a savepoint behind the second; then all of it. Statement 7 is of another transaction.
    add(Kind::Verdict, told(50, Verdict::RolledBack, 3, 4));
    add(Kind::Statement, part(50));
    add(Kind::Statement, part(51));
    add(Kind::Verdict, told(50, Verdict::Committed, 1, 7));
    let mut run = table.run();
    run.start();
    run.journal().append(&batch).unwrap();
    // The last one in a batch of its own.
    crate::trial::wait_for("a delivery", || run.delivered() == 8);
    let mut batch = Batch::default();
    event(&mut batch, 200, Kind::Verdict, 9, Some(&told(51, Verdict::Unknown, 7, 7)));
    run.journal().append(&batch).unwrap();
    run.finish();
    let rows = table.column(match S::ENGINE {
        Engine::Mysql => "CONCAT_WS('|', session_seq, kind, verdict)",
        _ => "session_seq || '|' || kind || '|' || verdict",
    });
    let verdicts = [
        "committed",
        "committed",
        "rolledBack",
        "rolledBack",
        "rolledBack",
        "committed",
        "unknown",
        "committed",
        "unknown",
    ];
    let expected: Vec<String> = (1..)
        .zip(verdicts)
        .map(|(seq, verdict)| {
            let kind = if [5, 8, 9].contains(&seq) { "verdict" } else { "statement" };
            format!("{seq}|{kind}|{verdict}")
        })
        .collect();
    assert_eq!(rows, expected);
}

/// A table as it was before there were event ids takes what it has columns for; events without SQL as well.
pub fn older_table<S: Server>(mut table: Table<S>, create: &str) {
    table.server.sql(create);
    table.server.grant(&table.name);
    table.options.auto_create_table = false;
    let mut batch = Batch::default();
    event(&mut batch, 1, Kind::Statement, 1, None);
    event(&mut batch, 2, Kind::Logout, 2, None);
    batch.gap(Uuid::from_u128(3), START, &Gap { count: 2, ..Gap::default() }, |event| {
        let meta = Meta {
            timestamp: time::rfc3339(START),
            date: "2026-11-22".into(),
            time: "23:59:58".into(),
            ..Meta::default()
        };
        event.member("meta", &meta);
    });
    // The same statement once more, as an intent: no second statement.
    event(&mut batch, 4, Kind::Intent, 3, None);
    let mut run = table.run();
    run.start();
    run.journal().append(&batch).unwrap();
    run.finish();
    let rows = table.column("app_name, operation_type, sql_raw, duration_ms, row_count, tables_involved");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows[0].starts_with("shop|SELECT|SELECT 'é'|2") && rows[0].ends_with(r#"|3|["a\"b"]"#),
        "{rows:?}"
    );
    assert!(rows[1].starts_with("shop|||2"), "{rows:?}");
    assert!(rows[2].starts_with("|GAP||"), "{rows:?}");
    assert_eq!(table.column("time")[0], "23:59:58");
    let success = table.column("CASE WHEN success THEN 'yes' ELSE 'no' END");
    assert_eq!(success, ["yes", "yes", "no"]);
}

/// What a rule of the table's owner says of a row holds for ever: it is a dead letter, and the rest goes on.
pub fn objections<S: Server>(mut table: Table<S>, silently: bool) {
    let schema = Schema { engine: S::ENGINE, table: &table.name, monthly: false };
    table.server.sql(&schema.script());
    table.server.grant(&table.name);
    table.server.object_to(&table.name, silently);
    let mut run = table.run();
    run.send(30);
    run.send_poison(Poison::LargeReason(200));
    run.send(30);
    run.start();
    run.finish();
    let letters = run.dead_letters();
    let words = if silently { "there is no row of it" } else { "too much reason" };
    assert!(letters.values().all(|reason| reason.contains(words)), "{letters:?}");
    run.check(&table.received(), true);
}

/// Two sinks with the same events: the second finds them there.
pub fn repeats<S: Server>(mut table: Table<S>) {
    for _ in 0..2 {
        let mut run = table.run();
        run.start();
        run.send(120);
        run.finish();
        run.check(&table.received(), true);
    }
}

/// What is wrong at the start is told in words; when it is mended, delivery begins.
pub fn complaints<S: Server>(mut table: Table<S>, wrong_password: &str) {
    let right = table.options.clone();
    let complaint = |table: &Table<S>| {
        let mut run = table.run();
        run.send(1);
        run.start();
        run.wait_for_failures(1);
        run.journal().stats().sinks[0].last_error.clone().unwrap()
    };
    table.options.auto_create_table = false;
    let missing = complaint(&table);
    let remedy =
        format!("create it with `panoptes schema --engine {} --table {}`", S::ENGINE.name(), table.name);
    assert!(missing.contains(&remedy), "{missing}");
    table.options.password = Some(panoptes_config::Secret::new("wrong"));
    let denied = complaint(&table);
    assert!(denied.contains(wrong_password) && !denied.contains("what was seen"), "{denied}");
    table.options = Database { listeners: vec![([127, 0, 0, 1], table.relay.port).into()], ..right.clone() };
    let own = complaint(&table);
    assert!(own.contains("leads to our own listener"), "{own}");
    table.options = right;
    repeats(table);
}
