//! How fields are indexed: dates as dates, names as keywords, SQL as text. What a client can make grow without bound
//! (attributes of requests and sessions) is one field; what has no fixed type (parameters, row images) is kept, not indexed.
//! Fields that are not named here are kept as well and not indexed, so that no event is refused for a conflict.

use panoptes_config::Format;
use serde_json::{Map, Value, json};

/// A keyword beyond this many characters is kept, not indexed: a term has a limit of its own.
const MAX_KEYWORD: u32 = 1_024;

/// The mapping of events in a format. `flat` is the type that holds an object as one field.
pub(super) fn of(format: Format, flat: &str) -> Value {
    let mut properties = match format {
        Format::Native => native(flat),
        Format::Ecs => ecs(flat),
        Format::Ocsf => ocsf(flat),
        Format::Cloudevents => cloudevents(flat),
    };
    properties.insert("@timestamp".to_owned(), json!({"type": "date_nanos"}));
    json!({"dynamic": false, "properties": properties})
}

fn native(flat: &str) -> Map<String, Value> {
    object([
        ("id", keyword()),
        ("version", json!({"type": "integer"})),
        ("kind", keyword()),
        ("seq", json!({"type": "long"})),
        ("prev", keyword()),
        ("intentId", keyword()),
        ("intentCount", json!({"type": "integer"})),
        (
            "meta",
            fields(
                [
                    ("timestamp", date()),
                    (
                        "timestampUnix",
                        json!({"type": "date", "format": "epoch_second", "ignore_malformed": true}),
                    ),
                    ("date", json!({"type": "date", "format": "yyyy-MM-dd", "ignore_malformed": true})),
                    ("durationMs", json!({"type": "double"})),
                ],
                &["appName", "environment", "instance", "sourceApp", "time", "reason"],
            ),
        ),
        (
            "db",
            fields(
                [("port", json!({"type": "integer"}))],
                &["engine", "host", "name", "user", "schema", "serverVersion"],
            ),
        ),
        ("operation", operation()),
        ("sql", sql(true)),
        ("data", json!({"type": "object", "enabled": false})),
        ("actor", fields([], &["actorType", "appUserId", "appUsername", "appRoles", "tenantId", "trust"])),
        (
            "request",
            fields(
                [("attributes", json!({"type": flat}))],
                &["ipAddress", "userAgent", "requestId", "sessionId", "traceparent"],
            ),
        ),
        ("session", session(flat)),
        ("transaction", transaction()),
        (
            "cancel",
            fields(
                [("matched", json!({"type": "boolean"})), ("serverPid", json!({"type": "long"}))],
                &["sessionId"],
            ),
        ),
        ("blind", fields([], &["reason"])),
        ("gap", fields([("count", json!({"type": "long"})), ("from", date()), ("to", date())], &["reason"])),
        ("checkpoint", fields([], &["boot", "key", "signature"])),
        ("external", json!({"type": flat})),
    ])
}

fn operation() -> Value {
    fields(
        [("access", fields([], &["table", "mode"]))],
        &["type", "category", "command", "object", "mainTable", "objectName", "tablesInvolved", "parsed"],
    )
}

/// `raw`: whether the text and the error are there.
fn sql(raw: bool) -> Value {
    let long = || json!({"type": "long"});
    let mut sql = fields(
        [
            ("normalized", text()),
            ("parameters", json!({"type": "object", "enabled": false})),
            ("truncated", json!({"type": "object", "enabled": false})),
            ("rowCount", long()),
            ("bytesReturned", long()),
            ("bytesSent", long()),
            ("warnings", long()),
            ("success", json!({"type": "boolean"})),
        ],
        &["fingerprint", "split", "prepared", "rawSha256", "file", "redacted", "outcome", "sqlState"],
    );
    if let (true, Some(properties)) = (raw, sql.get_mut("properties").and_then(Value::as_object_mut)) {
        properties.extend([
            ("raw".to_owned(), text()),
            ("errorMessage".to_owned(), text()),
            ("errorCode".to_owned(), keyword()),
        ]);
    }
    sql
}

fn session(flat: &str) -> Value {
    fields(
        [
            ("seq", json!({"type": "long"})),
            ("serverPid", json!({"type": "long"})),
            ("attributes", json!({"type": flat})),
        ],
        &["id", "client", "tls", "certSubject", "authMethod", "endReason"],
    )
}

fn transaction() -> Value {
    let long = || json!({"type": "long"});
    fields(
        [("fromSeq", long()), ("toSeq", long()), ("errorMessage", text())],
        &["id", "status", "verdict", "savepoint", "sqlState"],
    )
}

