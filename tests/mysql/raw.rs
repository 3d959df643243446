//! A client that writes packets by hand. It logs in without a password.

use std::{
    io::{self, BufReader, Read, Write},
    net::TcpStream,
};

use crate::support::PATIENCE;

/// One connection.
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
    /// Its id, as the greeting says.
    pub(crate) id: u32,
    /// The number that the next packet is to have.
    awaited: u8,
    /// All packets had the numbers that they are to have.
    pub(crate) in_order: bool,
}

/// SERVER_MORE_RESULTS_EXISTS.
const MORE: u8 = 8;

/// What an answer to a query was.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: u64,
    /// Another answer to the same text follows.
    pub(crate) more: bool,
    /// Number and message.
    pub(crate) error: Option<(u16, String)>,
}

impl Raw {
    /// Connects, and reads the greeting; `Err` with the server's error in its place.
    pub(crate) fn greet(port: u16) -> Result<Self, (u16, String)> {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut raw = Self { stream: BufReader::new(socket), id: 0, awaited: 0, in_order: true };
        let greeting = raw.packet().expect("a greeting");
        if greeting[0] == 0xff {
            return Err(error(&greeting));
        }
        let version_end = greeting.iter().position(|&byte| byte == 0).expect("a version") + 1;
        raw.id = u32::from_le_bytes(greeting[version_end..version_end + 4].try_into().expect("an id"));
        Ok(raw)
    }

    /// The same, and logs in as `raw`.
    pub(crate) fn connect(port: u16) -> Self {
        let mut raw = Self::greet(port).expect("a greeting");
        // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH; no password.
        let mut login = vec![0x00, 0x82, 0x08, 0x00, 0, 0, 0, 1, 45];
        login.extend([0; 23]);
        login.extend(b"raw\0\0mysql_native_password\0");
        raw.send(1, &login);
        let mut answer = raw.packet().expect("an answer");
        if answer[0] == 0xfe {
            // Another method; a NUL stands for no password.
            raw.send(3, b"\0");
            answer = raw.packet().expect("an answer");
        }
        assert_eq!(answer[0], 0, "logged in: {}", answer.escape_ascii());
        raw
    }

    /// Logs in by several factors, without a word to the second: of one that is still to be registered the server asks
    /// nothing, and its OK is behind. Gives what the server says up to the end of it.
    pub(crate) fn connect_by_factors(port: u16, user: &str) -> (Self, Vec<Vec<u8>>) {
        let mut raw = Self::greet(port).expect("a greeting");
        // As above, with MULTI_FACTOR_AUTHENTICATION.
        let mut login = vec![0x00, 0x82, 0x08, 0x10, 0, 0, 0, 1, 45];
        login.extend([0; 23]);
        login.extend(format!("{user}\0\0caching_sha2_password\0").bytes());
        raw.send(1, &login);
        let mut said = vec![raw.packet().expect("an answer")];
        while !matches!(said.last().map(|packet| packet[0]), Some(0 | 0xff)) {
            said.push(raw.packet().expect("an answer"));
        }
        (raw, said)
    }

    /// Sends one packet.
    pub(crate) fn send(&mut self, number: u8, payload: &[u8]) {
        self.try_send(number, payload).expect("to be heard");
    }

    fn try_send(&mut self, number: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("a small packet").to_le_bytes();
        let mut packet = vec![length[0], length[1], length[2], number];
        packet.extend_from_slice(payload);
        self.awaited = number.wrapping_add(1);
        self.stream.get_mut().write_all(&packet)
    }

    /// Runs a query, and reads its answer.
    pub(crate) fn query(&mut self, text: &str) -> Answer {
        self.send(0, &[b"\x03", text.as_bytes()].concat());
        self.answer()
    }

    /// Runs statements; the last answer.
    pub(crate) fn queries(&mut self, text: &str) -> Answer {
        self.query_bytes(text.as_bytes())
    }

    /// The same, of whatever bytes.
    pub(crate) fn query_bytes(&mut self, text: &[u8]) -> Answer {
        self.send(0, &[b"\x03", text].concat());
        let mut answer = self.answer();
        while answer.more {
            answer = self.answer();
        }
        answer
    }

