//! The text of a statement, understood once and encoded once.
//!
//! A text that was seen before costs a look-up; one that differs from such only in its literals costs the lexer and
//! a look-up; only a form never seen before goes to the grammar.

use std::rc::Rc;

use panoptes_event::{Access, Operation, json};
use panoptes_parser::{
    sql::{self, Category, Class, Dialect, Effect, Parsed, SecretParameter, Server},
    text::write_json_string,
    wire::Digest,
};
use serde::Serialize;

use super::{
    cache::{Cache, ENTRY_BYTES},
    secret::Secrets,
};

/// Texts longer than this are not kept whole: they hardly ever come again to the letter.
const MAX_CACHED_TEXT: usize = 4 << 10;

/// A statement's text.
#[derive(Debug)]
pub(crate) struct Text {
    /// `raw`, a member of `sql`.
    pub(crate) raw: Vec<u8>,
    /// Where some of it is missing.
    pub(crate) cut: Option<Cut>,
    pub(crate) form: Rc<Form>,
    pub(crate) effect: Effect<'static>,
    /// What `PREPARE` prepares.
    pub(crate) prepares: Option<Rc<Text>>,
    /// What was hidden of it, or is to be hidden of its parameters.
    pub(crate) redaction: Option<Rc<Redaction>>,
}

/// A text that was too long to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Size of the whole text.
    pub(crate) length: u64,
    /// Of the whole text, as it was sent.
    pub(crate) sha256: Option<Digest>,
}

/// What was hidden of a text.
#[derive(Debug, Default)]
pub(crate) struct Redaction {
    /// Rules, as `sql.redacted` tells them; none where only parameters are secret.
    pub(crate) rules: Vec<&'static str>,
    pub(crate) secrets: Secrets,
    /// The placeholders whose values are secret, by place.
    pub(crate) parameters: Vec<SecretParameter>,
}

/// What all texts have in common that differ in literals alone.
#[derive(Debug)]
pub(crate) struct Form {
    /// `normalized` and `fingerprint`; members of `sql`.
    pub(crate) normalized: Vec<u8>,
    pub(crate) operation: Rc<Operated>,
    class: Class,
}

/// `operation`, encoded, and what is counted of it.
#[derive(Debug)]
pub(crate) struct Operated {
    pub(crate) encoded: Vec<u8>,
    pub(crate) category: Category,
    /// What it runs may commit on its own.
    pub(crate) commits: bool,
}

impl Operated {
    /// Of a statement's text.
    fn of(class: &Class) -> Rc<Self> {
        Self::new(&operation(class), class.category, matches!(class.verb, "CALL" | "DO"))
    }

    fn new(operation: &Operation, category: Category, commits: bool) -> Rc<Self> {
        let mut encoded = Vec::new();
        json::write(&mut encoded, operation);
        Rc::new(Self { encoded, category, commits })
    }

    /// Of a command that carries no SQL.
    pub(crate) fn command(command: &str, object: Option<String>) -> Rc<Self> {
        let (kind, category) = match command {
            "FunctionCall" => ("CALL", Category::Dml),
            "SHOW" => ("SHOW", Category::Session),
            _ => ("UNKNOWN", Category::Other),
        };
        let operation = Operation {
            kind: kind.into(),
            category: category.as_str().into(),
            command: Some(command.into()),
            object_name: object,
            ..Operation::default()
        };
        Self::new(&operation, category, false)
    }

    /// Of a statement of which only the server's tag is known.
    pub(crate) fn tagged(tag: &[u8]) -> Rc<Self> {
        let class = sql::classify(&String::from_utf8_lossy(tag), Dialect::POSTGRES);
        let operation = Operation {
            kind: class.verb.into(),
            category: class.category.as_str().into(),
            object: class.object.map(Into::into),
            parsed: Some("none".into()),
            ..Operation::default()
        };
        Self::new(&operation, class.category, matches!(class.verb, "CALL" | "DO"))
    }

    /// Of a statement whose text is not known.
    pub(crate) fn unknown() -> Rc<Self> {
        let category = Category::Other;
        let operation = Operation {
            kind: "UNKNOWN".into(),
            category: category.as_str().into(),
            parsed: Some("none".into()),
            ..Operation::default()
        };
        Self::new(&operation, category, false)
    }
}

