//! OCSF 1.5, Datastore Activity (class 6005 of category 6, Application Activity).
//!
//! What the class has no attribute for stands in `unmapped`, in the native names.

use panoptes_event::{Event, Kind, Operation, Outcome, json::Object};

use super::{endpoint, remainder};

const VERSION: &str = "1.5.0";
const CATEGORY: u32 = 6;
const CLASS: u32 = 6005;
/// `type_uid` is the class with the activity behind it.
const TYPES_PER_CLASS: u32 = 100;
/// The activity that has no number of its own.
const OTHER: u32 = 99;

/// Writes the event, whose own JSON is `json`, in OCSF.
pub(super) fn write(event: &Event, json: &[u8], out: &mut Vec<u8>) {
    let (activity, name) = activity(event);
    let mut document = Object::begin(out);
    document.member("category_uid", &CATEGORY).plain("category_name", "Application Activity");
    document.member("class_uid", &CLASS).plain("class_name", "Datastore Activity");
    document.member("activity_id", &activity).member("activity_name", activity_name(event, activity, name));
    document.member("type_uid", &(CLASS * TYPES_PER_CLASS + activity));
    document.plain("type_name", &format!("Datastore Activity: {name}"));
    write_severity(event, &mut document);
    write_status(event, &mut document);
    write_time(event, &mut document);
    write_metadata(event, document.object("metadata"));
    write_actor(event, document.object("actor"));
    write_endpoints(event, &mut document);
    write_data(event, &mut document);
    document.member("unmapped", &remainder::of(json, &TOLD));
    document.end();
}

/// `activity_id` with its caption.
fn activity(event: &Event) -> (u32, &'static str) {
    match (event.kind, &event.operation) {
        (Kind::Login, _) => (3, "Connect"),
        (Kind::Statement, Some(operation)) => of_statement(operation),
        _ => (OTHER, "Other"),
    }
}

/// Of another activity the word that the source has for it.
fn activity_name<'e>(event: &'e Event, activity: u32, name: &'e str) -> &'e str {
    match (activity, event.kind, &event.operation) {
        (OTHER, Kind::Statement, Some(operation)) => &operation.kind,
        (OTHER, kind, _) => kind.as_str(),
        _ => name,
    }
}

fn of_statement(operation: &Operation) -> (u32, &'static str) {
    let writes = operation.access.iter().any(|access| access.mode != "read");
    match operation.kind.as_str() {
        "SELECT" | "FETCH" | "DECLARE" | "EXPLAIN" if !writes => (4, "Query"),
        "SHOW" => (8, "List"),
        "CREATE" => (6, "Create"),
        "DELETE" | "TRUNCATE" | "DROP" => (7, "Delete"),
        "UPDATE" | "ALTER" | "RENAME" | "MERGE" | "REPLACE" | "GRANT" | "REVOKE" | "COMMENT" => (2, "Update"),
        "INSERT" | "LOAD" => (5, "Write"),
        "COPY" if !writes => (1, "Read"),
        _ if writes => (5, "Write"),
        _ => (OTHER, "Other"),
    }
}

fn write_severity(event: &Event, document: &mut Object<'_>) {
    let (id, name) = match event.kind {
        // The trail itself has a hole.
        Kind::Gap | Kind::Blind => (4, "High"),
        _ if endpoint::success(event) == Some(false) => (2, "Low"),
        _ => (1, "Informational"),
    };
    document.member("severity_id", &id).plain("severity", name);
}

fn write_status(event: &Event, document: &mut Object<'_>) {
    let sql = event.sql.as_ref();
    let (id, name) = match (endpoint::success(event), sql.and_then(|sql| sql.outcome)) {
        (_, Some(Outcome::Lost)) | (None, _) => (0, "Unknown"),
        (Some(true), _) => (1, "Success"),
        (Some(false), _) => (2, "Failure"),
    };
    document.member("status_id", &id).plain("status", name);
    let code = sql.and_then(|sql| sql.error_code.as_deref().or(sql.sql_state.as_deref()));
    document.optional("status_code", code);
    document.optional("status_detail", sql.and_then(|sql| sql.error_message.as_deref()));
}

/// Times are milliseconds since 1970.
fn write_time(event: &Event, document: &mut Object<'_>) {
    let start = endpoint::unix_micros(event).div_euclid(1_000);
    document.member("time", &start);
    if let Some(duration) = event.meta.duration_ms {
        let duration = duration.round() as i64;
        document.member("start_time", &start).member("end_time", &start.saturating_add(duration));
        document.member("duration", &duration);
    }
    document.member("timezone_offset", &0);
    document.optional("message", message(event));
}

