//! The statements that change a session's state, read from their verbs on.

use std::borrow::Cow;

use super::Effect;
use super::explain::explain_options;
use super::lasting;
use super::setting;
use crate::sql::constant::Constant;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};
use crate::sql::mysql;
use crate::sql::name::folded;

/// The effect of a statement that begins with `verb`, behind which the cursor stands.
pub(in crate::sql) fn read<'a>(verb: &str, cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    if let Some(lasting) = lasting::lasting(verb, cursor) {
        return Some(lasting);
    }
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    Some(match verb.len() {
        2..=4 if !cursor.dialect.is_postgres() && !is("drop") => own(verb, cursor)?,
        3 if is("end") && cursor.dialect.is_postgres() => Effect::Commit { chain: chain(cursor) },
        3 if is("set") && cursor.dialect.is_postgres() => Effect::Read(setting::set(cursor)?),
        5 if is("reset") && cursor.dialect.is_postgres() => Effect::Read(setting::reset(cursor)?),
        6 if is("select") && cursor.dialect.is_postgres() => Effect::Read(setting::set_config(cursor)?),
        4 if is("drop") && cursor.eat("prepare") => Effect::Deallocate(name(cursor)?),
        4 if is("move") && cursor.dialect.is_postgres() => fetch(cursor)?,
        5 if is("fetch") && cursor.dialect.is_postgres() => fetch(cursor)?,
        5 if is("close") => close(cursor)?,
        5 if is("begin") && begins_transaction(cursor) => Effect::Begin,
        5 if is("start") && cursor.at("transaction") => Effect::Begin,
        5 if is("abort") => Effect::Rollback { chain: chain(cursor) },
        6 if is("commit") && !cursor.at("prepared") => Effect::Commit { chain: chain(cursor) },
        7 if is("prepare") => prepare(cursor)?,
        6 if is("create") && cursor.dialect.is_postgres() => create(cursor)?,
        7 if is("explain") && cursor.dialect.is_postgres() => explain(cursor)?,
        7 if is("execute") && !cursor.dialect.is_postgres() && cursor.eat("immediate") => immediate(cursor)?,
        7 if is("execute") => Effect::Execute(name(cursor)?),
        7 if is("handler") && !cursor.dialect.is_postgres() => handler(cursor)?,
        7 if is("declare") => declare(cursor)?,
        7 if is("discard") && cursor.at("all") => Effect::DiscardAll,
        7 if is("release") => {
            cursor.eat("savepoint");
            Effect::Release(name(cursor)?)
        }
        8 if is("rollback") && !cursor.at("prepared") => rollback(cursor)?,
        9 if is("savepoint") => Effect::Savepoint(name(cursor)?),
        10 if is("deallocate") => deallocate(cursor)?,
        _ => return None,
    })
}

/// What MySQL alone has.
fn own<'a>(verb: &str, cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    match verb.to_ascii_lowercase().as_str() {
        "set" => mysql::effect::set(cursor),
        "use" => mysql::effect::choose(cursor),
        "kill" => mysql::effect::kill(cursor),
        "xa" => mysql::effect::xa(cursor),
        _ => None,
    }
}

/// MySQL's cursors of a table: `HANDLER t OPEN [[AS] h]`, `HANDLER h READ …`, `HANDLER h CLOSE`.
fn handler<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let mut own = name(cursor)?;
    if cursor.eat_kind(Kind::Dot).is_some() {
        own = name(cursor)?;
    }
    match () {
        () if cursor.eat("open") => {
            cursor.eat("as");
            let alias = cursor.peek().is_some_and(|next| is_name(&next));
            Some(Effect::Declare { name: if alias { name(cursor)? } else { own }, hold: true })
        }
        () if cursor.at("close") => Some(Effect::Close(own)),
        () => Some(Effect::Fetch(own)),
    }
}

