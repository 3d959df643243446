//! The network between a sink and its server.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use socket2::SockRef;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// All passes.
    Fair,
    /// Connections are reset, and new ones as soon as they are made.
    Down,
    /// Few bytes at a time.
    Slow,
    /// What is sent arrives; answers do not, not even the end, and the connection is reset.
    Deaf,
}

const ALL: [Weather; 4] = [Weather::Fair, Weather::Down, Weather::Slow, Weather::Deaf];
const TICK: Duration = Duration::from_millis(10);
const FEW: usize = 2 << 10;

/// Passes connections on to a server.
pub struct Relay {
    pub port: u16,
    weather: Arc<AtomicU8>,
}

impl Relay {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let weather = Arc::new(AtomicU8::new(0));
        let shared = Arc::clone(&weather);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Closed without a shutdown before, it is reset.
                SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                // The end of a request must not wait until the rest of it is acknowledged, which takes 40 ms.
                [&client, &server].iter().for_each(|stream| stream.set_nodelay(true).unwrap());
                let cut = Arc::new(AtomicBool::new(false));
                for (from, to, answers) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), false),
                    (server.try_clone().unwrap(), client.try_clone().unwrap(), true),
                ] {
                    let (weather, cut) = (Arc::clone(&shared), Arc::clone(&cut));
                    thread::spawn(move || pass(from, to, answers, &weather, &cut));
                }
            }
        });
        Self { port, weather }
    }

    pub fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, answers: bool, weather: &AtomicU8, cut: &AtomicBool) {
    from.set_read_timeout(Some(TICK)).unwrap();
    let mut chunk = [0; 64 << 10];
    loop {
        let now = ALL[usize::from(weather.load(SeqCst))];
        let read = from.read(if now == Weather::Slow { &mut chunk[..FEW] } else { &mut chunk });
        let now = ALL[usize::from(weather.load(SeqCst))];
        let read = match read {
            _ if now == Weather::Down || cut.load(SeqCst) => break,
            Ok(read) if read > 0 && now == Weather::Deaf && answers => break,
            Ok(0) if now == Weather::Deaf && answers => break,
            Ok(0) => return drop(to.shutdown(Shutdown::Write)),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        if now == Weather::Slow {
            thread::sleep(TICK);
        }
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    // The other direction ends as well, but not by a goodbye.
    let _ = (
        SockRef::from(&from).set_linger(Some(Duration::ZERO)),
        SockRef::from(&to).set_linger(Some(Duration::ZERO)),
    );
    cut.store(true, SeqCst);
}
