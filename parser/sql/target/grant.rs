//! What is said of objects that exist: COMMENT, SECURITY LABEL, GRANT, REVOKE.

use super::super::lexer::Kind;
use super::super::tables::{Mode, Tables};
use super::define::attached;
use super::object::{OBJECTS, is_table, object};
use super::{Target, name, names, to};

/// `ON object name IS …`; a column's table is its name less the last part.
pub(super) fn comment(tables: &mut Tables<'_>, target: &mut Target) {
    if !to(tables, "on") {
        return;
    }
    if tables.cursor.eat("column") {
        target.object = Some("COLUMN");
        target.name = tables.column(Mode::Write, true);
        return;
    }
    if tables.cursor.eat("constraint") {
        target.object = Some("CONSTRAINT");
        return constraint(tables, target);
    }
    target.object = object(&mut tables.cursor);
    match target.object {
        object if is_table(object) => _ = tables.table(Mode::Write, true),
        Some("TRIGGER" | "POLICY" | "RULE") => attached(tables, target),
        Some("CAST" | "TRANSFORM") => {}
        _ => name(tables, target),
    }
}

/// `name ON table`, `name ON DOMAIN domain`
fn constraint(tables: &mut Tables<'_>, target: &mut Target) {
    name(tables, target);
    let domain = tables.cursor.at_words(&["on", "domain"])
        && tables.cursor.peek_at(2).is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Quoted))
        && !tables.cursor.word_at(2).eq_ignore_ascii_case("is");
    if !domain && tables.cursor.eat("on") {
        tables.table(Mode::Write, true);
    }
}

/// `GRANT rights ON [TABLE] a, b TO …`, or `GRANT role TO …`.
pub(super) fn grant(tables: &mut Tables<'_>, target: &mut Target) {
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
        None if tables.cursor.eat("parameter") => {
            target.object = Some("PARAMETER");
            name(tables, target);
        }
        None => {
            target.object = Some("TABLE");
            names(tables, Mode::Write);
        }
        _ => name(tables, target),
    }
}
