//! Secrets by way of a name: `DECLARE p text := '…'; BEGIN EXECUTE format('ALTER USER a PASSWORD %L', p)`, and
//! `SELECT pgp_sym_encrypt('data', k) FROM (VALUES ('…')) v(k)`.
//!
//! A walk notes the names that stand where a secret does, or in a text that runs. A second look at the same text finds
//! the statements that say what these names hold; what these take from other names is looked for in turn.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::Dialect;
use super::super::constant::{Constant, UNKNOWN};
use super::super::cursor::{Cursor, is_hex};
use super::super::keyword::keyword;
use super::super::lexer::{Kind, Lexer, Token};
use super::about::is_any;
use super::dynamic::is_harmless_text;
use super::hidden::{Hidden, LITERAL};
use super::walk::Walk;

/// Names of one text that are looked for; of more nothing is certain.
const MAX_NAMES: usize = 256;
/// How often what holds a secret takes it from somewhere else.
const MAX_STEPS: usize = 8;
/// Tokens that one look passes on the way to values and in them, for each byte of its text; beyond them nothing is certain.
const MAX_EFFORT: usize = 8;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A secret, or a part of a text that has one.
    Secret,
    /// All of a text that is run.
    Run,
}

/// Names by their lower case.
pub(super) type Names = HashMap<String, Role>;

impl Walk<'_, '_> {
    /// These names stand where `role` says.
    pub(super) fn mention<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, role: Role) {
        for name in names {
            self.hidden.uncertain |= !note(&mut self.names, name, role);
        }
    }

    /// At the end of the text: hides what the names hold.
    pub(super) fn variables(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        for _ in 0..MAX_STEPS {
            if names.is_empty() {
                return;
            }
            let known = names.len();
            let mut look = Look {
                text: self.cursor.text,
                dialect: self.cursor.dialect,
                nesting: self.nesting,
                names,
                effort: MAX_EFFORT.saturating_mul(self.cursor.text.len()),
            };
            look.run(self.hidden);
            self.hidden.uncertain |= look.effort == 0;
            names = look.names;
            if names.len() == known {
                return;
            }
        }
        // Who knows where else it comes from.
        self.hidden.uncertain = true;
    }
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