/// In MySQL `BEGIN NOT ATOMIC` is a block, and so is `BEGIN statement` in sql_mode ORACLE.
fn begins_transaction(cursor: &Cursor<'_>) -> bool {
    cursor.dialect.is_postgres()
        || cursor.at("work")
        || cursor.peek().is_none_or(|next| next.kind == Kind::Semicolon)
}

/// `'text' [USING …]`: the text, where it is of literals alone.
fn immediate<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let start = cursor.peek()?.start;
    let body = Constant::read(cursor.clone());
    body.is_known().then_some(Effect::ExecuteImmediate { body: start..body.end })
}

pub(super) fn name<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let token = cursor.take().filter(is_name)?;
    Some(folded(cursor.text, token, cursor.dialect))
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Quoted)
}

fn chain(cursor: &mut Cursor<'_>) -> bool {
    cursor.skip(&["work", "transaction"]);
    cursor.at_words(&["and", "chain"])
}

fn rollback<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let chain = chain(cursor);
    if !cursor.eat("to") {
        return Some(Effect::Rollback { chain });
    }
    // `ROLLBACK TO savepoint` names a savepoint called savepoint.
    if cursor.peek_at(1).is_some_and(|token| is_name(&token)) {
        cursor.eat("savepoint");
    }
    Some(Effect::RollbackTo(name(cursor)?))
}

/// In PostgreSQL `PREPARE` is a name like another: `DEALLOCATE prepare` is refused, `DEALLOCATE "all"` names one.
fn deallocate<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    cursor.eat("prepare");
    if cursor.at("all") && cursor.dialect.is_postgres() {
        return Some(Effect::DeallocateAll);
    }
    Some(Effect::Deallocate(name(cursor)?))
}

fn explain<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let runs = explain_options(cursor).runs;
    let explained = if cursor.eat("create") {
        create(cursor)?
    } else {
        cursor.eat("execute").then(|| name(cursor).map(Effect::Execute))??
    };
    match explained {
        Effect::Execute(name) if !runs => Some(Effect::Explain(name)),
        explained => Some(explained),
    }
}

/// `CREATE TABLE name [(columns) …] AS EXECUTE name`
fn create<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    cursor.skip(&["global", "local", "temporary", "temp", "unlogged"]);
    if !cursor.eat("table") {
        return None;
    }
    while cursor.kind().is_some() {
        if cursor.eat("as") {
            return cursor.eat("execute").then(|| name(cursor).map(Effect::Execute))?;
        }
        if cursor.kind() == Some(Kind::Open) {
            cursor.skip_parentheses();
        } else {
            cursor.take();
        }
    }
    None
}

/// The name of the cursor stands at the end, behind `BACKWARD -5 FROM` at most.
fn fetch<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let ends = |next: Option<Token>| next.is_none_or(|next| next.kind == Kind::Semicolon);
    for _ in 0..4 {
        if ends(cursor.peek_at(1)) {
            break;
        }
        cursor.take();
    }
    let name = name(cursor)?;
    ends(cursor.peek()).then_some(Effect::Fetch(name))
}

fn close<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    if cursor.at("all") {
        return Some(Effect::CloseAll);
    }
    Some(Effect::Close(name(cursor)?))
}

fn declare<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let name = name(cursor)?;
    cursor.skip(&["binary", "insensitive", "asensitive", "no", "scroll"]);
    let declares = cursor.eat("cursor");
    declares.then(|| Effect::Declare { name, hold: cursor.at_words(&["with", "hold"]) })
}

fn prepare<'a>(cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let string_next = cursor.peek_at(1).is_some_and(|token| token.kind == Kind::String);
    if cursor.at("transaction") && string_next {
        return Some(Effect::PrepareTransaction);
    }
    let name = name(cursor)?;
    cursor.skip_parentheses();
    let begins = if cursor.dialect.is_postgres() { cursor.eat("as") } else { cursor.eat("from") };
    let start = cursor.peek().filter(|_| begins)?.start;
    let end = cursor.text.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace()).len();
    Some(Effect::Prepare { name, body: start..end.max(start) })
}
