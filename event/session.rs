//! Of an [`Event`](crate::Event): the connection, who is behind it, and the request that they serve.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Who is behind the login.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// USER, SYSTEM, SERVICE, ADMIN, API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_type: Option<String>,
    /// The person's or service's id in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_user_id: Option<String>,
    /// The name in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_username: Option<String>,
    /// The roles in the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_roles: Option<Vec<String>>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// `verified` or `claimed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
}

/// The application's own request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Address of the application's client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Its user agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Its request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Its session id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Whatever else the context carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
}

/// The connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// UUIDv7 of the connection.
    pub id: Uuid,
    /// Address and port of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Number of the event in its session, without holes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// TLS version of the client's leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// How the server authenticated the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// The server's process id or thread id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_pid: Option<u32>,
    /// Startup parameters or connection attributes, less secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
    /// Of a `logout`: why the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}
