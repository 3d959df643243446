//! What a statement aims at: the object of DDL and DCL with its name, and the tables in its head.
//!
//! One rule for each verb, read off the reference pages; what follows the head (columns, options, queries) is left to
//! [`Tables`].

use super::cursor::Cursor;
use super::lexer::Kind;
use super::tables::{Mode, Tables};
use super::verb;

/// The object of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// TABLE, VIEW, ROLE, …
    pub(super) object: Option<&'static str>,
    /// Name of an object that is no table.
    pub(super) name: Option<String>,
    /// The tables are only named: nothing of what follows runs (EXPLAIN, PREPARE).
    pub(super) idle: bool,
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
        "LOCK" | "UNLOCK" => {
            tables.cursor.skip(&["table", "tables"]);
            names(tables, Mode::Read);
        }
        "RENAME" => rename(tables, &mut target),
        "REFRESH" => {
            target.object = object(&mut tables.cursor);
            tables.cursor.eat("concurrently");
            tables.table(Mode::Write, true);
        }
        "REINDEX" => reindex(tables, &mut target),
        "VACUUM" | "ANALYZE" | "CLUSTER" | "OPTIMIZE" | "REPAIR" | "CHECK" | "CHECKSUM" => {
            maintain(verb, tables)
        }
        "COPY" => copy(tables),
        "DECLARE" | "PREPARE" => prepare(verb, tables, &mut target),
        "EXPLAIN" | "DESCRIBE" => explain(tables, &mut target),
        "LOAD" => load(tables),
        "HANDLER" => _ = tables.table(Mode::Read, false),
        _ => {}
    }
    target
}

/// Objects by their words; the longer ones first. The second column says whether their names are tables.
#[rustfmt::skip]
static OBJECTS: [(&[&str], &str, bool); 45] = [
    (&["materialized", "view"], "MATERIALIZED VIEW", true), (&["foreign", "table"], "FOREIGN TABLE", true),
    (&["foreign", "data", "wrapper"], "FOREIGN DATA WRAPPER", false), (&["event", "trigger"], "EVENT TRIGGER", false),
    (&["user", "mapping"], "USER MAPPING", false), (&["access", "method"], "ACCESS METHOD", false),
    (&["default", "privileges"], "DEFAULT PRIVILEGES", false), (&["large", "object"], "LARGE OBJECT", false),
    (&["operator", "class"], "OPERATOR CLASS", false), (&["operator", "family"], "OPERATOR FAMILY", false),
    (&["text", "search", "configuration"], "TEXT SEARCH CONFIGURATION", false),
    (&["text", "search", "dictionary"], "TEXT SEARCH DICTIONARY", false),
    (&["text", "search", "parser"], "TEXT SEARCH PARSER", false),
    (&["text", "search", "template"], "TEXT SEARCH TEMPLATE", false),
    (&["table"], "TABLE", true), (&["view"], "VIEW", true), (&["index"], "INDEX", false), (&["sequence"], "SEQUENCE", false),
    (&["role"], "ROLE", false), (&["user"], "USER", false), (&["group"], "GROUP", false), (&["database"], "DATABASE", false),
    (&["schema"], "SCHEMA", false), (&["function"], "FUNCTION", false), (&["procedure"], "PROCEDURE", false),
    (&["routine"], "ROUTINE", false), (&["aggregate"], "AGGREGATE", false), (&["trigger"], "TRIGGER", false),
    (&["rule"], "RULE", false), (&["policy"], "POLICY", false), (&["type"], "TYPE", false), (&["domain"], "DOMAIN", false),
    (&["extension"], "EXTENSION", false), (&["language"], "LANGUAGE", false), (&["server"], "SERVER", false),
    (&["tablespace"], "TABLESPACE", false), (&["publication"], "PUBLICATION", false),
    (&["subscription"], "SUBSCRIPTION", false), (&["collation"], "COLLATION", false), (&["conversion"], "CONVERSION", false),
    (&["cast"], "CAST", false), (&["operator"], "OPERATOR", false), (&["statistics"], "STATISTICS", false),
    (&["event"], "EVENT", false), (&["system"], "SYSTEM", false),
];

/// Words between the verb and the object.
const MODIFIERS: [&str; 20] = [
    "or",
    "replace",
    "temp",
    "temporary",
    "global",
    "local",
    "unlogged",
    "unique",
    "constraint",
    "recursive",
    "trusted",
    "procedural",
    "fulltext",
    "spatial",
    "algorithm",
    "definer",
    "sql",
    "security",
    "invoker",
    "online",
];

