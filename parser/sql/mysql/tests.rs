use super::*;

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
