//! No SQL Server can be had here: a stub, which greets as MS-TDS has it, reads the login, and refuses it in a server's words.
//! What the sink does behind a login has met no server at all.
//! <https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds/>

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use libtest_mimic::Trial;
use panoptes_config::{Database, DatabaseUrl, Secret, SinkOptions};

use crate::{
    named,
    trial::{Run, wait_for},
};

const PRELOGIN: u8 = 0x12;
const LOGIN7: u8 = 0x10;
const ANSWER: u8 = 0x04;
const PASSWORD: &str = "what was seen";

pub fn trials() -> Vec<Trial> {
    vec![
        named("database to a stub of SQL Server: a login that is refused".into(), true, refused),
        named("database to a stub of SQL Server: TLS that it does not have".into(), true, without_tls),
    ]
}

/// What the sink complains of, to a server that does what `serve` does.
fn complaint(query: &str, serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    let url = format!("sqlserver://127.0.0.1:{port}/trail{query}");
    let mut run = Run::new(SinkOptions::Database(Database {
        url: DatabaseUrl::try_from(url.as_str()).unwrap(),
        username: Some("panoptes".into()),
        password: Some(Secret::new(PASSWORD)),
        ..Database::default()
    }));
    run.send(1);
    run.start();
    let told = || run.journal().stats().sinks[0].last_error.clone();
    wait_for("a complaint", || told().is_some());
    told().unwrap()
}

fn refused() {
    let told = complaint("?sslmode=disable", |mut client| {
        let (kind, greeting) = packet(&mut client);
        // Its first option is the version.
        assert_eq!((kind, greeting[0]), (PRELOGIN, 0));
        // Version, and that there is no encryption here (2).
        let options = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2];
        answer(&mut client, &options);
        let (kind, login) = packet(&mut client);
        assert_eq!(kind, LOGIN7);
        assert!(holds(&login, "panoptes") && holds(&login, "trail") && !holds(&login, PASSWORD));
        answer(&mut client, &error(18456, "Login failed for user 'panoptes'."));
    });
    assert!(told.contains("18456 Login failed for user 'panoptes'."), "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
}

/// A password goes to nobody who has no TLS, unless that is asked for.
fn without_tls() {
    let told = complaint("", |mut client| {
        let _ = packet(&mut client);
        answer(&mut client, &[0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2]);
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert!(!rest.starts_with(&[LOGIN7]), "no login in plain text");
    });
    assert!(!told.is_empty() && !told.contains(PASSWORD), "{told}");
}

/// Type and payload of a message of one packet.
fn packet(client: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 8];
    client.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - head.len()];
    client.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

fn answer(client: &mut TcpStream, payload: &[u8]) {
    let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let head = [ANSWER, 1, length[0], length[1], 0, 0, 1, 0];
    client.write_all(&[&head[..], payload].concat()).unwrap();
}

/// An ERROR token, and a DONE that says so.
fn error(number: u32, message: &str) -> Vec<u8> {
    let text = utf16(message);
    let characters = u16::try_from(text.len() / 2).unwrap().to_le_bytes();
    // State, severity; then no names of a server and a procedure, and the line.
    let body =
        [&number.to_le_bytes()[..], &[1, 14], &characters, &text, &[0, 0], &1_u32.to_le_bytes()].concat();
    let length = u16::try_from(body.len()).unwrap().to_le_bytes();
    [&[0xaa][..], &length, &body, &[0xfd, 2, 0, 0, 0], &[0; 8]].concat()
}

fn holds(payload: &[u8], text: &str) -> bool {
    let text = utf16(text);
    payload.windows(text.len()).any(|window| window == text)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
