use proptest::prelude::*;

use super::*;
use crate::sql::{normalize, split};

/// `VERB CATEGORY [object=name] main: table/mode … (partial)`
fn line(sql: &str) -> String {
    let class = classify(sql, Dialect::MYSQL);
    let mut out = format!("{} {}", class.verb, class.category.as_str());
    if class.object.is_some() || class.object_name.is_some() {
        let name = class.object_name.map_or(String::new(), |name| format!("={name}"));
        out += &format!(" [{}{name}]", class.object.unwrap_or_default());
    }
    if let Some(main) = class.main_table {
        out += &format!(" {main}:");
    }
    for access in class.tables {
        out += &format!(" {}/{}", access.table, access.mode.as_str());
    }
    match class.parsed {
        Parsed::Full => out,
        _ => out + &format!(" ({})", class.parsed.as_str()),
    }
}

/// Each file of tests/data/sql/mysql holds lines of `statement`, `= what it is`; a line of `@` or `#` before is about it.
#[test]
fn corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/mysql");
    let (mut seen, mut wrong) = (0, String::new());
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "txt") || file.ends_with("split.txt") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let mut sql = "";
        for row in text.lines().filter(|row| !row.is_empty() && !row.starts_with(['#', '@'])) {
            let Some(expected) = row.strip_prefix("= ") else {
                sql = row;
                continue;
            };
            seen += 1;
            let actual = line(sql);
            if actual != expected {
                wrong += &format!("\n{sql}\n  expected {expected}\n  actual   {actual}");
            }
        }
    }
    assert!(wrong.is_empty() && seen > 0, "{seen} {wrong}");
}

/// Long texts of everything that nests, repeats or is looked up. Where a limit cuts, the class is partial.
#[test]
fn hostile_texts_are_read_to_their_end() {
    let brackets = |depth| ("(".repeat(depth), ")".repeat(depth));
    let (open, close) = brackets(10_000);
    let list =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    let expressions = list(5_000, &|at| format!("c{at} AS (SELECT 1)"));
    let names = list(5_000, &|at| format!("t{at}"));
    let columns = list(5_000, &|at| format!("t{at}.a = {at}"));
    for (sql, verb, table, parsed) in [
        (format!("SELECT 1{} FROM t", "+1".repeat(40_000)), "SELECT", "t", Parsed::Full),
        (format!("SELECT {}1 FROM t", "NOT ".repeat(40_000)), "SELECT", "t", Parsed::Full),
        (format!("SELECT {open}1{close} FROM t"), "SELECT", "t", Parsed::Full),
        (format!("SELECT * FROM {open}t{close}"), "SELECT", "t", Parsed::Full),
        (format!("{open}SELECT * FROM t{close}"), "SELECT", "t", Parsed::Full),
        (format!("SELECT * FROM t WHERE a IN {open}SELECT 1"), "SELECT", "t", Parsed::Partial),
        (format!("SELECT 1 FROM t{}", " UNION SELECT 1".repeat(10_000)), "SELECT", "t", Parsed::Full),
        (format!("SELECT 1 FROM t{}", ";".repeat(100_000)), "SELECT", "t", Parsed::Full),
        (format!("WITH {expressions} SELECT * FROM t, {names}"), "SELECT", "t", Parsed::Partial),
        (format!("UPDATE {names} SET {columns}"), "UPDATE", "t0", Parsed::Partial),
        (format!("DELETE {names} FROM {names}"), "DELETE", "t0", Parsed::Partial),
        (format!("DROP TABLE {names}"), "DROP", "t0", Parsed::Partial),
        (
            format!("BEGIN NOT ATOMIC {}DELETE FROM t; END", "BEGIN ".repeat(10_000)),
            "DO",
            "t",
            Parsed::Partial,
        ),
        (format!("SELECT CASE {} FROM t", "CASE ".repeat(10_000)), "SELECT", "t", Parsed::Full),
        (format!("INSERT INTO t VALUES {}(1)", "(1), ".repeat(20_000)), "INSERT", "t", Parsed::Full),
    ] {
        let class = classify(&sql, Dialect::MYSQL);
        let head = sql.get(..40).unwrap();
        assert_eq!((class.verb, class.main_table.as_deref()), (verb, Some(table)), "{head}");
        assert_eq!(class.parsed, parsed, "{head}");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "WITH", "RECURSIVE", "a", "`B`", "(", ")", ",", "AS", "INSERT", "INTO", "UPDATE", "SET", "DELETE",
                "USING", "JOIN", "ON", "TABLE", "CREATE", "VIEW", "VALUES", "UNION", ";", ".", "1", "'x'", "/*!50000", "*/",
                "*", "BEGIN", "NOT", "ATOMIC", "END", "IF", "THEN", "ELSE", "CASE", "LOOP", "WHILE", "DO", "REPEAT", "UNTIL", "FOR",
                "PROCEDURE", "TRIGGER", "EVENT", "PACKAGE", "IS", "DECLARE", "HANDLER", "RETURN", "<<", ">>", ":", "@", "=", "EXPLAIN",
                "GRANT", "LOCK", "TABLES", "USER", "PASSWORD", "STATEMENT", "DUPLICATE", "KEY", "ALTER", "RENAME", "PARTITION", "{",
            ]),
            0..40,
        ),
    ) {
        let text = words.join(" ");
        _ = classify(&text, Dialect::MYSQL);
        let mut out = String::new();
        for piece in split(text.as_bytes(), Dialect::MYSQL) {
            let piece = text.get(piece).unwrap_or_default();
            normalize(piece, Dialect::MYSQL, &mut out);
            prop_assert!(out.len() <= 2 * piece.len());
        }
    }

    #[test]
    fn any_characters_are_taken(text in r#"\PC{0,60}"#) {
        _ = classify(&text, Dialect::MYSQL);
        _ = value(&text, Dialect::MYSQL);
    }
}