fn object(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    let (words, object, _) = OBJECTS.iter().find(|(words, ..)| cursor.at_words(words))?;
    words.iter().for_each(|_| _ = cursor.take());
    Some(object)
}

fn is_table(object: Option<&str>) -> bool {
    OBJECTS.iter().any(|(_, name, table)| *table && object == Some(name))
}

/// `CREATE DEFINER = 'a'@'b' VIEW` and the like: forward to the object's word.
fn create(tables: &mut Tables<'_>, target: &mut Target) {
    let cursor = &mut tables.cursor;
    while cursor.at_any(&MODIFIERS) {
        let assigned = cursor.at_any(&["definer", "algorithm"]);
        cursor.take();
        if assigned {
            cursor.eat_kind(Kind::Operator);
            cursor.take();
            if cursor.eat_kind(Kind::Operator).is_some() {
                cursor.take();
            }
        }
    }
    target.object = object(cursor);
    cursor.eat("concurrently");
    cursor.skip_if_exists();
    match target.object {
        object if is_table(object) => {
            tables.table(Mode::Write, true);
            if tables.cursor.eat("like") {
                tables.table(Mode::Read, false);
            }
        }
        Some("INDEX") => index(tables, target),
        Some("TRIGGER" | "POLICY") => attached(tables, target),
        Some("RULE") => rule(tables, target),
        Some("STATISTICS") => {
            name(tables, target);
            if to(tables, "from") {
                tables.expect();
            }
        }
        Some("PUBLICATION") => publication(tables, target),
        Some("CAST" | "USER MAPPING") | None => {}
        _ => name(tables, target),
    }
    tables.definition();
}

/// ALTER and DROP.
fn change(tables: &mut Tables<'_>, target: &mut Target) {
    tables.cursor.skip(&["temporary", "online", "offline", "ignore", "procedural"]);
    target.object = object(&mut tables.cursor);
    tables.cursor.eat("concurrently");
    tables.cursor.skip_if_exists();
    match target.object {
        object if is_table(object) && !tables.cursor.at_words(&["all", "in"]) => {
            tables.alters = true;
            names(tables, Mode::Write);
        }
        Some("TRIGGER" | "POLICY" | "RULE") => attached(tables, target),
        Some("PUBLICATION") => publication(tables, target),
        Some("DEFAULT PRIVILEGES" | "USER MAPPING" | "CAST" | "SYSTEM") | None => {}
        _ => name(tables, target),
    }
    tables.definition();
}

fn name(tables: &mut Tables<'_>, target: &mut Target) {
    target.name = tables.name(Mode::Read, false).map(|named| named.name);
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
        // MySQL: LOCK TABLES a READ, b AS c WRITE.
        while tables.cursor.at_any(&["as", "read", "write", "low_priority"]) {
            tables.cursor.take();
        }
        if tables.cursor.eat_kind(Kind::Comma).is_none() {
            return;
        }
    }
}

/// `INDEX [name] ON [ONLY] table`
fn index(tables: &mut Tables<'_>, target: &mut Target) {
    if !tables.cursor.at("on") {
        name(tables, target);
    }
    to(tables, "on");
    tables.cursor.eat("only");
    tables.table(Mode::Write, true);
}

/// An object that belongs to a table: `name … ON table`; a constraint trigger may name a second one.
fn attached(tables: &mut Tables<'_>, target: &mut Target) {
    if !tables.cursor.at("on") {
        name(tables, target);
    }
    if to(tables, "on") {
        tables.cursor.eat("only");
        tables.table(Mode::Write, true);
        if tables.cursor.eat("from") {
            tables.table(Mode::Read, false);
        }
    }
}

