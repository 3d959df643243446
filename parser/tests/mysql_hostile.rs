//! Any bytes of either peer, in any order: nothing panics, nothing is lost, and nothing is changed but capabilities.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use panoptes_parser::{
    mysql::{
        Mysql,
        values::{Attributes, Parameters, Value},
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

const PROTOCOL_41: u32 = 0x0000_8200;
const DEPRECATE_EOF: u32 = 1 << 24;
const MULTI_STATEMENTS: u32 = 1 << 16;
const QUERY_ATTRIBUTES: u32 = 1 << 27;
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

fn greeting() -> Vec<u8> {
    let head = b"\x0a8.4.0\0\x07\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xff\x15";
    packet(0, &[&head[..], &[0; 10], b"ijklmnopqrst\0mysql_native_password\0"].concat())
}

fn response(capabilities: u32) -> Vec<u8> {
    packet(1, &[&capabilities.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23], b"ana\0\0"].concat())
}

fn ignore(_: Observation<&[u8]>) {}

/// A session that has logged in, and agrees on these.
fn session(limits: Limits, capabilities: u32) -> Mysql {
    let mut wire = Mysql::new(limits);
    assert_eq!(wire.open(b""), Opening::Dial);
    wire.server(&mut greeting(), 0, &mut ignore).unwrap();
    wire.client(&mut response(PROTOCOL_41 | capabilities), 0, &mut ignore).unwrap();
    wire.server(&mut OK.to_vec(), 0, &mut ignore).unwrap();
    assert!(wire.is_logged_in() && wire.rest() == Rest::Idle);
    wire
}

/// Rows are awaited then, but the login's OK comes first.
#[test]
fn a_fetch_along_with_the_login_hides_nothing() {
    let mut wire = Mysql::new(Limits::default());
    wire.server(&mut greeting(), 0, &mut ignore).unwrap();
    let mut said = [response(PROTOCOL_41), question(0x1c, 7), question(0x03, 8)].concat();
    wire.client(&mut said, 0, &mut ignore).unwrap();
    wire.server(&mut OK.to_vec(), 0, &mut ignore).unwrap();
    assert!(wire.is_logged_in());
    let mut settled = 0;
    let mut note = |observation: Observation<&[u8]>| {
        settled += usize::from(matches!(observation, Observation::Settled(_)));
    };
    wire.server(&mut [answer(b'E'), answer(b'O')].concat(), 0, &mut note).unwrap();
    assert_eq!((settled, wire.rest()), (2, Rest::Idle));
}

/// A question that tells itself apart from all others by its number.
fn question(command: u8, number: usize) -> Vec<u8> {
    let id = u32::try_from(number).unwrap().to_le_bytes();
    let body = match command {
        0x03 | 0x16 | 0x02 | 0x04 => number.to_string().into_bytes(),
        0x17 => [&id[..], b"\0\x01\0\0\0"].concat(),
        0x18 => [&id[..], b"\0\0data"].concat(),
        0x0c | 0x19 | 0x1a | 0x1c | 0xfa => id.to_vec(),
        _ => Vec::new(),
    };
    packet(0, &[&[command][..], &body].concat())
}

fn answer(kind: u8) -> Vec<u8> {
    packet(
        1,
        match kind {
            b'O' => b"\0\0\0\x02\0\0\0",
            // More results.
            b'M' => b"\0\0\0\x0a\0\0\0",
            b'X' => b"\xfe\0\0\x02\0",
            b'E' => b"\xff\x28\x04#42000no",
            b'1' => b"\x01",
            b'C' => b"\x03def",
            b'R' => b"\x01a",
            b'P' => b"\0\x07\0\0\0\x01\0\x01\0\0\0\0",
            b'F' => b"\xfbfile",
            _ => b"",
        },
    )
}

