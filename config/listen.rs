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
}

impl TryFrom<ListenTable> for Listen {
    type Error = String;

    fn try_from(table: ListenTable) -> Result<Self, String> {
        let ListenTable { protocol, address, upstream, mode } = table;
        let protocol = protocol.unwrap_or(upstream.protocol);
        if protocol != upstream.protocol {
            return Err(format!(
                "protocol is {protocol}, but upstream is a {} URL; make them agree, or leave protocol out",
                upstream.protocol
            ));
        }
        Ok(Self { protocol, address, upstream, mode })
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
