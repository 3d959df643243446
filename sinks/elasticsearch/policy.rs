//! The lifecycle policy: Elasticsearch's (ILM) and OpenSearch's (ISM).

use hyper::{Method, StatusCode};
use panoptes_config::Install;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Elasticsearch, index,
    install::{Kind, PRIORITY, put},
};
use crate::{http::Answer, sink::Failure};

/// Whether the policy is there now. A cluster without lifecycle policies gets the events all the same.
pub(super) async fn install(sink: &mut Elasticsearch, kind: Kind, policy: &str) -> Result<bool, Failure> {
    let wanted = sink.options.install.clone();
    let (path, body) = match kind {
        Kind::Elasticsearch => (format!("_ilm/policy/{policy}"), ilm(&wanted, sink.options.data_stream)),
        Kind::OpenSearch => {
            let pattern = index::glob(&sink.options.index);
            (format!("_plugins/_ism/policies/{policy}"), ism(&wanted, sink.options.data_stream, &pattern))
        }
    };
    let mut answer = put(sink, &path, &body).await?;
    if answer.status == StatusCode::CONFLICT && kind == Kind::OpenSearch {
        match replace(sink, &path, policy, &body).await? {
            None => return Ok(true),
            Some(refused) => answer = refused,
        }
    }
    match answer.status {
        status if status.is_success() => Ok(true),
        // Another one replaced it meanwhile.
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
            Err(Failure::retry(format!("the lifecycle policy is not installed: {}", answer.describe())))
        }
        status if status.is_server_error() => {
            Err(Failure::retry(format!("the lifecycle policy is not installed: {}", answer.describe())))
        }
        _ => {
            let answer = answer.describe();
            tracing::error!(
                policy,
                answer,
                "the lifecycle policy is not installed: nothing deletes old indices"
            );
            Ok(false)
        }
    }
}

/// OpenSearch replaces a policy only where its version is named, and its indices follow the new one only when told to. An
/// answer where it was not replaced.
/// <https://docs.opensearch.org/latest/im-plugin/ism/api/>
async fn replace(
    sink: &mut Elasticsearch,
    path: &str,
    policy: &str,
    wanted: &Value,
) -> Result<Option<Answer>, Failure> {
    #[derive(Deserialize)]
    struct There {
        #[serde(rename = "_seq_no")]
        seq_no: i64,
        #[serde(rename = "_primary_term")]
        primary_term: i64,
        policy: Value,
    }
    let answer = sink.ask(Method::GET, path, "application/json", Vec::new()).await.map_err(Failure::retry)?;
    let Ok(there) = serde_json::from_slice::<There>(&answer.body) else {
        let what = answer.describe();
        return Err(Failure::retry(format!("the lifecycle policy that is there cannot be read: {what}")));
    };
    if wanted.get("policy").is_some_and(|wanted| holds(&there.policy, wanted)) {
        return Ok(None);
    }
    let There { seq_no, primary_term, .. } = there;
    let versioned = format!("{path}?if_seq_no={seq_no}&if_primary_term={primary_term}");
    let answer = put(sink, &versioned, wanted).await?;
    if !answer.status.is_success() {
        return Ok(Some(answer));
    }
    let change = format!("_plugins/_ism/change_policy/{}", index::glob(&sink.options.index));
    let body = json!({"policy_id": policy}).to_string().into_bytes();
    let answer = sink.ask(Method::POST, &change, "application/json", body).await.map_err(Failure::retry)?;
    let failures = serde_json::from_slice::<Value>(&answer.body).ok();
    let failures = failures.and_then(|told| told.get("failures").and_then(Value::as_bool));
    let answer = answer.describe();
    match failures {
        Some(false) => {
            tracing::info!(policy, "the lifecycle policy has changed, for indices that are there as well")
        }
        _ => tracing::warn!(
            policy,
            answer,
            "the lifecycle policy has changed; indices that are there may keep the old one"
        ),
    }
    Ok(None)
}

/// Whether a document has all that is wanted. OpenSearch adds to policies what it knows of them.
fn holds(document: &Value, wanted: &Value) -> bool {
    match (document, wanted) {
        (Value::Object(document), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| document.get(name).is_some_and(|value| holds(value, wanted)))
        }
        (Value::Array(document), Value::Array(wanted)) => {
            document.len() == wanted.len()
                && document.iter().zip(wanted).all(|(value, wanted)| holds(value, wanted))
        }
        _ => document == wanted,
    }
}

fn ilm(install: &Install, data_stream: bool) -> Value {
    let mut phases = json!({"hot": {"actions": {}}});
    if data_stream {
        phases = json!({"hot": {"actions": {"rollover": {
            "max_age": seconds(install.rollover_after),
            "max_primary_shard_size": bytes(install),
        }}}});
    }
    if let (Some(age), Some(phases)) = (install.delete_after, phases.as_object_mut()) {
        phases.insert("delete".to_owned(), json!({"min_age": seconds(age), "actions": {"delete": {}}}));
    }
    json!({"policy": {"phases": phases, "_meta": {"managed_by": "panoptes"}}})
}

