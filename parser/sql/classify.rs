//! What a statement does: its verb, category and object, and the tables it reads and writes.
//!
//! Verb and object come from tokens, so they never fail. Tables come from tokens too, and where sqlparser takes the
//! statement, its tree decides which tables are read. Call it on a thread with a stack of [`STACK_BYTES`].

use std::collections::{HashMap, HashSet};

use super::Dialect;
use super::cursor::Cursor;
use super::grammar::{self, Reading};
use super::mysql;
use super::statement::{Effect, effect};
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
    /// A literal decides some of it (the name in `DROP USER 'ann'`, that of a table `"t"` under ANSI_QUOTES, the modes in
    /// `EXPLAIN (ANALYZE 0)`), or the case of PostgreSQL's names: the normalized text, where literals are `?` and names are
    /// folded, does not tell it, so the class may not be kept by it.
    pub by_literal: bool,
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
    if !dialect.is_postgres() {
        return mysql::classify(text, dialect);
    }
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
    // What EXECUTE runs is not in the text.
    let elsewhere = matches!(verb, "CREATE" | "EXECUTE" | "EXPLAIN")
        && matches!(effect(text, dialect), Effect::Execute(_) | Effect::Explain(_));
    let parsed = parsed(verb, grammar.is_some() && !tables.cut && !elsewhere);
    let verb = if writes_rows(verb) { data_verb(verb, &tables) } else { verb };
    let found = merged(tables.found, grammar.unwrap_or_default());
    let upper = |name: &String| name.bytes().any(|byte| byte.is_ascii_uppercase());
    let by_case =
        found.iter().any(|named| named.name != named.key) || target.name.as_ref().is_some_and(upper);
    Class {
        verb,
        category,
        object: target.object,
        main_table: main_table(&found),
        object_name: target.name,
        by_literal: target.by_literal || by_case,
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
    matches!(verb, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE")
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
pub(super) fn main_table(found: &[Named]) -> Option<String> {
    let mut written = found.iter().filter(|named| named.target && named.mode != Mode::Read);
    let own = written.clone().find(|named| named.depth == 0);
    own.or_else(|| written.next()).or_else(|| found.first()).map(|named| named.name.clone())
}

/// Each table once, with all that is done to it.
pub(super) fn accesses(found: Vec<Named>, idle: bool) -> Vec<Access> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut folded = false;
    let mut tables: Vec<Access> = Vec::new();
    for Named { name, key, mode, .. } in found {
        let mode = if idle { Mode::Read } else { mode };
        folded |= name != key;
        let place = *places.entry(key).or_insert(tables.len());
        match tables.get_mut(place) {
            Some(known) if known.mode != mode => known.mode = Mode::Both,
            Some(_) => {}
            None => tables.push(Access { table: name, mode }),
        }
    }
    if folded {
        tell_apart(&mut tables, places);
    }
    tables.truncate(MAX_TABLES);
    tables
}

/// Two tables written the same, `Foo` and `"Foo"`, are shown as the server folds them.
fn tell_apart(tables: &mut [Access], places: HashMap<String, usize>) {
    let mut times: HashMap<String, u32> = HashMap::new();
    tables.iter().for_each(|access| *times.entry(access.table.clone()).or_default() += 1);
    for (key, place) in places {
        if let Some(access) = tables.get_mut(place).filter(|access| times.get(&access.table) > Some(&1)) {
            access.table = key;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Effect, effect};
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

    /// Lines of `statement`, `= what it is`.
    #[test]
    fn corpus() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/classes.txt");
        let corpus = std::fs::read_to_string(path).unwrap();
        let (mut sql, mut wrong) = ("", String::new());
        for row in corpus.lines() {
            match row.strip_prefix("= ") {
                None => sql = row,
                Some(expected) => {
                    let actual = line(sql, Dialect::POSTGRES);
                    if actual != expected {
                        wrong += &format!("\n{sql}\n  expected {expected}\n  actual   {actual}");
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn says_how_far_it_can_be_trusted() {
        for (sql, expected) in [
            ("GRANT FOO", Parsed::Partial),
            ("CREATE TABLE", Parsed::Partial),
            ("CREATE TABLE t", Parsed::Partial),
            ("GRANT a TO b", Parsed::Full),
            ("CREATE TABLE t (a INT)", Parsed::Full),
            ("CREATE TABLE t LIKE u", Parsed::Full),
            ("CREATE FUNCTION", Parsed::Partial),
            ("ALTER TABLE", Parsed::Partial),
        ] {
            assert_eq!(classify(sql, Dialect::MYSQL).parsed, expected, "{sql}");
        }
        for (sql, expected) in [
            ("GRANT FOO", Parsed::Partial),
            ("CREATE TABLE", Parsed::Partial),
            ("SELECT * FROM a", Parsed::Full),
            ("CREATE RULE r AS ON INSERT TO a DO NOTHING", Parsed::Partial),
            ("gibberish", Parsed::None),
        ] {
            assert_eq!(classify(sql, Dialect::POSTGRES).parsed, expected, "{sql}");
        }
    }

    /// PREPARE itself only reads; what EXECUTE will do is the class of its body.
    #[test]
    fn the_body_of_a_prepare_has_its_own_class() {
        for (sql, expected) in [
            ("PREPARE p (int) AS UPDATE a SET b = $1 FROM c", "UPDATE DML a: a/write c/read"),
            ("prepare p as insert into a select * from b;", "INSERT DML a: a/write b/read"),
            ("PREPARE p(numeric(1,2)) AS /* c */ DELETE FROM a", "DELETE DML a: a/write"),
            (
                "PREPARE p AS WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x, b",
                "DELETE DML a: a/write b/read",
            ),
            ("PREPARE p AS SELECT * FROM a", "SELECT DML a: a/read"),
        ] {
            let Effect::Prepare { body, .. } = effect(sql, Dialect::POSTGRES) else { panic!("{sql}") };
            assert_eq!(line(&sql[body], Dialect::POSTGRES), expected, "{sql}");
        }
    }

    fn on_large_stack(work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn hostile_depth_is_taken() {
        on_large_stack(|| {
            let open = "(".repeat(10_000);
            let close = ")".repeat(10_000);
            let operators = MAX_OPERATORS - 1;
            for (sql, parsed) in [
                (format!("SELECT 1{} FROM t", "+1".repeat(40_000)), Parsed::Partial),
                (format!("SELECT 1{} FROM t", "+1".repeat(operators)), Parsed::Full),
                (format!("SELECT 1{} FROM t", " AND 1".repeat(operators)), Parsed::Full),
                (format!("SELECT {}1 FROM t", "NOT ".repeat(operators)), Parsed::Partial),
                (format!("SELECT {}1 FROM t", "- ".repeat(operators)), Parsed::Partial),
                (format!("SELECT {}'1' FROM t", "INTERVAL ".repeat(operators)), Parsed::Partial),
                (format!("SELECT a{} FROM t", "::int".repeat(operators)), Parsed::Full),
                (format!("SELECT a{} FROM t", "[1]".repeat(operators)), Parsed::Full),
                (format!("SELECT 1 FROM t{}", " UNION SELECT 1".repeat(operators)), Parsed::Full),
                (format!("SELECT {open}1{close} FROM t"), Parsed::Partial),
                (format!("SELECT * FROM {open}t{close}"), Parsed::Partial),
                (
                    format!("SELECT {}1{} FROM t", "CASE WHEN 1 THEN ".repeat(1_000), " END".repeat(1_000)),
                    Parsed::Partial,
                ),
                (format!("SELECT 1 FROM t {}", ";".repeat(100_000)), Parsed::Partial),
            ] {
                let class = classify(&sql, Dialect::POSTGRES);
                let head = sql.get(..40).unwrap();
                assert_eq!((class.verb, class.main_table.as_deref()), ("SELECT", Some("t")), "{head}");
                assert_eq!(class.parsed, parsed, "{head}");
            }
        });
    }

    /// The grammar tries brackets in more than one way; the limit on their depth keeps that cheap.
    #[test]
    fn brackets_cost_no_exponential_time() {
        on_large_stack(|| {
            for depth in [MAX_PARENTHESES, MAX_PARENTHESES + 1] {
                let (open, close) = ("(".repeat(depth), ")".repeat(depth));
                for sql in [
                    format!("SELECT {open}1{close} FROM t"),
                    format!("SELECT * FROM {open}t{close}"),
                    format!("SELECT * FROM {open}SELECT * FROM t{close} x"),
                    format!("SELECT * FROM t WHERE a IN {open}SELECT 1{close}"),
                    format!("INSERT INTO t {open}SELECT 1{close}"),
                    format!("SELECT {}a FROM t", "f(".repeat(depth) + &close),
                    format!("SELECT {open}SELECT 1 FROM t WHERE a = {open}1"),
                ] {
                    assert_eq!(classify(&sql, Dialect::POSTGRES).main_table.as_deref(), Some("t"), "{sql}");
                }
            }
        });
    }

    #[test]
    fn tables_are_bounded() {
        let names: Vec<String> = (0..5_000).map(|index| format!("t{index}")).collect();
        let class = classify(&format!("TRUNCATE {}", names.join(",")), Dialect::POSTGRES);
        assert_eq!((class.tables.len(), class.parsed), (MAX_TABLES, Parsed::Partial));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "SELECT", "FROM", "WITH", "RECURSIVE", "a", "\"B\"", "(", ")", ",", "AS", "INSERT", "INTO", "UPDATE", "SET",
                    "DELETE", "USING", "JOIN", "ON", "TABLE", "CREATE", "VIEW", "VALUES", "UNION", ";", ".", "1", "'x'", "$$",
                    "/*", "*", "ONLY", "LATERAL", "EXPLAIN", "COPY", "GRANT", "é", "DO", "BEGIN", "ATOMIC", "OPTIONS",
                ]),
                0..30,
            ),
        ) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                _ = classify(&words.join(" "), dialect);
            }
        }

        #[test]
        fn any_characters_are_taken(text in r#"\PC{0,60}"#) {
            _ = classify(&text, Dialect::POSTGRES);
            _ = effect(&text, Dialect::POSTGRES);
        }
    }
}
