//! As much of a SQL Server as its protocol tells (MS-TDS): a login, batches, calls of `sp_executesql` with their parameters,
//! transactions. It understands no SQL: what a statement does is told by how it begins. It has one table, and of each event one
//! row at most.
//! <https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds/>

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use panoptes_event::table::COLUMNS;

use crate::scenarios::Refusal;

const BATCH: u8 = 0x01;
const RPC: u8 = 0x03;
const ANSWER: u8 = 0x04;
const TRANSACTION: u8 = 0x0e;
pub const LOGIN7: u8 = 0x10;
pub const PRELOGIN: u8 = 0x12;
/// Version, and that there is no encryption here (2).
pub const NO_TLS: [u8; 18] = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2];

const DONE: u8 = 0xfd;
const DONE_PROC: u8 = 0xfe;
const DONE_IN_PROC: u8 = 0xff;
/// Of what a DONE says.
const MORE: u16 = 1;
const FAILED: u16 = 2;
const COUNTED: u16 = 0x10;
const NULL: u8 = 0x1f;
const NVARCHAR: u8 = 0xe7;
const BITN: u8 = 0x68;
const INTN: u8 = 0x26;
/// What follows the type of a text: a length, a collation.
const OF_NVARCHAR: [u8; 8] = [NVARCHAR, 0, 2, 0, 0, 0, 0, 0];
/// Parameters of a call, at most.
const MOST_PARAMETERS: usize = 2_100;

/// What the server has.
#[derive(Default)]
pub struct Trail {
    created: bool,
    /// Ids of events, and the events.
    pub rows: Vec<(String, String)>,
    pub refuses: Option<Refusal>,
    inserted: usize,
    /// The largest statement, in parameters, and the longest text.
    pub most: usize,
    pub longest: usize,
}

/// The server.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    pub trail: Arc<Mutex<Trail>>,
    pub up: Arc<AtomicBool>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, trail: Arc::default(), up: Arc::new(AtomicBool::new(true)) };
        let ours = server.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = ours.clone();
                thread::spawn(move || Session { server, rows: None, begun: 0 }.serve(client));
            }
        });
        server
    }
}

/// A connection.
struct Session {
    server: Server,
    /// Of the transaction that is open.
    rows: Option<Vec<(String, String)>>,
    /// Which of the session's it is: its descriptor.
    begun: u64,
}

impl Session {
    fn serve(mut self, mut client: TcpStream) {
        while let Some((kind, payload)) = message(&mut client) {
            if !self.server.up.load(SeqCst) {
                return;
            }
            let told = match kind {
                PRELOGIN => NO_TLS.to_vec(),
                LOGIN7 => logged_in(),
                BATCH => self.batch(&text(&payload[self.headers(&payload)..])),
                RPC => self.call(Cursor(&payload[self.headers(&payload)..])),
                TRANSACTION => self.transaction(&payload[self.headers(&payload)..]),
                other => panic!("a message of type {other}"),
            };
            if answer(&mut client, &told).is_err() {
                return;
            }
        }
    }

    /// Where the headers of a request end. They name the transaction that it is for.
    fn headers(&self, payload: &[u8]) -> usize {
        let descriptor = u64::from_le_bytes(payload[10..18].try_into().unwrap());
        assert_eq!(descriptor, if self.rows.is_some() { self.begun } else { 0 });
        u32::from_le_bytes(payload[..4].try_into().unwrap()) as usize
    }

    fn batch(&mut self, statement: &str) -> Vec<u8> {
        if statement.contains("CREATE TABLE") {
            self.trail().created = true;
        } else if statement.contains("ROLLBACK") && self.rows.is_some() {
            return [self.undone(), done(DONE, 0, None)].concat();
        }
        done(DONE, 0, None)
    }

    /// The transaction is undone, which is told.
    fn undone(&mut self) -> Vec<u8> {
        self.rows = None;
        change(10, &[], &self.begun.to_le_bytes())
    }

    fn transaction(&mut self, request: &[u8]) -> Vec<u8> {
        match request[0] {
            5 => {
                assert!(self.rows.is_none(), "one in another");
                (self.rows, self.begun) = (Some(Vec::new()), self.begun + 1);
                [change(8, &self.begun.to_le_bytes(), &[]), done(DONE, 0, None)].concat()
            }
            7 => {
                let rows = self.rows.take().unwrap();
                self.trail().rows.extend(rows);
                [change(9, &[], &self.begun.to_le_bytes()), done(DONE, 0, None)].concat()
            }
            8 => [self.undone(), done(DONE, 0, None)].concat(),
            other => panic!("a request {other} of the transaction manager"),
        }
    }

