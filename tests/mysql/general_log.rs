//! The events of a session against the server's general log: each row has the events that it must have, in its order, and
//! no event is left.
//!
//! How the servers log, with `log_raw` on MySQL:
//! - `Query`: the whole text of a COM_QUERY before it is read, of one statement, of several or of none.
//! - `Prepare`: the text of a COM_STMT_PREPARE that succeeds, of a PREPARE, and where a MySQL prepares once more.
//! - `Execute`: the text of a COM_STMT_EXECUTE with its values in place of the `?`; of one in bulk without them. Behind the
//!   `Query` of an EXECUTE comes one for what it runs.
//! - `Connect`, `Change user`: a login; refused ones have a `Connect` with the error behind. `Quit`: the client's leave.
//! - Not logged: what is refused before it runs, and COM_RESET_CONNECTION. The performance schema has them.

use std::iter::Peekable;

use serde_json::Value;

use crate::{
    literals,
    support::mysql::{Logged, Statement},
};

/// Rows that have no event of their own: these read no data and change nothing, or the run that they belong to tells them.
const SILENT: [&str; 8] =
    ["Prepare", "Close stmt", "Reset stmt", "Long Data", "Fetch", "Ping", "Statistics", "Time"];
/// What redaction leaves.
const REDACTED: &str = "[REDACTED]";

/// An event, and what the performance schema says of it, where it is a statement that was run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) event: &'a Value,
    pub(crate) ran: Option<&'a Statement>,
}

/// What was found in a session.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Rows of the log.
    pub(crate) of: usize,
    /// Of those, the ones that have what they must have.
    pub(crate) rows: usize,
    /// Events that the log does not know.
    pub(crate) unlogged: usize,
    /// Values that are the server's.
    pub(crate) values: usize,
    /// The first difference, for people.
    pub(crate) problem: Option<String>,
}

/// Compares a session's rows with its events.
pub(crate) fn compare(rows: &[&Logged], told: &[Told<'_>]) -> Found {
    let mut found = Found { of: rows.len(), ..Found::default() };
    let walk = Walk {
        told: told.iter().copied().peekable(),
        open: false,
        executes: 0,
        prepared: Vec::new(),
        found: &mut found,
    };
    found.problem = walk.walk(rows).err();
    found
}

struct Walk<'a, 'f, I: Iterator<Item = Told<'a>>> {
    told: Peekable<I>,
    /// Somebody was let in, and has not left.
    open: bool,
    /// Statements of the last text that each have a row `Execute` beside their own.
    executes: usize,
    prepared: Vec<String>,
    found: &'f mut Found,
}

impl<'a, I: Iterator<Item = Told<'a>>> Walk<'a, '_, I> {
    fn walk(mut self, rows: &[&Logged]) -> Result<(), String> {
        let mut rows = rows.iter().peekable();
        while let Some(row) = rows.next() {
            let refused = rows.next_if(|next| next.kind == "Connect").map(|next| text(&next.text));
            let text = text(&row.text);
            let told = match row.kind.as_str() {
                "Execute" if self.executes == 0 => self.execute(&row.text),
                kind => self.row(kind, &text, refused.as_deref()),
            };
            told.map_err(|why| format!("{why}\n    row   {}: {text:?}", row.kind))?;
            self.found.rows += 1 + usize::from(refused.is_some());
        }
        // Not everybody says goodbye.
        let rest: Vec<_> = std::iter::from_fn(|| self.next()).map(|told| told.event).collect();
        let ended = rest.iter().all(|event| is_logout(event)) && rest.len() == usize::from(self.open);
        if ended { Ok(()) } else { Err(format!("the end is another: {rest:?}")) }
    }

    fn row(&mut self, kind: &str, text: &str, refused: Option<&str>) -> Result<(), String> {
        match kind {
            "Query" => return self.query(text),
            "Prepare" => self.prepared.push(text.to_owned()),
            _ if SILENT.contains(&kind) => {}
            "Execute" => self.executes -= 1,
            "Connect" | "Change user" => {
                let login = self.expect("a login", |event| event["kind"] == "login")?;
                let (sql, last) = (&login["sql"], self.told.peek().is_none());
                let unknown = sql["errorCode"] == "1049" && refused.is_none() && last;
                let denied =
                    sql["errorCode"] == "1045" && refused.is_some_and(|why| why.contains("Access denied"));
                let let_in = sql["errorCode"].is_null() && refused.is_none();
                check(let_in || denied || unknown, "another end of the login", login)?;
                check(sql["success"] == let_in, "another outcome of the login", login)?;
                self.open |= let_in;
            }
            "Quit" => {
                self.expect("a logout of who said goodbye", |event| {
                    is_logout(event) && event["sql"]["success"] == true
                })?;
                self.open = false;
            }
            "Init DB" => {
                let chosen = |event: &Value| {
                    event["operation"]["command"] == "COM_INIT_DB" && event["operation"]["objectName"] == text
                };
                self.expect("a choice of it", chosen)?;
            }
            "Debug" => drop(self.expect("it", |event| event["operation"]["command"] == "COM_DEBUG")),
            other => return Err(format!("a row of a kind that is not known: {other}")),
        }
        Ok(())
    }