/// All texts, and what is remembered of them.
pub(crate) struct Texts {
    texts: Cache<Text>,
    forms: Cache<Form>,
    normalized: String,
}

impl Texts {
    /// Remembers up to `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { texts: Cache::new(bytes / 2), forms: Cache::new(bytes / 2), normalized: String::new() }
    }

    /// Understands one statement. `cut` where `text` is only the head of it.
    pub(crate) fn read(&mut self, text: &str, cut: Option<Cut>, dialect: Dialect) -> Rc<Text> {
        self.read_nested(text, cut, dialect, true)
    }

    /// A prepared statement prepares no other: the server refuses that, and here it would recurse.
    fn read_nested(&mut self, text: &str, cut: Option<Cut>, dialect: Dialect, prepares: bool) -> Rc<Text> {
        let usual = cut.is_none() && dialect == Dialect::POSTGRES;
        if usual && let Some(known) = self.texts.find(text) {
            return known;
        }
        let redacted =
            if cut.is_some() { sql::redact_head(text, dialect) } else { sql::redact(text, dialect) };
        let shown = redacted.as_ref().map_or(text, |redacted| &redacted.text);
        sql::normalize(shown, dialect, &mut self.normalized);
        let form = self.form(shown, dialect);
        let raw = raw(shown);
        // A text with literals comes again less often than it pushes others out, and a secret is kept nowhere.
        let without_literals = self.normalized.len() == shown.len() || !self.normalized.contains('?');
        let effect = owned(sql::effect(shown, dialect));
        let kept = prepares || !matches!(effect, Effect::Prepare { .. });
        let prepares = match &effect {
            Effect::Prepare { body, .. } | Effect::ExecuteImmediate { body } if prepares => shown
                .get(body.clone())
                .and_then(|body| sql::prepared(body, dialect))
                .map(|body| self.read_nested(&body, cut, dialect, false)),
            _ => None,
        };
        let redaction = redacted.map(|redacted| Rc::new(Redaction::of(redacted, text)));
        let secret = redaction.as_ref().is_some_and(|redaction| !redaction.rules.is_empty());
        // By its digest a short secret could be guessed.
        let cut = cut.map(|cut| Cut { sha256: cut.sha256.filter(|_| !secret), ..cut });
        let text_read = Text { raw, cut, form, effect, prepares, redaction };
        let text_read = Rc::new(text_read.immediate(dialect));
        if usual && kept && !secret && without_literals && text.len() <= MAX_CACHED_TEXT {
            let size = 2 * text.len() + ENTRY_BYTES;
            self.texts.keep(text.into(), Rc::clone(&text_read), size);
        }
        text_read
    }

    /// The form of the text that was just normalized. In another dialect the same form may be of another class, so the
    /// dialect is the end of the key.
    fn form(&mut self, text: &str, dialect: Dialect) -> Rc<Form> {
        let length = self.normalized.len();
        mark(&mut self.normalized, dialect);
        let known = self.forms.find(self.normalized.as_str());
        let form = known.unwrap_or_else(|| self.new_form(text, length, dialect));
        self.normalized.truncate(length);
        form
    }

    /// `length` is that of the normalized text, less the mark of the dialect.
    fn new_form(&mut self, text: &str, length: usize, dialect: Dialect) -> Rc<Form> {
        let normalized = self.normalized.get(..length).unwrap_or_default();
        let class = sql::classify(text, dialect);
        let fingerprint = sql::fingerprint(normalized).to_string();
        let form = Rc::new(Form {
            normalized: json::members(&Normalized { normalized, fingerprint: &fingerprint }),
            operation: Operated::of(&class),
            class,
        });
        if !form.class.by_literal {
            let size = 4 * length + ENTRY_BYTES;
            self.forms.keep(self.normalized.as_str().into(), Rc::clone(&form), size);
        }
        form
    }
}

/// Writes a dialect behind a form. No two forms and dialects become one key: the last byte tells how long the mark is.
fn mark(key: &mut String, dialect: Dialect) {
    let settings = match dialect {
        Dialect::Postgres { standard_conforming_strings } => u8::from(standard_conforming_strings) << 1,
        Dialect::Mysql { ansi_quotes, no_backslash_escapes, server } => {
            let (kind, version) = match server {
                Server::Unknown => (0, 0),
                Server::Mysql(version) => (1, version),
                Server::Mariadb(version) => (2, version),
            };
            key.extend(version.to_be_bytes().map(char::from));
            1 | u8::from(ansi_quotes) << 1 | u8::from(no_backslash_escapes) << 2 | kind << 3
        }
    };
    key.push(char::from(settings));
}

