//! Which layer wins, and that each alone is enough: file, environment, flags.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::PathBuf, time::Duration};

use panoptes_config::{
    ByteSize, Config, ConsoleFormat, Flags, HttpBody, LogFormat, Mode, OnFull, Protocol, Secret, SinkOptions,
    Upstream, load,
};

const LISTEN: &str = "[[listen]]\naddress = \"127.0.0.1:6432\"\nupstream = \"postgres://db\"\n";

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn loaded(toml: &str, pairs: &[(&str, &str)], flags: &Flags) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("panoptes.toml");
    fs::write(&file, toml).unwrap();
    load(Some(&file), env(pairs), flags).unwrap_or_else(|errors| panic!("{errors}"))
}

fn from_env(pairs: &[(&str, &str)]) -> Config {
    load(None, env(pairs), &Flags::default()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn upstream(host: &str, port: u16) -> Upstream {
    Upstream { protocol: Protocol::Postgres, host: host.to_owned(), port }
}

#[test]
fn flags_alone_are_enough() {
    let flags = Flags {
        listen: Some("127.0.0.1:6432".parse().unwrap()),
        upstream: Some("postgres://127.0.0.1".to_owned()),
        journal: Some(PathBuf::from("/tmp/j")),
        admin: Some("127.0.0.1:9090".parse().unwrap()),
        sinks: vec!["console=lines".to_owned(), "file=/tmp/events.log".to_owned()],
        log_format: Some(LogFormat::Json),
    };
    let config = load(None, [], &flags).unwrap();
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].upstream, upstream("127.0.0.1", 5432));
    assert_eq!(config.listen[0].protocol, Protocol::Postgres);
    assert_eq!(config.journal.dir, PathBuf::from("/tmp/j"));
    assert_eq!(config.admin.address, flags.admin);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(
        matches!(&config.sinks["console"].options, SinkOptions::Console(c) if c.format == ConsoleFormat::Lines)
    );
    assert!(matches!(&config.sinks["file"].options, SinkOptions::File(f) if f.path == *"/tmp/events.log"));
}

#[test]
fn without_a_sink_events_go_to_the_console() {
    let config = loaded(LISTEN, &[], &Flags::default());
    assert_eq!(config.sinks.keys().collect::<Vec<_>>(), ["console"]);
    assert!(
        matches!(&config.sinks["console"].options, SinkOptions::Console(c) if c.format == ConsoleFormat::Auto)
    );
}

#[test]
fn the_environment_goes_before_the_file_and_flags_before_both() {
    let toml = format!(
        "app_name = \"file\"\nenvironment = \"stage\"\n{LISTEN}[journal]\nmax_size = \"1 GiB\"\ndir = \"/file\"\n"
    );
    let pairs = [
        ("PANOPTES_APP_NAME", "variable"),
        ("PANOPTES_JOURNAL__DIR", "/variable"),
        ("PANOPTES_JOURNAL__ON_FULL", "drop"),
    ];
    let flags = Flags { journal: Some("/flag".into()), ..Flags::default() };
    let config = loaded(&toml, &pairs, &flags);
    assert_eq!((config.app_name.as_str(), config.environment.as_str()), ("variable", "stage"));
    assert_eq!(config.journal.dir, PathBuf::from("/flag"));
    assert_eq!(config.journal.max_size, ByteSize::gib(1));
    assert_eq!(config.journal.on_full, OnFull::Drop);
}

#[test]
fn the_environment_alone_reaches_every_option() {
    let config = from_env(&[
        ("PANOPTES_LISTEN", "[::1]:6432"),
        ("PANOPTES_UPSTREAM", "postgres://db.internal:6000?sslmode=disable"),
        ("PANOPTES_APP_NAME", "2024"),
        ("PANOPTES_ENVIRONMENT", "Production"),
        ("PANOPTES_INSTANCE", "1234567e8901"),
        ("PANOPTES_WORKERS", "4"),
        ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 s"),
        ("PANOPTES_JOURNAL__SEGMENT_SIZE", "1048576"),
        ("PANOPTES_SINKS__CONSOLE__FORMAT", "pretty"),
        ("PANOPTES_SINKS__TRAIL__KIND", "file"),
        ("PANOPTES_SINKS__TRAIL__PATH", "/t.log"),
        ("PANOPTES_SINKS__TRAIL__BATCH__MAX_EVENTS", "7"),
        ("PANOPTES_SINKS__TRAIL__RETRY__MAX", "1 min"),
        ("PANOPTES_AUDIT__THREADS", "2"),
        ("PANOPTES_LIMITS__LOGIN_TIMEOUT", "5 s"),
        ("PANOPTES_LIMITS__MAX_CONNECTIONS", "3"),
        ("PANOPTES_ADMIN__ADDRESS", "0.0.0.0:9090"),
        ("PANOPTES_LOG__FORMAT", "json"),
        ("PANOPTES_LOG__LEVEL", "[request]=debug"),
        ("HOME", "/home/someone"),
    ]);
    assert_eq!(config.listen[0].address, "[::1]:6432".parse().unwrap());
    assert_eq!(config.listen[0].upstream, upstream("db.internal", 6000));
    assert_eq!((config.app_name.as_str(), config.instance.as_str()), ("2024", "1234567e8901"));
    assert_eq!((config.environment.as_str(), config.workers), ("prod", 4));
    assert_eq!(config.journal.sync_interval, Duration::from_secs(1));
    assert_eq!(config.journal.segment_size, ByteSize::mib(1));
    assert_eq!(config.sinks.len(), 2);
    let trail = &config.sinks["trail"];
    assert!(matches!(&trail.options, SinkOptions::File(f) if f.path == *"/t.log"));
    assert_eq!((trail.batch.max_events, trail.retry.max), (7, Duration::from_secs(60)));
    assert_eq!((config.audit.threads, config.limits.max_connections), (2, 3));
    assert_eq!(config.limits.login_timeout, Duration::from_secs(5));
    assert_eq!(config.admin.address, "0.0.0.0:9090".parse().ok());
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Json, "[request]=debug"));
}

