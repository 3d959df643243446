//! What became of statements: blocks, savepoints, groups that are written before their end.

use panoptes_event::{Event, Kind, Outcome, Verdict};
use panoptes_parser::wire::{Answer, Ask, Observation, Target, TransactionStatus::Failed};

use super::{Stage, done, failed, failed_at, failure};

fn told(stage: &mut Stage, expected: &str) {
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(stage.told().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_came_after_a_savepoint_is_undone_by_rolling_back_to_it() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").within("insert into t values (1)", "INSERT 0 1");
    stage.within("savepoint a", "SAVEPOINT").within("insert into t values (2)", "INSERT 0 1");
    stage.within("savepoint b", "SAVEPOINT").within("insert into t values (3)", "INSERT 0 1");
    stage.within("rollback to b", "ROLLBACK").within("insert into t values (4)", "INSERT 0 1");
    stage.within("rollback to a", "ROLLBACK").within("rollback to b", "ROLLBACK");
    stage.query("commit", done("COMMIT")).idle();
    told(
        &mut stage,
        r#"1 BEGIN "begin" ok | #1 active
        2 INSERT(write t) "insert into t values (1)" rows 1 ok | #1 active
        3 SAVEPOINT "savepoint a" ok | #1 active
        4 INSERT(write t) "insert into t values (2)" rows 1 ok | #1 active
        5 SAVEPOINT "savepoint b" ok | #1 active
        6 INSERT(write t) "insert into t values (3)" rows 1 ok | #1 active
        7 ROLLBACK "rollback to b" ok | #1 active
        8 verdict  | #1 rolledBack 6-6 to b
        9 INSERT(write t) "insert into t values (4)" rows 1 ok | #1 active
        10 ROLLBACK "rollback to a" ok | #1 active
        11 verdict  | #1 rolledBack 4-9 to a
        12 ROLLBACK "rollback to b" ok | #1 active
        13 COMMIT "commit" ok | #1 idle unknown
        14 verdict  | #1 unknown 1-12"#,
    );
}

#[test]
fn a_released_savepoint_is_that_of_its_transaction() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").within("savepoint a", "SAVEPOINT").within("savepoint a", "SAVEPOINT");
    stage.within("delete from t", "DELETE 1").within("release a", "RELEASE");
    stage.within("rollback to a", "ROLLBACK").query("commit", done("COMMIT")).idle();
    let verdicts: Vec<_> = stage.events().iter().filter_map(|e| e.transaction.clone()).collect();
    let told: Vec<_> = verdicts.iter().filter_map(|t| Some((t.from_seq?, t.to_seq?, t.verdict?))).collect();
    assert_eq!(told, [(3, 5, Verdict::RolledBack), (1, 6, Verdict::Committed)]);
}

#[test]
fn a_verdict_has_the_time_of_the_answer_that_decided_it() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").within("delete from t", "DELETE 1").query("commit", done("COMMIT")).idle();
    let [.., commit, verdict] = stage.events() else { panic!("too few") };
    let micros = |event: &Event| {
        let (_, fraction) = event.meta.timestamp.trim_end_matches('Z').split_once('.').unwrap();
        fraction.parse::<i64>().unwrap()
    };
    assert_eq!(verdict.kind, Kind::Verdict);
    let between = (micros(verdict) - micros(commit)).rem_euclid(1_000_000);
    assert_eq!(between, 2_499, "from the question to the answer");
}

#[test]
fn savepoints_within_one_text_need_no_verdict_event() {
    let mut stage = Stage::new();
    let text = "begin; savepoint a; insert into t values (1); rollback to a; commit";
    stage.query(text, done("BEGIN")).next(done("SAVEPOINT")).next(done("INSERT 0 1"));
    stage.next(done("ROLLBACK")).next(done("COMMIT")).idle();
    told(
        &mut stage,
        r#"1 BEGIN "begin" ok | #1 active committed
        2 SAVEPOINT "savepoint a" ok | #1 active committed
        3 INSERT(write t) "insert into t values (1)" rows 1 ok | #1 active rolledBack
        4 ROLLBACK "rollback to a" ok | #1 active committed
        5 COMMIT "commit" ok | #1 idle committed"#,
    );
}

