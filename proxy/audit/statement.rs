//! One execution of one statement, on its way to an event.

use std::rc::Rc;

use panoptes_event::{Outcome, Uuid, Verdict};
use panoptes_parser::{
    postgres::tag_rows,
    sql::{self, Dialect},
    wire::{Answer, Failure, TransactionStatus},
};

use super::{
    aside::Aside,
    names::{Portal, Prepared},
    operation::Operated,
    secret::Secrets,
    text::Text,
};

/// What it says of itself.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// SQL.
    Sql(Rc<Text>),
    /// A command without SQL, or SQL whose text is not known.
    Command(Rc<Operated>),
}

impl What {
    /// What was done.
    pub(crate) fn operation(&self) -> &Rc<Operated> {
        match self {
            Self::Sql(text) => &text.form.operation,
            Self::Command(operation) => operation,
        }
    }
}

/// One execution.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) id: Uuid,
    pub(crate) what: What,
    pub(crate) prepared: Option<Rc<Prepared>>,
    /// `parameters`, encoded; empty where there are none.
    pub(crate) parameters: Rc<[u8]>,
    /// Those that were hidden.
    pub(crate) secrets: Option<Secrets>,
    /// Size of the parameters, where some of it is missing.
    pub(crate) parameters_truncated: Option<u64>,
    /// This stands for a text whose statements could not be told apart.
    pub(crate) split_uncertain: bool,
    /// It may commit on its own: a procedure, or a DO block.
    pub(crate) commits: bool,
    /// When the first byte came, in microseconds since 1970.
    pub(crate) unix_micros: i64,
    pub(crate) duration_micros: u64,
    pub(crate) end: End,
    pub(crate) transaction: Option<Uuid>,
    pub(crate) status: TransactionStatus,
    pub(crate) verdict: Option<Verdict>,
    /// The error that undid it when it was to be committed.
    pub(crate) undone_by: Option<Rc<Error>>,
    pub(crate) aside: Option<Box<Aside>>,
}

impl Statement {
    /// Its text, where that is of it alone.
    pub(crate) fn text(&self) -> Option<&Rc<Text>> {
        match &self.what {
            What::Sql(text) if !self.split_uncertain => Some(text),
            _ => None,
        }
    }

    /// One that is to run: without an id, or any outcome.
    pub(crate) fn intended(what: What, unix_micros: i64, no_parameters: &Rc<[u8]>) -> Self {
        Self {
            id: Uuid::nil(),
            commits: false,
            what,
            prepared: None,
            parameters: Rc::clone(no_parameters),
            secrets: None,
            parameters_truncated: None,
            split_uncertain: false,
            unix_micros,
            duration_micros: 0,
            end: End::default(),
            transaction: None,
            status: TransactionStatus::Idle,
            verdict: None,
            undone_by: None,
            aside: None,
        }
    }

    /// How many intents it is the outcome of.
    pub(crate) fn intents(&self) -> u32 {
        self.aside.as_ref().and_then(|aside| aside.intent).map_or(0, |intent| intent.count)
    }

    /// Takes the parameters of a portal.
    pub(crate) fn bind(&mut self, portal: &Portal) {
        self.parameters = Rc::clone(&portal.parameters);
        self.parameters_truncated = portal.truncated;
        self.secrets.clone_from(&portal.secrets);
    }

    /// Servers quote the statement back: what was hidden of it goes from the error, too.
    pub(crate) fn hide(&mut self, dialect: Dialect) {
        let Some(error) = &self.end.error else { return };
        let text = if let What::Sql(text) = &self.what { Some(text) } else { None };
        let secrets = [text.and_then(|text| text.secrets()), self.secrets.as_ref()];
        let unseen = error.is_of_syntax() && text.is_none_or(|text| text.runs_unseen());
        let shown = if unseen || secrets.iter().any(Option::is_some) {
            text.and_then(|text| text.shown()).unwrap_or_default()
        } else {
            String::new()
        };
        let told = if unseen { error.without_quotation(&shown) } else { None };
        let error = told.as_ref().unwrap_or(error);
        if let Some(error) = error.without(secrets, &shown, dialect).or(told) {
            self.end.error = Some(error);
        }
    }

    /// Its text, if it dropped a schema (MySQL).
    pub(crate) fn dropped_schema(&self) -> Option<Rc<Text>> {
        let What::Sql(text) = &self.what else { return None };
        let class = &text.form.class;
        let drops = class.verb == "DROP" && class.object == Some("DATABASE") && self.end.is_success();
        drops.then(|| Rc::clone(text))
    }

    /// What is told beside it.
    pub(crate) fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Whether it runs the prepared statement of this key.
    pub(crate) fn is_of(&self, key: &[u8]) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| *prepared.name == *key)
    }

    /// When its answer was complete, in microseconds since 1970.
    pub(crate) fn answered(&self) -> i64 {
        self.unix_micros.saturating_add_unsigned(self.duration_micros)
    }

    /// Whether its verdict is not known yet. What never ran has none.
    pub(crate) fn is_open(&self) -> bool {
        self.verdict.is_none() && self.may_last()
    }

    /// Whether it has a verdict at all.
    pub(crate) fn may_last(&self) -> bool {
        self.end.outcome != Some(Outcome::Skipped) && !self.end.apart
    }
}

