//! CREATE, ALTER, DROP, RENAME, TRUNCATE: what they define, and the tables that a definition names.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/sql-data-definition-statements.html>, <https://mariadb.com/kb/en/data-definition/>

use super::account::{account, named};
use super::compound::Compound;
use super::frame::{Fresh, Target, Verb};
use super::literal::value;
use super::reader::Reader;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;
use crate::sql::tables::Mode;
use crate::sql::verb::Category;

/// Objects by their words, the longer ones first. SCHEMA is another word for DATABASE.
#[rustfmt::skip]
static OBJECTS: [(&[&str], &str); 29] = [
    (&["package", "body"], "PACKAGE BODY"), (&["logfile", "group"], "LOGFILE GROUP"), (&["resource", "group"], "RESOURCE GROUP"),
    (&["spatial", "reference", "system"], "SPATIAL REFERENCE SYSTEM"), (&["undo", "tablespace"], "UNDO TABLESPACE"),
    (&["materialized", "view"], "MATERIALIZED VIEW"), (&["masking", "policy"], "MASKING POLICY"), (&["external", "table"], "TABLE"),
    (&["json", "relational", "duality", "view"], "VIEW"), (&["json", "duality", "view"], "VIEW"),
    (&["table"], "TABLE"), (&["tables"], "TABLE"), (&["view"], "VIEW"), (&["index"], "INDEX"), (&["sequence"], "SEQUENCE"),
    (&["role"], "ROLE"), (&["user"], "USER"), (&["database"], "DATABASE"), (&["schema"], "DATABASE"),
    (&["function"], "FUNCTION"), (&["procedure"], "PROCEDURE"), (&["trigger"], "TRIGGER"), (&["event"], "EVENT"),
    (&["package"], "PACKAGE"), (&["server"], "SERVER"), (&["tablespace"], "TABLESPACE"), (&["library"], "LIBRARY"),
    (&["instance"], "INSTANCE"), (&["key"], "INDEX"),
];

/// The object's words, behind `OR REPLACE DEFINER = 'a'@'b' SQL SECURITY INVOKER TEMPORARY` and their kin.
fn object(reader: &mut Reader<'_>) -> Option<&'static str> {
    #[rustfmt::skip]
    const MODIFIERS: [&str; 16] = [
        "or", "replace", "temporary", "online", "offline", "ignore", "unique", "fulltext", "spatial", "vector", "aggregate", "sql",
        "security", "invoker", "definer", "algorithm",
    ];
    loop {
        if let Some((words, object)) = OBJECTS.iter().find(|(words, _)| reader.cursor.at_words(words)) {
            words.iter().for_each(|_| _ = reader.cursor.take());
            return Some(object);
        }
        if !reader.cursor.at_any(&MODIFIERS) {
            reader.doubt = true;
            return None;
        }
        reader.cursor.take();
        if reader.cursor.kind() == Some(Kind::Operator) {
            reader.cursor.take();
            account(reader);
        }
    }
}

fn is_account(reader: &mut Reader<'_>, object: &str) -> bool {
    let account = matches!(object, "USER" | "ROLE");
    if account && let Some((_, category)) = &mut reader.verb {
        *category = Category::Dcl;
    }
    account
}

pub(super) fn create(reader: &mut Reader<'_>) -> Target {
    let Some(object) = object(reader) else { return Target::default() };
    reader.cursor.skip_if_exists();
    let mut target = Target { object: Some(object), ..Target::default() };
    match object {
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" => {
            // A name alone is no definition.
            reader.doubt |=
                !reader.table(Mode::Write) || matches!(reader.cursor.kind(), None | Some(Kind::Semicolon));
            if reader.cursor.eat("like") {
                reader.doubt |= !reader.table(Mode::Read);
            }
            reader.defines = true;
            let frame = reader.frame();
            (frame.verb, frame.fresh) = (Verb::Create, Fresh::Query);
        }
        "INDEX" => index(reader, &mut target),
        "TRIGGER" => {
            target.name = reader.name();
            if reader.to("on") {
                reader.table(Mode::Write);
            }
        }
        _ if is_account(reader, object) => return named(reader, object),
        "SPATIAL REFERENCE SYSTEM" => target.name = number(&mut reader.cursor),
        "SERVER" => target = server(reader),
        _ => {
            target.name = reader.name();
            reader.doubt |= target.name.is_none();
        }
    }
    body(reader, object);
    target
}

/// A body follows: its statements are read like others.
fn body(reader: &mut Reader<'_>, object: &str) {
    if reader.compound.is_some() {
        return;
    }
    reader.compound = match object {
        "PROCEDURE" | "FUNCTION" => Some(Compound::routine()),
        "TRIGGER" | "EVENT" | "PACKAGE" | "PACKAGE BODY" => Some(Compound::definition(object)),
        _ => None,
    };
}

/// `INDEX i [USING x] ON t`
fn index(reader: &mut Reader<'_>, target: &mut Target) {
    target.name = reader.name();
    if reader.to("on") {
        reader.table(Mode::Write);
    }
}

fn number(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.eat_kind(Kind::Number).map(|number| cursor.spelling(number).to_owned())
}