    /// A call of `sp_executesql`: the statement, the types of its parameters, their values.
    fn call(&mut self, mut cursor: Cursor<'_>) -> Vec<u8> {
        assert_eq!((cursor.u16(), cursor.u16(), cursor.u16()), (0xffff, 10, 0));
        let mut values = Vec::new();
        while !cursor.0.is_empty() {
            values.push(cursor.parameter());
        }
        assert!(values.len() <= MOST_PARAMETERS, "{}", values.len());
        let (head, values) = values.split_at(2);
        let statement = head[0].as_deref().unwrap();
        match statement.split(' ').next().unwrap() {
            "SELECT" if statement.starts_with("SELECT c.name") => self.columns(),
            "SELECT" => [metadata(&[("", BITN)]), row(&[Ok(1)]), returned(1)].concat(),
            "UPDATE" => returned(0),
            "INSERT" => self.insert(statement, values),
            _ => panic!("{statement}"),
        }
    }

    fn columns(&self) -> Vec<u8> {
        let mut told = metadata(&[("name", NVARCHAR), ("name", NVARCHAR), ("is_nullable", BITN), ("", BITN)]);
        let columns = COLUMNS.iter().filter(|_| self.trail().created).collect::<Vec<_>>();
        columns
            .iter()
            .for_each(|column| told.extend(row(&[Err(column.name), Err("nvarchar"), Ok(1), Ok(0)])));
        [told, returned(columns.len())].concat()
    }

    fn insert(&mut self, statement: &str, values: &[Option<String>]) -> Vec<u8> {
        let names = statement.split(['(', ')']).nth(1).unwrap();
        let names: Vec<&str> =
            names.split(", ").map(|name| name.trim_matches(|c| "[]".contains(c))).collect();
        let place = |name| names.iter().position(|column| *column == name).unwrap();
        let (id, event, reason) = (place("event_id"), place("event"), place("reason"));
        assert!(statement.contains("WHERE NOT EXISTS") && values.len().is_multiple_of(names.len()));
        let mut staged = self.rows.take().expect("within a transaction");
        let mut trail = self.trail();
        let lengths = values.iter().flatten().map(String::len);
        (trail.most, trail.longest) =
            (trail.most.max(values.len()), trail.longest.max(lengths.max().unwrap_or(0)));
        let mut there: BTreeSet<String> = trail.rows.iter().chain(&staged).map(|row| row.0.clone()).collect();
        let before = staged.len();
        for row in values.chunks(names.len()) {
            trail.inserted += 1;
            let some = trail.refuses == Some(Refusal::Some) && trail.inserted.is_multiple_of(33);
            let refusal = if some || trail.refuses == Some(Refusal::All) {
                error(1105, "Could not allocate space for object.", DONE_PROC)
            } else if row[reason].as_ref().is_some_and(|reason| reason.len() > 99) {
                error(2628, "String or binary data would be truncated.", DONE_PROC)
            } else {
                Vec::new()
            };
            if !refusal.is_empty() {
                drop(trail);
                // By XACT_ABORT.
                return [self.undone(), refusal].concat();
            }
            let (id, event) = (row[id].clone().unwrap(), row[event].clone().unwrap());
            if there.insert(id.clone()) {
                staged.push((id, event));
            }
        }
        let new = staged.len() - before;
        drop(trail);
        self.rows = Some(staged);
        returned(new)
    }

    fn trail(&self) -> std::sync::MutexGuard<'_, Trail> {
        self.server.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Type and payload of a message, which may be of several packets.
pub fn message(client: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 8];
        client.read_exact(&mut head).ok()?;
        let start = payload.len();
        payload.resize(start + usize::from(u16::from_be_bytes([head[2], head[3]])) - head.len(), 0);
        client.read_exact(&mut payload[start..]).ok()?;
        if head[1] & 1 == 1 {
            return Some((head[0], payload));
        }
    }
}

/// Sends an answer, in packets of no more than 4 KiB.
pub fn answer(client: &mut TcpStream, payload: &[u8]) -> std::io::Result<()> {
    let count = payload.chunks(4_000).count();
    for (number, part) in payload.chunks(4_000).enumerate() {
        let length = u16::try_from(8 + part.len()).unwrap().to_be_bytes();
        let head = [ANSWER, u8::from(number + 1 == count), length[0], length[1], 0, 0, 1, 0];
        client.write_all(&[&head[..], part].concat())?;
    }
    Ok(())
}

