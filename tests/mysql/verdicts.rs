//! What became of statements, where the wire says it in a roundabout way: tables without transactions, deadlocks, locks
//! that were waited for in vain; and how a text is read where the server begins with another sql_mode.

use std::{process::Command, thread};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    operations::{of_kind, statement},
    raw::{Answer, Raw},
    support::{free_port, mysql::Version, panoptes::Panoptes},
};

pub(crate) const TESTS: &[Named] = &[
    ("rows_without_transactions_stay", rows_stay),
    ("deadlock_undoes_its_transaction", deadlock),
    ("lock_timeout_leaves_a_doubt", timed_out),
    ("failed_definition_commits", failed_definition),
    ("what_undoes_its_own_work_leaves_a_doubt", own_work),
    ("what_ran_before_an_error_of_its_text_lasts", torn),
    ("a_row_that_has_changed_undoes_its_transaction", changed),
    ("sql_mode_of_the_server", sql_mode),
];

/// Runs statements that all succeed.
pub(crate) fn run(client: &mut Raw, texts: &[&str]) {
    for text in texts {
        assert_eq!(client.query(text).error, None, "{text}");
    }
}

/// The events of sessions that have all ended.
pub(crate) fn ended(proxy: &Panoptes, sessions: usize) -> Vec<Value> {
    proxy.wait_for("the logouts", |events| of_kind(events, "logout").count() == sessions)
}

/// The verdict of the statement with these words.
fn verdict_of(events: &[Value], words: &str) -> String {
    verdict(events, statement(events, words))
}

/// The verdict of a statement: its own, or that of the first event which tells it later.
pub(crate) fn verdict(events: &[Value], one: &Value) -> String {
    let (transaction, seq) = (&one["transaction"], one["session"]["seq"].as_u64());
    let told = of_kind(events, "verdict").map(|event| &event["transaction"]).find(|told| {
        told["id"] == transaction["id"] && told["fromSeq"].as_u64() <= seq && seq <= told["toSeq"].as_u64()
    });
    let own = transaction["verdict"].as_str();
    own.or(told.and_then(|told| told["verdict"].as_str())).expect("a verdict").to_owned()
}

fn rows_stay(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql(
        "create table work.plain (a int primary key) engine=MyISAM; \
         create table work.safe (a int primary key) engine=InnoDB",
    );
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    run(&mut client, &["use work", "begin", "insert into plain values (1)", "insert into safe values (1)"]);
    run(&mut client, &["rollback /* of both */", "begin", "insert into safe values (2)", "savepoint s"]);
    run(&mut client, &["insert into plain values (3)", "rollback to s", "commit"]);
    run(&mut client, &["begin", "insert into safe values (4)", "rollback /* of one */"]);
    drop(client);
    let events = ended(&proxy, 1);
    let there = rig.server().sql(
        "select group_concat(a order by a) from work.plain union all select group_concat(a) from work.safe",
    );
    assert_eq!(there, "1,3\n2\n", "what is there");
    let both = statement(&events, "of both");
    assert_eq!((&both["sql"]["outcome"], &both["sql"]["warnings"]), (&"warning".into(), &1.into()));
    for (words, expected) in [
        ("plain values (1)", "unknown"),
        ("safe values (1)", "unknown"),
        ("safe values (2)", "committed"),
        ("plain values (3)", "unknown"),
        ("safe values (4)", "rolledBack"),
    ] {
        assert_eq!(verdict_of(&events, words), expected, "{words}");
    }
    Ok(())
}

fn deadlock(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.pair (a int primary key, b int) engine=InnoDB; insert into work.pair values (1, 0), (2, 0)");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let (mut one, mut other) = (Raw::connect(proxy.port), Raw::connect(proxy.port));
    run(&mut one, &["begin", "update work.pair set b = 1 where a = 1 /* one's first */"]);
    run(&mut other, &["begin", "update work.pair set b = 1 where a = 2 /* other's first */"]);
    let id = one.id;
    let waiting = thread::spawn(move || {
        let answer = one.query("update work.pair set b = 1 where a = 2 /* one's second */");
        (one, answer)
    });
    rig.server().wait_until(&format!(
        "exists (select * from information_schema.innodb_trx where trx_mysql_thread_id = {id} and trx_state = 'LOCK WAIT')"
    ));
    let second = other.query("update work.pair set b = 1 where a = 1 /* other's second */");
    let (mut one, first) = waiting.join().expect("no panic");
    let refused = |answer: &Answer| answer.error.as_ref().is_some_and(|(code, _)| *code == 1213);
    assert!(refused(&first) != refused(&second), "one of both: {first:?} {second:?}");
    for client in [&mut one, &mut other] {
        let id = client.id;
        run(client, &[&format!("select 'after {id}'"), "commit"]);
    }
    let (victim, survivor) = if refused(&first) { ("one's", "other's") } else { ("other's", "one's") };
    let after = if refused(&first) { one.id } else { other.id };
    drop((one, other));
    let events = ended(&proxy, 2);
    assert_eq!(verdict_of(&events, &format!("{victim} first")), "rolledBack");
    assert_eq!(verdict_of(&events, &format!("{victim} second")), "rolledBack");
    assert_eq!(verdict_of(&events, &format!("{survivor} first")), "committed");
    let told = of_kind(&events, "verdict").find(|event| event["transaction"]["sqlState"] == "40001");
    assert!(told.is_some(), "the verdict says why: {events:#?}");
    let after = statement(&events, &format!("after {after}"));
    assert_eq!(after["transaction"]["id"], Value::Null, "{after}");
    Ok(())
}