fn number(ask: &Ask<&[u8]>) -> Option<usize> {
    let name = match ask {
        Ask::Query { text, .. } => (*text)?,
        Ask::Parse { text, .. } => text,
        Ask::Command { object: Some(object), .. } => return usize::try_from(*object).ok(),
        Ask::Command { argument, .. } => argument,
        Ask::Run { parameters: None, .. } => return None,
        Ask::Run { statement, .. }
        | Ask::Append { statement, .. }
        | Ask::Reset { statement }
        | Ask::Fetch { statement }
        | Ask::Close { name: statement, .. } => {
            return Some(u32::from_le_bytes((*statement).try_into().ok()?) as usize);
        }
        _ => return None,
    };
    std::str::from_utf8(name).ok()?.parse().ok()
}

const COMMANDS: &[u8] = &[0x03, 0x03, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1c, 0xfa, 0x02, 0x04, 0x0c];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = prop::sample::select(COMMANDS).prop_map(Step::Client);
    let server = prop::sample::select(&b"OOMXEE1CRPXF"[..]).prop_map(Step::Server);
    prop::collection::vec(prop_oneof![client, server], 0..60)
}

fn noise() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let noise = (any::<bool>(), bytes).prop_map(|(client, bytes)| Step::Bytes { client, bytes });
    // A sound header, and any payload.
    let bytes = prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(0xfe), Just(0xff)], 0..20);
    let near = (any::<bool>(), 0..3_u8, any::<u8>(), bytes).prop_map(|(client, number, first, rest)| {
        Step::Bytes { client, bytes: packet(number, &[&[first][..], &rest].concat()) }
    });
    let known = steps().prop_map(|mut steps| steps.pop().unwrap_or(Step::Client(0x0e)));
    prop::collection::vec(prop_oneof![1 => noise, 4 => near, 4 => known], 0..40)
}

/// Plays it in pieces of `size`, and gives what was seen, what was settled, and which questions were heard.
fn play(steps: &[Step], size: usize, capabilities: u32) -> (Vec<String>, Vec<usize>, Vec<usize>) {
    let mut wire = session(Limits::default(), capabilities);
    let (mut seen, mut settled, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    let mut observer = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask, .. }) = &observation {
            settled.extend(number(ask));
        }
        seen.push(format!("{observation:?}"));
    };
    // Once a peer was refused the session is over.
    let mut refused = false;
    for (place, step) in steps.iter().enumerate() {
        let (client, bytes) = match step {
            Step::Client(command) => (true, question(*command, place)),
            Step::Server(kind) => (false, answer(*kind)),
            Step::Bytes { client, bytes } => (*client, bytes.clone()),
        };
        for chunk in bytes.chunks(size) {
            if refused {
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
                refused = true;
                observer(Observation::Blind { reason: violation.reason });
            }
        }
        if client && !refused {
            heard.push(place);
        }
    }
    wire.end(0, &mut observer);
    assert!(!wire.is_full());
    settled.sort_unstable();
    (seen, settled, heard)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the server says, each question is told once, up to the end of the session.
    #[test]
    fn each_question_is_settled_once(steps in steps(), new in any::<bool>()) {
        let capabilities = if new { DEPRECATE_EOF } else { 0 };
        let (seen, settled, heard) = play(&steps, usize::MAX, capabilities);
        // While a file is awaited, what the client sends is that file.
        if !steps.iter().any(|step| matches!(step, Step::Server(b'F'))) {
            prop_assert_eq!(settled, heard, "{:#?}", seen);
        }
    }

    #[test]
    fn any_bytes_are_taken_in_any_pieces(steps in noise(), size in 1..20_usize, all in any::<bool>()) {
        let capabilities = if all { u32::MAX } else { 0 };
        prop_assert_eq!(play(&steps, size, capabilities), play(&steps, usize::MAX, capabilities));
    }

    /// Before the login is over, too; however they are cut, the same is seen and passed on.
    #[test]
    fn any_bytes_before_the_login(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1..50_usize, stage in 0..5) {
        let play = |size: usize| {
            let mut wire = Mysql::new(Limits::default());
            let (mut seen, mut passed) = (Vec::new(), Vec::new());
            let mut observer = |observation: Observation<&[u8]>| seen.push(format!("{observation:?}"));
            if stage > 0 {
                wire.server(&mut greeting(), 0, &mut observer).unwrap();
            }
            if stage > 2 {
                wire.client(&mut response(PROTOCOL_41), 0, &mut observer).unwrap();
            }
            let sound = match stage {
                0 => greeting(),
                1 => response(u32::MAX),
                3 => packet(2, b"\xfemysql_native_password\0abc"),
                _ => Vec::new(),
            };
            let mut sent = [sound, bytes.clone()].concat();
            for chunk in sent.chunks_mut(size) {
                let end = match stage {
                    0 | 3 => wire.server(chunk, 0, &mut observer),
                    _ => wire.client(chunk, 0, &mut observer),
                };
                let pass = end.map_or_else(|violation| violation.pass, |()| chunk.len());
                passed.extend_from_slice(&chunk[..pass]);
                if pass < chunk.len() || end.is_err() {
                    break;
                }
            }
            wire.end(0, &mut observer);
            (seen, passed)
        };
        prop_assert_eq!(play(size), play(usize::MAX));
    }
}

