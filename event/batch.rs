//! Encoded events on their way to the journal.
//!
//! An event is encoded before its number is known: several auditors work at once, and the journal alone counts.
//! So the place of the number is kept, and the journal writes it there.

use uuid::Uuid;

use crate::{VERSION, event::Kind, json::Object, notice::Gap};

/// SHA-256 of an event's JSON.
pub type Hash = [u8; 32];

/// What [`Event::prev`](crate::Event::prev) begins with in an encoded event: right behind the number.
pub const PREV: &str = r#","prev":""#;

/// What stands around the id of every event.
const BEFORE_ID: &[u8] = br#"{"id":""#;
const BEFORE_KIND: &[u8] = br#"","version":1,"kind":""#;
const _: () = assert!(VERSION == 1, "BEFORE_KIND names it");

const INTENT: &[u8] = br#"intent""#;
const INTENT_ID: &[u8] = br#""intentId":""#;
const INTENT_COUNT: &[u8] = br#"","intentCount":"#;
/// More than stands behind `intentId` in an event.
const BEHIND_INTENT_ID: usize = 512;
/// Characters of a UUID.
const UUID: usize = 36;

/// Encoded events, in order.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// By the place of the event.
    intents: Vec<(usize, Intended)>,
}

/// What an event says of intents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intended {
    /// It is the intent of this id.
    Told(Uuid),
    /// It is the outcome of so many, whose ids count up from the first.
    Met {
        /// The first.
        first: Uuid,
        /// How many.
        count: u32,
    },
}

impl Intended {
    /// What an event says, as a [`Batch`] has encoded it.
    #[must_use]
    pub fn of(json: &[u8]) -> Option<Self> {
        let (id, rest) = json.strip_prefix(BEFORE_ID)?.split_at_checked(UUID)?;
        if rest.strip_prefix(BEFORE_KIND)?.starts_with(INTENT) {
            return Uuid::try_parse_ascii(id).ok().map(Self::Told);
        }
        // No value looks like it: quotes in values are escaped.
        let tail = json.get(json.len().saturating_sub(BEHIND_INTENT_ID)..)?;
        let at = tail.windows(INTENT_ID.len()).rposition(|window| window == INTENT_ID)?;
        let (first, rest) = tail.get(at + INTENT_ID.len()..)?.split_at_checked(UUID)?;
        let digits = rest.strip_prefix(INTENT_COUNT).unwrap_or_default().iter();
        let digits = digits.map_while(|byte| char::from(*byte).to_digit(10));
        let count = digits.fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
        Some(Self::Met { first: Uuid::try_parse_ascii(first).ok()?, count: count.max(1) })
    }
}

/// One event within [`Batch::bytes`].
#[derive(Clone, Copy)]
struct Entry {
    end: usize,
    /// Where `"seq":N,` goes.
    number_at: usize,
    unix_micros: i64,
    /// Events that are lost with it: itself, or those that it tells to be.
    count: u64,
}

impl Batch {
    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Events that are lost if those from the `skip`th on are: a gap event stands for those that it tells of.
    #[must_use]
    pub fn count(&self, skip: usize) -> u64 {
        self.entries.iter().skip(skip).fold(0, |sum, entry| sum.saturating_add(entry.count))
    }

    /// Size in bytes, less the numbers.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the events, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.intents.clear();
    }

    /// Adds an event: `write` gives the members that come after `id`, `version`, `kind` and `seq`.
    pub fn event(&mut self, id: Uuid, kind: Kind, unix_micros: i64, write: impl FnOnce(&mut Object<'_>)) {
        self.bytes.extend_from_slice(BEFORE_ID);
        self.bytes.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        self.bytes.extend_from_slice(BEFORE_KIND);
        self.bytes.extend_from_slice(kind.as_str().as_bytes());
        self.bytes.push(b'"');
        let number_at = self.bytes.len();
        let mut object = Object::resume(&mut self.bytes);
        write(&mut object);
        object.end();
        if kind == Kind::Intent {
            self.intents.push((self.entries.len(), Intended::Told(id)));
        }
        self.entries.push(Entry { end: self.bytes.len(), number_at, unix_micros, count: 1 });
    }

    /// The event that was added last is the outcome of so many intents, whose ids count up from `first`.
    pub fn meets(&mut self, first: Uuid, count: u32) {
        let last = self.entries.len().saturating_sub(1);
        self.intents.push((last, Intended::Met { first, count }));
    }

    /// What the events say of intents, each with the place of its event, in order.
    #[must_use]
    pub fn intents(&self) -> &[(usize, Intended)] {
        &self.intents
    }

    /// Adds a gap event, which stands for the events that it tells of: `write` gives the members ahead of `gap`.
    pub fn gap(&mut self, id: Uuid, unix_micros: i64, gap: &Gap, write: impl FnOnce(&mut Object<'_>)) {
        self.event(id, Kind::Gap, unix_micros, |object| {
            write(object);
            object.member("gap", gap);
        });
        if let Some(entry) = self.entries.last_mut() {
            entry.count = gap.count;
        }
    }

    /// The events in order, each with its time in microseconds since 1970, for whoever numbers them.
    pub fn iter(&self) -> impl Iterator<Item = (Encoded<'_>, i64)> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let head = self.bytes.get(start..entry.number_at).unwrap_or_default();
            let tail = self.bytes.get(entry.number_at..entry.end).unwrap_or_default();
            start = entry.end;
            (Encoded { head, tail }, entry.unix_micros)
        })
    }
}

