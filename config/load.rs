//! From the merged layers to a checked [`Config`], collecting every problem on the way.

use std::path::Path;

use figment::{
    error::Kind,
    value::{Dict, Tag, Value},
};
use serde::de::DeserializeOwned;

use crate::{
    Config, check,
    errors::{Errors, Problem, Problems},
    flags::Flags,
    key::Key,
    layers::Layers,
    remedy,
};

/// Reads and checks the configuration: defaults, then `file`, then the variables `PANOPTES_…` of `env`, then `flags`.
///
/// # Errors
/// Every problem found, each with the file, variable or flag, the option, what is wrong and what to do.
pub fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<Config, Errors> {
    let env = env.into_iter().collect();
    let mut problems = Problems::default();
    let layers = Layers::read(file, &env, flags, &mut problems);
    let mut reader = Reader::new(layers, problems);
    let config = reader.config();
    reader.problems.or(config)
}

/// The merged tree and what was found wrong with it.
pub(crate) struct Reader {
    layers: Layers,
    /// As given; parts are read from copies, so that an origin can always be looked up here.
    pub(crate) tree: Dict,
    problems: Problems,
}

impl Reader {
    fn new(layers: Layers, problems: Problems) -> Self {
        let (tree, only_listener) = layers.trees();
        let mut reader = Self { layers, tree, problems };
        reader.set_only_listener(only_listener);
        reader
    }

    /// Notes what is wrong with an option, unless something already was.
    pub(crate) fn refuse(&mut self, key: &Key, what: impl AsRef<str>) {
        let name = key.to_string();
        if !self.problems.concern(&name) {
            self.problems.push(Problem::new(self.origin_of(key), Some(name), what));
        }
    }

    /// As [`Reader::refuse`], for what is not in the tree.
    pub(crate) fn refuse_from(&mut self, origin: Tag, key: &str, what: String) {
        self.problems.push(Problem::new(self.layers.origin_of(origin), Some(key.to_owned()), what));
    }

    /// Notes what is wrong with the configuration as a whole.
    pub(crate) fn refuse_all(&mut self, what: &str) {
        self.problems.push(Problem::new(None, None, what));
    }

    /// Whether something is wrong with an option.
    pub(crate) fn refused(&self, key: &Key) -> bool {
        self.problems.concern(&key.to_string())
    }

    /// Whether an option is given at all, be it as its default.
    pub(crate) fn gives(&self, key: &Key) -> bool {
        let Some((first, rest)) = key.names().split_first() else { return false };
        rest.iter()
            .try_fold(self.tree.get(first), |value, name| Some(value?.as_dict()?.get(name)))
            .flatten()
            .is_some()
    }

    /// Whether a whole file or variable could not be read.
    pub(crate) fn lacks_a_source(&self) -> bool {
        self.problems.lack_a_source()
    }

    /// Whether there is a listener, a good or a bad one.
    pub(crate) fn has_listener(&self) -> bool {
        let empty = |listen: &Value| listen.as_array().is_some_and(<[_]>::is_empty);
        self.tree.get("listen").is_some_and(|listen| !empty(listen))
    }

    fn config(&mut self) -> Config {
        let plain = self.plain_tables();
        let mut config: Config =
            self.read(&Key::root(), plain.into(), &["listen", "sinks"]).unwrap_or_default();
        let listeners = self.listeners();
        config.sinks = self.sinks(&listeners);
        check::check(&mut config, &listeners, self);
        config.listen = listeners.into_iter().map(|(_, listen)| listen).collect();
        config
    }

    /// All but listeners and sinks; what should be a table and is none, is left out.
    fn plain_tables(&mut self) -> Dict {
        let mut plain = self.tree.clone();
        plain.remove("listen");
        plain.remove("sinks");
        for (name, _) in remedy::tables().into_iter().filter(|(name, _)| !name.is_empty()) {
            if let Some(other) = plain.get(name).filter(|value| value.as_dict().is_none()) {
                self.refuse(&Key::of(name), remedy::not_a_table(other));
                plain.remove(name);
            }
        }
        plain
    }

    /// Reads one table. Serde stops at the first problem: it is noted, the option at fault taken out, and the rest
    /// read again, until nothing is wrong any more. `siblings` are options beside those of `T` itself.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        at: &Key,
        mut part: Value,
        siblings: &[&str],
    ) -> Option<T> {
        if part.as_dict().is_none() {
            self.refuse(at, remedy::not_a_table(&part)); // serde would take an array, value by value
            return None;
        }
        while !self.problems.are_enough() {
            let error = match part.deserialize::<T>() {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let mut key = error.path.iter().fold(at.clone(), |key, name| key.then(name));
            if let Kind::MissingField(field) = &error.kind {
                key = key.then(field);
            }
            let origin = self.origin_of(&key);
            let siblings = if error.path.len() == 1 { siblings } else { &[] };
            self.refuse(&key, remedy::wording(&error.kind, &key, siblings, origin.as_deref()));
            if !take_out(&mut part, &error.path) {
                return None;
            }
        }
        None
    }

    /// Where the value came from or, for a missing one, the innermost table that should have it.
    fn origin_of(&self, key: &Key) -> Option<String> {
        let (first, rest) = key.names().split_first()?;
        let mut value = self.tree.get(first)?;
        for name in rest {
            let inner = match value {
                Value::Dict(_, table) => table.get(name),
                Value::Array(_, items) => name.parse().ok().and_then(|n: usize| items.get(n)),
                _ => None,
            };
            match inner {
                Some(inner) => value = inner,
                None => break,
            }
        }
        self.layers.origin_of(value.tag())
    }
}

/// Whether there was something to take out. An array goes as a whole: its other items would change their numbers.
fn take_out(part: &mut Value, path: &[String]) -> bool {
    let ([name, rest @ ..], Value::Dict(_, table)) = (path, part) else { return false };
    let within = table.get_mut(name).is_some_and(|inner| take_out(inner, rest));
    within || table.remove(name).is_some()
}