#[test]
fn a_greeting_and_a_login_lose_what_is_not_followed() {
    let mut wire = Mysql::new(Limits::default());
    let mut sent = greeting();
    wire.server(&mut sent, 0, &mut ignore).unwrap();
    // COMPRESS and SSL, ZSTD and what is to come.
    let changed: Vec<_> =
        sent.iter().zip(greeting()).filter(|(a, b)| **a != *b).map(|(a, b)| (b, *a)).collect();
    assert_eq!(changed, [(0xff, 0xdf), (0xff, 0xf7), (0xff, 0xdb)]);
    let mut asked = response(!(1 << 19 | 1 << 20 | 1 << 21));
    wire.client(&mut asked, 0, &mut ignore).unwrap();
    assert_eq!(asked[4..8], [0xdf, 0xf7, 0xc7, 0xdb]);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let refused =
        |wire: &mut Mysql, bytes: &[u8]| wire.client(&mut bytes.to_vec(), 0, &mut ignore).unwrap_err();
    let mut early = Mysql::new(Limits::default());
    assert_eq!(refused(&mut early, b"\x01\0\0\0\x0e").reason, "the client spoke before the server");
    let mut wants_tls = Mysql::new(Limits::default());
    wants_tls.server(&mut greeting(), 0, &mut ignore).unwrap();
    let request = packet(1, &[&0x8a00_u32.to_le_bytes()[..], &[0; 28]].concat());
    assert_eq!(refused(&mut wants_tls, &request).reason, "a login that cannot be followed");
    let mut clone = session(Limits::default(), 0);
    assert_eq!(refused(&mut clone, b"\x01\0\0\0\x20").pass, 5);
    let mut disorder = session(Limits::default(), 0);
    assert_eq!(refused(&mut disorder, b"\x02\0\0\x01\x0ea").reason, "packets out of order");
    let mut rounds = Mysql::new(Limits::default());
    rounds.server(&mut greeting(), 0, &mut ignore).unwrap();
    rounds.client(&mut response(PROTOCOL_41), 0, &mut ignore).unwrap();
    let proofs: Vec<u8> = (0..32).flat_map(|n| packet(3 + 2 * n, b"proof")).collect();
    rounds.client(&mut proofs.clone(), 0, &mut ignore).unwrap();
    assert_eq!(refused(&mut rounds, &packet(67, b"proof")).reason, "too many rounds in a login");
}

#[test]
fn a_pipeline_is_full_at_its_limits() {
    let mut wire = session(Limits { pending: 3, ..Limits::default() }, 0);
    for n in 0..3 {
        assert!(!wire.is_full());
        wire.client(&mut question(0x03, n), 0, &mut ignore).unwrap();
    }
    assert!(wire.is_full());
    wire.server(&mut answer(b'O'), 0, &mut ignore).unwrap();
    assert!(!wire.is_full());
    let mut wire = session(Limits { pending_bytes: 1_000, ..Limits::default() }, 0);
    wire.client(&mut packet(0, &[3; 1_100]), 0, &mut ignore).unwrap();
    assert!(wire.is_full());
}

