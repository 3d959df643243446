//! `panoptes classify`: what the audit would say of SQL that is given to it, one JSON line a statement.
//!
//! What is written is encoded by the same code as events are: a rule or a test that holds here holds there.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    rc::Rc,
    thread,
};

use panoptes_event::json::Object;
use panoptes_parser::{
    sql::{self, Dialect, Effect, SecretNames},
    text::Encoding,
};
use serde::Deserialize;
use serde_json::error::Category;

use crate::audit::{text::Text, texts::Texts};

/// Longest input line, and longest text.
const MAX_LINE_BYTES: usize = 16 << 20;
const MAX_TEXT_BYTES: usize = 256 << 20;
/// Longest text whose statements are looked at for secrets that they give each other: the audit takes no longer one as a whole
/// (`limits.max_script_bytes`).
const MAX_SHARED_TEXT: usize = 4 << 20;
/// U+FEFF, which editors of some systems put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What is remembered of texts seen before.
const CACHE_BYTES: usize = 16 << 20;
/// Prepared statements that are remembered, and cursors.
const MAX_NAMES: usize = 1_000;

/// Why `classify` ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifyError {
    /// A line that is no object with a text in it.
    #[error("line {line}: {why}; expected {{\"sql\": \"…\"}}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it, without quoting it.
        why: String,
    },
    /// UTF-16, or no text at all.
    #[error("it is not UTF-8; convert it, as by iconv -f UTF-16 -t UTF-8")]
    Encoding,
    /// The text is too long.
    #[error("more than {} MiB of text; cut it, or give its statements as JSON lines", MAX_TEXT_BYTES >> 20)]
    Text,
    /// The input could not be read.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// The answers could not be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// No thread with a stack as large as the parser needs.
    #[error("cannot start a thread: {0}; raise the limits of the process")]
    Start(#[source] io::Error),
}

/// Answers JSON lines `{"sql": "…"}` as they come, as statements of one session; other members are let pass, empty lines
/// too. A line that is no such object is told to `wrong`, and has no answer. Memory does not grow with their number.
///
/// # Errors
/// If input or output fail, or the input is UTF-16.
pub fn classify_lines(
    input: impl Read + Send,
    output: impl Write + Send,
    dialect: Dialect,
    wrong: impl FnMut(ClassifyError) + Send,
) -> Result<(), ClassifyError> {
    on_large_stack(|| lines(BufReader::new(input), Answers::new(output, dialect), wrong))
}

/// Answers for one text, all statements of it. UTF-16 is read where a byte order mark says so; in UTF-8, bytes that are none
/// are read as `\xNN`.
///
/// # Errors
/// If it is longer than 256 MiB, or input or output fail.
pub fn classify_text(
    input: impl Read + Send,
    output: impl Write + Send,
    dialect: Dialect,
) -> Result<(), ClassifyError> {
    on_large_stack(|| whole(input, Answers::new(output, dialect)))
}

fn on_large_stack(work: impl FnOnce() -> Result<(), ClassifyError> + Send) -> Result<(), ClassifyError> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(sql::classify::STACK_BYTES);
        let thread = builder.spawn_scoped(scope, work).map_err(ClassifyError::Start)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn lines(
    mut input: BufReader<impl Read>,
    mut answers: Answers<impl Write>,
    mut wrong: impl FnMut(ClassifyError),
) -> Result<(), ClassifyError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let length = input.by_ref().take(limit).read_until(b'\n', &mut line).map_err(ClassifyError::Read)?;
        if length == 0 {
            break;
        }
        if number == 1 && is_utf16(&line) {
            return Err(ClassifyError::Encoding);
        }
        let object = if number == 1 { unmarked(&line) } else { &line }.trim_ascii();
        let sql = if length > MAX_LINE_BYTES {
            input.skip_until(b'\n').map_err(ClassifyError::Read)?;
            Err(format!("longer than {} MiB", MAX_LINE_BYTES >> 20))
        } else {
            text_of(object)
        };
        match sql {
            Ok(sql) => answers.text(&sql, |_| number)?,
            Err(_) if object.is_empty() => {}
            Err(why) => wrong(ClassifyError::Line { line: number, why }),
        }
        // Who asks line by line waits for the answer.
        if input.buffer().is_empty() {
            answers.flush()?;
        }
    }
    answers.flush()
}

fn whole(input: impl Read, mut answers: Answers<impl Write>) -> Result<(), ClassifyError> {
    let mut bytes = Vec::new();
    input.take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(ClassifyError::Read)?;
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(ClassifyError::Text);
    }
    let utf16 = utf16(&bytes);
    if utf16.is_none() && is_utf16(&bytes) {
        return Err(ClassifyError::Encoding);
    }
    let text = utf16.map_or_else(|| Encoding::UTF8.decode(unmarked(&bytes)), Cow::Owned);
    let (mut line, mut counted) = (1, 0);
    answers.text(&text, |start| {
        let passed = text.as_bytes().get(counted..start).unwrap_or_default();
        (line, counted) = (line + passed.iter().filter(|byte| **byte == b'\n').count(), start);
        line
    })?;
    answers.flush()
}

