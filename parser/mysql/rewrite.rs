//! The few bytes that are changed as they pass, one by one, wherever a packet is cut: so nothing waits, and no length
//! changes.
//!
//! * Capabilities that are not followed, in the server's greeting and in a client's answer to it. A server takes from a
//!   client what it offered itself; so a client that asks for more is refused nothing, and gets what it was offered.
//! * The name `redirect_url` among the session variables that a MariaDB tells of (since 11.3): connectors leave for the
//!   server that it names, around the proxy. Under another name none looks at it.

use super::capability::Capabilities;

/// Changes the payload of one packet, given piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rewrite {
    /// The server's greeting.
    Greeting(Greeting),
    /// The client's answer to it.
    Response(Response),
    /// An OK packet with session variables in it.
    Tracked(Tracked),
}

impl Rewrite {
    /// Changes the next piece.
    pub(super) fn pass(&mut self, piece: &mut [u8]) {
        for byte in piece {
            match self {
                Self::Greeting(greeting) => greeting.pass(byte),
                Self::Response(response) => response.pass(byte),
                Self::Tracked(tracked) => tracked.pass(byte),
            }
        }
    }
}

/// Behind the protocol's number and the server's version, which ends with NUL: thread id (4 bytes), scramble (8), filler,
/// capabilities (2), character set, status (2), capabilities (2), length of the scramble, filler (6), MariaDB's
/// capabilities (4).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Greeting {
    in_version: bool,
    /// Bytes behind the version.
    behind: Option<usize>,
    mariadb: bool,
}

impl Greeting {
    fn pass(&mut self, byte: &mut u8) {
        let Some(place) = self.behind else {
            if self.in_version && *byte == 0 {
                self.behind = Some(0);
            }
            self.in_version = true;
            return;
        };
        self.behind = Some(place.saturating_add(1));
        let which = match place {
            13 | 14 => place - 13,
            18 | 19 => place - 16,
            27..31 if self.mariadb => place - 23,
            _ => return,
        };
        *byte &= Capabilities::FOLLOWED.byte(which);
        self.mariadb |= place == 13 && *byte & Capabilities::MYSQL.byte(0) == 0;
    }
}

/// Capabilities (4 bytes), largest packet (4), character set, filler (19), MariaDB's capabilities (4). Before MySQL 4.1
/// there were only two bytes of capabilities.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Response {
    place: usize,
    /// Whether the server is a MariaDB, and so far the client knows it as such.
    mariadb: bool,
    before_41: bool,
}

impl Response {
    /// To the greeting of a MariaDB, or of another.
    pub(super) fn to(mariadb: bool) -> Self {
        Self { mariadb, ..Self::default() }
    }

    fn pass(&mut self, byte: &mut u8) {
        let place = self.place;
        self.place = place.saturating_add(1);
        match place {
            0 => self.mariadb &= *byte & Capabilities::MYSQL.byte(0) == 0,
            1 => self.before_41 = *byte & Capabilities::PROTOCOL_41.byte(1) == 0,
            _ => {}
        }
        let which = match place {
            0 | 1 => place,
            2 | 3 if !self.before_41 => place,
            28..32 if self.mariadb && !self.before_41 => place - 24,
            _ => return,
        };
        *byte &= Capabilities::FOLLOWED.byte(which);
    }
}

/// The name with its length ahead.
const REDIRECT: &[u8] = b"\x0credirect_url";
/// What stands before it where it is a schema's name.
const SCHEMA: [u8; 2] = [1, 13];

/// Where in the name the bytes that passed stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tracked {
    found: usize,
    /// The two bytes ahead of the name.
    before: [u8; 2],
    last: [u8; 2],
}