/// A look at a text for what names hold.
struct Look<'a> {
    text: &'a str,
    dialect: Dialect,
    nesting: usize,
    names: Names,
    /// Tokens that may still be passed: see [`MAX_EFFORT`].
    effort: usize,
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
    fn run(&mut self, hidden: &mut Hidden) {
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
        for (_, mut run) in runs {
            self.judge(&mut run);
            if run.secret {
                run.literals.into_iter().for_each(|range| hidden.hide(range, LITERAL, "nested"));
                run.names
                    .into_iter()
                    .for_each(|name| hidden.uncertain |= !note(&mut self.names, name, Role::Secret));
            }
        }
    }

    /// One statement.
    fn segment(&mut self, tokens: &[Token], runs: &mut HashMap<String, Run<'a>>, hidden: &mut Hidden) {
        let values = tokens.iter().any(|token| self.spelling(*token).eq_ignore_ascii_case("values"));
        let mut place = Place { values, ..Place::default() };
        let (mut secrets, mut added) = (Vec::new(), HashSet::new());
        for (at, token) in tokens.iter().enumerate() {
            if let Some(role) = self.role(*token)
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

    fn spend(&mut self, tokens: usize) {
        self.effort = self.effort.saturating_sub(tokens);
    }

    fn role(&self, token: Token) -> Option<Role> {
        let named = matches!(token.kind, Kind::Word | Kind::Quoted);
        named.then(|| self.names.get(&lower(self.spelling(token))).copied()).flatten()
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
                _ => {}
            }
        }
    }

    /// Adds what a variable is given that holds a text to run: another text, or more of the same.
    fn add(&self, tokens: &[Token], at: usize, value: Range<usize>, runs: &mut HashMap<String, Run<'a>>) {
        let Some(name) = tokens.get(at).map(|token| lower(self.spelling(*token))) else { return };
        let given = tokens.get(value.clone()).unwrap_or_default();
        let begins = |token: &Token| self.gives(*token) || is_any(self.spelling(*token), &["select"]);
        let skip = given.iter().position(begins).map_or(0, |sign| sign + 1);
        let given = given.get(skip..).unwrap_or_default();
        let (Some(first), Some(last)) = (given.first(), given.last()) else { return };
        let expression = self.text.get(first.start..last.end).unwrap_or_default();
        let constant = Constant::read(Cursor::new(expression, self.dialect));
        let run = runs.entry(name.clone()).or_default();
        let more = given.iter().find(|token| token.kind != Kind::Operator);
        if more.is_some_and(|token| lower(self.spelling(*token)) == name) {
            run.text += constant.text.strip_prefix(UNKNOWN).unwrap_or(&constant.text);
        } else {
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

    /// Does a value come next, or a cursor's query?
    fn gives(&self, token: Token) -> bool {
        let spelling = self.spelling(token);
        matches!(spelling, "=" | ":=") || is_any(spelling, &["default", "for"])
    }

    /// Where in the statement the value of the name at `at` is given, if it is.
    fn value(&mut self, tokens: &[Token], at: usize, place: &mut Place) -> Option<Range<usize>> {
        let all = 0..tokens.len();
        let spelling = |at: usize| tokens.get(at).map_or("", |token| self.spelling(*token));
        let before =
            at.checked_sub(1).map(|before| if spelling(before) == "@" { before } else { at }).unwrap_or(at);
        let last = before.checked_sub(1).and_then(|last| tokens.get(last));
        let begins = last.is_none_or(|last| is_any(self.spelling(*last), &STARTS));
        let next = tokens.get(at + 1);
        let name = next.is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Comma));
        if last.is_some_and(|last| is_any(self.spelling(*last), &["for", "foreach"]))
            && is_any(spelling(at + 1), &["in"])
        {
            let ends = |token: &Token| is_any(self.spelling(*token), &["loop", "do"]);
            let length =
                tokens.get(at + 1..).unwrap_or_default().iter().take_while(|token| !ends(token)).count();
            self.spend(length);
            return Some(at + 1..at + 1 + length);
        }
        let assigned = spelling(at + 1) == ":="
            || spelling(at + 1) == "[" && self.is_element(tokens.get(at + 1..).unwrap_or_default())
            || spelling(at + 1) == "=" && place.depth == 0 && !place.condition && (begins || place.sets);
        if assigned {
            let length = tokens.get(at + 1..).map_or(0, end_of_element);
            self.spend(length);
            return Some(at + 1..at + 1 + length);
        }
        if begins && name
            || place.declares && place.depth == 0 && last.is_some_and(|last| last.kind == Kind::Comma)
        {
            // Names of one declaration share its sign.
            if place.sign.is_none_or(|sign| sign < at) {
                let sign = tokens.iter().skip(at).position(|token| self.gives(*token));
                place.sign = Some(sign.map_or(tokens.len(), |sign| at + sign));
            }
            return place.sign.filter(|sign| *sign < tokens.len()).map(|sign| sign + 1..tokens.len());
        }
        let alias = last.is_some_and(|last| {
            matches!(last.kind, Kind::Close | Kind::CloseBracket)
                || is_text(*last, self.text, self.dialect)
                || is_any(self.spelling(*last), &["as"])
                || self.is_typed(tokens.get(..before).unwrap_or_default())
        });
        let column = place.values
            && lower(spelling(at)).strip_prefix("column").is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
            });
        (place.into || alias || column || self.is_listed(tokens, at, place)).then_some(all)
    }

    /// Do these tokens begin with an index, and then assign: `[1] := …`?
    fn is_element(&self, tokens: &[Token]) -> bool {
        let end = tokens.iter().take(MAX_TYPE).position(|token| token.kind == Kind::CloseBracket);
        let sign = end.and_then(|end| tokens.get(end + 1));
        sign.is_some_and(|sign| matches!(self.spelling(*sign), ":=" | "="))
    }

    /// Do these tokens end with a type or a collation: `'a'::text`, `'a'::pg_catalog.bpchar`, `'a' COLLATE "C"`?
    fn is_typed(&self, tokens: &[Token]) -> bool {
        let mut back = tokens.iter().rev().take(MAX_TYPE);
        // Directly behind `::` the name is the type.
        tokens.last().is_some_and(|last| last.kind != Kind::Cast)
            && back
                .find_map(|token| match token.kind {
                    Kind::Cast => Some(true),
                    Kind::Word if is_any(self.spelling(*token), &["collate"]) => Some(true),
                    Kind::Word if is_reserved(self.spelling(*token)) => Some(false),
                    Kind::Word | Kind::Quoted | Kind::Dot => None,
                    _ => Some(false),
                })
                .unwrap_or(false)
    }

    /// Is the name one of `v(a, b)` behind a table, or of `WITH v(a, b) AS`?
    fn is_listed(&self, tokens: &[Token], at: usize, place: &mut Place) -> bool {
        if let Some((_, listed)) = place.list.as_ref().filter(|(list, _)| list.contains(&at)) {
            return *listed;
        }
        let only = |token: &&Token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Comma);
        let (before, behind) = tokens.split_at_checked(at).unwrap_or_default();
        let back = before.iter().rev().take(MAX_LIST).take_while(only).count();
        let ahead = behind.iter().take(MAX_LIST).take_while(only).count();
        let list = place.list.insert((at - back..at + ahead, false));
        let Some(open) = at.checked_sub(back + 1) else { return false };
        let kind = |at: usize| tokens.get(at).map(|token| token.kind);
        if kind(open) != Some(Kind::Open) || kind(at + ahead) != Some(Kind::Close) {
            return false;
        }
        let word = |at: usize, word: &str| {
            tokens.get(at).is_some_and(|token| self.spelling(*token).eq_ignore_ascii_case(word))
        };
        let behind_table =
            open.checked_sub(2).is_some_and(|two| kind(two) == Some(Kind::Close) || word(two, "as"));
        let expression = word(at + ahead + 1, "as")
            && (kind(at + ahead + 2) == Some(Kind::Open)
                || ["materialized", "not"].iter().any(|next| word(at + ahead + 2, next)));
        list.1 = behind_table || expression;
        list.1
    }

    fn spelling(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }
}

