//! Listeners and sinks: lists and tables of the user's own names, each entry read apart from the others.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use crate::{Batch, Listen, Sink, SinkOptions, check, key::Key, load::Reader, remedy};

const NO_LIST: &str = "is not a list; write [[listen]] with two brackets in the file, or set PANOPTES_LISTEN and \
                       PANOPTES_UPSTREAM";

impl Reader {
    /// `--listen`, `--upstream` and their variables: both together are the only listener, one of them changes it.
    pub(crate) fn set_only_listener(&mut self, given: Dict) {
        let Some((name, first)) = given.iter().next() else { return };
        let (name, tag) = (name.clone(), first.tag());
        let configured = match self.tree.get_mut("listen") {
            Some(Value::Array(_, tables)) if given.len() == 1 => tables.as_mut_slice(),
            _ => &mut [],
        };
        match configured {
            [] => drop(self.tree.insert("listen".to_owned(), vec![Value::Dict(tag, given)].into())),
            [Value::Dict(_, only)] => only.extend(given),
            several => {
                let what = format!(
                    "is given for one listener, but {} are configured; give --listen and --upstream both, or neither",
                    several.len()
                );
                self.refuse_from(tag, &name, what);
            }
        }
    }

    /// The listeners that could be read, each with its key.
    pub(crate) fn listeners(&mut self) -> Vec<(Key, Listen)> {
        let key = Key::of("listen");
        let tables = match self.tree.get("listen").cloned() {
            None => Vec::new(),
            Some(Value::Array(_, tables)) => tables,
            Some(_) => {
                self.refuse(&key, NO_LIST);
                Vec::new()
            }
        };
        let numbered = tables.into_iter().enumerate().map(|(n, table)| (key.then(&n.to_string()), table));
        numbered.filter_map(|(key, table)| Some((key.clone(), self.read(&key, table, &[])?))).collect()
    }

    /// The sinks that could be read; the console where none is configured.
    pub(crate) fn sinks(&mut self, listeners: &[(Key, Listen)]) -> BTreeMap<String, Sink> {
        let key = Key::of("sinks");
        let tables = match self.tree.get("sinks").cloned() {
            None => Dict::new(),
            Some(Value::Dict(_, tables)) => tables,
            Some(other) => {
                self.refuse(&key, remedy::not_a_table(&other));
                Dict::new()
            }
        };
        if tables.is_empty() {
            return BTreeMap::from([("console".to_owned(), Sink::default())]);
        }
        let sinks = tables.into_iter().filter_map(|(name, table)| {
            let mut sink = self.sink(&key.then(&name), &name, table)?;
            if let SinkOptions::Database(database) = &mut sink.options {
                database.listeners = listeners.iter().map(|(_, listen)| listen.address).collect();
            }
            Some((name, sink))
        });
        sinks.collect()
    }

    fn sink(&mut self, key: &Key, name: &str, table: Value) -> Option<Sink> {
        if let Err(what) = check::sink_name(name) {
            self.refuse(key, what);
            return None;
        }
        let Value::Dict(_, mut table) = table else {
            self.refuse(key, remedy::not_a_table(&table));
            return None;
        };
        let kind = self.kind(key, name, table.remove("kind"))?;
        let batch = table.remove("batch").and_then(|batch| self.read(&key.then("batch"), batch, &[]));
        let retry = table.remove("retry").and_then(|retry| self.read(&key.then("retry"), retry, &[]));
        let filter = table.remove("filter").and_then(|filter| self.read(&key.then("filter"), filter, &[]));
        let required = table.remove("required").is_none_or(|flag| self.flag(&key.then("required"), &flag));
        let options = self.options(key, &kind, table.into())?;
        Some(Sink {
            filter: filter.unwrap_or_default(),
            batch: self.batch(&key.then("batch"), batch, options.batch()),
            options,
            retry: retry.unwrap_or_default(),
            required,
        })
    }

    /// What is given of a batch; the rest is as is usual for its kind of sink.
    fn batch(&self, key: &Key, given: Option<Batch>, usual: Batch) -> Batch {
        let Some(Batch { max_events, max_bytes, max_wait }) = given else { return usual };
        let is_given = |name: &str| self.gives(&key.then(name));
        Batch {
            max_events: if is_given("max_events") { max_events } else { usual.max_events },
            max_bytes: if is_given("max_bytes") { max_bytes } else { usual.max_bytes },
            max_wait: if is_given("max_wait") { max_wait } else { usual.max_wait },
        }
    }

    /// A flag that stands beside tables; in a variable of the environment it is a text.
    fn flag(&mut self, key: &Key, value: &Value) -> bool {
        let flag = value.to_bool().or_else(|| value.as_str()?.parse().ok());
        if flag.is_none() {
            self.refuse(key, "is neither true nor false");
        }
        flag.unwrap_or(true)
    }

    fn kind(&mut self, key: &Key, name: &str, given: Option<Value>) -> Option<String> {
        let kinds = SinkOptions::KINDS;
        let (key, what) = match given.map(Value::into_string) {
            None if kinds.contains(&name) => return Some(name.to_owned()),
            Some(Some(kind)) if kinds.contains(&kind.as_str()) => return Some(kind),
            None => (
                key.clone(),
                format!("has no kind, and {name:?} is none; add kind, one of {}", kinds.join(", ")),
            ),
            Some(Some(kind)) => (key.then("kind"), remedy::choose(&kind, &kinds)),
            Some(None) => {
                (key.then("kind"), format!("is not a text; write one of {} in quotes", kinds.join(", ")))
            }
        };
        self.refuse(&key, what);
        None
    }

    /// The one place that knows a kind's own options: a new kind is a line here and in [`SinkOptions::KINDS`].
    fn options(&mut self, key: &Key, kind: &str, own: Value) -> Option<SinkOptions> {
        let common = &["kind", "filter", "batch", "retry", "required"];
        match kind {
            "console" => self.read(key, own, common).map(SinkOptions::Console),
            "file" => self.read(key, own, common).map(SinkOptions::File),
            "http" => self.read(key, own, common).map(SinkOptions::Http),
            "splunk" => self.read(key, own, common).map(SinkOptions::Splunk),
            "elasticsearch" => self.read(key, own, common).map(SinkOptions::Elasticsearch),
            "syslog" => self.read(key, own, common).map(SinkOptions::Syslog),
            "database" => self.read(key, own, common).map(SinkOptions::Database),
            "kafka" => self.read(key, own, common).map(SinkOptions::Kafka),
            _ => None,
        }
    }
}
