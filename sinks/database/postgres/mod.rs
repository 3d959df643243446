//! PostgreSQL. A batch is one INSERT over arrays of text, which the server casts to what the columns are: so the
//! statement is the same for any number of rows, and for older tables whose types differ.
//!
//! `tls.rs`: TLS. `fault.rs`: what an error means.

mod fault;
mod tls;

use std::{borrow::Cow, collections::BTreeSet, future::poll_fn, sync::Arc};

use futures_util::future::try_join_all;
use panoptes_config::{self as config, Partitions};
use panoptes_event::table::{Engine, Row, Schema, Value, Verdict, quoted};
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_postgres::{
    AsyncMessage, Client, NoTls, Statement, config::SslMode, error::SqlState, tls::TlsConnect, types::ToSql,
};
use tokio_rustls::TlsConnector;

use self::{
    fault::{describe, fault},
    tls::Tls,
};
use super::{
    Fault, Store, Written, dial,
    layout::{Described, Found, Layout},
};
use crate::sink::OptionError;

/// The columns of a table by its name, and of which kind it is. By -1 a type is one without a length: without it, CHAR(36)
/// would be CHAR, which is CHAR(1).
const DESCRIBE: &str = "SELECT a.attname::text, format_type(a.atttypid, -1), NOT a.attnotnull,
    a.atthasdef OR a.attidentity <> '', c.relkind = 'p'
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
/// By which columns no two rows can have the same event_id. In a partitioned table the time, which is the event's own, is
/// with it.
const UNIQUE: &str =
    "SELECT columns FROM (SELECT (SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a
      WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) AS columns
    FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL) AS i
  WHERE columns IN ('event_id', 'event_id timestamp') ORDER BY columns LIMIT 1";

/// The store.
pub(crate) struct Postgres {
    options: config::Database,
    tls: Option<Tls>,
    link: Option<Link>,
}

/// A connection, and what is prepared on it.
struct Link {
    client: Client,
    /// Moves its bytes; ends with it.
    mover: JoinHandle<()>,
    layout: Layout,
    insert: Statement,
    /// Which events have a row. None where the table or our rights do not allow it, as for `judge`.
    look: Option<Statement>,
    judge: Option<Statement>,
    /// The partitions that are there for certain: year and month.
    months: BTreeSet<(i16, i8)>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Store for Postgres {
    fn new(options: &config::Database) -> Result<Self, OptionError> {
        let tls = match options.url.tls {
            false => None,
            true => {
                let host = ServerName::try_from(options.url.host.clone())
                    .map_err(|error| OptionError::new("url", error))?;
                let connector = TlsConnector::from(Arc::new(crate::tls::client(&options.tls)?));
                Some(Tls { connector, host })
            }
        };
        Ok(Self { options: options.clone(), tls, link: None })
    }

    async fn connect(&mut self) -> Result<Vec<String>, String> {
        let (client, mover) = self.log_in().await?;
        let prepared = self.prepare(&client).await;
        let prepared = prepared.inspect_err(|_| mover.abort())?;
        let Prepared { layout, insert, look, judge, notes } = prepared;
        self.link = Some(Link { client, mover, layout, insert, look, judge, months: BTreeSet::new() });
        Ok(notes)
    }

    fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.client.is_closed())
    }

    fn disconnect(&mut self) {
        self.link = None;
    }

    async fn write(&mut self, rows: &[Row<'_>]) -> Result<Written, Fault> {
        let Some(link) = &mut self.link else { return Err(Fault::Destination("no connection".to_owned())) };
        if self.options.partitions == Partitions::Monthly {
            link.create_partitions(&schema(&self.options), rows).await?;
        }
        link.write(rows).await.map_err(|error| fault(&error))
    }
}

/// What is needed to write.
struct Prepared {
    layout: Layout,
    insert: Statement,
    look: Option<Statement>,
    judge: Option<Statement>,
    notes: Vec<String>,
}