/// No SQL and no JSON begins with a NUL, or has one behind its first letter.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, ..] | [_, 0, ..])
}

/// A text of UTF-16 whose byte order mark says so.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (unit, bytes): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xFF, 0xFE, bytes @ ..] => (u16::from_le_bytes, bytes),
        [0xFE, 0xFF, bytes @ ..] => (u16::from_be_bytes, bytes),
        _ => return None,
    };
    let units = bytes.as_chunks().0.iter().map(|bytes| unit(*bytes));
    Some(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

#[derive(Deserialize)]
struct Line {
    sql: String,
}

/// The text in one object, or what is wrong with it, in words that quote nothing: a secret may be anywhere in it.
fn text_of(object: &[u8]) -> Result<String, String> {
    if !object.starts_with(b"{") {
        return Err("no JSON object".into());
    }
    let line: Result<Line, _> = serde_json::from_slice(object);
    line.map(|line| line.sql).map_err(|error| match error.classify() {
        Category::Data => "not one string of the name sql".into(),
        // These speak of the grammar of JSON alone; the place in the line is the reader's, where that is always line 1.
        _ => error.to_string().replace(&format!(" at line {} column {}", error.line(), error.column()), ""),
    })
}

/// Where answers go.
struct Answers<W: Write> {
    output: BufWriter<W>,
    dialect: Dialect,
    texts: Texts,
    known: Known,
    encoded: Vec<u8>,
}

/// What the statements so far prepared and declared, by name.
#[derive(Default)]
struct Known {
    prepared: HashMap<String, Rc<Text>>,
    cursors: HashMap<String, Rc<Text>>,
}

impl Known {
    /// What a statement is, where it hangs on one before it; then what it leaves behind.
    fn follow(&mut self, text: &Rc<Text>, dialect: Dialect) -> Option<Text> {
        let resolved = match &text.effect {
            Effect::Execute(name) => match self.prepared.get(&**name) {
                Some(body) => Some(text.executing(body, dialect)),
                None => text.without_arguments(None, dialect),
            },
            Effect::Explain(name) => match self.prepared.get(&**name) {
                Some(body) => Some(text.explaining(body, dialect)),
                None => text.without_arguments(None, dialect),
            },
            Effect::Fetch(name) => self.cursors.get(&**name).map(|declared| text.fetching(declared)),
            Effect::Close(name) if !dialect.is_postgres() => {
                self.cursors.get(&**name).map(|opened| text.fetching(opened))
            }
            _ => None,
        };
        match &text.effect {
            Effect::Prepare { name, .. } => keep(&mut self.prepared, name, text.prepares.as_ref()),
            Effect::Declare { name, .. } => keep(&mut self.cursors, name, Some(text)),
            Effect::Deallocate(name) => _ = self.prepared.remove(&**name),
            Effect::Close(name) => _ = self.cursors.remove(&**name),
            Effect::DeallocateAll => self.prepared.clear(),
            Effect::CloseAll => self.cursors.clear(),
            Effect::DiscardAll => *self = Self::default(),
            _ => {}
        }
        resolved
    }
}

fn keep(names: &mut HashMap<String, Rc<Text>>, name: &str, text: Option<&Rc<Text>>) {
    names.remove(name);
    if let Some(text) = text.filter(|_| names.len() < MAX_NAMES) {
        names.insert(name.to_owned(), Rc::clone(text));
    }
}

impl<W: Write> Answers<W> {
    fn new(output: W, dialect: Dialect) -> Self {
        let output = BufWriter::new(output);
        Self { output, dialect, texts: Texts::new(CACHE_BYTES), known: Known::default(), encoded: Vec::new() }
    }

    /// One answer for each statement of `text`; `line` is that of a place in it.
    fn text(&mut self, text: &str, mut line: impl FnMut(usize) -> usize) -> Result<(), ClassifyError> {
        let (count, certain) = counted(text, self.dialect);
        let several = count > 1 && text.len() <= MAX_SHARED_TEXT;
        let names = if several { SecretNames::of(text, self.dialect) } else { None };
        let mut statements = sql::split(text.as_bytes(), self.dialect).with_comments();
        while let Some(place) = statements.next() {
            let line = line(statements.begin());
            let Some(statement) = text.get(place) else { continue };
            let read = match &names {
                Some(names) => self.texts.read_among(statement, None, names, self.dialect),
                None => self.texts.read(statement, None, self.dialect),
            };
            self.encoded.clear();
            let resolved = self.known.follow(&read, self.dialect);
            encode(&mut self.encoded, line, resolved.as_ref().unwrap_or(&read), !certain);
            self.output.write_all(&self.encoded).map_err(ClassifyError::Write)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ClassifyError> {
        self.output.flush().map_err(ClassifyError::Write)
    }
}

/// How many statements a text has. Only its end tells whether its cuts are right; to read it twice costs less than to keep what
/// was found in it.
fn counted(text: &str, dialect: Dialect) -> (usize, bool) {
    let mut statements = sql::split(text.as_bytes(), dialect);
    (statements.by_ref().count(), statements.certain())
}

fn encode(out: &mut Vec<u8>, line: usize, text: &Text, uncertain: bool) {
    let mut object = Object::begin(out);
    object.member("line", &line).inline(&text.form.operation.encoded);
    object.inline(&text.raw).inline(&text.form.normalized);
    if uncertain {
        object.plain("split", "uncertain");
    }
    if !text.rules().is_empty() {
        object.member("redacted", text.rules());
    }
    object.end();
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str) -> Result<String, ClassifyError> {
        let mut out = Vec::new();
        let mut first = None;
        classify_lines(input.as_bytes(), &mut out, Dialect::POSTGRES, |error| {
            first = first.take().or(Some(error))
        })?;
        first.map_or(Ok(String::from_utf8(out).unwrap()), Err)
    }

    fn text(input: &str) -> String {
        let mut out = Vec::new();
        classify_text(input.as_bytes(), &mut out, Dialect::POSTGRES).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_quotes_nothing_of_the_input() {
        for input in [
            r#""ALTER ROLE a PASSWORD canary""#,
            r#"["canary"]"#,
            r#"[{"sql":"canary"}]"#,
            r#"{"sql":{"canary":1}}"#,
            r#"{"sql":["canary"]}"#,
            r#"{"sql":41414141}"#,
            r#"{"sql":"a","sql":"canary"}"#,
            r#"{"canary":"a"}"#,
            r#"{"sql":"canary"#,
            r#"{"sql":"canary"} canary"#,
            r#"{"sql":"canary\q"}"#,
            r"canary",
        ] {
            let error = lines(&format!("\n{input}\n")).unwrap_err().to_string();
            assert!(
                error.starts_with("line 2: ") && error.ends_with(r#"; expected {"sql": "…"}"#),
                "{error}"
            );
            assert!(!error.contains("canary") && !error.contains("4141"), "{error}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_statement() {
        assert!(lines("\u{feff}{\"sql\":\"SELECT 1\"}").unwrap().contains(r#""raw":"SELECT 1""#));
        let told = text("\u{feff}DELETE FROM t");
        assert!(told.contains(r#""type":"DELETE""#) && told.contains(r#""raw":"DELETE FROM t""#), "{told}");
    }

    #[test]
    fn utf_16_is_read_or_told() {
        let units = "\u{feff}DELETE FROM é".encode_utf16();
        for bytes in [
            units.clone().flat_map(u16::to_le_bytes).collect(),
            units.flat_map(u16::to_be_bytes).collect::<Vec<u8>>(),
        ] {
            let mut out = Vec::new();
            classify_text(&*bytes, &mut out, Dialect::POSTGRES).unwrap();
            assert!(String::from_utf8(out).unwrap().contains(r#""raw":"DELETE FROM é""#));
            let told = classify_text(&bytes[2..], Vec::new(), Dialect::POSTGRES);
            assert!(matches!(told, Err(ClassifyError::Encoding)));
            let told = classify_lines(&*bytes, Vec::new(), Dialect::POSTGRES, |_| {});
            assert!(matches!(told, Err(ClassifyError::Encoding)));
        }
    }

    #[test]
    fn what_the_input_prepared_is_known() {
        let told = text(
            "PREPARE p AS SELECT crypt($1, 'x') FROM a; EXECUTE p('canary'); DEALLOCATE p; EXECUTE p('canary');
             DECLARE c CURSOR FOR SELECT * FROM b; FETCH c",
        );
        let told: Vec<&str> = told.lines().collect();
        assert!(told[1].contains(r#""mainTable":"a""#) && told[5].contains(r#""mainTable":"b""#), "{told:?}");
        assert!(!told[3].contains("mainTable") && !told.concat().contains("canary"), "{told:?}");
    }

    #[test]
    fn cuts_that_may_be_wrong_are_told() {
        let told = text("SELECT 1; SELECT 'it's'; DROP TABLE t");
        assert!(told.lines().count() > 0);
        assert!(told.lines().all(|line| line.contains(r#""split":"uncertain""#)), "{told}");
        assert!(!text("SELECT 1; DROP TABLE t").contains("uncertain"));
    }
}
