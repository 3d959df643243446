//! The statements of tests/data/sql/postgres, each with the expected answer of every field.
//!
//! A line of `#` is a heading, one of `=` or `~` is the class of the statement above it, as
//! `VERB CATEGORY [object=name] main: table/mode …`; `~` where the tables are from tokens alone (`operation.parsed` is `partial`).
//! `tests/sql/accept.py` proves that a real server takes the statements, `tests/sql/corpus.py` that the server's own grammar agrees.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::{fs, path::Path};

use panoptes_parser::sql::{Access, Class, Dialect, Parsed, classify, split};

#[test]
fn postgres() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/sql/postgres");
    let (mut checked, mut wrong) = (0, String::new());
    for file in fs::read_dir(folder).expect("the corpus") {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        while let (Some(sql), Some(expected)) = (lines.next(), lines.next()) {
            let actual = line(&classify(sql, Dialect::POSTGRES));
            if actual != expected {
                wrong += &format!("\n{}: {sql}\n  expected {expected}\n  actual   {actual}", path.display());
            }
            let twice = format!("{sql}\n;{sql}");
            assert_eq!(split(twice.as_bytes(), Dialect::POSTGRES).count(), 2, "{sql}");
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked > 900, "{checked} statements");
}

fn line(class: &Class) -> String {
    let mark = match class.parsed {
        Parsed::Full => '=',
        Parsed::Partial => '~',
        Parsed::None => '?',
    };
    let mut out = format!("{mark} {} {}", class.verb, class.category.as_str());
    if class.object.is_some() || class.object_name.is_some() {
        let name = class.object_name.as_ref().map_or(String::new(), |name| format!("={name}"));
        out += &format!(" [{}{name}]", class.object.unwrap_or_default());
    }
    if let Some(main) = &class.main_table {
        out += &format!(" {main}:");
    }
    for Access { table, mode } in &class.tables {
        out += &format!(" {table}/{}", mode.as_str());
    }
    out
}
