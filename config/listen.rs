//! Where clients connect, and the database behind it.

use std::{fmt, net::SocketAddr};

use serde::Deserialize;

use crate::{Mode, value};

/// One listener: clients that connect here reach this database.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ListenTable")]
pub struct Listen {
    /// The protocol spoken on both sides; where left out, that of `upstream`'s scheme.
    pub protocol: Protocol,
    /// The IP and port that clients connect to.
    pub address: SocketAddr,
    /// The database, e.g. `postgres://db.internal:5432?sslmode=disable`.
    pub upstream: Upstream,
    /// What statements and answers wait for. Default: `journal.mode`.
    pub mode: Option<Mode>,
    /// The `sql_mode` that sessions of the server begin with, MySQL's alone: no server tells it.
    pub sql_mode: Option<String>,
}

/// A database protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// The address of a database, from a URL: `postgres://host:port?sslmode=disable`, also `postgresql://`, `mysql://`,
/// `mariadb://`. It has no user, password or database: each client brings its own, and logins pass through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Upstream {
    /// The protocol of the URL's scheme.
    pub protocol: Protocol,
    /// A host name or an IP address (IPv6 without its brackets).
    pub host: String,
    /// The port; 5432 for PostgreSQL, 3306 for MySQL where left out.
    pub port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenTable {
    #[serde(default, deserialize_with = "value::optional_choice")]
    protocol: Option<Protocol>,
    #[serde(deserialize_with = "value::address")]
    address: SocketAddr,
    upstream: Upstream,
    #[serde(default, deserialize_with = "value::optional_choice")]
    mode: Option<Mode>,
    #[serde(default, deserialize_with = "value::optional_text")]
    sql_mode: Option<String>,
}

impl TryFrom<ListenTable> for Listen {
    type Error = String;

    fn try_from(table: ListenTable) -> Result<Self, String> {
        let ListenTable { protocol, address, upstream, mode, sql_mode } = table;
        let protocol = protocol.unwrap_or(upstream.protocol);
        if protocol != upstream.protocol {
            return Err(format!(
                "protocol is {protocol}, but upstream is a {} URL; make them agree, or leave protocol out",
                upstream.protocol
            ));
        }
        let is_mode = |mode: &str| mode.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match &sql_mode {
            Some(_) if protocol != Protocol::Mysql => {
                return Err("sql_mode is MySQL's; remove it".to_owned());
            }
            Some(modes) if !modes.split(',').all(is_mode) => {
                return Err(format!("sql_mode {modes:?} has no modes; write e.g. \"ANSI_QUOTES\""));
            }
            _ => {}
        }
        Ok(Self { protocol, address, upstream, mode, sql_mode })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        })
    }
}

impl TryFrom<String> for Upstream {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        crate::upstream::parse(&url)
    }
}

impl fmt::Display for Upstream {
    /// `host:port`, an IPv6 address in brackets: for logs, errors and dialling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
