//! Everything that neither reads and writes rows by itself nor defines: SET, SHOW, EXPLAIN, LOCK, FLUSH, LOAD, …
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/sql-server-administration-statements.html>,
//! <https://mariadb.com/kb/en/administrative-sql-statements/>

use super::account::named;
use super::frame::{Fresh, Target};
use super::reader::Reader;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;
use crate::sql::tables::Mode;
use crate::sql::verb::Category;

/// Reads the head of the statement of `verb`, which the cursor stands behind.
pub(super) fn read(reader: &mut Reader<'_>, verb: &str) -> Target {
    match verb {
        "SET" => return set(reader),
        "SHOW" => show(reader),
        "EXPLAIN" | "DESCRIBE" => explain(reader),
        "ANALYZE" => analyze(reader),
        "CHECK" | "CHECKSUM" => maintain(reader, Mode::Read),
        "OPTIMIZE" | "REPAIR" => maintain(reader, Mode::Write),
        "LOCK" => lock(reader),
        "FLUSH" => flush(reader),
        "HANDLER" => handler(reader),
        "LOAD" => load(reader),
        "CACHE" => {
            reader.cursor.eat("index");
            key_caches(reader);
        }
        "BACKUP" if reader.cursor.eat("lock") => _ = reader.table(Mode::Read),
        "IMPORT" => return Target { object: Some("TABLE"), ..Target::default() },
        "PREPARE" => {
            reader.name();
            reader.cursor.eat("from");
            reader.doubt |= reader.cursor.kind() != Some(Kind::String);
        }
        // What it runs is not in the text, or in a literal or another statement of it.
        "EXECUTE" => reader.doubt = true,
        "START" if reader.cursor.at("transaction") => {
            reader.verb =
                reader.verb.map(|own| if own.0 == "START" { ("BEGIN", Category::Tcl) } else { own });
        }
        // Of the server, as PURGE is.
        "RESET" if reader.cursor.at_any(&["binary", "master", "query", "replica", "slave"]) => {
            reader.verb = reader.verb.map(|(verb, _)| (verb, Category::Utility));
        }
        "BEGIN" => begin(reader),
        _ => {}
    }
    Target::default()
}

/// `HANDLER t OPEN AS h` gives the table another name, by which other statements read and close it: what these name is not in
/// their text.
fn handler(reader: &mut Reader<'_>) {
    let mut ahead = reader.cursor.clone();
    ahead.take();
    if ahead.eat_kind(Kind::Dot).is_some() {
        ahead.take();
    }
    if ahead.at("open") {
        reader.table(Mode::Read);
    } else {
        reader.cursor = ahead;
        reader.doubt = true;
    }
}

/// Is this MariaDB's `SET STATEMENT variable = value FOR statement`, behind SET?
pub(super) fn is_set_statement(cursor: &Cursor<'_>) -> bool {
    cursor.at("statement") && cursor.peek_at(1).is_some_and(|next| next.kind != Kind::Operator)
}

/// `SET PASSWORD` and `SET DEFAULT ROLE` change an account, all else the session or the server.
fn set(reader: &mut Reader<'_>) -> Target {
    let password = eat_password(reader);
    if !password && !reader.cursor.at_words(&["default", "role"]) {
        return Target::default();
    }
    if let Some((_, category)) = &mut reader.verb {
        *category = Category::Dcl;
    }
    let named_user = if password { reader.cursor.eat("for") } else { default_role(reader) };
    if named_user {
        return named(reader, "USER");
    }
    Target { object: Some("USER"), ..Target::default() }
}

/// Moves behind PASSWORD, which MariaDB takes among assignments: `SET @a = 'x', PASSWORD = '…'`.
fn eat_password(reader: &mut Reader<'_>) -> bool {
    let mut ahead = reader.cursor.clone();
    loop {
        let sets = ahead.peek_at(1).is_some_and(|next| next.kind != Kind::Dot);
        if sets && ahead.eat("password") {
            reader.cursor = ahead;
            return true;
        }
        loop {
            match ahead.kind() {
                None | Some(Kind::Semicolon) => return false,
                Some(Kind::Open) => ahead.skip_parentheses(),
                Some(kind) => {
                    ahead.take();
                    if kind == Kind::Comma {
                        break;
                    }
                }
            }
        }
    }
}

/// Moves behind the TO (MySQL) or FOR (MariaDB) of SET DEFAULT ROLE, if there is one.
fn default_role(reader: &mut Reader<'_>) -> bool {
    while let Some(token) = reader.cursor.take() {
        if token.kind == Kind::Word
            && matches!(reader.cursor.spelling(token).to_ascii_lowercase().as_str(), "to" | "for")
        {
            return true;
        }
    }
    false
}

/// Tables of SHOW CREATE TABLE, SHOW COLUMNS, SHOW INDEX.
fn show(reader: &mut Reader<'_>) {
    let cursor = &mut reader.cursor;
    if cursor.eat("create") {
        if cursor.at_any(&["table", "view"]) {
            cursor.take();
            reader.table(Mode::Read);
        }
        return;
    }
    cursor.skip(&["full", "extended"]);
    if !cursor.at_any(&["columns", "fields", "index", "indexes", "keys"]) {
        return;
    }
    cursor.take();
    if !cursor.eat("from") && !cursor.eat("in") {
        return;
    }
    let Some(mut name) = reader.name() else { return };
    if (reader.cursor.eat("from") || reader.cursor.eat("in"))
        && let Some(database) = reader.name()
    {
        name = format!("{database}.{name}");
    }
    reader.note(name, None, Mode::Read);
}

