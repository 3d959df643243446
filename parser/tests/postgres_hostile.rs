//! Any bytes of either peer, in any order: nothing panics, nothing is lost, nothing is changed but the cancel secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use panoptes_parser::{
    postgres::{
        Postgres,
        values::{Parameters, Value},
    },
    wire::{Ask, Limits, Observation, Opening, Rest, Settled, Wire},
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Client(u8),
    Server(u8),
    Bytes { client: bool, bytes: Vec<u8> },
}

const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
const LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01abcdZ\0\0\0\x05I";

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A question that tells itself apart from all others by its number.
fn question(kind: u8, number: usize) -> Vec<u8> {
    let body = match kind {
        b'Q' => format!("{number}\0"),
        b'P' => format!("{number}\0select\0\0\0"),
        b'B' => format!("{number}\0\0\0\0\0\0\0\0"),
        b'D' | b'C' => format!("S{number}\0"),
        b'E' => format!("{number}\0\0\0\0\0"),
        b'F' => return frame(kind, &u32::try_from(number).unwrap().to_be_bytes()),
        b'd' => "data".into(),
        // A Flush with a body, every other time.
        b'H' if number.is_multiple_of(2) => "x".into(),
        _ => String::new(),
    };
    frame(kind, body.as_bytes())
}

fn answer(kind: u8) -> Vec<u8> {
    match kind {
        b'Z' => frame(kind, b"I"),
        b'E' => frame(kind, b"SERROR\0C42601\0\0"),
        // Not the protocol's: a fatal one.
        b'X' => frame(b'E', b"SFATAL\0C57P01\0\0"),
        b'C' => frame(kind, b"COPY 1\0"),
        b'D' | b'd' | b'T' => frame(kind, b"row"),
        b't' => frame(kind, b"\0\0"),
        b'N' => frame(kind, b"SWARNING\0\0"),
        _ => frame(kind, b""),
    }
}

fn number(ask: &Ask<&[u8]>) -> Option<usize> {
    let name = match ask {
        Ask::Query { text, .. } => (*text)?,
        Ask::Parse { statement: name, .. }
        | Ask::Bind { portal: name, .. }
        | Ask::Close { name, .. }
        | Ask::Execute { portal: name } => name,
        Ask::Command { object, .. } => return usize::try_from((*object)?).ok(),
        _ => return None,
    };
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = prop::sample::select(&b"QPBDECSFHdcfQES"[..]).prop_map(Step::Client);
    let server = prop::sample::select(&b"123CDdEGHIKNSTVWZnstXCZEZ"[..]).prop_map(Step::Server);
    prop::collection::vec(prop_oneof![client, server], 0..60)
}

fn noise() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let noise = (any::<bool>(), bytes).prop_map(|(client, bytes)| Step::Bytes { client, bytes });
    let near =
        (any::<bool>(), prop::sample::select(&b"QPBDECSFHdcfKRZNVst"[..]), any::<[u8; 3]>(), 0..4_usize);
    // A sound type, and a length that may be anything.
    let near = near.prop_map(|(client, kind, [a, b, c], zeros)| {
        let mut bytes = vec![kind, 0, a, b, c, a, b];
        bytes[1..=zeros].fill(0);
        Step::Bytes { client, bytes }
    });
    let known = steps().prop_map(|mut steps| steps.pop().unwrap_or(Step::Client(b'S')));
    prop::collection::vec(prop_oneof![noise, near, known], 0..40)
}