/// Servers may have strings for names.
fn server(reader: &mut Reader<'_>) -> Target {
    let string = reader.cursor.eat_kind(Kind::String);
    let (text, dialect) = (reader.cursor.text, reader.cursor.dialect);
    let name = match string {
        Some(token) => value(text.get(token.start..token.end).unwrap_or_default(), dialect),
        None => reader.name(),
    };
    Target { object: Some("SERVER"), name, literal: string.is_some() }
}

/// ALTER and DROP.
pub(super) fn change(reader: &mut Reader<'_>, verb: &str) -> Target {
    if verb == "DROP" && reader.cursor.eat("prepare") {
        reader.verb = reader.verb.map(|_| ("DEALLOCATE", Category::Utility));
        return Target::default();
    }
    let Some(object) = object(reader) else { return Target::default() };
    reader.cursor.skip_if_exists();
    let mut target = Target { object: Some(object), ..Target::default() };
    match object {
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" if verb == "DROP" => reader.table_list(Mode::Write),
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" => {
            reader.doubt |= !reader.table(Mode::Write);
            reader.defines = true;
            reader.frame().verb = if object == "TABLE" { Verb::Alter } else { Verb::Create };
        }
        "INDEX" => index(reader, &mut target),
        "DATABASE" if verb == "ALTER" && without_name(&reader.cursor) => {}
        "INSTANCE" => {}
        _ if is_account(reader, object) => return named(reader, object),
        "SPATIAL REFERENCE SYSTEM" => target.name = number(&mut reader.cursor),
        "SERVER" => target = server(reader),
        _ => target.name = reader.name(),
    }
    if verb == "ALTER" && object == "EVENT" {
        body(reader, object);
    }
    target
}

/// `ALTER DATABASE CHARACTER SET utf8mb4`: the current one.
fn without_name(cursor: &Cursor<'_>) -> bool {
    let options = ["character", "charset", "collate", "default", "comment", "encryption", "read"];
    let next = cursor.peek_at(1).map(|next| next.kind);
    cursor.at_any(&options) && matches!(next, Some(Kind::Word | Kind::Operator | Kind::String))
}

/// `RENAME TABLE a TO b, c TO d`, `RENAME USER a TO b`
pub(super) fn rename(reader: &mut Reader<'_>) -> Target {
    let Some(object) = object(reader) else { return Target::default() };
    reader.cursor.skip_if_exists();
    if is_account(reader, object) {
        return named(reader, object);
    }
    while reader.table(Mode::Write) {
        // MariaDB: RENAME TABLE a WAIT 5 TO b
        reader.cursor.skip(&["nowait", "wait"]);
        reader.cursor.eat_kind(Kind::Number);
        if !reader.cursor.eat("to") {
            reader.cursor.eat_kind(Kind::Comma);
        }
    }
    Target { object: Some(object), ..Target::default() }
}

pub(super) fn truncate(reader: &mut Reader<'_>) -> Target {
    reader.cursor.eat("table");
    reader.table(Mode::Write);
    Target { object: Some("TABLE"), ..Target::default() }
}

/// The words that name other tables in a definition, or begin its query.
pub(super) fn define(reader: &mut Reader<'_>, word: &str, after_open: bool) {
    let verb = reader.frame().verb;
    let is = |other: &str| word.eq_ignore_ascii_case(other);
    match word {
        "AS" | "IGNORE" | "REPLACE" if verb == Verb::Create => reader.frame().fresh = Fresh::Query,
        "REFERENCES" => _ = reader.table(Mode::Read),
        "LIKE" if after_open => _ = reader.table(Mode::Read),
        "UNION" if matches!(verb, Verb::Create | Verb::Alter) => union(reader),
        "RENAME" if verb == Verb::Alter && !reader.cursor.at_any(&["index", "key", "column"]) => {
            reader.cursor.skip(&["to", "as"]);
            reader.cursor.eat_kind(Kind::Operator);
            reader.table(Mode::Write);
        }
        // EXCHANGE PARTITION p WITH TABLE t, CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO PARTITION p
        _ if verb == Verb::Alter
            && (is("with") || is("to") || is("convert"))
            && reader.cursor.eat("table") =>
        {
            reader.table(Mode::Write);
        }
        _ => {}
    }
}

/// `UNION = (t, u)` of the MERGE engine; else the query goes on: `(SELECT …) UNION (SELECT …)`.
fn union(reader: &mut Reader<'_>) {
    let cursor = &mut reader.cursor;
    cursor.eat_kind(Kind::Operator);
    let named = matches!(cursor.peek_at(1).map(|next| next.kind), Some(Kind::Word | Kind::Quoted));
    let query =
        ["select", "with", "values", "table"].iter().any(|word| cursor.word_at(1).eq_ignore_ascii_case(word));
    if cursor.kind() == Some(Kind::Open) && named && !query {
        cursor.take();
        reader.table_list(Mode::Read);
        reader.cursor.eat_kind(Kind::Close);
    } else {
        cursor.skip(&["all", "distinct"]);
        reader.frame().fresh = Fresh::Query;
    }
}