#[test]
fn more_savepoints_than_are_followed_leave_the_verdict_open() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN");
    for _ in 0..1_001 {
        stage.within("savepoint s", "SAVEPOINT");
    }
    stage.within("delete from t", "DELETE 1").within("rollback to s", "ROLLBACK");
    stage.query("commit", done("COMMIT")).idle();
    assert_eq!(stage.last().transaction.unwrap().verdict, Some(Verdict::Unknown));
}

#[test]
fn an_end_chained_begins_another_block() {
    let mut stage = Stage::new();
    stage
        .query("begin; commit and chain; select 1", done("BEGIN"))
        .next(done("COMMIT"))
        .next(done("SELECT 1"));
    stage
        .active()
        .query("rollback and chain", done("ROLLBACK"))
        .active()
        .query("commit", done("COMMIT"))
        .idle();
    told(
        &mut stage,
        r#"1 BEGIN "begin" ok | #1 active committed
        2 COMMIT "commit and chain" ok | #1 active committed
        3 SELECT "select 1" rows 1 ok | #2 active
        4 ROLLBACK "rollback and chain" ok | #2 active rolledBack
        5 verdict  | #2 rolledBack 3-3
        6 COMMIT "commit" ok | #3 idle committed"#,
    );
}

#[test]
fn a_prepared_transaction_is_anothers_to_end() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").within("delete from t", "DELETE 1");
    stage.query("prepare transaction 'x'", done("PREPARE TRANSACTION")).idle();
    assert_eq!(stage.last().transaction.unwrap().verdict, Some(Verdict::Unknown));
    stage.within("begin", "BEGIN").query("delete from u", failed("42P01", "no u")).ready(Failed);
    stage.query("prepare transaction 'y'", done("ROLLBACK")).idle();
    assert_eq!(stage.last().transaction.unwrap().verdict, Some(Verdict::RolledBack));
}

#[test]
fn a_pipeline_longer_than_is_held_is_told_in_pieces_with_one_verdict() {
    for (commit, verdict) in [(true, Verdict::Committed), (false, Verdict::RolledBack)] {
        let mut stage = Stage::new();
        stage.parse("s", "insert into t values ($1)", done("")).bind("s", "1", done(""));
        for _ in 0..3_000 {
            stage.execute(done("INSERT 0 1"));
        }
        assert_eq!(stage.events().len(), 3_000);
        if !commit {
            stage.observe_commit_failed();
        }
        stage.idle();
        let events = stage.events();
        assert_eq!(events.len(), 3_001);
        let (first, last) =
            (events[0].transaction.clone().unwrap(), events[3_000].transaction.clone().unwrap());
        assert_eq!((first.status.as_deref(), first.verdict), (Some("idle"), None));
        assert!(first.id.is_some() && events.iter().all(|e| e.transaction.as_ref().unwrap().id == first.id));
        assert_eq!((last.from_seq, last.to_seq, last.verdict), (Some(1), Some(3_000), Some(verdict)));
        assert_eq!(last.sql_state.as_deref(), if commit { None } else { Some("23505") });
        // The next pipeline is none of it.
        stage.execute(done("INSERT 0 1")).idle();
        assert_eq!(stage.last().transaction.unwrap().id, None);
    }
}

impl Stage {
    fn observe_commit_failed(&mut self) {
        use panoptes_parser::wire::Observer;
        self.observe(Observation::CommitFailed(failure(0, "23505", "twice")));
    }
}

#[test]
fn what_is_held_too_long_is_told_without_its_verdict() {
    let mut stage = Stage::new();
    stage.parse("", "delete from t", done("")).bind("", "1", done("")).execute(done("DELETE 1"));
    assert!(stage.events().is_empty() && stage.session.held_since.is_some());
    stage.spill();
    assert_eq!((stage.events().len(), stage.session.held_since), (1, None));
    stage.execute(failed("40001", "could not serialize")).idle();
    told(
        &mut stage,
        r#"1 DELETE(write t) "delete from t" [{"hex":"31","text":"1","type":"unknown"}] rows 1 ok | #1 idle
        2 DELETE(write t) "delete from t" [{"hex":"31","text":"1","type":"unknown"}] error 40001 could not serialize | #1 idle rolledBack
        3 verdict  | #1 rolledBack 1-1"#,
    );
}

