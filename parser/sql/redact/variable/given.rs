//! Where a statement says what a name holds: by a sign, by an alias, by a list of names.

use std::ops::Range;

use super::super::about::is_any;
use super::look::{Look, is_text};
use super::place::{Place, STARTS, end_of_element};
use super::{is_reserved, lower};
use crate::sql::lexer::{Kind, Token};

/// Of parameters.
const MODES: [&str; 4] = ["in", "inout", "out", "variadic"];
/// Names of a list that are looked at on each side of one.
const MAX_LIST: usize = 1_024;
/// Tokens of a type with what is before it, and of an index.
const MAX_TYPE: usize = 6;

impl Look<'_> {
    /// Does a value come next, or a cursor's query?
    pub(super) fn gives(&self, token: Token) -> bool {
        self.is_default(token) || is_any(self.spelling(token), &["for"])
    }

    /// Where in the statement the value of the name at `at` is given, if it is.
    pub(super) fn value(&mut self, tokens: &[Token], at: usize, place: &mut Place) -> Option<Range<usize>> {
        let near = self
            .looped(tokens, at)
            .or_else(|| self.set(tokens, at, place))
            .or_else(|| self.assigned(tokens, at, place))
            .or_else(|| self.defined(tokens, at, place));
        let near = near.or_else(|| self.queried(tokens, at));
        self.spend(near.as_ref().map_or(0, Range::len));
        let given = near.or_else(|| self.declared(tokens, at, place));
        if given.is_some() {
            return given;
        }
        self.is_column(tokens, at, place).then_some(0..tokens.len())
    }

    /// `FOR k IN … LOOP`, `FOREACH k SLICE 1 IN ARRAY … LOOP`
    fn looped(&self, tokens: &[Token], at: usize) -> Option<Range<usize>> {
        let word = |at: usize, words: &[&str]| is_any(self.at(tokens, at), words);
        let slice = 2 * usize::from(word(at + 1, &["slice"]));
        let loops = word(at.checked_sub(1)?, &["for", "foreach"]) && word(at + 1 + slice, &["in"]);
        let ends = |token: &Token| is_any(self.spelling(*token), &["loop", "do"]);
        let behind = tokens.get(at + 1..).filter(|_| loops)?;
        Some(at + 1..at + 1 + behind.iter().take_while(|token| !ends(token)).count())
    }

    /// `SET app.k = …`, `set_config('app.k', …)`
    fn set(&self, tokens: &[Token], at: usize, place: &Place) -> Option<Range<usize>> {
        if tokens.get(at)?.kind == Kind::String {
            let called = at.checked_sub(2).is_some_and(|name| is_any(self.at(tokens, name), &["set_config"]));
            let behind = tokens.get(at + 2..).filter(|_| called)?;
            return Some(at + 2..at + 2 + end_of_element(behind));
        }
        let setting = self.setting(tokens, at).is_some() || self.at(tokens, at).contains('.');
        (setting && place.sets).then_some(at + 1..tokens.len())
    }

    /// `k := …`, `k[1] := …`, `SET k = …`
    fn assigned(&self, tokens: &[Token], at: usize, place: &Place) -> Option<Range<usize>> {
        let sign = self.at(tokens, at + 1);
        let behind = tokens.get(at + 1..)?;
        let statement = || self.begins(tokens, at) || place.sets;
        let assigned = sign == ":="
            || sign == "[" && self.is_element(behind)
            || sign == "=" && place.depth == 0 && !place.condition && statement();
        assigned.then(|| at + 1..at + 1 + end_of_element(behind))
    }

    /// A parameter's default: `(k text DEFAULT …)`, and that of one without a name, by its sign.
    fn defined(&mut self, tokens: &[Token], at: usize, place: &Place) -> Option<Range<usize>> {
        let behind = tokens.get(at + 1..).filter(|_| place.depth > 0)?;
        if place.routine && self.is_default(*tokens.get(at)?) {
            return Some(at + 1..at + 1 + end_of_element(behind));
        }
        let mode = at.checked_sub(1).is_some_and(|mode| is_any(self.at(tokens, mode), &MODES));
        if !(self.is_type(behind.first()) && (mode || self.begins_element(tokens, at))) {
            return None;
        }
        let length = end_of_element(behind);
        self.spend(length);
        let sign = behind.iter().take(length).position(|token| self.is_default(*token))?;
        Some(at + 2 + sign..at + 1 + length)
    }

    /// `DECLARE a, k text := …`: names of one declaration share its sign.
    fn declared(&self, tokens: &[Token], at: usize, place: &mut Place) -> Option<Range<usize>> {
        let next = tokens.get(at + 1);
        let name = next.is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Comma));
        let last = self.before(tokens, at).and_then(|last| tokens.get(last));
        let listed = place.declares && place.depth == 0 && last.is_some_and(|last| last.kind == Kind::Comma);
        // `OPEN c FOR SELECT …`
        let opens = last.is_some_and(|last| is_any(self.spelling(*last), &["open"]));
        if !(listed || name && (opens || self.begins(tokens, at))) {
            return None;
        }
        if place.sign.is_none_or(|sign| sign < at) {
            let sign = tokens.iter().skip(at).position(|token| self.gives(*token));
            place.sign = Some(sign.map_or(tokens.len(), |sign| at + sign));
        }
        place.sign.filter(|sign| *sign < tokens.len()).map(|sign| sign + 1..tokens.len())
    }

    /// `k AS (SELECT …)` of a WITH, and `f('…')`, whose column is called as it is.
    fn queried(&self, tokens: &[Token], at: usize) -> Option<Range<usize>> {
        let kind = |at: usize| tokens.get(at).map(|token| token.kind);
        let called = (kind(at + 1) == Some(Kind::Open)).then(|| at + 2 + self.end_of_bracket(tokens, at + 2));
        let mut next = called.map_or(at + 1, |end| end + 1);
        if is_any(self.at(tokens, next), &["as"]) {
            next += 1;
            while is_any(self.at(tokens, next), &["materialized", "not"]) {
                next += 1;
            }
            if kind(next) == Some(Kind::Open) {
                return Some(next + 1..next + 1 + self.end_of_bracket(tokens, next + 1));
            }
        }
        called.map(|end| at + 2..end)
    }

    /// Is it a column of a query, of which nobody knows the others: every literal of the statement may be its value.
    fn is_column(&self, tokens: &[Token], at: usize, place: &mut Place) -> bool {
        let before = self.before(tokens, at);
        let named = |token: &Token| token.kind != Kind::String || !self.dialect.is_postgres();
        let alias = before.and_then(|last| tokens.get(last)).is_some_and(|last| {
            matches!(last.kind, Kind::Close | Kind::CloseBracket | Kind::Cast | Kind::Parameter)
                || is_text(*last, self.text, self.dialect)
                || is_any(self.spelling(*last), &["as", "end"])
                || self.is_typed(tokens.get(..at).unwrap_or_default())
                || self.is_renamed(*last, tokens.get(at + 1)) && tokens.get(at).is_some_and(named)
        });
        let name = lower(self.at(tokens, at));
        let number = |number: &str| {
            let digits = number.strip_prefix('_').unwrap_or(number);
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        };
        let column = place.values && name.strip_prefix("column").is_some_and(number)
            || place.rows && matches!(&*name, "key" | "value");
        // `JSON_TABLE(… COLUMNS (k text PATH …))`, `AS r(k varchar(9), n int)`
        let typed = || {
            let list = place.depth > 0 && !place.routine && self.begins_element(tokens, at);
            list && self.is_type(tokens.get(at + 1))
        };
        place.into || alias || column || typed() || self.is_listed(tokens, at, place)
    }

    /// `SELECT v w FROM`, `(SELECT k.v w)`: does the name between these two tokens stand for a column?
    fn is_renamed(&self, last: Token, next: Option<&Token>) -> bool {
        #[rustfmt::skip]
        const ENDS: [&str; 14] = [
            "except", "fetch", "for", "from", "group", "having", "intersect", "into", "limit", "minus", "offset", "order",
            "union", "where",
        ];
        let column = match last.kind {
            Kind::Quoted => true,
            Kind::Word => !is_reserved(self.spelling(last)) && !is_any(self.spelling(last), &MODES),
            _ => false,
        };
        column
            && next.is_none_or(|next| {
                matches!(next.kind, Kind::Close | Kind::Comma) || is_any(self.spelling(*next), &ENDS)
            })
    }

    /// Does a statement or a declaration begin with the name?
    fn begins(&self, tokens: &[Token], at: usize) -> bool {
        self.before(tokens, at).is_none_or(|last| is_any(self.at(tokens, last), &STARTS))
    }

    fn is_type(&self, token: Option<&Token>) -> bool {
        token.is_some_and(|token| token.kind == Kind::Word && !is_reserved(self.spelling(*token)))
    }

    /// Does the value come next of a parameter that is not given?
    pub(super) fn is_default(&self, token: Token) -> bool {
        matches!(self.spelling(token), "=" | ":=") || is_any(self.spelling(token), &["default"])
    }

    fn begins_element(&self, tokens: &[Token], at: usize) -> bool {
        let last = at.checked_sub(1).and_then(|last| tokens.get(last));
        last.is_some_and(|last| matches!(last.kind, Kind::Open | Kind::Comma))
    }

    /// The token before a name, and before the `@` of it.
    fn before(&self, tokens: &[Token], at: usize) -> Option<usize> {
        let before = at.checked_sub(1)?;
        if self.at(tokens, before) == "@" { before.checked_sub(1) } else { Some(before) }
    }

    /// How many tokens there are up to the bracket that closes around the one at `from`.
    fn end_of_bracket(&self, tokens: &[Token], from: usize) -> usize {
        let mut depth = 0usize;
        let mut ends = |token: &Token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => return true,
                Kind::Close => depth -= 1,
                _ => {}
            }
            false
        };
        let behind = tokens.get(from..).unwrap_or_default();
        behind.iter().position(&mut ends).unwrap_or(behind.len())
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
}