fn timed_out(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.lone (a int primary key, b int) engine=InnoDB; insert into work.lone values (1, 0), (2, 0), (3, 0)");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let (mut holder, mut client) = (Raw::connect(proxy.port), Raw::connect(proxy.port));
    run(&mut holder, &["begin", "update work.lone set b = 1 where a = 1 /* holds */"]);
    run(&mut client, &["set innodb_lock_wait_timeout = 1"]);
    for (looks, row) in [(true, 2), (false, 3)] {
        run(
            &mut client,
            &["begin", &format!("update work.lone set b = 2 where a = {row} /* before {row} */")],
        );
        let waited = client.query(&format!("update work.lone set b = 2 where a = 1 /* waits {row} */"));
        assert_eq!(waited.error.map(|(code, _)| code), Some(1205));
        if looks {
            run(&mut client, &["select 'still there'"]);
        }
        run(&mut client, &["commit"]);
    }
    drop((holder, client));
    let events = ended(&proxy, 2);
    assert_eq!(verdict_of(&events, "before 2"), "committed", "a status was told in between");
    assert_eq!(verdict_of(&events, "before 3"), "unknown");
    assert_eq!(verdict_of(&events, "holds"), "rolledBack", "its session ended");
    Ok(())
}

/// A MariaDB can be told to refuse a row that another session has changed since, with all of the transaction.
fn changed(rig: &Rig) -> Result<(), Failed> {
    if !rig.version.is_mariadb() {
        return Ok(());
    }
    rig.server().sql("create table work.changed (a int primary key, b int) engine=InnoDB; insert into work.changed values (1, 0)");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    run(
        &mut client,
        &["set innodb_snapshot_isolation = 1", "begin", "insert into work.changed values (50, 0)"],
    );
    assert_eq!(client.query("select * from work.changed").rows, 2);
    rig.server().sql("update work.changed set b = 1 where a = 1");
    let refused = client.query("update work.changed set b = 2 where a = 1");
    assert_eq!(refused.error.map(|(code, _)| code), Some(1020));
    run(&mut client, &["commit"]);
    drop(client);
    let events = ended(&proxy, 1);
    assert_eq!(rig.server().sql("select a from work.changed"), "1\n", "what is there");
    assert_ne!(verdict_of(&events, "(50, 0)"), "committed");
    Ok(())
}

/// A procedure that rolls back, as handlers do: it is done, and nothing else shows.
fn own_work(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.own (a int primary key) engine=InnoDB");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    let tries = "create procedure own_tries() begin declare exit handler for sqlexception rollback; \
                 start transaction; insert into own values (1); insert into own values (1); commit; end";
    run(&mut client, &["use work", tries, "call own_tries() /* as text */"]);
    client.try_run("call own_tries() /* prepared */").expect("an answer");
    run(&mut client, &["set autocommit = 0", "call own_tries() /* of a transaction */"]);
    drop(client);
    let events = ended(&proxy, 1);
    assert_eq!(rig.server().sql("select * from work.own"), "", "what is there");
    for words in ["as text", "prepared */", "of a transaction"] {
        assert_eq!(verdict_of(&events, words), "unknown", "{words}");
    }
    Ok(())
}

