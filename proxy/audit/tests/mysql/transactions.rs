//! Transactions, whose state the server's status tells.

use panoptes_parser::wire::TransactionStatus;

use super::{super::Stage, affected, refused, returned, stage};

#[test]
fn an_error_undoes_its_own_statement_alone() {
    let mut stage = stage();
    stage.done("begin").active().query("insert into t values (1)", affected(1)).active();
    stage.query("insert into t values (1)", refused(1062, "23000")).active().done("commit").idle();
    assert_eq!(
        stage.told(),
        "1 BEGIN \"begin\" rows 0 ok | #1 active\n\
         2 INSERT(write t) \"insert into t values (1)\" rows 1 ok | #1 active\n\
         3 INSERT(write t) \"insert into t values (1)\" error 1062 23000 no | #1 active rolledBack\n\
         4 COMMIT \"commit\" rows 0 ok | #1 idle committed\n\
         5 verdict  | #1 committed 1-2\n"
    );
}

#[test]
fn the_status_tells_how_a_block_ended() {
    for (text, answer, verdict) in [
        ("create table u (a int)", affected(0), "committed"),
        ("create table u (a int)", refused(1050, "42S01"), "committed"),
        ("set autocommit = 1", affected(0), "committed"),
        ("call p()", affected(0), "unknown"),
        ("execute s", affected(0), "unknown"),
    ] {
        let mut stage = stage();
        stage.done("begin").active().query(text, answer).idle();
        let told = stage.told();
        assert!(told.ends_with(&format!("verdict  | #1 {verdict} 1-1\n")), "{text}: {told}");
    }
}

/// Tables without transactions keep their rows, and which these are is not said.
#[test]
fn a_rollback_with_a_warning_is_not_of_all() {
    let mut stage = stage();
    stage.done("begin").active().query("insert into t values (1)", affected(1)).active();
    stage.warned("rollback", 1).idle();
    let told = stage.told();
    assert!(
        told.ends_with("rows 0 warnings 1 warning | #1 idle unknown\n4 verdict  | #1 unknown 1-2\n"),
        "{told}"
    );
    stage.done("begin").active().done("savepoint s").active().done("insert into t values (2)").active();
    stage.warned("rollback to s", 1).active().done("commit").idle();
    let told = stage.told();
    assert!(told.contains("| #2 unknown 7-7 to s\n") && told.contains("| #2 committed 5-"), "{told}");
}

#[test]
fn a_deadlock_undoes_its_transaction() {
    let mut stage = stage();
    stage.done("begin").active().query("update t set a = 2", refused(1213, "40001")).idle();
    let told = stage.told();
    assert!(told.ends_with("verdict  | #1 rolledBack 1-1 by 40001\n"), "{told}");
}

/// It undoes its statement, or all of the transaction, as the server is configured: the next status tells.
#[test]
fn an_error_that_may_undo_its_transaction_leaves_a_doubt() {
    for code in [1205, 1020, 1206] {
        may_undo_its_transaction(code);
    }
}

fn may_undo_its_transaction(code: u16) {
    for (then, status, verdict) in [
        ("select 1", TransactionStatus::Active, "committed"),
        ("select 1", TransactionStatus::Idle, "rolledBack"),
        ("create table u (a int)", TransactionStatus::Idle, "unknown"),
        ("", TransactionStatus::Idle, "unknown"),
    ] {
        let mut stage = stage();
        stage.done("begin").active().query("update t set a = 2", refused(code, "HY000")).active();
        if !then.is_empty() {
            stage.done(then).ready(status);
        }
        stage.done("commit").idle();
        let told = stage.told();
        assert!(told.contains(&format!("verdict  | #1 {verdict} 1-")), "{code} {then}: {told}");
    }
}

/// It commits what came before it, and then it fails.
#[test]
fn what_commits_may_have_done_so_where_it_failed() {
    for (text, code, verdict) in [
        ("drop table nope", 1051, "unknown"),
        ("create table u (a int)", 1050, "unknown"),
        ("rename table nope to u", 1146, "unknown"),
        ("create index i on nope (a)", 1146, "unknown"),
        ("drop user nope", 1396, "unknown"),
        ("grant select on nope.* to eve", 1410, "unknown"),
        ("set password for nope = 'x'", 1133, "unknown"),
        ("lock tables nope read", 1146, "unknown"),
        ("execute s", 1051, "unknown"),
        ("execute immediate 'drop table nope'", 1051, "unknown"),
        ("execute immediate 'insert into t values (1)'", 1062, "rolledBack"),
        ("drop table nope nope", 1064, "rolledBack"),
        ("drop temporary table nope", 1051, "rolledBack"),
        ("create or replace temporary table u (a int)", 1142, "rolledBack"),
        ("use nope", 1049, "rolledBack"),
        ("set nope = 1", 1193, "rolledBack"),
        ("insert into t values (1)", 1062, "rolledBack"),
    ] {
        let mut stage = stage();
        stage.done("begin").active().query("insert into t values (1)", affected(1)).active();
        stage.query(text, refused(code, "HY000")).active().done("rollback").idle();
        let told = stage.told();
        assert!(told.ends_with(&format!("verdict  | #1 {verdict} 1-2\n")), "{text}: {told}");
    }
    for verdict in ["committed", "unknown"] {
        let mut stage = stage();
        stage.done("begin").active().query("drop table nope", refused(1051, "42S02")).active();
        match verdict {
            // The next status says that the block is over.
            "committed" => stage.query("select a from t", returned(1)).idle(),
            _ => stage.closed(false),
        };
        let told = stage.told();
        assert!(told.contains(&format!("verdict  | #1 {verdict} 1-1")), "{told}");
    }
}