#[test]
fn a_text_beyond_its_limit_is_told_with_its_digest_wherever_it_is_cut() {
    let limits = Limits { sql: 10, parameters: 40, ..Limits::default() };
    let (text, attributes) =
        ("select 1 from a_table where 2 = 3 and 4 = 5", b"\x01\x01\0\x01\xfd\0\x05trace\x02t1");
    for capabilities in [0, QUERY_ATTRIBUTES] {
        let ahead = if capabilities > 0 { &attributes[..] } else { b"" };
        let query = packet(0, &[&[3][..], ahead, text.as_bytes()].concat());
        let question = [packet(0, format!("\x16{text}").as_bytes()), query].concat();
        for cut in 0..=question.len() {
            let mut wire = session(limits, capabilities);
            let mut told = Vec::new();
            let mut note = |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { sha256 } => told.push(sha256 == Sha256::digest(text).as_slice()),
                Observation::Attributes { attributes: told_attributes } => {
                    told.push(told_attributes == ahead)
                }
                Observation::Settled(Settled { ask, .. }) => match ask {
                    Ask::Parse { text: head, length, .. } | Ask::Query { text: Some(head), length } => {
                        told.push(head == &text.as_bytes()[..10] && length == text.len() as u64);
                    }
                    other => panic!("{other:?}"),
                },
                _ => {}
            };
            let (a, b) = question.split_at(cut);
            wire.client(&mut a.to_vec(), 0, &mut note).unwrap();
            wire.client(&mut b.to_vec(), 0, &mut note).unwrap();
            wire.server(&mut answer(b'E'), 0, &mut note).unwrap();
            wire.server(&mut answer(b'O'), 0, &mut note).unwrap();
            let expected = if capabilities > 0 { 5 } else { 4 };
            assert_eq!(told, vec![true; expected], "cut at {cut}");
        }
    }
}

/// So that it can be told what its statements are; where it cannot be of several, it is a long statement.
#[test]
fn a_text_of_several_statements_is_told_whole_wherever_it_is_cut() {
    let (script, attributes) =
        ("do 1; do 2; insert into t values (';')", b"\x01\x01\0\x01\xfd\0\x05trace\x02t1");
    let limits = Limits { sql: 10, script: script.len(), parameters: 40, ..Limits::default() };
    let longer = format!("{script} ");
    let single = "insert into t values ('a'), ('b')";
    for (text, capabilities, most) in [
        (script, MULTI_STATEMENTS, script.len()),
        (script, MULTI_STATEMENTS | QUERY_ATTRIBUTES, script.len()),
        (script, QUERY_ATTRIBUTES, 10),
        (&longer, MULTI_STATEMENTS, 10),
        (&longer, MULTI_STATEMENTS | QUERY_ATTRIBUTES, 10),
        (single, MULTI_STATEMENTS, 10),
    ] {
        let ahead = if capabilities & QUERY_ATTRIBUTES > 0 { &attributes[..] } else { b"" };
        let query = packet(0, &[&[3][..], ahead, text.as_bytes()].concat());
        for cut in 0..=query.len() {
            let (mut wire, mut told) = (session(limits, capabilities), Vec::new());
            let mut note = |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { sha256 } => assert_eq!(sha256, Sha256::digest(text).as_slice()),
                Observation::Settled(Settled { ask: Ask::Query { text: Some(head), length }, .. }) => {
                    assert_eq!(length, text.len() as u64);
                    told.push(head.to_vec());
                }
                _ => {}
            };
            let (a, b) = query.split_at(cut);
            wire.client(&mut a.to_vec(), 0, &mut note).unwrap();
            wire.client(&mut b.to_vec(), 0, &mut note).unwrap();
            wire.server(&mut answer(b'O'), 0, &mut note).unwrap();
            assert_eq!(told, [&text.as_bytes()[..most]], "{text} cut at {cut}");
        }
    }
}