/// Plays it in pieces of `size`, and gives what was seen.
fn play(steps: &[Step], size: usize) -> (Vec<String>, Vec<usize>) {
    let limits = Limits { parameters: 10, tell_asked: steps.len().is_multiple_of(2), ..Limits::default() };
    let mut wire = Postgres::new(limits, [7; 32]);
    let (mut seen, mut settled) = (Vec::new(), Vec::new());
    let mut observer = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask, .. }) = &observation {
            settled.extend(number(ask));
        }
        seen.push(format!("{observation:?}"));
    };
    assert_eq!(wire.open(STARTUP), Opening::Dial);
    wire.client(&mut STARTUP.to_vec(), 0, &mut observer).unwrap();
    wire.server(&mut LOGIN.to_vec(), 0, &mut observer).unwrap();
    // A peer that was refused is heard no more.
    let mut refused = [false; 2];
    for (place, step) in steps.iter().enumerate() {
        let (client, bytes) = match step {
            Step::Client(kind) => (true, question(*kind, place)),
            Step::Server(kind) => (false, answer(*kind)),
            Step::Bytes { client, bytes } => (*client, bytes.clone()),
        };
        let mut passed = 0;
        for chunk in bytes.chunks(size) {
            if refused[usize::from(client)] {
                break;
            }
            let mut copy = chunk.to_vec();
            let end = if client {
                wire.client(&mut copy, 0, &mut observer)
            } else {
                wire.server(&mut copy, 0, &mut observer)
            };
            assert_eq!(copy, chunk, "the login is over: nothing is changed");
            if let Err(violation) = end {
                assert!(violation.pass <= chunk.len());
                refused[usize::from(client)] = true;
                passed += violation.pass;
                observer(Observation::Blind { reason: violation.reason });
            } else {
                passed += chunk.len();
            }
        }
        assert!(passed <= bytes.len());
    }
    wire.end(0, &mut observer);
    assert!(!wire.is_full());
    settled.sort_unstable();
    (seen, settled)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the server says, each question is told once.
    #[test]
    fn each_question_is_settled_once(steps in steps()) {
        let told = |kind| b"QPBECF".contains(&kind);
        let asked: Vec<_> = steps.iter().enumerate()
            .filter(|(_, step)| matches!(step, Step::Client(kind) if told(*kind))).map(|(n, _)| n).collect();
        let (seen, settled) = play(&steps, usize::MAX);
        prop_assert_eq!(settled, asked, "{:#?}", seen);
    }

    #[test]
    fn any_bytes_are_taken_in_any_pieces(steps in noise(), size in 1..20_usize) {
        prop_assert_eq!(play(&steps, size), play(&steps, usize::MAX));
    }

    /// Before the login is over, too; and what is changed in the server's bytes is at most one secret.
    #[test]
    fn any_bytes_before_the_login(bytes in prop::collection::vec(any::<u8>(), 0..300), key in any::<bool>(), size in 1..50_usize) {
        let mut wire = Postgres::new(Limits::default(), [7; 32]);
        let mut ignore = |_: Observation<&[u8]>| {};
        let _ = wire.open(&bytes);
        let _ = wire.client(&mut bytes.clone(), 0, &mut ignore);
        let start = if key { &b"K\0\0\0\x0c\0\0\0\x01"[..] } else { b"" };
        let sent = [start, &bytes].concat();
        let mut passed = sent.clone();
        for chunk in passed.chunks_mut(size) {
            if wire.server(chunk, 0, &mut ignore).is_err() {
                return Ok(());
            }
        }
        let keys = sent.iter().filter(|byte| **byte == b'K').count();
        let changed = sent.iter().zip(&passed).filter(|(a, b)| a != b).count();
        prop_assert!(changed <= 32 * keys);
        wire.end(0, &mut ignore);
    }
}

#[test]
fn a_header_is_all_of_what_is_refused_that_passes() {
    for (frame, pass) in
        [(&b"!\0\0\0\x04"[..], 5), (b"S\0\0\x4e\x20rest", 5), (b"Q\xff\xff\xff\xff", 5), (b"Q\0\0\0\0Q", 5)]
    {
        for size in 1..=frame.len() {
            let mut wire = Postgres::new(Limits::default(), [7; 32]);
            let mut ignore = |_: Observation<&[u8]>| {};
            wire.client(&mut STARTUP.to_vec(), 0, &mut ignore).unwrap();
            wire.server(&mut LOGIN.to_vec(), 0, &mut ignore).unwrap();
            let mut passed = 0;
            for chunk in frame.chunks(size) {
                match wire.client(&mut chunk.to_vec(), 0, &mut ignore) {
                    Ok(()) => passed += chunk.len(),
                    Err(violation) => {
                        passed += violation.pass;
                        break;
                    }
                }
            }
            assert_eq!(passed, pass, "{frame:?} by {size}");
        }
    }
}

/// A server holds its answers back until a Sync, or until its buffer is full: to stop reading the client for the sake
/// of what is kept would stop both for ever.
#[test]
fn a_pipeline_is_read_on_however_much_it_asks_and_keeps_no_more_than_it_may() {
    let limits = Limits { pending_bytes: 10_000, ..Limits::default() };
    let mut wire = Postgres::new(limits, [7; 32]);
    let mut ignore = |_: Observation<&[u8]>| {};
    wire.client(&mut STARTUP.to_vec(), 0, &mut ignore).unwrap();
    wire.server(&mut LOGIN.to_vec(), 0, &mut ignore).unwrap();
    let text = "x".repeat(6_000);
    for _ in 0..100 {
        wire.client(&mut frame(b'P', format!("\0{text}\0\0\0").as_bytes()), 0, &mut ignore).unwrap();
        assert!(!wire.is_full());
    }
    let sha256 = Sha256::digest(&text);
    let (mut kept, mut hashed) = (Vec::new(), 0);
    let mut keep = |observation: Observation<&[u8]>| {
        if let Observation::Hashed { sha256: told } = observation {
            assert_eq!(told, sha256.as_slice());
            hashed += 1;
        }
        if let Observation::Settled(Settled { ask: Ask::Parse { text, length, .. }, .. }) = observation {
            kept.push((text.len(), length >= 6_000));
        }
    };
    for _ in 0..100 {
        wire.server(&mut b"1\0\0\0\x04".to_vec(), 0, &mut keep).unwrap();
    }
    assert_eq!((kept.len(), kept.first()), (100, Some(&(6_000, true))));
    assert!(kept.iter().skip(2).all(|(length, whole)| *length == 255 && *whole), "{kept:?}");
    assert_eq!(hashed, 98, "each text that was cut, and no other");
}

