//! Takes passwords out of a statement before anything is stored.
//!
//! Two kinds of places: literals that the grammar of a statement makes a secret (`PASSWORD '…'`, `IDENTIFIED BY '…'`,
//! options of servers and user mappings, programs that log in), and passwords inside of any literal of any statement (connection strings,
//! nested statements). Where the text cannot be read with certainty, everything behind the first suspicious word
//! goes. An ordinary statement costs three searches for rare bytes.

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter};

use super::Dialect;
use super::cursor::Cursor;
use super::lexer::{Kind, Lexer, Token};

/// A statement less its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// The text to keep: each secret became `'[REDACTED]'`, or `[REDACTED]` inside of a literal.
    pub text: String,
    /// What was hidden, each once: `password`, `identified`, `options`, `connection`, `nested`, `uncertain`.
    pub rules: Vec<&'static str>,
}

/// Hides the secrets of a text; `None` where there are none. What is normalized or shown is the result, never the
/// raw text.
pub fn redact(text: &str, dialect: Dialect) -> Option<Redacted> {
    let suspicion = suspicion(text)?;
    let mut secrets = Secrets::default();
    let mut lexer = Lexer::new(text.as_bytes(), dialect);
    lexer.by_ref().for_each(drop);
    if lexer.certain() {
        secrets.text(Part { text, base: 0, nesting: 0 }, dialect);
    } else {
        let word = run(text, suspicion, |byte| byte.is_ascii_alphanumeric());
        secrets.hide(word..text.len(), INSIDE, "uncertain");
    }
    secrets.applied(text)
}

/// What hides a whole literal.
const LITERAL: &str = "'[REDACTED]'";
/// What hides a part of one.
const INSIDE: &str = "[REDACTED]";

/// Statements in literals deeper than this are hidden whole.
const MAX_NESTING: usize = 4;

/// What holds a password of its own.
const ROLES: [&str; 3] = ["role", "user", "group"];

/// Options of servers, mappings and wrappers that may be read.
#[rustfmt::skip]
const HARMLESS: [&str; 15] = [
    "application_name", "column_name", "dbname", "extensions", "fetch_size", "filename", "format", "host", "hostaddr",
    "port", "schema_name", "sslmode", "table_name", "updatable", "user",
];

/// Where the first sign of a secret ends.
fn suspicion(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())? | 0x20;
    // The letters are the rare ones of their words. OPTIONS stand in CREATE, ALTER and IMPORT, PROGRAM in COPY; `/`, `-`:
    // a comment first.
    let options = matches!(first, b'c' | b'a' | b'i' | b'/' | b'-');
    let program = matches!(first, b'c' | b'/' | b'-');
    let found = [
        find(bytes, memchr2_iter(b'w', b'W', bytes), 4, b"passw"),
        find(bytes, memchr2_iter(b'f', b'F', bytes), 6, b"identified"),
        find(bytes, memchr_iter(b':', bytes), 0, b"://"),
        options.then(|| find(bytes, memchr2_iter(b'p', b'P', bytes), 1, b"options")).flatten(),
        program.then(|| find(bytes, memchr2_iter(b'g', b'G', bytes), 3, b"program")).flatten(),
    ];
    found.into_iter().flatten().min()
}

/// The end of `word` in any case, whose letter `offset` is at one of `places`.
fn find(bytes: &[u8], places: impl Iterator<Item = usize>, offset: usize, word: &[u8]) -> Option<usize> {
    let mut starts = places.filter_map(|at| at.checked_sub(offset));
    let start = starts.find(|start| {
        bytes.get(*start..start + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    })?;
    Some(start + word.len())
}

fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// A text, or the body of a dollar-quoted literal in it.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    /// Where it begins in the whole.
    base: usize,
    nesting: usize,
}

/// What a statement does with the words about secrets in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Rows: `password` is a column.
    Rows,
    /// CREATE and ALTER of roles: what follows PASSWORD is one, quoted or not, and no literal stays.
    Role,
    /// SET: all that follows.
    Set,
    Other,
}

/// What the words so far say about the next literal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Ordinary,
    /// After PASSWORD: this one.
    One,
    /// After PROGRAM: this one where it holds a login.
    Program,
    /// To the end of the element or statement.
    All(&'static str),
}

