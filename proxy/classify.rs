//! `panoptes classify`: what the audit would say of SQL that is given to it, one JSON line a statement.
//!
//! What is written is encoded by the same code as events are: a rule or a test that holds here holds there.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    thread,
};

use panoptes_event::json::Object;
use panoptes_parser::{
    sql::{self, Dialect},
    text::Encoding,
};
use serde::Deserialize;
use serde_json::error::Category;

use crate::audit::{text::Text, texts::Texts};

/// Longest input line, and longest text.
const MAX_LINE_BYTES: usize = 16 << 20;
const MAX_TEXT_BYTES: usize = 256 << 20;
/// U+FEFF, which editors of some systems put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What is remembered of texts seen before.
const CACHE_BYTES: usize = 16 << 20;

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

/// Answers JSON lines `{"sql": "…"}` as they come; other members are let pass, empty lines too. Memory does not grow
/// with their number.
///
/// # Errors
/// At the first line that is not such an object, naming it; what came before it is answered.
pub fn classify_lines(
    input: impl Read + Send,
    output: impl Write + Send,
    dialect: Dialect,
) -> Result<(), ClassifyError> {
    on_large_stack(|| lines(BufReader::new(input), Answers::new(output, dialect)))
}

/// Answers for one text, all statements of it. Bytes that are not UTF-8 are read as `\xNN`.
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

fn lines(mut input: BufReader<impl Read>, mut answers: Answers<impl Write>) -> Result<(), ClassifyError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let length = input.by_ref().take(limit).read_until(b'\n', &mut line).map_err(ClassifyError::Read)?;
        if length == 0 {
            break;
        }
        let wrong = |why| ClassifyError::Line { line: number, why };
        if length > MAX_LINE_BYTES {
            return Err(wrong(format!("longer than {} MiB", MAX_LINE_BYTES >> 20)));
        }
        let object = if number == 1 { unmarked(&line) } else { &line }.trim_ascii();
        if !object.is_empty() {
            let sql = text_of(object).map_err(wrong)?;
            answers.text(&sql, |_| number)?;
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
    let text = Encoding::UTF8.decode(unmarked(&bytes));
    let (mut line, mut counted) = (1, 0);
    answers.text(&text, |start| {
        let passed = text.as_bytes().get(counted..start).unwrap_or_default();
        (line, counted) = (line + passed.iter().filter(|byte| **byte == b'\n').count(), start);
        line
    })?;
    answers.flush()
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
    encoded: Vec<u8>,
}

impl<W: Write> Answers<W> {
    fn new(output: W, dialect: Dialect) -> Self {
        let output = BufWriter::new(output);
        Self { output, dialect, texts: Texts::new(CACHE_BYTES), encoded: Vec::new() }
    }

    /// One answer for each statement of `text`; `line` is that of a place in it.
    fn text(&mut self, text: &str, mut line: impl FnMut(usize) -> usize) -> Result<(), ClassifyError> {
        let uncertain = !is_certain(text, self.dialect);
        for place in sql::split(text.as_bytes(), self.dialect) {
            let line = line(place.start);
            let Some(statement) = text.get(place) else { continue };
            let read = self.texts.read(statement, None, self.dialect);
            self.encoded.clear();
            encode(&mut self.encoded, line, &read, uncertain);
            self.output.write_all(&self.encoded).map_err(ClassifyError::Write)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ClassifyError> {
        self.output.flush().map_err(ClassifyError::Write)
    }
}

/// Only the end of a text tells whether its cuts are right; to read it twice costs less than to keep what was found in it.
fn is_certain(text: &str, dialect: Dialect) -> bool {
    let mut statements = sql::split(text.as_bytes(), dialect);
    statements.by_ref().for_each(drop);
    statements.certain()
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
        classify_lines(input.as_bytes(), &mut out, Dialect::POSTGRES)?;
        Ok(String::from_utf8(out).unwrap())
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
    fn cuts_that_may_be_wrong_are_told() {
        let told = text("SELECT 1; SELECT 'it's'; DROP TABLE t");
        assert!(told.lines().count() > 0);
        assert!(told.lines().all(|line| line.contains(r#""split":"uncertain""#)), "{told}");
        assert!(!text("SELECT 1; DROP TABLE t").contains("uncertain"));
    }
}
