//! MySQL and MariaDB. A batch is a few INSERTs of many rows, prepared, in one transaction.
//!
//! `INSERT IGNORE` would take values that do not fit and cut them, and `ON DUPLICATE KEY UPDATE` needs the right to update:
//! so a repeat is an error, and what is there already is then left out.

use std::{collections::BTreeSet, path::PathBuf};

use mysql_async::{
    ClientIdentity, Conn, DriverError, Error, OptsBuilder, Params, SslOpts, Value as Bound,
    prelude::Queryable,
};
use panoptes_config as config;
use panoptes_event::table::{Engine, Holds, Row, Schema, Value, quoted};

use super::{
    Fault, Store, Written, dial,
    layout::{Described, Layout},
};
use crate::{sink::OptionError, tls};

/// Rows of one statement: parameters have a limit of 65,535.
const MOST_ROWS: usize = 256;
/// Of the packet that carries a value: its length, its type, its bit among those that are NULL. A number has 8 bytes.
const OF_VALUE: usize = 9 + 2 + 1;
/// Of a packet, what is not values.
const OF_STATEMENT: usize = 64;
/// What the session must be, whatever the server's defaults are: values that do not fit are errors, times are UTC.
const SESSION: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1",
];
const DESCRIBE: &str = "SELECT column_name, data_type, is_nullable = 'YES', column_default IS NOT NULL OR extra <> ''
  FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position";
/// Whether no two rows can have the same event_id.
const UNIQUE: &str = "SELECT COUNT(*) FROM (SELECT index_name FROM information_schema.statistics
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0
    GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(column_name) = 'event_id') AS found";
const DUPLICATE: u16 = 1062;
const TOO_LARGE: u16 = 1153;

/// The store.
pub(crate) struct Mysql {
    options: config::Database,
    tls: Option<SslOpts>,
    link: Option<Link>,
}

/// A connection.
struct Link {
    conn: Conn,
    table: String,
    layout: Layout,
    /// None where the table or our rights do not allow it.
    judge: Option<String>,
    /// The largest packet that the server takes, in bytes.
    max_packet: usize,
}

impl Store for Mysql {
    fn new(options: &config::Database) -> Result<Self, OptionError> {
        let tls = if options.url.tls { Some(ssl(&options.tls)?) } else { None };
        Ok(Self { options: options.clone(), tls, link: None })
    }

    async fn connect(&mut self) -> Result<Vec<String>, String> {
        let conn = self.log_in().await?;
        let (link, notes) = self.look(conn).await.map_err(|error| describe(&error))??;
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
        let Some(link) = &mut self.link else { return Err(Fault::Destination("no connection".to_owned())) };
        let rows: Vec<&Row<'_>> = rows.iter().filter(|row| link.layout.takes(row)).collect();
        let mut asked = rows.len();
        let mut written = link.write(&rows).await;
        if written.as_ref().is_err_and(is_duplicate) && link.layout.find("event_id").is_some() {
            written = match link.new_ones(&rows).await {
                Ok(new) => {
                    asked = new.len();
                    link.write(&new).await
                }
                Err(error) => Err(error),
            };
        }
        written.map(|()| Written { rows: asked, ..Written::default() }).map_err(|error| {
            if is_too_large(&error) {
                // Neither the driver nor a server goes on behind that.
                self.link = None;
            }
            fault(&error)
        })
    }
}

impl Mysql {
    async fn log_in(&self) -> Result<Conn, String> {
        let url = &self.options.url;
        // Known to be none of ours; the driver is not to ask again.
        let addresses = dial::addresses(&self.options).await?;
        let ips: Vec<_> = addresses.iter().map(std::net::SocketAddr::ip).collect();
        let password = dial::password(&self.options)?;
        let options = OptsBuilder::default()
            .ip_or_hostname(&url.host)
            .tcp_port(url.port)
            .resolved_ips(Some(ips))
            .user(self.options.username.as_deref())
            .pass(password.as_ref().map(config::Secret::reveal))
            .db_name(Some(&url.database))
            .ssl_opts(self.tls.clone())
            .prefer_socket(false)
            .init(SESSION.to_vec());
        Conn::new(options).await.map_err(|error| describe(&error))
    }

