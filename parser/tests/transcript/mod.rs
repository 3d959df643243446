//! Transcripts: reading them, playing them to a wire, and writing down what it saw.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod invariance;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use panoptes_parser::{
    mysql::{Login, Mysql},
    postgres::{Postgres, pairs},
    wire::{Answer, Ask, Failure, Limits, Observation, Opening, Settled, Target, Wire},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Bytes of one side, without a word of the other between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) side: Side,
    pub(crate) bytes: Vec<u8>,
    /// The packets before the first typed message, which are looked at only when they are whole.
    opening: usize,
}

impl Run {
    /// Where it may be cut first.
    pub(crate) fn first_cut(&self) -> usize {
        self.opening.max(1).min(self.bytes.len())
    }

    pub(crate) fn split_at(&self, place: usize) -> (Self, Self) {
        let (a, b) = self.bytes.split_at(place);
        let run = |bytes: &[u8], opening| Self { side: self.side, bytes: bytes.to_vec(), opening };
        (run(a, self.opening), run(b, 0))
    }

    /// Cut in pieces; `size` of the n-th.
    pub(crate) fn pieces(&self, size: impl Fn(usize) -> usize) -> Vec<Self> {
        let (mut pieces, mut rest) = (Vec::new(), self.clone());
        while !rest.bytes.is_empty() {
            let first = size(pieces.len()).max(rest.first_cut()).min(rest.bytes.len());
            let (piece, behind) = rest.split_at(first);
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}

/// One file.
pub(crate) struct Transcript {
    frames: Vec<(Side, Vec<u8>)>,
}

impl Transcript {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a transcript");
        let mut frames = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let side = if line.starts_with('>') { Side::Client } else { Side::Server };
            let hex = line[2..].split(' ').next().expect("hexadecimal");
            if hex != "end" {
                frames.push((side, unhex(hex)));
            }
        }
        Self { frames }
    }

