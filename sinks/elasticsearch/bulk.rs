//! The body of a bulk request, and what its answer says of each event.

use std::{borrow::Cow, collections::BTreeSet};

use hyper::StatusCode;
use panoptes_config as config;
use panoptes_event::{json::Object, time};
use serde::Deserialize;

use super::index::Index;
use crate::{
    format,
    http::Answer,
    sink::{Failure, Record, Records},
};

/// Of items that are refused with 400, what is the cluster's state or its configuration: an index that cannot be created or
/// written. What has another name (`document_parsing_exception`, `mapper_parsing_exception`, `strict_dynamic_mapping_exception`,
/// `illegal_argument_exception`, which stands for many things) may be about the event; whether it is, is found out.
const OF_CLUSTER: [&str; 9] = [
    // As many shards as the cluster may have.
    "validation_exception",
    "illegal_state_exception",
    "index_closed_exception",
    "invalid_index_name_exception",
    "invalid_alias_name_exception",
    "index_template_missing_exception",
    "invalid_index_template_exception",
    "resource_already_exists_exception",
    "settings_exception",
];

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
pub(super) fn verdict(
    answer: Answer,
    places: Places,
    index: &mut Index,
    events: &Records<'_>,
) -> Result<(), Failure> {
    match answer.status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => return Err(answer.into_refusal()),
        status if !status.is_success() => return Err(answer.into_retry()),
        _ => {}
    }
    match serde_json::from_slice::<Outcome<'_>>(&answer.body) {
        Ok(outcome) if outcome.items.len() == places.sent.len() => of_items(&outcome, places, index, events),
        Ok(outcome) => {
            let (told, sent) = (outcome.items.len(), places.sent.len());
            Err(Failure::retry(format!("an answer for {told} of {sent} events")))
        }
        Err(error) => Err(Failure::retry(format!("an answer that is none of a bulk request: {error}"))),
    }
}

fn of_items(
    outcome: &Outcome<'_>,
    places: Places,
    index: &mut Index,
    events: &Records<'_>,
) -> Result<(), Failure> {
    let Places { sent, mut refused } = places;
    if refused.is_empty() && outcome.items.iter().all(|item| item.create.is_there()) {
        return Ok(());
    }
    let times: Vec<i64> = events.iter().map(|event| event.unix_micros).collect();
    let mut index_of = |place: usize| index.at(times.get(place).copied().unwrap_or_default()).to_owned();
    let (mut again, mut doubtful, mut reason) = (Vec::new(), Vec::new(), String::new());
    let mut takes = BTreeSet::new();
    for (Item { create }, place) in outcome.items.iter().zip(sent) {
        if create.is_there() {
            takes.insert(index_of(place));
        } else if create.may_be_about_event() {
            doubtful.push((place, create.describe()));
        } else {
            if again.is_empty() {
                reason = create.describe();
            }
            again.push(place);
        }
    }
    // An index that took another event along with it has nothing against all of them.
    let (proven, unproven): (Vec<_>, _) =
        doubtful.into_iter().partition(|(place, _)| takes.contains(&index_of(*place)));
    refused.extend(proven);
    match again.is_empty() && refused.is_empty() && unproven.is_empty() {
        true => Ok(()),
        false => Err(Failure::Partial { again, refused, unproven, reason, after: None }),
    }
}

impl Created<'_> {
    /// Whether the event is there, by this request or by an earlier one.
    fn is_there(&self) -> bool {
        matches!(self.status, 200..300 | 409)
    }

    /// Whether an item may be refused for what it is. Missing rights (401, 403), a missing index (404) and blocked ones (403, a
    /// disk that is full) are about the cluster, and more is when its name says so.
    fn may_be_about_event(&self) -> bool {
        let kind = self.error.as_ref().map(|error| &*error.kind).unwrap_or_default();
        matches!(self.status, 400 | 413 | 422) && !OF_CLUSTER.contains(&kind)
    }

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

    /// What an answer with these items means to as many events, the last of which is of another day.
    fn told(items: &[(u16, &str)]) -> Result<(), Failure> {
        let item = |(status, kind): &(u16, &str)| {
            let cause = r#""caused_by":{"reason":"not a date"}"#;
            let error = format!(r#","error":{{"type":"{kind}","reason":"failed",{cause}}}"#);
            format!(r#"{{"create":{{"status":{status}{}}}}}"#, if kind.is_empty() { "" } else { &error })
        };
        let items: Vec<String> = items.iter().map(item).collect();
        // What it says of all of them is not believed.
        let body = format!(r#"{{"errors":false,"items":[{}]}}"#, items.join(",")).into_bytes();
        let answer = Answer { status: StatusCode::OK, retry_after: None, body, asked: Default::default() };
        let mut spans: Vec<Span> = (0..items.len() as u64).map(|seq| Span::whole(seq, b"{}")).collect();
        spans.last_mut().unwrap().unix_micros = 86_400_000_000;
        let places = Places { sent: (0..items.len()).collect(), refused: vec![] };
        let mut index = Index::new(&config::Elasticsearch::default().index);
        verdict(answer, places, &mut index, &Records::new(b"{}", &spans))
    }

    #[test]
    fn an_answer_is_read_item_by_item() {
        assert_eq!(told(&[(201, ""), (409, "version_conflict_engine_exception"), (201, "")]), Ok(()));
        let parsing = "400 mapper_parsing_exception: failed: not a date".to_owned();
        let items = [
            (201, ""),
            (400, "mapper_parsing_exception"),
            (429, "es_rejected_execution_exception"),
            (403, "cluster_block_exception"),
            (400, "mapper_parsing_exception"),
        ];
        let expected = Failure::Partial {
            again: vec![2, 3],
            refused: vec![(1, parsing.clone())],
            // Of the next day's index nothing was taken.
            unproven: vec![(4, parsing)],
            reason: "429 es_rejected_execution_exception: failed: not a date".into(),
            after: None,
        };
        assert_eq!(told(&items), Err(expected));
    }

    #[test]
    fn what_the_cluster_cannot_do_is_no_events_fault() {
        for kind in OF_CLUSTER {
            let Err(Failure::Partial { again, refused, unproven, .. }) =
                told(&[(201, ""), (400, kind), (201, "")])
            else {
                panic!("{kind}")
            };
            assert_eq!((again, refused, unproven), (vec![1], vec![], vec![]), "{kind}");
        }
        // A pipeline that is not there: so for all of them.
        let Err(Failure::Partial { again, refused, unproven, .. }) =
            told(&[(400, "illegal_argument_exception"), (400, "illegal_argument_exception")])
        else {
            panic!()
        };
        assert_eq!((again.len(), refused.len(), unproven.len()), (0, 0, 2));
        assert!(matches!(told(&[(404, "index_not_found_exception")]), Err(Failure::Partial { .. })));
    }

    #[test]
    fn an_answer_that_is_none_is_asked_for_again() {
        for (status, body) in [(200, "{}"), (200, "<html>"), (502, "")] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, retry_after: None, body: body.into(), asked: Default::default() };
            let places = Places { sent: vec![0], refused: vec![] };
            let told = verdict(answer, places, &mut Index::new("x"), &Records::new(b"", &[]));
            assert!(matches!(told, Err(Failure::Retry { .. })), "{told:?}");
        }
    }
}
