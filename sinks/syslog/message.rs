//! An event as a message of [RFC 5424](https://www.rfc-editor.org/rfc/rfc5424#section-6).

use std::borrow::Cow;

use panoptes_config::{Facility, Format};
use panoptes_event::time;
use serde::Deserialize;

use crate::{format, sink::Record};

const APP_NAME: &str = "panoptes";
/// Of HOSTNAME and MSGID.
const MAX_HOSTNAME: usize = 255;
const MAX_MSGID: usize = 32;
/// The number of a message goes back to 1 behind this (7.3.1).
const MAX_SEQUENCE_ID: u64 = 2_147_483_647;

/// Severities (6.2.1).
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Of an event, what the head of a message says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    meta: Meta<'a>,
    sql: Sql,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta<'a> {
    #[serde(borrow)]
    instance: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sql {
    success: Option<bool>,
}

/// Writes a message at the end of `out`. Its text is one line of JSON without a byte order mark, which those who read
/// JSON do not expect.
pub(super) fn write(
    facility: Facility,
    format: Format,
    record: &Record<'_>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let start = out.len();
    let head: Head<'_> = serde_json::from_slice(record.json).unwrap_or_default();
    let priority = facility as u8 * 8 + severity(&head);
    let (time, sequence) =
        (time::rfc3339(record.unix_micros), record.seq.saturating_sub(1) % MAX_SEQUENCE_ID + 1);
    let (host, kind) = (token(&head.meta.instance, MAX_HOSTNAME), token(&head.kind, MAX_MSGID));
    let head = format!("<{priority}>1 {time} {host} {APP_NAME} - {kind} [meta sequenceId=\"{sequence}\"] ");
    out.extend_from_slice(head.as_bytes());
    format::write(format, record, out).inspect_err(|_| out.truncate(start))
}

/// A hole in the trail warns; what failed is worth a notice.
fn severity(head: &Head<'_>) -> u8 {
    match (&*head.kind, head.sql.success) {
        ("gap" | "blind", _) => WARNING,
        (_, Some(false)) => NOTICE,
        _ => INFORMATIONAL,
    }
}

/// Printable ASCII without spaces, or a dash.
fn token(text: &str, max: usize) -> String {
    let token: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(max).collect();
    if token.is_empty() { "-".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_when_and_what() {
        let json =
            br#"{"id":"a","kind":"statement","seq":5,"meta":{"instance":"proxy 1"},"sql":{"success":false}}"#;
        let record = Record { seq: 5, unix_micros: 1_795_338_843_218_411, json };
        let mut out = Vec::new();
        write(Facility::Audit, Format::Native, &record, &mut out).unwrap();
        let expected = format!(
            "<109>1 2026-11-22T09:14:03.218411Z proxy_1 panoptes - statement [meta sequenceId=\"5\"] {}",
            std::str::from_utf8(json).unwrap()
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let far = Record { seq: MAX_SEQUENCE_ID + 1, json: b"{}", ..record };
        let mut out = Vec::new();
        write(Facility::Local7, Format::Native, &far, &mut out).unwrap();
        assert_eq!(out, b"<190>1 2026-11-22T09:14:03.218411Z - panoptes - - [meta sequenceId=\"1\"] {}");
    }
}
