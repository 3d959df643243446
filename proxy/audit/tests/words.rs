//! Words as an event shows them: encodings, what deceives, what is cut, what is hidden; what all events share.

use std::mem;

use panoptes_event::Event;
use panoptes_parser::wire::{Answer, Ask, Observation, Observer};
use serde_json::json;

use super::{Stage, done, failed};
use crate::session::Ending;

fn parameter(stage: &mut Stage, name: &str, value: &str) {
    stage.observe(Observation::Parameter { name: name.as_bytes(), value: value.as_bytes() });
}

/// The JSON of what was written since the last time.
fn written(stage: &mut Stage) -> String {
    let out = mem::take(&mut stage.tools.out);
    let mut bytes = Vec::new();
    out.iter().for_each(|(encoded, _)| encoded.write(1, &mut bytes));
    String::from_utf8(bytes).unwrap()
}

fn raw(event: &Event) -> &str {
    event.sql.as_ref().unwrap().raw.as_deref().unwrap()
}

#[test]
fn a_text_is_read_in_the_encoding_of_its_session() {
    let mut stage = Stage::new();
    parameter(&mut stage, "client_encoding", "LATIN1");
    stage.bytes(b"select 'caf\xe9'", failed("22P02", "x")).idle();
    assert_eq!(raw(&stage.last()), "select 'café'");
    let message = Answer::Failed(panoptes_parser::wire::Failure {
        sql_state: &b"42P01"[..],
        message: b"relation \"caf\xe9\" does not exist",
        position: 0,
        code: 0,
        fatal: false,
    });
    stage.query("select 1", message).idle();
    assert_eq!(stage.last().sql.unwrap().error_message.as_deref(), Some("relation \"café\" does not exist"));
    stage.parse("", "select $1", done("")).settled(
        Ask::Bind { portal: b"", statement: b"", parameters: b"\0\0\0\x01\0\0\0\x01\xe9", length: 9 },
        done(""),
    );
    stage.execute(done("SELECT 1")).idle();
    assert_eq!(stage.last().sql.unwrap().parameters.unwrap()[0]["text"], "é");
    parameter(&mut stage, "client_encoding", "UTF8");
    stage.bytes(b"select 'caf\xe9'", done("SELECT 1")).idle();
    assert_eq!(raw(&stage.last()), "select 'caf\\xe9'");
}

#[test]
fn nothing_in_an_event_deceives_a_terminal() {
    let mut stage = Stage::new();
    stage.query("select '\u{1b}[2J\u{202e}\u{7f}\0\u{9b}'", failed("22021", "bad \u{202e}\u{1b}")).idle();
    stage.parse("\u{1b}]", "select $1", done("")).bind("\u{1b}]", "\u{2066}\0", done(""));
    stage.execute(done("SELECT 1")).idle();
    let text = written(&mut stage);
    assert!(text.contains(r"\u001b[2J\u202e\u007f\u0000\u009b"));
    assert!(text.contains(r"bad \u202e\u001b") && text.contains(r"\u2066\u0000"));
    assert!(!text.chars().any(|c| c.is_control() || panoptes_event::json::deceives(c)));
}

#[test]
fn what_is_cut_says_how_long_it_was() {
    let mut stage = Stage::new();
    let text = format!("select '{}", "x".repeat(65_528));
    let ask = Ask::Query { text: Some(text.as_bytes()), length: 200 << 10 };
    stage.observe(Observation::Hashed { sha256: &[0xab; 32] });
    stage.settled(ask, done("SELECT 1")).idle();
    let event = stage.last();
    assert_eq!(raw(&event).len(), text.len());
    let sql = event.sql.unwrap();
    assert_eq!((json!(sql.truncated), sql.raw_sha256), (json!({"raw": 200 << 10}), Some("ab".repeat(32))));
    // By the digest of what is hidden it could be guessed.
    let secret = Ask::Query { text: Some(&b"alter role ana password 'canary"[..]), length: 200 << 10 };
    stage.observe(Observation::Hashed { sha256: &[0xab; 32] });
    stage.settled(secret, done("ALTER ROLE")).idle();
    assert_eq!(stage.last().sql.unwrap().raw_sha256, None);
    let long = format!("select $1, '{}", "y".repeat(65_000));
    stage
        .settled(Ask::Parse { statement: b"s", text: long.as_bytes(), length: 99_999, types: b"" }, done(""));
    // The second value was cut.
    let parameters = b"\0\0\0\x02\0\0\0\x01a\0\x01\0\0bbb";
    stage.settled(Ask::Bind { portal: b"", statement: b"s", parameters, length: 70_000 }, done(""));
    stage.execute(done("SELECT 1")).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!(json!(sql.truncated), json!({"raw": 99_999, "parameters": 70_000}));
    assert_eq!(sql.parameters.unwrap().len(), 1);
}

