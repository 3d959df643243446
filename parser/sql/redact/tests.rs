//! The corpus, and what the corpus becomes with other comments, another case, other spellings of its literals.

use proptest::prelude::*;

use super::super::lexer::{Kind, Lexer};
use super::super::literal;
use super::*;

/// What stands for a secret in the corpus, and two parts of it.
const CANARY: &str = "s3cr3tK3Y";
const PARTS: [&str; 2] = ["s3cr3", "3tK3Y"];

struct Shape {
    sql: String,
    expected: String,
}

/// Statements of a file, each with what is left of it (see there).
fn shapes(name: &str) -> Vec<Shape> {
    let path = format!("{}/../tests/data/sql/redact/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let corpus = std::fs::read_to_string(&path).unwrap();
    let (mut shapes, mut sql) = (Vec::new(), "");
    for line in corpus.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("= ") {
            None => sql = line,
            Some(expected) => {
                shapes.push(Shape { sql: sql.replace('⏎', "\n"), expected: expected.replace('⏎', "\n") });
            }
        }
    }
    shapes
}

/// What is left of a text, ` -- ` its rules and secret placeholders.
fn shown(sql: &str, dialect: Dialect) -> String {
    let Some(redacted) = redact(sql, dialect) else { return sql.to_owned() };
    let mut said: Vec<String> = redacted.rules.iter().map(ToString::to_string).collect();
    said.extend(redacted.parameters.iter().map(|parameter| {
        let place = parameter.place + 1;
        match parameter.part {
            SecretPart::Whole => format!("${place}"),
            SecretPart::Within => format!("within ${place}"),
            SecretPart::Setting(name) => format!("${place} by ${}", name + 1),
        }
    }));
    format!("{} -- {}", redacted.text, said.join(", "))
}

