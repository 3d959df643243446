//! Events as rows of a table (event.md's), a batch in one transaction.
//!
//! Each row has the id of its event, which is unique, so that a repeat changes nothing. A `verdict` event is a row as any
//! other, and also tells the rows that it is about. A batch that the database refuses for its values is halved by the driver
//! until the events at fault are found.
//!
//! | file | what |
//! |---|---|
//! | `layout.rs` | the table as it is: which columns there are, and what goes into them |
//! | `dial.rs` | the way to a server, which must not be through our own listeners; passwords |
//! | `postgres/` `mysql.rs` `sqlite.rs` `sqlserver.rs` | a [`Store`] each |

mod dial;
mod layout;
mod mysql;
mod postgres;
mod sqlite;
#[cfg(feature = "sqlserver")]
mod sqlserver;

use std::{collections::BTreeSet, future::Future};

use panoptes_config as config;
use panoptes_event::table::Row;
use tokio::time::timeout;

#[cfg(feature = "sqlserver")]
pub(crate) use self::sqlserver::Sqlserver;
pub(crate) use self::{mysql::Mysql, postgres::Postgres, sqlite::Sqlite};
use crate::sink::{Failure, OptionError, Records, Sink};

/// What a kind of database does for the sink.
pub(crate) trait Store: Sized + Send + 'static {
    /// Of the options, without asking the database.
    fn new(options: &config::Database) -> Result<Self, OptionError>;

    /// Connects, creates the table where that is asked for, and looks whether it can be written. Gives back what a person
    /// should know of it.
    fn connect(&mut self) -> impl Future<Output = Result<Vec<String>, String>>;

    /// Whether there is a connection, as far as is known.
    fn is_connected(&self) -> bool;

    /// Ends the connection: what is under way is undone, or was done.
    fn disconnect(&mut self);

    /// Writes rows, and what they say of earlier ones, in one transaction.
    fn write(&mut self, rows: &[Row<'_>]) -> impl Future<Output = Result<Written, Fault>>;
}

/// What became of events that the database took without an error.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// For how many of them there was something to insert.
    rows: usize,
    /// Those that have no row all the same: a trigger or a rule of the table lets them go, or puts them where it does not show.
    passed_over: BTreeSet<String>,
}

/// Why rows were not written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// For what is in them: they will never be.
    Events(String),
    /// For the database's state, our rights, or the way to it.
    Destination(String),
}

/// The database sink.
pub(crate) struct Database<S> {
    store: S,
    options: config::Database,
    /// How many rows the last delivery had that the database took without an error.
    rows: usize,
}

impl<S: Store> Database<S> {
    pub(crate) fn new(options: &config::Database) -> Result<Self, OptionError> {
        Ok(Self { store: S::new(options)?, options: options.clone(), rows: 0 })
    }

    async fn connect(&mut self) -> Result<Vec<String>, String> {
        let limit = self.options.timeout;
        let connected = match timeout(limit, self.store.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("no connection within {limit:?}")),
        };
        connected.map_err(|reason| {
            self.store.disconnect();
            format!("{}: {reason}", self.options.url)
        })
    }

    async fn write_rows(&mut self, rows: &[Row<'_>]) -> Result<Written, Fault> {
        if rows.is_empty() {
            return Ok(Written::default());
        }
        if !self.store.is_connected() {
            self.connect().await.map_err(Fault::Destination)?;
        }
        let limit = self.options.timeout;
        let written = match timeout(limit, self.store.write(rows)).await {
            Ok(written) => written,
            Err(_) => Err(Fault::Destination(format!("not written within {limit:?}"))),
        };
        written.map_err(|fault| match fault {
            Fault::Destination(reason) => {
                self.store.disconnect();
                Fault::Destination(format!("{}: {reason}", self.options.url))
            }
            of_rows => of_rows,
        })
    }
}

impl<S: Store> Sink for Database<S> {
    async fn open(&mut self) -> Result<(), Failure> {
        let notes = self.connect().await.map_err(Failure::retry)?;
        for note in notes {
            tracing::warn!(table = %self.options.table, "{note}");
        }
        Ok(())
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let (mut rows, mut refused) = (Vec::new(), Vec::new());
        for (place, record) in batch.iter().enumerate() {
            match Row::of(record.json) {
                Ok(row) => rows.push(row),
                Err(reason) => refused.push((place, reason)),
            }
        }
        let written = self.write_rows(&rows).await;
        self.rows = written.as_ref().map_or(0, |written| written.rows);
        match written {
            Ok(written) => {
                refused.extend(passed_over(batch, &written.passed_over));
                Failure::partial(Vec::new(), refused, None)
            }
            Err(Fault::Events(reason)) => Err(Failure::Refused { reason }),
            Err(Fault::Destination(reason)) => Err(Failure::retry(reason)),
        }
    }

    /// An event that the table has no row for asks nothing of the database. What it takes, and lets go, was taken.
    fn proofs(&self, _took: usize) -> usize {
        self.rows
    }
}

/// What the owner of a table does not want in it, by place. The database has answered: sent again, it would do once more
/// whatever the trigger does.
fn passed_over(batch: &Records<'_>, events: &BTreeSet<String>) -> Vec<(usize, String)> {
    const REASON: &str =
        "a trigger or a rule of the table takes it without an error, and there is no row of it then";
    if events.is_empty() {
        return Vec::new();
    }
    let places = batch.iter().enumerate().filter(|(_, record)| events.contains(record.id()));
    places.map(|(place, _)| (place, REASON.to_owned())).collect()
}
