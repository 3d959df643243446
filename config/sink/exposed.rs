//! Secrets that go in clear to another host: allowed, as what lies between may be trusted, and said.

use std::net::IpAddr;

use super::{Auth, Kafka, SecurityProtocol, Sink, SinkOptions};
use crate::Url;

impl Sink {
    /// What a person should know of this sink: that whoever is between here and its destination can read its secrets.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        let (secret, place) = match &self.options {
            SinkOptions::Http(http) => {
                let header =
                    http.headers.keys().any(|name| name.to_ascii_lowercase().contains("authorization"));
                ("its credentials go", in_clear(&http.url).filter(|_| header || is_given(&http.auth)))
            }
            SinkOptions::Splunk(splunk) => ("its token goes", in_clear(&splunk.url)),
            SinkOptions::Elasticsearch(elasticsearch) if is_given(&elasticsearch.auth) => {
                ("its credentials go", elasticsearch.urls.iter().find_map(in_clear))
            }
            SinkOptions::Kafka(kafka) => ("its password goes", to_a_broker(kafka)),
            _ => return None,
        };
        place.map(|place| {
            format!("{secret} in clear to {place}: use TLS, unless all that lies between is trusted")
        })
    }
}

fn is_given(auth: &Auth) -> bool {
    [&auth.bearer, &auth.api_key, &auth.password].iter().any(|secret| secret.is_some())
        || [&auth.bearer_file, &auth.api_key_file, &auth.password_file].iter().any(|file| file.is_some())
}

/// Where a URL leads to, if that is another host, without TLS.
fn in_clear(url: &Url) -> Option<String> {
    let uri: http::Uri = url.as_str().parse().ok()?;
    let clear = uri.scheme_str() == Some("http") && !is_here(uri.host().unwrap_or_default());
    clear.then(|| url.authority().to_owned())
}

/// SCRAM shows no password.
fn to_a_broker(kafka: &Kafka) -> Option<String> {
    let clear = kafka.security_protocol == SecurityProtocol::SaslPlaintext
        && kafka.sasl_mechanism.eq_ignore_ascii_case("plain");
    let host = |broker: &str| broker.rsplit_once(':').map_or(broker, |(host, _)| host).to_owned();
    kafka.brokers.iter().find(|broker| clear && !is_here(&host(broker))).cloned()
}

fn is_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().map_or(host == "localhost" || host.ends_with(".localhost"), |ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Elasticsearch, Http, Secret, Splunk};

    fn exposed(options: SinkOptions) -> bool {
        Sink { options, ..Sink::default() }.exposed().is_some()
    }

    #[test]
    fn a_secret_that_others_can_read_is_said() {
        let url = |text| Url::try_from(text).unwrap();
        let bearer = Auth { bearer_file: Some(PathBuf::from("token")), ..Auth::default() };
        let http = |text, auth: &Auth| {
            exposed(SinkOptions::Http(Http { url: url(text), auth: auth.clone(), ..Http::default() }))
        };
        assert!(http("http://collector/audit", &bearer) && http("http://10.0.0.1", &bearer));
        assert!(!http("http://collector/audit", &Auth::default()) && !http("https://collector", &bearer));
        for here in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost/"] {
            assert!(!http(here, &bearer), "{here}");
        }
        let headers = [("authorization".to_owned(), Secret::new("x"))].into();
        assert!(exposed(SinkOptions::Http(Http { url: url("http://a"), headers, ..Http::default() })));
        assert!(exposed(SinkOptions::Splunk(Splunk { url: url("http://splunk:8088"), ..Splunk::default() })));
        let urls = vec![url("https://es-1"), url("http://es-2")];
        assert!(exposed(SinkOptions::Elasticsearch(Elasticsearch {
            urls,
            auth: bearer,
            ..Elasticsearch::default()
        })));
        let kafka = |mechanism: &str| {
            let (sasl_mechanism, brokers) = (mechanism.to_owned(), vec!["kafka-1:9092".to_owned()]);
            let security_protocol = SecurityProtocol::SaslPlaintext;
            exposed(SinkOptions::Kafka(Kafka {
                brokers,
                security_protocol,
                sasl_mechanism,
                ..Kafka::default()
            }))
        };
        assert!(kafka("PLAIN") && !kafka("SCRAM-SHA-256") && !exposed(SinkOptions::Kafka(Kafka::default())));
    }
}
