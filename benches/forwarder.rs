//! A bare TCP forwarder on tokio: what a proxy costs that only passes bytes.
//!
//! The floor that `benches/run` compares Panoptes with: one single-thread runtime, one task a connection for both
//! directions, one buffer a direction, and nothing that looks at a byte.
//!
//! `forwarder LISTEN UPSTREAM`, both as `address:port`. It runs until it is killed.

use std::net::SocketAddr;
use std::{env, io};

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

/// Bytes a direction may hold, as in haproxy (`tune.bufsize`).
const BUFFER: usize = 16 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let listen = address(arguments.next())?;
    let upstream = address(arguments.next())?;
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A reset by either peer is how a benchmark's clients leave: nothing to report.
            let _ = forward(client, upstream).await;
        });
    }
}

async fn forward(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await?;
    Ok(())
}

fn address(argument: Option<String>) -> io::Result<SocketAddr> {
    argument
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "usage: forwarder LISTEN UPSTREAM"))
}
