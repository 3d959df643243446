//! What was lost, and the `gap` event that says so.

use panoptes_event::{Batch, Gap, Kind, Uuid, time};

/// Whose journal this is: the `meta` of the events that the journal itself writes.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `meta.appName`.
    pub app_name: String,
    /// `meta.environment`.
    pub environment: String,
    /// `meta.instance`.
    pub instance: String,
}

/// Events that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) count: u64,
    /// Time of the first, in microseconds since 1970.
    pub(crate) from: i64,
    /// Time of the last.
    pub(crate) to: i64,
    pub(crate) reason: String,
}

impl Loss {
    /// Adds events lost for the same reason or, told as the first one's, for another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        if !self.reason.contains(&other.reason) {
            self.reason = format!("{}; {}", self.reason, other.reason);
        }
    }

    /// The events of a batch from the `skip`th on.
    pub(crate) fn of(batch: &Batch, skip: usize, reason: String) -> Self {
        let times = || batch.iter().skip(skip).map(|(_, unix_micros)| unix_micros);
        Self {
            count: batch.count(skip),
            from: times().min().unwrap_or_default(),
            to: times().max().unwrap_or_default(),
            reason,
        }
    }

    /// The event that tells of it.
    pub(crate) fn event(&self, origin: &Origin, unix_micros: i64) -> Batch {
        let mut batch = Batch::default();
        let gap = Gap {
            count: self.count,
            from: time::rfc3339(self.from),
            to: time::rfc3339(self.to),
            reason: self.reason.clone(),
        };
        batch.event(Uuid::now_v7(), Kind::Gap, unix_micros, |event| {
            origin.write(event, unix_micros, "default:gap");
            event.member("gap", &gap);
        });
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_event_is_complete() {
        let mut loss = Loss { count: 2, from: 5, to: 6, reason: "journal full".into() };
        loss.add(&Loss { count: 3, from: 4, to: 5, reason: "journal full".into() });
        loss.add(&Loss { count: 1, from: 7, to: 8, reason: "event too large".into() });
        let origin =
            Origin { app_name: "shop".into(), environment: "prod".into(), instance: "proxy-1".into() };
        let batch = loss.event(&origin, 1_795_338_843_218_411);
        let mut json = Vec::new();
        for (event, _) in batch.iter() {
            event.write(9, &mut json);
        }
        let event: panoptes_event::Event = serde_json::from_slice(&json).unwrap();
        assert_eq!((event.kind, event.seq, event.meta.instance.as_str()), (Kind::Gap, 9, "proxy-1"));
        assert_eq!(event.meta.timestamp, "2026-11-22T09:14:03.218411Z");
        let gap = Gap {
            count: 6,
            from: "1970-01-01T00:00:00.000004Z".into(),
            to: "1970-01-01T00:00:00.000008Z".into(),
            reason: "journal full; event too large".into(),
        };
        assert_eq!(event.gap, Some(gap));
    }
}
