//! How an event is told at its destination: one pure function a format, from the typed event to JSON.
//!
//! | file | format |
//! |---|---|
//! | `ecs.rs` | [Elastic Common Schema](https://www.elastic.co/docs/reference/ecs) |
//! | `ocsf.rs` | [Open Cybersecurity Schema Framework](https://schema.ocsf.io): Datastore Activity, class 6005 |
//! | `cloudevents.rs` | [CloudEvents](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md), JSON |
//! | `endpoint.rs` | addresses, times and traces, taken apart once for all of them |
//! | `remainder.rs` | what a format has no names for |
//!
//! The native form is what the journal holds and is passed on as it is. `golden/` shows one event of each kind in each
//! format.

mod cloudevents;
mod ecs;
mod endpoint;
mod ocsf;
mod remainder;
#[cfg(test)]
mod tests;

use panoptes_config::Format;
use panoptes_event::Event;

use crate::sink::{Record, Records};

/// Writes an event at the end of `out`, as one JSON object without a newline.
///
/// # Errors
/// Says why this version cannot tell the event in that format; nothing is written then.
pub(crate) fn write(format: Format, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let tell = match format {
        Format::Native => {
            out.extend_from_slice(record.json);
            return Ok(());
        }
        Format::Ecs => ecs::write,
        Format::Ocsf => ocsf::write,
        Format::Cloudevents => cloudevents::write,
    };
    let event: Event = serde_json::from_slice(record.json).map_err(|error| {
        format!("cannot be told in {}: not an event that this version knows: {error}", format.name())
    })?;
    tell(&event, record.json, out);
    Ok(())
}

/// Writes events, each on a line of its own; those that cannot be told, by their places, with the reason.
pub(crate) fn write_lines(format: Format, batch: &Records<'_>, out: &mut Vec<u8>) -> Vec<(usize, String)> {
    let mut refused = Vec::new();
    for (place, record) in batch.iter().enumerate() {
        match write(format, &record, out) {
            Ok(()) => out.push(b'\n'),
            Err(reason) => refused.push((place, reason)),
        }
    }
    refused
}
