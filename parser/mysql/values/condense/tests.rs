//! Long runs, cut anywhere.

use super::super::{BulkParameters, Cell, Value};
use super::*;
use proptest::prelude::*;

const CAP: usize = 4 << 10;
const LONG: u16 = 3;
const TEXT: u16 = 253;

/// What is sent: a number, a text, or NULL.
#[derive(Clone, Debug, PartialEq)]
enum Sent {
    Number(u32),
    Text(usize),
    Null,
}
use Sent::{Null, Number, Text};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

fn kind(sent: &Sent) -> u16 {
    if matches!(sent, Number(_)) { LONG } else { TEXT }
}

fn add_value(body: &mut Vec<u8>, sent: &Sent) {
    match sent {
        Number(number) => body.extend(number.to_le_bytes()),
        Text(length) => {
            match u8::try_from(*length) {
                Ok(short @ 0..=0xfa) => body.push(short),
                _ => {
                    body.push(0xfd);
                    body.extend(&u32::try_from(*length).unwrap().to_le_bytes()[..3]);
                }
            }
            body.extend(bytes(*length));
        }
        Null => {}
    }
}

fn run(values: &[Sent], with_types: bool) -> Vec<u8> {
    let mut nulls = vec![0; values.len().div_ceil(8)];
    for (place, _) in values.iter().enumerate().filter(|(_, value)| **value == Null) {
        nulls[place / 8] |= 1 << (place % 8);
    }
    let mut body = [&[0, 1, 0, 0, 0][..], &nulls, &[with_types.into()]].concat();
    body.extend(values.iter().filter(|_| with_types).flat_map(|value| kind(value).to_le_bytes()));
    values.iter().for_each(|value| add_value(&mut body, value));
    body
}

fn rows(rows: &[Vec<Sent>]) -> Vec<u8> {
    let mut body = b"\x80\0".to_vec();
    body.extend(rows[0].iter().flat_map(|value| kind(value).to_le_bytes()));
    for value in rows.iter().flatten() {
        body.push(u8::from(*value == Null));
        add_value(&mut body, value);
    }
    body
}

fn declared(types: &[u32], bulk: bool) -> Declared<'_> {
    Declared { types, appended: &[], named: false, bulk }
}

fn condensed(body: &[u8], declared: Declared<'_>, most: usize) -> Vec<u8> {
    Condenser::begin(body, declared, most).unwrap().finish()
}

fn seen(value: Value<'_>) -> (Sent, Option<u32>) {
    match value {
        Value::Null => (Null, None),
        Value::Whole(bytes) => match bytes.try_into() {
            Ok(number) if bytes != self::bytes(4) => (Number(u32::from_le_bytes(number)), None),
            _ => {
                assert_eq!(bytes, self::bytes(bytes.len()));
                (Text(bytes.len()), None)
            }
        },
        Value::Head { bytes, length } => {
            assert_eq!(bytes, self::bytes(bytes.len()));
            (Text(bytes.len()), Some(length))
        }
    }
}

fn read(kept: &[u8], types: &[u32]) -> Vec<(Sent, Option<u32>)> {
    let count = u16::try_from(types.len()).unwrap();
    Parameters::new(kept, count, false, types, &[]).map(|parameter| seen(parameter.value)).collect()
}

fn types(values: &[Sent]) -> Vec<u32> {
    values.iter().map(|value| kind(value).into()).collect()
}

#[test]
fn a_long_value_hides_no_other() {
    let head = |length| (Text(HEAD_BYTES), Some(length));
    let whole = |sent| (sent, None);
    for (values, expected) in [
        (vec![Text(200_000), Number(42)], vec![head(200_000), whole(Number(42))]),
        (vec![Number(42), Text(5_000), Text(9)], vec![whole(Number(42)), head(5_000), whole(Text(9))]),
        (
            vec![Null, Text(5_000), Null, Number(7)],
            vec![whole(Null), head(5_000), whole(Null), whole(Number(7))],
        ),
        (vec![Text(2_000), Text(5_000), Number(1)], vec![whole(Text(2_000)), head(5_000), whole(Number(1))]),
    ] {
        for with_types in [true, false] {
            let types = types(&values);
            let kept = condensed(&run(&values, with_types), declared(&types, false), CAP);
            assert_eq!(read(&kept, &types), expected);
            assert!(kept.len() < CAP + 32);
        }
    }
}

#[test]
fn what_was_sent_ahead_takes_no_place() {
    let values = [Number(7), Text(5_000), Number(9)];
    let types = [LONG.into(), TEXT.into(), TEXT.into(), LONG.into()];
    let body = [&b"\0\x01\0\0\0\0\0"[..], &run(&values, false)[7..]].concat();
    let declared = Declared { appended: &[1], ..declared(&types, false) };
    let kept = condensed(&body, declared, CAP);
    let all: Vec<_> = Parameters::new(&kept, 4, false, &types, &[1]).map(|one| one.value).collect();
    let head = Value::Head { bytes: &bytes(HEAD_BYTES), length: 5_000 };
    assert_eq!(all, [Value::Whole(&[7, 0, 0, 0]), Value::Whole(b""), head, Value::Whole(&[9, 0, 0, 0])]);
}

#[test]
fn each_of_many_is_told_as_long_as_there_is_room() {
    for (count, told) in [(50, 50), (150, 150), (300, 72), (65_535, 72)] {
        let mut values = vec![Text(300); count];
        values[count - 1] = Number(1_234);
        let types = types(&values);
        let kept = condensed(&run(&values, true), declared(&types, false), CAP);
        let all = read(&kept, &types);
        assert!(all.len().abs_diff(told) < 10, "{count}: {}", all.len());
        assert_eq!(all.len() == count, all.last() == Some(&(Number(1_234), None)));
    }
}

