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

use crate::audit::text::{Text, Texts};

/// Longest input line, and longest text.
const MAX_LINE_BYTES: usize = 16 << 20;
const MAX_TEXT_BYTES: usize = 256 << 20;
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
        if !line.iter().all(u8::is_ascii_whitespace) {
            let Line { sql } = serde_json::from_slice(&line).map_err(|error| wrong(told(&error)))?;
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
    let text = Encoding::UTF8.decode(&bytes);
    let (mut line, mut counted) = (1, 0);
    answers.text(&text, |start| {
        let passed = text.as_bytes().get(counted..start).unwrap_or_default();
        (line, counted) = (line + passed.iter().filter(|byte| **byte == b'\n').count(), start);
        line
    })?;
    answers.flush()
}

#[derive(Deserialize)]
struct Line {
    sql: String,
}

/// What is wrong, less the place, which is always line 1 for the reader of one line.
fn told(error: &serde_json::Error) -> String {
    let told = error.to_string();
    told.replace(&format!(" at line {} column {}", error.line(), error.column()), "")
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
        for place in sql::split(text.as_bytes(), self.dialect) {
            let line = line(place.start);
            let Some(statement) = text.get(place) else { continue };
            let read = self.texts.read(statement, None, self.dialect);
            self.encoded.clear();
            encode(&mut self.encoded, line, &read);
            self.output.write_all(&self.encoded).map_err(ClassifyError::Write)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ClassifyError> {
        self.output.flush().map_err(ClassifyError::Write)
    }
}

fn encode(out: &mut Vec<u8>, line: usize, text: &Text) {
    let mut object = Object::begin(out);
    object.member("line", &line).encoded("operation", &text.form.operation.encoded);
    object.inline(&text.raw).inline(&text.form.normalized);
    if !text.rules().is_empty() {
        object.member("redacted", text.rules());
    }
    object.end();
    out.push(b'\n');
}
