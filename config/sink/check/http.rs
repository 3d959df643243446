//! Of those that speak HTTP.

use super::{MAX_AGE, MIN_ROTATION, check_tls, not_both};
use crate::{
    check::within_a_day,
    key::Key,
    load::Reader,
    sink::{Auth, Compression, Elasticsearch, Http, Secret, Splunk},
};

/// What an index's name cannot hold.
const NOT_IN_INDEX: &str = "\\/*?\"<>| ,#:";
/// Headers of the client itself.
const OF_HTTP: [&str; 5] = ["content-length", "content-encoding", "transfer-encoding", "connection", "host"];

pub(super) fn check_http(key: &Key, http: &Http, reader: &mut Reader) {
    check_url(key, http.url.is_missing(), reader);
    check_auth(&key.then("auth"), &http.auth, reader);
    check_tls(&key.then("tls"), &http.tls, reader);
    within_a_day(&key.then("timeout"), http.timeout, reader);
    for (name, value) in &http.headers {
        let header = key.then("headers").then(name);
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            // Not shown: "Authorization: Bearer …" is one, with its value.
            reader.refuse(
                &key.then("headers"),
                "has a name that is none of a header; write e.g. { X-Team = \"payments\" }",
            );
        } else if http::HeaderValue::from_str(value.reveal()).is_err() {
            reader.refuse(&header, "has a value that no header can have");
        }
        if OF_HTTP.contains(&&*name.to_ascii_lowercase()) {
            reader.refuse(&header, "is set by the sink itself; remove it");
        }
    }
    check_idempotency(&key.then("idempotency_header"), http, reader);
}

fn check_idempotency(key: &Key, http: &Http, reader: &mut Reader) {
    let name = &http.idempotency_header;
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if !name.is_empty() && http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        reader.refuse(key, format!("{name:?} is no name of a header; \"\" is none at all"));
    } else if OF_HTTP.into_iter().chain(["authorization", "content-type"]).any(is)
        || http.headers.keys().any(|other| is(other))
    {
        reader.refuse(key, format!("{name:?} is set to something else; name another header"));
    }
}

pub(super) fn check_splunk(key: &Key, splunk: &Splunk, reader: &mut Reader) {
    check_url(key, splunk.url.is_missing(), reader);
    check_tls(&key.then("tls"), &splunk.tls, reader);
    within_a_day(&key.then("timeout"), splunk.timeout, reader);
    within_a_day(&key.then("acknowledge_timeout"), splunk.acknowledge_timeout, reader);
    if splunk.token.is_none() && splunk.token_file.is_none() {
        reader.refuse(&key.then("token"), "is missing; give the collector's token, or token_file");
    }
    is_base(&key.then("url"), splunk.url.as_str(), "/services/collector", reader);
    not_empty(key, "token", &splunk.token, reader);
    not_both(key, "token", &splunk.token, &splunk.token_file, reader);
    no_zstd(key, splunk.compression, reader);
}

pub(super) fn check_elasticsearch(key: &Key, elasticsearch: &Elasticsearch, reader: &mut Reader) {
    if elasticsearch.urls.is_empty() {
        reader.refuse(&key.then("urls"), "is missing; write e.g. [\"https://es-1.internal:9200\"]");
    }
    for url in &elasticsearch.urls {
        is_base(&key.then("urls"), url.as_str(), "/_bulk", reader);
    }
    let in_pipeline = |b: u8| b.is_ascii_alphanumeric() || b"._-@:".contains(&b);
    if elasticsearch.pipeline.as_ref().is_some_and(|name| name.is_empty() || !name.bytes().all(in_pipeline)) {
        let what = "is no name of a pipeline; use letters, digits, ., _, -, @ and :";
        reader.refuse(&key.then("pipeline"), what);
    }
    check_auth(&key.then("auth"), &elasticsearch.auth, reader);
    check_tls(&key.then("tls"), &elasticsearch.tls, reader);
    within_a_day(&key.then("timeout"), elasticsearch.timeout, reader);
    no_zstd(key, elasticsearch.compression, reader);
    check_index(&key.then("index"), elasticsearch, reader);
    let install = key.then("install");
    let ages = [
        ("rollover_after", Some(elasticsearch.install.rollover_after)),
        ("delete_after", elasticsearch.install.delete_after),
    ];
    for (name, age) in ages {
        if age.is_some_and(|age| age < MIN_ROTATION || age > MAX_AGE) {
            reader.refuse(
                &install.then(name),
                "must be from a minute to 100 years; leave it out for the default",
            );
        }
    }
    if elasticsearch.install.delete_after.is_some() && !elasticsearch.install.template {
        reader.refuse(
            &install.then("delete_after"),
            "needs install.template, which ties the policy to the indices",
        );
    }
}

