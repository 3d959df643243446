//! What a platform asks of Panoptes: `/metrics`, `/healthz`, `/readyz`.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use panoptes_config::Protocol;
use panoptes_parser::mysql::{self, Leave};
use panoptes_sinks::Journal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tracing::{error, info};

use crate::{Error, listener::Listener, metrics::Metrics, session::Upstream, visits::Visits};

/// More than any greeting has.
const MAX_GREETING: usize = 1 << 10;
/// How long a server may take to accept before it counts as out of reach.
const REACH: Duration = Duration::from_secs(1);

/// What is asked about.
#[derive(Clone)]
pub(crate) struct Health {
    upstreams: Arc<[Arc<Upstream>]>,
    journal: Journal,
    metrics: Arc<Metrics>,
}

impl Health {
    /// Of listeners that are bound and a journal that is open.
    pub(crate) fn new(listeners: &[Listener], journal: &Journal, metrics: &Arc<Metrics>) -> Self {
        Self {
            upstreams: listeners.iter().map(|listener| Arc::clone(&listener.upstream)).collect(),
            journal: journal.clone(),
            metrics: Arc::clone(metrics),
        }
    }

    /// What keeps a session from being served and recorded.
    async fn troubles(&self) -> Vec<String> {
        let mut troubles: Vec<String> = self.journal.writable().err().into_iter().collect();
        for upstream in self.upstreams.iter().map(AsRef::as_ref) {
            let Upstream { host, port, .. } = upstream;
            match timeout(REACH, reach(upstream)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => troubles.push(format!("upstream {host}:{port}: {error}")),
                Err(_) => troubles.push(format!("upstream {host}:{port}: no answer within {REACH:?}")),
            }
        }
        troubles
    }
}

/// Whether a server takes connections. One of MySQL's is told a proper goodbye: it counts those who hang up in its
/// handshake, and after `max_connect_errors` of them without a login between, it refuses the host that they come from.
async fn reach(upstream: &Upstream) -> io::Result<()> {
    let mut server = TcpStream::connect((upstream.host.as_str(), upstream.port)).await?;
    if upstream.protocol == Protocol::Mysql {
        let mut greeting = Vec::new();
        let goodbye = loop {
            match mysql::leave(&greeting) {
                Leave::More if greeting.len() < MAX_GREETING => {
                    if server.read_buf(&mut greeting).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Leave::More => return Err(io::Error::other("greets without end")),
                Leave::Refused(error) => return Err(io::Error::other(error)),
                Leave::Say(goodbye) => break goodbye,
            }
        };
        server.write_all(&goodbye).await?;
        // It has answered, whatever it said, when the login was counted as one.
        server.read_buf(&mut greeting).await?;
    }
    Ok(())
}

/// Binds the admin address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Admin(address, source))
}

/// Answers; for ever, also where nothing is asked for.
pub(crate) async fn serve(listener: Option<TcpListener>, health: Health) {
    if let Some(listener) = listener {
        if let Ok(address) = listener.local_addr() {
            info!(%address, "metrics and health");
        }
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(health);
        if let Err(error) = axum::serve(Visits::new(listener), routes).await {
            error!(%error, "metrics and health are gone");
        }
    }
    std::future::pending().await
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.render(&health.journal) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let troubles = health.troubles().await;
    if troubles.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n") + "\n").into_response()
}