impl Postgres {
    async fn log_in(&self) -> Result<(Client, JoinHandle<()>), String> {
        let stream = dial::connect(&self.options).await?;
        let mut config = tokio_postgres::Config::new();
        config.dbname(&self.options.url.database).application_name("panoptes");
        config.user(self.options.username.as_deref().unwrap_or_default());
        if let Some(password) = dial::password(&self.options)? {
            config.password(password.reveal());
        }
        match self.tls.clone() {
            Some(tls) => start(config.ssl_mode(SslMode::Require), stream, tls).await,
            None => start(config.ssl_mode(SslMode::Disable), stream, NoTls).await,
        }
    }

    /// Creates the table where that is asked for, and looks at it as it is.
    async fn prepare(&self, client: &Client) -> Result<Prepared, String> {
        let told = |error: tokio_postgres::Error| describe(&error);
        let limit = self.options.timeout.as_millis();
        client.batch_execute(&format!("SET statement_timeout = {limit}")).await.map_err(told)?;
        let table = quoted(Engine::Postgres, &self.options.table);
        let mut described = self.look_at(client, &table).await?;
        if described.is_empty() && self.options.auto_create_table {
            let script = schema(&self.options).script();
            client.batch_execute(&format!("BEGIN; {script} COMMIT")).await.map_err(told)?;
            described = self.look_at(client, &table).await?;
        }
        let layout = Layout::new(Engine::Postgres, &self.options.table, &described)?;
        let unique = client.query_opt(UNIQUE, &[&table]).await;
        let unique: Option<String> =
            unique.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(told)?;
        let (insert, unsure) = may_insert(client, &table, &layout, unique.as_deref()).await.map_err(told)?;
        let look = may_look(client, &table, &layout).await;
        let (judge, refused) = may_judge(client, &table, &layout).await;
        let mut notes = layout.notes(unique.is_some(), refused);
        notes.extend(unsure);
        Ok(Prepared { layout, insert, look, judge, notes })
    }

    async fn look_at(&self, client: &Client, table: &str) -> Result<Vec<Described>, String> {
        let rows = client.query(DESCRIBE, &[&table]).await.map_err(|error| describe(&error))?;
        let read = |row: &tokio_postgres::Row| -> Result<(Described, bool), tokio_postgres::Error> {
            let (name, kind) = (row.try_get(0)?, row.try_get(1)?);
            let (nullable, filled) = (row.try_get(2)?, row.try_get(3)?);
            Ok((Described { name, kind, nullable, filled }, row.try_get(4)?))
        };
        let columns =
            rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(|error| describe(&error))?;
        let monthly = self.options.partitions == Partitions::Monthly;
        match columns.first() {
            Some((_, false)) if monthly => Err(format!(
                "partitions is \"monthly\", but table {} is not partitioned; move its rows to one that is, or set partitions = \"none\"",
                self.options.table
            )),
            _ => Ok(columns.into_iter().map(|(column, _)| column).collect()),
        }
    }
}

