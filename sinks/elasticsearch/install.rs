//! The look at the cluster at the start, and what is installed there on request: a lifecycle policy (`policy.rs`) and an
//! index template, each replaced where it is there already.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Elasticsearch, index, mapping, policy};
use crate::{http::Answer, sink::Failure};

/// Before those that come with the servers for names such as `logs-*-*`, which have 100.
pub(super) const PRIORITY: u32 = 500;

/// What the cluster is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Elasticsearch,
    OpenSearch,
}

/// Looks who answers, and installs what was asked for.
pub(super) async fn open(sink: &mut Elasticsearch) -> Result<(), Failure> {
    let kind = kind(sink).await?;
    if !sink.options.install.template {
        return Ok(());
    }
    let lifecycle = format!("{}-lifecycle", name(sink));
    let managed =
        sink.options.install.delete_after.is_some() && policy::install(sink, kind, &lifecycle).await?;
    let template = template(sink, kind, managed.then_some(lifecycle));
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

/// The name of template and policy.
fn name(sink: &Elasticsearch) -> String {
    index::undated(&sink.options.index).to_owned()
}

pub(super) async fn put(sink: &mut Elasticsearch, path: &str, body: &Value) -> Result<Answer, Failure> {
    sink.ask(Method::PUT, path, "application/json", body.to_string().into_bytes())
        .await
        .map_err(Failure::retry)
}
