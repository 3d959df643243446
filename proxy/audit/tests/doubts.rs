//! Where the server's answers do not fit what was asked, or a text cannot be read as the server reads it.

use panoptes_config::Protocol as Spoken;
use panoptes_parser::wire::{Answer, Ask, Observation, Observer};

use super::{NameLimits, Stage, done, failed};

fn rows(tag: &str, rows: u64) -> Answer<&[u8]> {
    Answer::Complete { tag: tag.as_bytes(), rows, bytes: 0, sent: 0 }
}

fn encoding(stage: &mut Stage, name: &str) {
    stage.observe(Observation::Parameter { name: b"client_encoding", value: name.as_bytes() });
}

#[test]
fn fewer_answers_than_statements_are_told_as_one() {
    let mut stage = Stage::new();
    stage.query("select 1; drop table t; select 3", done("SELECT 1")).idle();
    assert_eq!(
        stage.told(),
        "1 SELECT \"select 1; drop table t; select 3\" split uncertain rows 1 ok | idle unknown\n"
    );
    let mut stage = Stage::new();
    stage.query("select 1; drop table t", Answer::Empty).idle();
    assert_eq!(stage.told(), "1 SELECT \"select 1; drop table t\" split uncertain ok | idle unknown\n");
}

#[test]
fn what_was_written_already_does_not_stand_for_the_text() {
    let mut stage = Stage::new();
    stage.query("select 1; select 2; drop table t", done("SELECT 1")).spill().next(done("SELECT 1")).idle();
    let told = stage.told();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("1 SELECT \"select 1\" rows 1 ok"), "{told}");
    assert!(lines[1].contains("\"select 1; select 2; drop table t\" split uncertain"), "{told}");
    let events = stage.events();
    assert_ne!(events[0].id, events[1].id);
}

#[test]
fn what_an_error_leaves_out_is_no_doubt() {
    let mut stage = Stage::new();
    stage.query("select 1; select 1/0; select 3", done("SELECT 1")).next(failed("22012", "division by zero"));
    assert!(!stage.idle().told().contains("uncertain"));
}

#[test]
fn a_tag_of_another_statement_makes_the_split_uncertain() {
    let mut stage = Stage::new();
    stage.query("select 1; select 2", done("SELECT 1")).next(done("DROP TABLE")).idle();
    assert_eq!(stage.told(), "1 SELECT \"select 1; select 2\" split uncertain rows 1 ok | idle unknown\n");
    for (text, tag) in [
        ("with x as (insert into t values (1) returning *) select * from x", "SELECT 1"),
        ("with x as (insert into t values (1) returning *) delete from u", "DELETE 1"),
        (
            "with recursive x(a) as (select 1) search depth first by a set o insert into t table x",
            "INSERT 0 1",
        ),
        ("with x as not materialized (select 1), y as (values (1)) update u set a = 1", "UPDATE 3"),
        ("create table t as select 1", "SELECT 1"),
        ("create table t as select 1 with no data", "CREATE TABLE AS"),
        ("create schema s create table t (a int) create view v as select 1", "CREATE SCHEMA"),
        ("revoke a from b", "REVOKE ROLE"),
        ("select 1 into t", "SELECT 1"),
        ("create materialized view v as select 1", "SELECT 1"),
        ("execute x", "INSERT 0 1"),
        ("explain analyze delete from t", "EXPLAIN"),
        ("refresh materialized view v", "REFRESH MATERIALIZED VIEW"),
        ("import foreign schema s from server f into p", "IMPORT FOREIGN SCHEMA"),
        ("reassign owned by a to b", "REASSIGN OWNED"),
        ("drop owned by a", "DROP OWNED"),
        ("comment on table t is 'x'", "COMMENT"),
        ("security label on table t is 'x'", "SECURITY LABEL"),
        ("alter default privileges grant select on tables to a", "ALTER DEFAULT PRIVILEGES"),
        ("grant a to b", "GRANT ROLE"),
        ("truncate t", "TRUNCATE TABLE"),
        ("copy t from stdin", "COPY 3"),
        ("do $$begin end$$", "DO"),
        ("call p()", "CALL"),
    ] {
        let told = Stage::new().query(text, done(tag)).idle().told();
        assert!(!told.contains("uncertain"), "{told}");
    }
}