impl Link {
    async fn create_partitions(&mut self, schema: &Schema<'_>, rows: &[Row<'_>]) -> Result<(), Fault> {
        let Some(timestamp) = self.layout.find("timestamp") else { return Ok(()) };
        for month in rows.iter().filter_map(|row| month(timestamp.of(row))) {
            if !self.months.contains(&month) {
                match self.client.batch_execute(&schema.create_partition(month.0, month.1)).await {
                    // The default partition has rows of this month, and takes its others too.
                    Err(error) if error.code() == Some(&SqlState::CHECK_VIOLATION) => {
                        tracing::warn!(
                            year = month.0,
                            month = month.1,
                            "no partition for this month: {}",
                            describe(&error)
                        );
                    }
                    created => created.map_err(|error| Fault::Destination(describe(&error)))?,
                }
                self.months.insert(month);
            }
        }
        Ok(())
    }

    async fn write(&mut self, rows: &[Row<'_>]) -> Result<Written, tokio_postgres::Error> {
        let verdicts: Vec<Verdict<'_>> = rows.iter().filter_map(Row::verdict).collect();
        let mut rows: Vec<&Row<'_>> = rows.iter().filter(|row| self.layout.takes(row)).collect();
        let mut new = self.insert(&rows, &verdicts).await;
        if new.as_ref().is_err_and(|error| error.code() == Some(&SqlState::UNIQUE_VIOLATION)) {
            // ON CONFLICT knows of no repeat that a trigger puts into a table that inherits from this one.
            let there = self.there(&rows).await?.unwrap_or_default();
            if !there.is_empty() {
                rows.retain(|row| !there.contains(row.id()));
                new = self.insert(&rows, &verdicts).await;
            }
        }
        let passed_over = if new? < rows.len() as u64 { self.missing(&rows).await? } else { BTreeSet::new() };
        Ok(Written { rows: rows.len(), passed_over })
    }

    /// How many rows are new.
    async fn insert(
        &mut self,
        rows: &[&Row<'_>],
        verdicts: &[Verdict<'_>],
    ) -> Result<u64, tokio_postgres::Error> {
        let Some(judge) = self.judge.as_ref().filter(|_| !verdicts.is_empty()) else {
            // One statement is a transaction of its own.
            return execute(&self.client, &self.insert, &self.layout, rows).await;
        };
        let transaction = self.client.transaction().await?;
        let new = execute(transaction.client(), &self.insert, &self.layout, rows).await?;
        // Sent one behind the other, in order, before the first is answered.
        let judged = verdicts.iter().map(async |verdict| {
            let Verdict { session, transaction: block, from, to, verdict } = verdict;
            transaction.execute(judge, &[verdict, block, session, from, to]).await
        });
        try_join_all(judged).await?;
        transaction.commit().await?;
        Ok(new)
    }

    /// The events that have no row, as far as that shows. Repeats have one, and what a trigger has put into a table that
    /// inherits from this one.
    async fn missing(&self, rows: &[&Row<'_>]) -> Result<BTreeSet<String>, tokio_postgres::Error> {
        let Some(there) = self.there(rows).await? else { return Ok(BTreeSet::new()) };
        Ok(rows.iter().map(|row| row.id().to_owned()).filter(|id| !there.contains(id)).collect())
    }

    /// The events that have a row; none where that does not show.
    async fn there(&self, rows: &[&Row<'_>]) -> Result<Option<BTreeSet<String>>, tokio_postgres::Error> {
        let Some(look) = &self.look else { return Ok(None) };
        let ids: Vec<&str> = rows.iter().map(|row| row.id()).collect();
        let found = self.client.query(look, &[&ids]).await?;
        found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map(Some)
    }
}

async fn start<T>(
    config: &tokio_postgres::Config,
    stream: TcpStream,
    tls: T,
) -> Result<(Client, JoinHandle<()>), String>
where
    T: TlsConnect<TcpStream>,
    T::Stream: Send + 'static,
{
    let connected = config.connect_raw(stream, tls).await;
    let (client, mut connection) = connected.map_err(|error| describe(&error))?;
    // What ends it is told to who waits for an answer. Its own future would log each remark of the server as news, such as
    // that a partition is there already.
    let mover = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                tracing::debug!("the audit database remarks: {notice}");
            }
        }
    });
    Ok((client, mover))
}

fn schema(options: &config::Database) -> Schema<'_> {
    let monthly = options.partitions == Partitions::Monthly;
    Schema { engine: Engine::Postgres, table: &options.table, monthly }
}

/// The statement that inserts rows, but those of events that are there: which only the columns that are unique by the event
/// tell. A row that any other rule forbids is refused. To name these columns takes the right to read them; where it is
/// missing, what a person should know.
async fn may_insert(
    client: &Client,
    table: &str,
    layout: &Layout,
    unique: Option<&str>,
) -> Result<(Statement, Option<String>), tokio_postgres::Error> {
    let tried = async |repeat: &str| {
        let statement = client.prepare(&insert(table, layout, repeat)).await?;
        execute(client, &statement, layout, &[]).await?;
        Ok(statement)
    };
    let Some(columns) = unique else { return Ok((tried("").await?, None)) };
    let columns: Vec<_> = columns.split(' ').map(|name| quoted(Engine::Postgres, name)).collect();
    let columns = columns.join(", ");
    match tried(&format!("ON CONFLICT ({columns}) DO NOTHING")).await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let note = format!(
                "a row that another rule or a trigger of the table keeps out would be passed over like a repeat; GRANT SELECT ({columns}) ON {table}"
            );
            Ok((tried("ON CONFLICT DO NOTHING").await?, Some(note)))
        }
        tried => Ok((tried?, None)),
    }
}

