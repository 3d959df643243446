//! Logins within the session, what is left of one that begins anew, and what the client says beside.

use panoptes_event::Event;
use panoptes_parser::wire::{Ask, Observation, Observer, TransactionStatus};

use super::{super::Stage, affected, refused, returned, stage};

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

/// MariaDB goes back to what the client said when it logged in, MySQL to what it greeted with.
#[test]
fn a_reset_has_the_character_set_of_the_login_or_of_the_server() {
    for (version, greeted, raw) in [
        ("10.11.6-MariaDB", b"\x2d", "select '\u{e4}'"),
        ("8.4.3", b"\xff", "select '\\xe4'"),
        ("8.4.3", b"\x08", "select '\u{e4}'"),
    ] {
        let mut stage = stage();
        stage.parameter("server_version", version);
        stage.observe(Observation::Parameter { name: b"server_collation", value: greeted });
        // latin1_swedish_ci.
        stage.observe(Observation::Startup { parameters: b"\x08\0ana\0shop\0mysql_native_password\0" });
        stage.observe(Observation::LoggedIn { at: 5_000 });
        stage.done("set names utf8mb4").idle();
        let ask = Ask::Command { name: "COM_RESET_CONNECTION", object: None, argument: &b""[..] };
        stage.settled(ask, affected(0)).idle().bytes(b"select '\xe4'", returned(1)).idle();
        assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some(raw), "{version}");
    }
}

/// Where only the greeting tells the character set, what would be cut otherwise in another is one event.
#[test]
fn a_character_set_that_nobody_said_leaves_a_doubt() {
    let mut stage = stage();
    stage.parameter("server_version", "8.4.3");
    stage.observe(Observation::Startup { parameters: b"\x2d\0ana\0\0\0" });
    stage.observe(Observation::LoggedIn { at: 5_000 });
    let parts = |stage: &mut Stage, text: &str| {
        stage.several().query(text, returned(1)).turned(TransactionStatus::Idle).next(returned(1)).idle();
        stage.told().lines().last().unwrap().contains("split uncertain")
    };
    let escaped = "select '\u{4e2d}\\''; select 2";
    assert!(!parts(&mut stage, escaped));
    let ask = Ask::Command { name: "COM_RESET_CONNECTION", object: None, argument: &b""[..] };
    stage.settled(ask, affected(0)).idle();
    assert!(parts(&mut stage, escaped) && parts(&mut stage, "select `\u{4e2d}`; select 2"));
    assert!(!parts(&mut stage, "select '\u{4e2d}'; select 2"));
    assert!(!parts(&mut stage, "select '\\''; select 2"));
    stage.done("set names utf8mb4").idle();
    assert!(!parts(&mut stage, escaped));
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

/// Long ones only with the first, so that no text of many statements makes a journal of them.
#[test]
fn attributes_are_those_of_each_statement_of_a_text() {
    for (length, again) in [(500_u16, true), (1_500, false)] {
        let value = vec![b'x'; length.into()];
        let attributes = [&b"\x01\x01\0\x01\xfd\0\x05route\xfc"[..], &length.to_le_bytes(), &value].concat();
        let mut stage = stage();
        stage.observe(Observation::Attributes { attributes: &attributes });
        stage.several().query("select 1; selct; select 3", returned(1)).turned(TransactionStatus::Idle);
        stage.next(refused(1064, "42000")).idle();
        let events = stage.events();
        let told: Vec<_> = events.iter().map(|event| event.request.is_some()).collect();
        assert_eq!(told, [true, again, again]);
        let size = |event: &Event| event.sql.as_ref()?.truncated.as_ref()?["attributes"].as_u64();
        let expected = Some(attributes.len() as u64).filter(|_| !again);
        assert_eq!(events.iter().map(size).collect::<Vec<_>>(), [None, expected, expected]);
    }
}

#[test]
fn a_statement_is_in_the_schema_that_it_ran_in() {
    let mut stage = stage();
    stage.several().done("use one").idle();
    stage.query("select 1; use two; select 2", returned(1)).next(affected(0)).next(returned(1)).idle();
    stage.done("drop database other").idle().done("drop database two").idle().done("do 3").idle();
    let schemas: Vec<_> = stage
        .events()
        .iter()
        .cloned()
        .map(|event| (event.sql.unwrap().raw.unwrap(), event.db.unwrap().name.unwrap_or_default()))
        .collect();
    let told: Vec<_> = schemas.iter().map(|(raw, schema)| (raw.as_str(), schema.as_str())).collect();
    assert_eq!(
        told,
        [
            ("use one", "one"),
            ("select 1", "one"),
            ("use two", "two"),
            ("select 2", "two"),
            ("drop database other", "two"),
            ("drop database two", "two"),
            ("do 3", ""),
        ]
    );
}

/// Nobody knows what it was to run.
#[test]
fn a_run_of_an_unknown_number_is_its_command() {
    let mut stage = stage();
    stage.run(Some(&[0, 1, 0, 0, 0]), refused(1243, "HY000")).idle();
    let operation = stage.last().operation.unwrap();
    let told = (&*operation.kind, &*operation.category, operation.command.as_deref());
    assert_eq!(told, ("EXECUTE", "DML", Some("COM_STMT_EXECUTE")));
}

#[test]
fn attributes_that_are_too_large_leave_their_size() {
    let mut stage = stage();
    stage.observe(Observation::Attributes { attributes: b"\0\xfe\x40\x0d\x03\0\0\0\0\0" });
    stage.several().query("select 1; select 2", returned(1)).next(returned(1)).idle();
    let cut: Vec<_> = stage.events().iter().map(|event| event.sql.clone().unwrap().truncated).collect();
    assert_eq!(cut.len(), 2);
    assert!(cut.into_iter().all(|cut| cut.unwrap()["attributes"] == 200_000));
}
