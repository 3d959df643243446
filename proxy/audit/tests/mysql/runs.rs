//! Runs of statements that the server numbers: values that are sent ahead, rows that are fetched later.

use panoptes_config::Protocol;
use panoptes_parser::wire::{Answer, Ask};

use super::{
    super::{NameLimits, Stage},
    SEVEN, returned, stage,
};

#[test]
fn rows_that_are_fetched_later_are_the_runs() {
    let mut stage = stage();
    let some = |rows| Answer::Suspended { rows, bytes: rows };
    stage.prepared("select a from t", 0).run(Some(&[1, 1, 0, 0, 0]), some(0)).idle();
    assert_eq!(stage.told(), "");
    stage.settled(Ask::Fetch { statement: SEVEN }, some(2)).idle();
    stage.settled(Ask::Fetch { statement: SEVEN }, returned(1)).idle();
    assert_eq!(stage.told(), "1 SELECT(read t) \"select a from t\" as 7 rows 3 ok | idle committed\n");
    // It is run anew before all of it was fetched; the second is open when the session ends.
    stage
        .run(Some(&[1, 1, 0, 0, 0]), some(2))
        .idle()
        .run(Some(&[1, 1, 0, 0, 0]), some(1))
        .idle()
        .closed(false);
    let told = stage.told();
    assert_eq!((told.matches("rows 2 ok").count(), told.matches("rows 1 ok").count()), (1, 1), "{told}");
}

/// Of those beyond it what came at once is told.
#[test]
fn runs_with_rows_to_come_take_no_more_than_their_limit() {
    const RUNS: u8 = 40;
    let limits = NameLimits { count: 100, bytes: 1 << 20, ahead: 64 << 10, text: 64 << 10 };
    let mut stage = Stage::with(Protocol::Mysql, limits);
    // As JSON it is eight times as long.
    let value = [&[1, 1, 0, 0, 0, 0, 1, 252, 0, 0xfd, 0x10, 0x27, 0][..], &[1; 10_000]].concat();
    let (text, length) = (&b"select a from t where b <> ?"[..], value.len() as u64);
    for number in 0..RUNS {
        let statement = &[number, 0, 0, 0][..];
        stage.settled(
            Ask::Parse { statement, text, length: 28, types: b"" },
            Answer::Prepared { parameters: 1 },
        );
        let run = Ask::Run { statement, parameters: Some(&value), length, bulk: false, named: false };
        stage.settled(run, Answer::Suspended { rows: 1, bytes: 1 }).idle();
    }
    let at_once = stage.told().lines().count();
    assert!((25..35).contains(&at_once), "{at_once}");
    assert_eq!(stage.closed(false).told().matches("rows 1 ok").count(), usize::from(RUNS));
}

#[test]
fn values_that_are_sent_ahead_are_bounded() {
    let mut stage = stage();
    stage.prepared("select ?, ?", 2);
    let ahead = |parameter, data: &'static [u8]| {
        let length = data.len() as u64;
        (
            Ask::Append { statement: SEVEN, parameter, data, length },
            Answer::Complete { tag: &b""[..], rows: 0, bytes: 0, sent: 0 },
        )
    };
    for _ in 0..3 {
        let (ask, answer) = ahead(0, &[b'x'; 500]);
        stage.settled(ask, answer);
    }
    stage.run(Some(&[0, 1, 0, 0, 0, 0, 1, 252, 0, 3, 0, 9, 0, 0, 0]), returned(1)).idle();
    let sql = stage.last().sql.unwrap();
    let parameters = sql.parameters.unwrap();
    assert_eq!(parameters[1], 9);
    assert_eq!((&parameters[0]["type"], &parameters[0]["length"]), (&"blob".into(), &1_500.into()));
    assert!(parameters[0]["head"].as_str().unwrap().len() < 1_500);
    assert_eq!(sql.truncated.unwrap()["parameters"], 1_515);
    // More places than there is room for: what belongs where is not known, and so nothing is shown.
    for parameter in 0..100 {
        let (ask, answer) = ahead(parameter, b"x");
        stage.settled(ask, answer);
    }
    stage.run(Some(&[0, 1, 0, 0, 0, 0, 0]), returned(1)).idle();
    let sql = stage.last().sql.unwrap();
    assert!(sql.parameters.is_none() && sql.truncated.is_some());
}

/// As the wire condenses it: a text of 70,000 bytes of which there is the head, and a number.
fn condensed(head: &str) -> Vec<u8> {
    let length = u16::try_from(head.len()).unwrap().to_le_bytes();
    let types = &[0, 0xff, 0xff, 0xff, 0xff, 0, 1, 253, 0, 3, 0][..];
    [types, b"\xff\x70\x11\x01\0", &length, head.as_bytes(), &[42, 0, 0, 0]].concat()
}

#[test]
fn a_long_value_is_told_by_its_head_and_hides_no_other() {
    let shown = |text, head| {
        let (mut stage, body) = (stage(), condensed(head));
        stage.prepared(text, 2);
        let run =
            Ask::Run { statement: SEVEN, parameters: Some(&body), length: 70_025, bulk: false, named: false };
        stage.settled(run, returned(1)).idle();
        let sql = stage.last().sql.unwrap();
        assert_eq!(sql.truncated.unwrap()["parameters"], 70_025);
        let parameters = sql.parameters.unwrap();
        assert_eq!(parameters[1], 42);
        parameters[0].to_string()
    };
    let update = "update docs set body = ? where id = ?";
    assert_eq!(shown(update, "12"), r#"{"head":"12","length":70000,"type":"text"}"#);
    assert_eq!(
        shown(update, "see mysql://ana:hunter2@h/d, or"),
        r#"{"head":"see mysql://ana:[REDACTED]@h/d, or","length":70000,"type":"text"}"#
    );
    assert_eq!(shown("create user a identified by ? comment ?", "hunter2"), r#""[REDACTED]""#);
}