/// However large they are.
#[test]
fn attributes_hide_no_text() {
    let limits = Limits { sql: 10, parameters: 40, ..Limits::default() };
    let text = "delete from t where a = 5";
    let values =
        [&[0xfc, 200, 0][..], &[b'x'; 200], &[0xfe, 3, 0, 0, 0, 0, 0, 0, 0], b"abc", &[7, 0, 0, 0]].concat();
    let ahead = [&b"\x03\x03\x01\0\x01\xfd\0\x01a\xfd\0\x01b\x03\0\x01c"[..], &values].concat();
    for text in [text, &text[..6]] {
        let question = packet(0, &[&ahead[..], text.as_bytes()].concat());
        for cut in 0..=question.len() {
            let (mut wire, mut told) = (session(limits, QUERY_ATTRIBUTES), Vec::new());
            let mut note = |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { sha256 } => assert_eq!(sha256, Sha256::digest(text).as_slice()),
                Observation::Attributes { attributes } => {
                    assert_eq!(Attributes::new(attributes).left_out(), Some(ahead.len() as u64 - 1));
                }
                Observation::Settled(Settled { ask: Ask::Query { text: Some(head), length }, .. }) => {
                    told.push((head.to_vec(), length));
                }
                _ => {}
            };
            let (a, b) = question.split_at(cut);
            wire.client(&mut a.to_vec(), 0, &mut note).unwrap();
            wire.client(&mut b.to_vec(), 0, &mut note).unwrap();
            wire.server(&mut answer(b'O'), 0, &mut note).unwrap();
            let head = text.get(..10).unwrap_or(text).as_bytes().to_vec();
            assert_eq!(told, [(head, text.len() as u64)], "cut at {cut}");
        }
    }
}

#[test]
fn a_row_of_16_mib_is_one_row() {
    let mut wire = session(Limits::default(), 0);
    wire.client(&mut question(0x03, 1), 0, &mut ignore).unwrap();
    let row = vec![0xfe; 17 << 20];
    let (first, rest) = row.split_at(0xff_ffff);
    let stream =
        [answer(b'1'), answer(b'C'), answer(b'X'), packet(4, first), packet(5, rest), answer(b'X')].concat();
    let mut told = Vec::new();
    let mut note = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { answer, .. }) = observation {
            told.push(format!("{answer:?}"));
        }
    };
    for chunk in stream.chunks(64 << 10) {
        wire.server(&mut chunk.to_vec(), 0, &mut note).unwrap();
    }
    assert_eq!(told, [format!("Returned {{ rows: 1, bytes: {} }}", row.len() + 8)]);
    assert_eq!(wire.rest(), Rest::Idle);
}

#[test]
fn our_own_words_have_the_number_that_the_client_awaits() {
    let number = |wire: &Mysql| wire.farewell(panoptes_parser::wire::Farewell::Shutdown)[3];
    let mut wire = Mysql::new(Limits::default());
    assert_eq!(number(&wire), 0);
    wire.server(&mut greeting(), 0, &mut ignore).unwrap();
    wire.client(&mut response(PROTOCOL_41), 0, &mut ignore).unwrap();
    assert_eq!(number(&wire), 2);
    wire.server(&mut OK.to_vec(), 0, &mut ignore).unwrap();
    assert_eq!(number(&wire), 0, "nothing is asked");
    wire.client(&mut question(0x03, 1), 0, &mut ignore).unwrap();
    assert_eq!(number(&wire), 1);
    wire.server(&mut packet(7, b"\x01"), 0, &mut ignore).unwrap();
    wire.client(&mut question(0x03, 2), 0, &mut ignore).unwrap();
    assert_eq!(number(&wire), 8, "in the middle of an answer");
}