/// The ranges to hide, in order, with what stands in their place.
#[derive(Default)]
struct Secrets {
    ranges: Vec<(Range<usize>, &'static str)>,
    rules: Vec<&'static str>,
}

impl Secrets {
    fn text(&mut self, part: Part<'_>, dialect: Dialect) {
        let mut cursor = Cursor::new(part.text, dialect);
        let mut about = About::read(&cursor, part.nesting);
        let mut next = Next::Ordinary;
        while let Some(token) = cursor.take() {
            next = match token.kind {
                Kind::Semicolon => {
                    about = About::read(&cursor, part.nesting);
                    Next::Ordinary
                }
                Kind::Word if next == Next::One && about == About::Role => self.bare(&cursor, token, part),
                Kind::Word if dialect.is_postgres() && begins_role(&cursor, token) => {
                    about = About::Role;
                    next
                }
                Kind::Word if is_setting(&cursor, token) => {
                    self.setting(&mut cursor, part);
                    next
                }
                Kind::Word if is_program(&cursor, token) => Next::Program,
                Kind::Word if about != About::Rows && is_options(&cursor, token) => {
                    self.options(&mut cursor, part);
                    next
                }
                Kind::Word => about.word(cursor.spelling(token), next),
                Kind::String if about == About::Role => self.literal(&cursor, token, part, Next::One),
                Kind::String => {
                    if is_open_command(&cursor, token) {
                        about = About::Role;
                    }
                    self.literal(&cursor, token, part, next)
                }
                Kind::Number if next == Next::One && about == About::Role => self.bare(&cursor, token, part),
                Kind::Quoted if next != Next::Ordinary && about != About::Other => {
                    self.bare(&cursor, token, part)
                }
                Kind::Operator | Kind::Open | Kind::Colon => next,
                Kind::Comma | Kind::Close if about == About::Set => next,
                Kind::Dot => next,
                _ => Next::Ordinary,
            };
        }
    }

    /// A password that somebody forgot to quote: up to the next white space.
    fn bare(&mut self, cursor: &Cursor<'_>, token: Token, part: Part<'_>) -> Next {
        let end = run(part.text, token.end, |byte| !byte.is_ascii_whitespace() && byte != b';');
        let null = end == token.end && cursor.spelling(token).eq_ignore_ascii_case("null");
        if !null {
            self.hide(part.base + token.start..part.base + end, LITERAL, "password");
        }
        Next::Ordinary
    }

    fn literal(&mut self, cursor: &Cursor<'_>, token: Token, part: Part<'_>, next: Next) -> Next {
        let whole = part.base + token.start..part.base + token.end;
        match next {
            Next::One => self.hide(whole, LITERAL, "password"),
            Next::All(rule) => self.hide(whole, LITERAL, rule),
            Next::Program if logs_in(cursor.spelling(token)) => self.hide(whole, LITERAL, "connection"),
            Next::Program | Next::Ordinary => self.inside(cursor, token, part),
        }
        if matches!(next, Next::All(_)) { next } else { Next::Ordinary }
    }

    /// A literal that is no secret as a whole.
    fn inside(&mut self, cursor: &Cursor<'_>, token: Token, part: Part<'_>) {
        let literal = cursor.spelling(token);
        let base = part.base + token.start;
        let (password, identified) = (contains(literal, "passw"), contains(literal, "identified"));
        if !password && !identified && !literal.contains("://") {
            return;
        }
        if literal.starts_with('$') && part.nesting < MAX_NESTING {
            let tag = literal.get(1..).and_then(|rest| rest.find('$')).unwrap_or_default() + 2;
            let body = literal.get(tag..literal.len().saturating_sub(tag)).unwrap_or_default();
            let inner = Part { text: body, base: base + tag, nesting: part.nesting + 1 };
            return self.text(inner, cursor.dialect);
        }
        if is_command(literal) {
            return self.hide(base..base + literal.len(), LITERAL, "nested");
        }
        // A secret may begin in one piece and end in the next.
        if is_joined(literal) {
            return self.hide(base..base + literal.len(), LITERAL, "connection");
        }
        self.assigned(literal, base);
        self.uri(literal, base);
    }