/// However few questions may wait: a server that holds its answers back, or that reads COPY data, is not starved.
#[test]
fn no_limit_of_questions_stops_a_pipeline_whose_sync_is_to_come() {
    let mut ignore = |_: Observation<&[u8]>| {};
    let execute = [frame(b'P', b"\0select 1\0\0\0"), frame(b'B', &[0; 8]), frame(b'E', &[0; 5])].concat();
    let mut wire = logged_in(Limits { pending: 1, ..Limits::default() });
    for _ in 0..600 {
        wire.client(&mut execute.clone(), 0, &mut ignore).unwrap();
        assert!(!wire.is_full());
    }
    wire.client(&mut frame(b'S', b""), 0, &mut ignore).unwrap();
    assert!(wire.is_full(), "now the server answers");
    let mut wire = logged_in(Limits { pending: 1, ..Limits::default() });
    while !wire.is_full() {
        wire.client(&mut frame(b'P', b"\0select 1\0\0\0"), 0, &mut ignore).unwrap();
    }
    // So many answers do not fit the buffer in which it holds them back.
    let mut answers = 0;
    while wire.is_full() {
        wire.server(&mut b"1\0\0\0\x04".to_vec(), 0, &mut ignore).unwrap();
        answers += 1;
    }
    assert_eq!(answers, 1);
}

/// While it reads COPY data the server passes over each Sync, and over each Flush.
#[test]
fn syncs_within_copy_data_are_not_waited_for() {
    const SYNCS: usize = 100_000;
    let mut ignore = |_: Observation<&[u8]>| {};
    let copy =
        [frame(b'P', b"\0copy t from stdin\0\0\0"), frame(b'B', &[0; 8]), frame(b'E', &[0; 5])].concat();
    let begun = [&b"1\0\0\0\x042\0\0\0\x04"[..], &frame(b'G', &[0; 3])].concat();
    // With one that is no proper one, which elsewhere would be answered; and ahead of the server's word that it reads.
    let alternating = [frame(b'S', b""), frame(b'H', b"x")].concat();
    let all = [(frame(b'S', b""), false), (alternating.clone(), false), (alternating, true)];
    for ((passed, early), fails) in all.iter().flat_map(|one| [(one, false), (one, true)]) {
        let mut wire = logged_in(Limits { pending: 3, ..Limits::default() });
        wire.client(&mut copy.clone(), 0, &mut ignore).unwrap();
        let mut passed = passed.repeat(SYNCS);
        if *early {
            wire.client(&mut passed, 0, &mut ignore).unwrap();
            assert!(wire.is_full());
        }
        wire.server(&mut begun.clone(), 0, &mut ignore).unwrap();
        if !*early {
            wire.client(&mut passed, 0, &mut ignore).unwrap();
        }
        assert!(!wire.is_full() && wire.rest() == Rest::Busy);
        wire.client(&mut [frame(b'd', b"1\n"), frame(b'c', b""), frame(b'S', b"")].concat(), 0, &mut ignore)
            .unwrap();
        let mut told = Vec::new();
        let mut note = |observation: Observation<&[u8]>| match observation {
            Observation::Settled(Settled { answer, .. }) => told.push(format!("{answer:?}")),
            Observation::Blind { reason } => told.push(reason.to_owned()),
            _ => {}
        };
        // It failed having read the first of them: any number of them are answered.
        let (answer, ready) = if fails {
            (frame(b'E', b"SERROR\0C22P02\0Mno\0\0"), SYNCS)
        } else {
            (frame(b'C', b"COPY 1\0"), 1)
        };
        wire.server(&mut answer.clone(), 0, &mut note).unwrap();
        assert!(!wire.is_full());
        wire.server(&mut frame(b'Z', b"I").repeat(ready), 0, &mut note).unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(wire.rest(), Rest::Idle);
    }
}