/// How a statement ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) sent: u64,
    pub(crate) warnings: u32,
    pub(crate) error: Option<Rc<Error>>,
    /// It is no part of a transaction: a stream of what others committed, or another command of the replication protocol.
    pub(crate) apart: bool,
}

/// The server's words on a failure.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    /// The server's own number; 0 where it has none.
    pub(crate) code: u16,
    pub(crate) sql_state: String,
    pub(crate) message: String,
}

impl Statement {
    /// What its text, its parameters and what was said beside them take in memory.
    pub(crate) fn size(&self) -> usize {
        let text = if let What::Sql(text) = &self.what { text.raw.len() } else { 0 };
        let beside = self.aside.as_ref().map_or(0, |aside| aside.request.len());
        text + self.parameters.len() + beside
    }
}

impl Error {
    /// Of what the wire saw; `text` decodes the message.
    pub(crate) fn of(failure: &Failure<&[u8]>, text: impl FnOnce(&[u8]) -> String) -> Rc<Self> {
        let sql_state = String::from_utf8_lossy(failure.sql_state).into_owned();
        Rc::new(Self { code: failure.code, sql_state, message: text(failure.message) })
    }

    /// Whether the server could not read a text, and says from where on: ER_PARSE_ERROR, ER_SYNTAX_ERROR, `syntax_error`.
    fn is_of_syntax(&self) -> bool {
        matches!(self.code, 1064 | 1149) || self.code == 0 && self.sql_state == "42601"
    }

    /// The same without what it quotes of another text than that; `None` where it quotes none.
    fn without_quotation(&self, shown: &str) -> Option<Rc<Self>> {
        sql::redact_quotation(&self.message, shown).map(|message| self.saying(message))
    }

    fn saying(&self, message: String) -> Rc<Self> {
        Rc::new(Self { code: self.code, sql_state: self.sql_state.clone(), message })
    }

    /// The same without secrets; `None` where it has none. `shown` is the text as the event has it.
    pub(crate) fn without(
        &self,
        secrets: [Option<&Secrets>; 2],
        shown: &str,
        dialect: Dialect,
    ) -> Option<Rc<Self>> {
        Secrets::hide(secrets, &self.message, shown, dialect).map(|message| self.saying(message))
    }

    /// `query_canceled` is said of a user's request and of a timeout alike, of a COPY that the client gave up, and by any
    /// function that raises it. So the server's own English words are looked for; in a message with letters of another
    /// language only those of the others are. A translation written in ASCII, or a function that repeats the server's
    /// words, is still misread.
    fn outcome(&self) -> Outcome {
        match self.code {
            0 => {}
            // ER_QUERY_INTERRUPTED and ER_CONNECTION_KILLED. Timeouts have errors of their own.
            1317 | 1927 => return Outcome::Cancelled,
            _ => return Outcome::Error,
        }
        let other = self.message.contains("timeout") || self.message.contains("COPY");
        let by_user = self.message.contains("due to user request") || !self.message.is_ascii() && !other;
        if self.sql_state == "57014" && by_user { Outcome::Cancelled } else { Outcome::Error }
    }
}

impl End {
    /// Of what the wire saw; `None` where there was nothing to do.
    pub(crate) fn of(
        answer: &Answer<&[u8]>,
        warnings: u32,
        text: impl FnOnce(&[u8]) -> String,
    ) -> Option<Self> {
        let done = if warnings > 0 { Outcome::Warning } else { Outcome::Ok };
        Some(match *answer {
            Answer::Complete { tag, rows, bytes, sent } => {
                let rows = if rows > 0 { Some(rows) } else { tag_rows(tag) };
                Self { outcome: Some(done), rows, bytes, sent, warnings, ..Self::default() }
            }
            Answer::Affected { rows, sent, .. } => {
                Self { outcome: Some(done), rows: Some(rows), sent, warnings, ..Self::default() }
            }
            Answer::Returned { rows, bytes } | Answer::Suspended { rows, bytes } => {
                Self { outcome: Some(done), rows: Some(rows), bytes, warnings, ..Self::default() }
            }
            Answer::Streaming => Self { outcome: Some(done), warnings, apart: true, ..Self::default() },
            Answer::Failed(failure) => Self { warnings, ..Self::failed(Error::of(&failure, text)) },
            Answer::Skipped => Self::without_answer(Outcome::Skipped),
            Answer::Lost => Self::without_answer(Outcome::Lost),
            Answer::Empty | Answer::Prepared { .. } => return None,
        })
    }

    /// An answer that broke off behind so many rows and bytes.
    pub(crate) fn behind(self, broke_off: Option<(u64, u64)>) -> Self {
        match broke_off {
            Some((rows, bytes)) => Self { rows: (rows > 0).then_some(rows), bytes, ..self },
            None => self,
        }
    }