    /// `password=…`, `sslpassword = …`, `PGPASSWORD=…` in a connection string.
    fn assigned(&mut self, literal: &str, base: usize) {
        let bytes = literal.as_bytes();
        let mut from = 0;
        while let Some(rest) = bytes.get(from..)
            && let Some(word) = find(rest, memchr2_iter(b'w', b'W', rest), 4, b"passw")
        {
            from += word;
            let name = run(literal, from, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let equals = run(literal, name, |byte| byte.is_ascii_whitespace());
            if !matches!(bytes.get(equals), Some(b'=' | b':')) {
                continue;
            }
            let start = run(literal, equals + 1, |byte| byte.is_ascii_whitespace());
            // A quoted value may hold anything: up to the literal's own end.
            let quoted = matches!(bytes.get(start), Some(b'\'' | b'"' | b'\\')) && start + 1 < bytes.len();
            let end = match quoted {
                true => bytes.len().saturating_sub(1),
                false => run(literal, start, |byte| !byte.is_ascii_whitespace() && !b"&;'\"".contains(&byte)),
            };
            if end > start {
                self.hide(base + start..base + end, INSIDE, "connection");
            }
            from = end.max(from);
        }
    }

    /// `scheme://user:password@host`; everything from the first `:` to the last `@`.
    fn uri(&mut self, literal: &str, base: usize) {
        let mut from = 0;
        while let Some(found) = literal.get(from..).and_then(|rest| rest.find("://")) {
            let start = from + found + 3;
            let end =
                run(literal, start, |byte| !byte.is_ascii_whitespace() && byte != b'\'' && byte != b'"');
            let run = literal.get(start..end).unwrap_or_default();
            if let (Some(colon), Some(at)) = (run.find(':'), run.rfind('@'))
                && colon + 1 < at
            {
                self.hide(base + start + colon + 1..base + start + at, INSIDE, "connection");
            }
            from = end.max(start);
        }
    }

    /// `OPTIONS (name 'value', …)`: every value, unless its name is known to be harmless.
    fn options(&mut self, cursor: &mut Cursor<'_>, part: Part<'_>) {
        let mut harmless = false;
        while let Some(token) = cursor.take() {
            match token.kind {
                Kind::Close => return,
                Kind::Word | Kind::Quoted => {
                    let name = cursor.spelling(token).trim_matches('"');
                    harmless = HARMLESS.iter().any(|known| name.eq_ignore_ascii_case(known));
                }
                Kind::String if harmless => self.inside(cursor, token, part),
                Kind::String => self.hide(part.base + token.start..part.base + token.end, LITERAL, "options"),
                _ => {}
            }
        }
    }

    /// `set_config('my.password', 'value', false)`: every literal but the name, which comes first.
    fn setting(&mut self, cursor: &mut Cursor<'_>, part: Part<'_>) {
        let (mut depth, mut secret) = (0usize, None);
        while let Some(token) = cursor.take() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth <= 1 => return,
                Kind::Close => depth -= 1,
                Kind::String if secret == Some(true) => {
                    self.hide(part.base + token.start..part.base + token.end, LITERAL, "password");
                }
                Kind::String => {
                    let name = cursor.spelling(token);
                    secret.get_or_insert(contains(name, "passw") && !contains(name, "password_encryption"));
                    self.inside(cursor, token, part);
                }
                _ => {}
            }
        }
    }

