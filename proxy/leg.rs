//! One side of a session: a socket, what it has not taken yet, and how far it has ended.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::{Presence, Stream};

/// One socket, and what is to be written to it.
#[derive(Debug)]
pub(crate) struct Leg {
    stream: Stream,
    pub(crate) pending: Vec<u8>,
    /// `pending` may not be written for now.
    gated: bool,
    written: usize,
    /// Nothing more comes from it.
    pub(crate) ended: bool,
    /// Nothing more goes to it.
    pub(crate) closed: bool,
    /// It is to be told that nothing more comes, once `pending` is gone.
    pub(crate) closing: bool,
}

impl Leg {
    /// A socket to which `pending` is to be written first.
    pub(crate) fn new(stream: Stream, pending: Vec<u8>) -> Self {
        Self { stream, pending, gated: false, written: 0, ended: false, closed: false, closing: false }
    }

    /// Whether the peer is there; for while it is not read.
    pub(crate) fn presence(&self) -> Presence {
        self.stream.presence()
    }

    /// Writes what is left over. Ready when nothing is.
    pub(crate) fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(rest @ [_, ..]) = self.pending.get(self.written..) {
            if self.gated {
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(written @ 1..) => self.written += written,
                Ok(0) | Err(_) => self.closed = true,
            }
            if self.closed {
                break;
            }
        }
        if !self.pending.is_empty() {
            self.pending = Vec::new();
            self.written = 0;
        }
        if self.closing && !self.closed {
            // A peer that is gone cannot be told.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.closed = true;
        }
        Poll::Ready(())
    }

    /// Writes `bytes`, and keeps what the socket does not take.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.closed && !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(written @ 1..)) => rest = rest.get(written..).unwrap_or_default(),
                Poll::Ready(_) => self.closed = true,
                Poll::Pending => return self.pending.extend_from_slice(rest),
            }
        }
    }

    /// Keeps what is pending, and `bytes` behind it, until the gate is opened: neither is written before, nor the end.
    pub(crate) fn gate(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.gated = true;
    }

    /// What was kept may be written.
    pub(crate) fn open_gate(&mut self) {
        self.gated = false;
    }

    /// What was kept is never written.
    pub(crate) fn drop_gated(&mut self) {
        if std::mem::take(&mut self.gated) {
            (self.pending, self.written) = (Vec::new(), 0);
        }
    }

    /// Reads into `buffer`; nothing at the end.
    pub(crate) fn poll_read<'b>(&mut self, cx: &mut Context<'_>, buffer: &'b mut [u8]) -> Poll<&'b mut [u8]> {
        let mut read = ReadBuf::new(buffer);
        let result: io::Result<()> = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
        if result.is_err() {
            read.clear();
        }
        let length = read.filled().len();
        self.ended = length == 0;
        Poll::Ready(buffer.get_mut(..length).unwrap_or_default())
    }
}
