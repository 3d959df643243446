//! A man in the middle: forwards TCP connections and keeps every byte of both directions.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use sha2::{Digest, Sha256};

use super::wait_for;

/// Code of the SSLRequest in the place of a protocol version.
const SSL_REQUEST: u32 = 80_877_103;
/// Code of the GSSENCRequest.
const GSS_REQUEST: u32 = 80_877_104;
/// The client's goodbye.
const TERMINATE: &[u8] = b"X\0\0\0\x04";
/// Code of the CancelRequest.
const CANCEL_REQUEST: u32 = 80_877_102;

/// A forwarder in front of a port of 127.0.0.1. Dropping it stops accepting; open connections end with their peers.
pub struct Tap {
    pub port: u16,
    connections: Arc<Mutex<Vec<Arc<Streams>>>>,
    closed: Arc<AtomicBool>,
}

/// Both directions of one connection, as far as they have gone.
#[derive(Default)]
pub struct Streams {
    client: Mutex<Vec<u8>>,
    server: Mutex<Vec<u8>>,
    ended: AtomicBool,
}

/// SHA-256 of what the client sent and of what the server sent.
pub type Digests = (String, String);

impl Tap {
    /// Listens on a free port and forwards to `upstream`.
    pub fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let tap = Self { port, connections: Arc::default(), closed: Arc::default() };
        let (connections, closed) = (Arc::clone(&tap.connections), Arc::clone(&tap.closed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let streams = Arc::<Streams>::default();
                connections.lock().expect("no panic").push(Arc::clone(&streams));
                thread::spawn(move || forward(client, upstream, &streams));
            }
        });
        tap
    }

    /// Every connection there was, once both sides of each have ended it.
    pub fn finished(&self) -> Vec<Arc<Streams>> {
        wait_for("tapped connections to end", || {
            let all = self.connections.lock().expect("no panic").clone();
            all.iter().all(|c| c.ended.load(Ordering::Acquire)).then_some(all)
        })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Streams {
    /// What the client sent.
    pub fn client(&self) -> Vec<u8> {
        self.client.lock().expect("no panic").clone()
    }

    /// What the server sent.
    pub fn server(&self) -> Vec<u8> {
        self.server.lock().expect("no panic").clone()
    }

    /// Both streams less the requests for encryption, which each hop answers for itself, and their answers.
    pub fn session(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut client, mut server) = (self.client(), self.server());
        while let Some(SSL_REQUEST | GSS_REQUEST) = start_code(&client) {
            client.drain(..8);
            server.drain(..1.min(server.len()));
        }
        (client, server)
    }

    /// Of [`Self::session`], but for what a proxy that maps cancel keys must change: the secret in BackendKeyData and in a
    /// CancelRequest. Where the
    /// server's last word was FATAL it reads no more, and what the client had sent by then is a matter of time; so it is
    /// with a Terminate behind a Terminate, which pg_basebackup sends.
    pub fn digests(&self) -> Digests {
        let (mut client, mut server) = self.session();
        if ends_fatally(&server) {
            client.clear();
        }
        while client.strip_suffix(TERMINATE).is_some_and(|before| before.ends_with(TERMINATE)) {
            client.truncate(client.len() - TERMINATE.len());
        }
        if start_code(&client) == Some(CANCEL_REQUEST) {
            client.iter_mut().skip(12).for_each(|b| *b = 0);
        }
        blank_cancel_key(&mut server);
        (hex(&client), hex(&server))
    }

    /// The server's process id, where it told one.
    pub fn server_pid(&self) -> Option<u32> {
        let (_, server) = self.session();
        let key = cancel_key(&server)?;
        Some(u32::from_be_bytes(server.get(key.start - 4..key.start)?.try_into().ok()?))
    }
}

fn forward(client: TcpStream, upstream: u16, streams: &Arc<Streams>) {
    if let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        thread::scope(|both| {
            both.spawn(|| copy(&client, &server, &streams.client));
            copy(&server, &client, &streams.server)
        });
    }
    streams.ended.store(true, Ordering::Release);
}

/// One direction until its end, which is passed on as such. Bytes are kept before they go on: whoever has seen an
/// answer finds its question recorded.
fn copy(mut from: &TcpStream, mut to: &TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 * 1024];
    let ended: io::Result<()> = (|| {
        loop {
            let n = from.read(&mut buffer)?;
            if n == 0 {
                return Ok(());
            }
            kept.lock().expect("no panic").extend_from_slice(&buffer[..n]);
            to.write_all(&buffer[..n])?;
        }
    })();
    let _ = to.shutdown(Shutdown::Write);
    if ended.is_err() {
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// The code in the first packet of a connection: a protocol version or a request.
fn start_code(client: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(client.get(4..8)?.try_into().ok()?))
}

fn blank_cancel_key(server: &mut [u8]) {
    if let Some(key) = cancel_key(server) {
        server[key].fill(0);
    }
}

/// Whether the last message is an ErrorResponse of severity FATAL.
fn ends_fatally(server: &[u8]) -> bool {
    let last = super::answers::frames(server).last();
    last.is_some_and(|(kind, body)| kind == b'E' && body.windows(7).any(|field| field == b"VFATAL\0"))
}

/// Where the secret of the first BackendKeyData is.
fn cancel_key(server: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    while let Some(head) = server.get(at..at + 5) {
        let end = at + 1 + u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
        match head[0] {
            b'K' => return (at + 9 <= end && end <= server.len()).then_some(at + 9..end),
            b'Z' => return None,
            _ => at = end,
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
