//! Mode `strict`: what is to run is told before it does, and has one outcome.

use std::collections::BTreeMap;

use panoptes_config::{Mode, Protocol};
use panoptes_event::{Event, Kind, Uuid};
use panoptes_parser::{
    mysql::Mysql,
    postgres::Postgres,
    wire::{Answer, Ask, Limits, Observation, Observer, Settled, Wire},
};
use proptest::prelude::*;

use super::{NameLimits, Stage, done, failed, short};

/// When everything is asked, as [`Stage::settled`] has it.
const ASKED: u64 = 1_000;

const LIMITS: NameLimits = NameLimits { count: 10_000, bytes: 16 << 20, ahead: 1 << 10, text: 64 << 10 };

fn strict() -> Stage {
    Stage::in_mode(Protocol::Postgres, Mode::Strict, LIMITS)
}

fn mysql() -> Stage {
    Stage::in_mode(Protocol::Mysql, Mode::Strict, LIMITS)
}

/// The ids of intents, with the events that are their outcome.
fn outcomes(events: &[Event]) -> Vec<Vec<&Event>> {
    let intents: Vec<&Event> = events.iter().filter(|event| event.kind == Kind::Intent).collect();
    let places: BTreeMap<Uuid, usize> =
        intents.iter().enumerate().map(|(place, intent)| (intent.id, place)).collect();
    assert_eq!(places.len(), intents.len(), "ids are unique");
    let mut outcomes = vec![Vec::new(); intents.len()];
    for event in events {
        let Some(id) = event.intent_id else { continue };
        let first = places[&id];
        for place in first..first + event.intent_count.unwrap_or(1) as usize {
            let seq = |event: &Event| event.session.as_ref().unwrap().seq;
            assert!(seq(intents[place]) < seq(event), "told before");
            outcomes[place].push(event);
        }
    }
    outcomes
}

impl Stage {
    fn asks(&mut self, ask: Ask<&[u8]>) -> &mut Self {
        self.observe(Observation::Asked { ask, at: ASKED });
        self
    }

    fn asks_query(&mut self, text: &str) -> &mut Self {
        self.asks(Ask::Query { text: Some(text.as_bytes()), length: text.len() as u64 })
    }

    fn asks_parse(&mut self, name: &str, text: &str) -> &mut Self {
        let (statement, text) = (name.as_bytes(), text.as_bytes());
        self.asks(Ask::Parse { statement, text, length: text.len() as u64, types: b"" })
    }

    fn asks_bind(&mut self, statement: &str) -> &mut Self {
        let parameters = b"\0\0\0\x01\0\0\0\x01x";
        self.asks(Ask::Bind { portal: b"", statement: statement.as_bytes(), parameters, length: 9 })
    }

    fn asks_execute(&mut self) -> &mut Self {
        self.asks(Ask::Execute { portal: b"" })
    }

    /// Each intent in short, with the `session.seq` of its one outcome.
    fn intended(&mut self) -> Vec<String> {
        let events = self.events().to_vec();
        let intents = events.iter().filter(|event| event.kind == Kind::Intent);
        let outcome = |(intent, outcomes): (&Event, Vec<&Event>)| match outcomes[..] {
            [one] => {
                let seq = one.session.as_ref().unwrap().seq.unwrap();
                let outcome = one.sql.as_ref().unwrap().outcome.unwrap().as_str();
                format!("{} → {seq} {outcome}", short(intent, &mut Vec::new()))
            }
            _ => panic!("{} outcomes of {intent:#?}", outcomes.len()),
        };
        intents.zip(outcomes(&events)).map(outcome).collect()
    }
}

#[test]
fn each_statement_of_a_text_is_told_before_and_has_its_outcome() {
    let mut stage = strict();
    stage.asks_query("select 1; selct 2; select 3");
    assert_eq!(stage.events().len(), 3, "all of them, before anything is answered");
    stage.query("select 1; selct 2; select 3", done("SELECT 1")).next(failed("42601", "no")).idle();
    assert_eq!(
        stage.intended(),
        [
            "1 intent SELECT \"select 1\" → 4 ok",
            "2 intent UNKNOWN \"selct 2\" → 5 error",
            "3 intent SELECT \"select 3\" → 6 skipped"
        ]
    );
}

