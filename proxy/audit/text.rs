//! The text of a statement, understood once and encoded once.

use std::rc::Rc;

use panoptes_parser::{
    sql::{self, Access, Class, Dialect, Effect, Mode, Parsed, SecretParameter},
    text::write_json_string,
    wire::Digest,
};

use super::{cache::ENTRY_BYTES, operation::Operated, secret::Secrets};

/// A statement's text.
#[derive(Debug)]
pub(crate) struct Text {
    /// `raw`, a member of `sql`.
    pub(crate) raw: Vec<u8>,
    /// Where some of it is missing.
    pub(crate) cut: Option<Cut>,
    pub(crate) form: Rc<Form>,
    pub(crate) effect: Effect<'static>,
    /// What `PREPARE` prepares, or `EXECUTE IMMEDIATE` runs.
    pub(crate) prepares: Option<Rc<Text>>,
    /// How it was read.
    pub(super) dialect: Dialect,
    /// What was hidden of it, or is to be hidden of its parameters.
    pub(crate) redaction: Option<Rc<Redaction>>,
}

/// Bytes of the names of tables that EXECUTE and FETCH repeat: a short text must not make a long event each time. What is left
/// out makes the operation `partial`; those that are written come first then.
const MAX_REPEATED: usize = 8 << 10;

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
    pub(crate) class: Class,
}

impl Text {
    /// Whether there is no statement in it: comments, and semicolons.
    pub(crate) fn is_empty(&self) -> bool {
        self.form.normalized.starts_with(NOTHING) && self.cut.is_none()
    }

    /// `EXECUTE name` with what it runs known: the same text, with the tables of the prepared statement, and without the
    /// arguments that are secret there.
    pub(crate) fn executing(&self, prepared: &Self, dialect: Dialect) -> Self {
        self.running(prepared, dialect, MAX_REPEATED)
    }

    fn running(&self, prepared: &Self, dialect: Dialect, most: usize) -> Self {
        let (class, whole) = self.naming(prepared, most);
        // Now it is known what runs, as far as that is.
        let parsed = if whole { prepared.form.class.parsed } else { Parsed::Partial };
        let mut executing = self.with(Class { parsed, ..class });
        if prepared.form.operation.commits {
            // MySQL prepares CALL as well.
            executing.form = Rc::new(executing.form.committing());
        }
        executing.without_secret_arguments(prepared, dialect)
    }

    /// The same text, with the tables of another.
    pub(crate) fn fetching(&self, declared: &Self) -> Self {
        let (class, whole) = self.naming(declared, MAX_REPEATED);
        // MySQL's HANDLER by another name is a doubt until that is known.
        let known = if self.dialect.is_postgres() { class.parsed } else { declared.form.class.parsed };
        let parsed = if whole { known } else { Parsed::Partial };
        self.with(Class { parsed, ..class })
    }

    /// Its class with the tables of another text, of at most so many bytes together; whether that is all of them.
    fn naming(&self, other: &Self, most: usize) -> (Class, bool) {
        let own = &self.form.class;
        let mut class = own.clone();
        let runs = &other.form.class;
        // CREATE TABLE … AS EXECUTE has one of its own.
        let mut others: Vec<_> = runs.tables.iter().filter(|one| !own.tables.contains(one)).collect();
        let whole = others.iter().map(|one| one.table.len()).sum::<usize>() <= most;
        if !whole {
            // Nobody hides a write behind tables that are read.
            others.sort_by_key(|one| one.mode == Mode::Read);
        }
        let mut room = most;
        let fits = |one: &&Access| {
            let left = room.checked_sub(one.table.len());
            room = left.unwrap_or_default();
            left.is_some()
        };
        class.tables.extend(others.into_iter().take_while(fits).cloned());
        class.main_table = class.main_table.or_else(|| runs.main_table.clone());
        (class, whole)
    }

    /// `EXPLAIN EXECUTE name` only names the tables of what it explains, and has its arguments.
    pub(crate) fn explaining(&self, prepared: &Self, dialect: Dialect) -> Self {
        let (mut class, whole) = self.naming(prepared, MAX_REPEATED);
        class.tables.iter_mut().for_each(|access| access.mode = Mode::Read);
        class.parsed = if whole { prepared.form.class.parsed } else { Parsed::Partial };
        self.with(class).without_secret_arguments(prepared, dialect)
    }

    fn without_secret_arguments(self, prepared: &Self, dialect: Dialect) -> Self {
        let known = prepared.parameters_are_known().then(|| prepared.secret_parameters());
        self.without_arguments(known, dialect).unwrap_or(self)
    }

