//! Long texts of prepared statements, which a few bytes run: told whole now and then, and shortened between.

use std::{
    cell::{Cell, OnceCell},
    rc::Rc,
};

use panoptes_event::json;
use panoptes_parser::sql::{Category, Effect, Mode, Parsed};
use serde::{Deserialize, Serialize};

use super::text::{Cut, Form, Text, raw};

/// Bytes of a text from which on it is shortened.
const LONG: usize = 16 << 10;
/// Bytes that are left of it, of its normalized form, and of the names of its tables.
const HEAD: usize = 4 << 10;

/// How often the text of a prepared statement was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    times: Cell<u32>,
    short: OnceCell<Rc<Text>>,
}

impl Told {
    /// The text as the next event tells it: a long one whole the first time, the second, the fourth, the eighth, …, so that
    /// it is found by who holds only a part of the trail.
    pub(super) fn next(&self, text: &Rc<Text>) -> Rc<Text> {
        if !text.is_long() {
            return Rc::clone(text);
        }
        let times = self.times.get().saturating_add(1);
        self.times.set(times);
        if times.is_power_of_two() { Rc::clone(text) } else { self.short(text) }
    }

    /// The same of what goes ahead of an event: whole if none was told yet.
    pub(super) fn ahead(&self, text: &Rc<Text>) -> Rc<Text> {
        if self.times.get() == 0 || !text.is_long() { Rc::clone(text) } else { self.short(text) }
    }

    fn short(&self, text: &Text) -> Rc<Text> {
        Rc::clone(self.short.get_or_init(|| Rc::new(text.shortened())))
    }
}

/// Members of `sql`.
#[derive(Deserialize, Serialize)]
struct Normalized<'a> {
    normalized: String,
    fingerprint: &'a str,
}

impl Text {
    /// What the short form takes beside it.
    pub(super) fn short_size(&self) -> usize {
        if self.is_long() { 6 * HEAD } else { 0 }
    }

    /// Of what works on rows: the texts of others are looked at for more than is told.
    fn is_long(&self) -> bool {
        let form = &self.form;
        let rows = form.class.category == Category::Dml && !form.operation.commits;
        self.raw.len() > LONG && rows && self.effect == Effect::None && self.prepares.is_none()
    }

    /// Its beginning, and those of its tables that are written first. The fingerprint is that of all of it.
    fn shortened(&self) -> Self {
        let shown = self.shown().unwrap_or_default();
        let length = self.cut.map_or(shown.len() as u64, |cut| cut.length);
        let mut class = self.form.class.clone();
        class.tables.sort_by_key(|access| access.mode == Mode::Read);
        let sizes = class.tables.iter().scan(0, |size, access| {
            *size += access.table.len();
            Some(*size)
        });
        let fit = sizes.take_while(|size| *size <= HEAD).count();
        if fit < class.tables.len() {
            class.tables.truncate(fit);
            class.parsed = Parsed::Partial;
        }
        let (normalized, normalized_length) = self.form.head();
        let Form { operation, class, .. } = Form::clone(&self.with(class).form);
        Self {
            raw: raw(head(&shown)),
            cut: Some(Cut { length, sha256: self.cut.and_then(|cut| cut.sha256) }),
            form: Rc::new(Form { normalized, operation, class }),
            normalized_length,
            ..self.clone()
        }
    }
}

impl Form {
    /// The head of the normalized text, encoded, and the length of all of it.
    fn head(&self) -> (Vec<u8>, Option<u64>) {
        let object = [b"{", self.normalized.as_slice(), b"}"].concat();
        let Ok(mut members) = serde_json::from_slice::<Normalized<'_>>(&object) else {
            return (self.normalized.clone(), None);
        };
        let length = members.normalized.len();
        members.normalized.truncate(head(&members.normalized).len());
        (json::members(&members), Some(length as u64))
    }
}

fn head(text: &str) -> &str {
    let end = (0..=HEAD.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