#[test]
fn a_text_without_statements_has_no_intent() {
    let mut stage = strict();
    stage.asks_query(" ; -- nothing").query(" ; -- nothing", Answer::Empty).idle();
    for text in ["", ";", "-- nothing", " /* nothing */ ; "] {
        stage.asks_parse("s", text).asks_bind("s").asks_execute();
        stage.parse("s", text, done("")).bind("s", "x", done("")).execute(Answer::Empty).idle();
    }
    assert_eq!(stage.told(), "");
}

#[test]
fn one_event_may_stand_for_several_intents() {
    let mut stage = strict();
    stage.asks_query("select 1; select 2; select 3").query("select 1; select 2; select 3", done("SELECT 1"));
    stage.next(done("SELECT 1")).idle();
    let all = stage.intended();
    assert!(all.len() == 3 && all.iter().all(|intent| intent.ends_with("→ 4 ok")), "{all:#?}");
    let whole = stage.last();
    assert_eq!((whole.intent_count, whole.sql.unwrap().split.as_deref()), (Some(3), Some("uncertain")));

    let mut stage = strict();
    stage.asks_query("select 1").query("select 1", done("SELECT 1")).next(done("SELECT 1")).idle();
    assert_eq!(stage.intended(), ["1 intent SELECT \"select 1\" → 2 ok"]);
}

/// Whether its statements can be told apart may be known before it runs and not behind, and the other way about.
#[test]
fn a_text_that_is_cut_otherwise_than_it_was_told_has_its_outcomes() {
    let text = r"select 'a\'; select 2";
    let run = |stage: &mut Stage| {
        stage.parse("", "do $$ $$", done("")).bind("", "1", done("")).execute(done("DO"));
    };
    let ask = |stage: &mut Stage| {
        stage.asks_parse("", "do $$ $$").asks_bind("").asks_execute();
    };
    for (asked_behind, synced, outcomes) in [
        (false, false, &["4 ok", "5 ok", "5 ok"][..]),
        (true, false, &["3 ok", "4 ok"]),
        (true, true, &["3 ok", "4 ok"]),
    ] {
        let mut stage = strict();
        ask(&mut stage);
        if asked_behind {
            run(&mut stage);
            stage.asks_query(text);
        } else {
            stage.asks_query(text);
            run(&mut stage);
        }
        if synced {
            stage.idle();
        }
        stage.query(text, done("SELECT 1")).next(done("SELECT 1")).idle();
        let told = stage.intended();
        let ends: Vec<_> = told.iter().map(|told| told.split(" → ").last().unwrap()).collect();
        assert_eq!(ends, outcomes, "{told:#?}");
    }
}

#[test]
fn a_pipeline_is_told_by_what_it_prepares_itself() {
    let mut stage = strict();
    for table in ["a", "b"] {
        stage.asks_parse("s", &format!("delete from {table} where x = $1")).asks_bind("s").asks_execute();
    }
    for table in ["a", "b"] {
        let text = format!("delete from {table} where x = $1");
        stage.parse("s", &text, done("")).bind("s", "x", done("")).execute(done("DELETE 1"));
    }
    stage.idle();
    // What is prepared is known without being asked for again.
    stage.asks_bind("s").asks_execute().bind("s", "x", done("")).execute(done("DELETE 0")).idle();
    let told = stage.intended();
    let expected = [("1", "a", "3 ok"), ("2", "b", "4 ok"), ("5", "b", "6 ok")].map(|(seq, table, end)| {
        format!("{seq} intent DELETE(write {table}) \"delete from {table} where x = $1\" as s → {end}")
    });
    let without_values = |text: &String| {
        let (head, tail) = (text.find(" [").unwrap(), text.find(" as s").unwrap());
        text[..head].to_owned() + &text[tail..]
    };
    assert_eq!(told.iter().map(without_values).collect::<Vec<_>>(), expected);
    assert!(told.iter().all(|told| told.contains(" [")), "values are told: {told:#?}");
}

#[test]
fn the_execution_of_what_cannot_be_prepared_shares_its_outcome() {
    let mut stage = strict();
    let pipeline = |stage: &mut Stage| {
        stage.asks_parse("", "selct $1").asks_bind("").asks_execute();
    };
    pipeline(&mut stage);
    stage.parse("", "selct $1", failed("42601", "no"));
    stage.bind("", "x", Answer::Skipped).execute(Answer::Skipped).idle();
    assert_eq!(stage.intended().len(), 1);
    assert_eq!(stage.events().len(), 2, "one event for both");
    // Where the failure was written before the execution came, that has an outcome of its own.
    stage.asks_parse("", "selct $1").parse("", "selct $1", failed("42601", "no")).spill();
    stage.asks_bind("").bind("", "x", Answer::Skipped).asks_execute().execute(Answer::Skipped).idle();
    let told = stage.intended();
    assert!(
        told[1].starts_with("4 intent UNKNOWN \"selct $1\"") && told[1].ends_with("5 skipped"),
        "{told:#?}"
    );
}

