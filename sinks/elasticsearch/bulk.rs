//! The body of a bulk request, and what its answer says of each event.

use std::borrow::Cow;

use hyper::StatusCode;
use panoptes_config as config;
use panoptes_event::{json::Object, time};
use serde::Deserialize;

use super::index::Index;
use crate::{
    format,
    http::{Answer, Later, Reply},
    sink::{Record, Records},
};

/// Of a batch, by place: what a body holds, and what cannot be told in the format.
pub(super) struct Places {
    pub(super) sent: Vec<usize>,
    pub(super) refused: Vec<(usize, String)>,
}

/// Writes the body: for each event a line that says what to do, and a line that is it.
pub(super) fn write(
    options: &config::Elasticsearch,
    index: &mut Index,
    events: &Records<'_>,
    out: &mut Vec<u8>,
) -> Places {
    let mut places = Places { sent: Vec::new(), refused: Vec::new() };
    for (place, record) in events.iter().enumerate() {
        let start = out.len();
        write_action(index.at(record.unix_micros), record.id(), out);
        match write_source(options.format, &record, out) {
            Ok(()) => places.sent.push(place),
            Err(reason) => {
                out.truncate(start);
                places.refused.push((place, reason));
            }
        }
    }
    places
}

fn write_action(index: &str, id: &str, out: &mut Vec<u8>) {
    let mut line = Object::begin(out);
    let mut create = line.object("create");
    create.member("_index", index).optional("_id", Some(id).filter(|id| !id.is_empty()));
    create.end();
    line.end();
    out.push(b'\n');
}

/// The event with `@timestamp` before all else, which data streams and dashboards ask for.
fn write_source(format: config::Format, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let at = out.len();
    format::write(format, record, out)?;
    if format != config::Format::Ecs {
        let timestamp = format!("{{\"@timestamp\":\"{}\",", time::rfc3339(record.unix_micros));
        out.splice(at..=at, timestamp.into_bytes());
    }
    out.push(b'\n');
    Ok(())
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(default)]
    errors: bool,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    create: Created<'a>,
}

#[derive(Deserialize)]
struct Created<'a> {
    status: u16,
    #[serde(borrow, default)]
    error: Option<Error<'a>>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
    #[serde(borrow, default)]
    caused_by: Option<Cause<'a>>,
}

#[derive(Deserialize)]
struct Cause<'a> {
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
}

/// What an answer means to the events that it is for.
pub(super) fn reply(answer: &Answer, places: Places) -> Reply {
    match answer.status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => return Reply::Refused(answer.describe()),
        status if !status.is_success() => {
            return Reply::Later(Later { reason: answer.describe(), after: answer.retry_after });
        }
        _ => {}
    }
    match serde_json::from_slice::<Outcome<'_>>(&answer.body) {
        Ok(outcome) if outcome.items.len() == places.sent.len() => of_items(&outcome, places),
        Ok(outcome) => {
            let (told, sent) = (outcome.items.len(), places.sent.len());
            Reply::Later(Later::new(format!("an answer for {told} of {sent} events")))
        }
        Err(error) => Reply::Later(Later::new(format!("an answer that is none of a bulk request: {error}"))),
    }
}

fn of_items(outcome: &Outcome<'_>, places: Places) -> Reply {
    let Places { sent, mut refused } = places;
    if !outcome.errors && refused.is_empty() {
        return Reply::Taken;
    }
    let (mut again, mut later) = (Vec::new(), Later::default());
    for (Item { create }, place) in outcome.items.iter().zip(sent) {
        match create.status {
            // There already: a repeat.
            200..300 | 409 => {}
            status if is_about_event(status) => refused.push((place, create.describe())),
            _ => {
                if again.is_empty() {
                    later = Later::new(create.describe());
                }
                again.push(place);
            }
        }
    }
    match again.is_empty() && refused.is_empty() {
        true => Reply::Taken,
        false => Reply::Mixed { again, refused, later },
    }
}

/// Whether an item was refused for what it is. Missing rights (401, 403), a missing index (404) and blocked ones (403, a
/// disk that is full) are about the cluster.
fn is_about_event(status: u16) -> bool {
    matches!(status, 400 | 402 | 405..=408 | 410..=428 | 431..=499)
}

impl Created<'_> {
    fn describe(&self) -> String {
        const MAX_SHOWN: usize = 400;
        let Some(error) = &self.error else { return self.status.to_string() };
        let cause = error.caused_by.as_ref().map(|cause| format!(": {}", cause.reason)).unwrap_or_default();
        format!("{} {}: {}{cause}", self.status, error.kind, error.reason).chars().take(MAX_SHOWN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Span;

    #[test]
    fn an_event_is_created_under_its_id_in_the_index_of_its_day() {
        const EVENT: &[u8] = br#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","seq":1}"#;
        let mut out = Vec::new();
        let spans = [Span::whole(1, EVENT)];
        let options = config::Elasticsearch::default();
        let places = write(&options, &mut Index::new(&options.index), &Records::new(EVENT, &spans), &mut out);
        assert_eq!((places.sent, places.refused), (vec![0], vec![]));
        let expected = concat!(
            r#"{"create":{"_index":"panoptes-audit-1970.01.01","_id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21"}}"#,
            "\n",
            r#"{"@timestamp":"1970-01-01T00:00:00.000000Z","id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","seq":1}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_answer_is_read_item_by_item() {
        let body = br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}},{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed","caused_by":{"reason":"not a date"}}}},{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},{"create":{"status":403,"error":{"type":"cluster_block_exception","reason":"read-only"}}}]}"#;
        let answer = Answer { status: StatusCode::OK, retry_after: None, body: body.to_vec() };
        let places = Places { sent: vec![0, 1, 2, 4, 5], refused: vec![(3, "no ECS".into())] };
        let Reply::Mixed { again, refused, later } = reply(&answer, places) else { panic!() };
        assert_eq!(again, [4, 5]);
        let reason = "400 mapper_parsing_exception: failed: not a date".to_owned();
        assert_eq!(refused, [(3, "no ECS".into()), (2, reason)]);
        assert_eq!(later.reason, "429 es_rejected_execution_exception: full");
        let short = Answer { status: StatusCode::OK, retry_after: None, body: b"{}".to_vec() };
        assert!(matches!(reply(&short, Places { sent: vec![0], refused: vec![] }), Reply::Later(_)));
    }
}
