//! Statements that are put together from pieces before they run: `EXECUTE 'ALTER ' || 'USER a PASS' || 'WORD …'`.
//!
//! No piece need say what the whole does. So the whole is put together as the server would, and unless it can be read as a
//! statement without a secret, every literal of it goes.

use std::ops::Range;

use super::super::Dialect;
use super::super::constant::{Constant, UNKNOWN};
use super::super::cursor::Cursor;
use super::super::lexer::{Kind, Lexer};
use super::super::split::split;
use super::about::{About, is_any};
use super::hidden::Hidden;
use super::inside::MAX_NESTING;
use super::said::is_statement;
use super::variable::Role;
use super::walk::Walk;

impl Walk<'_, '_> {
    /// Looks at what EXECUTE, EXECUTE IMMEDIATE and MySQL's PREPARE … FROM run, which the cursor stands before.
    pub(super) fn runs(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        let postgres = self.cursor.dialect.is_postgres();
        let begins = match word.len() {
            // PostgreSQL's own EXECUTE is of a prepared statement, outside of routines; that of a trigger is a call.
            7 if is("execute") => {
                let other = ["function", "immediate", "on", "procedure"];
                self.code && (self.nesting > 0 && postgres) && !self.cursor.at_any(&other)
            }
            9 if is("immediate") => is_any(self.last_word(), &["execute"]),
            4 if is("from") => std::mem::take(&mut self.prepares),
            _ => {
                self.prepares |= is("prepare") && !postgres;
                return;
            }
        };
        // What is within an expression was looked at with it.
        let start = self.cursor.peek().map_or(0, |next| next.start);
        if !begins || start < self.run_end {
            return;
        }
        let run = Constant::read(self.cursor.clone());
        self.run_end = run.end;
        if run.alone {
            // One literal is read as any other.
            let names = if run.literals == 0 { run.names } else { Vec::new() };
            self.mention(names, Role::Run);
        } else if run.is_known() && hides_nothing(&run.text, self.cursor.dialect, self.nesting) {
            self.harmless_end = run.end;
        } else if !is_harmless(&run, self.cursor.dialect, self.nesting) {
            self.hides_run = true;
            self.mention(run.names, Role::Secret);
        }
    }

    /// MySQL runs texts by way of variables, which later statements name, and psql runs what a query answers: what CONCAT and
    /// `format` put together is looked at as well. The cursor stands behind the function's name.
    pub(super) fn concatenates(&mut self, function: &str) {
        let start = self.cursor.peek().map_or(0, |next| next.start);
        let dialect = self.cursor.dialect;
        if start < self.run_end {
            return;
        }
        let run = Constant::call(function, self.cursor.clone());
        self.run_end = run.end;
        let runs = !self.about.is_rows() && !dialect.is_postgres() || is_statement(&run.text, dialect);
        if run.deep || runs && holds_secret(&run.text, dialect, self.nesting) {
            self.hides_run = true;
            self.mention(run.names, Role::Secret);
        }
    }

    /// A literal of a text that runs, and may not stay as it is: the first one may say what it is about, the others go.
    pub(super) fn run_literal(&mut self, start: usize) -> bool {
        let hides = std::mem::take(&mut self.hides_run) && start < self.run_end;
        hides && !std::mem::replace(&mut self.open, true)
    }
}

/// May each literal of it stay?
fn is_harmless(run: &Constant<'_>, dialect: Dialect, nesting: usize) -> bool {
    run.certain && is_harmless_text(&run.text, dialect, nesting)
}

/// Are these statements that hold no secret, whatever stands for [`UNKNOWN`] in them?
pub(super) fn is_harmless_text(text: &str, dialect: Dialect, nesting: usize) -> bool {
    let mut statements = split(text.as_bytes(), dialect);
    let harmless =
        |statement: Range<usize>| is_known_statement(text.get(statement).unwrap_or_default(), dialect);
    statements.all(harmless) && !holds_secret(text, dialect, nesting)
}

