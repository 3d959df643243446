//! Takes secrets out of a statement before anything is stored.
//!
//! A text goes `scan` (nearly every one ends here) → `walk`, which says of each literal and placeholder what it is: by what
//! the statement is `about`, by the word before it, by the brackets around it (`frame`: calls and options). What stays is
//! looked at `inside`: connection strings, statements in literals, which are walked in turn. Where the text cannot be
//! read with certainty, its length and a keyed hash stand for it.
//!
//! | file | what |
//! |---|---|
//! | `scan` | one cheap look: may there be a secret? |
//! | `walk`, `word`, `unquoted`, `declared`, `about`, `object`, `bracket`, `frame`, `verdict` | which literals are secret, by the words and brackets around them |
//! | `call`, `name` | functions that take secrets; names that announce them |
//! | `inside`, `said`, `connection`, `program`, `prose` | what a literal says, and passwords within it |
//! | `dynamic`, `variable` | statements put together from pieces; variables and columns that hold a secret |
//! | `parameter` | bound values: of placeholders at secret places, arguments of EXECUTE |
//! | `hidden`, `uncertain` | what is shown instead |
//! | `message`, `quotation` | error messages that quote the statement back, or another one |

mod about;
mod bracket;
mod call;
mod connection;
mod declared;
mod dynamic;
mod frame;
mod hidden;
mod inside;
mod message;
mod name;
mod object;
mod parameter;
mod program;
mod prose;
mod quotation;
mod said;
mod scan;
#[cfg(test)]
mod tests;
mod uncertain;
mod unquoted;
mod variable;
mod verdict;
mod walk;
mod word;

use std::{borrow::Cow, fmt, ops::Range};

use super::Dialect;
use hidden::Hidden;
use variable::{MAX_NAMES, Names, mentioned};
use walk::Walk;

pub use message::redact_message;
pub use parameter::{
    SecretParameter, SecretPart, is_secret_setting, may_tell, redact_arguments, redact_text,
    redact_text_head, redact_value,
};
pub use quotation::redact_quotation;

/// A statement less its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// The text to keep: each secret became `'[REDACTED]'`, or `[REDACTED]` inside of a literal. Borrowed where only
    /// parameters are secret.
    pub text: Cow<'a, str>,
    /// What was hidden of the text, each once: `arguments` (of EXECUTE, where nobody knows what it runs), `password`, `identified` (IDENTIFIED BY and its like), `key` (of
    /// encryption), `options` (of servers and mappings), `connection` (strings, addresses, command lines), `nested` (a
    /// statement in a literal, hidden whole), `uncertain` (all of the text).
    pub rules: Vec<&'static str>,
    /// Where in the original text what is hidden stood, in order; ranges may meet. For [`redact_message`].
    pub hidden: Vec<Range<usize>>,
    /// The placeholders whose values are secret, by place.
    pub parameters: Vec<SecretParameter>,
}

/// Names that stand for secrets somewhere in a text of several statements.
pub struct SecretNames {
    names: Names,
    /// There are no others.
    all: bool,
}

impl SecretNames {
    /// Of a text; `None` where it has none.
    pub fn of(text: &str, dialect: Dialect) -> Option<Self> {
        if !scan::may_hold_secret(text, dialect) {
            return None;
        }
        let mut hidden = Hidden::default();
        let mut walk = Walk::new(text, dialect, &mut hidden, 0, true);
        walk.run();
        let names = std::mem::take(&mut walk.names);
        let all = !walk.names_lost && names.len() < MAX_NAMES;
        (!names.is_empty()).then_some(Self { names, all })
    }
}

/// MySQL calls a column as its literal is written: no name is told.
impl fmt::Debug for SecretNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretNames").field("names", &self.names.len()).finish()
    }
}

/// Hides the secrets of a text; `None` where there are none. What is normalized or shown is the result, never the
/// raw text. Work is linear in its length.
pub fn redact(text: &str, dialect: Dialect) -> Option<Redacted<'_>> {
    redact_part(text, dialect, false, None)
}

/// The same for a statement of a text whose other ones use these names for secrets: `SET @k = '…'` before `AES_ENCRYPT(a, @k)`.
pub fn redact_among<'a>(text: &'a str, dialect: Dialect, names: &SecretNames) -> Option<Redacted<'a>> {
    redact_part(text, dialect, false, Some(names))
}

/// The same for a text of which only the beginning is known: that a literal is open at its end says nothing.
pub fn redact_head(text: &str, dialect: Dialect) -> Option<Redacted<'_>> {
    redact_part(text, dialect, true, None)
}

/// The same for a statement among others of which only the beginning is known.
pub fn redact_head_among<'a>(text: &'a str, dialect: Dialect, names: &SecretNames) -> Option<Redacted<'a>> {
    redact_part(text, dialect, true, Some(names))
}

fn redact_part<'a>(
    text: &'a str,
    dialect: Dialect,
    head: bool,
    known: Option<&SecretNames>,
) -> Option<Redacted<'a>> {
    let names = known.map(|known| mentioned(&known.names, text, dialect)).unwrap_or_default();
    let all = known.is_none_or(|known| known.all);
    if names.is_empty() && all && !scan::may_hold_secret(text, dialect) {
        return None;
    }
    let mut hidden = Hidden::default();
    hidden.uncertain = !all;
    let mut walk = Walk::new(text, dialect, &mut hidden, 0, true);
    walk.names = names;
    walk.run();
    let (certain, parameters) = (walk.cursor.certain() || head, std::mem::take(&mut walk.parameters));
    if !certain || hidden.uncertain {
        let mut hidden = Hidden::default();
        hidden.hide(0..text.len(), uncertain::stand_in(text, dialect), "uncertain");
        return hidden.applied(text);
    }
    hidden.parameters.extend(parameters);
    hidden.parameters.sort_by_key(|parameter| (parameter.place, parameter.part));
    hidden.parameters.dedup_by_key(|parameter| parameter.place);
    hidden.applied(text)
}