#[test]
fn a_group_that_turns_into_a_block_shares_its_end() {
    let mut stage = Stage::new();
    stage.parse("", "delete from t", done("")).bind("", "1", done("")).execute(done("DELETE 1")).spill();
    stage.parse("", "begin", done("")).bind("", "1", done("")).execute(done("BEGIN")).active();
    stage.query("rollback", done("ROLLBACK")).idle();
    let last = stage.last().transaction.unwrap();
    assert_eq!((last.from_seq, last.to_seq, last.verdict), (Some(1), Some(2), Some(Verdict::RolledBack)));
}

#[test]
fn a_lost_link_leaves_open_what_nobody_saw() {
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").query("commit", Answer::Lost).closed(true);
    told(
        &mut stage,
        r#"1 BEGIN "begin" ok | #1 active
        2 COMMIT "commit" lost | #1 idle unknown
        3 verdict  | #1 unknown 1-1"#,
    );
    let mut stage = Stage::new();
    stage.within("begin", "BEGIN").within("delete from t", "DELETE 1").closed(false);
    let last = stage.last().transaction.unwrap();
    assert_eq!((last.from_seq, last.to_seq, last.verdict), (Some(1), Some(2), Some(Verdict::RolledBack)));
    let mut stage = Stage::new();
    stage
        .query("delete from t; delete from u; delete from v", done("DELETE 1"))
        .next(Answer::Lost)
        .closed(true);
    told(
        &mut stage,
        r#"1 DELETE(write t) "delete from t" rows 1 ok | idle unknown
        2 DELETE(write u) "delete from u" lost | idle unknown
        3 DELETE(write v) "delete from v" lost | idle unknown"#,
    );
}

/// What a procedure undid itself nobody sees; a DO says what it does, unless it may be spelled otherwise.
#[test]
fn what_may_have_rolled_back_itself_leaves_a_doubt() {
    for (text, verdict) in [
        ("call p()", Verdict::Unknown),
        ("do $$ begin insert into t values (1); end $$", Verdict::Committed),
        ("do $$ begin insert into t values (1); Rollback; end $$", Verdict::Unknown),
        ("do $$ begin call p(); end $$", Verdict::Unknown),
        ("do $$ begin execute q; end $$", Verdict::Unknown),
        (r"do e'begin insert into t values (1); ro\154lback; end'", Verdict::Unknown),
        ("do u&'begin ro!006clback; end' uescape '!'", Verdict::Unknown),
        ("do language plpython3u $$ f() $$", Verdict::Unknown),
        ("call p(); select 1", Verdict::Committed),
    ] {
        let mut stage = Stage::new();
        stage.query(text, done(if text.starts_with("call") { "CALL" } else { "DO" }));
        if text.ends_with("select 1") {
            stage.next(done("SELECT 1"));
        }
        let last = stage.idle().last();
        assert_eq!(last.transaction.unwrap().verdict, Some(verdict), "{text}");
    }
}

