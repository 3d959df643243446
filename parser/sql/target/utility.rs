//! Work on tables (VACUUM, REINDEX, COPY, …), and statements about statements (DECLARE, PREPARE, EXPLAIN).

use super::super::lexer::Kind;
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

/// VACUUM, ANALYZE, CLUSTER and MySQL's kin: options, then tables.
pub(super) fn maintain(verb: &str, tables: &mut Tables<'_>) {
    tables.cursor.skip_parentheses();
    tables.cursor.skip(&[
        "full",
        "freeze",
        "verbose",
        "analyze",
        "analyse",
        "no_write_to_binlog",
        "local",
        "table",
        "tables",
    ]);
    // CLUSTER index ON table: the form before 8.4, still taken.
    if verb == "CLUSTER" && tables.cursor.word_at(1).eq_ignore_ascii_case("on") {
        tables.cursor.take();
        tables.cursor.eat("on");
    }
    let reads = matches!(verb, "ANALYZE" | "CHECK" | "CHECKSUM");
    names(tables, if reads { Mode::Read } else { Mode::Write });
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

/// `EXPLAIN [ANALYZE] [VERBOSE] statement`, `EXPLAIN (options) statement`; MySQL's `DESCRIBE t`.
pub(super) fn explain(tables: &mut Tables<'_>, target: &mut Target) {
    let mut runs = false;
    if tables.cursor.kind() == Some(Kind::Open) && !query_in_parentheses(tables) {
        let mut options = tables.cursor.clone();
        tables.cursor.skip_parentheses();
        let end = tables.cursor.peek().map_or(usize::MAX, |token| token.start);
        while options.peek().is_some_and(|token| token.start < end) {
            if options.at_any(&["analyze", "analyse"]) {
                options.take();
                runs = !options.at_any(&["false", "off"])
                    && options.peek().is_none_or(|t| options.spelling(t) != "0");
            }
            options.take();
        }
    }
    while tables.cursor.at_any(&["analyze", "analyse", "verbose", "extended", "partitions", "format"]) {
        runs |= tables.cursor.at_any(&["analyze", "analyse"]);
        if tables.cursor.eat("format") {
            tables.cursor.eat_kind(Kind::Operator);
        }
        tables.cursor.take();
    }
    let mut inner = tables.cursor.clone();
    match verb::read(&mut inner).0 {
        "CREATE" | "DECLARE" | "REFRESH" => {
            let verb = verb::read(&mut tables.cursor).0;
            read(verb, tables);
        }
        verb::UNKNOWN => _ = tables.table(Mode::Read, false),
        _ => tables.statement(),
    }
    target.idle = !runs;
}

/// `EXPLAIN (SELECT …)`: what begins a query is reserved, so no option has such a name.
fn query_in_parentheses(tables: &Tables<'_>) -> bool {
    tables.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open)
        || ["select", "with", "table", "values"]
            .iter()
            .any(|word| tables.cursor.word_at(1).eq_ignore_ascii_case(word))
}