/// What runs is told once all of it is here, and not before: its last byte is still to be passed on.
#[test]
fn a_question_is_told_ahead_when_its_last_byte_is_here() {
    let limits = Limits { sql: 10, tell_asked: true, ..Limits::default() };
    let long = packet(0, b"\x03select 1 from a_table");
    // A ping, what fetches, and what is closed start nothing; what is closed tells of runs to come.
    let packets = [
        question(0x16, 1),
        packet(0, b"\x17\xff\xff\xff\xff\0\x01\0\0\0"),
        long,
        question(0x0e, 0),
        question(0x1c, 7),
        question(0x02, 5),
        question(0x19, 7),
    ];
    let expected = ["Parse", "Run", "hashed", "Query", "Command", "Close"];
    let ends: Vec<usize> =
        packets.iter().scan(0, |end, packet| Some(*end + packet.len()).inspect(|e| *end = *e)).collect();
    let stream = packets.concat();
    for size in 1..=stream.len() {
        let mut wire = session(limits, 0);
        let (mut told, mut runs, mut seen) = (Vec::new(), 0, 0);
        for chunk in stream.chunks(size) {
            wire.client(&mut chunk.to_vec(), 0, &mut |observation: Observation<&[u8]>| match observation {
                Observation::Hashed { .. } => told.push("hashed".to_owned()),
                Observation::Asked { ask, .. } => {
                    if let Ask::Run { statement, .. } = ask {
                        assert_eq!(statement, [0xff; 4], "what is prepared last has no number yet");
                    }
                    runs += usize::from(ask.runs());
                    told.push(format!("{ask:?}").split(' ').next().unwrap().to_owned());
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
            seen += chunk.len();
            let complete = [ends[1], ends[2], ends[5]].iter().filter(|end| seen >= **end).count();
            assert_eq!(runs, complete, "after {seen} bytes in pieces of {size}");
        }
        assert_eq!(told, expected);
    }
}

/// A run of a text of so many bytes and a number; with its types, or without.
fn long_run(length: usize, with_types: bool) -> Vec<u8> {
    let types: &[u8] = if with_types { b"\0\x01\xfd\0\x03\0\xfd" } else { b"\0\0\xfd" };
    let text = vec![b'x'; length];
    let length = u32::try_from(length).unwrap().to_le_bytes();
    let head = [b"\x17\x07\0\0\0\0\x01\0\0\0", types, &length[..3]].concat();
    [&head[..], &text, &42_u32.to_le_bytes()].concat()
}

/// In as many packets as it takes.
fn packets(body: &[u8]) -> Vec<u8> {
    let parts = body.chunks(0xff_ffff).enumerate();
    let sent: Vec<_> = parts.map(|(number, part)| packet(u8::try_from(number).unwrap(), part)).collect();
    sent.concat()
}

/// The texts and numbers that are told of a run, the texts by what is kept of them and their length.
fn told_of_run(wire: &mut Mysql, sent: &[u8], piece: usize) -> Vec<(usize, u32, Vec<u8>)> {
    let mut told = Vec::new();
    let mut note = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask: Ask::Run { parameters: Some(body), .. }, .. }) =
            observation
        {
            assert!(body.len() < 210 << 10);
            // The types of an earlier run.
            let all = Parameters::new(body, 2, false, &[253, 3], &[]);
            told = all
                .map(|one| match one.value {
                    Value::Null => (0, 0, vec![]),
                    Value::Whole(bytes) if bytes.len() == 4 => (4, 4, bytes.to_vec()),
                    Value::Whole(bytes) => (bytes.len(), bytes.len() as u32, vec![]),
                    Value::Head { bytes, length } => (bytes.len(), length, vec![]),
                })
                .collect();
        }
    };
    for chunk in sent.chunks(piece) {
        wire.client(&mut chunk.to_vec(), 0, &mut note).unwrap();
    }
    wire.server(&mut answer(b'O'), 0, &mut note).unwrap();
    told
}