    /// Each statement of a text has its event: nothing is left between them but blanks, comments and `;`.
    fn query(&mut self, text: &str) -> Result<(), String> {
        self.executes = 0;
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
            if rest.is_empty() {
                return Ok(());
            }
            self.skip_unlogged();
            let raw = self.told.peek().and_then(|told| told.event["sql"]["raw"].as_str());
            match raw.and_then(|raw| behind(rest, raw)) {
                Some(behind) => {
                    let told = self.next().map(|told| told.event).unwrap_or(&Value::Null);
                    let verb = &told["operation"]["type"];
                    self.executes += usize::from(verb == "EXECUTE" && told["sql"]["success"] == true);
                    check(
                        verb == "EXECUTE" || told["sql"]["prepared"].is_null(),
                        "a statement of a text is none that is prepared",
                        told,
                    )?;
                    rest = behind;
                }
                None => {
                    rest = behind_comment(rest)
                        .ok_or_else(|| format!("no event for {rest:?}, but {:?}", self.told.peek()))?
                }
            }
        }
    }

    fn execute(&mut self, text: &[u8]) -> Result<(), String> {
        let event = self.expect("a run", |event| event["sql"]["prepared"].is_string())?;
        let raw = event["sql"]["raw"].as_str().unwrap_or_default();
        check(
            self.prepared.iter().any(|prepared| trimmed(prepared) == raw),
            "a text that was never prepared",
            event,
        )?;
        if text != raw.as_bytes() {
            let values = event["sql"]["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            let cut = !event["sql"]["truncated"]["parameters"].is_null();
            self.found.values +=
                literals::filled(text, raw, values, cut).map_err(|why| format!("{why}: {event}"))?;
        }
        Ok(())
    }

    fn expect(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Result<&'a Value, String> {
        self.skip_unlogged();
        match self.next() {
            Some(told) if is(told.event) => Ok(told.event),
            other => Err(format!("{what}, but {:?}", other.map(|told| told.event))),
        }
    }

    fn next(&mut self) -> Option<Told<'a>> {
        self.told.next()
    }

    fn skip_unlogged(&mut self) {
        while self.told.next_if(|told| told.ran.is_some_and(is_unlogged)).is_some() {
            self.found.unlogged += 1;
        }
    }
}

/// ER_UNKNOWN_STMT_HANDLER and ER_MALFORMED_PACKET, which a MySQL finds before it writes (connector-python sends it six such).
const REFUSED_UNREAD: [u64; 2] = [1243, 1835];

fn is_unlogged(ran: &Statement) -> bool {
    match ran.name() {
        "Init DB" | "Prepare" => ran.errno() != 0,
        "Reset Connection" | "Reset connection" => true,
        // Of an EXECUTE there is the text that it is in.
        "execute_sql" => false,
        _ => REFUSED_UNREAD.contains(&ran.errno()),
    }
}

/// What is behind a statement at the begin of a text; of what was hidden nobody knows how long it was.
fn behind<'t>(text: &'t str, raw: &str) -> Option<&'t str> {
    let mut parts = raw.split(REDACTED);
    let mut rest = text.strip_prefix(parts.next().filter(|first| !first.is_empty())?)?;
    for part in parts {
        rest = if part.is_empty() { "" } else { rest.split_once(part)?.1 };
    }
    Some(rest)
}

/// What is behind a comment that a text begins with, if the server runs nothing of it.
pub(crate) fn behind_comment(text: &str) -> Option<&str> {
    let line = text.starts_with('#') || text.starts_with("-- ") || text.starts_with("--\n");
    if line {
        return Some(text.split_once('\n').map_or("", |(_, rest)| rest));
    }
    let block =
        text.strip_prefix("/*").filter(|inner| !inner.starts_with('!') && !inner.starts_with("M!"))?;
    block.split_once("*/").map(|(_, rest)| rest)
}

fn trimmed(text: &str) -> &str {
    text.trim().trim_end_matches(';').trim_end()
}

/// What is not UTF-8 was sent in latin1, as one statement of the mixes is; a MariaDB tells its bytes so: `\xE9`.
fn text(bytes: &[u8]) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    text.replace("\\xE9", "é")
}

fn is_logout(event: &Value) -> bool {
    event["kind"] == "logout" && event["sql"]["success"].is_boolean()
}

fn check(holds: bool, what: &str, event: &Value) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {event}")) }
}
