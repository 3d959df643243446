//! `panoptes journal replay`: a range of the journal to a sink once more; `resend`: what it refused.

use std::{error::Error, io, path::Path};

use panoptes_config::Config;
use panoptes_sinks::{
    Letters,
    journal::look::{self, Found},
};
use serde_json::{Value, json};

use super::{
    again::{Again, Told},
    journal::{Range, expect_all},
    output::{complain, print_line},
};

/// Delivers a range.
pub(super) fn replay(config: &Config, range: &Range, name: &str, json: bool) -> Result<(), Box<dyn Error>> {
    let mut again = Again::to(config, name)?;
    let mut found = Found::from(range.from);
    let (mut next, to) = (range.from.unwrap_or(0), range.to.unwrap_or(u64::MAX));
    while next <= to {
        let dir = &config.journal.dir;
        let copied = again.deliver(|slice, sink| look::copy(dir, next..=to, slice, sink, &mut found))?;
        let Some(then) = copied else { break };
        next = then;
    }
    found.end(range.to);
    tell(&again.told, json, ("missing", json!(found.missing)))?;
    expect_all(&found)?;
    again.told.expect_taken()
}

/// Delivers the dead letters of a sink, or those in a file that someone kept.
pub(super) fn resend(
    config: &Config,
    file: Option<&Path>,
    name: &str,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    let mut again = Again::to(config, name)?;
    let mut letters = match file {
        Some(file) => Letters::of(file),
        None => Letters::take(&config.journal.dir, name),
    }?;
    again.total = Some(letters.len());
    while again.deliver(|slice, sink| letters.copy(slice, sink))?.is_some() {}
    let unreadable = letters.unreadable();
    for file in letters.end()? {
        complain(format_args!("panoptes: the letters are kept in {}", file.display()));
    }
    tell(&again.told, json, ("unreadable", json!(unreadable)))?;
    again.told.expect_taken()?;
    match unreadable {
        0 => Ok(()),
        lines => Err(format!("{lines} lines are no letters, and stay where they are").into()),
    }
}

fn tell(told: &Told, json: bool, (name, value): (&str, Value)) -> io::Result<()> {
    let mut report = json!(told);
    match report.as_object_mut().filter(|_| json) {
        Some(members) => {
            members.insert(name.to_owned(), value);
            print_line(report)
        }
        None => print_line(told),
    }
}