#[test]
fn a_procedure_that_failed_may_have_committed_but_not_in_a_text_of_many() {
    let verdicts = |text: &str, answers: &[Answer<&[u8]>]| -> Vec<_> {
        let mut stage = Stage::new();
        stage.query(text, answers[0]);
        for answer in &answers[1..] {
            stage.next(*answer);
        }
        stage.idle().events().iter().map(|event| event.transaction.as_ref().unwrap().verdict).collect()
    };
    let failed = failed("22012", "division by zero");
    assert_eq!(verdicts("call p()", &[failed]), [Some(Verdict::Unknown)]);
    assert_eq!(
        verdicts("delete from t; do $$ $$", &[done("DELETE 1"), failed]),
        [Some(Verdict::RolledBack); 2]
    );
    // In a pipeline it commits what came before it, whatever comes of the rest.
    for spills in [false, true] {
        let mut stage = Stage::new();
        stage.parse("", "delete from t", done("")).bind("", "1", done("")).execute(done("DELETE 1"));
        stage.parse("", "call p()", done("")).bind("", "1", done("")).execute(done("CALL"));
        if spills {
            stage.spill();
        }
        stage.parse("", "delete from u", done("")).bind("", "1", done("")).execute(failed).idle();
        let events = stage.events();
        let verdicts: Vec<_> =
            events.iter().map(|event| event.transaction.as_ref().unwrap().verdict).collect();
        let (unknown, rolled_back) = (Some(Verdict::Unknown), Some(Verdict::RolledBack));
        if spills {
            assert_eq!(verdicts, [None, None, rolled_back, unknown]);
        } else {
            assert_eq!(verdicts, [unknown, unknown, rolled_back]);
        }
    }
    // A function that the protocol calls commits nothing.
    let mut stage = Stage::new();
    stage.settled(Ask::Command { name: "FunctionCall", object: Some(154), argument: b"" }, failed).idle();
    told(&mut stage, "1 CALL FunctionCall 154 error 22012 division by zero | idle rolledBack");
}

#[test]
fn any_error_undoes_the_pipeline_before_it() {
    for target in [Target::Statement, Target::Portal] {
        let mut stage = Stage::new();
        stage.parse("", "delete from t", done("")).bind("", "1", done("")).execute(done("DELETE 1"));
        stage.settled(Ask::Close { target, name: b"" }, failed("08P01", "invalid message format")).idle();
        let events = stage.events();
        assert_eq!(events[0].transaction.as_ref().unwrap().verdict, Some(Verdict::RolledBack));
        assert_eq!(events[1].operation.as_ref().unwrap().command.as_deref(), Some("Close"));
    }
    let mut stage = Stage::new();
    stage.parse("", "delete from t", done("")).bind("", "1", done("")).execute(done("DELETE 1"));
    stage.settled(Ask::Describe { target: Target::Portal, name: b"p" }, failed("34000", "no portal")).idle();
    assert_eq!(stage.events()[0].transaction.as_ref().unwrap().verdict, Some(Verdict::RolledBack));
    assert_eq!(stage.events().len(), 2);
}

#[test]
fn a_text_that_cannot_be_cut_is_one_event_of_unknown_verdict() {
    let mut stage = Stage::new();
    let (text, length) = (&b"insert into t values (1); insert into t val"[..], 100_000);
    stage.settled(Ask::Query { text: Some(text), length }, done("INSERT 0 1"));
    stage.spill();
    assert!(stage.events().is_empty(), "there may be more of it");
    stage.next(done("INSERT 0 1")).next(failed("22012", "division by zero")).idle();
    let event = stage.last();
    assert_eq!(stage.events().len(), 1);
    let sql = event.sql.unwrap();
    assert_eq!((sql.split.as_deref(), sql.outcome), (Some("uncertain"), Some(Outcome::Error)));
    assert_eq!(sql.truncated.unwrap()["raw"], 100_000);
    assert_eq!(event.transaction.unwrap().verdict, Some(Verdict::Unknown));
    // Of one answer it is one statement.
    stage.settled(Ask::Query { text: Some(text), length }, done("INSERT 0 1")).idle();
    assert_eq!(stage.last().transaction.unwrap().verdict, Some(Verdict::Committed));
    // Lost in the middle.
    stage
        .settled(Ask::Query { text: Some(text), length }, done("INSERT 0 1"))
        .next(Answer::Lost)
        .closed(true);
    assert_eq!((stage.events().len(), stage.last().sql.unwrap().outcome), (3, Some(Outcome::Lost)));
}

#[test]
fn a_text_that_is_refused_whole_fails_where_the_server_says() {
    let mut stage = Stage::new();
    stage.query("select 1; selct 2; select 3", failed_at(11, "42601", "syntax error")).idle();
    told(
        &mut stage,
        r#"1 SELECT "select 1" skipped | idle
        2 UNKNOWN "selct 2" error 42601 syntax error | idle rolledBack
        3 SELECT "select 3" skipped | idle"#,
    );
}
