//! CloudEvents 1.0.2, JSON: the native event as `data` in an envelope that routers understand.

use panoptes_event::{Event, json::Object};

/// Writes the envelope around `data`, which is the event's JSON.
pub(super) fn write(event: &Event, data: &[u8], out: &mut Vec<u8>) {
    let mut envelope = Object::begin(out);
    envelope.plain("specversion", "1.0").uuid("id", event.id);
    envelope.plain("source", &format!("/panoptes/{}", PathSegment(&event.meta.instance)));
    envelope.plain("type", &format!("panoptes.audit.{}.v{}", event.kind.as_str(), event.version));
    envelope.optional("subject", subject(event)).member("time", &event.meta.timestamp);
    envelope.plain("datacontenttype", "application/json");
    // Extensions of the specification: order within a source, the key of what must stay in order, the trace.
    envelope.plain("sequence", &format!("{:020}", event.seq));
    if let Some(session) = &event.session {
        envelope.uuid("partitionkey", session.id);
    }
    let traceparent = event.request.as_ref().and_then(|request| request.traceparent.as_deref());
    envelope.optional("traceparent", traceparent);
    envelope.encoded("data", data);
    envelope.end();
}

/// What it is about: the table, or the database.
fn subject(event: &Event) -> Option<&str> {
    let table = event.operation.as_ref().and_then(|operation| operation.main_table.as_deref());
    let database = event.db.as_ref().and_then(|db| db.name.as_deref());
    table.or(database).filter(|name| !name.is_empty())
}

/// A name as one segment of a URI's path.
struct PathSegment<'a>(&'a str);

impl std::fmt::Display for PathSegment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}