    /// MySQL's texts in literals: `EXECUTE IMMEDIATE 'text'` has the tables of what it runs at once, `PREPARE name FROM 'text'`
    /// names them.
    pub(super) fn preparing(mut self, dialect: Dialect) -> Self {
        let Some(runs) = self.prepares.take_if(|_| !dialect.is_postgres()) else { return self };
        // What was hidden is no statement any more, nor is what nobody understands.
        let parsed = if runs.form.class.parsed == Parsed::Full { Parsed::Full } else { Parsed::Partial };
        if matches!(self.effect, Effect::ExecuteImmediate { .. }) {
            let executing = self.running(&runs, dialect, usize::MAX);
            let executing = executing.with(Class { parsed, ..executing.form.class.clone() });
            return Self { prepares: Some(runs), ..executing };
        }
        let (class, _) = self.naming(&runs, usize::MAX);
        let mut class = Class { parsed, ..class };
        class.tables.iter_mut().for_each(|access| access.mode = Mode::Read);
        let named = self.with(class);
        Self { prepares: Some(runs), ..named }
    }

    /// Of a text whose verb is not in what was kept of it: what the server's tag says it was.
    pub(crate) fn tagged(&self, tag: &[u8]) -> Self {
        let Class { verb, category, object, .. } =
            sql::classify(&String::from_utf8_lossy(tag), Dialect::POSTGRES);
        self.with(Class { verb, category, object, ..self.form.class.clone() })
    }

    fn with(&self, class: Class) -> Self {
        let commits = self.form.operation.commits;
        let operation = if commits { Operated::committing(&class) } else { Operated::of(&class) };
        let form = Form { normalized: self.form.normalized.clone(), operation, class };
        Self {
            raw: self.raw.clone(),
            cut: self.cut,
            form: Rc::new(form),
            effect: self.effect.clone(),
            prepares: None,
            dialect: self.dialect,
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
        let text = self.shown()?;
        let redacted = sql::redact_arguments(&text, dialect, secret)?;
        let raw = raw(&redacted.text);
        let redaction = Redaction::of(redacted, &text).and(self.redaction.as_deref());
        Some(Self { raw, redaction: Some(Rc::new(redaction)), ..self.with(self.form.class.clone()) })
    }

    /// The text as the event shows it: what is encoded is all that is left of it.
    pub(crate) fn shown(&self) -> Option<String> {
        self.raw.get(RAW.len()..).and_then(|text| serde_json::from_slice(text).ok())
    }

    /// Whether it may run a text that it does not show. In PostgreSQL any function may.
    pub(crate) fn runs_unseen(&self) -> bool {
        self.dialect.is_postgres()
            || self.cut.is_some()
            || ["call", "execute", "prepare"].iter().any(|word| self.says(word))
    }

    /// Whether it could be read to its end, and so tells which of its parameters are secret.
    fn parameters_are_known(&self) -> bool {
        self.cut.is_none() && !self.is_uncertain()
    }

    /// Whether all of it was hidden, and which of its parameters are secret nobody knows.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.rules().contains(&"uncertain")
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
        self.form.operation.commits && ["prepare", "deallocate", "discard"].iter().any(|word| self.says(word))
    }

    /// Whether a word is anywhere in it, also in a literal or a comment.
    pub(super) fn says(&self, word: &str) -> bool {
        self.raw.windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The name of the prepared statement that it runs.
    pub(crate) fn executes(&self) -> Option<&str> {
        if let Effect::Execute(name) = &self.effect { Some(name) } else { None }
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

impl Form {
    /// The same, of what may commit on its own.
    fn committing(&self) -> Self {
        let operation = Operated::committing(&self.class);
        Self { normalized: self.normalized.clone(), operation, class: self.class.clone() }
    }
}

impl Redaction {
    /// `text` is what was redacted.
    pub(super) fn of(redacted: sql::Redacted<'_>, text: &str) -> Self {
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

/// The normalized form of no statement.
const NOTHING: &[u8] = br#""normalized":"","#;
/// The name of what follows.
const RAW: &[u8] = b"\"raw\":";

/// `raw`, encoded.
pub(super) fn raw(shown: &str) -> Vec<u8> {
    let mut raw = Vec::with_capacity(RAW.len() + shown.len() + 2);
    raw.extend_from_slice(RAW);
    write_json_string(&mut raw, shown);
    raw
}
