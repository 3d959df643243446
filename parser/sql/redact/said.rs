//! Texts read for what they say of secrets themselves: what a literal holds, a value, a message.

use super::super::Dialect;
use super::super::lexer::{Kind, Lexer};
use super::about::is_any;
use super::connection::{self, Form};
use super::hidden::{Hidden, INSIDE};
use super::scan::{SHORTEST_HEX, may_tell_secret};
use super::variable::Names;
use super::walk::Walk;

/// What a text in a literal left behind.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) hidden: Hidden,
    /// A secret begins in it that another literal goes on with.
    pub(super) open: bool,
    /// It is about secrets to its end.
    pub(super) about: bool,
    /// Some of its parameters are secret.
    pub(super) parameters: bool,
    /// Names of it that stand for a secret.
    pub(super) names: Names,
}

/// Hides the secrets of a value that stands alone.
pub(super) fn value(value: &str, dialect: Dialect) -> Option<String> {
    let form = if is_statement(value, dialect) { Form::Any } else { Form::Connection };
    let mut ending = read(value, dialect, 1, form == Form::Any, form);
    if ending.hidden.uncertain {
        return Some(INSIDE.to_owned());
    }
    (!ending.hidden.is_empty()).then(|| ending.hidden.shown(value))
}

/// Hides what a text says of secrets itself, as that of a literal among rows does.
pub(super) fn told(text: &str, dialect: Dialect) -> Option<String> {
    if !may_tell_secret(text, dialect) {
        return None;
    }
    match spelled(text, dialect) {
        Some(text) => shown(&text, dialect),
        None => shown(text, dialect),
    }
}

/// The same of a text of which only the beginning is known. It may end within the password of an address, which is one by
/// what follows it; and of a statement the rest may put together what runs, so nothing of it stays.
pub(super) fn told_head(head: &str, dialect: Dialect) -> Option<String> {
    const HOST: &str = "@host";
    let spelled = spelled_head(head, dialect);
    let head = spelled.as_deref().unwrap_or(head);
    if is_statement(head, dialect) {
        return Some(INSIDE.to_owned());
    }
    let mut shown = told(&format!("{head}{HOST}"), dialect)?;
    if shown.ends_with(HOST) {
        shown.truncate(shown.len() - HOST.len());
    }
    Some(shown)
}

/// The same as [`spelled`], where the last digit or the last character may not be all there.
fn spelled_head(head: &str, dialect: Dialect) -> Option<String> {
    let end = head.len() - head.len() % 2;
    (0..4).find_map(|less| spelled(head.get(..end.checked_sub(2 * less)?)?, dialect))
}

/// The text that the bytes of PostgreSQL's `\x…` are.
pub(super) fn spelled(text: &str, dialect: Dialect) -> Option<String> {
    let digits =
        text.strip_prefix("\\x").filter(|digits| dialect.is_postgres() && digits.len() >= SHORTEST_HEX)?;
    let byte = |place: usize| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

fn shown(text: &str, dialect: Dialect) -> Option<String> {
    let mut ending = read(text, dialect, 1, false, Form::Any);
    if ending.hidden.uncertain {
        return Some(INSIDE.to_owned());
    }
    (!ending.hidden.is_empty()).then(|| ending.hidden.shown(text))
}

/// Reads what a literal says.
pub(super) fn read(text: &str, dialect: Dialect, nesting: usize, code: bool, form: Form) -> Ending {
    let mut hidden = Hidden::default();
    let mut open = false;
    if !code {
        open = connection::secrets(text, form, |range| hidden.hide(range, INSIDE, "connection"));
    }
    let mut walk = Walk::new(text, dialect, &mut hidden, nesting, code);
    walk.run();
    let uncertain = !walk.cursor.certain() && (code || walk.began);
    open |= walk.open;
    let about = walk.about.is_secret() && walk.began;
    let placeholders = !walk.parameters.is_empty();
    let names = std::mem::take(&mut walk.names);
    let parameters = placeholders || !hidden.parameters.is_empty();
    hidden.uncertain |= uncertain;
    Ending { hidden, open, about, parameters, names }
}

/// Does the text begin with a statement's verb, as no connection string does?
pub(super) fn is_statement(text: &str, dialect: Dialect) -> bool {
    #[rustfmt::skip]
    const VERBS: [&str; 21] = [
        "alter", "begin", "call", "comment", "copy", "create", "declare", "delete", "do", "drop", "execute", "explain",
        "grant", "insert", "merge", "revoke", "select", "set", "truncate", "update", "with",
    ];
    let first = Lexer::new(text.as_bytes(), dialect).next().filter(|token| token.kind == Kind::Word);
    first.and_then(|first| text.get(first.start..first.end)).is_some_and(|word| is_any(word, &VERBS))
}
