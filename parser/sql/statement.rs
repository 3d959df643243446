//! What a statement does to its session: prepared statements, savepoints, the ends of transactions.
//! Decided on the first tokens alone, so it may run for every statement.

use std::borrow::Cow;
use std::ops::Range;

use super::Dialect;
use super::constant::Constant;
use super::cursor::Cursor;
use super::lexer::{Kind, Token};
use super::mysql;
use super::name::folded;

/// A change of the session's state that later statements depend on. Names are as the server keeps them: unquoted ones
/// in lower case, quoted ones exact, cut at 63 bytes (PostgreSQL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Nothing of the kind; nearly every statement.
    None,
    /// `PREPARE name [(types)] AS body`; MySQL's `PREPARE name FROM 'body'`, whose range is the literal or variable itself.
    Prepare {
        /// The name of the statement.
        name: Cow<'a, str>,
        /// Where its text is, in bytes.
        body: Range<usize>,
    },
    /// `EXECUTE name`, or what runs it as well in PostgreSQL: `EXPLAIN ANALYZE EXECUTE name`, `CREATE TABLE … AS EXECUTE name`.
    Execute(Cow<'a, str>),
    /// `EXPLAIN EXECUTE name`, which runs nothing: but its arguments are those of what it explains.
    Explain(Cow<'a, str>),
    /// MySQL's `EXECUTE IMMEDIATE 'body'`: prepared, run and forgotten. None where the text does not tell the body.
    ExecuteImmediate {
        /// Where the literal is, or the expression of several, in bytes.
        body: Range<usize>,
    },
    /// `DEALLOCATE [PREPARE] name`, MySQL's `DROP PREPARE name`.
    Deallocate(Cow<'a, str>),
    /// `DEALLOCATE [PREPARE] ALL`.
    DeallocateAll,
    /// `DISCARD ALL`: prepared statements, cursors, settings, everything of the session goes.
    DiscardAll,
    /// `DECLARE name … CURSOR`: in PostgreSQL the cursor is a portal of this name, which the protocol can execute too.
    Declare {
        /// The name of the cursor.
        name: Cow<'a, str>,
        /// `WITH HOLD`: it outlives its transaction.
        hold: bool,
    },
    /// `FETCH … name`, `MOVE … name`.
    Fetch(Cow<'a, str>),
    /// `CLOSE name`.
    Close(Cow<'a, str>),
    /// `CLOSE ALL`.
    CloseAll,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`; with `chain` the next transaction begins at once.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`, of the whole transaction.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `PREPARE TRANSACTION`: the transaction leaves the session, neither committed nor rolled back.
    PrepareTransaction,
    /// `SAVEPOINT name`.
    Savepoint(Cow<'a, str>),
    /// `RELEASE [SAVEPOINT] name`.
    Release(Cow<'a, str>),
    /// `ROLLBACK [WORK] TO [SAVEPOINT] name`.
    RollbackTo(Cow<'a, str>),
    /// MySQL's SET of what decides how the texts behind it are read.
    Set {
        /// Whether `"…"` is an identifier now, where that was set.
        ansi_quotes: Option<bool>,
        /// MySQL's name of the character set that the client writes in, where that was set; empty where the text does not
        /// tell which.
        charset: Option<Cow<'a, str>>,
        /// The text does not tell all of what sql_mode is now: it comes of a variable, or of a parameter.
        unknown: bool,
    },
    /// MySQL's `USE name`: the schema of names without one.
    Use(Cow<'a, str>),
    /// MySQL's `KILL`: another session, or its statement, is to end.
    Kill {
        /// Its number, where the text tells it.
        session: Option<u32>,
    },
}

impl Effect<'_> {
    /// The same, with names of its own.
    #[must_use]
    pub fn into_owned(self) -> Effect<'static> {
        let own = |name: Cow<'_, str>| Cow::Owned(name.into_owned());
        match self {
            Effect::None => Effect::None,
            Effect::Prepare { name, body } => Effect::Prepare { name: own(name), body },
            Effect::Execute(name) => Effect::Execute(own(name)),
            Effect::Explain(name) => Effect::Explain(own(name)),
            Effect::ExecuteImmediate { body } => Effect::ExecuteImmediate { body },
            Effect::Deallocate(name) => Effect::Deallocate(own(name)),
            Effect::DeallocateAll => Effect::DeallocateAll,
            Effect::DiscardAll => Effect::DiscardAll,
            Effect::Declare { name, hold } => Effect::Declare { name: own(name), hold },
            Effect::Fetch(name) => Effect::Fetch(own(name)),
            Effect::Close(name) => Effect::Close(own(name)),
            Effect::CloseAll => Effect::CloseAll,
            Effect::Begin => Effect::Begin,
            Effect::Commit { chain } => Effect::Commit { chain },
            Effect::Rollback { chain } => Effect::Rollback { chain },
            Effect::PrepareTransaction => Effect::PrepareTransaction,
            Effect::Savepoint(name) => Effect::Savepoint(own(name)),
            Effect::Release(name) => Effect::Release(own(name)),
            Effect::RollbackTo(name) => Effect::RollbackTo(own(name)),
            Effect::Set { ansi_quotes, charset, unknown } => {
                Effect::Set { ansi_quotes, charset: charset.map(own), unknown }
            }
            Effect::Use(name) => Effect::Use(own(name)),
            Effect::Kill { session } => Effect::Kill { session },
        }
    }
}

/// The effect of one statement (see [`split`](super::split())).
pub fn effect(text: &str, dialect: Dialect) -> Effect<'_> {
    if !may_have_effect(text, dialect) {
        return Effect::None;
    }
    let mut cursor = Cursor::new(text, dialect);
    let first = cursor.word();
    cursor.take();
    read(first, &mut cursor).unwrap_or(Effect::None)
}

/// The statement that the `body` of a PREPARE or EXECUTE IMMEDIATE prepares; none where the text does not tell (a variable).
pub fn prepared(body: &str, dialect: Dialect) -> Option<Cow<'_, str>> {
    if dialect.is_postgres() {
        Some(Cow::Borrowed(body))
    } else {
        let body = Constant::read(Cursor::new(body, dialect));
        body.is_known().then_some(Cow::Owned(body.text))
    }
}

/// The first letter tells most statements apart; a comment or a bracket before the verb costs a closer look.
fn may_have_effect(text: &str, dialect: Dialect) -> bool {
    let first = text.bytes().find(|byte| !byte.is_ascii_whitespace());
    match first.map(|byte| byte | 0x20) {
        None | Some(b'i' | b'w' | b'l' | b'v') => false,
        // UPDATE, or MySQL's USE.
        Some(b'u') => !dialect.is_postgres(),
        _ => !text.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("select")),
    }
}

fn read<'a>(verb: &str, cursor: &mut Cursor<'a>) -> Option<Effect<'a>> {
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    Some(match verb.len() {
        2..=4 if !cursor.dialect.is_postgres() && !is("drop") => own(verb, cursor)?,
        3 if is("end") && cursor.dialect.is_postgres() => Effect::Commit { chain: chain(cursor) },
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

fn name<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
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

/// What the options of EXPLAIN say.
#[derive(Clone, Copy, Default)]
pub(super) struct Explain {
    /// It runs what it explains.
    pub(super) runs: bool,
    /// A literal says whether it does, as in `(ANALYZE 0)`: the normalized text does not tell.
    pub(super) by_literal: bool,
}

/// Takes the options of EXPLAIN. Of options that come twice the last counts.
pub(super) fn explain_options(cursor: &mut Cursor<'_>) -> Explain {
    const QUERIES: [&str; 4] = ["select", "with", "table", "values"];
    let inner = |cursor: &Cursor<'_>| cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open);
    let query = |cursor: &Cursor<'_>| QUERIES.iter().any(|word| cursor.word_at(1).eq_ignore_ascii_case(word));
    let mut explain = Explain::default();
    if cursor.kind() == Some(Kind::Open) && !inner(cursor) && !query(cursor) {
        let mut options = cursor.clone();
        cursor.skip_parentheses();
        let end = cursor.peek().map_or(usize::MAX, |token| token.start);
        while options.take().is_some() && options.peek().is_some_and(|token| token.start < end) {
            if is_analyze(&options) {
                options.take();
                explain.runs = !is_off(&options);
                explain.by_literal |= matches!(options.kind(), Some(Kind::String | Kind::Number));
            }
        }
        return explain;
    }
    while cursor.at_any(&["analyze", "analyse", "verbose", "extended", "partitions", "format"]) {
        explain.runs |= cursor.at_any(&["analyze", "analyse"]);
        if cursor.eat("format") {
            cursor.eat_kind(Kind::Operator);
        }
        cursor.take();
    }
    explain
}

/// The option's name is an identifier like another; ANALYSE is one to the grammar alone.
fn is_analyze(cursor: &Cursor<'_>) -> bool {
    let quoted = cursor.peek().filter(|token| token.kind == Kind::Quoted);
    cursor.at_any(&["analyze", "analyse"])
        || quoted.is_some_and(|token| folded(cursor.text, token, cursor.dialect) == "analyze")
}

/// The value of an option that the server reads as false.
fn is_off(cursor: &Cursor<'_>) -> bool {
    let Some(token) = cursor.peek() else { return false };
    let value = cursor.spelling(token);
    if token.kind == Kind::Number {
        return value.bytes().all(|digit| digit == b'0');
    }
    let value = value.trim_start_matches(['e', 'E']).trim_matches(['\'', '"', '$']);
    ["false", "off"].iter().any(|off| value.eq_ignore_ascii_case(off))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres() {
        for (sql, expected) in [
            ("SELECT 1", Effect::None),
            ("", Effect::None),
            ("( SELECT 1 )", Effect::None),
            ("-- c\n/* d */ bEgin isolation level serializable", Effect::Begin),
            ("START TRANSACTION READ ONLY", Effect::Begin),
            ("START_REPLICATION SLOT a LOGICAL 0/0", Effect::None),
            ("COMMIT", Effect::Commit { chain: false }),
            ("COMMIT WORK AND CHAIN", Effect::Commit { chain: true }),
            ("END TRANSACTION AND NO CHAIN", Effect::Commit { chain: false }),
            ("COMMIT PREPARED 'x'", Effect::None),
            ("ROLLBACK PREPARED 'x'", Effect::None),
            ("ABORT AND CHAIN", Effect::Rollback { chain: true }),
            ("ROLLBACK TRANSACTION", Effect::Rollback { chain: false }),
            ("ROLLBACK WORK TO SAVEPOINT Foo", Effect::RollbackTo("foo".into())),
            ("ROLLBACK TO \"Foo\"", Effect::RollbackTo("Foo".into())),
            ("ROLLBACK TO savepoint", Effect::RollbackTo("savepoint".into())),
            ("SAVEPOINT a", Effect::Savepoint("a".into())),
            ("RELEASE SAVEPOINT a", Effect::Release("a".into())),
            ("RELEASE A", Effect::Release("a".into())),
            ("PREPARE TRANSACTION 'x'", Effect::PrepareTransaction),
            ("PREPARE p AS SELECT $1 ;", Effect::Prepare { name: "p".into(), body: 13..22 }),
            (
                "PREPARE \"P\" (int, numeric(1,2)) AS SELECT 1",
                Effect::Prepare { name: "P".into(), body: 35..43 },
            ),
            ("PREPARE p", Effect::None),
            ("EXECUTE P(1, 'a')", Effect::Execute("p".into())),
            ("EXPLAIN ANALYZE VERBOSE EXECUTE P(1)", Effect::Execute("p".into())),
            ("EXPLAIN EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (ANALYZE, COSTS OFF) EXECUTE p", Effect::Execute("p".into())),
            ("EXPLAIN (ANALYZE off, FORMAT json, ANALYZE 'on') EXECUTE p", Effect::Execute("p".into())),
            ("EXPLAIN (ANALYZE 'off') EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (ANALYZE 00) EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (ANALYZE $$off$$) EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (ANALYZE E'off') EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (ANALYZE 1) EXECUTE p", Effect::Execute("p".into())),
            ("EXPLAIN (\"analyze\") EXECUTE p", Effect::Execute("p".into())),
            ("EXPLAIN (\"analyze\" off) EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (U&\"\\0061nalyze\") EXECUTE p", Effect::Execute("p".into())),
            // The server knows no option of these names.
            ("EXPLAIN (\"ANALYZE\") EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (\"analyse\") EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (VERBOSE) EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN (VERBOSE) CREATE TABLE t AS EXECUTE p", Effect::Explain("p".into())),
            ("EXPLAIN ANALYZE CREATE TABLE t AS EXECUTE p", Effect::Execute("p".into())),
            (
                "CREATE TEMP TABLE IF NOT EXISTS s.t (a, b) ON COMMIT DROP AS EXECUTE P(1)",
                Effect::Execute("p".into()),
            ),
            ("CREATE TABLE t AS SELECT 1 AS execute", Effect::None),
            ("CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)", Effect::None),
            ("EXPLAIN ANALYZE SELECT 1", Effect::None),
            ("DEALLOCATE PREPARE p", Effect::Deallocate("p".into())),
            ("DEALLOCATE ALL", Effect::DeallocateAll),
            ("DEALLOCATE PREPARE ALL", Effect::DeallocateAll),
            ("DEALLOCATE \"all\"", Effect::Deallocate("all".into())),
            ("DECLARE P CURSOR FOR SELECT 1", Effect::Declare { name: "p".into(), hold: false }),
            (
                "declare \"P\" binary no scroll cursor with hold for table t",
                Effect::Declare { name: "P".into(), hold: true },
            ),
            ("DECLARE a CURSOR WITHOUT HOLD FOR SELECT 1", Effect::Declare { name: "a".into(), hold: false }),
            ("FETCH P", Effect::Fetch("p".into())),
            ("FETCH BACKWARD -5 FROM P;", Effect::Fetch("p".into())),
            ("move absolute 7 in \"P\"", Effect::Fetch("P".into())),
            ("FETCH FORWARD ALL FROM next", Effect::Fetch("next".into())),
            ("FETCH 1 FROM a b c d", Effect::None),
            ("FETCH 1", Effect::None),
            ("MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE", Effect::None),
            ("CLOSE P", Effect::Close("p".into())),
            ("CLOSE \"all\"", Effect::Close("all".into())),
            ("CLOSE ALL", Effect::CloseAll),
            ("DISCARD ALL", Effect::DiscardAll),
            ("DISCARD PLANS", Effect::None),
        ] {
            assert_eq!(effect(sql, Dialect::POSTGRES), expected, "{sql}");
        }
    }

    #[test]
    fn mysql() {
        for (sql, expected) in [
            ("PREPARE s FROM 'SELECT 1'", Effect::Prepare { name: "s".into(), body: 15..25 }),
            ("DROP PREPARE S", Effect::Deallocate("s".into())),
            ("DEALLOCATE PREPARE `s`", Effect::Deallocate("s".into())),
            ("EXECUTE IMMEDIATE 'x'", Effect::ExecuteImmediate { body: 18..21 }),
            ("execute immediate 'x' 'y' USING 1;", Effect::ExecuteImmediate { body: 18..25 }),
            ("EXECUTE IMMEDIATE @x", Effect::None),
            ("EXECUTE IMMEDIATE CONCAT('x')", Effect::ExecuteImmediate { body: 18..29 }),
            ("EXECUTE IMMEDIATE 0x53454c4543542031 USING @a", Effect::ExecuteImmediate { body: 18..36 }),
            ("EXECUTE IMMEDIATE CONCAT('x', @y)", Effect::None),
            ("EXECUTE S USING @a", Effect::Execute("s".into())),
            ("BEGIN WORK", Effect::Begin),
            ("BEGIN;", Effect::Begin),
            ("BEGIN SELECT 1; END", Effect::None),
            ("END", Effect::None),
            ("RELEASE SAVEPOINT `A`", Effect::Release("a".into())),
            ("ROLLBACK WORK TO a", Effect::RollbackTo("a".into())),
            ("COMMIT AND CHAIN RELEASE", Effect::Commit { chain: true }),
            ("START SLAVE", Effect::None),
            ("BEGIN NOT ATOMIC SELECT 1; END", Effect::None),
            ("/*!50000 COMMIT */", Effect::Commit { chain: false }),
        ] {
            assert_eq!(effect(sql, Dialect::MYSQL), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_prepared_may_be_of_several_literals() {
        for (body, expected) in [
            ("'SELECT ''a'''", Some("SELECT 'a'")),
            ("0x53454c4543542031", Some("SELECT 1")),
            ("CONCAT('SELECT ', \"1\")", Some("SELECT 1")),
            ("@x", None),
            ("CONCAT('SELECT ', @x)", None),
            ("REPLACE('SELECT 2', '2', '1')", None),
        ] {
            assert_eq!(prepared(body, Dialect::MYSQL).as_deref(), expected, "{body}");
        }
        assert_eq!(prepared("SELECT 'a'", Dialect::POSTGRES).as_deref(), Some("SELECT 'a'"));
    }
}