/// Each column comes as an array of texts. A cast to a type without its length refuses what is too long for the column;
/// with it, it would cut it.
fn insert(table: &str, layout: &Layout, repeat: &str) -> String {
    let names: Vec<String> =
        layout.columns.iter().map(|column| quoted(Engine::Postgres, column.name)).collect();
    let casts = layout.columns.iter().zip(&names).map(|(column, name)| format!("r.{name}::{}", column.kind));
    let arrays = (1..=names.len()).map(|n| format!("${n}::text[]"));
    format!(
        "INSERT INTO {table} ({names}) SELECT {} FROM unnest({}) AS r ({names}) {repeat}",
        casts.collect::<Vec<_>>().join(", "),
        arrays.collect::<Vec<_>>().join(", "),
        names = names.join(", "),
    )
}

async fn execute(
    client: &Client,
    insert: &Statement,
    layout: &Layout,
    rows: &[&Row<'_>],
) -> Result<u64, tokio_postgres::Error> {
    let arrays: Vec<_> = layout.columns.iter().map(|column| array(column, rows)).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
    client.execute(insert, &parameters).await
}

fn array<'r>(column: &Found, rows: &[&'r Row<'_>]) -> Vec<Option<Cow<'r, str>>> {
    rows.iter().map(|row| column.text_of(row)).collect()
}

/// The statement that tells which of some events have a row; none where not all rows are ours to see.
async fn may_look(client: &Client, table: &str, layout: &Layout) -> Option<Statement> {
    let kind = &layout.find("event_id")?.kind;
    let hides = client.query_one("SELECT row_security_active($1::text::regclass)", &[&table]).await.ok()?;
    if hides.try_get(0).unwrap_or(true) {
        return None;
    }
    let statement = format!("SELECT event_id::text FROM {table} WHERE event_id = ANY ($1::text[]::{kind}[])");
    let look = client.prepare(&statement).await.ok()?;
    let nobody: [&str; 0] = [];
    client.query(&look, &[&nobody.as_slice()]).await.ok().map(|_| look)
}

/// The statement that tells rows their verdict; where it may not be run, why.
async fn may_judge(client: &Client, table: &str, layout: &Layout) -> (Option<Statement>, Option<String>) {
    let (Some(transaction), Some(session)) = (layout.find("transaction_id"), layout.find("session_id"))
    else {
        return (None, None);
    };
    if !layout.takes_verdicts() {
        return (None, None);
    }
    let statement = format!(
        "UPDATE {table} SET verdict = $1::text WHERE transaction_id = $2::text::{} AND session_id = $3::text::{}
           AND session_seq BETWEEN $4::bigint AND $5::bigint
           AND kind = 'statement' AND verdict IS NULL AND outcome IS DISTINCT FROM 'skipped'",
        transaction.kind, session.kind
    );
    const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
    let tried = async {
        let judge = client.prepare(&statement).await?;
        client.execute(&judge, &[&"", &NOBODY, &NOBODY, &0_i64, &0_i64]).await?;
        Ok(judge)
    };
    match tried.await {
        Ok(judge) => (Some(judge), None),
        Err(error) => (None, Some(describe(&error))),
    }
}

/// Year and month of a time.
fn month(timestamp: Value<'_>) -> Option<(i16, i8)> {
    let Value::Text(timestamp) = timestamp else { return None };
    let month: i8 = timestamp.get(5..7)?.parse().ok().filter(|month| (1..=12).contains(month))?;
    Some((timestamp.get(..4)?.parse().ok()?, month))
}
