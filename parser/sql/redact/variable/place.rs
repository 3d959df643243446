//! What a statement said up to one of its tokens.

use std::ops::Range;

use super::super::about::is_any;
use crate::sql::lexer::{Kind, Token};

/// Words behind which a statement begins, or a declaration.
pub(super) const STARTS: [&str; 7] = ["begin", "declare", "do", "else", "loop", "set", "then"];

/// What the tokens before one say of the names that follow.
#[derive(Default)]
pub(super) struct Place {
    pub(super) depth: usize,
    /// Behind IF, WHERE and the like: `=` compares.
    pub(super) condition: bool,
    pub(super) declares: bool,
    pub(super) sets: bool,
    pub(super) values: bool,
    /// A function is called whose columns have names of their own.
    pub(super) rows: bool,
    /// A routine is defined.
    pub(super) routine: bool,
    /// In the list behind INTO.
    pub(super) into: bool,
    /// The last token was a name.
    pub(super) named: bool,
    pub(super) inserts: bool,
    /// The last sign that was looked for, of those that give a value; the end where there was none.
    pub(super) sign: Option<usize>,
    /// The last list of names that was looked at, and whether it names columns.
    pub(super) list: Option<(Range<usize>, bool)>,
}

impl Place {
    pub(super) fn pass(&mut self, token: Token, spelling: &str) {
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
pub(super) fn end_of_element(tokens: &[Token]) -> usize {
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
