//! What a statement does: its verb, category and object, and the tables it reads and writes.
//!
//! Verb and object come from tokens, so they never fail. Tables come from tokens too, and where sqlparser takes the
//! statement, its tree decides which tables are read. Call it on a thread with a stack of [`STACK_BYTES`].

use std::collections::{HashMap, HashSet};

use super::Dialect;
use super::cursor::Cursor;
use super::grammar::{self, Reading};
use super::tables::{MAX_TABLES, Named, Tables};
use super::target;
use super::verb;

pub use super::grammar::{MAX_OPERATORS, MAX_PARENTHESES, MAX_PARSED_BYTES, MAX_PARSED_TOKENS, STACK_BYTES};
pub use super::tables::Mode;
pub use super::verb::Category;

/// The class of one statement, in the terms of event.md's `operation.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// `operation.type`: SELECT, INSERT, CREATE, …; UNKNOWN where there is no verb.
    pub verb: &'static str,
    /// `operation.category`.
    pub category: Category,
    /// `operation.object`: TABLE, VIEW, ROLE, … of DDL and DCL.
    pub object: Option<&'static str>,
    /// The table written, or the first one read.
    pub main_table: Option<String>,
    /// Name of a DDL target that is no table.
    pub object_name: Option<String>,
    /// Every table named, in order of appearance, each once; at most 1,000.
    pub tables: Vec<Access>,
    /// How far the tables can be trusted.
    pub parsed: Parsed,
}

/// One table and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// As written less the quoting, schema kept.
    pub table: String,
    /// Read, written or both.
    pub mode: Mode,
}

/// Who understood the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parsed {
    /// A grammar took it.
    Full,
    /// Tokens only.
    Partial,
    /// No verb was found.
    None,
}

impl Parsed {
    /// The name in an event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}

impl Mode {
    /// The name in an event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Both => "both",
        }
    }
}

/// Classifies one statement (see [`split`](super::split())). Never fails and never panics.
pub fn classify(text: &str, dialect: Dialect) -> Class {
    let start = Cursor::new(text, dialect);
    let mut cursor = start.clone();
    let (verb, mut category) = verb::read(&mut cursor);
    let mut tables = Tables::new(if writes_rows(verb) { start } else { cursor });
    let target = if writes_rows(verb) {
        tables.statement();
        target::Target::default()
    } else {
        target::read(verb, &mut tables)
    };
    if matches!(target.object, Some("ROLE" | "USER" | "GROUP")) && matches!(verb, "CREATE" | "ALTER" | "DROP")
    {
        category = Category::Dcl;
    }
    let grammar = if verb == verb::UNKNOWN { None } else { grammar::read(text, dialect) };
    let parsed = parsed(verb, grammar.is_some() && !tables.cut);
    let verb = if writes_rows(verb) { data_verb(verb, &tables) } else { verb };
    let found = merged(tables.found, grammar.unwrap_or_default());
    Class {
        verb,
        category,
        object: target.object,
        main_table: main_table(&found),
        object_name: target.name,
        tables: accesses(found, target.idle),
        parsed,
    }
}

fn parsed(verb: &str, grammar: bool) -> Parsed {
    match (verb, grammar) {
        (verb::UNKNOWN, _) => Parsed::None,
        (_, true) => Parsed::Full,
        (_, false) => Parsed::Partial,
    }
}

/// The verbs whose statements are read from their first word on.
fn writes_rows(verb: &str) -> bool {
    matches!(verb, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "REPLACE")
}

/// A WITH that writes gives its verb to a statement that only reads.
fn data_verb(verb: &'static str, tables: &Tables<'_>) -> &'static str {
    match (tables.main, tables.writing) {
        (Some("SELECT") | None, Some(writing)) => writing,
        (Some(main), _) => main,
        (None, None) => verb,
    }
}

/// Both readings by position: the grammar adds what the tokens missed and takes out what it knows to be no table. A
/// name that it did not see stays: rather one table too many than one too few.
fn merged(mut found: Vec<Named>, readings: Vec<Reading>) -> Vec<Named> {
    let known: HashSet<usize> = found.iter().map(|named| named.at).collect();
    let no_table: HashSet<usize> = readings.iter().filter(|reading| !reading.table).map(|r| r.at).collect();
    found.retain(|named| !(named.listed && no_table.contains(&named.at)));
    for Reading { at, name, key, table } in readings {
        if table && !known.contains(&at) {
            found.push(Named { at, name, key, mode: Mode::Read, target: false, listed: true, depth: 0 });
        }
    }
    found.sort_by_key(|named| named.at);
    found
}

/// The table written, the statement's own before one inside a WITH; else the first one.
fn main_table(found: &[Named]) -> Option<String> {
    let mut written = found.iter().filter(|named| named.target && named.mode != Mode::Read);
    let own = written.clone().find(|named| named.depth == 0);
    own.or_else(|| written.next()).or_else(|| found.first()).map(|named| named.name.clone())
}

/// Each table once, with all that is done to it.
fn accesses(found: Vec<Named>, idle: bool) -> Vec<Access> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut tables: Vec<Access> = Vec::new();
    for Named { name, key, mode, .. } in found {
        let mode = if idle { Mode::Read } else { mode };
        let place = *places.entry(key).or_insert(tables.len());
        match tables.get_mut(place) {
            Some(known) if known.mode != mode => known.mode = Mode::Both,
            Some(_) => {}
            None => tables.push(Access { table: name, mode }),
        }
    }
    tables.truncate(MAX_TABLES);
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `VERB CATEGORY [object=name] main: table/mode …`
    fn line(sql: &str, dialect: Dialect) -> String {
        let class = classify(sql, dialect);
        let mut out = format!("{} {}", class.verb, class.category.as_str());
        if class.object.is_some() || class.object_name.is_some() {
            let name = class.object_name.map_or(String::new(), |name| format!("={name}"));
            out += &format!(" [{}{name}]", class.object.unwrap_or_default());
        }
        if let Some(main) = class.main_table {
            out += &format!(" {main}:");
        }
        for Access { table, mode } in class.tables {
            out += &format!(" {table}/{}", mode.as_str());
        }
        out
    }

    #[test]
    fn corpus() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/classes.txt"))
                .unwrap();
        let mut dialect = Dialect::POSTGRES;
        let mut sql = "";
        let mut bad = String::new();
        for row in text.lines() {
            if row == "@mysql" {
                dialect = Dialect::MYSQL;
            } else if let Some(expected) = row.strip_prefix("= ") {
                let actual = line(sql, dialect);
                if actual != expected {
                    bad += &format!("{sql}\n  expected {expected}\n  actual   {actual}\n");
                }
            } else {
                sql = row;
            }
        }
        assert!(bad.is_empty(), "\n{bad}");
    }
}
