//! CREATE, ALTER and DROP.

use super::super::lexer::Kind;
use super::super::tables::{Mode, Tables};
use super::grant::grant;
use super::object::{MODIFIERS, is_table, object};
use super::{Target, name, names, to};

/// `CREATE DEFINER = 'a'@'b' VIEW` and the like: forward to the object's word.
pub(super) fn create(tables: &mut Tables<'_>, target: &mut Target) {
    let cursor = &mut tables.cursor;
    let mut recursive = false;
    while cursor.at_any(&MODIFIERS) {
        recursive |= cursor.at("recursive");
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
            if recursive && let Some(named) = tables.found.last() {
                // Its query knows it by this name, whatever schema it goes to.
                let key = named.key.rsplit('.').next().unwrap_or_default().to_owned();
                tables.defines_expression(key);
            }
            if tables.cursor.eat("like") {
                tables.table(Mode::Read, false);
            }
        }
        Some("INDEX") => index(tables, target),
        Some("TRIGGER" | "POLICY") => attached(tables, target),
        Some("RULE") => rule(tables, target),
        Some("STATISTICS") => {
            if !tables.cursor.at("on") {
                name(tables, target);
            }
            if to(tables, "from") {
                tables.expect();
            }
        }
        Some("PUBLICATION") => publication(tables, target),
        Some("SCHEMA") => return schema(tables, target),
        Some("SEQUENCE") => sequence(tables, target),
        Some("CAST" | "USER MAPPING" | "TRANSFORM") | None => {}
        _ => name(tables, target),
    }
    tables.definition();
}

/// ALTER and DROP.
pub(super) fn change(tables: &mut Tables<'_>, target: &mut Target) {
    tables.cursor.skip(&["temporary", "online", "offline", "ignore", "procedural"]);
    target.object = object(&mut tables.cursor);
    tables.cursor.eat("concurrently");
    tables.cursor.skip_if_exists();
    match target.object {
        object if is_table(object) && !tables.cursor.at("all") => {
            tables.alters = true;
            names(tables, Mode::Write);
            if tables.cursor.eat_words(&["rename", "to"]) {
                tables.table(Mode::Write, true);
            }
        }
        Some("TRIGGER" | "POLICY" | "RULE") => attached(tables, target),
        Some("PUBLICATION") => publication(tables, target),
        Some("SEQUENCE") => sequence(tables, target),
        Some("EXTENSION") => extension(tables, target),
        // ALTER ROLE ALL, ALTER TABLE ALL IN TABLESPACE: reserved, so never a name.
        Some(_) if tables.cursor.at("all") => {}
        Some("TRANSFORM" | "DEFAULT PRIVILEGES" | "USER MAPPING" | "CAST" | "SYSTEM") | None => {}
        _ => name(tables, target),
    }
    tables.definition();
}

/// `[name] [AUTHORIZATION role]`, then definitions of what is in it, one behind the other.
fn schema(tables: &mut Tables<'_>, target: &mut Target) {
    let role = ["current_role", "current_user", "session_user"];
    // Without a name it has the role's.
    if !tables.cursor.eat("authorization") || !tables.cursor.at_any(&role) {
        name(tables, target);
    }
    tables.schema = true;
    tables.definition();
    loop {
        match () {
            () if tables.cursor.eat("create") => create(tables, &mut Target::default()),
            () if tables.cursor.eat("grant") => grant(tables, &mut Target::default()),
            () => return,
        }
        tables.definition();
    }
}

/// `name … OWNED BY table.column`
fn sequence(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    if to(tables, "owned") && tables.cursor.eat("by") {
        tables.column(Mode::Read, false);
    }
}

/// `name ADD|DROP TABLE table`
fn extension(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    if (tables.cursor.eat("add") || tables.cursor.eat("drop")) && is_table(object(&mut tables.cursor)) {
        tables.table(Mode::Write, true);
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
pub(super) fn attached(tables: &mut Tables<'_>, target: &mut Target) {
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

/// `name [ADD|SET|DROP|FOR] TABLE a (columns) WHERE (…), TABLES IN SCHEMA s, …`
fn publication(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    tables.cursor.skip(&["for", "add", "set", "drop"]);
    let mut listed = tables.cursor.at_any(&["table", "tables"]);
    let mut schemas = false;
    while listed {
        schemas |= tables.cursor.eat_words(&["tables", "in", "schema"]);
        schemas &= !tables.cursor.eat("table");
        if schemas {
            name(tables, &mut Target::default());
        } else {
            tables.cursor.eat("only");
            tables.table(Mode::Read, true);
            tables.cursor.eat_kind(Kind::Operator);
            tables.cursor.skip_parentheses();
            tables.cursor.eat("where");
            tables.cursor.skip_parentheses();
        }
        listed = tables.cursor.eat_kind(Kind::Comma).is_some();
    }
}