/// It cannot be told where the statements of such a text end, or it has an empty one, or one that failed in a transaction.
fn torn(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.torn (a int primary key) engine=InnoDB");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    run(&mut client, &["use work"]);
    client.allow_several();
    let long = "y".repeat(70_000);
    for (text, code) in [
        ("insert into torn values (1);$a$;'", 1064),
        ("begin; insert into torn values (2); insert into torn values (2); select 'never ran'", 1062),
        ("insert into torn values (3); commit; ; select 'behind nothing'", 1064),
        (&format!("insert into torn values (4) /* {long} */; insert into torn values (4)"), 1062),
    ] {
        let refused = client.queries(text).error.map(|(code, _)| code);
        assert_eq!(refused, Some(code), "{}", &text[..40]);
    }
    drop(client);
    let events = ended(&proxy, 1);
    let there = rig.server().sql("select group_concat(a order by a) from work.torn");
    assert_eq!(there, "1,2,3,4\n", "what is there");
    let of_code = |code: &str| events.iter().filter(|event| event["sql"]["errorCode"] == code).count();
    let uncertain: Vec<_> = events.iter().filter(|event| event["sql"]["split"] == "uncertain").collect();
    assert_eq!(uncertain.len(), 1, "{events:#?}");
    for event in uncertain {
        assert_eq!(
            (&event["transaction"]["verdict"], &event["sql"]["rowCount"]),
            (&"unknown".into(), &1.into())
        );
    }
    assert_eq!((of_code("1064"), of_code("1062")), (1, 2), "{events:#?}");
    let never = statement(&events, "never ran");
    assert_eq!((&never["sql"]["outcome"], &never["transaction"]["id"]), (&"skipped".into(), &Value::Null));
    assert_eq!(verdict_of(&events, "torn values (3)"), "committed");
    assert_eq!(statement(&events, "behind nothing")["sql"]["outcome"], "skipped");
    Ok(())
}

/// What fails may have committed what came before it; and a comment behind the last statement is none.
fn failed_definition(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.kept (a int primary key) engine=InnoDB");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    run(&mut client, &["use work"]);
    for (row, fails, code) in [
        (1, "drop table nope", 1051),
        (2, "create table kept (a int)", 1050),
        (3, "drop user nope", 1396),
        (4, "drop temporary table nope", 1051),
        (5, "drop table nope nope", 1064),
    ] {
        run(&mut client, &["begin", &format!("insert into kept values ({row})")]);
        assert_eq!(client.query(fails).error.map(|(code, _)| code), Some(code), "{fails}");
        run(&mut client, &["rollback"]);
    }
    // Several statements in a text, from here on.
    client.allow_several();
    run(&mut client, &["delete from kept where a = 3; -- c"]);
    assert_eq!(client.answer().error, None, "of the comment");
    drop(client);
    let events = ended(&proxy, 1);
    let there = rig.server().sql("select group_concat(a order by a) from work.kept");
    assert_eq!(there, "1,2\n", "what is there");
    for (row, expected) in
        [(1, "unknown"), (2, "unknown"), (3, "unknown"), (4, "rolledBack"), (5, "rolledBack")]
    {
        assert_eq!(verdict_of(&events, &format!("kept values ({row})")), expected, "{row}");
    }
    let commented = statement(&events, "where a = 3");
    assert_eq!((&commented["sql"]["rowCount"], &commented["sql"]["split"]), (&1.into(), &Value::Null));
    assert_eq!(verdict_of(&events, "where a = 3"), "committed");
    Ok(())
}

/// The operator says it; or a server that was told to track it, to clients that listen to that.
fn sql_mode(rig: &Rig) -> Result<(), Failed> {
    let (server, port) = (rig.server(), free_port());
    let listener = format!(
        "[[listen]]\naddress = \"127.0.0.1:{port}\"\nupstream = \"mysql://127.0.0.1:{}\"\nsql_mode = \"ANSI_QUOTES\"",
        server.port
    );
    let proxy = Panoptes::start_mysql(server.port, &listener);
    let tracked = "set global session_track_system_variables = 'autocommit,character_set_client,sql_mode'";
    server.sql(&format!("set global sql_mode = 'ANSI_QUOTES'; {tracked}"));
    for (port, name) in [(proxy.port, "tracked"), (port, "configured")] {
        let text = format!("select user as {name} from \"mysql\".\"user\"");
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-h127.0.0.1", &format!("-P{port}"), "-uraw", "-e", &text]);
        let done = client.output().expect("mariadb");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    server.sql("set global sql_mode = default; set global session_track_system_variables = default");
    let events = ended(&proxy, 2);
    let quoted = |name| {
        let normalized = &statement(&events, name)["sql"]["normalized"];
        normalized.as_str().expect("it").contains("\"mysql\".\"user\"")
    };
    assert!(quoted("configured"));
    // MariaDB 11 tells at the login what it tracks; older ones, and MySQL, only what changes.
    assert_eq!(quoted("tracked"), rig.version == Version::Maria11);
    Ok(())
}