impl Text {
    /// `EXECUTE name` with what it runs known: the same text, with the tables of the prepared statement, and without the
    /// arguments that are secret there.
    pub(crate) fn executing(&self, prepared: &Self, dialect: Dialect) -> Self {
        let own = &self.form.class;
        let mut class = own.clone();
        let runs = &prepared.form.class;
        // CREATE TABLE … AS EXECUTE has one of its own.
        class.tables.extend(runs.tables.iter().filter(|one| !own.tables.contains(one)).cloned());
        class.main_table = class.main_table.or_else(|| runs.main_table.clone());
        self.with(class).explaining(prepared, dialect)
    }

    /// `EXPLAIN EXECUTE name` touches no table, but its arguments are those of what it explains.
    pub(crate) fn explaining(&self, prepared: &Self, dialect: Dialect) -> Self {
        let known = prepared.parameters_are_known().then(|| prepared.secret_parameters());
        self.without_arguments(known, dialect).unwrap_or_else(|| self.with(self.form.class.clone()))
    }

    /// `EXECUTE IMMEDIATE 'text'` has the tables of what it runs at once.
    fn immediate(mut self, dialect: Dialect) -> Self {
        let immediate = matches!(self.effect, Effect::ExecuteImmediate { .. });
        let Some(runs) = self.prepares.take_if(|_| immediate) else { return self };
        let executing = self.executing(&runs, dialect);
        executing.with(Class { parsed: runs.form.class.parsed, ..executing.form.class.clone() })
    }

    /// Of a text whose verb is not in what was kept of it: what the server's tag says it was.
    pub(crate) fn tagged(&self, tag: &[u8]) -> Self {
        let Class { verb, category, object, .. } =
            sql::classify(&String::from_utf8_lossy(tag), Dialect::POSTGRES);
        self.with(Class { verb, category, object, ..self.form.class.clone() })
    }

    fn with(&self, class: Class) -> Self {
        let form = Form { normalized: self.form.normalized.clone(), operation: Operated::of(&class), class };
        Self {
            raw: self.raw.clone(),
            cut: self.cut,
            form: Rc::new(form),
            effect: self.effect.clone(),
            prepares: None,
            redaction: self.redaction.clone(),
        }
    }

    /// The same text without the arguments of EXECUTE that are secret, or without any of them where `secret` is `None`:
    /// nobody knows what it runs. `None` where nothing was to be hidden.
    pub(crate) fn without_arguments(
        &self,
        secret: Option<&[SecretParameter]>,
        dialect: Dialect,
    ) -> Option<Self> {
        if secret.is_some_and(<[_]>::is_empty) {
            return None;
        }
        // What is encoded is all that is left of the text.
        let text: Option<String> =
            self.raw.get(RAW.len()..).and_then(|text| serde_json::from_slice(text).ok());
        let text = text?;
        let redacted = sql::redact_arguments(&text, dialect, secret)?;
        let raw = raw(&redacted.text);
        let redaction = Redaction::of(redacted, &text).and(self.redaction.as_deref());
        Some(Self { raw, redaction: Some(Rc::new(redaction)), ..self.with(self.form.class.clone()) })
    }

    /// Whether it could be read to its end, and so tells which of its parameters are secret.
    fn parameters_are_known(&self) -> bool {
        self.cut.is_none() && !self.rules().contains(&"uncertain")
    }

    /// The placeholders whose values are secret, by place.
    pub(crate) fn secret_parameters(&self) -> &[SecretParameter] {
        self.redaction.as_ref().map_or(&[], |redaction| &redaction.parameters)
    }

    /// What was hidden of it, where something was.
    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        self.redaction
            .as_ref()
            .filter(|redaction| !redaction.rules.is_empty())
            .map(|redaction| &redaction.secrets)
    }

    /// Rules by which something was hidden of it.
    pub(crate) fn rules(&self) -> &[&'static str] {
        self.redaction.as_ref().map_or(&[], |redaction| &redaction.rules)
    }

    /// Whether it may prepare statements, or forget them, out of sight: in a block that says so.
    pub(crate) fn prepares_unseen(&self) -> bool {
        let says = |word: &str| {
            self.raw.windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
        };
        self.form.operation.commits && (says("prepare") || says("deallocate") || says("discard"))
    }

    /// `operation.type`.
    pub(crate) fn verb(&self) -> &'static str {
        self.form.class.verb
    }

    /// What it takes in memory, roughly.
    pub(crate) fn size(&self) -> usize {
        let secrets = self.redaction.as_ref().map_or(0, |redaction| redaction.secrets.size());
        2 * self.raw.len() + secrets + ENTRY_BYTES
    }
}

