//! The words of every refusal: where, which option, what is wrong, what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod listeners;
mod sinks;

use std::fs;

use panoptes_config::{Flags, load};
use proptest::prelude::*;

const LISTEN: &str = "[[listen]]\naddress = \"127.0.0.1:6432\"\nupstream = \"postgres://db\"\n";

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The problems' lines; the file is called `panoptes.toml`.
fn refused(toml: impl AsRef<[u8]>, pairs: &[(&str, &str)], flags: &Flags) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("panoptes.toml");
    fs::write(&file, toml).unwrap();
    let errors = load(Some(&file), env(pairs), flags).expect_err("it loads");
    let text = errors.to_string().replace(&format!("{}/", dir.path().display()), "");
    text.lines().map(str::to_owned).collect()
}

fn refused_file(toml: &str) -> Vec<String> {
    refused(toml, &[], &Flags::default())
}

/// The one line for options beside a good listener.
fn refused_options(options: &str) -> String {
    let lines = refused_file(&format!("{LISTEN}{options}\n"));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

fn refused_variable(name: &str, value: &str) -> String {
    let lines = refused(LISTEN, &[(name, value)], &Flags::default());
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

#[test]
fn a_wrong_value_names_its_option_and_the_remedy() {
    let size = r#"is not a size; write a number and a unit, e.g. "20 GiB""#;
    for (options, line) in [
        ("[journal]\nmax_size = \"20 GB of\"", format!(r#"journal.max_size: "20 GB of" {size}"#)),
        ("[journal]\nmax_size = -1", format!(r#"journal.max_size: "-1" {size}"#)),
        (
            "[audit]\nqueue = true",
            r#"audit.queue: is true; write a size: a number and a unit, e.g. "20 GiB""#.into(),
        ),
        (
            "[limits]\nlogin_timeout = 5",
            r#"limits.login_timeout: "5" has no unit; write e.g. "100 ms", "5 s" or "1 min""#.into(),
        ),
        (
            "[limits]\nlogin_timeout = \"soon\"",
            r#"limits.login_timeout: "soon" is not a duration; write a number and a unit, e.g. "100 ms", "5 s" or "1 min""#
                .into(),
        ),
        (
            "[limits]\nmax_connections = 4.5",
            r#"limits.max_connections: "4.5" is not a whole number from 0 to 4294967295"#.into(),
        ),
        (
            "[admin]\naddress = \"localhost:9090\"",
            r#"admin.address: "localhost:9090" is not an address; write an IP and a port, e.g. "127.0.0.1:6432" or "[::1]:6432""#
                .into(),
        ),
        ("[journal]\non_full = \"blok\"", r#"journal.on_full: "blok" is none of block, drop, fail_closed; did you mean "block"?"#.into()),
        ("[[listen]]\nmode = \"memory\"\naddress = \"127.0.0.1:1\"\nupstream = \"postgres://a\"", "listen[1].mode: memory is a mode of the whole journal; set journal.mode".into()),
        ("[journal]\non_full = 1", "journal.on_full: is a number; write a text in quotes".into()),
        ("[log]\nformat = \"xml\"", r#"log.format: "xml" is none of text, json"#.into()),
        ("[log]\nlevel = \" \"", r#"log.level: is empty; write e.g. "info""#.into()),
        ("[journal]\ndir = \"\"", "journal.dir: is empty or no path; leave it out for the default".into()),
        ("[journal]\ndir = [1]", "journal.dir: is an array; write a text in quotes".into()),
    ] {
        assert_eq!(refused_options(options), format!("panoptes.toml: {line}"));
    }
    let top = |option: &str| refused_file(&format!("{option}\n{LISTEN}"));
    assert_eq!(top("app_name = 5"), ["panoptes.toml: app_name: is a number; write a text in quotes"]);
    assert_eq!(
        top("instance = \"a\\nb\""),
        [r#"panoptes.toml: instance: "a\nb" is no name; write 1 to 128 bytes without control characters"#]
    );
    assert_eq!(
        top("environment = \"live\""),
        [r#"panoptes.toml: environment: "live" is none of dev, stage, prod"#]
    );
    assert_eq!(top("journal = 7"), ["panoptes.toml: journal: is a number; write a table"]);
    assert_eq!(top("journal = [\"/j\"]"), ["panoptes.toml: journal: is an array; write a table"]);
    assert_eq!(
        refused_options("[sinks.file]\nretry = []"),
        "panoptes.toml: sinks.file.retry: is an array; write a table"
    );
}

#[test]
fn an_unknown_option_names_the_nearest() {
    for (options, line) in [
        ("[journal]\nmax_sise = 1", r#"journal.max_sise: no such option; did you mean "max_size"?"#),
        ("[journal]\nmax-size = 1", r#"journal.max-size: no such option; did you mean "max_size"?"#),
        ("[jurnal]\ndir = \"x\"", r#"jurnal: no such option; did you mean "journal"?"#),
        ("[sink.console]", r#"sink: no such option; did you mean "sinks"?"#),
        (
            "[journal]\nworkers = 1",
            "journal.workers: no such option; workers goes to the top of the file, before the first [table]",
        ),
        ("[log]\nmax_size = 1", "log.max_size: no such option; max_size belongs in [journal]"),
        ("[admin]\npassword = 1", "admin.password: no such option; known here: address"),
        ("[sinks.console]\nformt = 1", r#"sinks.console.formt: no such option; did you mean "format"?"#),
        (
            "[sinks.console]\nbach.max_wait = 1",
            r#"sinks.console.bach: no such option; did you mean "batch"?"#,
        ),
        ("[sinks.file]\nlevel = 1", "sinks.file.level: no such option; level belongs in [log]"),
        (
            "[sinks.file]\nbatch.max_event = 1",
            r#"sinks.file.batch.max_event: no such option; did you mean "max_events"?"#,
        ),
    ] {
        assert_eq!(refused_options(options), format!("panoptes.toml: {line}"));
    }
    let in_listener = LISTEN.to_owned() + "protcol = \"postgres\"\n";
    assert_eq!(
        refused_file(&in_listener),
        [r#"panoptes.toml: listen[0].protcol: no such option; did you mean "protocol"?"#]
    );
}

#[test]
fn an_unknown_variable_names_the_nearest() {
    for (name, key, near) in [
        ("PANOPTES_APPNAME", "appname", "PANOPTES_APP_NAME"),
        ("PANOPTES_JOURNAL_DIR", "journal_dir", "PANOPTES_JOURNAL__DIR"),
        ("PANOPTES_JURNAL__DIR", "jurnal", "PANOPTES_JOURNAL__DIR"),
        ("PANOPTES_LIMITS__MAX_SQL", "limits.max_sql", "PANOPTES_LIMITS__MAX_SQL_BYTES"),
        ("PANOPTES_SINKS__FILE__PAHT", "sinks.file.paht", "PANOPTES_SINKS__FILE__PATH"),
    ] {
        assert_eq!(
            refused_variable(name, "x"),
            format!("{name}: {key}: no such option; did you mean {near}?")
        );
    }
    assert_eq!(
        refused_variable("PANOPTES_SINKS_CONSOLE_FORMAT", "x"),
        "PANOPTES_SINKS_CONSOLE_FORMAT: sinks_console_format: no such option; the levels of an option are joined by two underscores, as in PANOPTES_SINKS__CONSOLE__FORMAT"
    );
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    assert_eq!(
        refused_variable("PANOPTES_WORKERS", "many"),
        r#"PANOPTES_WORKERS: workers: "many" is not a whole number from 0 to 4294967295"#
    );
    assert_eq!(
        refused_variable("PANOPTES_LISTEN", "6432"),
        r#"PANOPTES_LISTEN: listen[0].address: "6432" is not an address; write an IP and a port, e.g. "127.0.0.1:6432" or "[::1]:6432""#
    );
    assert_eq!(
        refused_variable("PANOPTES_JOURNAL", "/var/lib/x"),
        r#"PANOPTES_JOURNAL: journal: is a text; write a table"#
    );
    let line = refused_variable("PANOPTES_LISTEN", "[{address = 1");
    assert!(line.starts_with("PANOPTES_LISTEN: is neither a TOML array nor a TOML table ("), "{line}");
    assert!(line.ends_with(
        "); write TOML, e.g. [{address = \"127.0.0.1:6432\", upstream = \"postgres://db:5432\"}]"
    ));
    assert!(refused_variable("PANOPTES_SINKS", "{}\nx = 1").contains("(more than one value)"));

    let flags = Flags {
        upstream: Some("postgres://db?sslmode=require".to_owned()),
        sinks: vec!["kafka".to_owned(), "console=xml".to_owned(), "file=".to_owned()],
        ..Flags::default()
    };
    let sinks = "is no sink; write console, console=lines, console=json, console=pretty or file=PATH";
    assert_eq!(
        refused(LISTEN, &[], &flags),
        [
            &format!("--sink: \"kafka\" {sinks}"),
            &format!("--sink: \"file=\" {sinks}"),
            "--upstream: listen[0].upstream: TLS to the database is not there yet: use sslmode=disable",
            "--sink: sinks.console.format: \"xml\" is none of auto, lines, json, pretty, ecs, ocsf, cloudevents",
        ]
    );
}

#[test]
fn every_problem_is_found_at_once() {
    let toml = "colour = 1\nworkers = \"x\"\n[[listen]]\naddress = 1\nupstream = \"oracle://db\"\n\
                [[listen]]\naddress = \"127.0.0.1:1\"\n[journal]\nmax_size = \"x\"\ndri = 1\n\
                [sinks.bus]\nkind = \"pigeon\"\n[sinks.file]\npath = 1\nretry.max = 3\n[audit]\nthreads = 0\n";
    let keys: Vec<_> =
        refused_file(toml).iter().map(|line| line.split(": ").nth(1).unwrap().to_owned()).collect();
    assert_eq!(
        keys,
        [
            "colour",
            "journal.dri",
            "journal.max_size",
            "workers",
            "listen[0].address",
            "listen[0].upstream",
            "listen[1].upstream",
            "sinks.bus.kind",
            "sinks.file.retry.max",
            "sinks.file.path",
            "audit.threads",
        ]
    );
}

#[test]
fn amounts_have_bounds() {
    let zero = "must be above 0; leave it out for the default";
    for (table, option) in [
        ("audit", "threads"),
        ("audit", "queue"),
        ("audit", "statement_cache"),
        ("limits", "max_connections"),
        ("limits", "max_pending_logins"),
        ("limits", "max_sql_bytes"),
        ("limits", "max_script_bytes"),
        ("limits", "max_parameter_bytes"),
        ("limits", "max_pending_statements"),
        ("limits", "max_pending_bytes"),
        ("limits", "max_prepared_statements"),
        ("limits", "max_prepared_bytes"),
        ("sinks.console.batch", "max_events"),
        ("sinks.console.batch", "max_bytes"),
    ] {
        let line = format!("panoptes.toml: {table}.{option}: {zero}");
        assert_eq!(refused_options(&format!("[{table}]\n{option} = 0")), line);
    }
    let day = "must be above 0 and at most a day; leave it out for the default";
    for (table, option) in [
        ("journal", "sync_interval"),
        ("limits", "login_timeout"),
        ("limits", "connect_timeout"),
        ("limits", "drain_timeout"),
        ("limits", "cancel_timeout"),
        ("sinks.console.batch", "max_wait"),
        ("sinks.console.retry", "max"),
    ] {
        for value in ["0 s", "25 h", "500000000000 years"] {
            let lines = refused_file(&format!("{LISTEN}[{table}]\n{option} = \"{value}\"\n"));
            let line = format!("panoptes.toml: {table}.{option}: ");
            assert!(lines.iter().any(|l| l.starts_with(&line)), "{lines:?}");
            assert!(value == "500000000000 years" || lines.contains(&format!("{line}{day}")), "{lines:?}");
        }
    }
    assert_eq!(
        refused_options("[sinks.console]\nrequired = \"maybe\""),
        "panoptes.toml: sinks.console.required: is neither true nor false"
    );
    assert_eq!(
        refused_options("[sinks.console]\nrequired = false"),
        "panoptes.toml: sinks.console.required: is false, as for every other sink: the journal would wait for none; leave it out for one"
    );
    assert_eq!(
        refused_options("[sinks.console.retry]\ninitial = \"1 min\""),
        "panoptes.toml: sinks.console.retry.initial: is longer than the longest pause, retry.max; lower it"
    );
    assert_eq!(
        refused_options("[audit]\nthreads = 5000"),
        "panoptes.toml: audit.threads: is above 1024; leave it out for the default"
    );
    assert_eq!(
        refused_variable("PANOPTES_WORKERS", "5000"),
        "PANOPTES_WORKERS: workers: is above 1024; use 0 for one thread per core"
    );
}

#[test]
fn a_segment_is_at_most_a_quarter_of_the_journal() {
    assert_eq!(
        refused_options("[journal]\nmax_size = \"100 MiB\""),
        "panoptes.toml: journal.segment_size: 64 MiB is more than a quarter of journal.max_size, 100 MiB; lower it, or raise max_size"
    );
    assert_eq!(
        refused_options("[journal]\nsegment_size = \"1 KiB\""),
        "panoptes.toml: journal.segment_size: is below 64 KiB; leave it out for the default"
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere.toml");
    let errors = load(Some(&missing), env(&[]), &Flags::default()).unwrap_err().to_string();
    assert_eq!(
        errors,
        format!("{}: no such file; give an existing one to --config, or none", missing.display())
    );
    let errors = load(Some(dir.path()), env(&[]), &Flags::default()).unwrap_err().to_string();
    assert!(errors.starts_with(&format!("{}: cannot be read: ", dir.path().display())), "{errors}");

    let flags = Flags::default();
    assert_eq!(refused(b"\xff\xfe", &[], &flags), ["panoptes.toml: is not UTF-8 text; save it as UTF-8"]);
    let large = vec![b'#'; (1 << 20) + 1];
    assert_eq!(
        refused(large, &[], &flags)[0],
        "panoptes.toml: is larger than 1 MiB; is this the configuration?"
    );
    let line = &refused_file("[journal]\ndir = \"é\" x\n")[0];
    assert!(line.starts_with("panoptes.toml: line 2, column 11: is not TOML: "), "{line}");
    let line = &refused_file("workers = 1\nworkers = 2\n")[0];
    assert!(line.starts_with("panoptes.toml: line 2, column 1: is not TOML: duplicate key"), "{line}");
}

#[test]
fn a_password_is_never_shown() {
    let url = "postgres://me:hunter2@db";
    for line in [
        refused_variable("PANOPTES_UPSTREAM", url),
        refused_variable("PANOPTES_LISTEN", url),
        refused_variable("PANOPTES_ADMIN__ADDRESS", url),
        refused_variable("PANOPTES_JOURNAL", url),
    ] {
        assert!(!line.contains("hunter2"), "{line}");
    }
}

/// Slips at a secret: it stands one level too high, or is no TOML where TOML must be.
#[test]
fn a_secret_at_a_wrong_place_is_never_shown() {
    for (option, value) in [
        ("AUTH", "hunter2"),
        ("AUTH", "{bearer = [\"hunter2\"]}"),
        ("AUTH", "{bearer = \"hunter2}"),
        ("HEADERS", "Authorization: Bearer hunter2"),
        ("HEADERS", "[\"Authorization: Bearer hunter2\"]"),
        ("HEADERS", "{\"Authorization: Bearer hunter2\" = \"\"}"),
        ("HEADERS", "{Authorization = \"Bearer hunter2}"),
        ("TLS", "hunter2"),
        ("URL", "https://collector/hunter2 x"),
        ("URL", "collector/?token=hunter2"),
        ("BATCH", "hunter2"),
    ] {
        let name = format!("PANOPTES_SINKS__HTTP__{option}");
        let given = [("PANOPTES_SINKS__HTTP__TIMEOUT", "1 s"), (&name, value)];
        let lines = refused(LISTEN, &given, &Flags::default());
        assert!(lines.iter().any(|line| line.starts_with(&name)), "{option}: {lines:?}");
        assert!(!lines.concat().contains("hunter2"), "{option}: {lines:?}");
    }
    let kafka = ("PANOPTES_SINKS__KAFKA__PROPERTIES", "sasl.password=hunter2");
    let lines = refused(LISTEN, &[kafka], &Flags::default());
    assert!(!lines.concat().contains("hunter2"), "{lines:?}");
}

#[test]
fn problems_are_bounded() {
    let mut toml: String = (0..5_000).map(|n| format!("x{n} = 1\n")).collect();
    toml.push_str(LISTEN);
    assert_eq!(refused_file(&toml).len(), 64);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refused_variable("PANOPTES_SINKS", &deep).len() < 2_000);
    assert!(refused_file(&format!("x = {deep}"))[0].len() < 2_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics(
        toml in r#"(\[{0,2}(listen|journal|sinks|sinks\.file|log|x)\]{0,2}\n|[a-z_.]{1,9} ?= ?("[ -~]{0,9}"|-?[0-9]{1,20}|true|\[\]|\{\}|1979-05-27)\n){0,9}"#,
        name in "[A-Z_]{0,12}|LISTEN|SINKS|JOURNAL__DIR|LOG",
        value in ".{0,20}|[\\[{][ -~]{0,20}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.toml");
        fs::write(&file, toml).unwrap();
        let flags = Flags { upstream: Some(value.clone()), sinks: vec![value.clone()], ..Flags::default() };
        if let Err(errors) = load(Some(&file), [(format!("PANOPTES_{name}"), value)], &flags) {
            prop_assert_eq!(errors.to_string().lines().count(), errors.problems().len());
        }
    }
}

#[test]
fn variables_of_the_sdk_are_refused_in_their_own_names() {
    for (name, value, line) in [
        (
            "PANOPTES_ENABLED",
            "false",
            "PANOPTES_ENABLED: would audit nothing; let applications connect to the database itself",
        ),
        ("PANOPTES_ASYNC_MODE", "maybe", "PANOPTES_ASYNC_MODE: \"maybe\" is neither true nor false"),
        (
            "PANOPTES_BUFFER_SIZE",
            "5",
            "PANOPTES_BUFFER_SIZE: is of the sinks of PANOPTES_TRANSPORTS; give that as well",
        ),
        (
            "PANOPTES_TRANSPORTS",
            "pigeon",
            "PANOPTES_TRANSPORTS: \"pigeon\" is no sink; known are console, file, http, splunk, elasticsearch, syslog, database, kafka",
        ),
        (
            "PANOPTES_AUDIT_DB_PORT",
            "1",
            "PANOPTES_AUDIT_DB_HOST: is one of several; give PANOPTES_AUDIT_DB_NAME as well",
        ),
    ] {
        assert!(refused(LISTEN, &[(name, value)], &Flags::default()).contains(&line.to_owned()), "{name}");
    }
}