#[test]
fn corpus() {
    let mut wrong = String::new();
    let mut count = 0;
    for (name, dialect) in DIALECTS {
        for shape in shapes(name) {
            count += 1;
            let actual = without_hash(&shown(&shape.sql, dialect));
            if actual != shape.expected {
                wrong += &format!("\n{}\n  expected {}\n  actual   {actual}", shape.sql, shape.expected);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 200, "{count} shapes");
}

/// Every shape with every gap, case and spelling: what is secret stays hidden, whatever it looks like.
#[test]
fn no_shape_leaks_however_it_is_written() {
    let mut leaks = Vec::new();
    const GAPS: [&str; 7] =
        [" ", "\n", "\t /* ' */ ", " -- it's\n", "/**/", " /* a /* b */ ; */ ", "\r\n--\n"];
    let mut count = 0;
    for (name, dialect) in DIALECTS {
        let nests = dialect.is_postgres();
        for shape in shapes(name) {
            let spellings = spellings(&shape.sql, dialect);
            for sql in &spellings {
                for gap in GAPS.iter().filter(|gap| nests || !gap.contains("b */")) {
                    for case in
                        [str::to_owned as fn(&str) -> String, str::to_uppercase, str::to_lowercase, mixed]
                    {
                        let sql = rewritten(sql, dialect, gap, case);
                        leaks.extend(leak(&sql, dialect));
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    assert!(count > 10_000, "{count} texts");
}

/// The statements of a text, each by itself.
#[test]
fn no_statement_of_several_leaks() {
    let mut count = 0;
    for (name, dialect) in DIALECTS {
        for Shape { sql, .. } in shapes(name) {
            let places: Vec<_> = crate::sql::split(sql.as_bytes(), dialect).collect();
            let Some(names) = SecretNames::of(&sql, dialect).filter(|_| places.len() > 1) else { continue };
            for piece in places.into_iter().filter_map(|place| sql.get(place)) {
                // What EXECUTE is given is known where it was prepared: see `redact_arguments`.
                let shown =
                    redact_among(piece, dialect, &names).map_or(piece.into(), |redacted| redacted.text);
                assert!(!shown.contains(CANARY) || piece.starts_with("EXECUTE"), "{sql}\n  {shown}");
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} statements");
}

/// Every shape as a text that runs, cut anywhere: no piece need say what the whole does.
#[test]
fn no_cut_of_a_text_that_runs_leaks() {
    let mut leaks = Vec::new();
    let mut count = 0;
    for (name, dialect) in DIALECTS {
        for Shape { sql, .. } in shapes(name).iter().filter(|shape| shape.sql.contains(CANARY)) {
            let begin = sql.find(CANARY).unwrap();
            let cuts = (1..sql.len()).filter(|cut| sql.is_char_boundary(*cut));
            let outside = |cut: &usize| *cut <= begin || *cut >= begin + CANARY.len();
            for (place, cut) in cuts.filter(outside).enumerate() {
                let (one, rest) = sql.split_at(cut);
                let text = run(one, rest, place, dialect);
                leaks.extend(leak(&text, dialect));
                count += 1;
            }
        }
    }
    leaks.truncate(40);
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    assert!(count > 10_000, "{count} texts");
}

/// The ways in which a text runs that was put together from two pieces.
fn run(one: &str, rest: &str, way: usize, dialect: Dialect) -> String {
    let literal = |text: &str| literal::quoted(text, dialect);
    let (one, rest) = (literal(one), literal(rest));
    let body = match (dialect.is_postgres(), way % 4) {
        (true, 0) => format!("BEGIN EXECUTE {one} || {rest}; END"),
        (true, 1) => format!("BEGIN EXECUTE format('%s%s', {one}, {rest}) USING a; END"),
        (true, 2) => format!("DECLARE q text := {one}; BEGIN q := q || {rest}; EXECUTE q; END"),
        (true, _) => format!("BEGIN FOR r IN EXECUTE concat({one}, {rest}) LOOP END LOOP; END"),
        (false, 0) => return format!("EXECUTE IMMEDIATE CONCAT({one}, {rest})"),
        (false, 1) => return format!("PREPARE p FROM CONCAT_WS('', {one}, {rest})"),
        (false, 2) => {
            return format!(
                "BEGIN NOT ATOMIC SET @q = {one}; SET @q = CONCAT(@q, {rest}); PREPARE p FROM @q; END"
            );
        }
        (false, _) => return format!("SET @a = 5, @q = CONCAT({one}, {rest})"),
    };
    format!("DO {}", literal(&body))
}

#[test]
fn values_and_arguments() {
    let value = |text: &str| redact_value(text, Dialect::POSTGRES);
    assert_eq!(
        value("host=h password=s3cr3tK3Y user=u").as_deref(),
        Some("host=h password=[REDACTED] user=u")
    );
    assert_eq!(
        value("alter role a password 's3cr3tK3Y'").as_deref(),
        Some("alter role a password '[REDACTED]'")
    );
    assert_eq!(value("alter role a password 's3cr3tK3Y").as_deref(), Some("[REDACTED]"));
    assert_eq!(value("select 1"), None);
    let secret = |places: &[u16]| -> Vec<SecretParameter> {
        places.iter().map(|place| SecretParameter { place: *place, part: SecretPart::Whole }).collect()
    };
    for (sql, places, expected) in [
        ("EXECUTE p('a', 's3cr3tK3Y')", &[1][..], "EXECUTE p('a', '[REDACTED]')"),
        (
            "EXPLAIN ANALYZE EXECUTE p(f('s3cr3tK3Y', 2), 'b')",
            &[0],
            "EXPLAIN ANALYZE EXECUTE p(f('[REDACTED]', '[REDACTED]'), 'b')",
        ),
        ("EXECUTE p(5::int, 'b')", &[0, 7], "EXECUTE p('[REDACTED]'::int, 'b')"),
        (
            "EXECUTE p(ARRAY['a', 'b'], 's3cr3tK3Y', 'c')",
            &[1],
            "EXECUTE p(ARRAY['a', 'b'], '[REDACTED]', 'c')",
        ),
    ] {
        let redacted = redact_arguments(sql, Dialect::POSTGRES, Some(&secret(places))).unwrap();
        assert_eq!(redacted.text, expected);
    }
    assert_eq!(redact_arguments("EXECUTE p('a')", Dialect::POSTGRES, Some(&secret(&[3]))), None);
    let using = "EXECUTE s USING 'a', 's3cr3tK3Y', f('b')";
    let redacted = redact_arguments(using, Dialect::MYSQL, Some(&secret(&[1]))).unwrap();
    assert_eq!(redacted.text, "EXECUTE s USING 'a', '[REDACTED]', f('b')");
    let several = "SELECT 'a'; EXECUTE p('s3cr3tK3Y', 5); SELECT ('b'); EXPLAIN EXECUTE q('s3cr3tK3Y')";
    let redacted = redact_arguments(several, Dialect::POSTGRES, None).unwrap();
    assert_eq!(
        redacted.text,
        "SELECT 'a'; EXECUTE p('[REDACTED]', '[REDACTED]'); SELECT ('b'); EXPLAIN EXECUTE q('[REDACTED]')"
    );
    assert_eq!(redacted.rules, ["arguments"]);
    assert!(is_secret_setting("my.Secret") && !is_secret_setting("search_path"));
}

#[test]
fn a_head_keeps_what_is_read_of_it() {
    let head =
        redact_head("INSERT INTO t VALUES ('http://a:s3cr3tK3Y@h', 'and so o", Dialect::POSTGRES).unwrap();
    assert_eq!(head.text, "INSERT INTO t VALUES ('http://a:[REDACTED]@h', 'and so o");
    for text in [
        "ALTER ROLE a PASSWORD 's3cr3",
        "SELECT dblink('password=s3cr3",
        "DO $$ BEGIN ALTER ROLE a PASSWORD 's3cr3",
    ] {
        let head = redact_head(text, Dialect::POSTGRES).unwrap();
        assert!(!head.text.contains("s3cr3"), "{}", head.text);
    }
}

const DIALECTS: [(&str, Dialect); 2] = [("postgres", Dialect::POSTGRES), ("mysql", Dialect::MYSQL)];

/// The keyed hash is another one in each process.
fn without_hash(shown: &str) -> String {
    match shown.split_once(", hmac ") {
        Some((before, hash)) => format!("{before}, hmac …{}", hash.get(16..).unwrap()),
        None => shown.to_owned(),
    }
}

/// A text whose secret is still there, and what is shown of it.
fn leak(sql: &str, dialect: Dialect) -> Option<String> {
    let shown = redact(sql, dialect).map_or(sql.to_owned(), |redacted| redacted.text.into_owned());
    let parts = PARTS.iter().flat_map(|part| [part.to_lowercase(), digits(part)]);
    let leaks = parts.into_iter().any(|part| shown.to_lowercase().contains(&part));
    leaks.then(|| format!("{sql}\n  {shown}"))
}

fn mixed(text: &str) -> String {
    let flip = |(place, char): (usize, char)| match place % 2 {
        0 => char.to_ascii_uppercase(),
        _ => char.to_ascii_lowercase(),
    };
    text.chars().enumerate().map(flip).collect()
}

/// The same tokens with other gaps, and words in another case. What is no word may not touch its neighbour.
fn rewritten(sql: &str, dialect: Dialect, gap: &str, case: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut end = 0;
    let tokens: Vec<_> = Lexer::new(sql.as_bytes(), dialect).collect();
    for token in &tokens {
        let between = &sql[end..token.start];
        let comment = between.contains(['-', '/', '#']);
        out += if between.is_empty() || comment { between } else { gap };
        let spelling = &sql[token.start..token.end];
        out += &if token.kind == Kind::Word { case(spelling) } else { spelling.to_owned() };
        end = token.end;
    }
    out + &sql[end..]
}

/// The text, and what it is with its secret literals spelled in other ways.
fn spellings(sql: &str, dialect: Dialect) -> Vec<String> {
    let mut all = vec![sql.to_owned()];
    let secrets: Vec<_> = Lexer::new(sql.as_bytes(), dialect)
        .filter(|token| token.kind == Kind::String && sql[token.start..token.end].contains(CANARY))
        .collect();
    if secrets.is_empty() || sql.contains("UESCAPE") {
        return all;
    }
    let encoders: &[fn(&str) -> String] = if dialect.is_postgres() {
        &[escaped, unicode, dollars, pieces_below, |text| format!("N{}", quoted(text))]
    } else {
        &[doubled, backslashes, pieces_beside, national, introduced, hex, bare_hex]
    };
    for encode in encoders {
        let mut out = sql.to_owned();
        for token in secrets.iter().rev() {
            let value = literal::value(&sql[token.start..token.end], dialect, '\\').text.into_owned();
            out.replace_range(token.start..token.end, &encode(&value));
        }
        all.push(out);
    }
    all
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn escaped(text: &str) -> String {
    let spelled = |char: char| match char {
        '\'' => r"\'".to_owned(),
        '\\' => r"\\".to_owned(),
        'a'..='p' => format!(r"\x{:02x}", u32::from(char)),
        other => other.to_string(),
    };
    format!("E'{}'", text.chars().map(spelled).collect::<String>())
}

fn unicode(text: &str) -> String {
    let spelled = |char: char| match char {
        '\'' => "''".to_owned(),
        '\\' => r"\\".to_owned(),
        'a'..='p' => format!(r"\{:04X}", u32::from(char)),
        other => other.to_string(),
    };
    format!("U&'{}'", text.chars().map(spelled).collect::<String>())
}

fn dollars(text: &str) -> String {
    format!("$_1${text}$_1$")
}

fn halves(text: &str, gap: &str) -> String {
    let middle = text.find("s3cr").unwrap() + 3;
    format!("{}{gap}{}", quoted(&text[..middle]), quoted(&text[middle..]))
}

fn pieces_below(text: &str) -> String {
    halves(text, " -- '\n ")
}

fn pieces_beside(text: &str) -> String {
    halves(&text.replace('\\', r"\\"), " /* ' */ ")
}

fn national(text: &str) -> String {
    format!("N{}", quoted(&text.replace('\\', r"\\")))
}

fn introduced(text: &str) -> String {
    format!("_utf8mb4{}", quoted(&text.replace('\\', r"\\")))
}

fn hex(text: &str) -> String {
    format!("X'{}'", digits(text))
}

fn bare_hex(text: &str) -> String {
    format!("0x{}", digits(text))
}

fn digits(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn doubled(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\"\""))
}

fn backslashes(text: &str) -> String {
    let spelled = |char: char| match char {
        '\'' | '\\' => format!(r"\{char}"),
        'a' | 'c'..='m' | 'o'..='q' | 's' | 'u'..='y' => format!(r"\{char}"),
        other => other.to_string(),
    };
    format!("'{}'", text.chars().map(spelled).collect::<String>())
}

#[test]
fn within_more_brackets_than_are_told_apart_nothing_is_certain() {
    for (depth, call) in
        [(1_024, "crypt('s3cr3tK3Y','x')"), (5_000, "set_config('a.password','s3cr3tK3Y',true)")]
    {
        let text = format!("SELECT {}{call}{}", "(".repeat(depth), ")".repeat(depth));
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            let redacted = redact(&text, dialect).unwrap();
            assert_eq!(redacted.rules, ["uncertain"]);
            assert!(!redacted.text.contains("s3cr3tK3Y"));
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_taken(
        text in r#"([$'"`/*\-#;:E(),%]|[a-z]|password|://|options|identified by|execute|alter role|=|@|é|\PC){0,40}"#
    ) {
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            _ = redact(&text, dialect);
            _ = redact_head(&text, dialect);
            _ = redact_value(&text, dialect);
            prop_assert!(redact_text(&text, dialect).is_none() || may_tell(text.as_bytes()));
            _ = redact_text_head(&text, dialect);
            _ = redact_message(&text, &text, &[&text], dialect);
        }
    }

    /// Each gap another one, each word in another case.
    #[test]
    fn no_placement_of_gaps_leaks(
        pick in any::<prop::sample::Index>(),
        mysql in any::<bool>(),
        gaps in prop::collection::vec(prop::sample::select(vec![" ", "\n", "/**/", " --\n", "\t/* ' */", " -- \"\n", "\r\n"]), 1..8),
        cases in any::<u64>(),
    ) {
        let (name, dialect) = DIALECTS[usize::from(mysql)];
        let shapes = shapes(name);
        let sql = &shapes[pick.index(shapes.len())].sql;
        let (mut out, mut end) = (String::new(), 0);
        for (place, token) in Lexer::new(sql.as_bytes(), dialect).enumerate() {
            let between = &sql[end..token.start];
            let plain = !between.is_empty() && between.trim().is_empty();
            out += if plain { gaps[place % gaps.len()] } else { between };
            let spelling = &sql[token.start..token.end];
            let upper = token.kind == Kind::Word && cases >> (place % 64) & 1 == 1;
            out += &if upper { spelling.to_uppercase() } else { spelling.to_owned() };
            end = token.end;
        }
        prop_assert_eq!(leak(&(out + &sql[end..]), dialect), None);
    }
}

/// No head that ends within a secret or behind it shows what the whole text would not.
#[test]
fn no_head_of_a_text_leaks() {
    let told = ["postgres://u:{}@h/d", "see https://u:{}@h/d?a=b, or", "host=h password={} user=a"];
    let told = told.map(|text| text.replace("{}", CANARY));
    let (mut leaks, mut count) = (Vec::new(), 0);
    for (name, dialect) in DIALECTS {
        let shapes: Vec<_> = shapes(name).into_iter().map(|shape| shape.sql).collect();
        for text in shapes.iter().chain(&told) {
            let Some(begin) = text.find(CANARY) else { continue };
            if redact_text(text, dialect).is_none_or(|shown| shown.contains(CANARY)) {
                continue;
            }
            for end in (begin + 5..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                let head = &text[..end];
                let hex: String = head.bytes().map(|byte| format!("{byte:02x}")).collect();
                let spelled = [format!("\\x{hex}"), format!("\\x{}", &hex[..hex.len() - 1])];
                for head in
                    [head, &spelled[0], &spelled[1]].iter().take(if dialect.is_postgres() { 3 } else { 1 })
                {
                    let shown = redact_text_head(head, dialect);
                    let is_told = shown.as_ref().is_none_or(|shown| shown.contains(&CANARY[..4]));
                    leaks.extend(is_told.then(|| format!("{name}: {head}\n  {shown:?}")));
                    count += 1;
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    assert!(count > 10_000, "{count} heads");
}