/// Binds to so many bytes of each value, of so many.
fn bind_heads(stage: &mut Stage, statement: &str, values: &[(&str, i32)]) {
    let mut parameters = [&[0, 0][..], &u16::try_from(values.len()).unwrap().to_be_bytes()].concat();
    for (head, length) in values {
        let bytes = u16::try_from(head.len()).unwrap();
        match i32::from(bytes) == *length {
            true => parameters.extend(length.to_be_bytes()),
            false => parameters.extend([&(!length).to_be_bytes()[..], &bytes.to_be_bytes()].concat()),
        }
        parameters.extend(head.bytes());
    }
    let (portal, statement) = (&b""[..], statement.as_bytes());
    let bind = Ask::Bind { portal, statement, parameters: &parameters, length: 200_016 };
    stage.settled(bind, done("")).execute(done("UPDATE 1")).idle();
}

#[test]
fn a_long_value_is_told_by_its_head_and_hides_no_other() {
    let mut stage = Stage::new();
    let text = "update docs set body = $1 where id = $2";
    let types = b"\0\0\0\x19\0\0\0\x17";
    stage.settled(Ask::Parse { statement: b"s", text: text.as_bytes(), length: 39, types }, done(""));
    bind_heads(&mut stage, "s", &[("It was", 200_000), ("42", 2)]);
    let sql = stage.last().sql.unwrap();
    let body = json!({"type": "text", "head": "It was", "length": 200_000});
    assert_eq!(json!(sql.parameters), json!([body, 42]));
    assert_eq!((json!(sql.truncated), sql.redacted), (json!({"parameters": 200_016}), None));
    // It may be any number.
    bind_heads(&mut stage, "s", &[("x", 1), ("42", 70_000)]);
    let sql = stage.last().sql.unwrap();
    assert_eq!(json!(sql.parameters), json!(["x", {"type": "int4", "head": "42", "length": 70_000}]));
}

#[test]
fn of_a_secret_not_even_the_head_is_told() {
    for (text, head, shown) in [
        ("select pgp_sym_encrypt('a', $1)", "canary", json!(["[REDACTED]"])),
        ("select dblink_exec('dbname=d', $1)", "alter role a passw", json!(["[REDACTED]"])),
        (
            "select set_config($2, $1, false)",
            "canary",
            json!(["[REDACTED]", {"type": "unknown", "head": "app.", "length": 70_000}]),
        ),
        (
            "insert into t values ($1)",
            "see http://u:canary",
            json!([{"type": "unknown", "head": "see http://u:[REDACTED]", "length": 70_000}]),
        ),
        (
            "insert into t values ($1)",
            "{\"password\": \"canary",
            json!([{"type": "unknown", "head": "{\"password\": [REDACTED]", "length": 70_000}]),
        ),
        (
            "insert into t values ($1)",
            "create role a password 'canary",
            json!([{"type": "unknown", "head": "[REDACTED]", "length": 70_000}]),
        ),
    ] {
        let mut stage = Stage::new();
        stage.parse("s", text, done(""));
        let values = [(head, 70_000), ("app.", 70_000)];
        bind_heads(&mut stage, "s", &values[..text.matches('$').count()]);
        let sql = stage.last().sql.unwrap();
        assert_eq!(json!(sql.parameters), shown, "{text}");
        assert_eq!(sql.redacted.unwrap(), ["parameters"]);
        assert!(!written(&mut stage).contains("canary"));
    }
}