    /// One more result of the same statement; `closing` if it only tells that there are no more rows.
    pub(crate) fn add(&mut self, other: Self, closing: bool) {
        let more = other.rows.filter(|_| !closing);
        self.rows = more.map(|more| self.rows.unwrap_or(0).saturating_add(more)).or(self.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sent = self.sent.saturating_add(other.sent);
        // The server counts those of all that was run so far.
        self.warnings = self.warnings.max(other.warnings);
        let warned = self.warnings > 0 && other.outcome == Some(Outcome::Ok);
        self.outcome = if warned { Some(Outcome::Warning) } else { other.outcome };
        self.error = other.error;
    }

    /// The server refused it.
    pub(crate) fn failed(error: Rc<Error>) -> Self {
        Self { outcome: Some(error.outcome()), error: Some(error), ..Self::default() }
    }

    /// There was nothing to do.
    pub(crate) fn empty() -> Self {
        Self { outcome: Some(Outcome::Ok), ..Self::default() }
    }

    /// `skipped` or `lost`.
    pub(crate) fn without_answer(outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..Self::default() }
    }

    /// Whether the server said anything of it.
    pub(crate) fn was_run(&self) -> bool {
        !matches!(self.outcome, Some(Outcome::Skipped | Outcome::Lost))
    }

    /// Whether it did what it should.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Ok | Outcome::Warning))
    }
}

/// Whether the server's tag is not that of a statement with this verb. Only tags are looked at that no other statement
/// has; what other statements answer with says little (`CREATE TABLE AS` and a `WITH` that writes both give `SELECT`).
pub(crate) fn contradicts(tag: &[u8], verb: &str) -> bool {
    const TELLING: [&str; 13] = [
        "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "GRANT", "REVOKE",
        "COPY", "DO", "CALL",
    ];
    let writes_rows = |word: &str| matches!(word, "INSERT" | "UPDATE" | "DELETE" | "MERGE");
    let word = tag.split(|byte| *byte == b' ').next().unwrap_or_default();
    let Some(told) = TELLING.iter().find(|telling| telling.as_bytes() == word) else { return false };
    // A WITH may write in other ways than its last part; EXECUTE answers for what it runs.
    *told != verb && !(writes_rows(told) && writes_rows(verb)) && !matches!(verb, "EXECUTE" | "EXPLAIN")
}

/// Whether MySQL would not answer so to this statement: rows come of what has none to give, or none of a query.
pub(crate) fn contradicts_answer(answer: &Answer<&[u8]>, text: &Text) -> bool {
    let into = || text.form.normalized.windows(4).any(|word| word.eq_ignore_ascii_case(b"into"));
    match *answer {
        Answer::Affected { rows, .. } => match text.verb() {
            "SELECT" => !into(),
            "DO" => rows > 0,
            _ => false,
        },
        Answer::Returned { .. } => matches!(text.verb(), "DO" | "USE" | "TRUNCATE" | "COMMIT" | "ROLLBACK"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(answer: &Answer<&[u8]>) -> (Option<Outcome>, Option<u64>) {
        let end = End::of(answer, 0, |text| String::from_utf8_lossy(text).into_owned()).unwrap();
        (end.outcome, end.rows)
    }

    fn complete(tag: &str, rows: u64) -> Answer<&[u8]> {
        Answer::Complete { tag: tag.as_bytes(), rows, bytes: 0, sent: 0 }
    }

    fn failed<'a>(sql_state: &'a str, message: &'a str) -> Answer<&'a [u8]> {
        let (sql_state, message) = (sql_state.as_bytes(), message.as_bytes());
        Answer::Failed(Failure { sql_state, message, position: 0, code: 0, fatal: false })
    }

    #[test]
    fn rows_are_those_that_passed_or_those_that_the_server_counted() {
        assert_eq!(end(&complete("INSERT 0 5", 0)), (Some(Outcome::Ok), Some(5)));
        // The last portion of INSERT … RETURNING: the tag says 1, whatever was inserted.
        assert_eq!(end(&complete("INSERT 0 1", 3)), (Some(Outcome::Ok), Some(3)));
        assert_eq!(end(&complete("EXPLAIN", 4)), (Some(Outcome::Ok), Some(4)));
        assert_eq!(end(&complete("CREATE TABLE", 0)), (Some(Outcome::Ok), None));
    }

    #[test]
    fn only_a_users_request_cancels() {
        let by_user = failed("57014", "canceling statement due to user request");
        let raised = failed("57014", "boom");
        assert_eq!(end(&raised).0, Some(Outcome::Error));
        let french = failed("57014", "annulation de la requête à la demande de l'utilisateur");
        assert_eq!(end(&french).0, Some(Outcome::Cancelled));
        assert_eq!(end(&by_user).0, Some(Outcome::Cancelled));
        let timeout = failed("57014", "canceling statement due to statement timeout");
        assert_eq!(end(&timeout).0, Some(Outcome::Error));
        let given_up = failed("57014", "COPY from stdin failed: no");
        assert_eq!(end(&given_up).0, Some(Outcome::Error));
    }
}
