//! What the server's own log says that it ran, with `log_statement = all` and `log_min_duration_statement = 0`.
//!
//! How PostgreSQL logs (15 and 18 alike):
//! - a simple Query: `statement: TEXT` once, the whole text, before it runs; then `duration: N ms`, or an error whose
//!   `statement` field is the text. A text that does not parse has the error alone.
//! - extended: `duration: N ms  parse NAME: TEXT`, `duration: N ms  bind NAME: TEXT`; then for each Execute
//!   `execute NAME: TEXT` (`execute fetch from NAME: TEXT` where a portal goes on) and its `duration`. A Parse or Bind
//!   that fails has the error alone, with the text where the server knew one. Skipped messages: nothing.
//! - FunctionCall: `fastpath function call: …`; a walsender's command: `received replication command: TEXT`.
//! - an error when a transaction ends at Sync has no text, nor has the FATAL of a terminated idle session.

use std::collections::BTreeMap;

use serde_json::Value;

/// How a remark begins that says how many statements a text has: `/* n=3 */`.
pub const REMARK: &str = "/* n=";

/// What the log says of one server process.
#[derive(Debug, Default)]
pub struct Session {
    pub application: String,
    pub units: Vec<Unit>,
    /// Its disconnection is logged: nothing more comes.
    pub ended: bool,
}

/// One message that ran something, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub kind: Kind,
    /// As sent; empty where the log has none.
    pub text: String,
    /// The SQLSTATE it failed with.
    pub error: Option<String>,
    /// A WARNING was raised while it ran.
    pub warned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A simple Query, maybe of several statements.
    Simple,
    /// An Execute.
    Execute,
    /// A FunctionCall.
    Function,
    /// A replication command.
    Replication,
    /// An error before anything ran: raw parsing of a Query, a Parse, a Bind.
    Rejected,
    /// An error without text: at Sync, or about an unknown name.
    Anonymous,
}

/// The sessions of a log, by process id.
pub fn sessions(log: &[Value]) -> BTreeMap<u32, Session> {
    let mut found = BTreeMap::<u32, Reader>::new();
    for line in log.iter().filter(|l| l["remote_host"].is_string()) {
        let pid = line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process id");
        found.entry(pid).or_default().read(line);
    }
    found.into_iter().map(|(pid, reader)| (pid, reader.session)).collect()
}

/// Statements in a simple Query's text: as a remark in it says (`/* n=3 */`), else the pieces between semicolons that
/// are not empty. A text in which a semicolon can stand for something else needs the remark, or counts as one.
pub fn statements(text: &str) -> usize {
    if let Some(said) = text.split_once(REMARK).and_then(|(_, rest)| rest.split_once(" */")) {
        return said.0.parse().expect("a number in the remark");
    }
    let bare = without_comments(text);
    if bare.contains(['\'', '"', '$']) {
        return 1;
    }
    bare.split(';').filter(|piece| !piece.trim().is_empty()).count()
}

#[derive(Default)]
struct Reader {
    session: Session,
    /// The last unit has neither a duration nor an error yet.
    open: bool,
}

impl Reader {
    fn read(&mut self, line: &Value) {
        if let Some(name) = line["application_name"].as_str() {
            self.session.application = name.to_owned();
        }
        let message = line["message"].as_str().unwrap_or_default();
        match line["error_severity"].as_str() {
            Some("LOG") => self.read_log(message),
            Some("ERROR" | "FATAL" | "PANIC") => self.read_error(line),
            Some("WARNING") => {
                if let (true, Some(unit)) = (self.open, self.session.units.last_mut()) {
                    unit.warned = true;
                }
            }
            _ => {}
        }
    }

    fn read_log(&mut self, message: &str) {
        if let Some(text) = message.strip_prefix("statement: ") {
            self.begin(Kind::Simple, text);
        } else if let Some(rest) = message.strip_prefix("execute ") {
            self.begin(Kind::Execute, rest.split_once(": ").map_or("", |(_, text)| text));
        } else if message.starts_with("fastpath function call: ") {
            self.begin(Kind::Function, "");
        } else if let Some(text) = message.strip_prefix("received replication command: ") {
            self.begin(Kind::Replication, text);
        } else if message.starts_with("duration: ") && message.ends_with(" ms") {
            self.open = false;
        } else if message.starts_with("disconnection: ") {
            self.session.ended = true;
        }
    }

    fn read_error(&mut self, line: &Value) {
        let state = line["state_code"].as_str().unwrap_or_default();
        let text = line["statement"].as_str();
        let fatal = line["error_severity"] != "ERROR";
        match self.session.units.last_mut() {
            Some(unit) if self.open && (unit.kind != Kind::Execute || text.is_some()) => {
                unit.error = Some(state.to_owned())
            }
            _ if text.is_none() && fatal => return,
            _ => {
                self.begin(
                    if text.is_some() { Kind::Rejected } else { Kind::Anonymous },
                    text.unwrap_or_default(),
                );
                self.session.units.last_mut().expect("just begun").error = Some(state.to_owned());
            }
        }
        self.open = false;
    }

    fn begin(&mut self, kind: Kind, text: &str) {
        self.session.units.push(Unit { kind, text: text.to_owned(), error: None, warned: false });
        self.open = true;
    }
}

/// The text without `--` and (nested) `/* */` comments; for texts without quotes.
fn without_comments(text: &str) -> String {
    let (mut bare, mut depth, mut rest) = (String::new(), 0, text);
    while let Some(c) = rest.chars().next() {
        let step = match (&rest.as_bytes()[..rest.len().min(2)], depth) {
            (b"/*", _) => {
                depth += 1;
                2
            }
            (b"*/", 1..) => {
                depth -= 1;
                2
            }
            (b"--", 0) => rest.find('\n').unwrap_or(rest.len()),
            _ => {
                if depth == 0 {
                    bare.push(c);
                }
                c.len_utf8()
            }
        };
        rest = &rest[step..];
    }
    bare
}
