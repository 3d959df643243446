//! What a SET saves of the settings that decide how texts are read, and what it sets to what was saved: dumps begin and end so.

use std::borrow::Cow;

use super::command;
use crate::sql::Dialect;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};

/// A setting of the session that decides how texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `sql_mode`
    Mode,
    /// `character_set_client`, and what sets it along with others.
    Charset,
}

/// What a SET assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// `@name = @@sql_mode`; or anything else, of which there is no setting. The name is in lower case.
    Saves(Cow<'a, str>, Option<Setting>),
    /// `sql_mode = @name`
    Restores(Setting, Cow<'a, str>),
    /// A setting, to anything else.
    Sets(Setting),
    /// What decides nothing.
    Other,
}

/// The assignments of MySQL's SET, in order; `None` of any other statement, or where one cannot be read.
pub fn assignments(text: &str, dialect: Dialect) -> Option<Vec<Assignment<'_>>> {
    let mut cursor = Cursor::new(text, dialect);
    if dialect.is_postgres() || !cursor.eat("set") || command::is_set_statement(&cursor) {
        return None;
    }
    let mut found = Vec::new();
    while cursor.peek().is_some() {
        let charset = cursor.eat("names") || cursor.eat_words(&["character", "set"]) || cursor.eat("charset");
        if charset {
            part(&mut cursor, |_, _| false);
            found.push(Assignment::Sets(Setting::Charset));
            continue;
        }
        let (target, assigned) = part(&mut cursor, is_assigned);
        if !assigned {
            return None;
        }
        let (value, _) = part(&mut cursor, |_, _| false);
        found.push(assignment(variable(&cursor, &target)?, variable(&cursor, &value)?));
    }
    cursor.certain().then_some(found)
}

/// A variable that stands alone.
enum Variable<'a> {
    User(Cow<'a, str>),
    Own(Setting),
    Other,
}

fn assignment<'a>(target: Variable<'a>, value: Variable<'a>) -> Assignment<'a> {
    match (target, value) {
        (Variable::User(name), Variable::Own(setting)) => Assignment::Saves(name, Some(setting)),
        (Variable::User(name), _) => Assignment::Saves(name, None),
        (Variable::Own(setting), Variable::User(name)) => Assignment::Restores(setting, name),
        (Variable::Own(setting), _) => Assignment::Sets(setting),
        (Variable::Other, _) => Assignment::Other,
    }
}

/// `@name`, `@@name`, `@@session.name`, `session name`, `name`; `None` of a user's variable whose name is no plain word: to the
/// server `@é` and `@e`, `@'\e'` and ``@`e ` `` are one.
fn variable<'a>(cursor: &Cursor<'a>, tokens: &[Token]) -> Option<Variable<'a>> {
    let spelt = |token: &Token| cursor.spelling(*token);
    let is = |token: &Token, words: &[&str]| words.iter().any(|word| spelt(token).eq_ignore_ascii_case(word));
    let own = ["session", "local"];
    let name = match tokens {
        [at, name] if spelt(at) == "@" => {
            let plain = spelt(name).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            return plain.then(|| Variable::User(spelt(name).to_ascii_lowercase().into()));
        }
        [name] => name,
        [at, name] if spelt(at) == "@@" => name,
        [scope, name] if is(scope, &own) => name,
        [at, scope, dot, name] if spelt(at) == "@@" && is(scope, &own) && dot.kind == Kind::Dot => name,
        _ => return Some(Variable::Other),
    };
    Some(match () {
        () if is(name, &["sql_mode", "`sql_mode`"]) => Variable::Own(Setting::Mode),
        () if is(name, &["character_set_client", "`character_set_client`"]) => {
            Variable::Own(Setting::Charset)
        }
        () => Variable::Other,
    })
}

fn is_assigned(cursor: &Cursor<'_>, token: Token) -> bool {
    matches!(cursor.spelling(token), "=" | ":=")
}

/// The tokens up to the next comma that no bracket holds, or to the first of which `ends` says so; whether there was such.
fn part(cursor: &mut Cursor<'_>, ends: fn(&Cursor<'_>, Token) -> bool) -> (Vec<Token>, bool) {
    /// No variable has more, and of anything else only that it is none counts.
    const MOST: usize = 5;
    let (mut tokens, mut depth) = (Vec::new(), 0_usize);
    while let Some(token) = cursor.take() {
        match token.kind {
            _ if ends(cursor, token) => return (tokens, true),
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 0 => break,
            _ => {}
        }
        if tokens.len() < MOST {
            tokens.push(token);
        }
    }
    (tokens, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_and_restored() {
        let saves = |name: &'static str, setting| Assignment::Saves(name.into(), setting);
        let (mode, charset) = (Setting::Mode, Setting::Charset);
        for (text, expected) in [
            (
                "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */",
                vec![saves("old_sql_mode", Some(mode)), Assignment::Sets(mode)],
            ),
            ("set sql_mode = @OLD_sql_mode", vec![Assignment::Restores(mode, "old_sql_mode".into())]),
            ("SET @saved := @@session.character_set_client", vec![saves("saved", Some(charset))]),
            (
                "SET @@session.character_set_client=@saved",
                vec![Assignment::Restores(charset, "saved".into())],
            ),
            (
                "SET NAMES utf8mb4, @a = (select @@sql_mode, 1), autocommit = 0",
                vec![Assignment::Sets(charset), saves("a", None), Assignment::Other],
            ),
            ("SET @a = @@global.sql_mode", vec![saves("a", None)]),
            ("SET global sql_mode = @a", vec![Assignment::Other]),
            ("SET sql_mode = @a + 1", vec![Assignment::Sets(mode)]),
        ] {
            assert_eq!(assignments(text, Dialect::MYSQL), Some(expected), "{text}");
        }
        for text in [
            "SELECT 1",
            "SET STATEMENT a = 1 FOR SET b = 2",
            "SET TRANSACTION READ ONLY",
            "SET @a = 'b",
            "SET @`a` = 1",
            r"SET @'\e' = 1",
            "SET @é = @@sql_mode",
            "SET sql_mode = @`a `",
        ] {
            assert_eq!(assignments(text, Dialect::MYSQL), None, "{text}");
        }
    }
}