impl Redaction {
    fn of(redacted: sql::Redacted<'_>, text: &str) -> Self {
        let hidden = redacted.hidden.iter().filter_map(|range| text.get(range.clone()));
        let secrets = hidden.collect();
        Self { rules: redacted.rules, secrets, parameters: redacted.parameters }
    }

    /// What was hidden before goes along.
    fn and(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        self.rules.extend(before.rules.iter().filter(|rule| **rule != "arguments"));
        self.rules.sort_unstable();
        self.rules.dedup();
        self.secrets = self.secrets.iter().chain(before.secrets.iter()).collect();
        self.parameters.clone_from(&before.parameters);
        self
    }
}

/// The name of what follows.
const RAW: &[u8] = b"\"raw\":";

fn raw(shown: &str) -> Vec<u8> {
    let mut raw = Vec::with_capacity(RAW.len() + shown.len() + 2);
    raw.extend_from_slice(RAW);
    write_json_string(&mut raw, shown);
    raw
}

#[derive(Serialize)]
struct Normalized<'a> {
    normalized: &'a str,
    fingerprint: &'a str,
}

fn operation(class: &Class) -> Operation {
    Operation {
        kind: class.verb.to_string(),
        category: class.category.as_str().into(),
        command: None,
        object: class.object.as_ref().map(ToString::to_string),
        main_table: class.main_table.clone(),
        object_name: class.object_name.clone(),
        tables_involved: class.tables.iter().map(|access| access.table.clone()).collect(),
        access: class
            .tables
            .iter()
            .map(|access| Access { table: access.table.clone(), mode: mode(access.mode).into() })
            .collect(),
        parsed: Some(
            match class.parsed {
                Parsed::Full => "full",
                Parsed::Partial => "partial",
                Parsed::None => "none",
            }
            .into(),
        ),
    }
}

fn mode(mode: sql::Mode) -> &'static str {
    match mode {
        sql::Mode::Read => "read",
        sql::Mode::Write => "write",
        sql::Mode::Both => "both",
    }
}