/// `name AS ON event TO table`
fn rule(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    if to(tables, "to") {
        tables.table(Mode::Write, true);
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

/// `name [ADD|SET|DROP|FOR] TABLE a (columns) WHERE (…), TABLES IN SCHEMA s, …`
fn publication(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    tables.cursor.skip(&["for", "add", "set", "drop"]);
    let mut listed = tables.cursor.at_any(&["table", "tables"]);
    while listed {
        if tables.cursor.eat_words(&["tables", "in", "schema"]) {
            name(tables, &mut Target::default());
        } else {
            tables.cursor.skip(&["table", "only"]);
            tables.table(Mode::Read, true);
            tables.cursor.eat_kind(Kind::Operator);
            tables.cursor.skip_parentheses();
            tables.cursor.eat("where");
            tables.cursor.skip_parentheses();
        }
        listed = tables.cursor.eat_kind(Kind::Comma).is_some();
    }
}

/// `ON object name IS …`; a column's table is its name less the last part.
fn comment(tables: &mut Tables<'_>, target: &mut Target) {
    if !to(tables, "on") {
        return;
    }
    if tables.cursor.eat("column") {
        target.object = Some("COLUMN");
        let Some(mut column) = tables.name(Mode::Write, true) else { return };
        target.name = Some(column.name.clone());
        for part in [&mut column.name, &mut column.key] {
            part.truncate(part.rfind('.').unwrap_or(part.len()));
        }
        return tables.note(column);
    }
    if tables.cursor.eat("constraint") {
        target.object = Some("CONSTRAINT");
        return attached(tables, target);
    }
    target.object = object(&mut tables.cursor);
    match target.object {
        object if is_table(object) => _ = tables.table(Mode::Write, true),
        Some("TRIGGER" | "POLICY" | "RULE") => attached(tables, target),
        _ => name(tables, target),
    }
}

/// `GRANT rights ON [TABLE] a, b TO …`, or `GRANT role TO …`.
fn grant(tables: &mut Tables<'_>, target: &mut Target) {
    let mut role = Tables::new(tables.cursor.clone()).name(Mode::Read, false).map(|named| named.name);
    while let Some(kind) = tables.cursor.kind() {
        match kind {
            Kind::Open => tables.cursor.skip_parentheses(),
            _ if tables.cursor.eat("on") => return granted(tables, target),
            _ if tables.cursor.at_any(&["to", "from"]) => break,
            _ if tables.cursor.at_words(&["option", "for"]) => {
                tables.cursor.eat_words(&["option", "for"]);
                role = Tables::new(tables.cursor.clone()).name(Mode::Read, false).map(|named| named.name);
            }
            _ => _ = tables.cursor.take(),
        }
    }
    (target.object, target.name) = (Some("ROLE"), role);
}

fn granted(tables: &mut Tables<'_>, target: &mut Target) {
    if tables.cursor.eat("all") {
        let objects = tables.cursor.word();
        target.object = OBJECTS
            .iter()
            .map(|(_, name, _)| *name)
            .find(|name| objects.strip_suffix(['s', 'S']).is_some_and(|one| one.eq_ignore_ascii_case(name)));
        if to(tables, "schema") {
            name(tables, target);
        }
        return;
    }
    target.object = object(&mut tables.cursor);
    match target.object {
        Some("TABLE") => names(tables, Mode::Write),
        None if tables.cursor.eat("parameter") => name(tables, target),
        None => {
            target.object = Some("TABLE");
            names(tables, Mode::Write);
        }
        _ => name(tables, target),
    }
}

/// MySQL: `RENAME TABLE a TO b, c TO d`, `RENAME USER …`.
fn rename(tables: &mut Tables<'_>, target: &mut Target) {
    target.object = object(&mut tables.cursor);
    if !is_table(target.object) {
        return;
    }
    while tables.table(Mode::Write, true) {
        if !tables.cursor.eat("to") {
            tables.cursor.eat_kind(Kind::Comma);
        }
    }
}

fn reindex(tables: &mut Tables<'_>, target: &mut Target) {
    tables.cursor.skip_parentheses();
    target.object = object(&mut tables.cursor);
    tables.cursor.eat("concurrently");
    match target.object {
        Some("TABLE") => _ = tables.table(Mode::Write, true),
        _ => name(tables, target),
    }
}

/// VACUUM, ANALYZE, CLUSTER and MySQL's kin: options, then tables.
fn maintain(verb: &str, tables: &mut Tables<'_>) {
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
    let reads = matches!(verb, "ANALYZE" | "CHECK" | "CHECKSUM");
    names(tables, if reads { Mode::Read } else { Mode::Write });
}

/// `COPY t [(columns)] FROM` writes, `TO` reads; `COPY (query) TO` reads what the query reads.
fn copy(tables: &mut Tables<'_>) {
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
}

/// `DECLARE c … CURSOR … FOR query`, `PREPARE s (…) AS statement`.
fn prepare(verb: &str, tables: &mut Tables<'_>, target: &mut Target) {
    target.idle = verb == "PREPARE";
    if to(tables, if target.idle { "as" } else { "for" }) {
        tables.statement();
    }
}

/// `EXPLAIN [ANALYZE] [VERBOSE] statement`, `EXPLAIN (options) statement`; MySQL's `DESCRIBE t`.
fn explain(tables: &mut Tables<'_>, target: &mut Target) {
    let mut runs = false;
    if tables.cursor.kind() == Some(Kind::Open) {
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

/// MySQL: `LOAD DATA … INTO TABLE t`.
fn load(tables: &mut Tables<'_>) {
    if to(tables, "into") && tables.cursor.eat("table") {
        tables.table(Mode::Write, true);
    }
}