#[test]
fn an_execution_with_a_tag_of_another_statement_is_what_the_server_says() {
    let mut stage = Stage::new();
    stage.parse("s", "select 1", done("")).bind("s", "1", done("")).execute(done("DROP TABLE")).idle();
    assert_eq!(
        stage.told(),
        "1 DROP [{\"hex\":\"31\",\"text\":\"1\",\"type\":\"unknown\"}] as s ok | idle committed\n"
    );
    let (sql, operation) = (stage.last().sql.unwrap(), stage.last().operation.unwrap());
    assert_eq!((sql.raw, sql.normalized, sql.fingerprint), (None, None, None));
    assert_eq!((operation.category.as_str(), operation.object.as_deref()), ("DDL", Some("TABLE")));
    assert_eq!(operation.parsed.as_deref(), Some("none"));
}

/// Of which a function that was called ahead of it in the pipeline may have changed how it is read.
#[test]
fn a_text_that_is_cut_alike_however_it_is_read_is_no_doubt() {
    for (text, uncertain) in [("select 'a\\n;'; select 2", false), ("select 'a\\'; select 2; --'", true)] {
        let mut stage = Stage::new();
        stage.parse("", "select f()", done("")).bind("", "1", done("")).execute(done("SELECT 1"));
        stage.query(text, done("SELECT 1")).next(done("SELECT 1")).idle();
        let told = stage.told();
        assert_eq!(told.contains("split uncertain"), uncertain, "{told}");
    }
}

#[test]
fn a_text_that_cannot_be_decoded_is_not_split() {
    let mut stage = Stage::new();
    encoding(&mut stage, "SHIFT_JIS_2004");
    stage.bytes(b"select '\x81\x5c'; drop table t", done("SELECT 1")).next(done("DROP TABLE")).idle();
    stage.bytes(b"select 1; drop table t", done("SELECT 1")).next(done("DROP TABLE")).idle();
    encoding(&mut stage, "SQL_ASCII");
    stage.bytes(b"select '\xe9'; select 2", done("SELECT 1")).next(done("SELECT 1")).idle();
    let told: Vec<_> = stage
        .events()
        .iter()
        .map(|event| event.sql.clone().unwrap())
        .map(|sql| (sql.raw.unwrap(), sql.split))
        .collect();
    let whole = (r"select '\x81\'; drop table t".to_owned(), Some("uncertain".to_owned()));
    let single = |text: &str| (text.to_owned(), None);
    let rest = ["select 1", "drop table t", r"select '\xe9'", "select 2"].map(single);
    assert_eq!(told, [&[whole][..], &rest].concat());
}

#[test]
fn many_answers_to_a_cut_text_are_one_event() {
    let mut stage = Stage::new();
    let text = "select 1;".repeat(8_000);
    let kept = &text.as_bytes()[..64 << 10];
    stage.settled(Ask::Query { text: Some(kept), length: text.len() as u64 }, done("SELECT 1"));
    for _ in 0..15_999 {
        stage.next(done("SELECT 1"));
    }
    let events = stage.idle().events();
    assert_eq!(events.len(), 1);
    let sql = events[0].sql.as_ref().unwrap();
    assert_eq!(sql.split.as_deref(), Some("uncertain"));
    assert_eq!(sql.truncated.as_ref().unwrap()["raw"], text.len());
}

