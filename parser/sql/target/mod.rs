//! What a statement aims at: the object of DDL and DCL with its name, and the tables in its head.
//!
//! One rule for each verb, read off the reference pages; what follows the head (columns, options, queries) is left to
//! [`Tables`].

mod define;
mod grant;
mod object;
mod utility;

use super::lexer::Kind;
use super::tables::{Mode, Tables};
use define::{change, create};
use grant::{comment, grant};
use object::object;
use utility::{copy, explain, maintain, prepare, reindex};

/// The object of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// TABLE, VIEW, ROLE, …
    pub(super) object: Option<&'static str>,
    /// Name of an object that is no table.
    pub(super) name: Option<String>,
    /// The tables are only named: nothing of what follows runs (EXPLAIN, PREPARE).
    pub(super) idle: bool,
    /// A literal says so.
    pub(super) by_literal: bool,
}

/// Reads the statement of `verb`, which the cursor of `tables` stands behind, to its end.
pub(super) fn read(verb: &str, tables: &mut Tables<'_>) -> Target {
    let mut target = Target::default();
    match verb {
        "CREATE" => create(tables, &mut target),
        "ALTER" | "DROP" => change(tables, &mut target),
        "COMMENT" | "SECURITY_LABEL" => comment(tables, &mut target),
        "GRANT" | "REVOKE" => grant(tables, &mut target),
        "TRUNCATE" => {
            tables.cursor.eat("table");
            target.object = Some("TABLE");
            names(tables, Mode::Write);
        }
        "LOCK" => {
            tables.cursor.eat("table");
            names(tables, Mode::Read);
        }
        "REFRESH" => {
            target.object = object(&mut tables.cursor);
            tables.cursor.eat("concurrently");
            tables.table(Mode::Write, true);
        }
        "REASSIGN" => {
            target.object = object(&mut tables.cursor);
            name(tables, &mut target);
        }
        "REINDEX" => reindex(tables, &mut target),
        "VACUUM" | "ANALYZE" | "CLUSTER" => maintain(verb, tables),
        "COPY" => copy(tables),
        "DECLARE" | "PREPARE" => prepare(verb, tables, &mut target),
        "EXPLAIN" | "DESCRIBE" => explain(tables, &mut target),
        "IMPORT" => import(tables, &mut target),
        _ => {}
    }
    target
}

/// The name of an object that is no table; that of an operator may be `schema.<=>`.
fn name(tables: &mut Tables<'_>, target: &mut Target) {
    target.name = tables.name(Mode::Read, false).map(|named| named.name);
    if target.object == Some("OPERATOR") {
        let dot = tables.cursor.eat_kind(Kind::Dot);
        let Some(operator) = tables.cursor.eat_kind(Kind::Operator) else { return };
        let name = target.name.get_or_insert_default();
        name.extend(dot.map(|_| '.'));
        name.push_str(tables.cursor.spelling(operator));
    }
}

/// A list of tables: `ONLY a, b (columns), c *`.
fn names(tables: &mut Tables<'_>, mode: Mode) {
    loop {
        if tables.cursor.at("only") && tables.cursor.peek_at(1).is_some_and(|next| next.kind != Kind::Comma) {
            tables.cursor.take();
        }
        let bracket = tables.cursor.eat_kind(Kind::Open).is_some();
        if !tables.table(mode, true) {
            return;
        }
        if bracket {
            tables.cursor.eat_kind(Kind::Close);
        }
        tables.cursor.eat_kind(Kind::Operator);
        tables.cursor.skip_parentheses();
        if tables.cursor.eat_kind(Kind::Comma).is_none() {
            return;
        }
    }
}

/// Moves behind the next `word` outside of parentheses.
fn to(tables: &mut Tables<'_>, word: &str) -> bool {
    while let Some(kind) = tables.cursor.kind() {
        match kind {
            Kind::Open => tables.cursor.skip_parentheses(),
            _ if tables.cursor.eat(word) => return true,
            _ => _ = tables.cursor.take(),
        }
    }
    false
}

/// `FOREIGN SCHEMA name [LIMIT TO|EXCEPT (tables)] FROM SERVER …`: those it is limited to are made.
fn import(tables: &mut Tables<'_>, target: &mut Target) {
    target.object = object(&mut tables.cursor);
    name(tables, target);
    let limited = tables.cursor.eat_words(&["limit", "to"]);
    if limited || tables.cursor.eat("except") {
        tables.cursor.eat_kind(Kind::Open);
        names(tables, if limited { Mode::Write } else { Mode::Read });
    }
}
