//! Syslog.

use std::time::Duration;

use serde::Deserialize;

use super::{Format, Tls, http::TIMEOUT};
use crate::{size::ByteSize, value};

/// Events to a syslog server, as RFC 5424 messages. Syslog has no acknowledgement; see `confirm`. Datagrams may be lost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Syslog {
    /// Host and port: `siem.internal:6514`. Must be given.
    #[serde(deserialize_with = "value::text")]
    pub address: String,
    /// How it gets there. Default tcp.
    #[serde(deserialize_with = "value::choice")]
    pub transport: Transport,
    /// How messages on TCP and TLS are told apart. Default `octet_counting`.
    #[serde(deserialize_with = "value::choice")]
    pub framing: Framing,
    /// Whether a batch on TCP or TLS counts as delivered only when the server has read all of it: each batch then has a
    /// connection of its own, which we end and the server closes. Without it, what was written to a connection that
    /// then breaks may be lost. What lies between (a load balancer) can close in the server's stead: then it tells no
    /// more than that. Default true.
    #[serde(deserialize_with = "value::flag")]
    pub confirm: bool,
    /// The facility: `auth`, `authpriv`, `daemon`, `user`, `audit`, `local0` … `local7`. Default `audit` (13).
    #[serde(deserialize_with = "value::choice")]
    pub facility: Facility,
    /// How an event is told. Default native.
    #[serde(deserialize_with = "value::choice")]
    pub format: Format,
    /// The largest message; a larger event goes to the dead letters, for half of one is no JSON. Default 1 MiB; on UDP
    /// at most 65,507 bytes.
    pub max_message: ByteSize,
    /// Connecting, and writing a batch. Default 5 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// TLS.
    pub tls: Tls,
}

/// How messages get to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP (RFC 6587).
    #[default]
    Tcp,
    /// TLS (RFC 5425).
    Tls,
    /// UDP (RFC 5426), one message a datagram.
    Udp,
}

/// How messages on a stream are told apart (RFC 6587).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Each behind its length.
    #[default]
    OctetCounting,
    /// Each before a newline.
    Newline,
}

/// The part of the system that speaks (RFC 5424, 6.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facility {
    /// 1
    User = 1,
    /// 3
    Daemon = 3,
    /// 4
    Auth = 4,
    /// 10
    Authpriv = 10,
    /// 13
    #[default]
    Audit = 13,
    /// 16
    Local0 = 16,
    /// 17
    Local1,
    /// 18
    Local2,
    /// 19
    Local3,
    /// 20
    Local4,
    /// 21
    Local5,
    /// 22
    Local6,
    /// 23
    Local7,
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            address: String::new(),
            transport: Transport::default(),
            framing: Framing::default(),
            confirm: true,
            facility: Facility::default(),
            format: Format::default(),
            max_message: ByteSize::mib(1),
            timeout: TIMEOUT,
            tls: Tls::default(),
        }
    }
}