impl Tracked {
    fn pass(&mut self, byte: &mut u8) {
        if REDIRECT.get(self.found) == Some(byte) {
            if self.found == 0 {
                self.before = self.last;
            }
            self.found += 1;
        } else if REDIRECT.first() == Some(byte) {
            // No other place in the name looks like its beginning.
            (self.found, self.before) = (1, self.last);
        } else {
            self.found = 0;
        }
        self.last = [self.last[1], *byte];
        if self.found == REDIRECT.len() {
            self.found = 0;
            if self.before != SCHEMA {
                *byte = b'_';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rewrite: Rewrite, bytes: &[u8]) -> Vec<u8> {
        let mut whole = bytes.to_vec();
        rewrite.clone().pass(&mut whole);
        for cut in 0..=bytes.len() {
            let (mut cut_bytes, mut rewrite) = (bytes.to_vec(), rewrite);
            let (a, b) = cut_bytes.split_at_mut(cut);
            rewrite.pass(a);
            rewrite.pass(b);
            assert_eq!(cut_bytes, whole, "cut at {cut}");
        }
        whole
    }

    fn greeting(low: [u8; 2], high: [u8; 2], extended: [u8; 4]) -> Vec<u8> {
        let head = b"\x0a5.5.5-10.11.19-MariaDB\0\x09\0\0\0abcdefgh\0";
        [&head[..], &low, b"\x2d\x02\0", &high, b"\x15", &[0; 6], &extended, b"rest\xff"].concat()
    }

    #[test]
    fn a_greeting_offers_what_is_followed() {
        let mariadb = rewritten(
            Rewrite::Greeting(Greeting::default()),
            &greeting([0xfe, 0xff], [0xff, 0xff], [0xff, 0xff, 0, 0x80]),
        );
        assert_eq!(mariadb, greeting([0xde, 0xf7], [0xff, 0xdb], [0x3d, 0, 0, 0]));
        let mysql = rewritten(
            Rewrite::Greeting(Greeting::default()),
            &greeting([0xff, 0xff], [0xff, 0xff], [0xff, 0xff, 0, 0x80]),
        );
        assert_eq!(mysql, greeting([0xdf, 0xf7], [0xff, 0xdb], [0xff, 0xff, 0, 0x80]));
    }

    #[test]
    fn a_client_asks_for_what_is_followed() {
        let response = |capabilities: [u8; 4], extended: [u8; 4]| {
            [&capabilities[..], &[0xff; 4], b"\x2d", &[0; 19], &extended, b"ana\0\xff\xff"].concat()
        };
        let to = |mariadb| Rewrite::Response(Response::to(mariadb));
        let all = [0xff; 4];
        assert_eq!(rewritten(to(true), &response(all, all)), response([0xdf, 0xf7, 0xff, 0xdb], all));
        let plus = rewritten(to(true), &response([0xfe, 0xff, 0xff, 0xff], all));
        assert_eq!(plus, response([0xde, 0xf7, 0xff, 0xdb], [0x3d, 0, 0, 0]));
        let plain = rewritten(to(false), &response([0xfe, 0xff, 0xff, 0xff], all));
        assert_eq!(plain, response([0xde, 0xf7, 0xff, 0xdb], all));
        assert_eq!(rewritten(to(true), b"\xff\xfd\xff\xff\xffana\0"), b"\xdf\xf5\xff\xff\xffana\0");
    }

    #[test]
    fn a_redirection_gets_another_name() {
        let tracked = |bytes| rewritten(Rewrite::Tracked(Tracked::default()), bytes);
        let sent = b"\0\0\0\x02\x40\0\0\0\x1a\0\x18\x0credirect_url\x0amysql://x\0";
        assert_eq!(tracked(sent), b"\0\0\0\x02\x40\0\0\0\x1a\0\x18\x0credirect_ur_\x0amysql://x\0");
        assert_eq!(tracked(b"\x0c\x0credirect_url"), b"\x0c\x0credirect_ur_");
        for other in
            [&b"redirect_url"[..], b"\x0credirect_ur", b"\x0cRedirect_url", b"\x01\x0d\x0credirect_url"]
        {
            assert_eq!(tracked(other), other);
        }
    }
}
