//! What is MySQL's alone: transactions that the server's status tells, statements of several results, logins within the
//! session, texts that are read in other ways.

use panoptes_config::Protocol;
use panoptes_parser::wire::{Answer, Ask, Failure, Observation, Observer, Settled, TransactionStatus};

use super::{NameLimits, Stage};

fn stage() -> Stage {
    Stage::of(Protocol::Mysql)
}

fn affected(rows: u64) -> Answer<&'static [u8]> {
    Answer::Affected { rows, insert_id: 0, sent: 0, info: b"" }
}

fn returned(rows: u64) -> Answer<&'static [u8]> {
    Answer::Returned { rows, bytes: 5 * rows }
}

fn refused(code: u16, sql_state: &'static str) -> Answer<&'static [u8]> {
    let (sql_state, message) = (sql_state.as_bytes(), &b"no"[..]);
    Answer::Failed(Failure { sql_state, message, position: 0, code, fatal: false })
}

/// The number of a prepared statement, as it is sent.
const SEVEN: &[u8] = &[7, 0, 0, 0];

impl Stage {
    fn done(&mut self, text: &str) -> &mut Self {
        self.query(text, affected(0))
    }

    /// A text that is done, but for so many warnings.
    fn warned(&mut self, text: &str, warnings: u32) -> &mut Self {
        let ask = Ask::Query { text: Some(text.as_bytes()), length: text.len() as u64 };
        let settled = Settled { ask, answer: affected(0), asked: 1_000, answered: 2_500_000, warnings };
        self.observe(Observation::Settled(settled));
        self
    }

    fn parameter(&mut self, name: &str, value: &str) -> &mut Self {
        self.observe(Observation::Parameter { name: name.as_bytes(), value: value.as_bytes() });
        self
    }

    pub(super) fn several(&mut self) -> &mut Self {
        self.parameter("multi_statements", "on")
    }

    fn turned(&mut self, status: TransactionStatus) -> &mut Self {
        self.observe(Observation::Turned(status));
        self
    }

    fn prepared(&mut self, text: &str, parameters: u16) -> &mut Self {
        let (text, length) = (text.as_bytes(), text.len() as u64);
        self.settled(
            Ask::Parse { statement: SEVEN, text, length, types: b"" },
            Answer::Prepared { parameters },
        )
        .idle()
    }

    fn run(&mut self, parameters: Option<&[u8]>, answer: Answer<&[u8]>) -> &mut Self {
        let length = parameters.map_or(0, <[u8]>::len) as u64;
        self.settled(Ask::Run { statement: SEVEN, parameters, length, bulk: false, named: false }, answer)
    }

    fn login(&mut self, user: &str, done: bool) -> &mut Self {
        let parameters = [&[45, 0][..], user.as_bytes(), b"\0shop\0mysql_native_password\0"].concat();
        self.observe(Observation::Startup { parameters: &parameters });
        match done {
            true => self.observe(Observation::LoggedIn { at: 5_000 }),
            false => {
                let Answer::Failed(failure) = refused(1045, "28000") else { unreachable!() };
                self.observe(Observation::LoginFailed { at: 5_000, failure });
            }
        }
        self
    }

    fn users(&mut self) -> Vec<String> {
        let of = |event: &super::Event| event.db.as_ref().and_then(|db| db.user.clone()).unwrap_or_default();
        self.events().iter().map(of).collect()
    }
}

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

#[test]
fn a_procedure_is_one_statement_of_several_results() {
    let mut stage = stage();
    stage.several().query("call p(); select 2; call p()", returned(1)).turned(TransactionStatus::Idle);
    stage.next(returned(3)).turned(TransactionStatus::Idle).next(affected(0)).turned(TransactionStatus::Idle);
    stage
        .next(returned(1))
        .turned(TransactionStatus::Idle)
        .next(returned(4))
        .next(refused(1317, "70100"))
        .idle();
    assert_eq!(
        stage.told(),
        "1 CALL \"call p()\" rows 4 ok | idle committed\n\
         2 SELECT \"select 2\" rows 1 ok | idle committed\n\
         3 CALL \"call p()\" rows 4 cancelled 1317 70100 no | idle unknown\n"
    );
}

#[test]
fn statements_of_a_text_last_each_for_itself() {
    let mut stage = stage();
    stage
        .several()
        .query("insert into t values (1); selct; select 3", affected(1))
        .turned(TransactionStatus::Idle);
    stage.next(refused(1064, "42000")).idle();
    assert_eq!(
        stage.told(),
        "1 INSERT(write t) \"insert into t values (1)\" rows 1 ok | idle committed\n\
         2 UNKNOWN \"selct\" error 1064 42000 no | idle rolledBack\n\
         3 SELECT \"select 3\" skipped | idle\n"
    );
}

/// The server answers once more, for the comment.
#[test]
fn a_comment_behind_the_last_statement_is_no_statement() {
    for text in [
        "delete from t; -- c",
        "delete from t; /* a; b */",
        "delete from t ;\n# c\n",
        "delete from t; -- a\n/* b */",
    ] {
        let mut stage = stage();
        stage.several().query(text, affected(2)).turned(TransactionStatus::Idle).next(affected(0)).idle();
        assert_eq!(
            stage.told(),
            "1 DELETE(write t) \"delete from t\" rows 2 ok | idle committed\n",
            "{text}"
        );
    }
    for (text, answer) in [
        // It may run, it has changed something, and there is none.
        ("delete from t; /*! do 1 */", affected(0)),
        ("delete from t; -- c", affected(1)),
        ("delete from t -- c", affected(0)),
        ("delete from t;", affected(0)),
    ] {
        let mut stage = stage();
        stage
            .several()
            .query(text, affected(2))
            .turned(TransactionStatus::Idle)
            .next(answer)
            .next(affected(0))
            .idle();
        let told = stage.told();
        assert!(told.contains("split uncertain"), "{text}: {told}");
    }
}

/// The server reads each statement as those before it have set: what is a string to one is a statement to the other.
#[test]
fn a_text_that_changes_how_it_is_read_is_not_cut() {
    for first in [
        "set sql_mode='NO_BACKSLASH_ESCAPES'",
        "set @@sql_mode = @m",
        "execute s",
        "/*!40101 set sql_mode='' */",
    ] {
        let mut stage = stage();
        stage.several().query(&format!("{first}; select 'a\\'; delete from t; -- '; do 1"), affected(0));
        stage.next(returned(1)).next(affected(1)).next(affected(0)).idle();
        let told = stage.told();
        assert!(told.lines().count() == 1 && told.contains("split uncertain"), "{first}: {told}");
    }
    for (text, answers) in [
        ("set names big5; select '\u{e4}'", [affected(0), returned(1)]),
        ("set names utf8mb4, character_set_client = @c; select '\u{e4}'", [affected(0), returned(1)]),
    ] {
        let mut stage = stage();
        stage.several().query(text, answers[0]).next(answers[1]).idle();
        assert!(stage.told().contains("split uncertain"), "{text}");
    }
    for text in
        ["set names utf8mb4; select '\u{e4}\\''", "set sql_mode = ''; select 1", "set @a = 1; select '\\''"]
    {
        let mut stage = stage();
        stage.several().query(text, affected(0)).next(returned(1)).idle();
        assert_eq!(stage.told().lines().count(), 2, "{text}");
    }
}

#[test]
fn a_mode_that_no_text_tells_leaves_a_doubt() {
    let hidden = r#"select 1 as "a\"; delete from t; -- ", 2; do 3; do 4"#;
    let answers = |stage: &mut Stage| {
        stage.query(hidden, returned(1)).next(affected(1)).next(affected(0)).idle();
        let told = stage.told();
        (told.lines().last().unwrap().contains("split uncertain"), told)
    };
    let mut prepared = stage();
    prepared
        .several()
        .prepared("set sql_mode=?", 1)
        .run(Some(&[0, 1, 0, 0, 0, 0, 1, 253, 0, 0]), affected(0))
        .idle();
    let (uncertain, told) = answers(&mut prepared);
    assert!(uncertain, "{told}");
    for first in ["set sql_mode=@m", "execute s", "prepare s from 'set sql_mode=@m'; execute s"] {
        let mut stage = stage();
        stage.several();
        for text in first.split("; ") {
            stage.done(text).idle();
        }
        let (uncertain, told) = answers(&mut stage);
        assert!(uncertain, "{first}: {told}");
    }
}

/// Whatever led to it.
#[test]
fn an_answer_to_another_statement_is_not_believed() {
    for (text, first, second) in [
        ("select 1; select 2", returned(1), affected(0)),
        ("select 1; do 1", returned(1), affected(1)),
        ("select 1; do 1", returned(1), returned(1)),
    ] {
        let mut stage = stage();
        stage.several().query(text, first).next(second).idle();
        assert!(stage.told().contains("split uncertain"), "{text}");
    }
    let mut stage = stage();
    stage.several().query("select 1; select 2 into @a", returned(1)).next(affected(1)).idle();
    assert!(!stage.told().contains("split uncertain"));
}

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
    let limits = NameLimits { count: 100, bytes: 1 << 20, ahead: 0 };
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
    assert_eq!(sql.parameters.unwrap()[1], 9);
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

#[test]
fn a_login_within_the_session_is_another_user() {
    let mut stage = stage();
    stage.login("ana", true).done("begin").active().query("delete from t", affected(1)).active();
    stage.login("eve", false).query("select 1", returned(1)).active().login("eve", true).idle();
    stage.query("select 2", returned(1)).idle();
    assert_eq!(stage.users(), ["ana", "ana", "ana", "eve", "ana", "ana", "eve", "eve"]);
    let told = stage.told();
    assert!(told.contains("verdict  | #1 rolledBack 2-5"), "{told}");
}

#[test]
fn a_session_cannot_call_itself_another_user() {
    let mut stage = stage();
    let parameters = b"\x2d\0ana\0shop\0\0\x04user\x04root\x08database\x05mysql\x0cprogram_name\x03app";
    stage.observe(Observation::Startup { parameters });
    stage.observe(Observation::LoggedIn { at: 5_000 });
    let login = stage.last();
    let db = login.db.unwrap();
    assert_eq!((db.user.as_deref(), db.name.as_deref()), (Some("ana"), Some("shop")));
    assert_eq!(login.meta.source_app.as_deref(), Some("app"));
    assert_eq!(login.session.unwrap().attributes.unwrap()["user"], "root");
}

#[test]
fn texts_are_read_as_the_session_says() {
    let mut stage = stage();
    stage.done("set sql_mode = 'ANSI_QUOTES'").idle().query("select \"a\" from \"t\"", returned(1)).idle();
    assert!(stage.last().sql.unwrap().normalized.unwrap().contains("\"a\""), "a name, not a literal");
    stage.done("set names latin1").idle();
    stage.bytes(b"select '\xe4'", returned(1)).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 'ä'"));
    stage.parameter("character_set_client", "utf8mb4").bytes(b"select '\xc3\xa4'", returned(1)).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 'ä'"));
    stage.done("use `Other`").idle().query("select 1", returned(1)).idle();
    assert_eq!(stage.last().db.unwrap().name.as_deref(), Some("Other"));
    stage.query("select 1; select 2", refused(1064, "42000")).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 1; select 2"), "unasked, it is one");
}

/// MariaDB goes back to what the client said when it logged in.
#[test]
fn a_reset_has_the_character_set_of_the_login() {
    for (version, raw) in [("10.11.6-MariaDB", "select '\u{e4}'"), ("8.4.3", "select '\\xe4'")] {
        let mut stage = stage();
        stage.parameter("server_version", version);
        // latin1_swedish_ci.
        stage.observe(Observation::Startup { parameters: b"\x08\0ana\0shop\0mysql_native_password\0" });
        stage.observe(Observation::LoggedIn { at: 5_000 });
        stage.done("set names utf8mb4").idle();
        let ask = Ask::Command { name: "COM_RESET_CONNECTION", object: None, argument: &b""[..] };
        stage.settled(ask, affected(0)).idle().bytes(b"select '\xe4'", returned(1)).idle();
        assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some(raw), "{version}");
    }
}

#[test]
fn a_character_set_that_no_text_tells_leaves_a_doubt() {
    for text in ["set names default", "set character_set_client = @utf8"] {
        let mut stage = stage();
        stage.done("set names gbk").idle().done(text).idle().bytes(b"select '\xc3\xa4'", returned(1)).idle();
        let sql = stage.last().sql.unwrap();
        assert_eq!(
            (sql.raw.as_deref(), sql.split.as_deref()),
            (Some("select '\u{e4}'"), Some("uncertain")),
            "{text}"
        );
    }
}

#[test]
fn attributes_are_those_of_the_next_statement_alone() {
    let mut stage = stage();
    let attributes = b"\x02\x01\0\x01\xfd\0\x05route\xfd\0\x08password\x02/x\x06canary";
    stage.observe(Observation::Attributes { attributes });
    stage.query("select 1", returned(1)).idle();
    let request = stage.last().request.unwrap().attributes.unwrap();
    assert_eq!((&request["route"], &request["password"]), (&"/x".into(), &"[REDACTED]".into()));
    stage.observe(Observation::Attributes { attributes });
    // Its statement was left out.
    stage.idle().query("select 2", returned(1)).idle();
    assert!(stage.last().request.is_none());
}
