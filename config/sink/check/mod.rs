//! What is wrong with a sink beyond its single values.

mod http;

use std::{
    collections::BTreeMap,
    path::{self, Path, PathBuf},
    time::Duration,
};

use self::http::{check_elasticsearch, check_http, check_splunk};
use super::{
    Compression, Database, DatabaseEngine, File, Filter, Kafka, Partitions, Retry, Secret, Sink, SinkOptions,
    Syslog, Tls, Transport, effect,
};
use crate::{
    check::{above_zero, check_path, leads_to, within_a_day},
    key::Key,
    load::Reader,
    remedy,
    size::ByteSize,
};

/// More requests at once than any destination is helped by.
const MAX_CONCURRENCY: usize = 64;
/// What one datagram holds.
const MAX_DATAGRAM: usize = 65_507;
/// Files and indices are kept for years, not for centuries.
const MAX_AGE: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
const MIN_ROTATION: Duration = Duration::from_secs(60);
const MIN_FILE: ByteSize = ByteSize::kib(64);
/// Kafka's limit.
const MAX_TOPIC: usize = 249;
const MIN_MESSAGE: ByteSize = ByteSize::kib(4);
/// Properties of librdkafka that are ours.
const OF_KAFKA: [&str; 18] = [
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "bootstrap.servers",
    "metadata.broker.list",
    "message.max.bytes",
    "compression.type",
    "compression.codec",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
];
/// Those that librdkafka has here.
const SASL_MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Checks all sinks.
pub(crate) fn check(sinks: &BTreeMap<String, Sink>, journal: &Path, reader: &mut Reader) {
    let journal = path::absolute(journal).unwrap_or_else(|_| journal.to_owned());
    if let Some(name) = sinks.keys().next().filter(|_| !sinks.values().any(|sink| sink.required)) {
        let key = Key::root().then("sinks").then(name).then("required");
        reader.refuse(
            &key,
            "is false, as for every other sink: the journal would wait for none; leave it out for one",
        );
    }
    let mut files: Vec<(PathBuf, &str)> = Vec::new();
    for (name, sink) in sinks {
        let key = Key::root().then("sinks").then(name);
        check_delivery(&key, sink, reader);
        check_filter(&key.then("filter"), &sink.filter, reader);
        effect::check(&key, &sink.options, reader);
        match &sink.options {
            SinkOptions::Console(_) => {}
            SinkOptions::File(file) => {
                let path = path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
                if let Some((_, other)) = files.iter().find(|(other, _)| *other == path) {
                    let what = format!("{:?} is already that of sinks.{other}; use another file", file.path);
                    reader.refuse(&key.then("path"), what);
                }
                if path.starts_with(&journal) {
                    let what = format!(
                        "{:?} is in journal.dir, whose files are its own; use another folder",
                        file.path
                    );
                    reader.refuse(&key.then("path"), what);
                }
                files.push((path, name));
                check_file(&key, file, reader);
            }
            SinkOptions::Http(http) => check_http(&key, http, reader),
            SinkOptions::Splunk(splunk) => check_splunk(&key, splunk, reader),
            SinkOptions::Elasticsearch(elasticsearch) => check_elasticsearch(&key, elasticsearch, reader),
            SinkOptions::Syslog(syslog) => check_syslog(&key, syslog, reader),
            SinkOptions::Database(database) => check_database(&key, database, reader),
            SinkOptions::Kafka(kafka) => check_kafka(&key, kafka, reader),
        }
    }
}

fn check_delivery(key: &Key, sink: &Sink, reader: &mut Reader) {
    let (batch, retry) = (key.then("batch"), key.then("retry"));
    let Retry { initial, max } = sink.retry;
    if initial > max && !reader.refused(&retry.then("max")) {
        reader.refuse(&retry.then("initial"), "is longer than the longest pause, retry.max; lower it");
    }
    above_zero(&batch.then("max_events"), sink.batch.max_events, reader);
    above_zero(&batch.then("max_bytes"), sink.batch.max_bytes.as_usize(), reader);
    within_a_day(&batch.then("max_wait"), sink.batch.max_wait, reader);
    within_a_day(&retry.then("initial"), initial, reader);
    within_a_day(&retry.then("max"), max, reader);
    let concurrency = sink.options.concurrency();
    above_zero(&key.then("concurrency"), concurrency, reader);
    if concurrency > MAX_CONCURRENCY {
        reader.refuse(
            &key.then("concurrency"),
            format!("is above {MAX_CONCURRENCY}; raise batch.max_events instead"),
        );
    }
}

fn check_filter(key: &Key, filter: &Filter, reader: &mut Reader) {
    for (list, items, words) in filter.vocabularies() {
        let unknown = items.iter().map(|item| item.strip_prefix('!').unwrap_or(item).to_ascii_lowercase());
        if let Some(item) = unknown.into_iter().find(|item| !words.contains(&item.as_str())) {
            reader.refuse(&key.then(list), remedy::choose(&item, words));
        }
    }
    if filter.tables.iter().any(|table| table.trim_start_matches('!').is_empty()) {
        reader
            .refuse(&key.then("tables"), "names an empty table; write e.g. [\"public.users\", \"!audit_*\"]");
    }
}

fn check_file(key: &Key, file: &File, reader: &mut Reader) {
    check_path(&key.then("path").to_string(), &file.path, reader);
    let rotate = key.then("rotate");
    if file.rotate.max_size.is_some_and(|size| size < MIN_FILE) {
        reader.refuse(&rotate.then("max_size"), format!("is below {MIN_FILE}; leave it out for no limit"));
    }
    if file.rotate.every.is_some_and(|every| every < MIN_ROTATION || every > MAX_AGE) {
        reader.refuse(&rotate.then("every"), "must be from a minute to 100 years; leave it out for never");
    }
    let never = file.rotate.max_size.is_none() && file.rotate.every.is_none();
    if never && (file.rotate.max_files > 0 || file.rotate.compression != Compression::None) {
        reader.refuse(
            &rotate,
            "says what becomes of old files, but not when there are any; add max_size or every",
        );
    }
}