    fn hide(&mut self, range: Range<usize>, instead: &'static str, rule: &'static str) {
        self.ranges.push((range, instead));
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    fn applied(mut self, text: &str) -> Option<Redacted> {
        if self.ranges.is_empty() {
            return None;
        }
        self.ranges.sort_by_key(|(range, _)| range.start);
        let (mut out, mut end) = (String::with_capacity(text.len()), 0);
        for (range, instead) in self.ranges {
            if range.start >= end {
                out.push_str(text.get(end..range.start).unwrap_or_default());
                out.push_str(instead);
            }
            end = end.max(range.end);
        }
        out.push_str(text.get(end..).unwrap_or_default());
        Some(Redacted { text: out, rules: self.rules })
    }
}

/// Is `token` the OPTIONS before a bracket, which the cursor stands at?
fn is_options(cursor: &Cursor<'_>, token: Token) -> bool {
    cursor.spelling(token).eq_ignore_ascii_case("options") && cursor.kind() == Some(Kind::Open)
}

/// Is `token` the set_config before a bracket, which the cursor stands at?
fn is_setting(cursor: &Cursor<'_>, token: Token) -> bool {
    cursor.spelling(token).eq_ignore_ascii_case("set_config") && cursor.kind() == Some(Kind::Open)
}

/// Is `token` the PROGRAM before a literal, which the cursor stands at?
fn is_program(cursor: &Cursor<'_>, token: Token) -> bool {
    cursor.spelling(token).eq_ignore_ascii_case("program") && cursor.kind() == Some(Kind::String)
}

/// Do the definition of a role and its password begin with `token`, wherever in a statement: behind EXPLAIN, in a block?
fn begins_role(cursor: &Cursor<'_>, token: Token) -> bool {
    let word = cursor.spelling(token);
    (word.eq_ignore_ascii_case("create") || word.eq_ignore_ascii_case("alter")) && cursor.at_any(&ROLES)
}

/// A statement in a literal that sets a password.
fn is_command(literal: &str) -> bool {
    const VERBS: [&str; 5] = ["alter", "create", "grant", "set", "change"];
    (contains(literal, "passw") || contains(literal, "identified"))
        && VERBS.iter().any(|verb| contains(literal, verb))
}

/// Is the literal a command to which other literals bring the password: `format('… PASSWORD %L', 'x')`, `'…' || 'x'`?
fn is_open_command(cursor: &Cursor<'_>, token: Token) -> bool {
    let literal = cursor.spelling(token);
    let open = literal.contains('%') || cursor.kind() == Some(Kind::Operator);
    open && !literal.starts_with('$') && is_command(literal)
}

/// Pieces with a gap between: `'a'⏎'b'`. A doubled quote has none.
fn is_joined(literal: &str) -> bool {
    let is_gap = |between: &str| {
        let rest = between.trim_start();
        !between.is_empty() && (rest.is_empty() || rest.starts_with("--"))
    };
    literal.split('\'').skip(2).step_by(2).any(is_gap)
}

/// A password in a command line: `-u user:password`, `password=…`, `://user:password@`.
fn logs_in(program: &str) -> bool {
    let uri = program.find("://").and_then(|at| program.get(at..)).is_some_and(|rest| rest.contains('@'));
    uri || contains(program, "passw") || user_option(program)
}

/// `-u a:b`, `-ua:b`, `-su a:b`, `--user=a:b`, `--proxy-user a:b`.
fn user_option(program: &str) -> bool {
    let mut option = false;
    program.split_ascii_whitespace().any(|word| {
        let before = option;
        let short = word.starts_with('-') && !word.starts_with("--");
        option =
            if short { word.contains(['u', 'U']) } else { word.starts_with("--") && contains(word, "user") };
        (before || option) && word.contains(':') && !word.contains("://")
    })
}

/// The end of the run of bytes from `from` on.
fn run(text: &str, from: usize, takes: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| takes(**byte)).count()
}

impl About {
    fn read(cursor: &Cursor<'_>, nesting: usize) -> Self {
        const ROWS: [&str; 9] =
            ["select", "insert", "update", "delete", "merge", "with", "values", "table", "explain"];
        // Code in a literal: of any kind.
        if nesting > 0 {
            return Self::Other;
        }
        if cursor.at_any(&ROWS) || cursor.kind() == Some(Kind::Open) {
            return Self::Rows;
        }
        if cursor.at("set") { Self::Set } else { Self::Other }
    }