/// May the literals of this one be read, so far as its form tells?
fn is_known_statement(text: &str, dialect: Dialect) -> bool {
    #[rustfmt::skip]
    const ROWS: [&str; 32] = [
        "analyze", "begin", "call", "checkpoint", "close", "cluster", "commit", "copy", "delete", "discard", "explain", "fetch",
        "flush", "insert", "listen", "lock", "merge", "notify", "optimize", "refresh", "reindex", "replace", "reset", "rollback",
        "savepoint", "select", "show", "table", "truncate", "update", "vacuum", "with",
    ];
    const RIGHTS: [&str; 5] = ["comment", "drop", "grant", "reassign", "revoke"];
    let mut cursor = Cursor::new(text, dialect);
    while cursor.eat_kind(Kind::Open).is_some() {}
    let verb = cursor.word();
    cursor.take();
    match verb {
        _ if is_any(verb, &ROWS) => !calls_unknown(text, dialect),
        _ if is_any(verb, &RIGHTS) => true,
        _ if is_any(verb, &["alter", "create"]) => defines_rows(&mut cursor),
        _ if is_any(verb, &["set"]) => sets_known(&mut cursor),
        _ => false,
    }
}

/// Would anything of it be hidden, if it were a statement, or of what may follow?
fn holds_secret(text: &str, dialect: Dialect, nesting: usize) -> bool {
    let mut about = false;
    !is_clean(text, dialect, nesting, |walk| about = walk.about.is_secret() && walk.began) || about
}

/// All of a statement is known: does it show no secret, whatever it is about?
fn hides_nothing(text: &str, dialect: Dialect, nesting: usize) -> bool {
    is_clean(text, dialect, nesting, |_| {})
}

fn is_clean(text: &str, dialect: Dialect, nesting: usize, look: impl FnOnce(&Walk<'_, '_>)) -> bool {
    if nesting >= MAX_NESTING {
        return false;
    }
    let mut hidden = Hidden::default();
    let mut walk = Walk::new(text, dialect, &mut hidden, nesting + 1, true);
    walk.alone = true;
    walk.about = About::read(&walk.cursor, false);
    walk.run();
    look(&walk);
    let open = walk.open || !walk.cursor.certain() || !walk.parameters.is_empty();
    !open && !hidden.uncertain && hidden.is_empty()
}

/// Is a function called with literals of whose name the text tells only a part, or nothing? `INSERT INTO ¿ (a)` calls none.
fn calls_unknown(text: &str, dialect: Dialect) -> bool {
    let (mut unknown, mut last, mut called) = (false, "", false);
    Lexer::new(text.as_bytes(), dialect).any(|token| {
        let spelling = text.get(token.start..token.end).unwrap_or_default();
        called |= token.kind == Kind::Open && unknown;
        unknown = token.kind == Kind::Word && spelling.contains(UNKNOWN) && !is_any(last, &["into", "."]);
        last = spelling;
        called && token.kind == Kind::String
    })
}

/// Does SET name its setting?
fn sets_known(cursor: &mut Cursor<'_>) -> bool {
    cursor.skip(&["global", "local", "session"]);
    cursor.peek().is_some_and(|name| !cursor.spelling(name).contains(UNKNOWN))
}

/// Does CREATE or ALTER name something that has no secret, and all of its name?
fn defines_rows(cursor: &mut Cursor<'_>) -> bool {
    #[rustfmt::skip]
    const MODIFIERS: [&str; 14] = [
        "aggregate", "constraint", "event", "foreign", "global", "local", "materialized", "or", "recursive", "replace",
        "temp", "temporary", "unique", "unlogged",
    ];
    #[rustfmt::skip]
    const NOUNS: [&str; 19] = [
        "collation", "database", "domain", "extension", "function", "index", "operator", "policy", "procedure", "publication",
        "rule", "schema", "sequence", "statistics", "table", "tablespace", "trigger", "type", "view",
    ];
    cursor.skip(&MODIFIERS);
    cursor.at_any(&NOUNS)
}
