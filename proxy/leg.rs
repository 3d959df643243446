//! One side of a session: a socket, what it has not taken yet, and how far it has ended.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// One socket, and what is to be written to it.
#[derive(Debug)]
pub(crate) struct Leg {
    stream: Stream,
    pub(crate) pending: Vec<u8>,
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
        Self { stream, pending, written: 0, ended: false, closed: false, closing: false }
    }

    /// Writes what is left over. Ready when nothing is.
    pub(crate) fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(rest @ [_, ..]) = self.pending.get(self.written..) {
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
