//! What only statements of MySQL do to their session: SET of what decides how texts are read, USE, KILL, XA.

use std::borrow::Cow;

use crate::sql::SQL_MODES;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};
use crate::sql::name::unquoted;
use crate::sql::statement::{self, Effect};

use super::{command, value};

/// What is looked for in a sql_mode: the names of modes that have it, and its bit where the mode is a number.
/// <https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html>, <https://mariadb.com/kb/en/sql-mode/>
#[derive(Clone, Copy)]
struct Wanted {
    names: &'static [&'static str],
    bit: u64,
}

/// An identifier is made of `"…"`. The modes behind the second are MariaDB's, and of MySQL before 8.0.
const ANSI_QUOTES: Wanted =
    Wanted { names: &["ANSI_QUOTES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"], bit: 1 << 2 };
/// A backslash in a string is an ordinary character.
const NO_BACKSLASH_ESCAPES: Wanted = Wanted { names: &["NO_BACKSLASH_ESCAPES"], bit: 1 << 20 };

/// `SET NAMES`, `SET CHARACTER SET`, and assignments to `sql_mode` and `character_set_client` of the session. Behind SET.
pub(in crate::sql) fn set<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    if command::is_set_statement(cursor) {
        return set_statement(cursor);
    }
    let (mut ansi_quotes, mut no_backslash_escapes, mut charset, mut unknown) = (None, None, None, false);
    let mut own = true;
    while cursor.peek().is_some() {
        if cursor.eat("names") || cursor.eat_words(&["character", "set"]) || cursor.eat("charset") {
            charset = Some(character_set(cursor));
            to_comma(cursor, |_, _| {});
            continue;
        }
        match variable(cursor, &mut own)? {
            name if name.eq_ignore_ascii_case("sql_mode") => {
                unknown = !is_told(cursor.clone());
                no_backslash_escapes =
                    mode(&mut cursor.clone(), NO_BACKSLASH_ESCAPES).or(no_backslash_escapes);
                ansi_quotes = mode(cursor, ANSI_QUOTES).or(ansi_quotes);
            }
            name if name.eq_ignore_ascii_case("character_set_client") => {
                charset = Some(character_set(cursor));
                to_comma(cursor, |_, _| {});
            }
            _ => to_comma(cursor, |_, _| {}),
        }
    }
    let told = ansi_quotes.is_some() || no_backslash_escapes.is_some();
    let found = told || charset.is_some() || unknown;
    found.then_some(Effect::Set { ansi_quotes, no_backslash_escapes, charset, unknown })
}

/// MariaDB's `SET STATEMENT variable = value FOR statement`: what the statement does; the variables are as they were
/// behind it.
fn set_statement<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let mut sets_mode = false;
    loop {
        match cursor.kind()? {
            Kind::Open => cursor.skip_parentheses(),
            _ if cursor.eat("for") => break,
            _ => {
                sets_mode |= cursor.at("sql_mode");
                cursor.take();
            }
        }
    }
    let verb = cursor.word();
    cursor.take();
    // One SET STATEMENT in another is refused.
    if verb.eq_ignore_ascii_case("set") && command::is_set_statement(cursor) {
        return None;
    }
    statement::read(verb, cursor).filter(|effect| !(sets_mode && matches!(effect, Effect::Set { .. })))
}

/// The name of the session's variable that is assigned next; empty for another's. Behind its `=`. `scope` is whether a name
/// without a word of its own is the session's: GLOBAL holds for those that follow it as well, up to the next such word.
/// <https://dev.mysql.com/doc/refman/8.4/en/set-variable.html>
fn variable<'a>(cursor: &mut Cursor<'a>, scope: &mut bool) -> Option<&'a str> {
    let (mut name, mut own) = ("", None);
    while let Some(token) = cursor.take() {
        let spelling = cursor.spelling(token);
        let is = |words: &[&str]| words.iter().any(|word| spelling.eq_ignore_ascii_case(word));
        let told = match token.kind {
            Kind::Word if is(&["global", "persist", "persist_only"]) => Some(false),
            Kind::Word if is(&["session", "local"]) => Some(true),
            _ => None,
        };
        match token.kind {
            // Behind `@@` it is of this name alone.
            Kind::Word if told.is_some() && own.is_some() => own = told,
            Kind::Word if told.is_some() => (*scope, own) = (told == Some(true), told),
            Kind::Word => name = spelling,
            Kind::Operator if spelling == "@@" => own = Some(true),
            // A variable of the user's, not of the system's.
            Kind::Operator if spelling == "@" => own = Some(false),
            Kind::Operator if spelling == "=" => break,
            Kind::Colon => break,
            Kind::Comma | Kind::Semicolon => return Some(""),
            _ => {}
        }
    }
    Some(if own.unwrap_or(*scope) { name } else { "" })
}