fn message(event: &Event) -> Option<&str> {
    let blind = event.blind.as_ref().map(|blind| blind.reason.as_str());
    blind.or_else(|| event.gap.as_ref().map(|gap| gap.reason.as_str()))
}

fn write_metadata(event: &Event, mut metadata: Object<'_>) {
    metadata.plain("version", VERSION).uuid("uid", event.id).member("sequence", &event.seq);
    let mut product = metadata.object("product");
    product
        .plain("name", "Panoptes")
        .plain("vendor_name", "Panoptes")
        .plain("version", env!("CARGO_PKG_VERSION"));
    product.end();
    metadata.plain("log_name", "panoptes.audit").member("log_provider", &event.meta.instance);
    metadata.plain("event_code", event.kind.as_str()).member("original_time", &event.meta.timestamp);
    let trace = endpoint::trace(event).map(|(trace, _)| trace);
    let request = event.request.as_ref().and_then(|request| request.request_id.as_deref());
    metadata.optional("correlation_uid", request.or(trace));
    metadata.end();
}

/// The person where one is known, else the database's user; `session` is the connection.
fn write_actor(event: &Event, mut actor: Object<'_>) {
    actor.member("app_name", event.meta.source_app.as_ref().unwrap_or(&event.meta.app_name));
    let login = event.db.as_ref().and_then(|db| db.user.as_deref());
    let person = event.actor.as_ref();
    let id = person.and_then(|person| person.app_user_id.as_deref());
    let name = person.and_then(|person| person.app_username.as_deref());
    if login.is_some() || id.is_some() || name.is_some() {
        let mut user = actor.object("user");
        user.optional("uid", id).optional("name", name.or(login.filter(|_| id.is_none())));
        user.optional("uid_alt", login.filter(|_| id.is_some() || name.is_some()));
        if let Some(tenant) = person.and_then(|person| person.tenant_id.as_deref()) {
            let mut organization = user.object("org");
            organization.member("uid", tenant);
            organization.end();
        }
        user.end();
    }
    if let Some(session) = &event.session {
        let mut of_session = actor.object("session");
        of_session.uuid("uid", session.id).member("is_remote", &true);
        of_session.end();
    }
    actor.end();
}

fn write_endpoints(event: &Event, document: &mut Object<'_>) {
    let mut source = document.object("src_endpoint");
    if let Some(client) = endpoint::client(event) {
        source.member("ip", &client.ip()).member("port", &client.port());
    }
    source.member("svc_name", event.meta.source_app.as_ref().unwrap_or(&event.meta.app_name));
    source.end();
    if let Some(db) = &event.db {
        let mut destination = document.object("dst_endpoint");
        match db.host.parse::<std::net::IpAddr>() {
            Ok(ip) => destination.member("ip", &ip),
            Err(_) => destination.member("hostname", &db.host),
        };
        destination.member("port", &db.port).member("svc_name", &db.engine);
        destination.end();
    }
}

/// `database`, `table` and `query_info`. The class demands one of the first two.
fn write_data(event: &Event, document: &mut Object<'_>) {
    let table = event.operation.as_ref().and_then(|operation| operation.main_table.as_deref());
    let (kind, name) = match (table, &event.db) {
        (Some(_), _) => (3, "Table"),
        (None, Some(_)) => (1, "Database"),
        // About the trail itself.
        (None, None) => (0, "Unknown"),
    };
    document.member("type_id", &kind).plain("type", name);
    let mut database = document.object("database");
    match &event.db {
        Some(db) => {
            let name = db.name.as_ref().unwrap_or(&db.host);
            database.member("name", name).member("type_id", &1).plain("type", "Relational");
        }
        None => {
            database.plain("name", "Unknown").member("type_id", &0).plain("type", "Unknown");
        }
    }
    database.end();
    if let Some(table) = table {
        let mut of_table = document.object("table");
        of_table.member("name", table);
        of_table.end();
    }
    let Some((sql, text)) = event.sql.as_ref().and_then(|sql| Some((sql, sql.raw.as_deref()?))) else {
        return;
    };
    let mut query = document.object("query_info");
    query.member("query_string", text).optional("uid", sql.fingerprint.as_deref());
    query.optional("name", sql.prepared.as_deref()).optional("bytes", sql.bytes_returned);
    query.member("query_time", &endpoint::unix_micros(event).div_euclid(1_000));
    query.end();
}

/// What the class has attributes for.
const TOLD: [(&str, &[&str]); 3] = [
    ("meta", &["instance", "timestamp", "timestampUnix", "date", "time"]),
    ("sql", &["raw", "fingerprint", "bytesReturned", "errorMessage", "prepared"]),
    ("session", &["client"]),
];
