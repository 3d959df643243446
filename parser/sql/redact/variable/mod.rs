//! Secrets by way of a name: `DECLARE p text := '…'; BEGIN EXECUTE format('ALTER USER a PASSWORD %L', p)`, and
//! `SELECT pgp_sym_encrypt('data', k) FROM (VALUES ('…')) v(k)`.
//!
//! A walk notes the names that stand where a secret does, or in a text that runs. A second `look` at the same text finds
//! the statements that say what these names hold: `given` by the words around a name, which `place` keeps. What these
//! take from other names is looked for in turn.

mod given;
mod look;
mod place;

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::about::is_any;
use super::walk::Walk;
use crate::sql::Dialect;
use crate::sql::keyword::keyword;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::literal;
use look::Look;

/// Names of one text that are looked for; of more nothing is certain.
pub(super) const MAX_NAMES: usize = 256;
/// How often what holds a secret takes it from somewhere else.
const MAX_STEPS: usize = 8;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A secret, or a part of a text that has one.
    Secret,
    /// All of a text that is run.
    Run,
}

/// What stands for any parameter of a routine: some have no name.
pub(super) const PARAMETER: &str = "$";

/// Names by their lower case.
pub(super) type Names = HashMap<String, Role, RandomState>;

impl Walk<'_, '_> {
    /// These names stand where `role` says.
    pub(super) fn mention<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, role: Role) {
        for name in names {
            self.names_lost |= !note(&mut self.names, name, role);
        }
        self.hidden.uncertain |= self.names_lost;
    }

    /// At the end of the text: hides what the names hold.
    pub(super) fn variables(&mut self) {
        for _ in 0..MAX_STEPS {
            if self.names.is_empty() {
                return;
            }
            let known = self.names.clone();
            let names = std::mem::take(&mut self.names);
            let mut look = Look::new(self.cursor.text, self.cursor.dialect, self.nesting, names);
            look.run(self.hidden);
            self.names_lost |= look.effort == 0;
            self.hidden.uncertain |= self.names_lost;
            self.names = look.names;
            if self.names.keys().all(|name| known.contains_key(name)) {
                return;
            }
        }
        // Who knows where else it comes from.
        (self.names_lost, self.hidden.uncertain) = (true, true);
    }
}

/// Those of the names that a text mentions. Its cost is that of the text, however many there are.
pub(super) fn mentioned(names: &Names, text: &str, dialect: Dialect) -> Names {
    let (mut found, mut before) = (Names::default(), [""; 2]);
    let mut add = |name: String| {
        if let Some(role) = names.get(&name) {
            found.insert(name, *role);
        }
    };
    add(PARAMETER.to_owned());
    for token in Lexer::new(text.as_bytes(), dialect) {
        let spelling = text.get(token.start..token.end).unwrap_or_default();
        match token.kind {
            Kind::Word | Kind::Quoted => {
                add(lower(spelling));
                if before[1] == "." {
                    add(format!("{}.{}", lower(before[0]), lower(spelling)));
                }
            }
            Kind::String => {
                add(lower(spelling));
                add(lower(&literal::value(spelling, dialect, '\\').text));
            }
            _ => {}
        }
        before = [before[1], spelling];
    }
    found
}

/// False where there are too many.
fn note(names: &mut Names, name: &str, role: Role) -> bool {
    let name = lower(name);
    let room = names.len() < MAX_NAMES;
    match names.get_mut(&name) {
        Some(known) if role == Role::Secret => *known = role,
        Some(_) => {}
        None if room => _ = names.insert(name, role),
        None => return false,
    }
    true
}

/// Is it a keyword that is no name without quotes? A column may be called `key`.
pub(super) fn is_reserved(word: &str) -> bool {
    const NAMES: [&str; 8] = ["comment", "index", "key", "position", "schema", "sequence", "temp", "work"];
    keyword(word.as_bytes()).is_some() && !is_any(word, &NAMES)
}

fn lower(name: &str) -> String {
    name.trim_matches(['"', '`', '\'']).to_ascii_lowercase()
}