#[test]
fn what_is_lost_and_what_was_never_sent_are_told_apart() {
    let mut stage = strict();
    stage.asks_query("delete from a").asks_query("delete from b");
    stage.session.unsent(1);
    stage.query("delete from a", Answer::Lost).query("delete from b", Answer::Lost).closed(true);
    assert_eq!(
        stage.intended(),
        [
            "1 intent DELETE(write a) \"delete from a\" → 3 lost",
            "2 intent DELETE(write b) \"delete from b\" → 4 skipped"
        ]
    );
}

#[test]
fn no_intent_tells_a_secret() {
    let mut stage = strict();
    stage.query("prepare s as alter role a password 'x'", done("PREPARE")).idle();
    for text in ["alter role a password 'canary'", "execute s('canary')", "explain execute s('canary')"] {
        stage.asks_query(text).query(text, Answer::Skipped).idle();
    }
    stage.asks_query("select 1; execute s('canary')").query("select 1; execute s('canary')", Answer::Skipped);
    let events = stage.idle().events();
    assert_eq!(events.iter().filter(|event| event.kind == Kind::Intent).count(), 5);
    let told = serde_json::to_string(events).unwrap();
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_session_ends_with_the_count_of_what_has_no_outcome() {
    let mut stage = strict();
    stage.asks_query("select 1").closed(false);
    assert_eq!(stage.told(), "1 intent SELECT \"select 1\"\n2 blind 1 intents have no outcome\n");
}

#[test]
fn what_mysql_runs_is_told_by_number_and_by_command() {
    const LAST: &[u8] = &[0xff; 4];
    const SEVEN: &[u8] = &[7, 0, 0, 0];
    let run = |statement, first: bool| Ask::Run {
        statement,
        parameters: first.then_some(&b"\0\x01\0\0\0"[..]),
        length: 5,
        bulk: false,
        named: false,
    };
    let ok = Answer::Affected { rows: 0, insert_id: 0, sent: 0, info: &b""[..] };
    let returned = Answer::Returned { rows: 1, bytes: 5 };
    let mut stage = mysql();
    stage.asks_parse("", "call p()").asks(run(LAST, true));
    let text = &b"call p()"[..];
    let parse = Ask::Parse { statement: SEVEN, text, length: 8, types: b"" };
    stage.settled(parse, Answer::Prepared { parameters: 0 }).idle();
    stage.settled(run(SEVEN, true), returned).settled(run(SEVEN, false), ok).idle();
    stage.asks(run(SEVEN, true)).settled(run(SEVEN, true), ok).idle();
    let use_it = Ask::Command { name: "COM_INIT_DB", object: None, argument: &b"shop"[..] };
    stage.asks(use_it).settled(use_it, ok).idle();
    // A login within the session has no intent, and takes none that was asked at the same time.
    let login = Ask::Command { name: "COM_CHANGE_USER", object: None, argument: &b""[..] };
    stage.asks_query("select 1").settled(login, Answer::Lost).query("select 1", Answer::Lost).closed(true);
    let told = stage.intended();
    let ends: Vec<_> = told.iter().map(|told| told.split(" → ").nth(1).unwrap()).collect();
    assert_eq!(ends, ["2 ok", "4 ok", "6 ok", "9 lost"], "{told:#?}");
    assert!(
        told[0].contains("call p()") && told[1].contains("call p() as 7") || told[1].contains("call p()")
    );
    assert!(told[2].contains("COM_INIT_DB shop"), "{told:#?}");
}

/// Values that are sent ahead of a run while an answer is awaited are told with its intent, and with no other's.
#[test]
fn what_is_sent_ahead_counts_before_it_is_answered() {
    const SEVEN: &[u8] = &[7, 0, 0, 0];
    const RUN: Ask<&[u8]> = Ask::Run {
        statement: SEVEN,
        parameters: Some(&[0, 1, 0, 0, 0, 0, 1, 253, 0]),
        length: 9,
        bulk: false,
        named: false,
    };
    let append =
        |data: &'static [u8]| Ask::Append { statement: SEVEN, parameter: 0, data, length: data.len() as u64 };
    let (reset, text) = (Ask::Reset { statement: SEVEN }, &b"select ?"[..]);
    let parse = Ask::Parse { statement: SEVEN, text, length: 8, types: b"" };
    let silent = Answer::Complete { tag: &b""[..], rows: 0, bytes: 0, sent: 0 };
    let returned = Answer::Returned { rows: 1, bytes: 5 };
    let ok = Answer::Affected { rows: 0, insert_id: 0, sent: 0, info: &b""[..] };
    let mut stage = mysql();
    stage.asks_parse("", "select ?").settled(parse, Answer::Prepared { parameters: 1 }).idle();
    // Settled at once, as nothing is unanswered.
    stage.settled(append(b"ear"), silent);
    stage.asks_query("select 1");
    for ask in [append(b"ly"), RUN, append(b"forgotten"), reset, append(b"late"), RUN] {
        stage.asks(ask);
    }
    stage.query("select 1", returned).idle();
    stage.settled(append(b"ly"), silent).settled(RUN, returned).idle().settled(append(b"forgotten"), silent);
    stage.settled(reset, ok).idle().settled(append(b"late"), silent).settled(RUN, returned).idle();
    stage
        .asks(append(b"at the end"))
        .settled(append(b"at the end"), silent)
        .asks(RUN)
        .settled(RUN, returned)
        .idle();
    let events = stage.closed(false).events().to_vec();
    let values = |kind: Kind| -> Vec<_> {
        let of = events.iter().filter(|event| event.kind == kind).filter_map(|event| event.sql.as_ref());
        of.filter_map(|sql| Some(serde_json::to_string(sql.parameters.as_ref()?).unwrap())).collect()
    };
    let sent = [r#"["early"]"#, r#"["late"]"#, r#"["at the end"]"#];
    assert_eq!(values(Kind::Intent), sent);
    assert_eq!(values(Kind::Statement), sent);
    stage.intended();
}

/// Asks and answers in any order that the wire follows.
#[derive(Clone, Copy, Debug)]
enum Step {
    Client(u8),
    Server(u8),
    Unsent,
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn postgres_question(kind: u8) -> Vec<u8> {
    frame(
        kind,
        match kind {
            b'Q' => b"select 1; begin; call p()\0",
            b'P' => b"s\0delete from t where a = $1\0\0\0",
            b'B' => b"p\0s\0\0\0\0\0\0\0",
            b'D' | b'C' => b"Pp\0",
            b'E' => b"p\0\0\0\0\0",
            b'F' => b"\0\0\0\x09",
            _ => b"",
        },
    )
}

fn postgres_answer(kind: u8) -> Vec<u8> {
    let body: &[u8] = match kind {
        b'Z' => b"I",
        b'T' => return frame(b'Z', b"T"),
        b'E' => b"SERROR\0C42601\0\0",
        b'X' => return frame(b'E', b"SFATAL\0C57P01\0\0"),
        b'C' => b"SELECT 1\0",
        _ => b"",
    };
    frame(kind, body)
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

fn mysql_question(command: u8) -> Vec<u8> {
    let body: &[u8] = match command {
        0x03 => b"select 1; call p(); select 2",
        0x16 => b"select ?",
        0x17 => b"\xff\xff\xff\xff\0\x01\0\0\0",
        0x19 | 0x1a | 0x1c => b"\x07\0\0\0",
        0x02 => b"shop",
        _ => b"",
    };
    packet(0, &[&[command], body].concat())
}

fn mysql_answer(kind: u8) -> Vec<u8> {
    let body: &[u8] = match kind {
        b'O' => b"\0\0\0\x02\0\0\0",
        b'M' => b"\0\0\0\x0a\0\0\0",
        b'X' => b"\xfe\0\0\x02\0",
        b'E' => b"\xff\x28\x04#42000no",
        b'1' => b"\x01",
        b'C' => b"\x03def",
        b'R' => b"\x01a",
        _ => b"\0\x07\0\0\0\x01\0\x01\0\0\0\0",
    };
    packet(1, body)
}

const WIRE: Limits = Limits {
    sql: 64 << 10,
    script: 4 << 20,
    parameters: 64 << 10,
    pending: 65_536,
    pending_bytes: 16 << 20,
    tell_asked: true,
};

fn play_postgres(steps: &[Step], chunk: u64) -> usize {
    let mut wire = Postgres::new(WIRE, [7; 32]);
    wire.client(&mut b"\0\0\0\x10\0\x03\0\0user\0a\0\0".to_vec(), 0, &mut strict()).unwrap();
    wire.server(&mut b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec(), 0, &mut strict()).unwrap();
    play(wire, strict(), (postgres_question, postgres_answer), steps, chunk)
}

fn play_mysql(steps: &[Step], chunk: u64) -> usize {
    let mut wire = Mysql::new(WIRE);
    let greeting = b"\x0a8.4.0\0\x07\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xff\x15";
    let greeting = [&greeting[..], &[0; 10], b"ijklmnopqrst\0mysql_native_password\0"].concat();
    // PROTOCOL_41, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS.
    let response = [&0x0007_8200_u32.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23], b"ana\0\0"].concat();
    let mut stage = mysql();
    stage.several();
    wire.server(&mut packet(0, &greeting), 0, &mut mysql()).unwrap();
    wire.client(&mut packet(1, &response), 0, &mut mysql()).unwrap();
    wire.server(&mut b"\x07\0\0\x02\0\0\0\x02\0\0\0".to_vec(), 0, &mut mysql()).unwrap();
    play(wire, stage, (mysql_question, mysql_answer), steps, chunk)
}

/// What a side says, by its kind.
type Message = fn(u8) -> Vec<u8>;

/// Plays it; each intent has one outcome. How many intents there were.
fn play<W: Wire>(
    mut wire: W,
    mut stage: Stage,
    (question, answer): (Message, Message),
    steps: &[Step],
    chunk: u64,
) -> usize {
    for (at, step) in (chunk..).zip(steps) {
        // Several come at once.
        let at = at / chunk;
        let taken = match step {
            Step::Unsent => {
                stage.session.unsent(1);
                Ok(())
            }
            Step::Client(kind) => wire.client(&mut question(*kind), at, &mut stage),
            Step::Server(kind) => wire.server(&mut answer(*kind), at, &mut stage),
        };
        if taken.is_err() {
            break;
        }
    }
    wire.end(1_000, &mut stage);
    let events = stage.events().to_vec();
    for (place, outcomes) in outcomes(&events).iter().enumerate() {
        assert_eq!(outcomes.len(), 1, "of intent {place}: {events:#?}");
    }
    let untold = |event: &Event| event.blind.as_ref().is_some_and(|blind| blind.reason.contains("intents"));
    assert!(!events.iter().any(untold), "{events:#?}");
    events.iter().filter(|event| event.kind == Kind::Intent).count()
}

fn steps(client: &'static [u8], server: &'static [u8]) -> impl Strategy<Value = Vec<Step>> {
    let client = prop::sample::select(client).prop_map(Step::Client);
    let server = prop::sample::select(server).prop_map(Step::Server);
    prop::collection::vec(prop_oneof![10 => client, 10 => server, 1 => Just(Step::Unsent)], 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_postgres_answers_each_intent_has_one_outcome(
        steps in steps(b"QPBDECSFcfPBESE", b"123CCIZsTVEXnCZ"), chunk in 1..5_u64
    ) {
        play_postgres(&steps, chunk);
    }

    #[test]
    fn whatever_mysql_answers_each_intent_has_one_outcome(
        steps in steps(&[0x03, 0x03, 0x16, 0x17, 0x17, 0x19, 0x1a, 0x1c, 0x02, 0x0e, 0x1f], b"OOMXEE1CRPO"),
        chunk in 1..5_u64
    ) {
        play_mysql(&steps, chunk);
    }
}

#[test]
fn the_property_sees_intents() {
    let sound = [Step::Client(b'P'), Step::Client(b'B'), Step::Client(b'E'), Step::Client(b'Q')];
    assert_eq!(play_postgres(&sound, 1), 4);
    assert_eq!(play_mysql(&[Step::Client(3), Step::Client(0x17)], 1), 4);
}

/// An intent that is met by no question stays out of it.
#[test]
fn an_answer_without_an_intent_takes_none() {
    let mut stage = strict();
    stage.observe(Observation::Asked { ask: Ask::Execute { portal: b"" }, at: 2_000 });
    stage.execute(done("SELECT 1"));
    let later = Settled {
        ask: Ask::Execute { portal: &b""[..] },
        answer: done("SELECT 1"),
        asked: 2_000,
        answered: 3_000,
        warnings: 0,
    };
    stage.observe(Observation::Settled(later));
    stage.idle();
    assert_eq!(stage.intended(), ["1 intent UNKNOWN → 3 ok"]);
}
