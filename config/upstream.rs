//! Reading the URL of a database. Nothing of a user or password in it is ever repeated in an error.

use crate::listen::{Protocol, Upstream};

const EXAMPLE: &str = "write e.g. \"postgres://db.internal:5432?sslmode=disable\"";

/// `scheme://host[:port][/][?sslmode=disable]`.
pub(crate) fn parse(url: &str) -> Result<Upstream, String> {
    let (scheme, rest) =
        url.trim().split_once("://").ok_or_else(|| format!("no URL of a database; {EXAMPLE}"))?;
    let protocol = protocol_of(scheme)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = split_path(rest);
    if rest.contains('@') {
        return Err(
            "has a user; logins pass through, each client brings its own: remove everything up to the @"
                .into(),
        );
    }
    if !database.is_empty() {
        return Err(format!(
            "has the database {database:?}; logins pass through, each client names its own: remove it"
        ));
    }
    check_query(protocol, query)?;
    let (host, port) = split_port(authority)?;
    Ok(Upstream { protocol, host: host_of(host)?, port: port_of(port, protocol)? })
}

fn protocol_of(scheme: &str) -> Result<Protocol, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" => Ok(Protocol::Postgres),
        "mysql" | "mariadb" => Ok(Protocol::Mysql),
        _ => Err(format!(
            "{scheme:?} is no scheme known here; use postgres://, postgresql://, mysql:// or mariadb://"
        )),
    }
}

fn split_path(rest: &str) -> (&str, &str) {
    rest.split_once('/').unwrap_or((rest, ""))
}

fn check_query(protocol: Protocol, query: &str) -> Result<(), String> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (protocol, key) {
            (Protocol::Postgres, "sslmode") if value == "disable" => {}
            (Protocol::Postgres, "sslmode") => {
                return Err("TLS to the database is not there yet: use sslmode=disable".to_owned());
            }
            _ => {
                return Err(format!(
                    "has the parameter {key:?}; logins pass through, each client brings its own: remove it"
                ));
            }
        }
    }
    Ok(())
}

/// The host with its brackets, and the port's text where there is one.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    let after_host = match authority.find(']') {
        Some(bracket) => bracket,
        None if authority.matches(':').count() > 1 => {
            return Err(format!("an IPv6 address goes in brackets: write [{authority}]"));
        }
        None => 0,
    };
    match authority.get(after_host..).and_then(|tail| tail.find(':')) {
        Some(colon) => {
            let (host, port) = authority.split_at(after_host.saturating_add(colon));
            Ok((host, port.strip_prefix(':')))
        }
        None => Ok((authority, None)),
    }
}

fn host_of(host: &str) -> Result<String, String> {
    if let Some(inner) = host.strip_prefix('[') {
        let ip = inner.strip_suffix(']').and_then(|ip| ip.parse::<std::net::Ipv6Addr>().ok());
        return ip
            .map(|ip| ip.to_string())
            .ok_or_else(|| format!("{host:?} is not an IPv6 address in brackets"));
    }
    let named = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    match host {
        "" => Err(format!("names no host; {EXAMPLE}")),
        _ if !named || host.len() > 253 => {
            Err(format!("{host:?} is neither a host name nor an IP address; {EXAMPLE}"))
        }
        _ => Ok(host.to_owned()),
    }
}

fn port_of(port: Option<&str>, protocol: Protocol) -> Result<u16, String> {
    match (port, protocol) {
        (None, Protocol::Postgres) => Ok(5432),
        (None, Protocol::Mysql) => Ok(3306),
        (Some(text), _) => match text.parse() {
            Ok(port) if port != 0 => Ok(port),
            _ => Err(format!("{text:?} is not a port; write a number from 1 to 65535")),
        },
    }
}
