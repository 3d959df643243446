//! Events to a syslog server: RFC 5424 messages over TCP (RFC 6587), TLS (RFC 5425) or UDP (RFC 5426).
//!
//! Syslog acknowledges nothing. On a stream a batch can be confirmed all the same: it is sent over a connection of its
//! own, whose sending side is then closed; the server reads to the end and closes as well. Only then is the batch
//! delivered. Over TLS that is weaker where the server, like rsyslog, says no goodbye: one that is killed at that moment
//! closes just the same. `message.rs`: one event as one message.

mod message;

use std::{io, sync::Arc, time::Duration};

use panoptes_config::{self as config, Framing, Transport};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    sink::{Failure, OptionError, Records, Sink},
    tls,
};

/// What one datagram holds.
const MAX_DATAGRAM: usize = 65_507;

/// The syslog sink.
pub(crate) struct Syslog {
    options: config::Syslog,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    link: Option<Link>,
    messages: Vec<u8>,
}

/// A way to the server.
enum Link {
    Stream(Box<dyn Stream>),
    Datagrams(UdpSocket),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Syslog {
    pub(crate) fn new(options: &config::Syslog) -> Result<Self, OptionError> {
        let tls = match options.transport {
            Transport::Tls => {
                Some((TlsConnector::from(Arc::new(tls::client(&options.tls)?)), server_name(options)?))
            }
            Transport::Tcp | Transport::Udp => None,
        };
        Ok(Self { options: options.clone(), tls, link: None, messages: Vec::new() })
    }

    async fn connect(&self) -> io::Result<Link> {
        let address = self.options.address.as_str();
        if self.options.transport == Transport::Udp {
            let server = tokio::net::lookup_host(address).await?.next().ok_or(io::ErrorKind::NotFound)?;
            let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(local).await?;
            socket.connect(server).await?;
            return Ok(Link::Datagrams(socket));
        }
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(Link::Stream(match &self.tls {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
            None => Box::new(tcp),
        }))
    }

    /// Writes messages one behind the other: by their places, where each ends; gives back those that cannot be told or
    /// are too large.
    fn encode(&mut self, batch: &Records<'_>, ends: &mut Vec<(usize, usize)>) -> Vec<(usize, String)> {
        let mut refused = Vec::new();
        let max = self.max_message();
        self.messages.clear();
        let mut message = Vec::new();
        for (place, record) in batch.iter().enumerate() {
            message.clear();
            let told = message::write(self.options.facility, self.options.format, &record, &mut message);
            let length = message.len();
            if let Err(reason) = told {
                refused.push((place, reason));
            } else if length > max {
                refused.push((place, format!("a message of {length} bytes; max_message allows {max}")));
            } else {
                frame(self.options.transport, self.options.framing, &message, &mut self.messages);
                ends.push((place, self.messages.len()));
            }
        }
        refused
    }

    fn max_message(&self) -> usize {
        let max = self.options.max_message.as_usize();
        if self.options.transport == Transport::Udp { max.min(MAX_DATAGRAM) } else { max }
    }

    /// Sends all messages; on a failure, how many of them are gone all the same.
    async fn send(&mut self, ends: &[(usize, usize)]) -> Result<(), (io::Error, usize)> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.connect().await.map_err(|error| (error, 0))?,
        };
        match link {
            Link::Datagrams(socket) => {
                send_datagrams(&socket, &self.messages, ends).await?;
                self.link = Some(Link::Datagrams(socket));
            }
            Link::Stream(mut stream) => {
                let sent = async {
                    stream.write_all(&self.messages).await?;
                    stream.flush().await?;
                    if self.options.confirm {
                        confirm(&mut stream).await
                    } else {
                        still_open(&mut stream).await
                    }
                };
                sent.await.map_err(|error| (error, 0))?;
                self.link = (!self.options.confirm).then_some(Link::Stream(stream));
            }
        }
        Ok(())
    }
}

impl Sink for Syslog {
    async fn open(&mut self) -> Result<(), Failure> {
        let connected = timeout(self.options.timeout, self.connect()).await;
        let failed =
            |error: &dyn std::fmt::Display| Failure::retry(format!("{}: {error}", self.options.address));
        match connected {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&format_args!("no connection within {:?}", self.options.timeout))),
        }
    }

    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        let mut ends = Vec::new();
        let refused = self.encode(batch, &mut ends);
        if ends.is_empty() {
            return Failure::partial(Vec::new(), refused, None);
        }
        let limit = self.options.timeout;
        let sent = timeout(limit, self.send(&ends)).await;
        let (reason, gone) = match sent {
            Ok(Ok(())) => return Failure::partial(Vec::new(), refused, None),
            Ok(Err((error, gone))) => (error.to_string(), gone),
            Err(_) => (self.late(limit), 0),
        };
        let again = ends.iter().skip(gone).map(|(place, _)| *place).collect();
        Failure::partial(again, refused, Some((format!("{}: {reason}", self.options.address), None)))
    }
}

impl Syslog {
    fn late(&self, limit: Duration) -> String {
        match self.options.confirm && self.options.transport != Transport::Udp {
            true => format!(
                "not read to its end within {limit:?}; where the server never closes, set confirm = false"
            ),
            false => format!("not sent within {limit:?}"),
        }
    }
}

fn frame(transport: Transport, framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    let on_stream = transport != Transport::Udp;
    if on_stream && framing == Framing::OctetCounting {
        out.extend_from_slice(format!("{} ", message.len()).as_bytes());
    }
    out.extend_from_slice(message);
    if on_stream && framing == Framing::Newline {
        out.push(b'\n');
    }
}

async fn send_datagrams(
    socket: &UdpSocket,
    messages: &[u8],
    ends: &[(usize, usize)],
) -> Result<(), (io::Error, usize)> {
    let mut start = 0;
    for (sent, (_, end)) in ends.iter().enumerate() {
        let message = messages.get(start..*end).unwrap_or_default();
        socket.send(message).await.map_err(|error| (error, sent))?;
        start = *end;
    }
    Ok(())
}

/// Ends our side, and waits until the server has read to that end and closes its own.
async fn confirm(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut ignored = [0; 256];
    loop {
        match stream.read(&mut ignored).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // rsyslog does not say goodbye on TLS. Whoever can cut the link could feign that it has read to the end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// A server that has closed its side reads no more.
async fn still_open(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut ignored = [0; 256];
    tokio::select! {
        biased;
        read = stream.read(&mut ignored) => match read? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            _ => Ok(()),
        },
        () = std::future::ready(()) => Ok(()),
    }
}

fn server_name(options: &config::Syslog) -> Result<ServerName<'static>, OptionError> {
    let host = options.address.rsplit_once(':').map_or(options.address.as_str(), |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).map_err(|error| OptionError::new("address", error))
}
