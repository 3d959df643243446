//! Where a statement says what a name holds: by a sign, by an alias, by a list of names.

use std::ops::Range;

use super::super::about::is_any;
use super::look::{Look, is_text};
use super::place::{Place, STARTS, end_of_element};
use super::{is_reserved, lower};
use crate::sql::lexer::{Kind, Token};

/// Names of a list that are looked at on each side of one.
const MAX_LIST: usize = 1_024;
/// Tokens of a type with what is before it, and of an index.
const MAX_TYPE: usize = 6;

impl Look<'_> {
    /// Does a value come next, or a cursor's query?
    pub(super) fn gives(&self, token: Token) -> bool {
        let spelling = self.spelling(token);
        matches!(spelling, "=" | ":=") || is_any(spelling, &["default", "for"])
    }

    /// Where in the statement the value of the name at `at` is given, if it is.
    pub(super) fn value(&mut self, tokens: &[Token], at: usize, place: &mut Place) -> Option<Range<usize>> {
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
}
