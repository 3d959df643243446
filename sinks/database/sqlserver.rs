//! SQL Server, through tiberius. A batch is a few INSERTs of many rows in one transaction; rows that are there already are
//! left out.
//!
//! No SQL Server could be had where this was written: the statements are by its manual
//! (<https://learn.microsoft.com/en-us/sql/t-sql/>), the way to the login was tried against a stub, and none of it has met a
//! real server. The sink says so when it opens.

use std::collections::BTreeSet;

use panoptes_config as config;
use panoptes_event::table::{Engine, Holds, Row, Schema, Value, quoted};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Query, error::Error};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{
    Fault, Store, Written, dial,
    layout::{Described, Found, Layout},
};
use crate::sink::OptionError;

/// Parameters of one statement; two of 2,100 are the driver's.
const MOST_PARAMETERS: usize = 2_098;
/// What a session must be, whatever the server's defaults are: values that do not fit are errors, and an error undoes its
/// transaction.
const SESSION: &str = "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON; \
    SET NUMERIC_ROUNDABORT, IMPLICIT_TRANSACTIONS OFF; SET XACT_ABORT ON";
const ROLLBACK: &str = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";
const DESCRIBE: &str = "SELECT c.name, t.name, c.is_nullable,
    CAST(CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 OR c.is_computed = 1 THEN 1 ELSE 0 END AS BIT)
  FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id
  WHERE c.object_id = OBJECT_ID(@P1, N'U') ORDER BY c.column_id";
/// Whether no two rows can have the same event_id.
const UNIQUE: &str = "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM sys.indexes i
    WHERE i.object_id = OBJECT_ID(@P1, N'U') AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
      AND (SELECT STRING_AGG(c.name, ',') FROM sys.index_columns x
        JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
        WHERE x.object_id = i.object_id AND x.index_id = i.index_id AND x.is_included_column = 0) = N'event_id')
  THEN 1 ELSE 0 END AS BIT)";
const NEVER_MET: &str =
    "the sink for SQL Server has never met a real server: none could be had where it was written";

/// The store.
pub(crate) struct Sqlserver {
    options: config::Database,
    link: Option<Link>,
}

/// A connection.
struct Link {
    client: Client<Compat<TcpStream>>,
    table: String,
    layout: Layout,
    /// None where the table or our rights do not allow it.
    judge: Option<String>,
}

impl Store for Sqlserver {
    fn new(options: &config::Database) -> Result<Self, OptionError> {
        // What is wrong with the files is found out here, with the option's name.
        crate::tls::client(&options.tls)?;
        Ok(Self { options: options.clone(), link: None })
    }

    async fn connect(&mut self) -> Result<Vec<String>, String> {
        let client = self.log_in().await?;
        let (link, mut notes) = self.look(client).await.map_err(|error| describe(&error))??;
        self.link = Some(link);
        notes.push(NEVER_MET.to_owned());
        Ok(notes)
    }

    fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    fn disconnect(&mut self) {
        self.link = None;
    }

    async fn write(&mut self, rows: &[Row<'_>]) -> Result<Written, Fault> {
        let Some(link) = &mut self.link else { return Err(Fault::Destination("no connection".to_owned())) };
        let mut seen = BTreeSet::new();
        // Twice in one batch is once.
        let rows: Vec<&Row<'_>> =
            rows.iter().filter(|row| link.layout.takes(row) && seen.insert(row.id())).collect();
        let written = Written { rows: rows.len(), ..Written::default() };
        link.write(&rows).await.map(|()| written).map_err(|error| fault(&error))
    }
}

impl Sqlserver {
    async fn log_in(&self) -> Result<Client<Compat<TcpStream>>, String> {
        let stream = dial::connect(&self.options).await?;
        let password = dial::password(&self.options)?;
        let password = password.as_ref().map(config::Secret::reveal).unwrap_or_default();
        let (url, user) = (&self.options.url, self.options.username.as_deref().unwrap_or_default());
        let mut config = Config::new();
        config.host(&url.host);
        config.port(url.port);
        config.database(&url.database);
        config.application_name("panoptes");
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(if url.tls { EncryptionLevel::Required } else { EncryptionLevel::NotSupported });
        // Beside those of the system.
        if let Some(file) = &self.options.tls.ca_file {
            config.trust_cert_ca(file.display());
        }
        if let Some((certificate, key)) =
            self.options.tls.cert_file.as_ref().zip(self.options.tls.key_file.as_ref())
        {
            config.client_certificate(certificate, key);
        }
        Client::connect(config, stream.compat_write()).await.map_err(|error| describe(&error))
    }

