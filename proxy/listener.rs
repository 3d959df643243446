//! Where clients connect.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use panoptes_config::{Listen, Mode};
use panoptes_parser::sql::Dialect;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{session::Upstream, stream::tune};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound socket, and the database behind it.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where clients connect; with the port that was found free, were 0 asked for.
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) socket: TcpListener,
}

impl Listener {
    /// The same socket once more. Clients are refused when all of them are gone.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let (address, upstream) = (self.address, Arc::clone(&self.upstream));
        Ok(Self { address, upstream, socket: self.socket.try_clone()? })
    }

    /// Binds the socket; `mode` is for a listener that has none of its own.
    pub(crate) fn bind(listen: &Listen, mode: Mode) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        tune(SockRef::from(&socket))?;
        socket.bind(&listen.address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let upstream = Arc::new(Upstream {
            protocol: listen.protocol,
            host: listen.upstream.host.clone(),
            port: listen.upstream.port,
            mode: listen.mode.unwrap_or(mode),
            ansi_quotes: listen.sql_mode.as_deref().is_some_and(quotes_names),
        });
        Ok(Self { address: socket.local_addr()?, upstream, socket })
    }
}

/// Whether `"…"` is a name in sessions of this `sql_mode`.
fn quotes_names(modes: &str) -> bool {
    matches!(Dialect::MYSQL.with_sql_mode(modes), Dialect::Mysql { ansi_quotes: true, .. })
}