/// A session in which the statement 7 with its two parameters was prepared.
fn prepared() -> Mysql {
    let mut wire = session(Limits::default(), DEPRECATE_EOF);
    wire.client(&mut packet(0, b"\x16select ?, ?"), 0, &mut ignore).unwrap();
    wire.server(&mut packet(1, b"\0\x07\0\0\0\0\0\x02\0\0\0\0"), 0, &mut ignore).unwrap();
    for number in [2, 3] {
        wire.server(&mut packet(number, b"\x03def"), 0, &mut ignore).unwrap();
    }
    assert_eq!(wire.rest(), Rest::Idle);
    wire
}

#[test]
fn a_long_value_hides_no_other_wherever_it_is_cut() {
    let number = (4, 4, vec![42, 0, 0, 0]);
    for (length, kept) in [(65_000, 65_000), (66_000, 1 << 10), (200_000, 1 << 10), (300_000, 1 << 10)] {
        let expected = [(kept, length as u32, vec![]), number.clone()];
        for piece in [usize::MAX, 65_536, 4_099, 7].into_iter().chain((length < 70_000).then_some(1)) {
            let mut wire = prepared();
            assert_eq!(
                told_of_run(&mut wire, &packets(&long_run(length, true)), piece),
                expected,
                "{length} by {piece}"
            );
            assert_eq!(told_of_run(&mut wire, &packets(&long_run(length, false)), piece), expected, "again");
        }
    }
    let sent = packets(&long_run(0xff_ffff, true));
    let expected = [(1 << 10, 0xff_ffff, vec![]), number];
    for piece in [usize::MAX, 1 << 16] {
        assert_eq!(told_of_run(&mut prepared(), &sent, piece), expected, "of two packets");
    }
}

#[test]
fn nobody_makes_a_head_but_us() {
    // It is short, and it has the mark of what was condensed.
    let marked = b"\x17\x07\0\0\0\0\xff\xff\xff\xff\0\x01\xfd\0\x03\0\xff\0\0\x01\0\x01\0x\x07\0\0\0";
    assert_eq!(told_of_run(&mut prepared(), &packet(0, marked), usize::MAX), []);
    // It is long, and nobody knows what it is.
    let mut sent = long_run(300_000, true);
    sent[6..10].fill(0xff);
    let mut unknown = session(Limits::default(), DEPRECATE_EOF);
    assert_eq!(told_of_run(&mut unknown, &packets(&sent), 4_096), []);
    assert_eq!(told_of_run(&mut prepared(), &packets(&sent), 4_096).len(), 2);
}

#[test]
fn a_long_run_is_read_by_what_the_server_knows() {
    let expected = 2;
    let run = |wire: &mut Mysql, with_types| {
        told_of_run(wire, &packets(&long_run(300_000, with_types)), 4_096).len()
    };
    let mut wire = prepared();
    assert_eq!(run(&mut wire, false), 0, "no types yet");
    assert_eq!(run(&mut wire, true), expected);
    // What the server is yet to say may change it.
    wire.client(&mut packet(0, b"\x1f"), 0, &mut ignore).unwrap();
    let sent = packets(&long_run(300_000, true));
    wire.client(&mut sent.clone(), 0, &mut ignore).unwrap();
    wire.server(&mut answer(b'O'), 0, &mut ignore).unwrap();
    let mut heads = 0;
    let mut note = |observation: Observation<&[u8]>| {
        if let Observation::Settled(Settled { ask: Ask::Run { parameters: Some(body), .. }, .. }) =
            observation
        {
            heads += Parameters::new(body, 2, false, &[253, 3], &[]).count();
        }
    };
    wire.server(&mut answer(b'O'), 0, &mut note).unwrap();
    assert_eq!(heads, 0);
    // Now it is forgotten.
    assert_eq!(run(&mut wire, true), 0);
    // What was sent ahead has no value in the run.
    let mut wire = prepared();
    wire.client(&mut packet(0, b"\x18\x07\0\0\0\0\0data"), 0, &mut ignore).unwrap();
    assert_eq!(run(&mut wire, true), 0, "its text is taken for the number, and what is behind for nothing");
    assert_eq!(run(&mut wire, true), expected);
}
