//! The second look at a text: what the names hold that a walk has noted.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::about::is_any;
use super::super::dynamic::is_harmless_text;
use super::super::hidden::{Hidden, LITERAL};
use super::super::parameter::{SecretParameter, SecretPart};
use super::place::Place;
use super::{Names, PARAMETER, Role, is_reserved, lower, note};
use crate::sql::Dialect;
use crate::sql::constant::{Constant, UNKNOWN};
use crate::sql::cursor::{Cursor, is_hex};
use crate::sql::lexer::{Kind, Lexer, Token};
use crate::sql::literal;

/// Tokens that one look passes on the way to values and in them, for each byte of its text; beyond them nothing is certain.
const MAX_EFFORT: usize = 8;
/// Tokens of a definition up to what it defines.
const MAX_HEAD: usize = 6;

/// A look at a text for what names hold.
pub(super) struct Look<'a> {
    pub(super) text: &'a str,
    pub(super) dialect: Dialect,
    nesting: usize,
    pub(super) names: Names,
    /// Tokens that may still be passed: see [`MAX_EFFORT`].
    pub(super) effort: usize,
    /// Where each `?` stands, once that is asked for.
    placeholders: Option<Vec<usize>>,
}

/// A text that runs by the name of its variable, and the literals of it.
#[derive(Default)]
struct Run<'a> {
    text: String,
    literals: Vec<Range<usize>>,
    names: Vec<&'a str>,
    secret: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect, nesting: usize, names: Names) -> Self {
        Self {
            text,
            dialect,
            nesting,
            names,
            effort: MAX_EFFORT.saturating_mul(text.len()),
            placeholders: None,
        }
    }

    pub(super) fn run(&mut self, hidden: &mut Hidden) {
        let mut runs: HashMap<String, Run<'a>> = HashMap::new();
        let mut segment = Vec::new();
        let mut lexer = Lexer::new(self.text.as_bytes(), self.dialect);
        loop {
            let token = lexer.next();
            segment.extend(token.filter(|token| token.kind != Kind::Semicolon));
            if token.is_none_or(|token| token.kind == Kind::Semicolon) {
                self.segment(&segment, &mut runs, hidden);
                segment.clear();
            }
            if token.is_none() {
                break;
            }
        }
        for (name, mut run) in runs {
            self.judge(&mut run);
            if !run.secret {
                // Nothing that the name is given needs a third look; of a statement by itself its text may be only a piece.
                self.names.remove(&name);
            } else {
                run.literals.into_iter().for_each(|range| hidden.hide(range, LITERAL, "nested"));
                run.names
                    .into_iter()
                    .for_each(|name| hidden.uncertain |= !note(&mut self.names, name, Role::Secret));
            }
        }
    }

    /// One statement.
    fn segment(&mut self, tokens: &[Token], runs: &mut HashMap<String, Run<'a>>, hidden: &mut Hidden) {
        let mut place = self.place(tokens);
        let (mut secrets, mut added) = (Vec::new(), HashSet::new());
        for (at, token) in tokens.iter().enumerate() {
            hidden.uncertain |= place.depth > 0 && self.is_called_so(*token);
            if let Some(role) = self.role(tokens, at)
                && let Some(value) = self.value(tokens, at, &mut place)
            {
                match role {
                    Role::Secret => secrets.push(value),
                    // A name that comes often is often given the same.
                    Role::Run if added.insert((lower(self.spelling(*token)), value.clone())) => {
                        self.spend(value.len());
                        self.add(tokens, at, value, runs);
                    }
                    Role::Run => {}
                }
            }
            if self.effort == 0 {
                break;
            }
            place.pass(*token, self.spelling(*token));
        }
        // Each token is hidden once, of however many names it is the value.
        secrets.sort_by_key(|value| value.start);
        let mut end = 0;
        for value in secrets {
            self.hide(tokens.get(value.start.max(end)..value.end).unwrap_or_default(), hidden);
            end = end.max(value.end);
        }
    }

    pub(super) fn spend(&mut self, tokens: usize) {
        self.effort = self.effort.saturating_sub(tokens);
    }

    /// What is known of a statement before it is gone through.
    fn place(&self, tokens: &[Token]) -> Place {
        /// Functions whose columns are called `key` and `value`.
        const ROWS: [&str; 7] = [
            "each",
            "json_array_elements",
            "json_array_elements_text",
            "json_each",
            "json_each_text",
            "jsonb_each",
            "jsonb_each_text",
        ];
        let has = |tokens: &[Token], words: &[&str]| {
            tokens.iter().any(|token| is_any(self.spelling(*token), words))
        };
        let head = tokens.get(..MAX_HEAD).unwrap_or(tokens);
        Place {
            values: has(tokens, &["values"]),
            rows: has(tokens, &ROWS),
            routine: has(head, &["function", "procedure"]),
            ..Place::default()
        }
    }

    /// What the token at this place names, if the walk has noted it.
    fn role(&self, tokens: &[Token], at: usize) -> Option<Role> {
        let token = *tokens.get(at)?;
        let noted = |name: &str| self.names.get(name).copied();
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let own = |name: &str| if plain(name) { noted(name) } else { noted(&lower(name)) };
        match token.kind {
            Kind::Word | Kind::Quoted => own(self.spelling(token))
                .or_else(|| self.setting(tokens, at))
                .or_else(|| noted(PARAMETER).filter(|_| self.is_default(token))),
            Kind::Operator | Kind::Colon => noted(PARAMETER).filter(|_| self.is_default(token)),
            // `@'k'`, `set_config('app.k', …)`
            Kind::String => own(self.spelling(token)),
            _ => None,
        }
    }

    /// The same of `app.k`, of which this is the first word.
    pub(super) fn setting(&self, tokens: &[Token], at: usize) -> Option<Role> {
        let dot = tokens.get(at + 1).filter(|dot| dot.kind == Kind::Dot);
        let (first, last) = (tokens.get(at)?, dot.and_then(|_| tokens.get(at + 2))?);
        let name = format!("{}.{}", lower(self.spelling(*first)), lower(self.spelling(*last)));
        self.names.get(&name).copied()
    }

    /// MySQL's `SELECT 's'` has a column of this name, which tells the secret wherever it stands.
    fn is_called_so(&self, token: Token) -> bool {
        let said = || literal::value(self.spelling(token), self.dialect, '\\').text;
        !self.dialect.is_postgres()
            && is_text(token, self.text, self.dialect)
            && self.names.contains_key(&lower(&said()))
    }

    /// Hides what a secret is made of, and looks for the names in it next.
    fn hide(&mut self, value: &[Token], hidden: &mut Hidden) {
        let calls = value.iter().skip(1).map(|next| next.kind == Kind::Open).chain([false]);
        for (token, call) in value.iter().zip(calls) {
            match token.kind {
                _ if is_text(*token, self.text, self.dialect) => {
                    hidden.hide(token.start..token.end, LITERAL, "password");
                }
                Kind::Word | Kind::Quoted if !call && !is_reserved(self.spelling(*token)) => {
                    let name = self.spelling(*token);
                    hidden.uncertain |= !note(&mut self.names, name, Role::Secret);
                }
                Kind::Parameter => {
                    hidden.parameters.extend(self.parameter(*token));
                    hidden.uncertain |= !note(&mut self.names, PARAMETER, Role::Secret);
                }
                _ => {}
            }
        }
    }

    /// A placeholder whose value is a secret: `$1`, and the first `?` of the text, are at place 0.
    fn parameter(&mut self, token: Token) -> Option<SecretParameter> {
        let (text, dialect) = (self.text, self.dialect);
        let place = if dialect.is_postgres() {
            self.spelling(token).get(1..)?.parse::<usize>().ok()?.checked_sub(1)?
        } else {
            let starts = self.placeholders.get_or_insert_with(|| {
                let tokens = Lexer::new(text.as_bytes(), dialect);
                tokens.filter(|token| token.kind == Kind::Parameter).map(|token| token.start).collect()
            });
            starts.binary_search(&token.start).ok()?
        };
        Some(SecretParameter { place: u16::try_from(place).ok()?, part: SecretPart::Whole })
    }

    /// Adds what a variable is given that holds a text to run: another text, or more of the same.
    fn add(&mut self, tokens: &[Token], at: usize, value: Range<usize>, runs: &mut HashMap<String, Run<'a>>) {
        let Some(name) = tokens.get(at).map(|token| lower(self.spelling(*token))) else { return };
        let given = tokens.get(value.clone()).unwrap_or_default();
        let begins = |token: &Token| self.gives(*token) || is_any(self.spelling(*token), &["select"]);
        let skip = given.iter().position(begins).map_or(0, |sign| sign + 1);
        let given = given.get(skip..).unwrap_or_default();
        let (Some(first), Some(last)) = (given.first(), given.last()) else { return };
        let expression = self.text.get(first.start..last.end).unwrap_or_default();
        let run = runs.entry(name.clone()).or_default();
        let mut constant = Constant::read(Cursor::new(expression, self.dialect));
        let more = given.iter().find(|token| token.kind != Kind::Operator);
        if more.is_some_and(|token| lower(self.spelling(*token)) == name) {
            run.text += constant.text.strip_prefix(UNKNOWN).unwrap_or(&constant.text);
        } else {
            if constant.names.iter().any(|other| lower(other) == name) {
                self.spend(run.text.len());
                let cursor = Cursor::new(expression, self.dialect);
                constant = Constant::read_with(cursor, name, std::mem::take(&mut run.text));
            }
            self.judge(run);
            run.text = constant.text;
        }
        run.secret |= !constant.certain;
        let literals = given.iter().filter(|token| is_text(**token, self.text, self.dialect));
        run.literals.extend(literals.map(|token| token.start..token.end));
        run.names.extend(constant.names);
    }

    fn judge(&self, run: &mut Run<'a>) {
        let text = std::mem::take(&mut run.text);
        run.secret |= !text.is_empty() && !is_harmless_text(&text, self.dialect, self.nesting);
    }

    /// The spelling of the token at this place; empty where there is none.
    pub(super) fn at(&self, tokens: &[Token], at: usize) -> &'a str {
        tokens.get(at).map_or("", |token| self.spelling(*token))
    }

    pub(super) fn spelling(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }
}

/// Is it a literal, or MySQL's number that is one?
pub(super) fn is_text(token: Token, text: &str, dialect: Dialect) -> bool {
    let number = token.kind == Kind::Number && !dialect.is_postgres();
    token.kind == Kind::String || number && is_hex(text.get(token.start..token.end).unwrap_or_default())
}