/// `EXPLAIN [options] statement`, `DESCRIBE t [column]`, `EXPLAIN FOR CONNECTION 5`. Only with ANALYZE the statement runs.
fn explain(reader: &mut Reader<'_>) {
    let mut runs = false;
    let cursor = &mut reader.cursor;
    loop {
        let more = cursor.peek_at(1).is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Open));
        if cursor.at_any(&["analyze", "extended", "partitions"]) && more {
            runs |= cursor.at("analyze");
            cursor.take();
        } else if !format(cursor) {
            break;
        }
    }
    if cursor.eat("into") {
        // MySQL: EXPLAIN FORMAT=JSON INTO @variable statement
        cursor.take();
        cursor.take();
    }
    if cursor.at_words(&["for", "connection"]) {
        return;
    }
    reader.idle = !runs;
    // MySQL: EXPLAIN FOR DATABASE d statement
    if cursor.eat("for") {
        cursor.take();
        reader.database = reader.name();
    }
    statement_or_table(reader);
}

/// `FORMAT = JSON`
fn format(cursor: &mut Cursor<'_>) -> bool {
    let found = cursor.at("format") && cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Operator);
    if found {
        (0..3).for_each(|_| _ = cursor.take());
    }
    found
}

fn statement_or_table(reader: &mut Reader<'_>) {
    const STATEMENTS: [&str; 9] =
        ["select", "insert", "update", "delete", "replace", "with", "values", "table", "set"];
    if reader.cursor.kind() == Some(Kind::Open) || reader.cursor.at_any(&STATEMENTS) {
        reader.frame().fresh = Fresh::Statement;
    } else {
        reader.table(Mode::Read);
    }
}

/// `ANALYZE TABLE t, u`, or MariaDB's `ANALYZE [FORMAT=JSON] statement`, which runs it.
fn analyze(reader: &mut Reader<'_>) {
    reader.cursor.skip(&["no_write_to_binlog", "local"]);
    if reader.cursor.at_any(&["table", "tables"]) {
        return maintain(reader, Mode::Read);
    }
    format(&mut reader.cursor);
    statement_or_table(reader);
}

/// Tables of ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR, with MariaDB's lists behind each.
fn maintain(reader: &mut Reader<'_>, mode: Mode) {
    reader.cursor.skip(&["no_write_to_binlog", "local", "table", "tables", "view"]);
    while reader.table(mode) {
        // ANALYZE TABLE t PERSISTENT FOR COLUMNS (a) INDEXES (b), u
        if reader.cursor.eat_words(&["persistent", "for"]) {
            while reader.cursor.at_any(&["all", "columns", "indexes"]) {
                reader.cursor.take();
                reader.cursor.skip_parentheses();
            }
        }
        if reader.cursor.eat_kind(Kind::Comma).is_none() {
            return;
        }
    }
}

/// `LOCK TABLES a AS x READ LOCAL, b LOW_PRIORITY WRITE`; LOCK INSTANCE has none.
fn lock(reader: &mut Reader<'_>) {
    if !reader.cursor.at_any(&["table", "tables"]) {
        return;
    }
    reader.cursor.take();
    while reader.table(Mode::Read) {
        while matches!(reader.cursor.kind(), Some(Kind::Word | Kind::Quoted)) {
            reader.cursor.take();
        }
        if reader.cursor.eat_kind(Kind::Comma).is_none() {
            return;
        }
    }
}

/// `FLUSH TABLES a, b [WITH READ LOCK | FOR EXPORT]`
fn flush(reader: &mut Reader<'_>) {
    reader.cursor.skip(&["no_write_to_binlog", "local"]);
    if reader.cursor.at_any(&["table", "tables"]) {
        reader.cursor.take();
        reader.table_list(Mode::Read);
    }
}

/// `LOAD DATA | XML … INTO TABLE t`, `LOAD INDEX INTO CACHE t, u`
fn load(reader: &mut Reader<'_>) {
    if reader.cursor.at("index") {
        if let Some((verb, category)) = &mut reader.verb
            && *verb == "LOAD"
        {
            *category = Category::Utility;
        }
        reader.to("cache");
        return key_caches(reader);
    }
    if reader.to("into") && reader.cursor.eat("table") {
        reader.table(Mode::Write);
    }
}

/// `t [PARTITION (p)] [INDEX (i)] [IGNORE LEAVES], …`
fn key_caches(reader: &mut Reader<'_>) {
    while reader.table(Mode::Read) {
        while reader.cursor.at_any(&["partition", "index", "key", "ignore", "leaves"])
            || reader.cursor.kind() == Some(Kind::Open)
        {
            match reader.cursor.kind() {
                Some(Kind::Open) => reader.cursor.skip_parentheses(),
                _ => _ = reader.cursor.take(),
            }
        }
        if reader.cursor.eat_kind(Kind::Comma).is_none() {
            return;
        }
    }
}

/// A transaction, or a block: `BEGIN NOT ATOMIC` of MariaDB, `BEGIN statement` of sql_mode ORACLE.
fn begin(reader: &mut Reader<'_>) {
    let block =
        !reader.cursor.at("work") && reader.cursor.peek().is_some_and(|next| next.kind != Kind::Semicolon);
    if block && reader.compound.is_none() {
        reader.verb = reader.verb.map(|own| if own.0 == "BEGIN" { ("DO", Category::Dml) } else { own });
        reader.enter_block("BEGIN");
    }
}