fn check_index(key: &Key, elasticsearch: &Elasticsearch, reader: &mut Reader) {
    let index = &elasticsearch.index;
    let plain = index.replace("%Y", "").replace("%m", "").replace("%d", "").replace("%H", "");
    if plain.contains('%') {
        reader.refuse(key, format!("{index:?} has a % that is none of %Y, %m, %d, %H"));
    } else if plain.is_empty()
        || plain.chars().any(|c| c.is_uppercase() || c.is_control() || NOT_IN_INDEX.contains(c))
    {
        reader
            .refuse(key, format!("{index:?} is no name of an index; use a-z, 0-9, - and ., a letter first"));
    } else if index.starts_with(['-', '_', '+', '.', '%']) || index.len() > 200 {
        reader
            .refuse(key, format!("{index:?} is no name of an index; begin with a letter, at most 200 bytes"));
    } else if elasticsearch.data_stream && plain != *index {
        reader.refuse(
            key,
            format!("{index:?} has a date, but a data stream has none; write e.g. \"logs-panoptes-default\""),
        );
    }
}

fn check_url(key: &Key, missing: bool, reader: &mut Reader) {
    if missing {
        reader.refuse(&key.then("url"), "is missing; write e.g. \"https://collector.internal:8443/audit\"");
    }
}

fn check_auth(key: &Key, auth: &Auth, reader: &mut Reader) {
    not_empty(key, "bearer", &auth.bearer, reader);
    not_empty(key, "api_key", &auth.api_key, reader);
    not_both(key, "bearer", &auth.bearer, &auth.bearer_file, reader);
    not_both(key, "api_key", &auth.api_key, &auth.api_key_file, reader);
    not_both(key, "password", &auth.password, &auth.password_file, reader);
    let bearer = auth.bearer.is_some() || auth.bearer_file.is_some();
    let api_key = auth.api_key.is_some() || auth.api_key_file.is_some();
    let password = auth.password.is_some() || auth.password_file.is_some();
    if [bearer, api_key, password || auth.username.is_some()].into_iter().filter(|given| *given).count() > 1 {
        reader
            .refuse(key, "proves itself in two ways; keep one of bearer, api_key, or username and password");
    }
    match (&auth.username, password) {
        (Some(_), false) => {
            reader.refuse(&key.then("password"), "is missing beside username; add it, or password_file")
        }
        (None, true) => reader.refuse(&key.then("username"), "is missing beside password; add it"),
        _ => {}
    }
}

/// The sink puts its paths behind this one.
fn is_base(key: &Key, url: &str, path: &str, reader: &mut Reader) {
    if url.contains('?') {
        reader.refuse(key, "has a query, but the sink's own paths go behind it; remove it");
    } else if url.contains(path) {
        reader.refuse(key, format!("has {path}, which the sink adds itself; remove it"));
    }
}

fn not_empty(key: &Key, name: &str, secret: &Option<Secret>, reader: &mut Reader) {
    if secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
        reader.refuse(&key.then(name), "is empty; give it, or leave it out");
    }
}

fn no_zstd(key: &Key, compression: Compression, reader: &mut Reader) {
    if compression == Compression::Zstd {
        reader.refuse(&key.then("compression"), "\"zstd\" is not understood there; use gzip or none");
    }
}