    /// Creates the table where that is asked for, and looks at it as it is.
    async fn look(&self, mut conn: Conn) -> Result<Result<(Link, Vec<String>), String>, Error> {
        let mut described = self.columns(&mut conn).await?;
        if described.is_empty() && self.options.auto_create_table {
            let schema = Schema { engine: Engine::Mysql, table: &self.options.table, monthly: false };
            for statement in schema.statements() {
                conn.query_drop(statement).await?;
            }
            described = self.columns(&mut conn).await?;
        }
        let layout = match Layout::new(Engine::Mysql, &self.options.table, &described) {
            Ok(layout) => layout,
            Err(what) => return Ok(Err(what)),
        };
        let table = quoted(Engine::Mysql, &self.options.table);
        // Of no rows: whether we may.
        let names = names(&layout);
        conn.query_drop(format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE FALSE"))
            .await?;
        let unique: Option<u64> = conn.exec_first(UNIQUE, self.place()).await?;
        let max_packet: Option<usize> = conn.query_first("SELECT @@max_allowed_packet").await?;
        let (judge, refused) = may_judge(&mut conn, &table, &layout).await;
        let notes = layout.notes(unique.is_some_and(|found| found > 0), refused);
        let max_packet = max_packet.unwrap_or(usize::MAX);
        Ok(Ok((Link { conn, table, layout, judge, max_packet }, notes)))
    }

    async fn columns(&self, conn: &mut Conn) -> Result<Vec<Described>, Error> {
        let read = |(name, kind, nullable, filled): (String, String, bool, bool)| Described {
            name,
            kind,
            nullable,
            filled,
        };
        conn.exec_map(DESCRIBE, self.place(), read).await
    }

    /// The table's schema, where it is not the login's own, and its name.
    fn place(&self) -> (Option<&str>, &str) {
        match self.options.table.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, &self.options.table),
        }
    }
}

impl Link {
    async fn write(&mut self, rows: &[&Row<'_>]) -> Result<(), Error> {
        self.conn.query_drop("START TRANSACTION").await?;
        let written = self.write_all(rows).await;
        let end = if written.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.conn.query_drop(end).await;
        written.and(ended)
    }

    async fn write_all(&mut self, rows: &[&Row<'_>]) -> Result<(), Error> {
        let values: Vec<Vec<Bound>> = rows.iter().map(|row| self.values(row)).collect();
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest, self.max_packet));
            let statement = insert(&self.table, &self.layout, now.len());
            self.conn.exec_drop(statement, Params::Positional(now.concat())).await?;
            rest = later;
        }
        let Some(judge) = &self.judge else { return Ok(()) };
        for told in rows.iter().filter_map(|row| row.verdict()) {
            let about = (told.verdict, told.transaction, told.session, told.from, told.to);
            self.conn.exec_drop(judge.as_str(), about).await?;
        }
        Ok(())
    }

    fn values(&self, row: &Row<'_>) -> Vec<Bound> {
        self.layout.columns.iter().map(|column| bound(column.holds, column.of(row))).collect()
    }

    /// Those that are not there yet.
    async fn new_ones<'r, 'a>(&mut self, rows: &[&'r Row<'a>]) -> Result<Vec<&'r Row<'a>>, Error> {
        let mut there = BTreeSet::new();
        for some in rows.chunks(MOST_ROWS) {
            let places = vec!["?"; some.len()].join(", ");
            let statement = format!("SELECT event_id FROM {} WHERE event_id IN ({places})", self.table);
            let ids = some.iter().map(|row| Bound::from(row.id())).collect();
            there.extend(self.conn.exec::<String, _, _>(statement, Params::Positional(ids)).await?);
        }
        // Twice in one batch is once.
        Ok(rows.iter().copied().filter(|row| there.insert(row.id().to_owned())).collect())
    }
}

/// How many of these rows go into one statement: as many as fit into a packet, at least one. Powers of two: few statements to
/// prepare, which the connection remembers.
fn fitting(rows: &[Vec<Bound>], max_packet: usize) -> usize {
    let mut room = max_packet.saturating_sub(OF_STATEMENT);
    let fits = |row: &&Vec<Bound>| {
        let size: usize = row.iter().map(|value| OF_VALUE + length(value)).sum();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    1 << rows.iter().take(MOST_ROWS).take_while(fits).count().max(1).ilog2()
}

fn length(value: &Bound) -> usize {
    if let Bound::Bytes(bytes) = value { bytes.len() } else { 0 }
}

/// The statement that tells rows their verdict; where it may not be run, why.
async fn may_judge(conn: &mut Conn, table: &str, layout: &Layout) -> (Option<String>, Option<String>) {
    if !layout.takes_verdicts() {
        return (None, None);
    }
    let statement = format!(
        "UPDATE {table} SET verdict = ? WHERE transaction_id = ? AND session_id = ? AND session_seq BETWEEN ? AND ?
           AND kind = 'statement' AND verdict IS NULL AND NOT (outcome <=> 'skipped')"
    );
    match conn.exec_drop(statement.as_str(), ("", "", "", 0, 0)).await {
        Ok(()) => (Some(statement), None),
        Err(error) => (None, Some(describe(&error))),
    }
}

fn names(layout: &Layout) -> String {
    let names: Vec<String> = layout.columns.iter().map(|column| quoted(Engine::Mysql, column.name)).collect();
    names.join(", ")
}

fn insert(table: &str, layout: &Layout, rows: usize) -> String {
    let row = format!("({})", vec!["?"; layout.columns.len()].join(", "));
    format!("INSERT INTO {table} ({}) VALUES {}", names(layout), vec![row.as_str(); rows].join(", "))
}

fn bound(holds: Holds, value: Value<'_>) -> Bound {
    match value {
        Value::Null => Bound::NULL,
        // As MySQL writes a time: without T and Z.
        Value::Text(text) if holds == Holds::Timestamp => {
            text.trim_end_matches('Z').replacen('T', " ", 1).into()
        }
        Value::Text(text) => text.into(),
        Value::Number(number) => number.into(),
        Value::Flag(flag) => flag.into(),
    }
}

fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == DUPLICATE)
}