#[test]
fn rows_are_told_as_long_as_there_is_room() {
    let sent: Vec<_> =
        (0..50).map(|row| vec![Number(row), Text(700_000 * usize::from(row == 1)), Null]).collect();
    let body = rows(&sent);
    let kept = condensed(&body, declared(&[0, 0, 0], true), CAP);
    let mut cells = BulkParameters::new(&kept, 3, &[]);
    let all: Vec<_> = cells
        .by_ref()
        .map(|(_, cell)| match cell {
            Cell::Value(value) => seen(value),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut expected: Vec<_> = sent.into_iter().flatten().map(|value| (value, None)).collect();
    expected[4] = (Text(HEAD_BYTES), Some(700_000));
    assert_eq!(all, expected);
    assert!(!cells.truncated() && kept.len() < CAP);
    // Too many: the first ones.
    let sent: Vec<_> = (0..500).map(|row| vec![Number(row), Text(700)]).collect();
    let kept = condensed(&rows(&sent), declared(&[0, 0], true), CAP);
    assert!(kept.len() < CAP + 32 && BulkParameters::new(&kept, 2, &[]).count() > 10);
}

#[test]
fn what_is_no_run_is_kept_as_far_as_it_is_one() {
    let types = [TEXT.into(), TEXT.into()];
    let begin = |rest: &[u8]| condensed(&[b"\0\x01\0\0\0\0\0", rest].concat(), declared(&types, false), CAP);
    for torn in [&b"\x01a\xfc\x00"[..], b"\x01a\x05ab", b"\x01a\xff\x01\0\0\0\x01\0b", b"\x01a\xfbab"] {
        assert_eq!(begin(torn), b"\0\xff\xff\xff\xff\0\0\x01a", "{torn:?}");
    }
    for short in [&b""[..], b"\0\x01\0\0\0", b"\0\x01\0\0\0\0\x01\x03\0\xfd"] {
        assert!(Condenser::begin(short, declared(&types, false), CAP).is_none());
    }
    let unknown = [super::super::UNKNOWN_TYPE];
    assert!(Condenser::begin(b"\0\x01\0\0\0\0\0\x01a", declared(&unknown, false), CAP).is_none());
}

#[test]
fn a_mark_that_was_sent_is_none() {
    let sent = b"\0\xff\xff\xff\xff\0\0\xff\x09\0\0\0\x01\0ab";
    let types = [TEXT.into()];
    assert_eq!(Parameters::new(sent, 1, false, &types, &[]).count(), 1);
    let read = unmarked(sent, false).unwrap();
    assert_eq!(Parameters::new(&read, 1, false, &types, &[]).count(), 0);
    assert_eq!(unmarked(&read, false), None);
    let sent = b"\x00\xc0\0\xff\x09\0\0\0\x01\0a";
    assert_eq!(BulkParameters::new(sent, 1, &types).count(), 1);
    assert_eq!(BulkParameters::new(&unmarked(sent, true).unwrap(), 1, &types).count(), 0);
}

fn values() -> impl Strategy<Value = Vec<Sent>> {
    let number = any::<u32>().prop_filter("no text", |n| n.to_le_bytes() != *bytes(4)).prop_map(Number);
    let one = prop_oneof![number, (0..40_usize).prop_map(Text), (0..3_000_usize).prop_map(Text), Just(Null)];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        values in values(), bulk in any::<bool>(), noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        sizes in prop::collection::vec(1..400_usize, 1..9), most in 0..5_000_usize,
    ) {
        let types = types(&values);
        let mut body = if bulk { rows(std::slice::from_ref(&values)) } else { run(&values, true) };
        for (at, byte) in noise {
            let at = at % body.len();
            body[at] = byte;
        }
        let declared = declared(&types, bulk);
        let Some(whole) = Condenser::begin(&body, declared, most) else { return Ok(()) };
        let whole = whole.finish();
        let ahead = body.len() - if bulk {
            BulkParameters::new(&body, types.len() as u16, &types).shapes().unwrap().1.len()
        } else {
            Parameters::new(&body, types.len() as u16, false, &types, &[]).shapes().unwrap().1.len()
        };
        let mut condenser = Condenser::begin(&body[..ahead], declared, most).unwrap();
        let (mut rest, mut sizes) = (&body[ahead..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            condenser.add(piece);
            rest = behind;
        }
        prop_assert_eq!(&condenser.finish(), &whole);
        prop_assert!(whole.len() <= ahead + most && whole.len() <= body.len());
        // Whatever is kept can be read to its end.
        if bulk {
            let mut cells = BulkParameters::new(&whole, types.len() as u16, &types);
            cells.by_ref().for_each(drop);
        } else {
            Parameters::new(&whole, types.len() as u16, false, &types, &[]).for_each(drop);
        }
    }

    /// Every value of as many as can be told is there, and its head is the head of what was sent.
    #[test]
    fn nothing_is_made_up(values in values()) {
        let types = types(&values);
        let all = read(&condensed(&run(&values, true), declared(&types, false), CAP), &types);
        prop_assert_eq!(all.len(), values.len());
        for ((seen, more), sent) in all.iter().zip(&values) {
            match more {
                None => prop_assert_eq!(seen, sent),
                Some(length) => prop_assert_eq!(&Text(*length as usize), sent),
            }
        }
    }
}
