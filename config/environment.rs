//! The environment: variables `PANOPTES_…`, and what the machine itself gives as defaults.
//!
//! A name is the path of an option, its levels joined by two underscores: `PANOPTES_JOURNAL__MAX_SIZE`. A value is
//! taken as it is, never guessed to be a number; only for a whole table or array it is TOML:
//! `PANOPTES_LISTEN='[{address = "0.0.0.0:6432", upstream = "postgres://db"}]'`. An empty value counts as not set.
//! Short forms: `PANOPTES_LISTEN` and `PANOPTES_UPSTREAM` for the only listener, `PANOPTES_LOG` for `log.level`. Those of the
//! Panoptes SDK: `sdk.rs`.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use rustix::fs::{Access, access};

use crate::{
    layers::{nest, parse_toml},
    sdk,
};

pub(crate) const PREFIX: &str = "PANOPTES_";
/// Options of sinks whose values are anything.
const SECRETS: [&str; 4] = ["bearer", "api_key", "password", "token"];
const SYSTEM_DIR: &str = "/var/lib/panoptes";

/// What a variable sets.
pub(crate) struct Variable {
    pub(crate) place: Place,
    pub(crate) values: Dict,
}

/// Which tree it belongs to.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Config,
    OnlyListener,
}

impl Variable {
    /// None for a variable that is not ours or not set.
    pub(crate) fn read(name: &str, value: &str) -> Result<Option<Self>, String> {
        let Some(path) = name.strip_prefix(PREFIX) else { return Ok(None) };
        if value.is_empty() || is_of_kubernetes(path, value) || sdk::has(path) {
            return Ok(None);
        }
        let path = path.to_ascii_lowercase();
        let path: Vec<&str> = path.split("__").collect();
        let (place, values) = match path.as_slice() {
            ["log"] => (Place::Config, nest(&["log", "level"], value)),
            ["upstream"] => (Place::OnlyListener, nest(&["upstream"], value)),
            ["listen"] if !is_array(value) => (Place::OnlyListener, nest(&["address"], value)),
            _ if takes_toml(&path, value) => (Place::Config, nest(&path, toml_value(value)?)),
            _ => (Place::Config, nest(&path, value)),
        };
        Ok(Some(Self { place, values }))
    }
}

/// The defaults that depend on where the program runs.
pub(crate) fn defaults(env: &Map<String, String>) -> Dict {
    let mut values = nest(&["journal", "dir"], journal_dir(env).to_string_lossy().as_ref());
    values.extend(nest(&["instance"], host_name()));
    values
}

fn journal_dir(env: &Map<String, String>) -> PathBuf {
    let system = Path::new(SYSTEM_DIR);
    let writable = || system.is_dir() && access(system, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if rustix::process::geteuid().is_root() || writable() { system.into() } else { user_dir(env) }
}

/// Only absolute paths count, as the XDG specification says.
fn user_dir(env: &Map<String, String>) -> PathBuf {
    let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (absolute("XDG_STATE_HOME"), absolute("HOME")) {
        (Some(state), _) => state.join("panoptes"),
        (None, Some(home)) => home.join(".local/state/panoptes"),
        (None, None) => PathBuf::from("./panoptes-journal"),
    }
}

fn host_name() -> String {
    let uname = rustix::system::uname();
    match uname.nodename().to_str() {
        Ok(name) if crate::check::is_name(name) => name.to_owned(),
        _ => "panoptes".to_owned(),
    }
}

/// For a service called `panoptes` or `panoptes-…` Kubernetes puts variables like `PANOPTES_SERVICE_HOST`,
/// `PANOPTES_PORT` and `PANOPTES_PORT_6432_TCP_ADDR` into every pod: they are not ours.
fn is_of_kubernetes(path: &str, value: &str) -> bool {
    let words: Vec<&str> = path.split('_').collect();
    match words.as_slice() {
        _ if words.contains(&"") => false, // two underscores: an option of ours
        [.., "SERVICE", "HOST"] => true,
        [.., "PORT", port, "TCP" | "UDP" | "SCTP"]
        | [.., "PORT", port, "TCP" | "UDP" | "SCTP", "PROTO" | "PORT" | "ADDR"] => {
            port.parse::<u16>().is_ok()
        }
        [.., "PORT"] if value.contains("://") => true,
        _ => words.windows(2).any(|pair| pair == ["SERVICE", "PORT"]),
    }
}

/// An array of tables rather than an address, which may begin with a bracket as well: `[::1]:6432`.
fn is_array(value: &str) -> bool {
    let inside = value.trim_start().strip_prefix('[').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with(['{', ']', '#', '"', '\'']))
}

/// Only where a table or an array can stand, so that a text such as a log filter or a password may begin with a bracket.
fn takes_toml(path: &[&str], value: &str) -> bool {
    let structured = match path {
        ["sinks", _, "headers" | "properties", _, ..] => false,
        ["sinks", .., name] => !SECRETS.contains(name),
        [table] => ["listen", "journal", "audit", "limits", "admin", "sinks"].contains(table),
        _ => false,
    };
    structured && value.trim_start().starts_with(['{', '['])
}

fn toml_value(text: &str) -> Result<Value, String> {
    let example = "write TOML, e.g. [{address = \"127.0.0.1:6432\", upstream = \"postgres://db:5432\"}]";
    let wrong = |message: &str| format!("is neither a TOML array nor a TOML table ({message}); {example}");
    let mut document = parse_toml(&format!("value = {text}")).map_err(|(_, message)| wrong(&message))?;
    match document.remove("value") {
        Some(value) if document.is_empty() => Ok(value),
        _ => Err(wrong("more than one value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_kubernetes_are_not_ours() {
        for (name, value) in [
            ("SERVICE_HOST", "10.0.0.7"),
            ("SERVICE_PORT", "6432"),
            ("SERVICE_PORT_POSTGRES", "6432"),
            ("PORT", "tcp://10.0.0.7:6432"),
            ("PORT_6432_TCP", "tcp://10.0.0.7:6432"),
            ("PORT_6432_TCP_ADDR", "10.0.0.7"),
            ("PORT_6432_TCP_PORT", "6432"),
            ("PORT_6432_TCP_PROTO", "tcp"),
            ("ADMIN_SERVICE_HOST", "10.0.0.7"),
            ("ADMIN_PORT_9090_TCP", "tcp://10.0.0.7:9090"),
        ] {
            assert!(is_of_kubernetes(name, value), "{name}");
        }
        for name in ["APP_NAME", "JOURNAL__DIR", "PORT", "ADMIN_PORT", "SINKS__BUS__SERVICE_HOST"] {
            assert!(!is_of_kubernetes(name, "6432"), "{name}");
        }
    }

    #[test]
    fn an_array_is_told_from_an_ipv6_address() {
        assert!(is_array("[{address = \"[::1]:1\"}]") && is_array("[ {") && is_array("[]"));
        assert!(!is_array("[::1]:6432") && !is_array("127.0.0.1:6432") && !is_array(""));
    }

    #[test]
    fn the_state_directory_follows_xdg() {
        let env = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let dir = |pairs: &[(&str, &str)]| user_dir(&env(pairs));
        assert_eq!(dir(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "/s")]), Path::new("/s/panoptes"));
        assert_eq!(
            dir(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "s")]),
            Path::new("/home/a/.local/state/panoptes")
        );
        assert_eq!(dir(&[("HOME", "")]), Path::new("./panoptes-journal"));
    }
}