/// One event without its number: `head`, `,"seq":N`, `tail`.
#[derive(Clone, Copy)]
pub struct Encoded<'a> {
    head: &'a [u8],
    tail: &'a [u8],
}

impl Encoded<'_> {
    /// Writes the event with its number at the end of `out`.
    pub fn write(&self, seq: u64, out: &mut Vec<u8>) {
        self.begin(seq, out);
        out.extend_from_slice(self.tail);
    }

    /// The same, chained to the event before it by that one's hash.
    pub fn write_chained(&self, seq: u64, prev: &Hash, out: &mut Vec<u8>) {
        self.begin(seq, out);
        out.extend_from_slice(PREV.as_bytes());
        crate::json::write_hex(out, prev);
        out.push(b'"');
        out.extend_from_slice(self.tail);
    }

    fn begin(&self, seq: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head);
        out.extend_from_slice(b",\"seq\":");
        crate::json::write_number(out, seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Meta};

    #[test]
    fn a_chained_event_names_the_hash_of_the_one_before() {
        let mut batch = Batch::default();
        batch.event(Uuid::nil(), Kind::Statement, 0, |object| _ = object.member("meta", &Meta::default()));
        let mut out = Vec::new();
        batch.iter().for_each(|(encoded, _)| encoded.write_chained(7, &[0xa5; 32], &mut out));
        let event: Event = serde_json::from_slice(&out).unwrap();
        assert_eq!((event.seq, event.prev), (7, Some("a5".repeat(32))));
    }

    #[test]
    fn what_an_event_says_of_intents_is_kept_and_can_be_read_back() {
        let [told, met] = [7, 8].map(Uuid::from_u128);
        let mut batch = Batch::default();
        batch.event(told, Kind::Intent, 0, |object| _ = object.plain("intentId", "none"));
        batch.event(Uuid::nil(), Kind::Statement, 0, |object| _ = object.member("raw", r#""intentId":"x"#));
        for count in [1, 12] {
            batch.event(Uuid::nil(), Kind::Statement, 0, |object| {
                object.uuid("intentId", met).optional("intentCount", Some(count).filter(|count| *count > 1));
            });
            batch.meets(met, count);
        }
        let met = [1, 12].map(|count| Intended::Met { first: met, count });
        assert_eq!(batch.intents(), [(0, Intended::Told(told)), (2, met[0]), (3, met[1])]);
        let mut read = Vec::new();
        for (encoded, _) in batch.iter() {
            let mut json = Vec::new();
            encoded.write(42, &mut json);
            read.push(Intended::of(&json));
        }
        assert_eq!(read, [Some(Intended::Told(told)), None, Some(met[0]), Some(met[1])]);
    }

    #[test]
    fn a_numbered_event_reads_back_as_it_was() {
        let event = Event {
            id: Uuid::from_u128(7),
            version: VERSION,
            kind: Kind::Gap,
            seq: 42,
            meta: Meta { app_name: "shop".into(), ..Meta::default() },
            gap: Some(Gap { count: 3, ..Gap::default() }),
            ..Event::default()
        };
        let mut batch = Batch::default();
        let gap = event.gap.as_ref().unwrap();
        for at in [8, 9] {
            batch.gap(event.id, at, gap, |object| _ = object.member("meta", &event.meta));
        }
        let read: Vec<(Event, i64)> = batch
            .iter()
            .map(|(encoded, micros)| {
                let mut out = Vec::new();
                encoded.write(42, &mut out);
                (serde_json::from_slice(&out).unwrap(), micros)
            })
            .collect();
        assert_eq!(read, [(event.clone(), 8), (event, 9)]);
        assert_eq!([batch.count(0), batch.count(1), batch.count(2)], [6, 3, 0]);
    }
}
