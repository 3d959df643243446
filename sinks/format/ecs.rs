//! Elastic Common Schema 8.17: the fields that it has names for; the rest under `panoptes`, in the native names.
//!
//! `user` is who acts: the person behind a pooled login where one is known, who then acts with the rights of
//! `user.effective`, the database's user. `message` is the statement's text.

use std::{collections::BTreeSet, net::IpAddr};

use panoptes_event::{Event, Kind, Operation, Outcome, Sql, json::Object};

use super::{endpoint, remainder};

const VERSION: &str = "8.17.0";
/// One millisecond in the unit of `event.duration`.
const NANOS_PER_MILLI: f64 = 1_000_000.0;

/// Writes the event, whose own JSON is `json`, in ECS.
pub(super) fn write(event: &Event, json: &[u8], out: &mut Vec<u8>) {
    let mut document = Object::begin(out);
    document.member("@timestamp", &event.meta.timestamp);
    document.optional("message", message(event));
    let mut ecs = document.object("ecs");
    ecs.plain("version", VERSION);
    ecs.end();
    write_event(event, document.object("event"));
    write_service(event, &mut document);
    write_ends(event, &mut document);
    write_people(event, &mut document);
    write_request(event, &mut document);
    write_error(event, &mut document);
    document.member("panoptes", &remainder::of(json, &TOLD));
    document.end();
}

fn message(event: &Event) -> Option<&str> {
    let sql = event.sql.as_ref().and_then(|sql| sql.raw.as_deref());
    let blind = event.blind.as_ref().map(|blind| blind.reason.as_str());
    sql.or(blind).or_else(|| event.gap.as_ref().map(|gap| gap.reason.as_str()))
}

fn write_event(event: &Event, mut fields: Object<'_>) {
    let (categories, types) = classes(event);
    fields.uuid("id", event.id).plain("kind", "event").member("category", categories).member("type", types);
    fields.member("action", &action(event)).plain("outcome", outcome(event));
    fields.plain("module", "panoptes").plain("dataset", "panoptes.audit").plain("provider", "panoptes");
    fields.member("sequence", &event.seq).member("reason", &event.meta.reason);
    fields.optional("duration", event.meta.duration_ms.map(|ms| (ms * NANOS_PER_MILLI).round() as u64));
    fields.end();
}

/// `event.category` and `event.type`, of the values that ECS allows.
fn classes(event: &Event) -> (&'static [&'static str], &'static [&'static str]) {
    match event.kind {
        Kind::Login => (&["authentication", "session"], &["start"]),
        Kind::Logout => (&["session"], &["end"]),
        Kind::Statement => event.operation.as_ref().map_or((&["database"], &["info"]), of_statement),
        _ => (&["database"], &["info"]),
    }
}

fn of_statement(operation: &Operation) -> (&'static [&'static str], &'static [&'static str]) {
    let writes = operation.access.iter().any(|access| access.mode != "read");
    match (operation.category.as_str(), operation.kind.as_str()) {
        ("DCL", "CREATE") => (&["database", "iam"], &["admin", "creation"]),
        ("DCL", "DROP") => (&["database", "iam"], &["admin", "deletion"]),
        ("DCL", _) => (&["database", "iam"], &["admin", "change"]),
        ("DDL", "CREATE") => (&["database", "configuration"], &["change", "creation"]),
        ("DDL", "DROP") => (&["database", "configuration"], &["change", "deletion"]),
        ("DDL", _) => (&["database", "configuration"], &["change"]),
        ("DML", "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | "MERGE" | "REPLACE" | "LOAD") => {
            (&["database"], &["change"])
        }
        ("DML", _) if writes => (&["database"], &["change"]),
        ("DML", _) => (&["database"], &["access"]),
        _ => (&["database"], &["info"]),
    }
}

/// `update`, `create-table`, `login`, …
fn action(event: &Event) -> String {
    let Some(operation) = event.operation.as_ref().filter(|_| event.kind == Kind::Statement) else {
        return event.kind.as_str().to_owned();
    };
    let words = [Some(operation.kind.as_str()), operation.object.as_deref()];
    words.into_iter().flatten().collect::<Vec<_>>().join("-").replace([' ', '_'], "-").to_ascii_lowercase()
}

fn outcome(event: &Event) -> &'static str {
    let lost = event.sql.as_ref().and_then(|sql| sql.outcome) == Some(Outcome::Lost);
    match endpoint::success(event) {
        _ if lost => "unknown",
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    }
}

