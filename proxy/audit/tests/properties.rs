//! Any observations in any order: no panic, numbers without holes, events that read back as they were written.

use panoptes_config::Protocol;
use panoptes_parser::wire::{
    Answer, Ask, Failure, Observation, Observer, Settled, Target, TransactionStatus,
};
use proptest::prelude::*;

use super::{NameLimits, Stage};
use crate::session::Ending;

type Owned = Observation<Vec<u8>>;

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(&["", "s", "p", "a"][..]).prop_map(|name| name.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    const TEXTS: [&str; 31] = [
        "set names gbk, sql_mode = 'ansi'",
        "use a",
        "kill 7",
        "prepare s from 'call p()'",
        "xa rollback 'x'",
        "",
        ";",
        "select 1",
        "begin",
        "commit",
        "rollback",
        "commit and chain",
        "savepoint a",
        "rollback to a",
        "release a",
        "insert into t values (1)",
        "begin; delete from t; commit; select 2",
        "select 1; savepoint a; x",
        "prepare s as update t set a = $1",
        "execute s",
        "deallocate all",
        "discard all",
        "prepare transaction 'x'",
        "alter role a password 'x'",
        "call p()",
        "IDENTIFY_SYSTEM",
        "select 'open",
        "declare p cursor with hold for select 1",
        "close p",
        "close all",
        "select 1; select 2; execute s",
    ];
    prop_oneof![
        9 => prop::sample::select(&TEXTS[..]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn failure() -> impl Strategy<Value = Failure<Vec<u8>>> {
    (word(), word(), prop_oneof![Just(0), 1..30_u32, any::<u32>()], any::<bool>()).prop_map(
        |(sql_state, message, position, fatal)| Failure { sql_state, message, position, code: 0, fatal },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![Just(Target::Statement), Just(Target::Portal)]
}

fn ask() -> impl Strategy<Value = Ask<Vec<u8>>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let bound = prop_oneof![Just(vec![0; 6]), Just(b"\0\0\0\x01\0\0\0\x01x".to_vec()), bytes()];
    prop_oneof![
        4 => (prop::option::of(text()), any::<bool>()).prop_map(|(text, cut)| {
            let length = text.as_ref().map_or(0, Vec::len) as u64 + u64::from(cut);
            Ask::Query { text, length }
        }),
        2 => (word(), text(), bytes()).prop_map(|(statement, text, types)| {
            Ask::Parse { statement, length: text.len() as u64, text, types }
        }),
        2 => (word(), word(), bound, any::<u64>()).prop_map(|(portal, statement, parameters, length)| {
            Ask::Bind { portal, statement, parameters, length }
        }),
        4 => word().prop_map(|portal| Ask::Execute { portal }),
        1 => (target(), word()).prop_map(|(target, name)| Ask::Describe { target, name }),
        1 => (target(), word()).prop_map(|(target, name)| Ask::Close { target, name }),
        1 => any::<u32>().prop_map(|object| Ask::Command { name: "FunctionCall", object: Some(object), argument: Vec::new() }),
        1 => Just(Ask::Malformed),
        4 => (number(), prop::option::of(run()), any::<u64>(), any::<bool>(), any::<bool>()).prop_map(
            |(statement, parameters, length, bulk, named)| Ask::Run { statement, parameters, length, bulk, named }
        ),
        1 => (number(), any::<u16>(), bytes(), any::<u64>()).prop_map(|(statement, parameter, data, length)| {
            Ask::Append { statement, parameter, data, length }
        }),
        1 => number().prop_map(|statement| Ask::Fetch { statement }),
        1 => number().prop_map(|statement| Ask::Reset { statement }),
        1 => prop::sample::select(COMMANDS).prop_map(|name| Ask::Command { name, object: Some(7), argument: b"a`".to_vec() }),
    ]
}

const COMMANDS: &[&str] =
    &["COM_INIT_DB", "COM_RESET_CONNECTION", "COM_PROCESS_KILL", "COM_FIELD_LIST", "COM_CHANGE_USER"];

/// A prepared statement's, as the server sends it.
fn number() -> impl Strategy<Value = Vec<u8>> {
    (0..3_u8).prop_map(|number| vec![number, 0, 0, 0])
}

/// Parameters of a run: some that can be read, others that cannot.
fn run() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\0\x01\0\0\0\0\x01\x03\0\x07\0\0\0".to_vec()),
        Just(b"\0\x01\0\0\0\0\0\x07\0\0\0".to_vec()),
        prop::collection::vec(any::<u8>(), 0..24),
    ]
}

fn answer() -> impl Strategy<Value = Answer<Vec<u8>>> {
    let tags = &["", "SELECT 1", "COMMIT", "ROLLBACK", "DROP TABLE", "INSERT 0 99999999999999999999"][..];
    prop_oneof![
        8 => (prop::sample::select(tags), 0..3_u64).prop_map(|(tag, rows)| {
            Answer::Complete { tag: tag.as_bytes().to_vec(), rows, bytes: rows * 9, sent: 0 }
        }),
        1 => Just(Answer::Suspended { rows: u64::MAX, bytes: 1 }),
        3 => (0..3_u64).prop_map(|rows| Answer::Affected { rows, insert_id: 0, sent: rows, info: Vec::new() }),
        3 => (0..3_u64).prop_map(|rows| Answer::Returned { rows, bytes: rows }),
        1 => (0..3_u16).prop_map(|parameters| Answer::Prepared { parameters }),
        1 => Just(Answer::Streaming),
        1 => Just(Answer::Empty),
        3 => failure().prop_map(Answer::Failed),
        3 => Just(Answer::Skipped),
        1 => Just(Answer::Lost),
    ]
}

fn status() -> impl Strategy<Value = TransactionStatus> {
    use TransactionStatus::{Active, Failed, Idle};
    prop::sample::select(&[Idle, Active, Failed][..])
}

fn observation() -> impl Strategy<Value = Owned> {
    let names = &[
        "application_name",
        "client_encoding",
        "standard_conforming_strings",
        "server_version",
        "multi_statements",
        "character_set_client",
        "schema",
        "x",
    ][..];
    let values = &["", "off", "on", "LATIN1", "SJIS", "JOHAB", "\u{202e}"][..];
    prop_oneof![
        12 => (ask(), answer(), any::<u64>(), any::<u64>(), 0..2_u32).prop_map(
            |(ask, answer, asked, answered, warnings)| {
                Observation::Settled(Settled { ask, answer, asked, answered, warnings })
            }
        ),
        6 => status().prop_map(Observation::Ready),
        2 => status().prop_map(Observation::Turned),
        1 => run().prop_map(|attributes| Observation::Attributes { attributes }),
        1 => word().prop_map(|name| Observation::File { name }),
        1 => word().prop_map(|parameters| Observation::Startup { parameters }),
        1 => Just(Observation::Authentication { method: "md5" }),
        1 => any::<u32>().prop_map(|pid| Observation::Backend { pid }),
        1 => any::<u64>().prop_map(|at| Observation::LoggedIn { at }),
        1 => (any::<u64>(), failure()).prop_map(|(at, failure)| Observation::LoginFailed { at, failure }),
        1 => (prop::sample::select(names), prop::sample::select(values)).prop_map(|(name, value)| {
            Observation::Parameter { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() }
        }),
        1 => (word(), word()).prop_map(|(statement, types)| Observation::Described { statement, types }),
        1 => failure().prop_map(Observation::CommitFailed),
        1 => failure().prop_map(Observation::Ended),
        1 => Just(Observation::Blind { reason: "so it is" }),
        1 => any::<bool>().prop_map(|unanswered| Observation::Closed { unanswered }),
    ]
}

/// `Observation::map` gives what the observation owned away; this lends it.
fn lend(owned: &Owned, observe: impl FnOnce(Observation<&[u8]>)) {
    let mut bytes = Vec::new();
    let placed = owned.clone().map(|part| {
        let start = bytes.len();
        bytes.extend(part);
        start..bytes.len()
    });
    observe(placed.map(|place| &bytes[place]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_observations_make_events_that_read_back(
        observations in prop::collection::vec(observation(), 0..60),
        spills in prop::collection::vec(0..60_usize, 0..4),
        few in any::<bool>(),
        mysql in any::<bool>(),
    ) {
        let count = if few { 1 } else { 100 };
        let protocol = if mysql { Protocol::Mysql } else { Protocol::Postgres };
        let mut stage = Stage::with(protocol, NameLimits { count, bytes: 4 << 10, ahead: 1 << 10, text: 64 << 10 });
        for (place, owned) in observations.iter().enumerate() {
            lend(owned, |observation| stage.observe(observation));
            if spills.contains(&place) {
                stage.spill();
            }
        }
        // Every statement that was held comes out, and `events` looks at their numbers and their form.
        stage.closed(true).end(&Ending::ServerEof);
        let events = stage.events();
        for event in events {
            let Some(transaction) = &event.transaction else { continue };
            if let (Some(from), Some(to)) = (transaction.from_seq, transaction.to_seq) {
                prop_assert!(from <= to && Some(to) < event.session.as_ref().unwrap().seq);
            }
        }
        prop_assert_eq!(stage.session.transactions.held(), 0);
    }
}
