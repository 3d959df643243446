//! The typed configuration of Panoptes: defaults, then a TOML file, then the environment, then flags.
//!
//! | file | what |
//! |---|---|
//! | `listen.rs`, `upstream.rs` | where clients connect, and the URL of the database behind |
//! | `journal.rs` `sink.rs` `limits.rs` `operate.rs` | the other tables; each option is documented at its field |
//! | `size.rs` `value.rs` | sizes, durations, counts, addresses as people write them |
//! | `load.rs` `sections.rs` | the way: layers → tree → typed parts → checks, every problem collected |
//! | `layers.rs` `environment.rs` `flags.rs` | file, variables and flags, merged by figment with their origin |
//! | `check.rs` | bounds, and options that contradict each other |
//! | `errors.rs` `remedy.rs` `key.rs` | a problem: where, which option, what is wrong, what to do |
//!
//! `examples/full.toml` names every option with its default.

mod check;
mod environment;
mod errors;
mod flags;
mod journal;
mod key;
mod layers;
mod limits;
mod listen;
mod load;
mod operate;
mod remedy;
mod sdk;
mod sections;
mod sink;
mod size;
mod upstream;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::{
    errors::{Errors, Problem},
    flags::Flags,
    journal::{Journal, Mode, OnFull},
    limits::{Audit, Limits},
    listen::{Listen, Protocol, Upstream},
    load::load,
    operate::{Admin, Log, LogFormat},
    sink::{
        Auth, Batch, Compression, Console, ConsoleFormat, Database, DatabaseEngine, DatabaseUrl,
        Elasticsearch, Facility, File, Filter, Format, Framing, Http, HttpBody, Install, Kafka,
        KafkaCompression, Partitions, Retry, Rotate, Secret, SecurityProtocol, Sink, SinkOptions, Splunk,
        Syslog, Tls, Transport,
    },
    size::{ByteSize, SizeError},
    value::Url,
};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose statements these are: `meta.appName` of every event. Default `panoptes-app`.
    pub app_name: String,
    /// `dev`, `stage` or `prod` (`development`, `staging` and `production` are folded): `meta.environment`.
    /// Default `dev`.
    pub environment: String,
    /// The name of this proxy: `meta.instance`. Default: the host's name.
    pub instance: String,
    /// Threads for the connections; 0 is one per core. Default 0.
    #[serde(deserialize_with = "value::count")]
    pub workers: usize,
    /// The listeners, at least one, in the file as `[[listen]]`.
    #[serde(skip)] // read apart, as the sinks are, so that each one's problems are found
    pub listen: Vec<Listen>,
    /// The log on disk that sinks follow.
    pub journal: Journal,
    /// The sinks by name, in the file as `[sinks.NAME]`. Default: `console`.
    #[serde(skip)]
    pub sinks: BTreeMap<String, Sink>,
    /// The stage that makes events.
    pub audit: Audit,
    /// The bounds of what a peer may take.
    pub limits: Limits,
    /// The HTTP endpoint for metrics and health.
    pub admin: Admin,
    /// The program's own log.
    pub log: Log,
}

