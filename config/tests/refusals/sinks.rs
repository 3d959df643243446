//! Of where events go.

use super::{LISTEN, refused_file, refused_options};

#[test]
fn sinks_must_be_of_a_kind_that_exists() {
    for (options, line) in [
        (
            "[sinks.bus]\nkind = \"pigeon\"",
            r#"sinks.bus.kind: "pigeon" is none of console, file, http, splunk, elasticsearch, syslog, database, kafka"#,
        ),
        (
            "[sinks.bus]\nkind = \"fiel\"",
            r#"sinks.bus.kind: "fiel" is none of console, file, http, splunk, elasticsearch, syslog, database, kafka; did you mean "file"?"#,
        ),
        (
            "[sinks.bus]\nkind = 1",
            "sinks.bus.kind: is not a text; write one of console, file, http, splunk, elasticsearch, syslog, database, kafka in quotes",
        ),
        (
            "[sinks.bus]",
            r#"sinks.bus: has no kind, and "bus" is none; add kind, one of console, file, http, splunk, elasticsearch, syslog, database, kafka"#,
        ),
        ("[sinks]\nconsole = true", "sinks.console: is true; write a table"),
        (
            "[sinks.\"../x\"]\nkind = \"file\"",
            "sinks.../x: is no name for a sink; use a-z, 0-9, _ and -, a letter first, at most 64",
        ),
        (
            "[sinks.a]\nkind = \"file\"\npath = \"/x\"\n[sinks.b]\nkind = \"file\"\npath = \"/x\"",
            r#"sinks.b.path: "/x" is already that of sinks.a; use another file"#,
        ),
    ] {
        assert_eq!(refused_options(options), format!("panoptes.toml: {line}"));
    }
    assert_eq!(
        refused_file(&format!("sinks = 1\n{LISTEN}")),
        ["panoptes.toml: sinks: is a number; write a table"]
    );
}

#[test]
fn an_audit_database_is_not_behind_ourselves_and_has_what_its_engine_needs() {
    let database = "[sinks.database]\nusername = \"p\"\n";
    for (options, line) in [
        (
            format!("{database}url = \"postgres://localhost:6432/x\""),
            "url: localhost:6432/x is reached through our own listener 127.0.0.1:6432: each row would be audited, and that one too; name the database itself",
        ),
        (database.to_owned(), "url: is missing; write e.g. \"postgres://audit.internal:5432/audit\""),
        (
            format!("{database}url = \"postgres://p:hunter2@db/x\""),
            "url: has a user; remove everything up to the @, and give username and password",
        ),
        (
            "[sinks.database]\nurl = \"mysql://db/x\"".to_owned(),
            "username: is missing; give the login that may insert into the table",
        ),
        (
            format!("{database}url = \"sqlite:///a.db\""),
            "username: and password are not for SQLite, which has no logins; remove them",
        ),
        (
            format!("{database}url = \"mysql://db/x\"\npartitions = \"monthly\""),
            "partitions: is there for PostgreSQL only; leave it out",
        ),
        (
            format!("{database}url = \"mysql://db/x\"\ntable = \"a; DROP\""),
            "table: \"a; DROP\" is no name of a table; use a-z, 0-9 and _, a letter first, at most 40, e.g. \"audit.trail\"",
        ),
    ] {
        assert_eq!(refused_options(&options), format!("panoptes.toml: sinks.database.{line}"));
    }
}

#[test]
fn kafka_needs_a_topic_a_login_that_is_whole_and_its_promises() {
    let kafka = "[sinks.kafka]\nbrokers = [\"k:9092\"]\n";
    for (options, line) in [
        (
            format!("{kafka}topic = \"a b\""),
            "topic: \"a b\" is no name of a topic; use a-z, 0-9, ., _ and -, e.g. \"db-audit\"",
        ),
        (
            "[sinks.kafka]\ntopic = \"a\"".to_owned(),
            "brokers: is missing; write e.g. [\"kafka-1.internal:9092\"]",
        ),
        (
            format!("{kafka}topic = \"a\"\nsecurity_protocol = \"sasl_plaintext\"\nusername = \"p\""),
            "username: and password are what security_protocol asks for; give both",
        ),
        (
            format!("{kafka}topic = \"a\"\nusername = \"p\""),
            "security_protocol: has no login, but a username or password is given; write sasl_ssl or sasl_plaintext",
        ),
        (
            format!("{kafka}topic = \"a\"\nproperties = {{ acks = \"1\" }}"),
            "properties.acks: is what keeps events from being lost, or an option of its own; remove it",
        ),
    ] {
        assert_eq!(refused_options(&options), format!("panoptes.toml: sinks.kafka.{line}"));
    }
}

