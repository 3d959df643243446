//! SQLite. The sink's own thread waits for the file: nobody else's does.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use panoptes_config as config;
use panoptes_event::table::{Engine, Row, Schema, Value, quoted};
use rusqlite::{
    Connection, Error, ErrorCode, OpenFlags, TransactionBehavior, params_from_iter, types::ToSqlOutput,
};

use super::{
    Fault, Store, Written,
    layout::{Described, Layout},
};
use crate::sink::OptionError;

const DESCRIBE: &str =
    "SELECT name, type, NOT \"notnull\", dflt_value IS NOT NULL FROM pragma_table_info(?1)";
/// Whether no two rows can have the same event_id.
const UNIQUE: &str =
    "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) AS i WHERE i.\"unique\" AND NOT i.partial
    AND (SELECT group_concat(c.name) FROM pragma_index_info(i.name) AS c) = 'event_id')";

/// The store.
pub(crate) struct Sqlite {
    options: config::Database,
    link: Option<Link>,
}

/// An open file.
struct Link {
    connection: Connection,
    /// Which file it was that its path led to.
    file: Option<(u64, u64)>,
    layout: Layout,
    insert: String,
    /// None where no column tells which event a row is of.
    look: Option<String>,
    /// None where the table does not allow it.
    judge: Option<String>,
}

impl Store for Sqlite {
    fn new(options: &config::Database) -> Result<Self, OptionError> {
        let file = &options.url.database;
        if Path::new(file).is_dir() {
            return Err(OptionError::new("url", format!("{file} is a folder; name a file in it")));
        }
        Ok(Self { options: options.clone(), link: None })
    }

    async fn connect(&mut self) -> Result<Vec<String>, String> {
        let (link, notes) = self.open().map_err(|error| error.to_string())??;
        self.link = Some(link);
        Ok(notes)
    }

    fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    fn disconnect(&mut self) {
        self.link = None;
    }

    async fn write(&mut self, rows: &[Row<'_>]) -> Result<Written, Fault> {
        let file = identity(Path::new(&self.options.url.database));
        match &mut self.link {
            Some(link) if link.file != file => {
                self.link = None;
                Err(Fault::Destination("the file was deleted or replaced while it was open".to_owned()))
            }
            Some(link) => link.write(rows).map_err(|error| fault(&error)),
            None => Err(Fault::Destination("not open".to_owned())),
        }
    }
}

impl Sqlite {
    fn open(&self) -> Result<Result<(Link, Vec<String>), String>, Error> {
        let file = Path::new(&self.options.url.database);
        if self.options.auto_create_table && !file.exists() {
            // SQLite itself would create it for all to read. Its journal gets the same mode.
            let created = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file);
            if let Err(error) = created {
                return Ok(Err(format!("cannot be created: {error}")));
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(self.options.timeout)?;
        // Who reads holds up nobody who writes; each commit is on disk. Some file systems can only do without.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        let schema = Schema { engine: Engine::Sqlite, table: &self.options.table, monthly: false };
        let name = self.options.table.rsplit('.').next().unwrap_or_default();
        let mut described = describe(&connection, name)?;
        if described.is_empty() && self.options.auto_create_table {
            connection.execute_batch(&format!("BEGIN; {} COMMIT", schema.script()))?;
            described = describe(&connection, name)?;
        }
        let at = identity(file);
        let layout = match Layout::new(Engine::Sqlite, &self.options.table, &described) {
            Ok(layout) => layout,
            Err(what) => return Ok(Err(what)),
        };
        let unique = connection.query_row(UNIQUE, [name], |row| row.get(0))?;
        let notes = layout.notes(unique, None);
        let table = quoted(Engine::Sqlite, &self.options.table);
        let insert = insert(&table, &layout, unique);
        let look = layout.find("event_id").map(|_| look(&table));
        let judge = layout.takes_verdicts().then(|| judge(&table));
        Ok(Ok((Link { connection, file: at, layout, insert, look, judge }, notes)))
    }
}

/// The file that a path leads to.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Link {
    fn write(&mut self, rows: &[Row<'_>]) -> Result<Written, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = transaction.prepare(&self.insert)?;
        let (mut old, mut written) = (Vec::new(), Written::default());
        for row in rows.iter().filter(|row| self.layout.takes(row)) {
            let values = self.layout.columns.iter().map(|column| match column.of(row) {
                Value::Null => ToSqlOutput::from(rusqlite::types::Null),
                Value::Text(text) => text.into(),
                Value::Number(number) => number.into(),
                Value::Flag(flag) => flag.into(),
            });
            if insert.execute(params_from_iter(values))? == 0 {
                old.push(row.id());
            }
            written.rows += 1;
        }
        drop(insert);
        written.passed_over = missing(&transaction, self.look.as_deref(), &old)?;
        if let Some(judge) = &self.judge {
            let mut judge = transaction.prepare(judge)?;
            for told in rows.iter().filter_map(Row::verdict) {
                judge.execute((told.verdict, told.transaction, told.session, told.from, told.to))?;
            }
        }
        transaction.commit()?;
        Ok(written)
    }
}

/// Of events whose rows are not new, those that have none from before either.
fn missing(connection: &Connection, look: Option<&str>, old: &[&str]) -> Result<BTreeSet<String>, Error> {
    let mut missing = BTreeSet::new();
    let Some(look) = look.filter(|_| !old.is_empty()) else { return Ok(missing) };
    let mut look = connection.prepare(look)?;
    for id in old {
        if !look.exists([id])? {
            missing.insert((*id).to_owned());
        }
    }
    Ok(missing)
}

fn describe(connection: &Connection, table: &str) -> Result<Vec<Described>, Error> {
    let mut statement = connection.prepare(DESCRIBE)?;
    let columns = statement.query_map([table], |row| {
        Ok(Described { name: row.get(0)?, kind: row.get(1)?, nullable: row.get(2)?, filled: row.get(3)? })
    })?;
    columns.collect()
}

fn insert(table: &str, layout: &Layout, unique: bool) -> String {
    let names: Vec<String> =
        layout.columns.iter().map(|column| quoted(Engine::Sqlite, column.name)).collect();
    let places = vec!["?"; names.len()].join(", ");
    let repeat = if unique { " ON CONFLICT (event_id) DO NOTHING" } else { "" };
    format!("INSERT INTO {table} ({}) VALUES ({places}){repeat}", names.join(", "))
}

fn look(table: &str) -> String {
    format!("SELECT 1 FROM {table} WHERE event_id = ?1")
}

fn judge(table: &str) -> String {
    format!(
        "UPDATE {table} SET verdict = ?1 WHERE transaction_id = ?2 AND session_id = ?3 AND session_seq BETWEEN ?4 AND ?5
           AND kind = 'statement' AND verdict IS NULL AND outcome IS NOT 'skipped'"
    )
}

/// Rules of the table, and sizes, are about the rows; all else is about the file.
fn fault(error: &Error) -> Fault {
    const OF_ROWS: [ErrorCode; 3] =
        [ErrorCode::ConstraintViolation, ErrorCode::TooBig, ErrorCode::TypeMismatch];
    match error.sqlite_error_code() {
        Some(code) if OF_ROWS.contains(&code) => Fault::Events(error.to_string()),
        _ => Fault::Destination(error.to_string()),
    }
}