fn write_service(event: &Event, document: &mut Object<'_>) {
    let mut service = document.object("service");
    service.member("name", &event.meta.app_name).member("environment", &event.meta.environment);
    service.end();
    let mut observer = document.object("observer");
    observer.plain("vendor", "Panoptes").plain("product", "Panoptes").plain("type", "proxy");
    observer.member("name", &event.meta.instance);
    observer.end();
}

/// Both ends of the connection. ECS wants `source` and `destination` filled beside `client` and `server`.
fn write_ends(event: &Event, document: &mut Object<'_>) {
    if let Some(client) = endpoint::client(event) {
        for role in ["client", "source"] {
            let mut end = document.object(role);
            end.member("address", &client.ip()).member("ip", &client.ip()).member("port", &client.port());
            end.end();
        }
    }
    if let Some(db) = &event.db {
        for role in ["server", "destination"] {
            let mut end = document.object(role);
            end.member("address", &db.host).optional("ip", db.host.parse::<IpAddr>().ok());
            end.member("port", &db.port);
            end.end();
        }
    }
    if let Some(version) = event.session.as_ref().and_then(|session| session.tls.as_deref()) {
        let mut tls = document.object("tls");
        tls.member("version", version.trim_start_matches("TLSv").trim_start_matches("TLS "));
        tls.plain("version_protocol", "tls");
        tls.end();
    }
}

fn write_people(event: &Event, document: &mut Object<'_>) {
    let login = event.db.as_ref().and_then(|db| db.user.as_deref());
    let actor =
        event.actor.as_ref().filter(|actor| actor.app_user_id.is_some() || actor.app_username.is_some());
    let name = actor.map_or(login, |actor| actor.app_username.as_deref());
    if login.is_some() || actor.is_some() {
        let mut user = document.object("user");
        user.optional("id", actor.and_then(|actor| actor.app_user_id.as_deref())).optional("name", name);
        user.optional("roles", actor.and_then(|actor| actor.app_roles.as_ref()));
        if let (Some(login), Some(_)) = (login, actor) {
            let mut effective = user.object("effective");
            effective.member("name", login);
            effective.end();
        }
        user.end();
    }
    if let Some(tenant) = event.actor.as_ref().and_then(|actor| actor.tenant_id.as_deref()) {
        let mut organization = document.object("organization");
        organization.member("id", tenant);
        organization.end();
    }
    write_related(event, [name, login], document);
}

/// Everyone and every address in one place, so that one search finds them in any role.
fn write_related(event: &Event, users: [Option<&str>; 2], document: &mut Object<'_>) {
    let users: BTreeSet<&str> = users.into_iter().flatten().collect();
    let asked =
        event.request.as_ref().and_then(|request| request.ip_address.as_deref()?.parse::<IpAddr>().ok());
    let client = endpoint::client(event).map(|client| client.ip());
    let server = event.db.as_ref().and_then(|db| db.host.parse().ok());
    let addresses: BTreeSet<IpAddr> = [asked, client, server].into_iter().flatten().collect();
    if users.is_empty() && addresses.is_empty() {
        return;
    }
    let mut related = document.object("related");
    related.optional("user", Some(users).filter(|users| !users.is_empty()));
    related.optional("ip", Some(addresses).filter(|addresses| !addresses.is_empty()));
    related.end();
}

fn write_request(event: &Event, document: &mut Object<'_>) {
    let Some(request) = &event.request else { return };
    if let Some(agent) = &request.user_agent {
        let mut user_agent = document.object("user_agent");
        user_agent.member("original", agent);
        user_agent.end();
    }
    if let Some(id) = &request.request_id {
        let mut http = document.object("http");
        let mut of_request = http.object("request");
        of_request.member("id", id);
        of_request.end();
        http.end();
    }
    if let Some((trace, span)) = endpoint::trace(event) {
        for (field, id) in [("trace", trace), ("span", span)] {
            let mut object = document.object(field);
            object.member("id", id);
            object.end();
        }
    }
}

fn write_error(event: &Event, document: &mut Object<'_>) {
    let Some(Sql { error_code, error_message, .. }) = &event.sql else { return };
    if error_code.is_some() || error_message.is_some() {
        let mut error = document.object("error");
        error.optional("code", error_code.as_deref()).optional("message", error_message.as_deref());
        error.end();
    }
}

/// What ECS has a name for.
const TOLD: [(&str, &[&str]); 4] = [
    (
        "meta",
        &[
            "appName",
            "environment",
            "instance",
            "timestamp",
            "timestampUnix",
            "date",
            "time",
            "durationMs",
            "reason",
        ],
    ),
    ("sql", &["raw", "errorCode", "errorMessage"]),
    ("session", &["client", "tls"]),
    ("request", &["userAgent", "requestId"]),
];