impl Default for Config {
    /// Every option's default, but no listener: that one must be given.
    fn default() -> Self {
        Self {
            app_name: "panoptes-app".to_owned(),
            environment: "dev".to_owned(),
            instance: "panoptes".to_owned(),
            workers: 0,
            listen: Vec::new(),
            journal: Journal::default(),
            sinks: BTreeMap::from([("console".to_owned(), Sink::default())]),
            audit: Audit::default(),
            limits: Limits::default(),
            admin: Admin::default(),
            log: Log::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use figment::value::{Dict, Value};

    use super::*;

    fn example(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
    }

    /// The example with its commented-out options set as well.
    fn uncommented(text: &str) -> String {
        let option = |line: &str| {
            let (name, _) = line.split_once(" = ")?;
            name.bytes().all(|b| b.is_ascii_lowercase() || b"_.".contains(&b)).then(|| line.to_owned())
        };
        text.lines()
            .map(|line| line.strip_prefix("# ").and_then(option).unwrap_or_else(|| line.to_owned()) + "\n")
            .collect()
    }

    fn paths(table: &Dict, above: &str, into: &mut BTreeSet<String>) {
        for (name, value) in table {
            match value {
                Value::Dict(_, inner) => paths(inner, &format!("{above}{name}."), into),
                Value::Array(_, items) if items.iter().all(|item| item.as_dict().is_none()) => {
                    into.insert(format!("{above}{name}"));
                }
                Value::Array(_, items) => {
                    items
                        .iter()
                        .filter_map(Value::as_dict)
                        .for_each(|t| paths(t, &format!("{above}{name}."), into));
                }
                _ => drop(into.insert(format!("{above}{name}"))),
            }
        }
    }

    #[test]
    fn every_example_loads() {
        let files: Vec<_> = fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            load(Some(&file), [], &Flags::default()).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }

    #[test]
    fn the_full_example_is_the_defaults() {
        let defaults = load(Some(&example("minimal.toml")), [], &Flags::default()).unwrap();
        let mut full = load(Some(&example("full.toml")), [], &Flags::default()).unwrap();
        let sinks = std::mem::take(&mut full.sinks);
        full.sinks.insert("console".to_owned(), sinks["console"].clone());
        assert_eq!(format!("{full:?}"), format!("{defaults:?}"));
        let secret = Some(Secret::new("x"));
        let url = |url: &str| Url::try_from(url).unwrap();
        let required = [
            SinkOptions::File(File::default()),
            SinkOptions::Http(Http { url: url("https://collector.internal:8443/audit"), ..Http::default() }),
            SinkOptions::Splunk(Splunk {
                url: url("https://splunk.internal:8088"),
                token: secret,
                ..Splunk::default()
            }),
            SinkOptions::Elasticsearch(Elasticsearch {
                urls: vec![url("https://es-1.internal:9200")],
                ..Elasticsearch::default()
            }),
            SinkOptions::Syslog(Syslog { address: "siem.internal:6514".into(), ..Syslog::default() }),
            SinkOptions::Database(Database {
                url: DatabaseUrl::try_from("postgres://audit.internal:5432/audit").unwrap(),
                username: Some("panoptes".into()),
                listeners: vec!["127.0.0.1:6432".parse().unwrap()],
                ..Database::default()
            }),
            SinkOptions::Kafka(Kafka {
                brokers: vec!["kafka-1.internal:9092".into()],
                topic: "db-audit".into(),
                ..Kafka::default()
            }),
        ];
        for (kind, options) in SinkOptions::KINDS.into_iter().skip(1).zip(required) {
            let defaults = Sink { batch: options.batch(), options, ..Sink::default() };
            assert_eq!(format!("{:?}", sinks[kind]), format!("{defaults:?}"));
        }
        assert_eq!(sinks.len(), SinkOptions::KINDS.len());
    }

    #[test]
    fn the_full_example_names_every_option_and_no_other() {
        let text = uncommented(&fs::read_to_string(example("full.toml")).unwrap());
        let mut named = BTreeSet::new();
        paths(&layers::parse_toml(&text).unwrap(), "", &mut named);

        let of_all = ["sinks.console.kind", "sinks.console.required"];
        let mut known: BTreeSet<String> = of_all.map(str::to_owned).into();
        let parts: [(&str, &[&str]); 21] = [
            ("listen.", remedy::options::<Listen>()),
            ("sinks.console.", remedy::options::<Console>()),
            ("sinks.console.filter.", remedy::options::<Filter>()),
            ("sinks.console.batch.", remedy::options::<Batch>()),
            ("sinks.console.retry.", remedy::options::<Retry>()),
            ("sinks.file.", remedy::options::<File>()),
            ("sinks.file.rotate.", remedy::options::<Rotate>()),
            ("sinks.http.", remedy::options::<Http>()),
            ("sinks.http.auth.", remedy::options::<Auth>()),
            ("sinks.http.tls.", remedy::options::<Tls>()),
            ("sinks.splunk.", remedy::options::<Splunk>()),
            ("sinks.splunk.tls.", remedy::options::<Tls>()),
            ("sinks.elasticsearch.", remedy::options::<Elasticsearch>()),
            ("sinks.elasticsearch.auth.", remedy::options::<Auth>()),
            ("sinks.elasticsearch.tls.", remedy::options::<Tls>()),
            ("sinks.elasticsearch.install.", remedy::options::<Install>()),
            ("sinks.syslog.", remedy::options::<Syslog>()),
            ("sinks.database.", remedy::options::<Database>()),
            ("sinks.database.tls.", remedy::options::<Tls>()),
            ("sinks.kafka.", remedy::options::<Kafka>()),
            ("sinks.kafka.tls.", remedy::options::<Tls>()),
        ];
        let tables = remedy::tables();
        let tables = tables.iter().map(|(table, options)| match *table {
            "" => (String::new(), *options),
            table => (format!("{table}."), *options),
        });
        for (table, options) in tables.chain(parts.map(|(table, options)| (table.to_owned(), options))) {
            assert!(!options.is_empty(), "{table}");
            known.extend(options.iter().map(|option| format!("{table}{option}")));
        }
        known.extend(remedy::options::<Tls>().iter().map(|option| format!("sinks.syslog.tls.{option}")));
        // A table is there by its options; those of headers and properties have whatever names their
        // user gives them.
        let tables: Vec<String> = known
            .iter()
            .filter(|name| known.iter().any(|k| k.starts_with(&format!("{name}."))))
            .cloned()
            .collect();
        assert!(tables.len() > 10, "{tables:?}");
        known.retain(|name| !tables.contains(name));
        assert!(known.remove("sinks.http.headers") && named.remove("sinks.http.headers.X-Team"));
        assert!(known.remove("sinks.kafka.properties") && named.remove("sinks.kafka.properties.linger.ms"));
        assert_eq!(named, known);
    }
}