/// Whether a packet was too large for the server, as it says (1153) or the driver does before it is sent.
fn is_too_large(error: &Error) -> bool {
    match error {
        Error::Server(error) => error.code == TOO_LARGE,
        Error::Driver(DriverError::PacketTooLarge) => true,
        // The codec's own error, whose type the driver does not show.
        Error::Io(error) => error.to_string().contains("larger than max_allowed_packet"),
        _ => false,
    }
}

/// What an error means to the rows that it is for. SQLSTATE's classes 22, 23 and 44 are about them, 09, 27 and 45 are what a
/// trigger says of them (`SIGNAL SQLSTATE '45000'`), and these have no class: 1118 too large, 1265 and 1366 values that do
/// not fit, 3819 a rule of the table.
fn fault(error: &Error) -> Fault {
    let about_rows = match error {
        Error::Server(error) => {
            matches!(error.state.get(..2), Some("09" | "22" | "23" | "27" | "44" | "45"))
                || [1118, 1265, 1366, 3819].contains(&error.code)
        }
        _ => false,
    };
    match about_rows || is_too_large(error) {
        true => Fault::Events(describe(error)),
        false => Fault::Destination(describe(error)),
    }
}

fn describe(error: &Error) -> String {
    const MAX_SHOWN: usize = 300;
    let text = match error {
        Error::Server(error) => format!("{} ({}) {}", error.code, error.state, error.message),
        error => error.to_string(),
    };
    text.chars().take(MAX_SHOWN).collect()
}

/// The authorities are those of the file or of the system, as for every sink; not those that the driver brings.
fn ssl(options: &config::Tls) -> Result<SslOpts, OptionError> {
    // What is wrong with the files is found out here, with the option's name.
    tls::client(options)?;
    let ssl = SslOpts::default().with_disable_built_in_roots(true);
    let ssl = match &options.ca_file {
        Some(file) => ssl.with_root_certs(vec![file.clone().into()]),
        None => {
            let system = tls::authorities_of_the_system().into_iter();
            ssl.with_root_certs(system.map(|authority| authority.to_vec().into()).collect())
        }
    };
    let identity =
        |(cert, key): (&PathBuf, &PathBuf)| ClientIdentity::new(cert.clone().into(), key.clone().into());
    let identity = options.cert_file.as_ref().zip(options.key_file.as_ref()).map(identity);
    Ok(ssl.with_client_identity(identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_as_many_rows_as_fit_into_a_packet() {
        let row = |size: usize| vec![Bound::Bytes(vec![b'x'; size]), Bound::Int(7), Bound::NULL];
        let rows: Vec<_> = [1_000, 1_000, 1_000, 1_000, 100].map(row).into();
        let packet = |rows: usize| OF_STATEMENT + rows * (1_000 + 3 * OF_VALUE);
        assert_eq!([1, 2, 3, 4, 9].map(|n| fitting(&rows, packet(n))), [1, 2, 2, 4, 4]);
        // One that fits into none is tried all the same: the server says what it thinks of it.
        assert_eq!((fitting(&rows, packet(1) - 1), fitting(&rows, 0)), (1, 1));
        assert_eq!(fitting(&vec![row(0); 1_000], usize::MAX), MOST_ROWS);
    }

    #[test]
    fn a_packet_that_is_too_large_is_about_the_rows() {
        let codec = std::io::Error::other("Packet is larger than max_allowed_packet");
        assert!(matches!(fault(&Error::Io(codec.into())), Fault::Events(_)));
        let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(matches!(fault(&Error::Io(cut.into())), Fault::Destination(_)));
    }
}