fn check_syslog(key: &Key, syslog: &Syslog, reader: &mut Reader) {
    let (host, port) = syslog.address.rsplit_once(':').unwrap_or((&syslog.address, ""));
    if host.is_empty() || port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err() {
        let what = match syslog.address.as_str() {
            "" => "is missing; write e.g. \"siem.internal:6514\"".to_owned(),
            address => format!("{address:?} is no host and port; write e.g. \"siem.internal:6514\""),
        };
        reader.refuse(&key.then("address"), what);
    }
    check_tls(&key.then("tls"), &syslog.tls, reader);
    within_a_day(&key.then("timeout"), syslog.timeout, reader);
    above_zero(&key.then("max_message"), syslog.max_message.as_usize(), reader);
    let default = Syslog::default().max_message;
    if syslog.transport == Transport::Udp
        && syslog.max_message != default
        && syslog.max_message.as_usize() > MAX_DATAGRAM
    {
        reader.refuse(
            &key.then("max_message"),
            format!("is more than a datagram holds, {MAX_DATAGRAM}; lower it"),
        );
    }
}

fn check_database(key: &Key, database: &Database, reader: &mut Reader) {
    let url = &database.url;
    if url.is_missing() {
        reader.refuse(&key.then("url"), "is missing; write e.g. \"postgres://audit.internal:5432/audit\"");
    }
    if let Some(own) = database.listeners.iter().find(|own| leads_to(&url.host, url.port, **own)) {
        let what = format!(
            "{url} is reached through our own listener {own}: each row would be audited, and that one too; name the database itself"
        );
        reader.refuse(&key.then("url"), what);
    }
    if let Err(what) = Database::check_table(&database.table) {
        reader.refuse(&key.then("table"), what);
    }
    let of_postgres = url.engine == DatabaseEngine::Postgres;
    if database.partitions != Partitions::None && !of_postgres {
        reader.refuse(&key.then("partitions"), "is there for PostgreSQL only; leave it out");
    }
    check_tls(&key.then("tls"), &database.tls, reader);
    within_a_day(&key.then("timeout"), database.timeout, reader);
    check_login(key, database, reader);
}

fn check_login(key: &Key, database: &Database, reader: &mut Reader) {
    not_both(key, "password", &database.password, &database.password_file, reader);
    let password = database.password.is_some() || database.password_file.is_some();
    match (database.url.engine, &database.username) {
        (DatabaseEngine::Sqlite, None) if !password => {}
        (DatabaseEngine::Sqlite, _) => reader.refuse(
            &key.then("username"),
            "and password are not for SQLite, which has no logins; remove them",
        ),
        (_, None) if !database.url.is_missing() => {
            reader.refuse(&key.then("username"), "is missing; give the login that may insert into the table");
        }
        _ => {}
    }
}

fn check_kafka(key: &Key, kafka: &Kafka, reader: &mut Reader) {
    if kafka.brokers.is_empty() {
        reader.refuse(&key.then("brokers"), "is missing; write e.g. [\"kafka-1.internal:9092\"]");
    }
    let in_topic = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if kafka.topic.is_empty() || kafka.topic.len() > MAX_TOPIC || !kafka.topic.bytes().all(in_topic) {
        let what =
            format!("{:?} is no name of a topic; use a-z, 0-9, ., _ and -, e.g. \"db-audit\"", kafka.topic);
        reader.refuse(&key.then("topic"), what);
    }
    if kafka.max_message < MIN_MESSAGE {
        reader.refuse(
            &key.then("max_message"),
            format!("is below {MIN_MESSAGE}, which events have without any text"),
        );
    }
    if !SASL_MECHANISMS.contains(&&*kafka.sasl_mechanism) {
        let what = remedy::choose(&kafka.sasl_mechanism, &SASL_MECHANISMS);
        reader.refuse(&key.then("sasl_mechanism"), what);
    }
    if let Some(ours) = OF_KAFKA.iter().find(|name| kafka.properties.contains_key(**name)) {
        let what = "is what keeps events from being lost, or an option of its own; remove it";
        reader.refuse(&key.then("properties").then(ours), what);
    }
    check_tls(&key.then("tls"), &kafka.tls, reader);
    within_a_day(&key.then("timeout"), kafka.timeout, reader);
    not_both(key, "password", &kafka.password, &kafka.password_file, reader);
    let password = kafka.password.is_some() || kafka.password_file.is_some();
    match (kafka.security_protocol.has_login(), kafka.username.is_some() && password) {
        (true, false) => reader
            .refuse(&key.then("username"), "and password are what security_protocol asks for; give both"),
        (false, _) if kafka.username.is_some() || password => reader.refuse(
            &key.then("security_protocol"),
            "has no login, but a username or password is given; write sasl_ssl or sasl_plaintext",
        ),
        _ => {}
    }
}

fn check_tls(key: &Key, tls: &Tls, reader: &mut Reader) {
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => reader.refuse(&key.then("key_file"), "is missing beside cert_file; add it"),
        (None, Some(_)) => reader.refuse(&key.then("cert_file"), "is missing beside key_file; add it"),
        _ => {}
    }
}

fn not_both(
    key: &Key,
    name: &str,
    secret: &Option<Secret>,
    file: &Option<std::path::PathBuf>,
    reader: &mut Reader,
) {
    if secret.is_some() && file.is_some() {
        reader.refuse(&key.then(name), format!("is given twice, here and by {name}_file; keep one"));
    }
}
