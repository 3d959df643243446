//! A client that writes the protocol's messages by hand: for what no driver would send.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use super::{
    PATIENCE,
    postgres::{DATABASE, USER},
};

/// A session of protocol 3.0.
pub struct Raw {
    reader: BufReader<TcpStream>,
    /// Process id and secret of BackendKeyData.
    pub key: Vec<u8>,
}

/// What came up to a ReadyForQuery.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// DataRows.
    pub rows: u64,
    /// CommandCompletes.
    pub completed: u64,
    /// ErrorResponses, their fields apart by NUL.
    pub errors: Vec<String>,
    /// The last DataRow.
    pub last_row: Vec<u8>,
}

impl Raw {
    /// Connects, logs in without a password, and waits until the server is ready.
    pub fn connect(port: u16) -> io::Result<Self> {
        let mut session = Self::greet(port)?;
        session.exchange()?;
        Ok(session)
    }

    /// Connects and sends the StartupMessage.
    pub fn greet(port: u16) -> io::Result<Self> {
        let parameters = format!("user\0{USER}\0database\0{DATABASE}\0application_name\0raw\0\0");
        let length = u32::try_from(8 + parameters.len()).expect("short");
        Self::open(port, &[&length.to_be_bytes()[..], &[0, 3, 0, 0], parameters.as_bytes()].concat())
    }

    /// Connects and sends `first`, whatever it is.
    pub fn open(port: u16, first: &[u8]) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let session = Self { reader: BufReader::with_capacity(1 << 16, stream), key: Vec::new() };
        session.stream().write_all(first)?;
        Ok(session)
    }

    /// To write to, also while another thread reads.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Sends a simple Query and reads what comes of it.
    pub fn query(&mut self, text: &str) -> io::Result<Exchange> {
        self.stream().write_all(&query(text))?;
        self.exchange()
    }

    /// Reads up to the next ReadyForQuery; of a message at most a few bytes are held.
    pub fn exchange(&mut self) -> io::Result<Exchange> {
        let mut seen = Exchange::default();
        while !self.message(&mut seen)? {}
        Ok(seen)
    }

    /// Reads up to the next CommandComplete.
    pub fn completion(&mut self) -> io::Result<Exchange> {
        let mut seen = Exchange::default();
        while seen.completed == 0 {
            self.message(&mut seen)?;
        }
        Ok(seen)
    }

    /// Reads up to the next ReadyForQuery, or up to the end of the connection.
    pub fn exchange_or_last(&mut self) -> io::Result<Exchange> {
        let mut seen = Exchange::default();
        while !self.reader.fill_buf()?.is_empty() && !self.message(&mut seen)? {}
        Ok(seen)
    }

    /// Reads up to the end of the connection: what came before it.
    pub fn last_words(&mut self) -> io::Result<Exchange> {
        let mut seen = Exchange::default();
        while !self.reader.fill_buf()?.is_empty() {
            self.message(&mut seen)?;
        }
        Ok(seen)
    }

    /// Reads a message; whether it was ReadyForQuery.
    fn message(&mut self, seen: &mut Exchange) -> io::Result<bool> {
        let mut head = [0; 5];
        self.reader.read_exact(&mut head)?;
        let length = u64::from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])) - 4;
        match head[0] {
            b'D' => {
                seen.rows += 1;
                seen.last_row = self.body(length)?;
            }
            b'C' => {
                seen.completed += 1;
                self.skip(length)?;
            }
            b'E' => seen.errors.push(String::from_utf8_lossy(&self.body(length)?).into_owned()),
            b'K' => self.key = self.body(length)?,
            _ => self.skip(length)?,
        }
        Ok(head[0] == b'Z')
    }

    fn body(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.reader.by_ref().take(length).read_to_end(&mut body)?;
        Ok(body)
    }

    fn skip(&mut self, mut length: u64) -> io::Result<()> {
        while length > 0 {
            let there = self.reader.fill_buf()?.len();
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = there.min(usize::try_from(length).unwrap_or(usize::MAX));
            self.reader.consume(used);
            length -= used as u64;
        }
        Ok(())
    }
}

/// A message: its type, its length, its body.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(4 + body.len()).expect("within the protocol's bounds");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A simple Query.
pub fn query(text: &str) -> Vec<u8> {
    message(b'Q', &[text.as_bytes(), b"\0"].concat())
}

/// A Parse without types.
pub fn parse(statement: &str, text: &str) -> Vec<u8> {
    message(b'P', format!("{statement}\0{text}\0\0\0").as_bytes())
}

/// A Bind to the unnamed portal with parameters in text format.
pub fn bind(statement: &str, parameters: &[&str]) -> Vec<u8> {
    let count = u16::try_from(parameters.len()).expect("within the protocol's bounds");
    let mut body = format!("\0{statement}\0\0\0").into_bytes();
    body.extend(count.to_be_bytes());
    for parameter in parameters {
        body.extend(u32::try_from(parameter.len()).expect("short").to_be_bytes());
        body.extend(parameter.as_bytes());
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

/// An Execute of the unnamed portal, of all rows.
pub fn execute() -> Vec<u8> {
    message(b'E', &[0; 5])
}

/// A Sync.
pub fn sync() -> Vec<u8> {
    message(b'S', &[])
}
