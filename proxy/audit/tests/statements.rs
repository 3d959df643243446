//! Names of both protocols, and one event for each statement.

use std::sync::Arc;

use panoptes_config::Config;
use panoptes_event::Outcome;
use panoptes_parser::wire::{Answer, Ask, Observation, Observer, Settled, Target};
use panoptes_sinks::{Journal, Origin};

use super::{NameLimits, Stage, done, failed, opened};
use crate::{
    audit::{Auditor, Session},
    metrics::Metrics,
};

fn outcomes(stage: &mut Stage) -> Vec<(String, Outcome)> {
    let told = |event: &panoptes_event::Event| {
        let sql = event.sql.clone().unwrap();
        (sql.raw.unwrap_or_default(), sql.outcome.unwrap())
    };
    stage.events().iter().map(told).collect()
}

fn is(stage: &mut Stage, expected: &[(&str, Outcome)]) {
    let expected: Vec<_> = expected.iter().map(|(text, outcome)| ((*text).to_owned(), *outcome)).collect();
    assert_eq!(outcomes(stage), expected);
}

#[test]
fn a_batch_that_failed_is_one_event_each() {
    // A driver binds one statement many times: the second binding fails.
    let mut stage = Stage::new();
    stage.parse("s", "insert into t values ($1)", done(""));
    stage.bind("s", "1", done("")).execute(done("INSERT 0 1"));
    stage.bind("s", "x", failed("22P02", "invalid")).execute(Answer::Skipped);
    stage.bind("s", "3", Answer::Skipped).execute(Answer::Skipped).idle();
    let text = "insert into t values ($1)";
    is(&mut stage, &[(text, Outcome::Ok), (text, Outcome::Error), (text, Outcome::Skipped)]);
    let values: Vec<_> = stage
        .events()
        .iter()
        .map(|e| e.sql.clone().unwrap().parameters.unwrap()[0]["text"].clone())
        .collect();
    assert_eq!(values, ["1", "x", "3"]);
}

#[test]
fn a_parse_that_failed_takes_the_parameters_of_its_execution() {
    let mut stage = Stage::new();
    stage.parse("", "selct $1", failed("42601", "syntax error"));
    stage.bind("", "7", Answer::Skipped).execute(Answer::Skipped);
    stage.bind("", "8", Answer::Skipped).execute(Answer::Skipped);
    stage
        .parse("", "select 2", Answer::Skipped)
        .bind("", "9", Answer::Skipped)
        .execute(Answer::Skipped)
        .idle();
    let skipped = Outcome::Skipped;
    is(&mut stage, &[("selct $1", Outcome::Error), ("selct $1", skipped), ("select 2", skipped)]);
    assert_eq!(stage.events()[0].sql.as_ref().unwrap().parameters.as_ref().unwrap()[0]["text"], "7");
}

#[test]
fn a_description_that_failed_stands_for_its_execution() {
    for target in [Target::Statement, Target::Portal] {
        let mut stage = Stage::new();
        stage.parse("s", "select * from gone", done(""));
        if target == Target::Portal {
            stage.bind("s", "1", done(""));
        }
        let name = if target == Target::Portal { &b""[..] } else { b"s" };
        stage.settled(
            Ask::Describe { target, name },
            failed("0A000", "cached plan must not change result type"),
        );
        if target == Target::Statement {
            stage.bind("s", "1", Answer::Skipped);
        }
        stage.execute(Answer::Skipped).idle();
        is(&mut stage, &[("select * from gone", Outcome::Error)]);
    }
}

#[test]
fn the_protocol_binds_what_sql_prepared() {
    let mut stage = Stage::new();
    stage.query("prepare y as delete from t where a = $1", done("PREPARE")).idle();
    stage.bind("y", "1", done("")).execute(done("DELETE 1")).idle();
    let event = stage.last();
    let operation = event.operation.unwrap();
    assert_eq!((operation.kind.as_str(), operation.main_table.as_deref()), ("DELETE", Some("t")));
    let sql = event.sql.unwrap();
    assert_eq!(sql.raw.as_deref(), Some("delete from t where a = $1"));
    assert_eq!(sql.prepared.as_deref(), Some("y"));
    stage.query("execute y(5)", done("DELETE 1")).idle();
    let event = stage.last();
    let operation = event.operation.unwrap();
    assert_eq!((operation.kind.as_str(), operation.main_table.as_deref()), ("EXECUTE", Some("t")));
    assert_eq!(event.sql.unwrap().raw.as_deref(), Some("execute y(5)"));
}

#[test]
fn what_is_deallocated_is_not_known_any_more() {
    for end in ["deallocate s", "deallocate all", "discard all"] {
        let mut stage = Stage::new();
        stage.parse("s", "select 1", done("")).query(end, done("DEALLOCATE")).idle();
        stage.bind("s", "1", failed("26000", "no such statement")).execute(Answer::Skipped).idle();
        let event = stage.last();
        assert_eq!(event.operation.unwrap().kind, "UNKNOWN", "{end}");
        let sql = event.sql.unwrap();
        assert_eq!((sql.raw, sql.prepared.as_deref()), (None, Some("s")));
    }
}

