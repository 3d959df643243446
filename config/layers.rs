//! The layers of a configuration, lowest first: defaults of this machine, file, environment, flags.
//!
//! Figment merges them and remembers for each value where it came from, so that an error can name the file, the
//! variable or the flag. Each variable and each flag is a provider of its own for that reason.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Tag, Value},
};

use crate::{
    environment::{self, Place, Variable},
    errors::{Problem, Problems},
    flags::Flags,
    operate::LogFormat,
    sdk,
};

/// No configuration that a person writes is larger.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// All layers, merged.
pub(crate) struct Layers {
    /// The tree of the configuration.
    config: Figment,
    /// `address` and `upstream` of the only listener, as flags or short variables gave them.
    only_listener: Figment,
}

impl Layers {
    /// Merges the layers; what cannot be read at all becomes a problem and is left out.
    pub(crate) fn read(
        file: Option<&Path>,
        env: &Map<String, String>,
        flags: &Flags,
        problems: &mut Problems,
    ) -> Self {
        let mut layers = Self { config: Figment::new(), only_listener: Figment::new() };
        layers.add(Place::Config, "default", environment::defaults(env));
        if let Some(path) = file {
            let origin = path.display().to_string();
            match read_file(path) {
                Ok(values) => layers.add(Place::Config, &origin, values),
                Err(what) => problems.push(Problem::new(Some(origin), None, what)),
            }
        }
        for (name, values) in sdk::said(env) {
            match values {
                Ok(values) => layers.add(Place::Config, &name, values),
                Err(what) => problems.push(Problem::new(Some(name), None, what)),
            }
        }
        for (name, value) in env {
            match Variable::read(name, value) {
                Ok(None) => {}
                Ok(Some(Variable { place, values })) => layers.add(place, name, values),
                Err(what) => problems.push(Problem::new(Some(name.clone()), None, what)),
            }
        }
        layers.add_flags(flags, problems);
        layers
    }

    /// The merged tree, and apart from it that of the only listener.
    pub(crate) fn trees(&self) -> (Dict, Dict) {
        (tree_of(&self.config), tree_of(&self.only_listener))
    }

    /// The file, variable or flag that gave a value; none for a default.
    pub(crate) fn origin_of(&self, tag: Tag) -> Option<String> {
        let figments = [&self.config, &self.only_listener];
        let metadata = figments.into_iter().find_map(|figment| figment.get_metadata(tag));
        metadata.map(|m| m.name.to_string()).filter(|name| name != "default")
    }

    fn add(&mut self, place: Place, origin: &str, values: Dict) {
        let figment = match place {
            Place::Config => &mut self.config,
            Place::OnlyListener => &mut self.only_listener,
        };
        *figment = std::mem::take(figment).merge(Layer { origin: origin.to_owned(), values });
    }

    fn add_flags(&mut self, flags: &Flags, problems: &mut Problems) {
        if let Some(address) = flags.listen {
            self.add(Place::OnlyListener, "--listen", nest(&["address"], address.to_string()));
        }
        if let Some(url) = &flags.upstream {
            self.add(Place::OnlyListener, "--upstream", nest(&["upstream"], url.as_str()));
        }
        if let Some(dir) = &flags.journal {
            match dir.to_str() {
                Some(dir) => self.add(Place::Config, "--journal", nest(&["journal", "dir"], dir)),
                None => problems.push(Problem::new(Some("--journal".into()), None, "is not UTF-8 text")),
            }
        }
        if let Some(address) = flags.admin {
            self.add(Place::Config, "--admin", nest(&["admin", "address"], address.to_string()));
        }
        if let Some(format) = flags.log_format {
            let format = match format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            };
            self.add(Place::Config, "--log-format", nest(&["log", "format"], format));
        }
        for sink in &flags.sinks {
            match sink_of_flag(sink) {
                Some(values) => self.add(Place::Config, "--sink", values),
                None => {
                    let what = format!(
                        "{sink:?} is no sink; write console, console=lines, console=json, console=pretty or file=PATH"
                    );
                    problems.push(Problem::new(Some("--sink".into()), None, what));
                }
            }
        }
    }
}

/// The values of one source, with its name for errors.
struct Layer {
    origin: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// `{a: {b: value}}` for the path `a`, `b`.
pub(crate) fn nest<S: AsRef<str>>(path: &[S], value: impl Into<Value>) -> Dict {
    let Some((first, rest)) = path.split_first() else { return Dict::new() };
    let value = if rest.is_empty() { value.into() } else { nest(rest, value).into() };
    Dict::from([(first.as_ref().to_owned(), value)])
}

/// A TOML document; the error says where in it and what.
pub(crate) fn parse_toml(text: &str) -> Result<Dict, (Option<usize>, String)> {
    let parsed: Result<Dict, _> = Toml::from_str(text);
    parsed.map_err(|error| (error.span().map(|span| span.start), error.message().trim().to_owned()))
}

fn tree_of(figment: &Figment) -> Dict {
    figment.find_value("").ok().and_then(Value::into_dict).unwrap_or_default()
}

fn read_file(path: &Path) -> Result<Dict, String> {
    let text = read_text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "no such file; give an existing one to --config, or none".to_owned(),
        io::ErrorKind::InvalidData => "is not UTF-8 text; save it as UTF-8".to_owned(),
        io::ErrorKind::FileTooLarge => "is larger than 1 MiB; is this the configuration?".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    parse_toml(&text).map_err(|(at, message)| match at {
        Some(at) => format!("{}: is not TOML: {message}", position(&text, at)),
        None => format!("is not TOML: {message}"),
    })
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE_BYTES {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(text),
    }
}

/// `line 3, column 7`, both from 1.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    format!("line {line}, column {column}")
}

fn sink_of_flag(flag: &str) -> Option<Dict> {
    match flag.split_once('=').unwrap_or((flag, "")) {
        (kind @ ("console" | "file"), "") if !flag.contains('=') => Some(nest(&["sinks", kind], Dict::new())),
        ("console", format) => Some(nest(&["sinks", "console", "format"], format)),
        ("file", path) if !path.is_empty() => Some(nest(&["sinks", "file", "path"], path)),
        _ => None,
    }
}