/// The server reads nothing behind a Terminate, so nothing there is a statement, or a fault.
#[test]
fn behind_a_terminate_there_is_nothing_to_be_seen() {
    let stream = [frame(b'X', b""), frame(b'Q', b"drop table t\0"), b"!\0\0\0\0".to_vec()].concat();
    for size in 1..=stream.len() {
        let mut wire = logged_in(Limits { tell_asked: true, ..Limits::default() });
        for chunk in stream.chunks(size) {
            wire.client(&mut chunk.to_vec(), 0, &mut |seen: Observation<&[u8]>| panic!("{seen:?}")).unwrap();
        }
        let mut told = Vec::new();
        wire.end(0, &mut |seen: Observation<&[u8]>| told.push(format!("{seen:?}")));
        assert_eq!(told, ["Closed { unanswered: false }"]);
        assert!(wire.is_terminated());
    }
}

fn logged_in(limits: Limits) -> Postgres {
    let mut wire = Postgres::new(limits, [7; 32]);
    wire.client(&mut STARTUP.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
    wire.server(&mut LOGIN.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
    wire
}

#[test]
fn a_text_beyond_its_limit_is_told_with_its_digest_wherever_it_is_cut() {
    let limits = Limits { sql: 10, ..Limits::default() };
    let text = "select 1 from a_table";
    let sha256 = Sha256::digest(text);
    let question =
        [frame(b'P', format!("s\0{text}\0\0\0").as_bytes()), frame(b'Q', format!("{text}\0").as_bytes())]
            .concat();
    for cut in 0..=question.len() {
        let mut wire = Postgres::new(limits, [7; 32]);
        let mut told = Vec::new();
        let mut note = |observation: Observation<&[u8]>| match observation {
            Observation::Hashed { sha256: told_sha256 } => told.push(told_sha256 == sha256.as_slice()),
            Observation::Settled(_) => told.push(true),
            _ => {}
        };
        wire.client(&mut STARTUP.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
        wire.server(&mut LOGIN.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
        let (a, b) = question.split_at(cut);
        wire.client(&mut a.to_vec(), 0, &mut note).unwrap();
        wire.client(&mut b.to_vec(), 0, &mut note).unwrap();
        wire.server(&mut [&b"1\0\0\0\x04"[..], &frame(b'C', b"SELECT 1\0")].concat(), 0, &mut note).unwrap();
        assert_eq!(told, [true; 4], "cut at {cut}");
    }
}

/// So that it can be told what its statements are; where it cannot be of several, it is a long statement.
#[test]
fn a_text_of_several_statements_is_told_whole_wherever_it_is_cut() {
    let script = "select 1; select ';'; select 3;";
    let limits = Limits { sql: 10, script: script.len(), ..Limits::default() };
    let longer = format!("{script} ");
    for (text, most) in
        [(script, script.len()), (&longer, 10), ("select 1 from a_table;\n", 10), ("select 1; ", 10)]
    {
        let question = frame(b'Q', format!("{text}\0").as_bytes());
        for cut in 0..=question.len() {
            let (mut wire, mut told) = (logged_in(limits), Vec::new());
            let mut note = |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { sha256 } => assert_eq!(sha256, Sha256::digest(text).as_slice()),
                Observation::Settled(Settled { ask: Ask::Query { text: Some(head), length }, .. }) => {
                    assert_eq!(length, text.len() as u64);
                    told.push(head.to_vec());
                }
                _ => {}
            };
            let (a, b) = question.split_at(cut);
            wire.client(&mut a.to_vec(), 0, &mut note).unwrap();
            wire.client(&mut b.to_vec(), 0, &mut note).unwrap();
            wire.server(&mut frame(b'C', b"SELECT 1\0"), 0, &mut note).unwrap();
            assert_eq!(told, [&text.as_bytes()[..most]], "{text} cut at {cut}");
        }
    }
}

/// What runs is told once all of it is here, and not before: its last byte is still to be passed on.
#[test]
fn a_question_is_told_ahead_when_its_last_byte_is_here() {
    let limits = Limits { sql: 10, tell_asked: true, ..Limits::default() };
    let text = "select 1 from a_table";
    let frames = [
        frame(b'P', format!("s\0{text}\0\0\0").as_bytes()),
        frame(b'B', b"p\0s\0\0\0\0\0\0\0"),
        frame(b'E', b"p\0\0\0\0\0"),
        frame(b'S', b""),
        frame(b'Q', format!("{text}\0").as_bytes()),
        frame(b'F', b"\0\0\0\x09"),
    ];
    let expected = ["hashed", "Parse", "Bind", "Execute", "hashed", "Query", "Command"];
    let ends: Vec<usize> =
        frames.iter().scan(0, |end, frame| Some(*end + frame.len()).inspect(|e| *end = *e)).collect();
    let stream = frames.concat();
    for size in 1..=stream.len() {
        let mut wire = Postgres::new(limits, [7; 32]);
        wire.client(&mut STARTUP.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
        wire.server(&mut LOGIN.to_vec(), 0, &mut |_: Observation<&[u8]>| {}).unwrap();
        let (mut told, mut runs, mut seen) = (Vec::new(), 0, 0);
        for chunk in stream.chunks(size) {
            wire.client(&mut chunk.to_vec(), 0, &mut |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { .. } => told.push("hashed".to_owned()),
                Observation::Asked { ask, .. } => {
                    runs += usize::from(ask.runs());
                    told.push(format!("{ask:?}").split(' ').next().unwrap().to_owned());
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
            seen += chunk.len();
            let complete = [ends[2], ends[4], ends[5]].iter().filter(|end| seen >= **end).count();
            assert_eq!(runs, complete, "after {seen} bytes in pieces of {size}");
        }
        assert_eq!(told, expected);
    }
}

/// A Bind of the statement `s`, all values text.
fn bind(portal: &str, values: &[&[u8]]) -> Vec<u8> {
    let mut body =
        [portal.as_bytes(), b"\0s\0\0\0", &u16::try_from(values.len()).unwrap().to_be_bytes()].concat();
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    frame(b'B', &[&body[..], b"\0\0"].concat())
}

/// What is told of the values of a Bind; of a long one how much of it, with what it begins with.
fn values(parameters: &[u8], length: u64) -> (Vec<String>, u64) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let values = Parameters::new(parameters, length).map(|(_, value)| match value {
        Value::Null => "NULL".to_owned(),
        Value::Whole(bytes) => text(bytes),
        Value::Head { bytes, length } => format!("{}… {} of {length}", text(&bytes[..2]), bytes.len()),
    });
    (values.collect(), length)
}

#[test]
fn a_long_value_hides_none_of_the_others_wherever_it_is_cut() {
    let limits = Limits { parameters: 2_000, tell_asked: true, ..Limits::default() };
    let long = b"ab".repeat(2_500);
    let sent = [bind("a", &[&long, b"42"]), bind(&"p".repeat(3_000), &[b"42", &long, b"tail"])].concat();
    let told =
        |values: &[&str], length: u64| (values.iter().map(|value| (*value).to_owned()).collect(), length);
    let first = told(&["ab… 1024 of 5000", "42"], 4 + 5_004 + 6 + 2);
    let second = told(&["42", "ab… 1024 of 5000", "tail"], 4 + 6 + 5_004 + 8 + 2);
    let expected = [&first, &second, &first, &second].map(Clone::clone);
    let cuts = (0..sent.len()).step_by(97).chain(0..20).chain(5_000..5_040);
    for cut in cuts {
        let mut wire = logged_in(limits);
        let mut told = Vec::new();
        let mut note = |observation: Observation<&[u8]>| match observation {
            Observation::Asked { ask: Ask::Bind { parameters, length, .. }, .. }
            | Observation::Settled(Settled { ask: Ask::Bind { parameters, length, .. }, .. }) => {
                told.push(values(parameters, length));
            }
            _ => {}
        };
        for chunk in [&sent[..cut], &sent[cut..]] {
            wire.client(&mut chunk.to_vec(), 0, &mut note).unwrap();
        }
        wire.server(&mut b"2\0\0\0\x042\0\0\0\x04".to_vec(), 0, &mut note).unwrap();
        assert_eq!(told, expected, "cut at {cut}");
    }
}

/// Nor where there is no more room for what was asked.
#[test]
fn of_a_long_pipeline_the_values_are_told_in_short() {
    let mut wire = logged_in(Limits { pending_bytes: 1, parameters: 2_000, ..Limits::default() });
    let mut told = Vec::new();
    let mut note = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask: Ask::Bind { parameters, length, .. }, .. }) = observation {
            told.push(values(parameters, length));
        }
    };
    wire.client(&mut bind("", &[b"1"]), 0, &mut note).unwrap();
    wire.client(&mut bind("", &[&b"ab".repeat(500), b"42"]), 0, &mut note).unwrap();
    wire.server(&mut b"2\0\0\0\x042\0\0\0\x04".to_vec(), 0, &mut note).unwrap();
    assert_eq!(told[1], (vec!["ab… 179 of 1000".to_owned(), "42".to_owned()], 4 + 1_004 + 6 + 2));
}