fn ism(install: &Install, data_stream: bool, pattern: &str) -> Value {
    let rollover = match data_stream {
        true => json!([{"rollover": {
            "min_index_age": seconds(install.rollover_after),
            "min_primary_shard_size": bytes(install),
        }}]),
        false => json!([]),
    };
    let delete = install
        .delete_after
        .map(|age| json!([{"state_name": "delete", "conditions": {"min_index_age": seconds(age)}}]));
    json!({"policy": {
        "description": "Installed by Panoptes",
        "default_state": "hot",
        "ism_template": [{"index_patterns": [pattern], "priority": PRIORITY}],
        "states": [
            {"name": "hot", "actions": rollover, "transitions": delete.unwrap_or_else(|| json!([]))},
            {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
        ],
    }})
}

fn seconds(duration: std::time::Duration) -> String {
    format!("{}s", duration.as_secs())
}

fn bytes(install: &Install) -> String {
    format!("{}b", install.rollover_size.bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::install::open, *};

    fn wanted() -> Install {
        Install { delete_after: Some(Duration::from_secs(30 * 86_400)), ..Install::default() }
    }

    /// <https://www.elastic.co/guide/en/elasticsearch/reference/current/ilm-put-lifecycle.html>
    #[test]
    fn elasticsearch_deletes_by_age_and_rolls_a_data_stream_over() {
        let delete = json!({"min_age": "2592000s", "actions": {"delete": {}}});
        assert_eq!(
            ilm(&wanted(), false)["policy"]["phases"],
            json!({"hot": {"actions": {}}, "delete": delete})
        );
        let rollover = json!({"max_age": "86400s", "max_primary_shard_size": "53687091200b"});
        assert_eq!(
            ilm(&wanted(), true)["policy"]["phases"],
            json!({"hot": {"actions": {"rollover": rollover}}, "delete": delete})
        );
    }

    /// <https://docs.opensearch.org/latest/im-plugin/ism/policies/>
    #[test]
    fn opensearch_finds_its_indices_by_their_names() {
        let policy = ism(&wanted(), true, "audit-*");
        let policy = &policy["policy"];
        assert_eq!(policy["ism_template"][0]["index_patterns"], json!(["audit-*"]));
        assert_eq!(policy["default_state"], policy["states"][0]["name"]);
        let [hot, gone] = [0, 1].map(|place| &policy["states"][place]);
        let rollover = json!({"min_index_age": "86400s", "min_primary_shard_size": "53687091200b"});
        assert_eq!(hot["actions"], json!([{"rollover": rollover}]));
        assert_eq!(
            hot["transitions"],
            json!([{"state_name": gone["name"], "conditions": {"min_index_age": "2592000s"}}])
        );
        assert_eq!(gone["actions"], json!([{"delete": {}}]));
        assert_eq!(ism(&wanted(), false, "audit-*")["policy"]["states"][0]["actions"], json!([]));
    }

    /// A stub of OpenSearch's lifecycles, whose plugin cannot be had here: answers one request after the other, and gives back
    /// what it was asked.
    fn stub(answers: Vec<(u16, Value)>) -> (String, std::thread::JoinHandle<Vec<(String, Value)>>) {
        use std::io::{BufRead, BufReader, Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || {
            let mut asked = Vec::new();
            for (status, answer) in answers {
                let (mut client, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(client.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                reader.read_exact(&mut body).unwrap();
                let question = head.split(" HTTP/").next().unwrap().to_owned();
                asked.push((question, serde_json::from_slice(&body).unwrap_or_default()));
                let answer = answer.to_string();
                let length = answer.len();
                write!(
                    client,
                    "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{answer}"
                )
                .unwrap();
            }
            asked
        };
        (url, std::thread::spawn(serve))
    }

    /// What is asked of an OpenSearch that has this policy already.
    fn asked(there: &Value, answers: Vec<(u16, Value)>) -> Vec<(String, Value)> {
        let mut script = vec![
            (200, json!({"version": {"distribution": "opensearch"}})),
            (409, json!({"error": {"type": "version_conflict_engine_exception"}})),
            (200, json!({"_seq_no": 7, "_primary_term": 2, "policy": there})),
        ];
        script.extend(answers);
        script.push((200, json!({})));
        let (url, server) = stub(script);
        let options = panoptes_config::Elasticsearch {
            urls: vec![panoptes_config::Url::try_from(url.as_str()).unwrap()],
            index: "audit-%Y.%m.%d".into(),
            install: Install { template: true, ..wanted() },
            ..panoptes_config::Elasticsearch::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut sink = Elasticsearch::new(&options).unwrap();
        assert_eq!(runtime.block_on(open(&mut sink)), Ok(()));
        server.join().unwrap()
    }

    #[test]
    fn a_policy_that_is_another_now_replaces_the_one_that_is_there() {
        let mut there = ism(&wanted(), false, "audit-*.*.*")["policy"].clone();
        // OpenSearch knows more of it.
        there["schema_version"] = 21.into();
        there["states"][1]["actions"][0]["retry"] = json!({"count": 3});
        let same = asked(&there, vec![]);
        assert_eq!(same.len(), 4, "{same:?}");
        there["states"][0]["transitions"][0]["conditions"]["min_index_age"] = "365d".into();
        let told = json!({"updated_indices": 3, "failures": false});
        let asked = asked(&there, vec![(200, json!({})), (200, told)]);
        let questions: Vec<&str> = asked.iter().map(|(question, _)| question.as_str()).collect();
        let policy = "_plugins/_ism/policies/audit-lifecycle";
        let expected = [
            "GET /".to_owned(),
            format!("PUT /{policy}"),
            format!("GET /{policy}"),
            format!("PUT /{policy}?if_seq_no=7&if_primary_term=2"),
            "POST /_plugins/_ism/change_policy/audit-*.*.*".to_owned(),
            "PUT /_index_template/audit".to_owned(),
        ];
        assert_eq!(questions, expected);
        let transition = &asked[3].1["policy"]["states"][0]["transitions"][0];
        assert_eq!(transition["conditions"]["min_index_age"], "2592000s");
        assert_eq!(asked[4].1, json!({"policy_id": "audit-lifecycle"}));
        assert_eq!(asked[5].1["index_patterns"], json!(["audit-*.*.*"]));
    }
}