/// Words behind which a statement begins, or a declaration.
const STARTS: [&str; 7] = ["begin", "declare", "do", "else", "loop", "set", "then"];
/// Names of a list that are looked at on each side of one.
const MAX_LIST: usize = 1_024;
/// Tokens of a type with what is before it, and of an index.
const MAX_TYPE: usize = 6;

/// What the tokens before one say of the names that follow.
#[derive(Default)]
struct Place {
    depth: usize,
    /// Behind IF, WHERE and the like: `=` compares.
    condition: bool,
    declares: bool,
    sets: bool,
    values: bool,
    /// In the list behind INTO.
    into: bool,
    /// The last token was a name.
    named: bool,
    inserts: bool,
    /// The last sign that was looked for, of those that give a value; the end where there was none.
    sign: Option<usize>,
    /// The last list of names that was looked at, and whether it names columns.
    list: Option<(Range<usize>, bool)>,
}

impl Place {
    fn pass(&mut self, token: Token, spelling: &str) {
        let named = matches!(token.kind, Kind::Word | Kind::Quoted);
        let word = |words: &[&str]| token.kind == Kind::Word && is_any(spelling, words);
        match token.kind {
            Kind::Open => self.depth += 1,
            Kind::Close => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let continues =
            matches!(token.kind, Kind::Comma | Kind::Dot | Kind::Operator) || named && !self.named;
        self.into = self.into && continues || word(&["into"]) && !self.inserts;
        self.named = named && !word(&["into", "strict"]);
        self.inserts = word(&["insert", "merge", "replace", "ignore"]);
        self.declares |= word(&["declare"]);
        self.sets |= word(&["set"]);
        self.condition |= word(&["elseif", "elsif", "having", "if", "on", "until", "when", "where", "while"]);
        self.condition &= !word(&STARTS);
    }
}

/// How many tokens there are up to the comma behind an element, or a bracket that closes around it.
fn end_of_element(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    let ends = |token: &Token| {
        match token.kind {
            Kind::Open | Kind::OpenBracket => depth += 1,
            Kind::Close | Kind::CloseBracket if depth > 0 => depth -= 1,
            Kind::Close | Kind::CloseBracket | Kind::Comma => return depth == 0,
            _ => {}
        }
        false
    };
    tokens.iter().position(ends).unwrap_or(tokens.len())
}

/// Is it a literal, or MySQL's number that is one?
fn is_text(token: Token, text: &str, dialect: Dialect) -> bool {
    let number = token.kind == Kind::Number && !dialect.is_postgres();
    token.kind == Kind::String || number && is_hex(text.get(token.start..token.end).unwrap_or_default())
}

/// Is it a keyword that is no name without quotes? A column may be called `key`.
pub(super) fn is_reserved(word: &str) -> bool {
    const NAMES: [&str; 8] = ["comment", "index", "key", "position", "schema", "sequence", "temp", "work"];
    keyword(word.as_bytes()).is_some() && !is_any(word, &NAMES)
}

fn lower(name: &str) -> String {
    name.trim_matches(['"', '`']).to_ascii_lowercase()
}