#[test]
fn begin_commits_what_came_before() {
    let mut stage = stage();
    stage.done("begin").active().done("begin").active().done("rollback").idle();
    let told = stage.told();
    assert!(
        told.contains("verdict  | #1 committed 1-1") && told.contains("verdict  | #2 rolledBack"),
        "{told}"
    );
}

/// A procedure may commit, or roll back, and begin another; the status is the same.
#[test]
fn behind_a_procedure_the_transaction_may_be_another() {
    for (text, answer, verdict) in [
        ("call p()", affected(0), "unknown"),
        ("call p()", refused(1644, "45000"), "unknown"),
        ("execute s", affected(0), "unknown"),
        ("execute immediate 'call p()'", affected(0), "unknown"),
        ("lock tables t write", affected(0), "unknown"),
        ("create temporary table u (a int)", affected(0), "rolledBack"),
        ("select 1", returned(1), "rolledBack"),
    ] {
        let mut stage = stage();
        stage.done("begin").active().query("insert into t values (1)", affected(1)).active();
        stage.query(text, answer).active().query("insert into t values (2)", affected(1)).active();
        stage.done("rollback").idle();
        let told = stage.told();
        let verdicts = |line: &&str| line.contains(" verdict  |");
        let ends: Vec<_> =
            told.lines().filter(verdicts).map(|line| line.split("| ").last().unwrap()).collect();
        match verdict {
            "unknown" => assert!(
                ends[0].starts_with("#1 unknown 1-") && ends[1].starts_with("#1 rolledBack 5-"),
                "{text}: {told}"
            ),
            _ => assert!(ends.len() == 1 && ends[0].starts_with("#1 rolledBack 1-"), "{text}: {told}"),
        }
    }
}

/// What ran before the error stays, and may have ended the transaction.
#[test]
fn the_error_of_one_statement_is_not_that_of_a_text_that_cannot_be_split() {
    let torn = |stage: &mut Stage, text: &str, status| {
        stage.query(text, affected(2)).turned(status).next(refused(1064, "42000")).ready(status);
    };
    let mut stage = stage();
    torn(stage.several(), "delete from t;$a$;'", TransactionStatus::Idle);
    let told = stage.told();
    assert!(told.contains("split uncertain") && told.ends_with("42000 no | idle unknown\n"), "{told}");
    for (text, during) in [
        ("rollback;$a$;'", TransactionStatus::Idle),
        ("commit;$a$;'", TransactionStatus::Idle),
        ("rollback and chain;$a$;'", TransactionStatus::Active),
        ("delete from t;$a$;'", TransactionStatus::Active),
    ] {
        for end in ["commit", "rollback"] {
            let mut stage = self::stage();
            stage.several().done("begin").active().query("insert into t values (1)", affected(1)).active();
            torn(&mut stage, text, during);
            stage.done(end).idle();
            let told = stage.told();
            assert!(told.contains(" verdict  | #1 unknown 1-"), "{text}, {end}: {told}");
            assert!(
                !told.contains("| #1 committed") && !told.contains("| #1 rolledBack"),
                "{text}, {end}: {told}"
            );
        }
    }
}

/// What it rolled back itself did not last, though it is done and the status is the same.
#[test]
fn what_may_roll_back_its_own_work_leaves_a_doubt() {
    for (text, verdict) in [
        ("call p()", "unknown"),
        ("execute s", "unknown"),
        ("execute immediate 'call p()'", "unknown"),
        ("begin not atomic insert into t values (1); rollback; end", "unknown"),
        ("begin not atomic insert into t values (1); /*!50000 rollback */; end", "unknown"),
        ("begin not atomic declare exit handler for sqlexception begin end; delete from t; end", "unknown"),
        ("begin not atomic insert into t values (1); end", "committed"),
        ("execute immediate 'insert into t values (1)'", "committed"),
        ("do f(1)", "committed"),
        ("insert into t values ('call')", "committed"),
    ] {
        let mut stage = stage();
        stage.query(text, affected(1)).idle();
        let told = stage.told();
        assert!(told.ends_with(&format!("| idle {verdict}\n")), "{told}");
    }
    let mut stage = stage();
    stage.prepared("call p()", 0).run(Some(b""), affected(1)).idle();
    let told = stage.told();
    assert!(told.ends_with("| idle unknown\n"), "{told}");
    // One that is too long to be held is written before its status is known.
    let mut stage = self::stage();
    stage.done(&format!("call p('{}')", "x".repeat(3 << 20))).idle();
    let told = stage.told();
    assert!(told.ends_with("| idle unknown\n") && told.lines().count() == 1, "{}", &told[told.len() - 200..]);
}

/// It is no part of the transaction: what lasted of that did not last of it.
#[test]
fn what_never_ran_has_no_transaction() {
    let mut stage = stage();
    stage.several().done("begin").active();
    stage.query("insert into t values (1); insert into t values (2)", refused(1062, "23000")).active();
    stage.query("insert into t values (3)", affected(1)).active().done("commit").idle();
    let told = stage.told();
    assert!(told.contains("3 INSERT(write t) \"insert into t values (2)\" skipped | active\n"), "{told}");
    assert!(told.ends_with("verdict  | #1 committed 1-4\n"), "{told}");
}
