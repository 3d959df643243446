//! The look at the cluster at the start, and what is installed there on request: a lifecycle policy and an index
//! template, each replaced where it is there already.

use hyper::{Method, StatusCode};
use panoptes_config::Install;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Elasticsearch, index, mapping};
use crate::{http::Answer, sink::Failure};

/// Before those that come with the servers for names such as `logs-*-*`, which have 100.
const PRIORITY: u32 = 500;

/// What the cluster is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Elasticsearch,
    OpenSearch,
}

/// Looks who answers, and installs what was asked for.
pub(super) async fn open(sink: &mut Elasticsearch) -> Result<(), Failure> {
    let kind = kind(sink).await?;
    if !sink.options.install.template {
        return Ok(());
    }
    let policy = format!("{}-lifecycle", name(sink));
    let managed = sink.options.install.delete_after.is_some() && install_policy(sink, kind, &policy).await?;
    let template = template(sink, kind, managed.then_some(policy));
    let path = format!("_index_template/{}", name(sink));
    let answer = put(sink, &path, &template).await?;
    match answer.status.is_success() {
        true => Ok(()),
        false => Err(Failure::retry(format!("the index template is not installed: {}", answer.describe()))),
    }
}

async fn kind(sink: &mut Elasticsearch) -> Result<Kind, Failure> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Cluster {
        version: Version,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Version {
        distribution: String,
    }
    let answer = sink.ask(Method::GET, "", "application/json", Vec::new()).await.map_err(Failure::retry)?;
    match answer.status {
        status if status.is_success() => {}
        // An account that may only write is not shown the cluster. It is for the events to say whether it may.
        StatusCode::FORBIDDEN => return Ok(Kind::Elasticsearch),
        StatusCode::UNAUTHORIZED => {
            return Err(Failure::retry(format!("the cluster refuses auth.*: {}", answer.describe())));
        }
        _ => return Err(Failure::retry(answer.describe())),
    }
    let cluster: Cluster = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(if cluster.version.distribution == "opensearch" { Kind::OpenSearch } else { Kind::Elasticsearch })
}

/// Whether the policy is there now. A cluster without lifecycle policies gets the events all the same.
async fn install_policy(sink: &mut Elasticsearch, kind: Kind, policy: &str) -> Result<bool, Failure> {
    let install = sink.options.install.clone();
    let (path, body) = match kind {
        Kind::Elasticsearch => (format!("_ilm/policy/{policy}"), ilm(&install, sink.options.data_stream)),
        Kind::OpenSearch => {
            let pattern = index::glob(&sink.options.index);
            (format!("_plugins/_ism/policies/{policy}"), ism(&install, sink.options.data_stream, &pattern))
        }
    };
    let answer = put(sink, &path, &body).await?;
    match answer.status {
        status if status.is_success() => Ok(true),
        // OpenSearch replaces a policy only by its version: the one that is there stays.
        StatusCode::CONFLICT => Ok(true),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
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

fn template(sink: &Elasticsearch, kind: Kind, policy: Option<String>) -> Value {
    let options = &sink.options;
    let flat = if kind == Kind::OpenSearch { "flat_object" } else { "flattened" };
    let mut settings = json!({"index": {"number_of_replicas": options.install.replicas}});
    if let (Some(policy), Kind::Elasticsearch, Some(index)) = (policy, kind, settings.get_mut("index")) {
        // ISM finds its indices by the pattern in the policy itself.
        if let Some(index) = index.as_object_mut() {
            index.insert("lifecycle".to_owned(), json!({"name": policy}));
        }
    }
    let mut template = json!({
        "index_patterns": [index::glob(&options.index)],
        "priority": PRIORITY,
        "template": {"settings": settings, "mappings": mapping::of(options.format, flat)},
        "_meta": {"managed_by": "panoptes"},
    });
    if let (true, Some(template)) = (options.data_stream, template.as_object_mut()) {
        template.insert("data_stream".to_owned(), json!({}));
    }
    template
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

/// The name of template and policy: that of the index, less its date.
fn name(sink: &Elasticsearch) -> String {
    index::glob(&sink.options.index).trim_end_matches(['*', '-', '.', '_']).to_owned()
}

async fn put(sink: &mut Elasticsearch, path: &str, body: &Value) -> Result<Answer, Failure> {
    sink.ask(Method::PUT, path, "application/json", body.to_string().into_bytes())
        .await
        .map_err(Failure::retry)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn install() -> Install {
        Install { delete_after: Some(Duration::from_secs(30 * 86_400)), ..Install::default() }
    }

    /// <https://www.elastic.co/guide/en/elasticsearch/reference/current/ilm-put-lifecycle.html>
    #[test]
    fn elasticsearch_deletes_by_age_and_rolls_a_data_stream_over() {
        let delete = json!({"min_age": "2592000s", "actions": {"delete": {}}});
        assert_eq!(
            ilm(&install(), false)["policy"]["phases"],
            json!({"hot": {"actions": {}}, "delete": delete})
        );
        let rollover = json!({"max_age": "86400s", "max_primary_shard_size": "53687091200b"});
        assert_eq!(
            ilm(&install(), true)["policy"]["phases"],
            json!({"hot": {"actions": {"rollover": rollover}}, "delete": delete})
        );
    }

    /// <https://docs.opensearch.org/latest/im-plugin/ism/policies/>
    #[test]
    fn opensearch_finds_its_indices_by_their_names() {
        let policy = ism(&install(), true, "audit-*");
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
        assert_eq!(ism(&install(), false, "audit-*")["policy"]["states"][0]["actions"], json!([]));
    }
}
