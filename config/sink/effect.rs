//! Options that would have no effect beside others: who sets them believes in something that does not happen. To write down
//! a default is no harm.

use super::{DatabaseEngine, Elasticsearch, Kafka, SinkOptions, Splunk, Syslog, Tls, Transport};
use crate::{key::Key, load::Reader};

/// Refuses them.
pub(super) fn check(key: &Key, options: &SinkOptions, reader: &mut Reader) {
    match options {
        SinkOptions::Console(_) | SinkOptions::File(_) => {}
        SinkOptions::Http(http) => {
            over_https(key, &http.tls, [http.url.as_str()], reader);
            let auth = &http.auth;
            let proves = [&auth.bearer, &auth.api_key, &auth.password].iter().any(|secret| secret.is_some())
                || [&auth.bearer_file, &auth.api_key_file, &auth.password_file]
                    .iter()
                    .any(|file| file.is_some());
            let header = http.headers.keys().find(|name| name.eq_ignore_ascii_case("authorization"));
            if let (true, Some(name)) = (proves, header) {
                let what = "is set by auth as well; keep one of them";
                reader.refuse(&key.then("headers").then(name), what);
            }
        }
        SinkOptions::Splunk(splunk) => {
            over_https(key, &splunk.tls, [splunk.url.as_str()], reader);
            let set = splunk.acknowledge_timeout != Splunk::default().acknowledge_timeout;
            if set && !splunk.acknowledge {
                idle(&key.then("acknowledge_timeout"), "without acknowledge = true", reader);
            }
        }
        SinkOptions::Elasticsearch(elasticsearch) => {
            over_https(key, &elasticsearch.tls, elasticsearch.urls.iter().map(|url| url.as_str()), reader);
            let (key, install) = (key.then("install"), &elasticsearch.install);
            let default = Elasticsearch::default().install;
            if install.replicas != default.replicas && !install.template {
                idle(&key.then("replicas"), "without install.template = true", reader);
            }
            let rolls_over = elasticsearch.data_stream && install.delete_after.is_some();
            let set = [
                ("rollover_after", install.rollover_after != default.rollover_after),
                ("rollover_size", install.rollover_size != default.rollover_size),
            ];
            for (name, _) in set.into_iter().filter(|(_, set)| *set && !rolls_over) {
                let why = "without data_stream = true and install.delete_after, which makes the policy";
                idle(&key.then(name), why, reader);
            }
        }
        SinkOptions::Syslog(syslog) => {
            if is_given(&syslog.tls) && syslog.transport != Transport::Tls {
                reader.refuse(&key.then("tls"), "is of no use without transport = \"tls\"");
            }
            if syslog.transport == Transport::Udp {
                let why =
                    "with transport = \"udp\": datagrams are messages of their own, and nobody confirms them";
                if syslog.framing != Syslog::default().framing {
                    idle(&key.then("framing"), why, reader);
                }
                let confirm = key.then("confirm");
                if syslog.confirm && reader.gives(&confirm) {
                    idle(&confirm, why, reader);
                }
            }
        }
        SinkOptions::Database(database) => {
            if is_given(&database.tls) && !database.url.tls && !database.url.is_missing() {
                let why = match database.url.engine {
                    DatabaseEngine::Sqlite => "with SQLite, which is a file",
                    _ => "with sslmode=disable in the url; write sslmode=verify-full",
                };
                reader.refuse(&key.then("tls"), format!("is of no use {why}"));
            }
        }
        SinkOptions::Kafka(kafka) => {
            if is_given(&kafka.tls) && !kafka.security_protocol.is_tls() {
                let what = "is of no use without security_protocol = \"ssl\" or \"sasl_ssl\"";
                reader.refuse(&key.then("tls"), what);
            }
            let set = kafka.sasl_mechanism != Kafka::default().sasl_mechanism;
            if set && !kafka.security_protocol.has_login() {
                idle(&key.then("sasl_mechanism"), "without a security_protocol that has a login", reader);
            }
        }
    }
}

/// The files of TLS are used with `https` alone: beside `http` everything would go in clear.
fn over_https<'u>(key: &Key, tls: &Tls, urls: impl IntoIterator<Item = &'u str>, reader: &mut Reader) {
    let mut urls = urls.into_iter().filter(|url| !url.is_empty()).peekable();
    let is_clear = |url: &str| url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    if is_given(tls) && urls.peek().is_some() && urls.all(is_clear) {
        reader.refuse(&key.then("tls"), "is of no use with http://, which is in clear; write https://");
    }
}

fn is_given(tls: &Tls) -> bool {
    [&tls.ca_file, &tls.cert_file, &tls.key_file].iter().any(|file| file.is_some())
}

fn idle(key: &Key, why: &str, reader: &mut Reader) {
    reader.refuse(key, format!("is of no use {why}; remove it"));
}
