//! One record: an event with its number, as it lies on disk.
//!
//! ```text
//! length u32 | crc32c u32 | kind u8 | seq u64 | unix micros i64 | payload        (little-endian)
//! ```
//!
//! `length` counts what follows the checksum, and the checksum covers just that. The payload of an event is its JSON,
//! complete; that of lost numbers is how many there are (u64), beginning with `seq`.

/// Bytes before the payload.
pub(crate) const HEADER: usize = PREFIX + FIXED;
/// No event has this number, nor a higher one: a file that says so was not written by this program.
pub(crate) const END: u64 = 1 << 63;
/// The largest payload; a larger event becomes a gap.
pub(crate) const MAX_PAYLOAD: usize = 16 << 20;

/// Length and checksum.
const PREFIX: usize = 8;
/// Kind, seq and time.
const FIXED: usize = 17;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event = 1,
    /// Numbers that were given and whose events are gone, so that every number has its place.
    Lost = 2,
}

/// A whole record whose checksum is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) seq: u64,
    pub(crate) unix_micros: i64,
    pub(crate) payload: &'a [u8],
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded<'a> {
    Record(Record<'a>),
    /// So many bytes are needed, more than there are.
    Short(usize),
    Bad,
}

impl Record<'_> {
    /// Its size on disk.
    pub(crate) fn size(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// The number that comes next.
    pub(crate) fn next(&self) -> u64 {
        match (self.kind, self.payload.first_chunk()) {
            (Kind::Lost, Some(count)) => self.seq.saturating_add(u64::from_le_bytes(*count)),
            _ => self.seq.saturating_add(1),
        }
    }
}

/// Writes a record at the end of `out`; `payload` adds the payload.
pub(crate) fn write(
    out: &mut Vec<u8>,
    kind: Kind,
    seq: u64,
    unix_micros: i64,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    out.push(kind as u8);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&unix_micros.to_le_bytes());
    payload(out);
    if let Some((prefix, body)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut::<PREFIX>) {
        // A length that does not fit reads back as bad; the writer's cap is far below.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let (at_length, at_checksum) = prefix.split_at_mut(4);
        at_length.copy_from_slice(&length.to_le_bytes());
        at_checksum.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    }
}

/// Writes the record of `count` numbers lost from `seq` on.
pub(crate) fn write_lost(out: &mut Vec<u8>, seq: u64, count: u64, unix_micros: i64) {
    write(out, Kind::Lost, seq, unix_micros, |out| out.extend_from_slice(&count.to_le_bytes()));
}

/// Reads the record at the start of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Decoded<'_> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Decoded::Short(HEADER) };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *prefix;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if !(FIXED..=FIXED + MAX_PAYLOAD).contains(&length) {
        return Decoded::Bad;
    }
    let Some(body) = rest.get(..length) else { return Decoded::Short(PREFIX + length) };
    if crc32c::crc32c(body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Decoded::Bad;
    }
    fields(body).map_or(Decoded::Bad, Decoded::Record)
}

/// Whether a record with a number in `seqs` may begin here, judged by its header alone: cheap, for searching.
pub(crate) fn may_begin(header: &[u8], seqs: std::ops::Range<u64>) -> bool {
    let Some((length, rest)) = header.split_first_chunk::<4>() else { return false };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    (FIXED..=FIXED + MAX_PAYLOAD).contains(&length)
        && rest.get(4..).and_then(fields).is_some_and(|record| seqs.contains(&record.seq))
}

/// The time in a record's header, if it is the record with this number.
pub(crate) fn time(header: &[u8], seq: u64) -> Option<i64> {
    let record = header.get(PREFIX..).and_then(fields)?;
    (record.seq == seq).then_some(record.unix_micros)
}

fn fields(body: &[u8]) -> Option<Record<'_>> {
    let (kind, rest) = body.split_first()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (unix_micros, payload) = rest.split_first_chunk()?;
    let kind = match kind {
        1 => Kind::Event,
        2 => Kind::Lost,
        _ => return None,
    };
    let (seq, unix_micros) = (u64::from_le_bytes(*seq), i64::from_le_bytes(*unix_micros));
    Some(Record { kind, seq, unix_micros, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, Kind::Event, 7, -3, |out| out.extend_from_slice(b"{}"));
        out
    }

    #[test]
    fn a_record_reads_back() {
        let out = example();
        let record = Record { kind: Kind::Event, seq: 7, unix_micros: -3, payload: b"{}" };
        assert_eq!((record.size(), record.next()), (out.len(), 8));
        assert_eq!(decode(&out), Decoded::Record(record));
        assert!(may_begin(&out, 7..8) && !may_begin(&out, 8..9));
        let mut lost = Vec::new();
        write_lost(&mut lost, 8, 5, 0);
        assert!(matches!(decode(&lost), Decoded::Record(record) if record.next() == 13));
    }

    #[test]
    fn every_cut_is_short_and_every_flipped_bit_is_seen() {
        let whole = example();
        for cut in 0..whole.len() {
            assert!(matches!(decode(&whole[..cut]), Decoded::Short(needed) if needed > cut), "{cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(decode(&flipped), Decoded::Record(_)), "{bit}");
        }
        assert_eq!(decode(&[0; 64]), Decoded::Bad, "a tail of zeros, as file systems leave it");
    }
}
