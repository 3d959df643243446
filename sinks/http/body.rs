//! Bodies of requests: events laid out, compressed, and a key for each.

use std::io::Write;

use flate2::write::GzEncoder;
use hyper::header::HeaderValue;
use panoptes_config::{Compression, Format, HttpBody};

use crate::{format, sink::Records};

/// Levels that cost little and take most of what can be taken from text.
const GZIP_LEVEL: u32 = 3;
const ZSTD_LEVEL: i32 = 3;

/// Writes events as one body. Those that cannot be told in the format are left out and given back.
pub(super) fn write(
    layout: HttpBody,
    format: Format,
    events: &Records<'_>,
    out: &mut Vec<u8>,
) -> Vec<(usize, String)> {
    match layout {
        HttpBody::Lines => format::write_lines(format, events, out),
        HttpBody::Array => {
            let refused = write_array(format, events, out);
            out.push(b']');
            refused
        }
        HttpBody::Event => write_event(format, events, out),
    }
}

/// What a body is.
pub(super) fn content_type(layout: HttpBody, format: Format) -> &'static str {
    match (layout, format) {
        (HttpBody::Lines, _) => "application/x-ndjson",
        (HttpBody::Array, Format::Cloudevents) => "application/cloudevents-batch+json",
        (HttpBody::Event, Format::Cloudevents) => "application/cloudevents+json",
        _ => "application/json",
    }
}

/// Compresses a body, and says so. On a failure it goes as it is.
pub(crate) fn compress(compression: Compression, body: Vec<u8>) -> (Vec<u8>, Option<HeaderValue>) {
    let (compressed, name) = match compression {
        Compression::None => return (body, None),
        Compression::Gzip => (gzip(&body), "gzip"),
        Compression::Zstd => (zstd::bulk::compress(&body, ZSTD_LEVEL), "zstd"),
    };
    match compressed {
        Ok(compressed) => (compressed, Some(HeaderValue::from_static(name))),
        Err(_) => (body, None),
    }
}

/// The same for the same events, and another for others: the first one's id, how many, and a sum over all ids.
pub(super) fn idempotency_key(events: &Records<'_>) -> String {
    let first = events.iter().next().map_or("", |record| record.id());
    if events.len() == 1 {
        return first.to_owned();
    }
    let sum = events.iter().fold(0, |sum, record| crc32c::crc32c_append(sum, record.id().as_bytes()));
    format!("{first}-{}-{sum:08x}", events.len())
}

fn write_array(format: Format, events: &Records<'_>, out: &mut Vec<u8>) -> Vec<(usize, String)> {
    let mut refused = Vec::new();
    let start = out.len();
    out.push(b'[');
    for (place, record) in events.iter().enumerate() {
        if out.len() > start + 1 {
            out.push(b',');
        }
        if let Err(reason) = format::write(format, &record, out) {
            refused.push((place, reason));
            if out.len() > start + 1 {
                out.pop();
            }
        }
    }
    refused
}

fn write_event(format: Format, events: &Records<'_>, out: &mut Vec<u8>) -> Vec<(usize, String)> {
    let told = events.iter().map(|record| format::write(format, &record, out));
    told.enumerate().filter_map(|(place, told)| Some((place, told.err()?))).collect()
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder =
        GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Span;

    const EVENTS: &[u8] = br#"{"id":"a"}{"id":"b"}"#;

    fn spans() -> [Span; 2] {
        [Span::part(1, 0, 10), Span::part(2, 10, 20)]
    }

    fn body(layout: HttpBody, format: Format) -> (String, usize) {
        let mut out = Vec::new();
        let refused = write(layout, format, &Records::new(EVENTS, &spans()), &mut out);
        (String::from_utf8(out).unwrap(), refused.len())
    }

    #[test]
    fn events_lie_in_a_body_as_configured() {
        assert_eq!(body(HttpBody::Lines, Format::Native), ("{\"id\":\"a\"}\n{\"id\":\"b\"}\n".into(), 0));
        assert_eq!(body(HttpBody::Array, Format::Native), ("[{\"id\":\"a\"},{\"id\":\"b\"}]".into(), 0));
        // No events that ECS could tell.
        assert_eq!(body(HttpBody::Array, Format::Ecs), ("[]".into(), 2));
    }

    #[test]
    fn keys_are_of_the_events() {
        let spans = spans();
        let key = |spans: &[Span]| idempotency_key(&Records::new(EVENTS, spans));
        assert_eq!(key(&spans[..1]), "a");
        assert!(key(&spans).starts_with("a-2-"), "{}", key(&spans));
        assert_ne!(key(&[spans[0], spans[0]]), key(&spans));
    }

    #[test]
    fn compressed_bodies_come_back_whole() {
        let (body, name) = compress(Compression::Gzip, EVENTS.to_vec());
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body.as_slice()), &mut plain).unwrap();
        assert_eq!((plain.as_slice(), name.unwrap()), (EVENTS, HeaderValue::from_static("gzip")));
        let (body, _) = compress(Compression::Zstd, EVENTS.to_vec());
        assert_eq!(zstd::bulk::decompress(&body, 100).unwrap(), EVENTS);
    }
}
