//! A leg of a session: a socket, plain for now; what is upgraded in place is the stream, not its owner.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A peer that vanished is found out after this long and a few probes.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// One leg.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP without encryption.
    Plain(TcpStream),
}

/// No delays, and a vanished peer is noticed. A connection that is accepted has this from the socket that listens.
pub(crate) fn tune(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

/// Whether a peer still listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    There,
    /// Nothing more comes from it; perhaps it only waits for answers.
    Silent,
    Gone,
}

impl Stream {
    /// Whether the peer is there, without a look at what it sent: of a stream that is not read nothing else tells.
    pub(crate) fn presence(&self) -> Presence {
        let Self::Plain(socket) = self;
        let mut polled = [PollFd::new(socket, PollFlags::RDHUP)];
        if poll(&mut polled, Some(&Timespec::default())).is_err() {
            return Presence::There;
        }
        let seen = polled.first().map_or(PollFlags::empty(), PollFd::revents);
        if seen.intersects(PollFlags::HUP | PollFlags::ERR) {
            Presence::Gone
        } else if seen.contains(PollFlags::RDHUP) {
            Presence::Silent
        } else {
            Presence::There
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}
