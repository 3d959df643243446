//! Reading the URL of a database. Nothing of a user or password in it is ever repeated in an error.

use crate::listen::{Protocol, Upstream};

const EXAMPLE: &str = "write e.g. \"postgres://db.internal:5432?sslmode=disable\"";

/// `scheme://host[:port][/][?sslmode=disable]`, for MySQL `?ssl-mode=DISABLED`.
pub(crate) fn parse(url: &str) -> Result<Upstream, String> {
    let (scheme, rest) =
        url.trim().split_once("://").ok_or_else(|| format!("no URL of a database; {EXAMPLE}"))?;
    // First of all, so that no part of a password can reach the other errors.
    if rest.contains('@') {
        return Err(
            "has a user; logins pass through, each client brings its own: remove everything up to the @"
                .into(),
        );
    }
    let protocol = protocol_of(scheme)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    if !database.is_empty() {
        return Err(format!(
            "has the database {database:?}; logins pass through, each client names its own: remove it"
        ));
    }
    check_query(protocol, query)?;
    let (host, port) = split_port(authority)?;
    Ok(Upstream { protocol, host: host_of(host)?, port: port_of(port, protocol.port())? })
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

impl Protocol {
    fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
        }
    }
}

fn check_query(protocol: Protocol, query: &str) -> Result<(), String> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (protocol, key) {
            (Protocol::Postgres, "sslmode") if value == "disable" => {}
            (Protocol::Postgres, "sslmode") => {
                return Err("TLS to the database is not there yet: use sslmode=disable".to_owned());
            }
            (Protocol::Mysql, "ssl-mode") if value.eq_ignore_ascii_case("disabled") => {}
            (Protocol::Mysql, "ssl-mode") => {
                return Err("TLS to the database is not there yet: use ssl-mode=DISABLED".to_owned());
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
pub(crate) fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    let after_host = match authority.find(']') {
        Some(bracket) => bracket,
        None if authority.starts_with('[') => authority.len(),
        None if authority.contains(',') => {
            return Err("names several hosts; name one, or a balancer before them".to_owned());
        }
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

pub(crate) fn host_of(host: &str) -> Result<String, String> {
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

/// The port of its text, where there is one.
pub(crate) fn port_of(port: Option<&str>, default: u16) -> Result<u16, String> {
    match port {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(port) if port != 0 => Ok(port),
            _ => Err(format!("{text:?} is not a port; write a number from 1 to 65535")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        parse(url).unwrap_err()
    }

    #[test]
    fn a_url_names_protocol_host_and_port() {
        for (url, protocol, address) in [
            ("postgres://db", Protocol::Postgres, "db:5432"),
            ("postgresql://db.internal:6000/?sslmode=disable", Protocol::Postgres, "db.internal:6000"),
            ("POSTGRES://127.0.0.1:1", Protocol::Postgres, "127.0.0.1:1"),
            ("postgres://[::1]:5433", Protocol::Postgres, "[::1]:5433"),
            ("postgres://[2001:db8::1]", Protocol::Postgres, "[2001:db8::1]:5432"),
            ("mysql://db", Protocol::Mysql, "db:3306"),
            ("mariadb://my_db:3307", Protocol::Mysql, "my_db:3307"),
            ("mysql://db?ssl-mode=DISABLED", Protocol::Mysql, "db:3306"),
        ] {
            let upstream = parse(url).unwrap();
            assert_eq!((upstream.protocol, upstream.to_string().as_str()), (protocol, address), "{url}");
        }
        assert_eq!(parse("postgres://[::1]").unwrap().host, "::1");
    }

    #[test]
    fn logins_are_refused_and_never_repeated() {
        for url in [
            "postgres://me:hunter2@db",
            "postgres://me:hun?hunter2@db/x",
            "hunter2://x@",
            "mysql://hunter2@db/y",
        ] {
            assert!(refused(url).starts_with("has a user; logins pass through, "), "{url}");
            assert!(!refused(url).contains("hunter2"), "{url}");
        }
        assert!(!refused("host=db password=hunter2").contains("hunter2"));
    }

    #[test]
    fn what_clients_bring_themselves_is_refused() {
        let remedy = "; logins pass through, each client";
        assert!(
            refused("postgres://db/shop")
                .contains(&format!("has the database \"shop\"{remedy} names its own"))
        );
        assert!(
            refused("postgres://db?options=-c")
                .contains(&format!("has the parameter \"options\"{remedy} brings"))
        );
        assert!(refused("mysql://db?sslmode=disable").contains("has the parameter \"sslmode\""));
    }

    #[test]
    fn tls_to_the_database_is_not_there_yet() {
        for mode in ["require", "verify-full", "prefer", ""] {
            assert_eq!(
                refused(&format!("postgres://db?sslmode={mode}")),
                "TLS to the database is not there yet: use sslmode=disable"
            );
        }
        assert_eq!(
            refused("mysql://db?ssl-mode=REQUIRED"),
            "TLS to the database is not there yet: use ssl-mode=DISABLED"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (url, what) in [
            ("db.internal:5432", "no URL of a database; write e.g. "),
            ("oracle://db", "\"oracle\" is no scheme known here"),
            ("postgres://", "names no host"),
            ("postgres://:5432", "names no host"),
            ("postgres://db:0", "\"0\" is not a port; write a number from 1 to 65535"),
            ("postgres://db:65536", "\"65536\" is not a port"),
            ("postgres://db:", "\"\" is not a port"),
            ("postgres://::1", "an IPv6 address goes in brackets: write [::1]"),
            ("postgres://[::1", "\"[::1\" is not an IPv6 address in brackets"),
            ("postgres://[db]", "\"[db]\" is not an IPv6 address in brackets"),
            ("postgres://%2Fvar%2Frun", "is neither a host name nor an IP address"),
            ("postgres://a,b", "names several hosts; name one"),
            ("postgres://a:1,b:2", "names several hosts; name one"),
        ] {
            assert!(refused(url).contains(what), "{url}: {}", refused(url));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*", tail in r"[\]\[:/?@.a0-]*") {
            let _ = parse(&text);
            let _ = parse(&format!("postgres://{tail}"));
        }
    }
}