#[test]
fn a_query_forgets_the_unnamed_statement_unless_it_is_passed_over() {
    let mut stage = Stage::new();
    stage.parse("", "select 1", done("")).query("select 2", Answer::Skipped).idle();
    stage.bind("", "1", done("")).execute(done("SELECT 1")).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 1"));
    stage.query("select 2", done("SELECT 1")).idle();
    stage.bind("", "1", failed("26000", "none")).execute(Answer::Skipped).idle();
    assert_eq!(stage.last().sql.unwrap().raw, None);
    // So does a Parse, whatever comes of it.
    stage.parse("", "select 3", done("")).parse("", "selct", failed("42601", "syntax error")).idle();
    stage.bind("", "1", failed("26000", "none")).idle();
    assert_eq!(stage.last().sql.unwrap().raw, None);
}

#[test]
fn what_is_passed_over_is_bounded_and_never_mistaken() {
    let mut stage =
        Stage::with_limits(NameLimits { count: 2, bytes: 1 << 20, ahead: 1 << 10, text: 64 << 10 });
    stage.parse("c", "select 'old'", done("")).idle();
    stage.parse("a", "selct", failed("42601", "syntax error"));
    for name in ["a", "b", "c"] {
        stage.parse(name, &format!("select '{name}'"), Answer::Skipped);
    }
    stage.bind("c", "1", Answer::Skipped).execute(Answer::Skipped);
    stage.bind("b", "1", Answer::Skipped).execute(Answer::Skipped).idle();
    is(&mut stage, &[("selct", Outcome::Error), ("", Outcome::Skipped), ("select 'b'", Outcome::Skipped)]);
    // After the Sync it is as it was.
    stage.bind("c", "1", done("")).execute(done("SELECT 1")).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 'old'"));
}

#[test]
fn commands_of_a_replication_session_have_no_sql() {
    let mut stage = Stage::new();
    stage.observe(Observation::Startup { parameters: b"user\0ana\0replication\0database\0" });
    stage.query("BASE_BACKUP (LABEL 'x')", done("SELECT")).idle();
    stage.query("select 1", done("SELECT 1")).idle();
    let events = stage.events();
    assert_eq!(events[0].operation.as_ref().unwrap().command.as_deref(), Some("BASE_BACKUP"));
    let sql = events[0].sql.as_ref().unwrap();
    assert_eq!((&sql.raw, &sql.normalized, &sql.fingerprint), (&None, &None, &None));
    assert_eq!(events[1].sql.as_ref().unwrap().raw.as_deref(), Some("select 1"));
}

#[test]
fn a_base_backup_is_one_statement_with_several_results() {
    let mut stage = Stage::new();
    stage.observe(Observation::Startup { parameters: b"user\0ana\0replication\0true\0" });
    let result = |rows, bytes| Answer::Complete { tag: b"SELECT".as_slice(), rows, bytes, sent: 0 };
    let end = done("BASE_BACKUP");
    stage.query("BASE_BACKUP", result(1, 20)).next(result(2, 50)).next(result(0, 3_000)).next(end).idle();
    let event = stage.last();
    assert_eq!((event.transaction.unwrap().verdict, event.sql.as_ref().unwrap().split.clone()), (None, None));
    let sql = event.sql.unwrap();
    assert_eq!((sql.outcome, sql.row_count, sql.bytes_returned), (Some(Outcome::Ok), Some(3), Some(3_070)));
    // Who kills it has what came until then.
    stage.query("BASE_BACKUP", result(1, 20));
    stage.observe(Observation::BrokeOff { rows: 0, bytes: 1_000 });
    stage.next(failed("57P01", "no"));
    stage.idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!(
        (sql.outcome, sql.row_count, sql.bytes_returned),
        (Some(Outcome::Error), Some(1), Some(1_020))
    );
}

#[test]
fn of_an_answer_that_broke_off_is_told_what_came() {
    let mut stage = Stage::new();
    stage.observe(Observation::BrokeOff { rows: 7, bytes: 700 });
    stage.query("select a from t", failed("57014", "canceling statement due to user request")).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!(
        (sql.outcome, sql.row_count, sql.bytes_returned),
        (Some(Outcome::Cancelled), Some(7), Some(700))
    );
    stage.query("select a from t", failed("57014", "canceling statement due to user request")).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!((sql.row_count, sql.bytes_returned), (None, None), "nothing of the one before");
}

#[test]
fn an_auditor_looks_for_what_is_held_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let origin = || Origin { app_name: "shop".into(), environment: "test".into(), instance: "here".into() };
    let journal = panoptes_config::Journal { dir: dir.path().join("journal"), ..Default::default() };
    let journal = Journal::open(&journal, origin(), &[]).unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut auditor = Auditor::new(origin(), &Config::default(), journal, Arc::default(), metrics);
    for number in [1, 2] {
        let mut session = Session::new(opened(), auditor.limits);
        let ask = Ask::Query { text: Some(&b"select 1"[..]), length: 8 };
        let settled = Settled { ask, answer: done("SELECT 1"), asked: 1, answered: 2, warnings: 0 };
        session.observe(Observation::Settled(settled), &mut auditor.tools);
        auditor.sessions.insert(number, Box::new(session));
    }
    let later = crate::clock::now();
    auditor.spill(later);
    assert!(auditor.tools.out.is_empty(), "not yet");
    auditor.spill(later + 1_500_000_000);
    assert_eq!(auditor.tools.out.len(), 2);
    assert!(auditor.sessions.values().all(|session| session.held_since.is_none()));
}
