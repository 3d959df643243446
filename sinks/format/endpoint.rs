//! What several formats take apart: addresses, times, traces.

use std::net::SocketAddr;

use panoptes_event::Event;

/// Address and port of the client of a session.
pub(super) fn client(event: &Event) -> Option<SocketAddr> {
    event.session.as_ref()?.client.as_deref()?.parse().ok()
}

/// Trace and span of a W3C `traceparent`: `00-<32 hex digits>-<16 hex digits>-<flags>`.
pub(super) fn trace(event: &Event) -> Option<(&str, &str)> {
    let mut parts = event.request.as_ref()?.traceparent.as_deref()?.split('-');
    let (_, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    (trace.len() == 32 && span.len() == 16).then_some((trace, span))
}

/// Whether what the event tells of succeeded, where that is known.
pub(super) fn success(event: &Event) -> Option<bool> {
    event.sql.as_ref()?.success
}

/// The event's time, in microseconds since 1970: the fraction is that of `…T09:14:03.218411Z`.
pub(super) fn unix_micros(event: &Event) -> i64 {
    let fraction = event.meta.timestamp.rsplit_once('.').and_then(|(_, rest)| rest.get(..6)?.parse().ok());
    event.meta.timestamp_unix.saturating_mul(1_000_000).saturating_add(fraction.unwrap_or(0))
}