#[test]
fn a_cursor_is_a_portal_of_its_name() {
    let mut stage = Stage::new();
    let portal = |stage: &mut Stage, name: &str| {
        stage.settled(Ask::Execute { portal: name.as_bytes() }, done("SELECT 1")).active();
        stage.last().sql.unwrap().raw
    };
    let text = Some("declare P cursor for select * from t".to_owned());
    stage.within("begin", "BEGIN").within("savepoint a", "SAVEPOINT");
    let ask = Ask::Bind { portal: &b"p"[..], statement: b"s", parameters: b"", length: 0 };
    stage.parse("s", "select 'other'", done("")).settled(ask, done("")).active();
    stage.within("rollback to a", "ROLLBACK").within(text.as_deref().unwrap(), "DECLARE CURSOR");
    assert_eq!(portal(&mut stage, "p"), text);
    stage.within("savepoint b", "SAVEPOINT").within("rollback to b", "ROLLBACK");
    assert_eq!(portal(&mut stage, "p"), text);
    stage.within("close p", "CLOSE CURSOR");
    assert_eq!(portal(&mut stage, "p"), None);
    let held = "declare h cursor with hold for select 1";
    stage.within(held, "DECLARE CURSOR").within(text.as_deref().unwrap(), "DECLARE CURSOR");
    stage.query("commit", done("COMMIT")).idle();
    assert_eq!((portal(&mut stage, "p"), portal(&mut stage, "h").as_deref()), (None, Some(held)));
    stage.within("close all", "CLOSE CURSOR ALL");
    assert_eq!(portal(&mut stage, "h"), None);
}

#[test]
fn a_fetch_reads_the_tables_of_its_cursor() {
    let mut stage = Stage::new();
    let tables = |stage: &mut Stage, text: &str| {
        stage.within(text, text.split(' ').next().unwrap());
        let operation = stage.last().operation.unwrap();
        (operation.kind, operation.tables_involved.join(" "))
    };
    stage.within("begin", "BEGIN").within("declare \"P\" cursor for select * from t, s.u", "DECLARE CURSOR");
    assert_eq!(tables(&mut stage, "FETCH 5 FROM \"P\""), ("FETCH".into(), "t s.u".into()));
    assert_eq!(tables(&mut stage, "MOVE BACKWARD ALL IN \"P\";"), ("MOVE".into(), "t s.u".into()));
    assert_eq!(tables(&mut stage, "FETCH p"), ("FETCH".into(), String::new()));
    stage.within("close \"P\"", "CLOSE CURSOR");
    assert_eq!(tables(&mut stage, "FETCH \"P\""), ("FETCH".into(), String::new()));
}

#[test]
fn rows_of_a_rule_are_not_those_of_the_statement() {
    let mut stage = Stage::new();
    stage.query("insert into t values (1)", rows("INSERT 0 1", 4)).idle();
    assert_eq!(stage.last().sql.unwrap().row_count, Some(1));
    stage.query("explain select 1", rows("EXPLAIN", 4)).idle();
    assert_eq!(stage.last().sql.unwrap().row_count, Some(4));
    stage.parse("", "insert into t values ($1) returning 1", done("")).bind("", "1", done(""));
    stage.execute(rows("INSERT 0 1", 4)).idle();
    assert_eq!(stage.last().sql.unwrap().row_count, Some(4));
}

#[test]
fn what_the_server_sent_empty_is_left_out() {
    let mut stage = Stage::new();
    stage.query("select 1", failed("", "")).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!((sql.error_code, sql.error_message, sql.sql_state), (None, None, None));
    assert_eq!(sql.success, Some(false));
}

#[test]
fn a_session_is_blind_so_many_times_and_no_more() {
    let mut stage = Stage::new();
    for _ in 0..50 {
        stage.observe(Observation::Blind { reason: "noise" });
    }
    let reasons: Vec<_> = stage.events().iter().map(|event| event.blind.clone().unwrap().reason).collect();
    assert_eq!(reasons.len(), 10);
    assert_eq!(
        (reasons[8].as_str(), reasons[9].as_str()),
        ("noise", "noise; more of this session is not told")
    );
}

