//! sqlparser as a second reader of PostgreSQL: which names in a statement are tables that are read, and which are not.
//!
//! Its trees drop and print by recursion: a chain of 33,000 operators overflows a 2 MiB stack, which ends the process. So
//! a statement is counted first, and one beyond the limits below is not parsed; and callers have a stack of
//! [`STACK_BYTES`]. Its own limit on nested parsing (50) stays on.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlparser::ast::{Ident, ObjectName, Query, TableFactor, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token as GrammarToken};

use super::Dialect;
use super::lexer::{Kind, Lexer};
use super::tables::is_value;

/// Longer statements are classified from tokens alone.
pub const MAX_PARSED_BYTES: usize = 64 * 1024;
/// Statements of more tokens are classified from tokens alone. Trees of subqueries cost 2 µs and more for each.
pub const MAX_PARSED_TOKENS: usize = 8_000;
/// Operators in a statement, words like AND and UNION counted: each may be a level of the tree.
pub const MAX_OPERATORS: usize = 2_048;
/// Depth of brackets: the grammar tries some of them twice at each level.
pub const MAX_PARENTHESES: usize = 24;
/// The stack that a thread which classifies needs.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A name where a table may stand, as the grammar understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// First byte in the text.
    pub(super) at: usize,
    /// As written, less the quoting.
    pub(super) name: String,
    /// As the server folds it.
    pub(super) key: String,
    /// False for functions and common table expressions.
    pub(super) table: bool,
}

/// The names in the lists of tables of a statement, in order; `None` where the grammar does not take it, or the
/// limits keep it away.
pub(super) fn read(text: &str, dialect: Dialect) -> Option<Vec<Reading>> {
    if !within_limits(text, dialect) {
        return None;
    }
    // A panic of the grammar is a statement it does not take. (Stack overflow cannot be caught: hence the limits.)
    let found = catch_unwind(AssertUnwindSafe(|| parse(text))).ok().flatten()?;
    Some(placed(found, text))
}

fn within_limits(text: &str, dialect: Dialect) -> bool {
    if text.len() > MAX_PARSED_BYTES {
        return false;
    }
    let (mut tokens, mut operators, mut depth) = (0, 0, 0usize);
    for token in Lexer::new(text.as_bytes(), dialect) {
        tokens += 1;
        match token.kind {
            Kind::Open => depth += 1,
            Kind::OpenBracket => (depth, operators) = (depth + 1, operators + 1),
            Kind::Close | Kind::CloseBracket => depth = depth.saturating_sub(1),
            Kind::Operator | Kind::Cast => operators += 1,
            Kind::Word if is_operator(text.get(token.start..token.end).unwrap_or_default()) => operators += 1,
            _ => {}
        }
        if tokens > MAX_PARSED_TOKENS || operators > MAX_OPERATORS || depth > MAX_PARENTHESES {
            return false;
        }
    }
    true
}

fn is_operator(word: &str) -> bool {
    const WORDS: [&str; 15] = [
        "and",
        "or",
        "not",
        "is",
        "in",
        "like",
        "ilike",
        "between",
        "union",
        "except",
        "intersect",
        "xor",
        "div",
        "collate",
        "interval",
    ];
    word.len() < 10 && WORDS.iter().any(|operator| word.eq_ignore_ascii_case(operator))
}

fn parse(text: &str) -> Option<Vec<(Location, Reading)>> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?;
    let statement = parser.parse_statement().ok()?;
    while parser.consume_token(&GrammarToken::SemiColon) {}
    if parser.peek_token_ref().token != GrammarToken::EOF {
        return None;
    }
    let mut names = Names::default();
    _ = statement.visit(&mut names);
    Some(names.found)
}

/// Turns lines and columns (in characters, from 1) into byte positions, in one pass.
fn placed(mut found: Vec<(Location, Reading)>, text: &str) -> Vec<Reading> {
    found.sort_by_key(|(location, _)| (location.line, location.column));
    let mut characters = text.char_indices();
    let (mut line, mut column) = (1, 0);
    for (location, reading) in &mut found {
        while (line, column) < (location.line, location.column) {
            let Some((at, character)) = characters.next() else { break };
            column += 1;
            reading.at = at;
            if character == '\n' && (line, column) != (location.line, location.column) {
                (line, column) = (line + 1, 0);
            }
        }
    }
    found.into_iter().map(|(_, reading)| reading).collect()
}

/// Walks a tree: collects names, and knows which common table expressions are in sight.
#[derive(Default)]
struct Names {
    found: Vec<(Location, Reading)>,
    scopes: Vec<Scope>,
}

/// The WITH clause of one query.
#[derive(Default)]
struct Scope {
    names: Vec<String>,
    /// The queries behind the names; compared by address, never followed.
    bodies: Vec<*const Query>,
    in_sight: usize,
    recursive: bool,
}

impl Names {
    /// The position of `query` in the WITH clause around it.
    fn body(&mut self, query: &Query) -> Option<(&mut Scope, usize)> {
        let scope = self.scopes.last_mut()?;
        let index = scope.bodies.iter().position(|body| std::ptr::eq(*body, query))?;
        Some((scope, index))
    }

    fn is_expression(&self, key: &str) -> bool {
        self.scopes.iter().any(|scope| scope.names.iter().take(scope.in_sight).any(|name| name == key))
    }

    fn note(&mut self, name: &ObjectName, function: bool) {
        let idents: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let Some(first) = idents.first().filter(|_| idents.len() == name.0.len()) else { return };
        let key = idents.iter().map(|ident| key(ident)).collect::<Vec<_>>().join(".");
        let value = first.quote_style.is_none() && is_value(&key);
        let local = idents.len() == 1 && (value || self.is_expression(&key));
        let table = !function && !local;
        let name = idents.iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join(".");
        self.found.push((first.span.start, Reading { at: 0, name, key, table }));
    }
}

fn key(ident: &Ident) -> String {
    match ident.quote_style {
        None => ident.value.to_ascii_lowercase(),
        Some(_) => ident.value.clone(),
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some((scope, index)) = self.body(query) {
            scope.in_sight = if scope.recursive { scope.names.len() } else { index };
        }
        let mut scope = Scope::default();
        if let Some(with) = &query.with {
            scope.recursive = with.recursive;
            scope.names = with.cte_tables.iter().map(|cte| key(&cte.alias.name)).collect();
            scope.bodies = with.cte_tables.iter().map(|cte| &raw const *cte.query).collect();
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        if let Some((scope, index)) = self.body(query) {
            scope.in_sight = scope.in_sight.max(index + 1);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            // `FROM ONLY t` is taken for a table called `only` with the alias t.
            TableFactor::Table { name, alias: Some(_), .. }
                if name.to_string().eq_ignore_ascii_case("only") => {}
            TableFactor::Table { name, args, .. } => self.note(name, args.is_some()),
            TableFactor::Function { name, .. } => self.note(name, true),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
