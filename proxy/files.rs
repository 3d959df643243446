//! How many files the process may have open. Each connection takes two; the rest is the journal's and the sinks', and
//! no client can take it from them.

use panoptes_config::{Config, Limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

use crate::{Error, lobby::MAX_LEAVING};

/// Standard streams, journal, admin endpoint, runtimes, and clients that were asked to go.
const OWN: u64 = 64 + 2 * MAX_LEAVING as u64;
/// A sink's: its cursor, its dead letters, its connections.
const SINK: u64 = 16;
/// Each worker's runtime has its own; and each has every listener.
const WORKER: u64 = 4;
/// With fewer there is no use in a start.
const MIN_CONNECTIONS: u64 = 8;

/// Raises the limit of the process as far as the connections need it and the system allows it.
///
/// # Errors
/// There would be room for next to no connection.
pub(crate) fn make_room(config: &Config) -> Result<Limits, Error> {
    let limit = getrlimit(Resource::Nofile);
    let (may, needed) = (limit.current.unwrap_or(u64::MAX), needed(config));
    if may >= needed {
        return Ok(config.limits.clone());
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(needed.min(most)), ..limit };
    let may = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => needed.min(most),
        Err(error) => {
            debug!(%error, "the limit of open files cannot be raised");
            may
        }
    };
    let fitted = fit(config, may)?;
    if fitted.max_connections < config.limits.max_connections {
        warn!("{}", shortage(config, &fitted, may));
    }
    Ok(fitted)
}

/// What a start would warn of, were it under the limits of this process.
///
/// # Errors
/// What it would fail with.
pub fn check_files(config: &Config) -> Result<Option<String>, Error> {
    let limit = getrlimit(Resource::Nofile);
    let may = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    let fitted = fit(config, may)?;
    let short = fitted.max_connections < config.limits.max_connections;
    Ok(short.then(|| shortage(config, &fitted, may)))
}

/// The limits of connections, lowered to what so many files allow.
fn fit(config: &Config, may: u64) -> Result<Limits, Error> {
    let mut limits = config.limits.clone();
    if may >= needed(config) {
        return Ok(limits);
    }
    let own = own(config);
    let room = may.saturating_sub(own) / 2;
    if room < MIN_CONNECTIONS {
        return Err(Error::Files { may, least: own + 2 * MIN_CONNECTIONS, needed: needed(config) });
    }
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    limits.max_pending_logins = limits.max_pending_logins.min(room / 4);
    limits.max_connections = limits.max_connections.min(room - limits.max_pending_logins);
    Ok(limits)
}

fn shortage(config: &Config, fitted: &Limits, may: u64) -> String {
    let (wanted, most, needed) = (config.limits.max_connections, fitted.max_connections, needed(config));
    format!(
        "limits.max_connections is lowered from {wanted} to {most}: the process may have {may} files open, and would \
         need {needed}; raise its limit (ulimit -n, LimitNOFILE=), or lower max_connections"
    )
}

fn needed(config: &Config) -> u64 {
    let Limits { max_connections, max_pending_logins, .. } = config.limits;
    own(config).saturating_add(2 * (max_connections as u64 + max_pending_logins as u64))
}

fn own(config: &Config) -> u64 {
    let (workers, listeners) = (crate::worker_count(config) as u64, config.listen.len() as u64);
    OWN + workers * (WORKER + listeners) + SINK * config.sinks.len() as u64
}

#[cfg(test)]
mod tests {
    use panoptes_config::{Flags, load};

    use super::*;

    fn config() -> Config {
        let upstream = Some("postgres://127.0.0.1:5432".to_owned());
        let flags = Flags { listen: Some("127.0.0.1:1".parse().unwrap()), upstream, ..Flags::default() };
        let mut config = load(None, std::iter::empty(), &flags).unwrap();
        config.workers = 2;
        config
    }

    #[test]
    fn connections_are_as_many_as_files_allow() {
        let config = config();
        let enough = fit(&config, needed(&config)).unwrap();
        assert_eq!((enough.max_connections, enough.max_pending_logins), (10_000, 1_000));
        let short = fit(&config, 1_024).unwrap();
        let taken = 2 * (short.max_connections + short.max_pending_logins) as u64;
        assert!(taken + own(&config) <= 1_024 && short.max_connections > 200, "{short:?}");
        let told = shortage(&config, &short, 1_024);
        assert!(told.contains("from 10000 to") && told.contains("1024 files"), "{told}");
        let told = fit(&config, own(&config) + 2).unwrap_err().to_string();
        assert!(told.contains("ulimit -n"), "{told}");
    }
}
