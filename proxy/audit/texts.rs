//! What is remembered of texts.
//!
//! A text that was seen before costs a look-up; one that differs from such only in its literals costs the lexer and
//! a look-up; only a form never seen before goes to the grammar.

use std::{borrow::Cow, rc::Rc};

use panoptes_event::json;
use panoptes_parser::sql::{self, Dialect, Effect, SecretNames, Server};
use serde::Serialize;

use super::{
    cache::{Cache, ENTRY_BYTES},
    operation::Operated,
    text::{Cut, Form, Redaction, Text, raw},
};

/// Texts longer than this are not kept whole: they hardly ever come again to the letter.
const MAX_CACHED_TEXT: usize = 4 << 10;

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

    /// Understands one statement of several, which give each other secrets by these names.
    pub(crate) fn read_among(
        &mut self,
        text: &str,
        cut: Option<Cut>,
        names: &SecretNames,
        dialect: Dialect,
    ) -> Rc<Text> {
        let redact = if cut.is_some() { sql::redact_head_among } else { sql::redact_among };
        self.read_redacted(text, redact(text, dialect, names), cut, dialect, true)
    }

    /// A prepared statement prepares no other: the server refuses that, and here it would recurse.
    fn read_nested(&mut self, text: &str, cut: Option<Cut>, dialect: Dialect, prepares: bool) -> Rc<Text> {
        // One text is hardly ever read in two ways.
        if cut.is_none()
            && let Some(known) = self.texts.find(text).filter(|known| known.dialect == dialect)
        {
            return known;
        }
        let redacted =
            if cut.is_some() { sql::redact_head(text, dialect) } else { sql::redact(text, dialect) };
        self.read_redacted(text, redacted, cut, dialect, prepares)
    }

    fn read_redacted(
        &mut self,
        text: &str,
        redacted: Option<sql::Redacted<'_>>,
        cut: Option<Cut>,
        dialect: Dialect,
        prepares: bool,
    ) -> Rc<Text> {
        let whole = cut.is_none();
        let shown = redacted.as_ref().map_or(text, |redacted| &redacted.text);
        let effect = sql::effect(shown, dialect).into_owned();
        let body = body(&effect, shown, dialect).filter(|_| prepares);
        self.normalize(shown, dialect, &effect, body.as_deref());
        let form = self.form(shown, dialect);
        let raw = raw(shown);
        // A text with literals comes again less often than it pushes others out, and a secret is kept nowhere.
        let without_literals = self.normalized.len() == shown.len() || !self.normalized.contains('?');
        let kept = prepares || !matches!(effect, Effect::Prepare { .. });
        let prepares = body.map(|body| self.read_nested(&body, cut, dialect, false));
        let redaction = redacted.map(|redacted| Rc::new(Redaction::of(redacted, text)));
        let secret = redaction.as_ref().is_some_and(|redaction| !redaction.rules.is_empty());
        // By its digest a short secret could be guessed.
        let cut = cut.map(|cut| Cut { sha256: cut.sha256.filter(|_| !secret), ..cut });
        let text_read = Text { raw, cut, form, effect, prepares, dialect, redaction };
        let text_read = Rc::new(text_read.preparing(dialect));
        if whole && kept && !secret && without_literals && text.len() <= MAX_CACHED_TEXT {
            let size = 2 * text.len() + ENTRY_BYTES;
            self.texts.keep(text.into(), Rc::clone(&text_read), size);
        }
        text_read
    }

    /// Normalizes a text. What MySQL prepares is in literals: the text in them is normalized in its turn, so that not all
    /// `PREPARE p FROM ?` look alike.
    fn normalize(&mut self, text: &str, dialect: Dialect, effect: &Effect<'_>, body: Option<&str>) {
        let (
            Effect::Prepare { body: place, .. } | Effect::ExecuteImmediate { body: place },
            Some(body),
            false,
        ) = (effect, body, dialect.is_postgres())
        else {
            return sql::normalize(text, dialect, &mut self.normalized);
        };
        let mut all = String::with_capacity(text.len());
        let parts = [text.get(..place.start), Some(body), text.get(place.end..)];
        for (number, part) in parts.into_iter().enumerate() {
            sql::normalize(part.unwrap_or_default(), dialect, &mut self.normalized);
            match (number, self.normalized.as_str()) {
                (1, normalized) => all.extend([" '", normalized, "'"]),
                (2, "" | ";") | (0, "") => {}
                (2, normalized) => all.extend([" ", normalized]),
                (_, normalized) => all.push_str(normalized),
            }
        }
        self.normalized = all;
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

/// The text that a statement prepares, where it tells.
fn body<'a>(effect: &Effect<'_>, text: &'a str, dialect: Dialect) -> Option<Cow<'a, str>> {
    let (Effect::Prepare { body, .. } | Effect::ExecuteImmediate { body }) = effect else { return None };
    text.get(body.clone()).and_then(|body| sql::prepared(body, dialect))
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

#[derive(Serialize)]
struct Normalized<'a> {
    normalized: &'a str,
    fingerprint: &'a str,
}

#[cfg(test)]
mod tests {
    use panoptes_parser::sql::{Mode, Parsed};

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
            ("EXECUTE IMMEDIATE CONCAT('DELETE FROM ', 'c')", "EXECUTE", Some("c")),
            ("EXECUTE IMMEDIATE 0x53454c454354202a2046524f4d2064", "EXECUTE", Some("d")),
            ("PREPARE s FROM 'SELECT * FROM e'", "PREPARE", Some("e")),
            ("EXECUTE IMMEDIATE @x", "EXECUTE", None),
            ("PREPARE s FROM CONCAT('SELECT * FROM ', @x)", "PREPARE", None),
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
        let preparing = texts.read("PREPARE s FROM 'UPDATE a SET b = ?'", None, Dialect::MYSQL);
        let prepared = preparing.prepares.clone();
        assert_eq!(prepared.unwrap().form.class.main_table.as_deref(), Some("a"));
        // It does nothing yet.
        assert_eq!(preparing.form.class.tables.first().map(|access| access.mode), Some(Mode::Read));
    }

    #[test]
    fn what_mysql_prepares_has_a_form_of_its_own() {
        let mut texts = Texts::new(1 << 20);
        let mut read = |text: &str| {
            let normalized = texts.read(text, None, Dialect::MYSQL).form.normalized.clone();
            let normalized = String::from_utf8(normalized).unwrap();
            normalized.split("\",\"fingerprint").next().unwrap().replace("\"normalized\":\"", "")
        };
        for (text, expected) in [
            (
                "prepare p from 'select * from t where a = ''b'''",
                "PREPARE p FROM 'SELECT * FROM t WHERE a = ?'",
            ),
            ("PREPARE p FROM @q", "PREPARE p FROM @q"),
            ("EXECUTE IMMEDIATE 'SELECT ?' USING 5", "EXECUTE IMMEDIATE 'SELECT ?' USING ?"),
            ("EXECUTE IMMEDIATE CONCAT('SELECT ', '5');", "EXECUTE IMMEDIATE 'SELECT ?'"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
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