#[test]
fn several_listeners_and_whole_tables_are_toml_in_the_environment() {
    let config = from_env(&[
        (
            "PANOPTES_LISTEN",
            r#"[{address = "0.0.0.0:6432", upstream = "postgres://a"},
                {address = "0.0.0.0:6433", upstream = "postgres://b", protocol = "postgres"}]"#,
        ),
        ("PANOPTES_SINKS", r#"{console = {format = "lines"}, file = {}}"#),
        ("PANOPTES_JOURNAL", r#"{dir = "/j"}"#),
    ]);
    let hosts: Vec<_> = config.listen.iter().map(|listen| listen.upstream.host.as_str()).collect();
    assert_eq!(hosts, ["a", "b"]);
    assert_eq!(config.sinks.len(), 2);
    assert_eq!(config.journal.dir, PathBuf::from("/j"));
}

#[test]
fn a_secret_may_begin_with_a_bracket() {
    let config = from_env(&[
        ("PANOPTES_LISTEN", "127.0.0.1:1"),
        ("PANOPTES_UPSTREAM", "postgres://db"),
        ("PANOPTES_SINKS__HTTP__URL", "https://collector/"),
        ("PANOPTES_SINKS__HTTP__AUTH__BEARER", "[0]"),
        ("PANOPTES_SINKS__HTTP__HEADERS__X", "{it"),
    ]);
    let SinkOptions::Http(http) = &config.sinks["http"].options else { panic!("{config:?}") };
    assert_eq!(http.auth.bearer, Some(Secret::new("[0]")));
    assert_eq!(http.headers["x"], Secret::new("{it"));
}

#[test]
fn one_short_form_changes_the_only_listener_and_both_replace_all() {
    let flags = Flags { listen: "127.0.0.1:7000".parse().ok(), ..Flags::default() };
    let config = loaded(LISTEN, &[], &flags);
    assert_eq!((config.listen[0].address.port(), config.listen[0].upstream.host.as_str()), (7000, "db"));

    let flags = Flags { upstream: Some("postgres://flag".to_owned()), ..Flags::default() };
    let two = format!("{LISTEN}{}", LISTEN.replace("6432", "6433"));
    let pairs = [("PANOPTES_LISTEN", "127.0.0.1:7001"), ("PANOPTES_UPSTREAM", "postgres://variable")];
    let config = loaded(&two, &pairs, &flags);
    assert_eq!(config.listen.len(), 1);
    assert_eq!((config.listen[0].address.port(), config.listen[0].upstream.host.as_str()), (7001, "flag"));
}

#[test]
fn a_sink_flag_adds_to_the_configured_sinks() {
    let toml = format!("{LISTEN}[sinks.file]\npath = \"/file.log\"\nbatch.max_events = 9\n");
    let flags = Flags { sinks: vec!["console".to_owned(), "file=/flag.log".to_owned()], ..Flags::default() };
    let config = loaded(&toml, &[], &flags);
    assert_eq!(config.sinks.keys().collect::<Vec<_>>(), ["console", "file"]);
    assert!(matches!(&config.sinks["file"].options, SinkOptions::File(f) if f.path == *"/flag.log"));
    assert_eq!(config.sinks["file"].batch.max_events, 9);
}

#[test]
fn empty_variables_and_those_of_kubernetes_count_as_not_set() {
    let config = loaded(
        LISTEN,
        &[
            ("PANOPTES_APP_NAME", ""),
            ("PANOPTES_LISTEN", ""),
            ("PANOPTES_SERVICE_HOST", "10.0.0.7"),
            ("PANOPTES_PORT_6432_TCP_ADDR", "10.0.0.7"),
            ("OTHER", "x"),
        ],
        &Flags::default(),
    );
    assert_eq!(config.app_name, "panoptes-app");
}

#[test]
fn panoptes_log_is_short_for_the_level() {
    let short = ("PANOPTES_LOG", "debug");
    assert_eq!(loaded(LISTEN, &[short], &Flags::default()).log.level, "debug");
    let long = ("PANOPTES_LOG__LEVEL", "warn");
    assert_eq!(loaded(LISTEN, &[short, long], &Flags::default()).log.level, "warn");
}

#[test]
fn environments_are_folded() {
    for (written, folded) in
        [("development", "dev"), ("staging", "stage"), ("production", "prod"), ("prod", "prod")]
    {
        let config = loaded(&format!("environment = \"{written}\"\n{LISTEN}"), &[], &Flags::default());
        assert_eq!(config.environment, folded);
    }
}

#[test]
fn listeners_on_any_free_port_are_not_the_same() {
    let toml = LISTEN.replace("6432", "0").repeat(2);
    assert_eq!(loaded(&toml, &[], &Flags::default()).listen.len(), 2);
}

/// Who used the library brings its environment along.
#[test]
fn variables_of_the_sdk_are_understood() {
    let listen = [("PANOPTES_LISTEN", "127.0.0.1:1"), ("PANOPTES_UPSTREAM", "postgres://db")];
    let of_sdk = [
        ("PANOPTES_APP_NAME", "shop"),
        ("PANOPTES_ENVIRONMENT", "production"),
        ("PANOPTES_VERSION", "1.2.3"),
        ("PANOPTES_ENABLED", "true"),
        ("PANOPTES_ASYNC_MODE", "false"),
        ("PANOPTES_BUFFER_SIZE", "250"),
        ("PANOPTES_TRANSPORTS", "console, http,database"),
        ("PANOPTES_FILE_PATH", "/tmp/of-no-transport.log"),
        ("PANOPTES_HTTP_ENDPOINT", "https://collector/audit"),
        ("PANOPTES_HTTP_TOKEN", "open sesame"),
        ("PANOPTES_AUDIT_DB_HOST", "audit.internal"),
        ("PANOPTES_AUDIT_DB_PORT", "6000"),
        ("PANOPTES_AUDIT_DB_NAME", "trail"),
        ("PANOPTES_AUDIT_DB_USER", "panoptes"),
        ("PANOPTES_AUDIT_DB_PASSWORD", "secret"),
        ("PANOPTES_AUDIT_TABLE_NAME", "audit_trail"),
        ("PANOPTES_AUTO_CREATE_TABLE", "true"),
        // Our own forms go before.
        ("PANOPTES_SINKS__DATABASE__USERNAME", "other"),
    ];
    let config = from_env(&[&listen[..], &of_sdk].concat());
    assert_eq!((config.app_name.as_str(), config.journal.mode), ("shop", Mode::Durable));
    assert_eq!(config.sinks.keys().collect::<Vec<_>>(), ["console", "database", "http"]);
    assert!(config.sinks.values().all(|sink| sink.batch.max_events == 250));
    let SinkOptions::Http(http) = &config.sinks["http"].options else { panic!() };
    assert_eq!((http.url.as_str(), http.body), ("https://collector/audit", HttpBody::Event));
    assert_eq!(http.auth.bearer.as_ref().map(Secret::reveal), Some("open sesame"));
    let SinkOptions::Database(database) = &config.sinks["database"].options else { panic!() };
    assert_eq!(database.url.to_string(), "audit.internal:6000/trail");
    assert_eq!((database.username.as_deref(), database.table.as_str()), (Some("other"), "audit_trail"));
    assert!(database.auto_create_table && database.url.tls);
    // Without TRANSPORTS the sinks are those that are spoken of.
    let config = from_env(&[&listen[..], &[("PANOPTES_FILE_PATH", "/tmp/a.log")]].concat());
    assert_eq!(config.sinks.keys().collect::<Vec<_>>(), ["file"]);
}

#[test]
fn what_is_given_of_a_batch_leaves_the_rest_as_is_usual_for_the_kind() {
    let sink = |batch: &str, name: &str| {
        let toml = format!(
            "{LISTEN}[sinks.elasticsearch]\nurls = [\"https://es\"]\n{batch}\n[sinks.console]\n{batch}\n"
        );
        let batch = loaded(&toml, &[], &Flags::default()).sinks.remove(name).unwrap().batch;
        (batch.max_events, batch.max_bytes.bytes() >> 10)
    };
    assert_eq!((sink("", "elasticsearch"), sink("", "console")), ((2_000, 2_048), (500, 256)));
    let seven = "batch.max_events = 7";
    assert_eq!((sink(seven, "elasticsearch"), sink(seven, "console")), ((7, 2_048), (7, 256)));
}
