//! The variables that the Panoptes SDK documents for applications, said in our options: who moves from the library to the
//! proxy keeps an environment. Our own forms (`PANOPTES_SINKS__…`) go before them.
//!
//! | variable, behind `PANOPTES_` | option |
//! |---|---|
//! | `TRANSPORTS` | the sinks: `console,file,http,database`, or any other kind; none but these, of the variables here |
//! | `FILE_PATH` | `sinks.file.path` |
//! | `HTTP_ENDPOINT`, `HTTP_TOKEN` | `sinks.http.url`, with an event a request as the SDK sends it; `sinks.http.auth.bearer` |
//! | `AUDIT_DB_HOST`, `_PORT`, `_NAME` | `sinks.database.url`, of PostgreSQL with TLS unless `AUDIT_DB_ENGINE` and `AUDIT_DB_SSLMODE` say otherwise |
//! | `AUDIT_DB_USER`, `_PASSWORD` | `sinks.database.username`, `.password` |
//! | `AUDIT_TABLE_NAME`, `AUTO_CREATE_TABLE` | `sinks.database.table`, `.auto_create_table` |
//! | `ASYNC_MODE` | `journal.mode`: async, or durable for `false` |
//! | `BUFFER_SIZE` | `batch.max_events` of these sinks |
//! | `ENABLED` | nothing; `false` is refused: what nobody wants audited needs no proxy |
//! | `VERSION` | nothing: it is the application's |
//!
//! `APP_NAME` and `ENVIRONMENT` are our own options.

use std::collections::BTreeSet;

use figment::value::{Dict, Map, Value};

use crate::{SinkOptions, environment::PREFIX, layers::nest};

/// Options of one variable: its own name, and what it sets or what is wrong with it.
pub(crate) type Said = (String, Result<Dict, String>);

/// Those that set an option as they are, in a sink or, without one, beside all sinks.
const PLAIN: [(&str, &str, &[&str]); 8] = [
    ("FILE_PATH", "file", &["path"]),
    ("HTTP_ENDPOINT", "http", &["url"]),
    ("HTTP_TOKEN", "http", &["auth", "bearer"]),
    ("AUDIT_DB_USER", "database", &["username"]),
    ("AUDIT_DB_PASSWORD", "database", &["password"]),
    ("AUDIT_TABLE_NAME", "database", &["table"]),
    ("AUTO_CREATE_TABLE", "database", &["auto_create_table"]),
    ("BUFFER_SIZE", "", &["batch", "max_events"]),
];
const TRANSPORTS: &str = "TRANSPORTS";
/// Together they are one URL.
const DATABASE: [&str; 5] =
    ["AUDIT_DB_HOST", "AUDIT_DB_PORT", "AUDIT_DB_NAME", "AUDIT_DB_ENGINE", "AUDIT_DB_SSLMODE"];
const ASYNC_MODE: &str = "ASYNC_MODE";
const ENABLED: &str = "ENABLED";
const VERSION: &str = "VERSION";

/// Whether a variable, behind `PANOPTES_`, is the SDK's.
pub(crate) fn has(name: &str) -> bool {
    [TRANSPORTS, ASYNC_MODE, ENABLED, VERSION].contains(&name)
        || DATABASE.contains(&name)
        || PLAIN.iter().any(|(plain, ..)| *plain == name)
}

/// What the SDK's variables among these say.
pub(crate) fn said(env: &Map<String, String>) -> Vec<Said> {
    let sdk = Sdk(env);
    let mut said = Vec::new();
    let sinks = sdk.sinks(&mut said);
    if sinks.contains("http") && sdk.value("HTTP_ENDPOINT").is_some() {
        said.push(sdk.of("HTTP_ENDPOINT", Ok(nest(&["sinks", "http", "body"], "event"))));
    }
    for (name, sink, option) in PLAIN {
        let Some(value) = sdk.value(name) else { continue };
        for sink in sinks.iter().filter(|given| sink.is_empty() || **given == sink) {
            let path = [&["sinks", sink.as_str()], option].concat();
            said.push(sdk.of(name, Ok(nest(&path, value))));
        }
    }
    if sinks.contains("database") && DATABASE.iter().any(|name| sdk.value(name).is_some()) {
        let url = sdk.database().map(|url| nest(&["sinks", "database", "url"], url));
        said.push(sdk.of("AUDIT_DB_HOST", url));
    }
    if sinks.is_empty() && sdk.value("BUFFER_SIZE").is_some() {
        said.push(
            sdk.of("BUFFER_SIZE", Err(format!("is of the sinks of {PREFIX}{TRANSPORTS}; give that as well"))),
        );
    }
    said.extend(sdk.mode());
    said.extend(sdk.enabled());
    said
}

/// The variables that are set.
struct Sdk<'a>(&'a Map<String, String>);

impl<'a> Sdk<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.get(&format!("{PREFIX}{name}")).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn of(&self, name: &str, values: Result<Dict, String>) -> Said {
        (format!("{PREFIX}{name}"), values)
    }

    /// Those that TRANSPORTS names; without it those that the other variables are about.
    fn sinks(&self, said: &mut Vec<Said>) -> BTreeSet<String> {
        let Some(list) = self.value(TRANSPORTS) else {
            let of_plain =
                PLAIN.iter().filter(|(name, ..)| self.value(name).is_some()).map(|(_, sink, _)| *sink);
            let of_database = DATABASE.iter().filter(|name| self.value(name).is_some()).map(|_| "database");
            return of_plain.chain(of_database).filter(|sink| !sink.is_empty()).map(str::to_owned).collect();
        };
        let mut sinks = BTreeSet::new();
        for kind in list.split(',').map(str::trim).filter(|kind| !kind.is_empty()) {
            let known = SinkOptions::KINDS.contains(&kind);
            let values = match known {
                true => Ok(nest(&["sinks", kind], Value::from(Dict::new()))),
                false => Err(format!("{kind:?} is no sink; known are {}", SinkOptions::KINDS.join(", "))),
            };
            sinks.extend(known.then(|| kind.to_owned()));
            said.push(self.of(TRANSPORTS, values));
        }
        sinks
    }

    fn database(&self) -> Result<String, String> {
        let needed = |name: &str| {
            self.value(name).ok_or_else(|| format!("is one of several; give {PREFIX}{name} as well"))
        };
        let engine = self.value("AUDIT_DB_ENGINE").unwrap_or("postgres");
        let name = needed("AUDIT_DB_NAME")?;
        if engine == "sqlite" {
            return Ok(format!("sqlite://{name}"));
        }
        let host = needed("AUDIT_DB_HOST")?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = self.value("AUDIT_DB_PORT").map(|port| format!(":{port}")).unwrap_or_default();
        let tls = self.value("AUDIT_DB_SSLMODE").map(|mode| format!("?sslmode={mode}")).unwrap_or_default();
        Ok(format!("{engine}://{host}{port}/{name}{tls}"))
    }

    fn mode(&self) -> Option<Said> {
        let mode = flag(self.value(ASYNC_MODE)?).map(|on| if on { "async" } else { "durable" });
        Some(self.of(ASYNC_MODE, mode.map(|mode| nest(&["journal", "mode"], mode))))
    }

    fn enabled(&self) -> Option<Said> {
        let wrong = match flag(self.value(ENABLED)?) {
            Ok(true) => return None,
            Ok(false) => "would audit nothing; let applications connect to the database itself".to_owned(),
            Err(what) => what,
        };
        Some(self.of(ENABLED, Err(wrong)))
    }
}

fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{value:?} is neither true nor false")),
    }
}