    fn word(self, word: &str, next: Next) -> Next {
        let password = contains(word, "passw") && !word.eq_ignore_ascii_case("password_encryption");
        match self {
            Self::Rows => Next::Ordinary,
            Self::Set if password => Next::All("password"),
            _ if word.eq_ignore_ascii_case("identified") => Next::All("identified"),
            _ if matches!(next, Next::All(_)) => next,
            _ if password => Next::One,
            _ => Next::Ordinary,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each text holds the canary; what is left of it, and the rules.
    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (sql, expected) in [
            (
                "ALTER ROLE a PASSWORD 'CANARY' VALID UNTIL 'x'",
                "ALTER ROLE a PASSWORD '[REDACTED]' VALID UNTIL '[REDACTED]' password",
            ),
            (
                "create user a with encrypted password /* x */ E'CANARY\\''",
                "create user a with encrypted password /* x */ '[REDACTED]' password",
            ),
            (
                "/* c */ ALTER USER a PaSsWoRd $$CANARY$$",
                "/* c */ ALTER USER a PaSsWoRd '[REDACTED]' password",
            ),
            ("ALTER ROLE a PASSWORD CANARY", "ALTER ROLE a PASSWORD '[REDACTED]' password"),
            ("ALTER ROLE a PASSWORD \"CANARY\"", "ALTER ROLE a PASSWORD '[REDACTED]' password"),
            (
                "SELECT 1; ALTER ROLE a PASSWORD 'CANARY'",
                "SELECT 1; ALTER ROLE a PASSWORD '[REDACTED]' password",
            ),
            ("SET my.password = 'CANARY'", "SET my.password = '[REDACTED]' password"),
            (
                "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password 'CANARY')",
                "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password '[REDACTED]') options",
            ),
            (
                "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', secret_key 'CANARY')",
                "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', secret_key '[REDACTED]') options",
            ),
            (
                "ALTER SERVER s OPTIONS (SET \"token\" 'CANARY')",
                "ALTER SERVER s OPTIONS (SET \"token\" '[REDACTED]') options",
            ),
            (
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=CANARY dbname=d' PUBLICATION p",
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=[REDACTED] dbname=d' PUBLICATION p connection",
            ),
            (
                "SELECT * FROM dblink('host=h password = ''CANARY x''', 'SELECT 1')",
                "SELECT * FROM dblink('host=h password = [REDACTED]', 'SELECT 1') connection",
            ),
            (
                "SELECT dblink_connect('postgres://u:CANARY@h/d?sslmode=require')",
                "SELECT dblink_connect('postgres://u:[REDACTED]@h/d?sslmode=require') connection",
            ),
            ("COPY t TO PROGRAM 'PGPASSWORD=CANARY psql -h h'", "COPY t TO PROGRAM '[REDACTED]' connection"),
            ("COPY t TO PROGRAM 'curl -su a:CANARY https://h/'", "COPY t TO PROGRAM '[REDACTED]' connection"),
            (
                "/* c */ copy (select 1) to program $$curl ftp://a:CANARY@h$$ (format csv)",
                "/* c */ copy (select 1) to program '[REDACTED]' (format csv) connection",
            ),
            ("alter role a password 'ab'\n's3CANARY'", "alter role a password '[REDACTED]' password"),
            (
                "alter role a password 'ab' 'CANARY'",
                "alter role a password '[REDACTED]' '[REDACTED]' password",
            ),
            ("ALTER ROLE a PASSWORD s3-CANARY.x VALID", "ALTER ROLE a PASSWORD '[REDACTED]' VALID password"),
            ("alter user a password 3CANARY", "alter user a password '[REDACTED]' password"),
            ("explain alter role a password CANARY", "explain alter role a password '[REDACTED]' password"),
            (
                "PREPARE p AS CREATE ROLE a PASSWORD 'CANARY' VALID UNTIL 'CANARY'",
                "PREPARE p AS CREATE ROLE a PASSWORD '[REDACTED]' VALID UNTIL '[REDACTED]' password",
            ),
            (
                "DO $x$ BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', 'CANARY'); PERFORM 'b'; END $x$",
                "DO $x$ BEGIN EXECUTE format('[REDACTED]', '[REDACTED]'); PERFORM 'b'; END $x$ nested password",
            ),
            (
                "SELECT dblink_exec('c', 'ALTER ROLE a PASSWORD ' || quote_literal('CANARY'))",
                "SELECT dblink_exec('c', '[REDACTED]' || quote_literal('[REDACTED]')) nested password",
            ),
            (
                "SELECT dblink_connect('postgres://u:CAN'\n'CANARY@h/d')",
                "SELECT dblink_connect('[REDACTED]') connection",
            ),
            (
                "SELECT set_config('my.password', 'CANARY', false), 'b'",
                "SELECT set_config('my.password', '[REDACTED]', false), 'b' password",
            ),
            (
                "SELECT pg_catalog.set_config(setting_name => 'a.passwd', new_value => lower('CANARY'), is_local => true)",
                "SELECT pg_catalog.set_config(setting_name => 'a.passwd', new_value => lower('[REDACTED]'), is_local => true) password",
            ),
            (
                "DO $x$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''CANARY'''; END $x$",
                "DO $x$ BEGIN EXECUTE '[REDACTED]'; END $x$ nested",
            ),
            (
                "DO $x$ BEGIN ALTER ROLE a PASSWORD 'CANARY'; SELECT 'b'; END $x$",
                "DO $x$ BEGIN ALTER ROLE a PASSWORD '[REDACTED]'; SELECT 'b'; END $x$ password",
            ),
            (
                "SELECT dblink_exec('c', 'ALTER ROLE a PASSWORD ''CANARY''')",
                "SELECT dblink_exec('c', '[REDACTED]') nested",
            ),
            ("ALTER ROLE a PASSWORD 'CANARY", "ALTER ROLE a PASSWORD[REDACTED] uncertain"),
        ] {
            let redacted = redact(sql, Dialect::POSTGRES).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!(format!("{} {}", redacted.text, redacted.rules.join(" ")), expected, "{sql}");
        }
    }

    #[test]
    fn mysql() {
        for (sql, expected) in [
            ("CREATE USER 'a'@'h' IDENTIFIED BY 'CANARY'", "CREATE USER 'a'@'h' IDENTIFIED BY '[REDACTED]'"),
            (
                "CREATE USER 'a' IDENTIFIED BY \"CANARY\", 'b' IDENTIFIED WITH x AS 'CANARY'",
                "CREATE USER 'a' IDENTIFIED BY '[REDACTED]', 'b' IDENTIFIED WITH x AS '[REDACTED]'",
            ),
            (
                "GRANT ALL ON *.* TO a IDENTIFIED BY 'CANARY'",
                "GRANT ALL ON *.* TO a IDENTIFIED BY '[REDACTED]'",
            ),
            ("SET PASSWORD = PASSWORD('CANARY')", "SET PASSWORD = PASSWORD('[REDACTED]')"),
            (
                "CHANGE MASTER TO MASTER_HOST='h', MASTER_PASSWORD='CANARY'",
                "CHANGE MASTER TO MASTER_HOST='h', MASTER_PASSWORD='[REDACTED]'",
            ),
            ("EXECUTE IMMEDIATE 'CREATE USER a IDENTIFIED BY ''CANARY'''", "EXECUTE IMMEDIATE '[REDACTED]'"),
        ] {
            assert_eq!(
                redact(sql, Dialect::MYSQL).map(|redacted| redacted.text).as_deref(),
                Some(expected),
                "{sql}"
            );
        }
    }

    #[test]
    fn ordinary_statements_stay() {
        for sql in [
            "",
            "SELECT password FROM users WHERE id = 'x'",
            "INSERT INTO notes VALUES ('see https://example.org/a@b')",
            "SELECT 'the password', 'word'",
            "CREATE TABLE users (password text DEFAULT 'x')",
            "ALTER ROLE a PASSWORD NULL",
            "SET password_encryption = 'scram-sha-256'",
            "set password_encryption to 'md5'",
            "INSERT INTO notes VALUES (E'it\\'s at https://example.org', 'it''s at https://example.org')",
            "SELECT set_config('password_encryption', 'md5', false)",
            "COPY t FROM PROGRAM 'gzip -dc /a:b'",
            "COPY t FROM PROGRAM 'sort -u https://example.org'",
            "COMMENT ON COLUMN users.password IS 'hashed'",
            "CREATE FOREIGN TABLE t (a int) SERVER s OPTIONS (schema_name 'a', table_name 'b')",
        ] {
            assert_eq!(redact(sql, Dialect::POSTGRES), None, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r#"([$'"`/*\-#;:E(),]|[a-z]|password|://|options|identified|=|@|é|\PC){0,40}"#) {
            for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
                _ = redact(&text, dialect);
            }
        }

        #[test]
        fn a_role_s_password_never_stays(
            gap in prop::sample::select(vec![" ", "\n", " /* ' */ ", "\t-- '\n"]),
            word in prop::sample::select(vec!["PASSWORD", "password", "Encrypted Password"]),
            quote in prop::sample::select(vec!["'", "$$", "$q$"]),
            open in any::<bool>(),
        ) {
            let end = if open { "" } else { quote };
            let sql = format!("ALTER{gap}ROLE{gap}a{gap}{word}{gap}{quote}CANARY{end}");
            let redacted = redact(&sql, Dialect::POSTGRES).unwrap();
            prop_assert!(!redacted.text.contains("CANARY"), "{}", redacted.text);
        }
    }
}
