//! Work on tables (VACUUM, REINDEX, COPY, …), and statements about statements (DECLARE, PREPARE, EXPLAIN).

use super::super::lexer::Kind;
use super::super::statement::explain_options;
use super::super::tables::{Mode, Tables};
use super::super::verb;
use super::object::object;
use super::{Target, name, names, read, to};

pub(super) fn reindex(tables: &mut Tables<'_>, target: &mut Target) {
    tables.cursor.skip_parentheses();
    target.object = object(&mut tables.cursor);
    tables.cursor.eat("concurrently");
    match target.object {
        Some("TABLE") => _ = tables.table(Mode::Write, true),
        _ => name(tables, target),
    }
}

/// VACUUM, ANALYZE, CLUSTER: options, then tables.
pub(super) fn maintain(verb: &str, tables: &mut Tables<'_>) {
    tables.cursor.skip_parentheses();
    tables.cursor.skip(&["full", "freeze", "verbose", "analyze", "analyse"]);
    // CLUSTER index ON table: the form before 8.4, still taken.
    if verb == "CLUSTER" && tables.cursor.word_at(1).eq_ignore_ascii_case("on") {
        tables.cursor.take();
        tables.cursor.eat("on");
    }
    names(tables, if verb == "ANALYZE" { Mode::Read } else { Mode::Write });
}

/// `COPY t [(columns)] FROM` writes, `TO` reads; `COPY (query) TO` reads what the query reads.
pub(super) fn copy(tables: &mut Tables<'_>) {
    tables.cursor.eat("binary");
    if tables.cursor.kind() == Some(Kind::Open) {
        return tables.statement();
    }
    let Some(mut named) = tables.name(Mode::Read, false) else { return };
    tables.cursor.skip_parentheses();
    if tables.cursor.at("from") {
        (named.mode, named.target) = (Mode::Write, true);
    }
    tables.note(named);
    tables.rest();
}

/// `DECLARE c … CURSOR … FOR query`, `PREPARE s (…) AS statement`.
pub(super) fn prepare(verb: &str, tables: &mut Tables<'_>, target: &mut Target) {
    target.idle = verb == "PREPARE";
    if to(tables, if target.idle { "as" } else { "for" }) {
        tables.statement();
    }
}

/// `EXPLAIN [ANALYZE] [VERBOSE] statement`, `EXPLAIN (options) statement`.
pub(super) fn explain(tables: &mut Tables<'_>, target: &mut Target) {
    let explain = explain_options(&mut tables.cursor);
    let mut inner = tables.cursor.clone();
    match verb::read(&mut inner).0 {
        "CREATE" | "DECLARE" | "REFRESH" => {
            let verb = verb::read(&mut tables.cursor).0;
            read(verb, tables);
        }
        verb::UNKNOWN => _ = tables.table(Mode::Read, false),
        _ => tables.statement(),
    }
    (target.idle, target.by_literal) = (!explain.runs, explain.by_literal);
}