#[test]
fn options_that_would_have_no_effect_are_refused() {
    let es = "[sinks.elasticsearch]\nurls = [\"https://es:9200\"]\n";
    let kafka = "[sinks.kafka]\nbrokers = [\"k:9092\"]\ntopic = \"t\"\n";
    let syslog = "[sinks.syslog]\naddress = \"siem:514\"\n";
    let splunk = "[sinks.splunk]\nurl = \"HTTP://s:8088\"\ntoken = \"t\"\n";
    let http = "[sinks.http]\nurl = \"http://c/x\"\n";
    let clear = "tls: is of no use with http://, which is in clear; write https://";
    let udp = "is of no use with transport = \"udp\": datagrams are messages of their own, and nobody confirms them; remove it";
    let rollover =
        "is of no use without data_stream = true and install.delete_after, which makes the policy; remove it";
    for (options, line) in [
        (format!("{http}tls.ca_file = \"/ca\""), clear.to_owned()),
        (format!("{splunk}tls.ca_file = \"/ca\""), clear.to_owned()),
        (
            format!("{http}auth.bearer = \"b\"\nheaders.authorization = \"Basic x\""),
            "headers.authorization: is set by auth as well; keep one of them".into(),
        ),
        (
            format!("{splunk}acknowledge_timeout = \"2 min\""),
            "acknowledge_timeout: is of no use without acknowledge = true; remove it".into(),
        ),
        (
            "[sinks.elasticsearch]\nurls = [\"http://es:9200\"]\ntls.ca_file = \"/ca\"".into(),
            clear.to_owned(),
        ),
        (
            format!("{es}install.replicas = 2"),
            "install.replicas: is of no use without install.template = true; remove it".into(),
        ),
        (
            format!("{es}install.template = true\ninstall.delete_after = \"90 days\"\ninstall.rollover_after = \"2 days\""),
            format!("install.rollover_after: {rollover}"),
        ),
        (format!("{syslog}transport = \"udp\"\nconfirm = true"), format!("confirm: {udp}")),
        (format!("{syslog}transport = \"udp\"\nframing = \"newline\""), format!("framing: {udp}")),
        (format!("{syslog}tls.ca_file = \"/ca\""), "tls: is of no use without transport = \"tls\"".into()),
        (
            "[sinks.database]\nurl = \"mysql://db/x?sslmode=disable\"\nusername = \"p\"\ntls.ca_file = \"/ca\"".into(),
            "tls: is of no use with sslmode=disable in the url; write sslmode=verify-full".into(),
        ),
        (
            "[sinks.database]\nurl = \"sqlite:///a.db\"\ntls.ca_file = \"/ca\"".into(),
            "tls: is of no use with SQLite, which is a file".into(),
        ),
        (
            format!("{kafka}tls.ca_file = \"/ca\""),
            "tls: is of no use without security_protocol = \"ssl\" or \"sasl_ssl\"".into(),
        ),
        (
            format!("{kafka}sasl_mechanism = \"SCRAM-SHA-256\""),
            "sasl_mechanism: is of no use without a security_protocol that has a login; remove it".into(),
        ),
    ] {
        let sink = options.trim_start_matches('[').split(']').next().unwrap();
        assert_eq!(refused_options(&options), format!("panoptes.toml: {sink}.{line}"));
    }
}

#[test]
fn what_a_destination_cannot_be_told_is_refused() {
    let http = "[sinks.http]\nurl = \"http://c/x\"\n";
    let es = "[sinks.elasticsearch]\nurls = [\"https://es:9200/x\"]\n";
    let splunk = "[sinks.splunk]\nurl = \"https://s:8088/behind\"\n";
    let kafka = "[sinks.kafka]\nbrokers = [\"k:9092\"]\ntopic = \"t\"\n";
    let port = "has a port that is none; write 1 to 65535";
    let other = "is set to something else; name another header";
    let no_pipeline = "is no name of a pipeline; use letters, digits, ., _, -, @ and :";
    for (options, line) in [
        ("[sinks.http]\nurl = \"http://h:99999/\"".to_owned(), format!("url: {port}")),
        ("[sinks.http]\nurl = \"http://[::1]:0/\"".to_owned(), format!("url: {port}")),
        (
            format!("{http}idempotency_header = \"Content-Length\""),
            format!("idempotency_header: \"Content-Length\" {other}"),
        ),
        (
            format!("{http}idempotency_header = \"authorization\""),
            format!("idempotency_header: \"authorization\" {other}"),
        ),
        (
            format!("{http}idempotency_header = \"X\"\nheaders.x = \"1\""),
            format!("idempotency_header: \"X\" {other}"),
        ),
        (format!("{http}auth.bearer = \"\""), "auth.bearer: is empty; give it, or leave it out".into()),
        (format!("{splunk}token = \"\""), "token: is empty; give it, or leave it out".into()),
        (
            "[sinks.splunk]\nurl = \"https://s:8088/services/collector/event\"\ntoken = \"t\"".into(),
            "url: has /services/collector, which the sink adds itself; remove it".into(),
        ),
        (
            "[sinks.elasticsearch]\nurls = [\"https://es:9200/?pretty\"]".into(),
            "urls: has a query, but the sink's own paths go behind it; remove it".into(),
        ),
        (format!("{es}pipeline = \"a&b=c\""), format!("pipeline: {no_pipeline}")),
        (format!("{es}pipeline = \"a b\""), format!("pipeline: {no_pipeline}")),
        (
            format!("{kafka}sasl_mechanism = \"BOGUS\"\nsecurity_protocol = \"sasl_plaintext\"\nusername = \"u\"\npassword = \"p\""),
            "sasl_mechanism: \"BOGUS\" is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512".into(),
        ),
        (
            format!("{kafka}properties = {{ \"sasl.mechanism\" = \"BOGUS\" }}"),
            "properties.sasl.mechanism: is what keeps events from being lost, or an option of its own; remove it".into(),
        ),
        (
            "[sinks.file]\npath = \"/j/cursors/file\"\n[journal]\ndir = \"/j/\"".into(),
            "path: \"/j/cursors/file\" is in journal.dir, whose files are its own; use another folder".into(),
        ),
    ] {
        let sink = options.trim_start_matches('[').split(']').next().unwrap();
        assert_eq!(refused_options(&options), format!("panoptes.toml: {sink}.{line}"));
    }
}
