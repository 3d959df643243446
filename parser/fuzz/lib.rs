//! What the targets share: a session that has logged in, and what it saw; and whose SQL there is.

use panoptes_parser::{
    postgres::Postgres,
    sql::{Dialect, Server},
    wire::{Limits, Nanos, Observation, Observer, Opening, Wire},
};

const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
const LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01abcdZ\0\0\0\x05I";
/// More than one input may make the session hold, many times over.
const MOST: usize = 1 << 20;

/// Keeps what is seen.
#[derive(Default)]
pub struct Seen(pub Vec<String>);

impl Observer for Seen {
    fn observe(&mut self, observation: Observation<&[u8]>) {
        self.0.push(format!("{observation:?}"));
    }
}

/// Forgets what is seen, having looked at all of it.
pub struct Ignore;

impl Observer for Ignore {
    fn observe(&mut self, observation: Observation<&[u8]>) {
        observation.map(|bytes| assert!(bytes.len() < MOST));
    }
}

/// Those of the house, and such that nearly everything is beyond them.
pub fn limits() -> [Limits; 2] {
    let house = Limits::default();
    [house, Limits { sql: 12, script: 40, parameters: 16, pending: 3, pending_bytes: 100, ..house }]
}

/// A session that has logged in.
pub fn session(limits: Limits, out: &mut impl Observer) -> Postgres {
    let mut wire = Postgres::new(limits, [7; 32]);
    assert_eq!(wire.open(STARTUP), Opening::Dial);
    client(&mut wire, STARTUP, 0, out);
    server(&mut wire, LOGIN, 0, out);
    wire
}

/// Whether the client is heard on.
pub fn client(wire: &mut Postgres, bytes: &[u8], at: Nanos, out: &mut impl Observer) -> bool {
    let mut chunk = bytes.to_vec();
    let end = wire.client(&mut chunk, at, out);
    assert_eq!(chunk, bytes, "changed");
    end.inspect_err(|violation| assert!(violation.pass <= bytes.len())).is_ok()
}

/// Whether the server is heard on.
pub fn server(wire: &mut Postgres, bytes: &[u8], at: Nanos, out: &mut impl Observer) -> bool {
    let mut chunk = bytes.to_vec();
    let end = wire.server(&mut chunk, at, out);
    assert!(at == 0 || chunk == bytes, "changed after the login");
    end.inspect_err(|violation| assert!(violation.pass <= bytes.len())).is_ok()
}

/// Whoever may read a text, with settings that change how.
pub const DIALECTS: [Dialect; 6] = [
    Dialect::POSTGRES,
    Dialect::Postgres { standard_conforming_strings: false },
    Dialect::MYSQL,
    Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: false, server: Server::Mysql(90_704) },
    Dialect::Mysql { ansi_quotes: true, no_backslash_escapes: false, server: Server::Mariadb(101_119) },
    Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: true, server: Server::Mysql(50_744) },
];
