//! Who asks for metrics and health: so many at a time, and for so long. Where one more comes the oldest goes, so that
//! whoever asks and is slow, or says nothing, keeps nobody from an answer.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{Sleep, sleep},
};

/// Connections at a time: more than all that scrape a proxy and watch over it.
const MOST: usize = 64;
/// A connection that is kept open is made anew after this time; one that takes longer for its request gets no answer.
const LONGEST: Duration = Duration::from_secs(300);

/// The admin address, and who is there.
#[derive(Debug)]
pub(crate) struct Visits {
    listener: TcpListener,
    /// Calls to go, the oldest visit's first.
    calls: VecDeque<oneshot::Sender<()>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Visit {
    stream: TcpStream,
    called: oneshot::Receiver<()>,
    end: Pin<Box<Sleep>>,
}

impl Visits {
    /// Nobody is there.
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, calls: VecDeque::new() }
    }
}

impl Listener for Visits {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.calls.retain(|call| !call.is_closed());
        if self.calls.len() >= MOST
            && let Some(oldest) = self.calls.pop_front()
        {
            // It may be gone.
            let _ = oldest.send(());
        }
        let (call, called) = oneshot::channel();
        self.calls.push_back(call);
        (Visit { stream, called, end: Box::pin(sleep(LONGEST)) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Visit {
    /// Whether it may stay; its task is woken when it may not.
    fn poll_stay(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let called = Pin::new(&mut self.called).poll(cx).is_ready();
        if called || self.end.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_stay(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_stay(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, runtime::Builder};

    use super::*;

    #[test]
    fn the_oldest_goes_for_one_more() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut visits = Visits::new(listener);
            let (mut clients, mut there) = (Vec::new(), VecDeque::new());
            for _ in 0..=MOST {
                clients.push(TcpStream::connect(address).await.unwrap());
                there.push_back(visits.accept().await.0);
            }
            let mut oldest = there.pop_front().unwrap();
            assert_eq!(oldest.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            // Who has gone leaves room for another.
            there.pop_front();
            clients.push(TcpStream::connect(address).await.unwrap());
            there.push_back(visits.accept().await.0);
            let stays = |visit: &mut Visit| visit.called.try_recv().is_err();
            assert!(there.len() == MOST && there.iter_mut().all(stays));
        });
    }
}