    /// From here on a text may be of several statements.
    pub(crate) fn allow_several(&mut self) {
        self.send(0, &[0x1b, 0, 0]);
        assert_eq!(self.answer().error, None);
    }

    /// Runs a query where the other side may be gone.
    pub(crate) fn try_query(&mut self, text: &str) -> io::Result<Answer> {
        self.try_send(0, &[b"\x03", text.as_bytes()].concat())?;
        self.try_answer()
    }

    /// Prepares a statement without parameters and runs it, likewise.
    pub(crate) fn try_run(&mut self, text: &str) -> io::Result<Answer> {
        let number = self.try_prepare(text)?;
        self.try_send(0, &[b"\x17", &number[..], &[0, 1, 0, 0, 0]].concat())?;
        self.try_answer()
    }

    /// Prepares a statement, and gives its number.
    pub(crate) fn prepare(&mut self, text: &str) -> [u8; 4] {
        self.try_prepare(text).expect("an answer")
    }

    fn try_prepare(&mut self, text: &str) -> io::Result<[u8; 4]> {
        self.try_send(0, &[b"\x16", text.as_bytes()].concat())?;
        let done = self.packet()?;
        if done[0] == 0xff {
            return Err(io::Error::other(done.escape_ascii().to_string()));
        }
        let (columns, parameters) =
            (u16::from_le_bytes([done[5], done[6]]), u16::from_le_bytes([done[7], done[8]]));
        for count in [parameters, columns].into_iter().filter(|count| *count > 0) {
            for _ in 0..=count {
                self.packet()?;
            }
        }
        Ok(done[1..5].try_into().expect("a number"))
    }

    /// Reads an answer to its end; rows are counted.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer")
    }

    fn try_answer(&mut self) -> io::Result<Answer> {
        let first = self.packet()?;
        match first[0] {
            // Rows and the last number are one byte each where they are few.
            0 => {
                return Ok(Answer {
                    more: first.get(3).is_some_and(|status| status & MORE != 0),
                    ..Answer::default()
                });
            }
            0xfe => return Ok(Answer::default()),
            0xff => return Ok(Answer { error: Some(error(&first)), ..Answer::default() }),
            columns => {
                for _ in 0..=columns {
                    self.packet()?;
                }
            }
        }
        let mut rows = 0;
        loop {
            match self.skip_packet()? {
                ([0xfe, _, _, status, _], length) if length < 9 => {
                    return Ok(Answer { rows, more: status & MORE != 0, error: None });
                }

                ([0xff, low, high, ..], _) => {
                    return Ok(Answer {
                        rows,
                        error: Some((u16::from_le_bytes([low, high]), String::new())),
                        ..Answer::default()
                    });
                }
                _ => rows += 1,
            }
        }
    }

    /// The last that comes before the end: an error, where there is one.
    pub(crate) fn last_words(&mut self) -> Option<(u16, String)> {
        let last = self.packet().ok()?;
        assert!(self.packet().is_err(), "nothing behind it");
        (last.first() == Some(&0xff)).then(|| error(&last))
    }

    fn packet(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = vec![0; self.header()?];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// First bytes and length of what one or more packets carry; all else is thrown away.
    fn skip_packet(&mut self) -> io::Result<([u8; 5], u64)> {
        let (mut first, mut whole) = ([0; 5], 0);
        loop {
            let length = self.header()? as u64;
            let mut rest = length;
            if whole == 0 {
                let kept = length.min(5);
                self.stream.read_exact(&mut first[..kept as usize])?;
                rest -= kept;
            }
            io::copy(&mut (&mut self.stream).take(rest), &mut io::sink())?;
            whole += length;
            if length < 0xff_ffff {
                return Ok((first, whole));
            }
        }
    }

    fn header(&mut self) -> io::Result<usize> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        self.in_order &= head[3] == self.awaited;
        self.awaited = head[3].wrapping_add(1);
        Ok(u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize)
    }
}

fn error(packet: &[u8]) -> (u16, String) {
    (u16::from_le_bytes([packet[1], packet[2]]), String::from_utf8_lossy(&packet[3..]).into_owned())
}
