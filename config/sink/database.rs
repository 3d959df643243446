//! Databases.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{Secret, Tls, http::TIMEOUT};
use crate::{upstream, value};

/// Events as rows of a table, a batch in one transaction, each under its own id, so that a repeat changes nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://host:port/database`, `mysql://…`, `mariadb://…`, `sqlserver://…`, or `sqlite:///path`. Must be
    /// given.
    pub url: DatabaseUrl,
    /// The login. Not for SQLite.
    #[serde(deserialize_with = "value::optional_text")]
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The file with it; read again for each connection.
    pub password_file: Option<PathBuf>,
    /// The table, with its schema where it is not the login's own. Default `panoptes_audit_log`.
    #[serde(deserialize_with = "value::text")]
    pub table: String,
    /// Whether the table is created where it is not there. Default false.
    #[serde(deserialize_with = "value::flag")]
    pub auto_create_table: bool,
    /// The partitions of the table: none, or one a month, which this sink creates. PostgreSQL only. Default none.
    #[serde(deserialize_with = "value::choice")]
    pub partitions: Partitions,
    /// From connecting to the table's being ready, and writing a batch. Default 30 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// Connections that write at once. The events of one session stay in order. Default 1.
    #[serde(deserialize_with = "value::count")]
    pub concurrency: usize,
    /// TLS.
    pub tls: Tls,
    /// The addresses of our own listeners, behind which no audit database may be: its rows would be audited, for ever.
    #[serde(skip)]
    pub listeners: Vec<SocketAddr>,
}

/// The longest name of a table: those of its indices are longer, and have 63 bytes.
const MAX_TABLE: usize = 40;

impl Database {
    /// Whether a sink writes to a table of this name, perhaps with a schema before it.
    ///
    /// # Errors
    /// What is wrong with the name, and what to do.
    pub fn check_table(table: &str) -> Result<(), String> {
        let is_name = |part: &str| {
            let first = part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            first && part.len() <= MAX_TABLE && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        match table.split('.').all(is_name) && table.split('.').count() <= 2 {
            true => Ok(()),
            false => Err(format!(
                "{table:?} is no name of a table; use a-z, 0-9 and _, a letter first, at most {MAX_TABLE}, e.g. \"audit.trail\""
            )),
        }
    }
}

/// How the table is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitions {
    /// Not.
    #[default]
    None,
    /// By month of the event's time, UTC.
    Monthly,
}

/// Where a database is: `engine://host:port/database?sslmode=verify-full`, or `sqlite:///path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// What kind of database.
    pub engine: DatabaseEngine,
    /// A host name or an IP address (IPv6 without its brackets). Empty for SQLite.
    pub host: String,
    /// The port; the engine's own where left out.
    pub port: u16,
    /// The database; for SQLite the path of its file.
    pub database: String,
    /// Whether the connection is TLS, with a certificate that is that of `host`.
    pub tls: bool,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// PostgreSQL.
    #[default]
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
    /// SQL Server.
    Sqlserver,
}

const EXAMPLE: &str = "write e.g. \"postgres://audit.internal:5432/audit\"";

impl DatabaseUrl {
    /// Whether none was given.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.database.is_empty()
    }
}

impl TryFrom<&str> for DatabaseUrl {
    type Error = String;

    /// Nothing of a user or password in it is ever repeated in the error.
    fn try_from(text: &str) -> Result<Self, String> {
        let (scheme, rest) =
            text.trim().split_once("://").ok_or_else(|| format!("no URL of a database; {EXAMPLE}"))?;
        if rest.contains('@') {
            return Err("has a user; remove everything up to the @, and give username and password".into());
        }
        let engine = match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => DatabaseEngine::Postgres,
            "mysql" | "mariadb" => DatabaseEngine::Mysql,
            "sqlserver" | "mssql" => DatabaseEngine::Sqlserver,
            "sqlite" => return of_file(rest),
            _ => {
                return Err(format!(
                    "{scheme:?} is no scheme known here; use postgres://, mysql://, mariadb://, sqlserver:// or sqlite://"
                ));
            }
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if database.is_empty() {
            return Err(format!("names no database; {EXAMPLE}"));
        }
        let (host, port) = upstream::split_port(authority)?;
        Ok(Self {
            engine,
            host: upstream::host_of(host)?,
            port: upstream::port_of(port, engine.port())?,
            database: database.to_owned(),
            tls: wants_tls(query)?,
        })
    }
}

impl DatabaseEngine {
    fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
            Self::Sqlserver => 1433,
            Self::Sqlite => 0,
        }
    }
}

fn of_file(path: &str) -> Result<DatabaseUrl, String> {
    match path.is_empty() || path.ends_with('/') || path.contains('?') {
        true => Err("names no file; write e.g. \"sqlite:///var/lib/panoptes/audit.db\"".to_owned()),
        false => Ok(DatabaseUrl {
            engine: DatabaseEngine::Sqlite,
            database: path.to_owned(),
            ..DatabaseUrl::default()
        }),
    }
}

fn wants_tls(query: &str) -> Result<bool, String> {
    let mut tls = true;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        tls = match pair.split_once('=').unwrap_or((pair, "")) {
            ("sslmode", "disable") => false,
            ("sslmode", "verify-full") => true,
            ("sslmode", other) => {
                return Err(format!(
                    "has sslmode={other}; use verify-full, which is the default, or disable"
                ));
            }
            (key, _) => return Err(format!("has the parameter {key:?}; only sslmode is known, remove it")),
        };
    }
    Ok(tls)
}

impl fmt::Display for DatabaseUrl {
    /// For logs and errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            _ if self.engine == DatabaseEngine::Sqlite => f.write_str(&self.database),
            true => write!(f, "[{}]:{}/{}", self.host, self.port, self.database),
            false => write!(f, "{}:{}/{}", self.host, self.port, self.database),
        }
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = value::text(deserializer)?;
        Self::try_from(text.as_str()).map_err(de::Error::custom)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::default(),
            username: None,
            password: None,
            password_file: None,
            table: "panoptes_audit_log".to_owned(),
            auto_create_table: false,
            partitions: Partitions::default(),
            timeout: TIMEOUT * 6,
            concurrency: 1,
            tls: Tls::default(),
            listeners: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_whether_with_tls() {
        let url = DatabaseUrl::try_from("postgres://audit.internal/trail").unwrap();
        assert_eq!(url.to_string(), "audit.internal:5432/trail");
        assert!(url.tls);
        let url = DatabaseUrl::try_from("postgresql://[::1]:6000/a?sslmode=disable").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.tls), ("::1", 6000, false));
        assert_eq!(url.to_string(), "[::1]:6000/a");
        assert_eq!(DatabaseUrl::try_from("mariadb://db/a").unwrap().to_string(), "db:3306/a");
        assert_eq!(DatabaseUrl::try_from("sqlite:///var/a.db").unwrap().to_string(), "/var/a.db");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_repeated() {
        for (url, what) in [
            ("audit.internal", "no URL of a database; write e.g. "),
            ("postgres://me:hunter2@db/x", "has a user; remove everything up to the @"),
            ("redis://db/x", "\"redis\" is no scheme known here"),
            ("sqlite://", "names no file"),
            ("postgres://db", "names no database"),
            ("postgres:///x", "names no host"),
            ("postgres://db/x?sslmode=prefer", "has sslmode=prefer; use verify-full"),
            ("postgres://db/x?options=-c", "has the parameter \"options\""),
        ] {
            let error = DatabaseUrl::try_from(url).unwrap_err();
            assert!(error.starts_with(what) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
