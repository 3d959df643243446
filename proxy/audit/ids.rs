//! Ids of events.

use std::cell::Cell;

use panoptes_event::Uuid;
use uuid::Builder;

/// UUIDs of version 7: a time, and a number that begins at random and counts up (RFC 9562, section 6.2, method 2). So no id
/// asks for random bytes of its own, and those of one millisecond sort as they came.
#[derive(Debug)]
pub(crate) struct Ids {
    /// What stands between version and variant.
    head: [u8; 2],
    number: Cell<u64>,
}

impl Ids {
    /// Begins at random.
    pub(crate) fn new() -> Self {
        let [_, _, _, _, _, _, head @ .., a, b, c, d, e, f, g, h] = Uuid::now_v7().into_bytes();
        Self { head, number: Cell::new(u64::from_be_bytes([a, b, c, d, e, f, g, h])) }
    }

    /// The next id, of a time in microseconds since 1970.
    pub(crate) fn next(&self, unix_micros: i64) -> Uuid {
        self.next_of(unix_micros, 1)
    }

    /// The first of so many ids, of one time: the others count up from it as 128-bit numbers.
    pub(crate) fn next_of(&self, unix_micros: i64, count: u32) -> Uuid {
        let millis = u64::try_from(unix_micros.div_euclid(1_000)).unwrap_or(0);
        let number = self.number.get();
        self.number.set(number.wrapping_add(count.into()));
        let ([i, j], [a, b, c, d, e, f, g, h]) = (self.head, number.to_be_bytes());
        Builder::from_unix_timestamp_millis(millis, &[i, j, a, b, c, d, e, f, g, h]).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_their_time_and_differ() {
        let (one, other) = (Ids::new(), Ids::new());
        let ids: Vec<_> = [&one, &one, &other].map(|ids| ids.next(1_795_338_843_218_411)).into();
        for id in &ids {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_795_338_843, 218_000_000));
        }
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        let (first, behind) = (one.next_of(0, 3), one.next(0));
        assert_eq!(behind.as_u128() - first.as_u128(), 3, "those between are nobody's");
        assert_eq!(Ids::new().next(-1).get_timestamp().unwrap().to_unix(), (0, 0), "no time before 1970");
    }
}
