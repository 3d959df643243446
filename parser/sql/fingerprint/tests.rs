use proptest::prelude::*;

use super::*;

fn normalized(text: &str, dialect: Dialect) -> String {
    let mut out = String::new();
    normalize(text, dialect, &mut out);
    out
}

/// Blocks of `text`, `= normalized`, `# fingerprint`; for PostgreSQL up to the line `@mysql`.
#[test]
fn golden() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/fingerprints.txt");
    let golden = std::fs::read_to_string(path).unwrap();
    let (mut dialect, mut actual) = (Dialect::POSTGRES, String::new());
    for line in golden.lines().filter(|line| !line.starts_with("= ") && !line.starts_with("# ")) {
        actual += &format!("{line}\n");
        if line == "@mysql" {
            dialect = Dialect::MYSQL;
            continue;
        }
        let form = normalized(&line.replace("\\n", "\n"), dialect);
        actual += &format!("= {form}\n# {}\n", fingerprint(&form));
    }
    assert!(actual == golden, "the file should be:\n{actual}<<<");
}

#[test]
fn normalizing_twice_changes_nothing() {
    let once = normalized("select a,b from t where x in (1,2) and y = 'z' -- c", Dialect::POSTGRES);
    // `?` reads as an operator in PostgreSQL, so this holds for the rest of the form.
    assert_eq!(normalized(&once, Dialect::POSTGRES), once);
}

#[test]
fn names_in_ansi_quotes_stay() {
    let text = r#"select "a" from "t" where b = 'c'"#;
    let ansi = Dialect::MYSQL.with_sql_mode("STRICT_ALL_TABLES, ansi");
    assert_eq!(normalized(text, ansi), r#"SELECT "a" FROM "t" WHERE b = ?"#);
    assert_eq!(normalized(text, Dialect::MYSQL), "SELECT ? FROM ? WHERE b = ?");
}

#[test]
fn the_buffer_is_reused() {
    let mut out = String::with_capacity(256);
    let before = out.as_ptr();
    for text in ["SELECT 1", "INSERT INTO t VALUES (1,2),(3,4)"] {
        normalize(text, Dialect::POSTGRES, &mut out);
    }
    assert_eq!((out.as_str(), out.as_ptr()), ("INSERT INTO t VALUES (?, ?)", before));
}

const TOKENS: [&str; 47] = [
    "a", "B1", "select", "IN", "values", "array", "cast", "count", "null", "is", "not", "from", "as", "mod",
    "group", "1", "2.5", "'x'", "\"y\"", "$1", "?", "(", ")", "(", ")", "[", "]", ",", ",", ".", ".", "::",
    ":", ":=", "=", "-", "-", "+", "*", "->>", "<", "||", "!", ";", "@v", "`q`", "end",
];

fn spellings(text: &str, dialect: Dialect) -> Vec<(Kind, &str)> {
    let lexer = Lexer::new(text.as_bytes(), dialect);
    lexer.map(|token| (token.kind, &text[token.start..token.end])).collect()
}

#[test]
fn tokens_do_not_grow_together() {
    for (text, expected) in [
        ("- -a", "- - a"),
        ("a - -1", "a - ?"),
        ("a - - b", "a - - b"),
        ("a: :b", "a: :b"),
        ("a::b", "a::b"),
        ("1 .. b", "?..b"),
        ("a @ -b", "a @ - b"),
        ("a @- b", "a @- b"),
        ("f (x) (y)", "f(x) (y)"),
        ("in(1)and(a)", "IN (?) AND (a)"),
        ("x [ 1 : 2 ] . y", "x[?:?].y"),
    ] {
        assert_eq!(normalized(text, Dialect::POSTGRES), expected);
    }
    for (text, expected) in [
        ("--a", "- - a"),
        ("a --b", "a - - b"),
        ("! a", "! a"),
        ("a@ 'b'", "a@?"),
        ("set @a:=@@b .c", "SET @a := @@b.c"),
        ("t . group", "t.group"),
        ("count (*)", "count(*)"),
        ("a:begin end", "a:BEGIN END"),
    ] {
        assert_eq!(normalized(text, Dialect::MYSQL), expected);
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_and_bounded(text in r#"([$'"`/*\-#;:E(),\[\]]|[a-z]|in|values|é|1|\PC){0,60}"#) {
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            prop_assert!(normalized(&text, dialect).len() <= 3 * text.len());
        }
    }

    #[test]
    fn gaps_change_nothing(
        tokens in prop::collection::vec(prop::sample::select(TOKENS.to_vec()), 1..24),
        gaps in prop::collection::vec(prop::sample::select(vec!["", " ", "  ", "/**/", "\t/* - */ "]), 24),
    ) {
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            let spaced = tokens.join(" ");
            let mut text = String::new();
            for (token, gap) in tokens.iter().zip(&gaps) {
                // Where two would grow together they are kept apart.
                let near = format!("{text}{gap}{token}");
                let same = spellings(&near, dialect) == spellings(&format!("{text} {token}"), dialect);
                text = if same { near } else { format!("{text} {token}") };
            }
            prop_assert_eq!(normalized(&text, dialect), normalized(&spaced, dialect), "{}", text);
        }
    }

    #[test]
    fn literals_never_show(number in 100_000u32.., string in "[A-Z]{9}") {
        let sql = format!("SELECT {number}, '{string}', -{number}, E'{string}\\'', $x${string}$x$ FROM t");
        prop_assert_eq!(normalized(&sql, Dialect::POSTGRES), "SELECT ?, ?, ?, ?, ? FROM t");
    }
}