fn owned(effect: Effect<'_>) -> Effect<'static> {
    use std::borrow::Cow;
    let own = |name: Cow<'_, str>| Cow::Owned(name.into_owned());
    match effect {
        Effect::None => Effect::None,
        Effect::Prepare { name, body } => Effect::Prepare { name: own(name), body },
        Effect::Execute(name) => Effect::Execute(own(name)),
        Effect::Explain(name) => Effect::Explain(own(name)),
        Effect::ExecuteImmediate { body } => Effect::ExecuteImmediate { body },
        Effect::Deallocate(name) => Effect::Deallocate(own(name)),
        Effect::DeallocateAll => Effect::DeallocateAll,
        Effect::DiscardAll => Effect::DiscardAll,
        Effect::Declare { name, hold } => Effect::Declare { name: own(name), hold },
        Effect::Close(name) => Effect::Close(own(name)),
        Effect::CloseAll => Effect::CloseAll,
        Effect::Begin => Effect::Begin,
        Effect::Commit { chain } => Effect::Commit { chain },
        Effect::Rollback { chain } => Effect::Rollback { chain },
        Effect::PrepareTransaction => Effect::PrepareTransaction,
        Effect::Savepoint(name) => Effect::Savepoint(own(name)),
        Effect::Release(name) => Effect::Release(own(name)),
        Effect::RollbackTo(name) => Effect::RollbackTo(own(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_share_a_form_and_texts_without_them_are_kept() {
        let mut texts = Texts::new(1 << 20);
        let read = |texts: &mut Texts, text: &str| texts.read(text, None, Dialect::POSTGRES);
        let one = read(&mut texts, "select * from t where id = 1");
        let two = read(&mut texts, "select * from t where id = 2");
        assert!(Rc::ptr_eq(&one.form, &two.form) && !Rc::ptr_eq(&one, &two));
        let begin = read(&mut texts, "begin");
        assert!(Rc::ptr_eq(&begin, &read(&mut texts, "begin")));
        assert_eq!(begin.effect, Effect::Begin);
    }

    #[test]
    fn a_class_stays_in_its_dialect() {
        let mut texts = Texts::new(1 << 20);
        let mysql = |server| Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: false, server };
        let dialects = [
            Dialect::POSTGRES,
            Dialect::Postgres { standard_conforming_strings: false },
            Dialect::MYSQL,
            Dialect::Mysql { ansi_quotes: true, no_backslash_escapes: false, server: Server::Unknown },
            Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: true, server: Server::Unknown },
            mysql(Server::Mysql(80403)),
            mysql(Server::Mariadb(80403)),
            mysql(Server::Mariadb(101106)),
        ];
        let mut read = |dialect| texts.read("RENAME TABLE a TO b", None, dialect).form.clone();
        let forms = dialects.map(&mut read);
        for (place, (dialect, form)) in dialects.into_iter().zip(&forms).enumerate() {
            assert_eq!(form.normalized, forms[0].normalized, "the mark of the dialect is not told");
            let same = forms.iter().position(|other| Rc::ptr_eq(other, form));
            assert_eq!(same, Some(place), "{dialect:?}");
            assert!(Rc::ptr_eq(&read(dialect), form), "kept: {dialect:?}");
        }
    }

    #[test]
    fn a_literal_that_decides_the_class_is_read_each_time() {
        let mut texts = Texts::new(1 << 20);
        for (value, mode) in [("0", "read"), ("1", "write"), ("'off'", "read"), ("'on'", "write")] {
            let text = format!("EXPLAIN (ANALYZE {value}) DELETE FROM t");
            let class = texts.read(&text, None, Dialect::POSTGRES).form.class.clone();
            assert_eq!(class.tables.first().map(|access| access.mode.as_str()), Some(mode), "{text}");
        }
    }

    #[test]
    fn mysql_s_literals_are_read_where_they_run() {
        let mut texts = Texts::new(1 << 20);
        let mut read = |text: &str| texts.read(text, None, Dialect::MYSQL).form.class.clone();
        for (text, verb, table) in [
            ("EXECUTE IMMEDIATE 'DELETE FROM a WHERE b = \\'x\\''", "EXECUTE", Some("a")),
            ("EXECUTE IMMEDIATE 'SELECT * FROM b'", "EXECUTE", Some("b")),
            ("EXECUTE IMMEDIATE @x", "EXECUTE", None),
        ] {
            let class = read(text);
            assert_eq!((class.verb, class.main_table.as_deref()), (verb, table), "{text}");
            assert_eq!(class.parsed == Parsed::Full, table.is_some(), "{text}");
        }
        for user in ["ann", "bob"] {
            let class = read(&format!("DROP USER '{user}'@'%'"));
            assert_eq!(class.object_name, Some(format!("{user}@%")));
        }
        // Under ANSI_QUOTES a string is a name.
        for table in ["orders", "users"] {
            assert_eq!(read(&format!("SELECT \"id\" FROM \"{table}\"")).main_table.as_deref(), Some(table));
        }
        let prepared =
            texts.read("PREPARE s FROM 'UPDATE a SET b = ?'", None, Dialect::MYSQL).prepares.clone();
        assert_eq!(prepared.unwrap().form.class.main_table.as_deref(), Some("a"));
    }

    #[test]
    fn the_caches_keep_to_their_size() {
        let mut texts = Texts::new(64 << 10);
        for n in 0..10_000 {
            texts.read(&format!("select * from table_{n}"), None, Dialect::POSTGRES);
        }
        assert!(texts.texts.bytes() <= 32 << 10 && texts.forms.bytes() <= 32 << 10);
        assert!(texts.texts.bytes() > 0 && texts.forms.bytes() > 0);
    }

    #[test]
    fn a_secret_is_not_kept() {
        let mut texts = Texts::new(1 << 20);
        let text = texts.read("alter role ana password 'canary'", None, Dialect::POSTGRES);
        assert!(!String::from_utf8_lossy(&text.raw).contains("canary"));
        assert!(!format!("{text:?}").contains("canary"));
        assert_eq!(texts.texts.bytes(), 0);
    }
}