#[test]
fn a_password_is_nowhere_in_an_event() {
    let mut stage = Stage::new();
    stage.query("alter role ana password 'canary'", done("ALTER ROLE")).idle();
    let near = failed("42601", "syntax error at or near \"\"canary\"\"");
    stage.query("alter role ana password \"canary\"", near).idle();
    stage.parse("s", "create user ana password 'canary'", done("")).bind("s", "1", done(""));
    stage.execute(failed("42710", "role \"ana\" already exists")).idle();
    stage.query("prepare p as select dblink('password=canary')", done("PREPARE")).idle();
    stage.bind("p", "1", done("")).execute(done("SELECT 1")).idle();
    let text = written(&mut stage);
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains(r#"role \"ana\" already exists"#), "{text}");
}

#[test]
fn of_a_text_that_was_not_sent_an_error_quotes_nothing() {
    let mut stage = Stage::new();
    stage.query("select f(1)", failed("42601", r#"syntax error at or near "canary""#)).idle();
    assert_eq!(stage.last().sql.unwrap().error_message.unwrap(), r#"syntax error at or near "[REDACTED]""#);
    stage.query("selec f(\n1)", failed("42601", r#"syntax error at or near "selec""#)).idle();
    assert_eq!(stage.last().sql.unwrap().error_message.unwrap(), r#"syntax error at or near "selec""#);
}

#[test]
fn bytes_that_are_text_are_looked_through() {
    let mut stage = Stage::new();
    stage.parse("", "insert into t values ($1::bytea)", done(""));
    let value = b"\\x7b2270617373776f7264223a2263616e617279227d";
    let mut body = vec![0, 0, 0, 1];
    body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
    body.extend(value);
    stage.settled(Ask::Bind { portal: b"", statement: b"", parameters: &body, length: 0 }, done(""));
    stage.execute(done("INSERT 0 1")).idle();
    let parameters = stage.last().sql.unwrap().parameters.unwrap();
    assert_eq!(parameters, [r#"{"password":"[REDACTED]"}"#]);
}

#[test]
fn bound_secrets_are_hidden_and_the_rest_stays() {
    let mut stage = Stage::new();
    let bind = |stage: &mut Stage, values: &[Option<&str>]| {
        let mut body = vec![0, 0];
        body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            body.extend(value.map_or(-1, |value| i32::try_from(value.len()).unwrap()).to_be_bytes());
            body.extend(value.unwrap_or_default().as_bytes());
        }
        let parameters = body.as_slice();
        stage.settled(Ask::Bind { portal: b"", statement: b"", parameters, length: 0 }, done(""));
    };
    for (sql, values, expected) in [
        ("select crypt($2, $3), $1", &[Some("a"), Some("canary"), None][..], "a [REDACTED] null"),
        (
            "select set_config($1, $2, $3)",
            &[Some("my.secret"), Some("canary"), Some("t")],
            "my.secret [REDACTED] t",
        ),
        ("select set_config($1, $2, $3)", &[Some("my.id"), Some("42"), Some("t")], "my.id 42 t"),
        ("select dblink_connect($1)", &[Some("host=h password=canary")], "host=h password=[REDACTED]"),
    ] {
        stage.parse("", sql, done(""));
        bind(&mut stage, values);
        stage.execute(failed("XX000", "cannot read 'canary' or canary")).idle();
        let sql = stage.last().sql.unwrap();
        let parameters = sql.parameters.unwrap();
        let shown: Vec<_> = parameters
            .iter()
            .map(|value| value.as_str().or_else(|| value["text"].as_str()).unwrap_or("null"))
            .collect();
        assert_eq!(shown.join(" "), expected);
        let hidden = expected.contains("[REDACTED]");
        assert_eq!(sql.redacted, hidden.then(|| vec!["parameters".to_owned()]));
        let message =
            if hidden { "cannot read '[REDACTED]' or [REDACTED]" } else { "cannot read 'canary' or canary" };
        assert_eq!(sql.error_message.as_deref(), Some(message));
    }
}

#[test]
fn arguments_of_execute_are_hidden_where_they_are_secret() {
    let mut stage = Stage::new();
    stage.query("prepare p(text, text) as select hmac($1, $2, 'md5')", done("PREPARE")).idle();
    stage.query("execute p('data', 'canary')", failed("22P02", "bad \"canary\"")).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!(sql.raw.as_deref(), Some("execute p('data', '[REDACTED]')"));
    assert_eq!(sql.error_message.as_deref(), Some("bad \"[REDACTED]\""));
    stage.query("execute p('data', 'canary')", done("SELECT 1")).idle();
    assert!(!written(&mut stage).contains("canary"));
}

#[test]
fn arguments_of_execute_are_hidden_where_nobody_knows_what_it_runs() {
    let mut stage = Stage::new();
    stage.query("prepare c(text) as select crypt($1, 'x')", done("PREPARE")).idle();
    for text in [
        "explain execute c('canary')",
        "explain (analyze off) execute c('canary')",
        "explain create table x as execute c('canary')",
        "explain (\"analyze\") execute c('canary')",
        "explain (analyze 0) execute c('canary')",
    ] {
        stage.query(text, done("EXPLAIN")).idle();
        let raw = stage.last().sql.unwrap().raw.unwrap();
        assert!(raw.ends_with("c('[REDACTED]')"), "{raw}");
    }
    // Refused as a whole, then too long, then of too many statements, then in an encoding that nobody knows.
    stage.query("prepare p(text) as select crypt($1, 'x'); execute p('canary'); selct 1", refused(71)).idle();
    stage.query("prepare d as select $1", done("PREPARE")).idle();
    stage
        .query("deallocate d; prepare d as select crypt($1); execute d('canary'); selct", refused(67))
        .idle();
    let cut = &b"select 'a'; execute c('canary'); select 'and so o"[..];
    stage.settled(Ask::Query { text: Some(cut), length: 99_999 }, done("SELECT 1")).idle();
    stage.query(&format!("{}execute c('canary')", "select 1;".repeat(10_001)), done("SELECT 1")).idle();
    parameter(&mut stage, "client_encoding", "MULE_INTERNAL");
    stage.bytes(b"execute c('canary\xe9')", done("SELECT 1")).idle();
    parameter(&mut stage, "client_encoding", "UTF8");
    stage.query(
        "do $$ begin execute 'deallocate d'; execute 'prepare d as select crypt($1)'; end $$",
        done("DO"),
    );
    stage.idle().query("execute d('canary')", done("SELECT 1")).idle();
    let text = written(&mut stage);
    assert!(!text.contains("canary"), "{text}");
    // What is prepared from here on is seen again.
    stage.query("deallocate all", done("DEALLOCATE ALL")).idle();
    stage
        .query("prepare d as select $1", done("PREPARE"))
        .idle()
        .query("execute d('a')", done("SELECT 1"))
        .idle();
    assert!(written(&mut stage).contains("execute d('a')"));
}

/// A syntax error at this character.
fn refused(position: u32) -> Answer<&'static [u8]> {
    let message = &b"syntax error at or near \"s3cr3tK3Y21\""[..];
    Answer::Failed(panoptes_parser::wire::Failure {
        sql_state: b"42601",
        message,
        position,
        code: 0,
        fatal: false,
    })
}

#[test]
fn an_error_gives_away_no_secret_of_another_statement() {
    let mut stage = Stage::new();
    let text = "select 'a'; alter role nobody password s3cr3tK3Y21; select 'b', 'c', 'd'";
    for position in [0, 3, 40, 60] {
        stage.query(text, refused(position)).idle();
    }
    assert!(!written(&mut stage).contains("s3cr3t"));
}

#[test]
fn the_client_s_name_gives_away_no_password() {
    let mut stage = Stage::new();
    stage.observe(Observation::Startup { parameters: b"user\0ana\0application_name\0password=canary\0" });
    stage.observe(Observation::LoggedIn { at: 9 });
    parameter(&mut stage, "application_name", "postgres://ana:canary@h");
    stage.query("select 1", done("SELECT 1")).idle();
    let text = written(&mut stage);
    assert!(!text.contains("canary") && text.contains("password=[REDACTED]"), "{text}");
}

#[test]
fn what_events_share_follows_the_session() {
    let mut stage = Stage::new();
    let parameters =
        b"user\0ana\0database\0shop\0application_name\0first\0options\0-c x=1 -c my.secret=canary\0";
    stage.observe(Observation::Startup { parameters });
    stage.observe(Observation::Authentication { method: "scram-sha-256" });
    parameter(&mut stage, "server_version", "15.18");
    stage.observe(Observation::Backend { pid: 42 });
    stage.observe(Observation::LoggedIn { at: 9 });
    // What began before the login was complete has no other connection data.
    stage.query("select 1", done("SELECT 1")).idle();
    parameter(&mut stage, "application_name", "second");
    stage.query("select 2", done("SELECT 1")).idle();
    parameter(&mut stage, "application_name", "");
    stage.query("select 3", done("SELECT 1")).idle().end(&Ending::ClientTerminate);
    let events = stage.events();
    let apps: Vec<_> = events.iter().map(|event| event.meta.source_app.as_deref()).collect();
    assert_eq!(apps, [Some("first"), Some("first"), Some("second"), None, None]);
    for event in events {
        let (db, session) = (event.db.as_ref().unwrap(), event.session.as_ref().unwrap());
        assert_eq!((db.name.as_deref(), db.user.as_deref()), (Some("shop"), Some("ana")));
        assert_eq!((db.engine.as_str(), db.host.as_str(), db.port), ("postgres", "db", 5432));
        assert_eq!(db.server_version.as_deref(), Some("15.18"));
        assert_eq!((session.server_pid, session.auth_method.as_deref()), (Some(42), Some("scram-sha-256")));
        assert_eq!(session.client.as_deref(), Some("192.0.2.1:5000"));
        assert_eq!((event.meta.app_name.as_str(), event.meta.environment.as_str()), ("shop", "test"));
    }
    let attributes = json!(events[0].session.as_ref().unwrap().attributes);
    assert_eq!(attributes, json!({"application_name": "first", "options": "-c x=1 -c my.secret=[REDACTED]"}));
}