/// The name of a character set; empty where the text does not tell it: DEFAULT is as the server is configured.
fn character_set<'a>(cursor: &mut Cursor<'a>) -> Cow<'a, str> {
    let next = cursor.peek().map(|token| cursor.spelling(token));
    let computed = next.is_some_and(|next| next.starts_with('@'))
        || cursor.peek_at(1).is_some_and(|behind| behind.kind == Kind::Open);
    if computed { Cow::default() } else { word(cursor).unwrap_or_default() }
}

/// A name, as a word or a string.
fn word<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    cursor.eat_kind(Kind::Operator);
    let token = cursor.peek()?;
    match token.kind {
        Kind::Word | Kind::Quoted if !cursor.at("default") => Some(unquoted(cursor.text, token)),
        Kind::String => value(cursor.spelling(token), cursor.dialect).map(Cow::Owned),
        _ => None,
    }
}

/// What the expression that comes next says of what is wanted. Modes are added to what was and taken from it
/// (`CONCAT(@@sql_mode, ',ANSI_QUOTES')`, `REPLACE(@@sql_mode, 'ANSI_QUOTES', '')`); what was saved before is most often what
/// a session begins with.
fn mode(cursor: &mut Cursor<'_>, wanted: Wanted) -> Option<bool> {
    let (mut builds, mut removes, mut named, mut number) = (false, false, false, None);
    to_comma(cursor, |cursor, token| {
        let spelling = cursor.spelling(token);
        match token.kind {
            Kind::Word if spelling.eq_ignore_ascii_case("sql_mode") => builds = true,
            Kind::Word => {
                removes |= ["replace", "list_drop"].iter().any(|name| spelling.eq_ignore_ascii_case(name));
                named |= wanted.is(spelling);
            }
            Kind::String => {
                named |= value(spelling, cursor.dialect).is_some_and(|modes| wanted.is_among(&modes))
            }
            Kind::Number => number = spelling.parse::<u64>().ok(),
            _ => {}
        }
    });
    match (builds, named) {
        (true, true) => Some(!removes),
        (true, false) => None,
        (false, named) => Some(named || number.is_some_and(|modes| modes & wanted.bit != 0)),
    }
}

/// Whether the expression that comes next says all of what [`mode`] looks for: a literal, modes that are added to what was, or
/// others that are taken from it.
fn is_told(mut cursor: Cursor<'_>) -> bool {
    const BUILDING: [&str; 7] = ["sql_mode", "session", "local", "concat", "list_add", "select", "replace"];
    let (mut tokens, mut told, mut builds, mut replaces) = (0_usize, true, 0, false);
    to_comma(&mut cursor, |cursor, token| {
        let spelling = cursor.spelling(token);
        let is = |word: &str| spelling.eq_ignore_ascii_case(word);
        tokens += 1;
        builds += u32::from(is("sql_mode"));
        replaces |= is("replace");
        // What is replaced stands behind what it is replaced in.
        let takes = |modes: &str| {
            builds == 1 && !ANSI_QUOTES.is_among(modes) && !NO_BACKSLASH_ESCAPES.is_among(modes)
        };
        told &= match token.kind {
            Kind::String => value(spelling, cursor.dialect)
                .is_some_and(|modes| are_modes(&modes) && (!replaces || takes(&modes))),
            Kind::Number => spelling.parse::<u64>().is_ok() && !replaces,
            Kind::Word => is_mode(spelling) && !replaces || BUILDING.iter().any(|word| is(word)),
            Kind::Operator => spelling == "@@",
            Kind::Open | Kind::Close | Kind::Comma | Kind::Dot => true,
            Kind::Semicolon => {
                tokens -= 1;
                true
            }
            _ => false,
        };
    });
    told && (builds == 1 || builds > 1 && !replaces || tokens == 1)
}

fn are_modes(modes: &str) -> bool {
    modes.split(',').map(str::trim).all(|mode| mode.is_empty() || is_mode(mode))
}

fn is_mode(mode: &str) -> bool {
    !mode.eq_ignore_ascii_case("default") && SQL_MODES.iter().any(|known| mode.eq_ignore_ascii_case(known))
}

impl Wanted {
    fn is(self, mode: &str) -> bool {
        self.names.iter().any(|name| mode.eq_ignore_ascii_case(name))
    }

    fn is_among(self, modes: &str) -> bool {
        modes.split(',').any(|mode| self.is(mode.trim()))
    }
}

/// Takes what is before the next comma that no bracket holds, and that comma.
fn to_comma<'a>(cursor: &mut Cursor<'a>, mut tell: impl FnMut(&Cursor<'a>, Token)) {
    let mut depth = 0_usize;
    while let Some(token) = cursor.take() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 0 => return,
            _ => {}
        }
        tell(cursor, token);
    }
}