#[test]
fn a_statement_that_is_not_remembered_leaves_its_text() {
    let mut stage =
        Stage::with_limits(NameLimits { count: 1, bytes: 1 << 20, ahead: 1 << 10, text: 64 << 10 });
    for name in ["a", "b", "c"] {
        stage.parse(name, "delete from t where password = 'x'", done("")).idle();
    }
    stage.bind("b", "1", done("")).execute(done("DELETE 1")).idle();
    let events = stage.events();
    assert_eq!(events.len(), 3);
    for event in &events[..2] {
        assert!(event.blind.as_ref().unwrap().reason.contains("limits.max_prepared_statements"));
        let (sql, operation) = (event.sql.as_ref().unwrap(), event.operation.as_ref().unwrap());
        assert!(sql.raw.as_ref().unwrap().starts_with("delete from t"));
        assert!(sql.normalized.is_some() && sql.fingerprint.is_some());
        assert_eq!((operation.kind.as_str(), operation.main_table.as_deref()), ("DELETE", Some("t")));
    }
    assert_eq!(stage.tools.metrics.names_forgotten.get(), 2);
}

#[test]
fn execute_uses_the_tables_of_what_it_runs() {
    let mut stage = Stage::new();
    stage.query("prepare px as delete from t2", done("PREPARE")).idle();
    stage.query("execute px", done("DELETE 1")).idle();
    assert!(stage.told().contains("2 EXECUTE(write t2) \"execute px\" as px rows 1 ok"), "{}", stage.told());
    stage.query("explain analyze execute px", done("EXPLAIN")).idle();
    assert!(
        stage.told().contains("3 EXPLAIN(write t2) \"explain analyze execute px\" as px"),
        "{}",
        stage.told()
    );
    stage.query("explain execute px", done("EXPLAIN")).idle();
    assert!(stage.told().contains("4 EXPLAIN(read t2) \"explain execute px\" ok"), "{}", stage.told());
    stage.query("explain (analyze, verbose) execute px", done("EXPLAIN")).idle();
    assert!(stage.told().contains("5 EXPLAIN(write t2) \"explain (analyze"), "{}", stage.told());
    stage.query("create table t3 as execute px", done("SELECT 1")).idle();
    let operation = stage.events()[5].operation.as_ref().unwrap();
    assert_eq!((operation.main_table.as_deref(), operation.tables_involved.len()), (Some("t3"), 2));
}

#[test]
fn a_call_of_mysql_may_prepare_others_under_any_name() {
    let mut stage = Stage::of(Spoken::Mysql);
    let mut executed = |text: &str| {
        stage.query(text, done("")).query("execute s using 'x'", done("")).idle();
        let event = stage.last();
        (event.operation.unwrap().main_table, event.sql.unwrap().redacted)
    };
    let known = (Some("t".to_owned()), None);
    let unknown = (None, Some(vec!["arguments".to_owned()]));
    let prepare = "prepare s from 'delete from t where a = ?'";
    assert_eq!(executed(prepare), known);
    assert_eq!(executed("do sleep(0)"), known);
    for routine in ["call p()", "begin not atomic deallocate prepare s; end"] {
        assert_eq!(executed(routine), unknown);
        assert_eq!(executed("select 1"), unknown);
        assert_eq!(executed(prepare), known);
    }
}

#[test]
fn a_verb_behind_what_is_kept_of_a_text_is_the_server_s() {
    let mut stage = Stage::new();
    let ask = Ask::Query { text: Some(&b"/* a long comment"[..]), length: 1 << 20 };
    stage.settled(ask, done("CREATE TABLE")).idle();
    let operation = stage.events()[0].operation.as_ref().unwrap();
    assert_eq!((operation.kind.as_str(), operation.category.as_str()), ("CREATE", "DDL"));
    assert_eq!((operation.object.as_deref(), operation.parsed.as_deref()), (Some("TABLE"), Some("none")));
}