    /// Creates the table where that is asked for, and looks at it as it is.
    async fn look(
        &self,
        mut client: Client<Compat<TcpStream>>,
    ) -> Result<Result<(Link, Vec<String>), String>, Error> {
        run(&mut client, SESSION).await?;
        let table = quoted(Engine::Sqlserver, &self.options.table);
        let mut described = columns(&mut client, &table).await?;
        if described.is_empty() && self.options.auto_create_table {
            let schema = Schema { engine: Engine::Sqlserver, table: &self.options.table, monthly: false };
            for statement in schema.statements() {
                run(&mut client, &statement).await?;
            }
            described = columns(&mut client, &table).await?;
        }
        let layout = match Layout::new(Engine::Sqlserver, &self.options.table, &described) {
            Ok(layout) => layout,
            Err(what) => return Ok(Err(what)),
        };
        // Of no rows: whether we may.
        let names = names(&layout);
        run(&mut client, &format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE 1 = 0"))
            .await?;
        let unique = client.query(UNIQUE, &[&table.as_str()]).await?.into_row().await?;
        let unique = unique.and_then(|row| row.get::<bool, _>(0)).unwrap_or(false);
        let (judge, refused) = may_judge(&mut client, &table, &layout).await;
        let notes = layout.notes(unique, refused);
        Ok(Ok((Link { client, table, layout, judge }, notes)))
    }
}

impl Link {
    async fn write(&mut self, rows: &[&Row<'_>]) -> Result<(), Error> {
        self.client.begin_transaction().await?;
        let written = match self.write_all(rows).await {
            Ok(()) => self.client.commit_transaction().await,
            failed => failed,
        };
        if written.is_err() {
            run(&mut self.client, ROLLBACK).await?;
        }
        written
    }

    async fn write_all(&mut self, rows: &[&Row<'_>]) -> Result<(), Error> {
        let most = (MOST_PARAMETERS / self.layout.columns.len().max(1)).max(1);
        let mut rest = rows;
        while !rest.is_empty() {
            // Powers of two: few statements, whose plans the server remembers.
            let (now, later) = rest.split_at(1 << rest.len().min(most).ilog2());
            let mut query = Query::new(insert(&self.table, &self.layout, now.len()));
            for row in now {
                self.layout.columns.iter().for_each(|column| bind(&mut query, column, column.of(row)));
            }
            query.execute(&mut self.client).await?;
            rest = later;
        }
        let Some(judge) = &self.judge else { return Ok(()) };
        for told in rows.iter().filter_map(|row| row.verdict()) {
            let mut query = Query::new(judge.as_str());
            query.bind(told.verdict);
            query.bind(told.transaction);
            query.bind(told.session);
            query.bind(told.from);
            query.bind(told.to);
            query.execute(&mut self.client).await?;
        }
        Ok(())
    }
}

/// Runs a statement for what it does.
async fn run(client: &mut Client<Compat<TcpStream>>, statement: &str) -> Result<(), Error> {
    client.simple_query(statement).await?.into_results().await.map(drop)
}

async fn columns(client: &mut Client<Compat<TcpStream>>, table: &str) -> Result<Vec<Described>, Error> {
    let rows = client.query(DESCRIBE, &[&table]).await?.into_first_result().await?;
    let read = |row: &tiberius::Row| {
        let (name, kind) = (row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?);
        let (nullable, filled) = (row.try_get(2)?, row.try_get(3)?);
        Ok(Described {
            name: name.unwrap_or_default().to_owned(),
            kind: kind.unwrap_or_default().to_owned(),
            nullable: nullable.unwrap_or(false),
            filled: filled.unwrap_or(false),
        })
    };
    rows.iter().map(read).collect()
}

/// The statement that tells rows their verdict; where it may not be run, why.
async fn may_judge(
    client: &mut Client<Compat<TcpStream>>,
    table: &str,
    layout: &Layout,
) -> (Option<String>, Option<String>) {
    if !layout.takes_verdicts() {
        return (None, None);
    }
    let judge = judge(table);
    match client.execute(judge.as_str(), &[&"", &"", &"", &0_i64, &0_i64]).await {
        Ok(_) => (Some(judge), None),
        Err(error) => (None, Some(describe(&error))),
    }
}

fn names(layout: &Layout) -> String {
    let names: Vec<String> =
        layout.columns.iter().map(|column| quoted(Engine::Sqlserver, column.name)).collect();
    names.join(", ")
}

/// A range of rows is locked from the look for an event to its row, so that no other writer comes between.
fn insert(table: &str, layout: &Layout, rows: usize) -> String {
    let names = names(layout);
    let width = layout.columns.len();
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|place| format!("@P{}", row * width + place)).collect();
        format!("({})", places.join(", "))
    };
    let values = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    let repeat = match layout.find("event_id") {
        Some(_) => format!(
            " WHERE NOT EXISTS (SELECT 1 FROM {table} WITH (UPDLOCK, HOLDLOCK) WHERE [event_id] = CAST(v.[event_id] AS CHAR(36)))"
        ),
        None => String::new(),
    };
    format!("INSERT INTO {table} ({names}) SELECT {names} FROM (VALUES {values}) AS v ({names}){repeat}")
}

fn judge(table: &str) -> String {
    format!(
        "UPDATE {table} SET [verdict] = @P1 WHERE [transaction_id] = CAST(@P2 AS CHAR(36)) AND [session_id] = CAST(@P3 AS CHAR(36))
           AND [session_seq] BETWEEN @P4 AND @P5
           AND [kind] = N'statement' AND [verdict] IS NULL AND ([outcome] IS NULL OR [outcome] <> N'skipped')"
    )
}

fn bind<'r>(query: &mut Query<'r>, column: &Found, value: Value<'r>) {
    match (value, column.holds) {
        // ISO 8601 without its Z, which stands for the same whatever the session's language is.
        (Value::Text(text), Holds::Timestamp) => query.bind(text.trim_end_matches('Z')),
        (Value::Text(text), _) => query.bind(text),
        (Value::Number(number), _) => query.bind(number),
        (Value::Flag(flag), _) => query.bind(flag),
        (Value::Null, Holds::Number | Holds::Small) => query.bind(None::<i64>),
        (Value::Null, Holds::Flag) => query.bind(None::<bool>),
        (Value::Null, _) => query.bind(None::<&str>),
    }
}

/// What an error means to the rows that it is for. These are about them: 220, 241, 242, 245, 248, 8114 and 8115 values that
/// are none of the type, 511 a row that is too large, 515 NULL, 547 a rule of the table, 2628 and 8152 a text that is too
/// long; and from 50000 on what a trigger throws.
fn fault(error: &Error) -> Fault {
    const OF_ROWS: [u32; 12] = [220, 241, 242, 245, 248, 511, 515, 547, 2628, 8114, 8115, 8152];
    match error.code() {
        Some(code) if OF_ROWS.contains(&code) || code >= 50_000 => Fault::Events(describe(error)),
        _ => Fault::Destination(describe(error)),
    }
}

fn describe(error: &Error) -> String {
    const MAX_SHOWN: usize = 300;
    let text = match error {
        Error::Server(error) => format!("{} {}", error.code(), error.message()),
        error => error.to_string(),
    };
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(names: &[&str]) -> Layout {
        let column = |name: &&str| Described {
            name: (*name).into(),
            kind: "nvarchar".into(),
            nullable: true,
            filled: false,
        };
        Layout::new(Engine::Sqlserver, "t", &names.iter().map(column).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn rows_go_in_together_and_repeats_stay_out() {
        assert_eq!(
            insert("[audit].[t]", &layout(&["event_id", "event"]), 2),
            "INSERT INTO [audit].[t] ([event_id], [event]) SELECT [event_id], [event] FROM (VALUES (@P1, @P2), (@P3, @P4)) \
             AS v ([event_id], [event]) WHERE NOT EXISTS (SELECT 1 FROM [audit].[t] WITH (UPDLOCK, HOLDLOCK) \
             WHERE [event_id] = CAST(v.[event_id] AS CHAR(36)))"
        );
        assert_eq!(
            insert("[t]", &layout(&["sql_raw"]), 1),
            "INSERT INTO [t] ([sql_raw]) SELECT [sql_raw] FROM (VALUES (@P1)) AS v ([sql_raw])"
        );
    }
}