fn ecs(flat: &str) -> Map<String, Value> {
    let end = || fields([("ip", json!({"type": "ip"})), ("port", json!({"type": "long"}))], &["address"]);
    let id = || fields([], &["id"]);
    let mut rest = native(flat);
    rest.insert("sql".to_owned(), sql(false));
    object([
        ("message", json!({"type": "match_only_text"})),
        ("ecs", fields([], &["version"])),
        (
            "event",
            fields(
                [("sequence", json!({"type": "long"})), ("duration", json!({"type": "long"}))],
                &[
                    "id", "kind", "category", "type", "action", "outcome", "module", "dataset", "provider",
                    "reason",
                ],
            ),
        ),
        ("service", fields([], &["name", "environment"])),
        ("observer", fields([], &["vendor", "product", "type", "name"])),
        ("client", end()),
        ("source", end()),
        ("server", end()),
        ("destination", end()),
        ("tls", fields([], &["version", "version_protocol"])),
        ("user", fields([("effective", fields([], &["name"]))], &["id", "name", "roles"])),
        ("organization", id()),
        ("related", fields([("ip", json!({"type": "ip"}))], &["user"])),
        ("user_agent", fields([], &["original"])),
        ("http", fields([("request", id())], &[])),
        ("trace", id()),
        ("span", id()),
        ("error", fields([("message", json!({"type": "match_only_text"}))], &["code"])),
        ("panoptes", json!({"properties": rest})),
    ])
}

fn ocsf(flat: &str) -> Map<String, Value> {
    let time = || json!({"type": "date", "format": "epoch_millis", "ignore_malformed": true});
    let integers = [
        "category_uid",
        "class_uid",
        "activity_id",
        "type_uid",
        "severity_id",
        "status_id",
        "type_id",
        "duration",
        "timezone_offset",
    ];
    let keywords = [
        "category_name",
        "class_name",
        "activity_name",
        "type_name",
        "severity",
        "status",
        "status_code",
        "type",
    ];
    let end = || {
        fields(
            [("ip", json!({"type": "ip"})), ("port", json!({"type": "integer"}))],
            &["hostname", "svc_name"],
        )
    };
    let mut all = object([
        ("time", time()),
        ("start_time", time()),
        ("end_time", time()),
        ("status_detail", text()),
        ("message", text()),
        (
            "metadata",
            fields(
                [
                    ("sequence", json!({"type": "long"})),
                    ("original_time", date()),
                    ("product", fields([], &["name", "vendor_name", "version"])),
                ],
                &["version", "uid", "log_name", "log_provider", "event_code", "correlation_uid"],
            ),
        ),
        (
            "actor",
            fields(
                [
                    ("user", fields([("org", fields([], &["uid"]))], &["uid", "name", "uid_alt"])),
                    ("session", fields([("is_remote", json!({"type": "boolean"}))], &["uid"])),
                ],
                &["app_name"],
            ),
        ),
        ("src_endpoint", end()),
        ("dst_endpoint", end()),
        ("database", fields([("type_id", json!({"type": "integer"}))], &["name", "type"])),
        ("table", fields([], &["name"])),
        (
            "query_info",
            fields(
                [("query_string", text()), ("bytes", json!({"type": "long"})), ("query_time", time())],
                &["uid", "name"],
            ),
        ),
        ("unmapped", json!({"properties": native(flat)})),
    ]);
    all.extend(integers.map(|name| (name.to_owned(), json!({"type": "long"}))));
    all.extend(keywords.map(|name| (name.to_owned(), keyword())));
    all
}

fn cloudevents(flat: &str) -> Map<String, Value> {
    let keywords = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "datacontenttype",
        "sequence",
        "partitionkey",
        "traceparent",
    ];
    let mut all = object([("time", date()), ("data", json!({"properties": native(flat)}))]);
    all.extend(keywords.map(|name| (name.to_owned(), keyword())));
    all
}

fn keyword() -> Value {
    json!({"type": "keyword", "ignore_above": MAX_KEYWORD})
}

/// Searched by word; whole where it is short.
fn text() -> Value {
    json!({"type": "text", "fields": {"keyword": keyword()}})
}

/// A date that is none is kept as it is, not a reason to refuse the event.
fn date() -> Value {
    json!({"type": "date_nanos", "ignore_malformed": true})
}

/// An object of these fields, and of keywords.
fn fields<const N: usize>(typed: [(&str, Value); N], keywords: &[&str]) -> Value {
    let mut properties = object(typed);
    properties.extend(keywords.iter().map(|name| ((*name).to_owned(), keyword())));
    json!({"properties": properties})
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