/// `KILL [HARD | SOFT] [CONNECTION | QUERY] number`. Behind KILL.
pub(in crate::sql) fn kill<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    cursor.skip(&["hard", "soft"]);
    cursor.skip(&["connection", "query"]);
    let number = cursor.peek().filter(|token| token.kind == Kind::Number);
    let session = number.and_then(|token| cursor.spelling(token).parse().ok());
    Some(Effect::Kill { session })
}

/// `USE name`. Behind USE.
pub(in crate::sql) fn choose<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    word(cursor).map(Effect::Use)
}

/// `XA START`, `XA COMMIT`, … Behind XA.
/// <https://dev.mysql.com/doc/refman/8.4/en/xa-statements.html>
pub(in crate::sql) fn xa<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    Some(match cursor.word().to_ascii_lowercase().as_str() {
        "start" | "begin" => Effect::Begin,
        "prepare" => Effect::PrepareTransaction,
        "commit" => Effect::Commit { chain: false },
        "rollback" => Effect::Rollback { chain: false },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, effect};

    fn quotes(text: &str) -> Option<bool> {
        match effect(text, Dialect::MYSQL) {
            Effect::Set { ansi_quotes, .. } => ansi_quotes,
            other => panic!("{other:?}"),
        }
    }

    fn charset(text: &str) -> Option<String> {
        match effect(text, Dialect::MYSQL) {
            Effect::Set { charset, .. } => charset.map(Cow::into_owned),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_mode_says_what_double_quotes_are() {
        for (text, expected) in [
            ("SET sql_mode = 'ANSI_QUOTES'", Some(true)),
            ("set session sql_mode='STRICT_ALL_TABLES, ansi'", Some(true)),
            ("SET @@sql_mode := 'NO_ZERO_DATE'", Some(false)),
            ("SET @@session.sql_mode = ANSI_QUOTES", Some(true)),
            ("SET sql_mode = ''", Some(false)),
            ("SET sql_mode = 4", Some(true)),
            ("SET sql_mode = DEFAULT", Some(false)),
            ("SET SQL_MODE=@OLD_SQL_MODE", Some(false)),
            ("SET a = 1, sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'), b = 2", Some(true)),
            ("SET sql_mode = REPLACE(@@sql_mode, 'ANSI_QUOTES', '')", Some(false)),
            ("SET sql_mode = 'ANSI', NAMES latin1", Some(true)),
        ] {
            assert_eq!(quotes(text), expected, "{text}");
        }
        for (text, expected) in [
            ("SET sql_mode = 'STRICT_ALL_TABLES,ANSI'", false),
            ("SET sql_mode = ANSI;", false),
            ("SET sql_mode = 4", false),
            ("SET sql_mode = CONCAT(@@session.sql_mode, ',ANSI_QUOTES')", false),
            ("SET sql_mode = ?", true),
            ("SET sql_mode = @m, names utf8", true),
            ("SET sql_mode = 'ANSI_' 'QUOTES'", false),
            ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_', 'QUOTES')", true),
            ("SET sql_mode = CONCAT(@@sql_mode, @m)", true),
            ("SET sql_mode = REPLACE(@@sql_mode, 'STRICT_ALL_TABLES', 'ANSI_QUOTES')", true),
            ("SET sql_mode = (SELECT m FROM modes)", true),
            ("SET sql_mode = REPLACE(@@sql_mode, 'ANSI', '')", true),
            ("SET sql_mode = REPLACE(@@sql_mode, @@sql_mode, 'STRICT_ALL_TABLES')", true),
            ("SET sql_mode = REPLACE('STRICT_ALL_TABLES', 'NO_ZERO_DATE', @@sql_mode)", true),
            ("SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')", true),
            ("SET sql_mode = @@sql_mode = 'STRICT_ALL_TABLES'", true),
            ("SET sql_mode = (SELECT REPLACE(CONCAT(@@sql_mode, ',ANSI'), 'STRICT_ALL_TABLES', ''))", true),
        ] {
            let effect = effect(text, Dialect::MYSQL);
            assert!(
                matches!(effect, Effect::Set { unknown, .. } if unknown == expected),
                "{text}: {effect:?}"
            );
        }
        for other in [
            "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
            "SET @@global.sql_mode = 'ANSI_QUOTES'",
            "SET @sql_mode = 'ANSI_QUOTES'",
            "SET GLOBAL sort_buffer_size = 2097152, sql_mode = 'ANSI_QUOTES'",
            "SET SESSION a = 1, PERSIST b = 2, @c = 3, sql_mode = 'NO_BACKSLASH_ESCAPES'",
            "SET GLOBAL a = 1, character_set_client = gbk",
            "SET autocommit = 0",
            "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
            "SET sql_mode=(SELECT REPLACE(@@sql_mode,'ONLY_FULL_GROUP_BY',''))",
            "SET SESSION sql_mode = REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_ZERO_DATE,', ''), 'NO_ZERO_IN_DATE', 'STRICT_ALL_TABLES')",
            "SET sql_mode = (SELECT CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'))",
            "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR DO 1",
            "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SET sql_mode = ''",
            "SET STATEMENT a = 1",
            "SET STATEMENT a = 1 FOR SET STATEMENT b = 1 FOR COMMIT",
            "SET PASSWORD = 'sql_mode'",
            "SET",
        ] {
            assert_eq!(effect(other, Dialect::MYSQL), Effect::None, "{other}");
        }
    }

    #[test]
    fn the_mode_says_what_a_backslash_is() {
        for (text, expected) in [
            ("SET sql_mode = 'no_backslash_escapes'", Some(true)),
            ("SET sql_mode = ''", Some(false)),
            ("SET sql_mode = 1048580", Some(true)),
            ("SET @@global.a = 1, sql_mode = 'NO_BACKSLASH_ESCAPES'", Some(true)),
            ("SET GLOBAL a = 1, @@sql_mode = 'NO_BACKSLASH_ESCAPES'", Some(true)),
            ("SET GLOBAL a = 1, SESSION b = 2, sql_mode = 'NO_BACKSLASH_ESCAPES'", Some(true)),
            ("SET GLOBAL a = 1, @@local.sql_mode = 'NO_BACKSLASH_ESCAPES'", Some(true)),
            ("SET sql_mode = 4", Some(false)),
            ("SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')", Some(true)),
            ("SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')", Some(false)),
            ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", None),
            ("SET STATEMENT max_statement_time = (1) FOR SET sql_mode = 'NO_BACKSLASH_ESCAPES'", Some(true)),
        ] {
            let effect = effect(text, Dialect::MYSQL);
            assert!(
                matches!(effect, Effect::Set { no_backslash_escapes, .. } if no_backslash_escapes == expected),
                "{text}: {effect:?}"
            );
        }
    }

    #[test]
    fn what_runs_with_other_variables_does_what_it_does() {
        for (text, expected) in [
            ("SET STATEMENT max_statement_time = 10 FOR COMMIT AND CHAIN", Effect::Commit { chain: true }),
            ("set statement a = 1, b = (select 2) for rollback to s", Effect::RollbackTo("s".into())),
            ("set statement sql_mode = 'ansi' for begin", Effect::Begin),
            ("SET STATEMENT a = 1 FOR EXECUTE p", Effect::Execute("p".into())),
            ("SET STATEMENT a = 1 FOR SELECT 1", Effect::None),
            ("SET STATEMENT = 1, sql_mode = ''", effect("SET sql_mode = ''", Dialect::MYSQL)),
        ] {
            assert_eq!(effect(text, Dialect::MYSQL), expected, "{text}");
        }
    }

    #[test]
    fn the_character_set_of_texts() {
        for (text, expected) in [
            ("SET NAMES latin1", "latin1"),
            ("SET NAMES DEFAULT", ""),
            ("SET character_set_client = DEFAULT", ""),
            ("SET character_set_client = @utf8", ""),
            ("SET character_set_client := @@utf8", ""),
            ("SET character_set_client = ?", ""),
            ("SET character_set_client = LOWER('UTF8')", ""),
            ("SET character_set_client = (SELECT 'utf8')", ""),
            ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'", "utf8mb4"),
            ("set character set gbk", "gbk"),
            ("SET CHARSET 'big5'", "big5"),
            ("SET @@character_set_client = sjis, autocommit = 1", "sjis"),
            ("SET SESSION character_set_client = 'cp1251'", "cp1251"),
        ] {
            assert_eq!(charset(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn who_is_killed() {
        for (text, session) in [
            ("KILL 7", Some(7)),
            ("kill query 7", Some(7)),
            ("KILL HARD CONNECTION 4294967296", None),
            ("KILL QUERY ID 7", None),
            ("KILL USER ana", None),
            ("KILL @x", None),
        ] {
            assert_eq!(effect(text, Dialect::MYSQL), Effect::Kill { session }, "{text}");
        }
    }

    #[test]
    fn what_else_there_is() {
        for (text, expected) in [
            ("USE `Shop`", Effect::Use("Shop".into())),
            (" use shop;", Effect::Use("shop".into())),
            ("UPDATE t SET a = 1", Effect::None),
            ("XA START 'x'", Effect::Begin),
            ("XA END 'x'", Effect::None),
            ("XA COMMIT 'x' ONE PHASE", Effect::Commit { chain: false }),
            ("XA ROLLBACK 'x'", Effect::Rollback { chain: false }),
            ("XA PREPARE 'x'", Effect::PrepareTransaction),
        ] {
            assert_eq!(effect(text, Dialect::MYSQL), expected, "{text}");
        }
    }
}
