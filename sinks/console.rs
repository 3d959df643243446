//! Events on standard output, for log collectors or for people.
//!
//! A pipe that nobody reads holds up this sink alone; one whose reader is gone is a failure like any other: the sink
//! tries again, with pauses, and the journal keeps the events for the next start.

use std::io::{self, IsTerminal, Stdout, Write};

use panoptes_config::{self as config, ConsoleFormat, Format};
use panoptes_event::Event;

use crate::{
    format,
    pretty::Pretty,
    sink::{Failure, Records, Sink},
};

/// What a line of `lines` begins with.
const PREFIX: &[u8] = b"[Panoptes][audit-event] ";

/// The console sink.
pub(crate) struct Console<W = Stdout> {
    form: Form,
    lines: Vec<u8>,
    out: W,
}

/// How an event looks.
enum Form {
    Lines,
    Json(Format),
    Pretty(Pretty),
}

impl Console {
    pub(crate) fn new(options: &config::Console) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        let form = match options.format {
            ConsoleFormat::Auto if terminal => Form::Pretty(Pretty::new(true)),
            ConsoleFormat::Auto | ConsoleFormat::Lines => Form::Lines,
            ConsoleFormat::Json => Form::Json(Format::Native),
            ConsoleFormat::Ecs => Form::Json(Format::Ecs),
            ConsoleFormat::Ocsf => Form::Json(Format::Ocsf),
            ConsoleFormat::Cloudevents => Form::Json(Format::Cloudevents),
            ConsoleFormat::Pretty => Form::Pretty(Pretty::new(terminal)),
        };
        Self { form, lines: Vec::new(), out }
    }
}

impl<W: Write + Send + 'static> Sink for Console<W> {
    async fn deliver(&mut self, batch: &Records<'_>) -> Result<(), Failure> {
        self.lines.clear();
        let mut refused = Vec::new();
        match &self.form {
            Form::Lines => batch.write_lines(PREFIX, &mut self.lines),
            Form::Json(format) => refused = format::write_lines(*format, batch, &mut self.lines),
            Form::Pretty(pretty) => write_pretty(pretty, batch, &mut self.lines),
        }
        let written = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        written.map_err(|error| Failure::retry(format!("standard output: {error}")))?;
        Failure::partial(Vec::new(), refused, None)
    }
}

fn write_pretty(pretty: &Pretty, batch: &Records<'_>, out: &mut Vec<u8>) {
    for record in batch.iter() {
        match serde_json::from_slice::<Event>(record.json) {
            Ok(event) => pretty.write(&event, out),
            // A kind of event that this version does not know: as it is, it holds no control characters.
            Err(_) => {
                out.extend_from_slice(record.json);
                out.push(b'\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"kind":"later","seq":1}"#;

    fn written(form: Form) -> String {
        let span = crate::journal::Span::whole(1, JSON);
        let mut console = Console { form, lines: Vec::new(), out: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(console.deliver(&Records::new(JSON, &[span]))).unwrap();
        String::from_utf8(console.out).unwrap()
    }

    #[test]
    fn an_event_is_one_line_in_each_form() {
        assert_eq!(written(Form::Lines), "[Panoptes][audit-event] {\"kind\":\"later\",\"seq\":1}\n");
        assert_eq!(written(Form::Json(Format::Native)), "{\"kind\":\"later\",\"seq\":1}\n");
        assert_eq!(written(Form::Pretty(Pretty::new(false))), "{\"kind\":\"later\",\"seq\":1}\n");
    }
}