    /// Its bytes, as few pieces as there can be.
    pub(crate) fn runs(&self, protocol: Protocol) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        // The client's packets have no type up to the StartupMessage, which the server answers by one that has.
        let mut opening = protocol == Protocol::Postgres;
        for (side, bytes) in &self.frames {
            let untyped = opening && *side == Side::Client;
            opening &= *side == Side::Client || bytes == b"N";
            match runs.last_mut().filter(|run| run.side == *side) {
                Some(run) => run.bytes.extend(bytes),
                None => {
                    let opening = if untyped { bytes.len() } else { 0 };
                    runs.push(Run { side: *side, bytes: bytes.clone(), opening });
                }
            }
        }
        runs
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |d: u8| (d as char).to_digit(16).expect("a digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Whose transcripts they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Postgres,
    Mysql,
}

impl Protocol {
    /// The folder of its transcripts, and how many there are at least: fewer are a mistake of the test.
    fn transcripts(self) -> (&'static str, usize) {
        match self {
            Self::Postgres => ("postgres", 100),
            Self::Mysql => ("mysql", 50),
        }
    }
}

/// All transcripts of a protocol.
pub(crate) fn transcripts(protocol: Protocol) -> Vec<(PathBuf, Transcript)> {
    let (folder, at_least) = protocol.transcripts();
    let dir =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(folder).join("transcripts");
    let entries = fs::read_dir(&dir).expect("the transcripts").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    assert!(paths.len() > at_least, "{} transcripts", paths.len());
    paths.into_iter().map(|path| (path.clone(), Transcript::read(&path))).collect()
}

/// What a new session sees of these pieces, a line each.
pub(crate) fn observe(protocol: Protocol, pieces: &[Run]) -> String {
    match protocol {
        Protocol::Postgres => play(Postgres::new(Limits::default(), [7; 32]), protocol, pieces),
        Protocol::Mysql => play(Mysql::new(Limits::default()), protocol, pieces),
    }
}

fn play(mut wire: impl Wire, protocol: Protocol, pieces: &[Run]) -> String {
    let mut seen = Seen { protocol, text: String::new(), passed: 0, key: 0, logged_in: false };
    let mut open = protocol == Protocol::Postgres;
    if !open {
        assert_eq!(wire.open(b""), Opening::Dial, "the server speaks first");
    }
    // Refused: the peer gets what `pass` says, and nothing behind it.
    let mut refused = false;
    let mut declined = 0;
    for piece in pieces {
        match piece.side {
            Side::Client if open => match wire.open(&piece.bytes) {
                Opening::Dial => {
                    open = false;
                    refused = client(&mut wire, &piece.bytes, &mut seen);
                }
                Opening::Reply { used, bytes } => {
                    assert_eq!((used, bytes.as_slice()), (piece.bytes.len(), &b"N"[..]));
                    declined += 1;
                }
                Opening::Refuse { bytes, reason } => {
                    let words = if bytes.is_empty() { "silently" } else { "in words" };
                    return format!("refused {words}: {reason}\n");
                }
                other => panic!("{other:?}"),
            },
            Side::Client if !refused => refused = client(&mut wire, &piece.bytes, &mut seen),
            Side::Client => {}
            Side::Server if open => assert_eq!((piece.bytes.as_slice(), declined > 0), (&b"N"[..], true)),
            Side::Server => server(&mut wire, &piece.bytes, &mut seen),
        }
    }
    let terminated = if wire.is_terminated() { ", terminated" } else { "" };
    writeln!(seen.text, "at the end {:?}{terminated}, a key of {} bytes", wire.rest(), seen.key)
        .expect("a line");
    wire.end(0, &mut |observation: Observation<&[u8]>| seen.see(observation));
    seen.text
}

fn client(wire: &mut impl Wire, bytes: &[u8], seen: &mut Seen) -> bool {
    let end =
        wire.client(&mut bytes.to_vec(), 0, &mut |observation: Observation<&[u8]>| seen.see(observation));
    seen.passed += bytes.len();
    let Err(violation) = end else { return false };
    let passed = seen.passed - bytes.len() + violation.pass;
    writeln!(seen.text, "violation behind {passed} bytes: {}", violation.reason).expect("a line");
    true
}

fn server(wire: &mut impl Wire, bytes: &[u8], seen: &mut Seen) {
    let mut chunk = bytes.to_vec();
    let end = wire.server(&mut chunk, 0, &mut |observation: Observation<&[u8]>| seen.see(observation));
    if let Err(violation) = end {
        writeln!(seen.text, "violation of the server: {}", violation.reason).expect("a line");
    }
    if let Some(key) = wire.take_cancel_key() {
        assert_eq!(key.ours.secret.len(), key.real.len());
        seen.key = key.real.len();
    }
}

struct Seen {
    protocol: Protocol,
    text: String,
    passed: usize,
    /// Bytes of the cancel key.
    key: usize,
    logged_in: bool,
}

impl Seen {
    fn see(&mut self, observation: Observation<&[u8]>) {
        self.logged_in |= matches!(observation, Observation::LoggedIn { .. });
        let line = match observation {
            // The same for all: the expected files would say nothing else.
            Observation::Parameter { .. } if !self.logged_in => return,
            Observation::Startup { parameters } => {
                let show_pair = |(k, v): (&[u8], &[u8])| format!("{}={}", show(k), show(v));
                let pairs: Vec<_> = match self.protocol {
                    Protocol::Postgres => pairs(parameters).map(show_pair).collect(),
                    Protocol::Mysql => return self.login(Login::decode(parameters)),
                };
                format!("startup {}", pairs.join(" "))
            }
            Observation::Authentication { method } => format!("authentication {method}"),
            Observation::Backend { .. } => "backend".into(),
            Observation::LoggedIn { .. } => "logged in".into(),
            Observation::LoginFailed { failure, .. } => format!("login {}", failed(&failure)),
            Observation::Parameter { name, value } => format!("parameter {}={}", show(name), show(value)),
            Observation::Asked { ask, .. } => format!("asked {}", asked(&ask)),
            Observation::Settled(settled) => settle(&settled),
            Observation::Described { statement, types } => {
                format!("described {} {types:?}", quote(statement))
            }
            Observation::Attributes { attributes } => format!("attributes {attributes:?}"),
            Observation::File { name } => format!("file {}", quote(name)),
            Observation::Streamed { returned, sent } => format!("streamed {returned}, sent {sent}"),
            Observation::BrokeOff { rows, bytes } => format!("broke off behind rows={rows} bytes={bytes}"),
            Observation::Hashed { sha256 } => {
                format!("hashed {}", sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Observation::CommitFailed(failure) => format!("commit {}", failed(&failure)),
            Observation::Turned(status) => format!("turned {status:?}"),
            Observation::Ready(status) => format!("ready {status:?}"),
            Observation::Ended(failure) => format!("ended: {}", failed(&failure)),
            Observation::Blind { reason } => format!("BLIND {reason}"),
            Observation::Closed { unanswered } => format!("closed, unanswered={unanswered}"),
        };
        writeln!(self.text, "{line}").expect("a line");
    }
}

impl Seen {
    fn login(&mut self, login: Login<'_>) {
        let Login { collation, user, schema, plugin, .. } = login;
        let attributes: Vec<_> =
            login.attributes().map(|(k, v)| format!(" {}={}", show(k), show(v))).collect();
        let names = [user, schema, plugin].map(quote).join(" ");
        writeln!(self.text, "startup {names}, collation {collation}{}", attributes.concat()).expect("a line");
    }
}

fn asked(ask: &Ask<&[u8]>) -> String {
    match *ask {
        Ask::Query { text: Some(text), length } => format!("Query {} ({length})", quote(text)),
        Ask::Query { text: None, .. } => "Query, next".into(),
        Ask::Parse { statement, text, length, types } => {
            format!("Parse {} {} ({length}) types {types:?}", quote(statement), quote(text))
        }
        Ask::Bind { portal, statement, parameters, length } => {
            format!("Bind {} of {}, parameters {parameters:?} ({length})", quote(portal), quote(statement))
        }
        Ask::Describe { target, name } => format!("Describe {} {}", kind(target), quote(name)),
        Ask::Execute { portal } => format!("Execute {}", quote(portal)),
        Ask::Close { target, name } => format!("Close {} {}", kind(target), quote(name)),
        Ask::Run { statement, parameters: Some(parameters), length, bulk, .. } => {
            let bulk = if bulk { " in bulk" } else { "" };
            format!("Run {}{bulk}, parameters {parameters:?} ({length})", quote(statement))
        }
        Ask::Run { parameters: None, .. } => "Run, next".into(),
        Ask::Append { statement, parameter, data, length } => {
            format!("Append to {} parameter {parameter}: {} ({length})", quote(statement), quote(data))
        }
        Ask::Fetch { statement } => format!("Fetch {}", quote(statement)),
        Ask::Reset { statement } => format!("Reset {}", quote(statement)),
        Ask::Command { name, object, argument: b"" } => {
            format!("{name}{}", object.map(|object| format!(" {object}")).unwrap_or_default())
        }
        Ask::Command { name, argument, .. } => format!("{name} {}", quote(argument)),
        Ask::Malformed => "malformed".into(),
    }
}

fn settle(settled: &Settled<&[u8]>) -> String {
    let ask = asked(&settled.ask);
    let answer = match settled.answer {
        Answer::Complete { tag: b"", rows: 0, bytes: 0, sent: 0 } => "done".into(),
        Answer::Complete { tag, rows, bytes, sent } => {
            format!("{} rows={rows} bytes={bytes} sent={sent}", quote(tag))
        }
        Answer::Affected { rows, insert_id, sent, info } => {
            format!("affected={rows} id={insert_id} sent={sent} {}", quote(info))
        }
        Answer::Returned { rows, bytes } => format!("returned rows={rows} bytes={bytes}"),
        Answer::Prepared { parameters } => format!("prepared, {parameters} parameters"),
        Answer::Suspended { rows, bytes } => format!("suspended rows={rows} bytes={bytes}"),
        Answer::Streaming => "streaming".into(),
        Answer::Empty => "empty".into(),
        Answer::Failed(failure) => failed(&failure),
        Answer::Skipped => "skipped".into(),
        Answer::Lost => "lost".into(),
    };
    let warnings =
        if settled.warnings > 0 { format!(", {} warnings", settled.warnings) } else { String::new() };
    format!("{ask}: {answer}{warnings}")
}

fn failed(failure: &Failure<&[u8]>) -> String {
    let fatal = if failure.fatal { " fatal" } else { "" };
    let position = if failure.position > 0 { format!(" at {}", failure.position) } else { String::new() };
    let code = if failure.code > 0 { format!("{} ", failure.code) } else { String::new() };
    format!("failed{fatal} {code}{} {}{position}", show(failure.sql_state), quote(failure.message))
}

fn kind(target: Target) -> &'static str {
    match target {
        Target::Statement => "statement",
        Target::Portal => "portal",
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn quote(bytes: &[u8]) -> String {
    format!("'{}'", show(bytes))
}