/// An ERROR token, and a token behind it that says so.
pub fn error(number: u32, message: &str, behind: u8) -> Vec<u8> {
    let text = utf16(message);
    let characters = u16::try_from(text.len() / 2).unwrap().to_le_bytes();
    // State, severity; then no names of a server and a procedure, and the line.
    let body =
        [&number.to_le_bytes()[..], &[1, 14], &characters, &text, &[0, 0], &1_u32.to_le_bytes()].concat();
    let length = u16::try_from(body.len()).unwrap().to_le_bytes();
    [&[0xaa][..], &length, &body, &done(behind, FAILED, None)].concat()
}

pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(utf16: &[u8]) -> String {
    let units: Vec<u16> = utf16.chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(&units).unwrap()
}

/// ENVCHANGE: of the transaction.
fn change(kind: u8, new: &[u8], old: &[u8]) -> Vec<u8> {
    let body = [&[kind, new.len() as u8][..], new, &[old.len() as u8], old].concat();
    [&[0xe3][..], &(body.len() as u16).to_le_bytes(), &body].concat()
}

fn done(token: u8, status: u16, count: Option<usize>) -> Vec<u8> {
    let status = status | if count.is_some() { COUNTED } else { 0 };
    let count = (count.unwrap_or(0) as u64).to_le_bytes();
    [&[token][..], &status.to_le_bytes(), &[0, 0], &count].concat()
}

/// The end of a call that took so many rows.
fn returned(rows: usize) -> Vec<u8> {
    let status = [&[0x79][..], &0_i32.to_le_bytes()].concat();
    [done(DONE_IN_PROC, MORE, Some(rows)), status, done(DONE_PROC, 0, None)].concat()
}

/// LOGINACK: TDS 7.4.
fn logged_in() -> Vec<u8> {
    let name = utf16("stub");
    let body = [&[1, 0x74, 0, 0, 4, 4][..], &name, &[0; 4]].concat();
    [&[0xad][..], &(body.len() as u16).to_le_bytes(), &body, &done(DONE, 0, None)].concat()
}

fn metadata(columns: &[(&str, u8)]) -> Vec<u8> {
    let mut told = [&[0x81][..], &(columns.len() as u16).to_le_bytes()].concat();
    for (name, kind) in columns {
        told.extend([0; 6]);
        told.extend(if *kind == BITN { &[BITN, 1][..] } else { &OF_NVARCHAR });
        told.push(u8::try_from(name.len()).unwrap());
        told.extend(utf16(name));
    }
    told
}

/// Texts and bits.
fn row(values: &[Result<u8, &str>]) -> Vec<u8> {
    let mut told = vec![0xd1];
    for value in values {
        match value {
            Ok(bit) => told.extend([1, *bit]),
            Err(text) => {
                let text = utf16(text);
                told.extend((text.len() as u16).to_le_bytes());
                told.extend(text);
            }
        }
    }
    told
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> usize {
        usize::from(self.take(1)[0])
    }

    fn u16(&mut self) -> usize {
        usize::from(u16::from_le_bytes(self.take(2).try_into().unwrap()))
    }

    /// A parameter's value, as text: its name and status, its type, and then it.
    fn parameter(&mut self) -> Option<String> {
        let name = self.u8();
        self.take(2 * name + 1);
        match self.take(1)[0] {
            NULL => None,
            NVARCHAR => {
                let most = self.u16();
                self.take(5);
                if most == 0xffff { self.chunks() } else { self.characters() }
            }
            INTN => {
                self.u8();
                let length = self.u8();
                let mut number = [0; 8];
                number[..length].copy_from_slice(self.take(length));
                (length > 0).then(|| i64::from_le_bytes(number).to_string())
            }
            BITN => {
                self.u8();
                let length = self.u8();
                self.take(length).first().map(u8::to_string)
            }
            other => panic!("a parameter of type {other:#x}"),
        }
    }

    fn characters(&mut self) -> Option<String> {
        let length = self.u16();
        (length != 0xffff).then(|| text(self.take(length)))
    }

    /// A long text: its length, which need not be known, and parts up to an empty one.
    fn chunks(&mut self) -> Option<String> {
        if self.take(8) == [0xff; 8] {
            return None;
        }
        let mut all = Vec::new();
        loop {
            let length = u32::from_le_bytes(self.take(4).try_into().unwrap()) as usize;
            if length == 0 {
                return Some(text(&all));
            }
            all.extend(self.take(length));
        }
    }
}
