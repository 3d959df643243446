//! Statements of PostgreSQL that commit by themselves. The server refuses them within a transaction, and behind another
//! statement of a pipeline; where one is done, it lasts, whatever fails behind it.

use super::Effect;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;

/// The effect of such a statement, behind whose verb the cursor stands.
pub(super) fn lasting(verb: &str, cursor: &Cursor<'_>) -> Option<Effect<'static>> {
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    let rest = || cursor.clone();
    let lasts = match verb.len() {
        _ if !cursor.dialect.is_postgres() => return None,
        4 if is("drop") => defines(rest()),
        5 if is("alter") => alters(rest()),
        6 if is("create") => defines(rest()),
        6 if is("vacuum") => true,
        6 if is("commit") => cursor.at("prepared"),
        7 if is("reindex") => return Some(reindex(rest())),
        // Of all tables, or of a partitioned one.
        7 if is("analyze") || is("analyse") || is("cluster") => return Some(Effect::MayCommitItself),
        8 if is("rollback") => cursor.at("prepared"),
        _ => return None,
    };
    // With a slot, or refreshed, unless its options say otherwise.
    let may = !lasts && cursor.at("subscription");
    if lasts { Some(Effect::CommitsItself) } else { may.then_some(Effect::MayCommitItself) }
}

/// CREATE or DROP of these.
fn defines(mut cursor: Cursor<'_>) -> bool {
    cursor.eat("unique");
    cursor.at_any(&["database", "tablespace"]) || cursor.eat_words(&["index", "concurrently"])
}

fn alters(mut cursor: Cursor<'_>) -> bool {
    if cursor.eat("database") {
        has(&mut cursor, &["set", "tablespace"])
    } else if cursor.eat("table") {
        detaches(&mut cursor)
    } else {
        cursor.at("system")
    }
}

/// Whether these words stand anywhere in what is left.
fn has(cursor: &mut Cursor<'_>, words: &[&str]) -> bool {
    while cursor.kind().is_some_and(|kind| kind != Kind::Semicolon) {
        if cursor.at_words(words) {
            return true;
        }
        cursor.take();
    }
    false
}

/// `ALTER TABLE a DETACH PARTITION b CONCURRENTLY`, or `FINALIZE`.
fn detaches(cursor: &mut Cursor<'_>) -> bool {
    has(cursor, &["detach", "partition"])
        && (has(&mut cursor.clone(), &["concurrently"]) || has(cursor, &["finalize"]))
}

/// Of a whole schema or database, or concurrently; of a table only if it is partitioned.
fn reindex(mut cursor: Cursor<'_>) -> Effect<'static> {
    let all = has(&mut cursor.clone(), &["concurrently"]);
    cursor.skip_parentheses();
    let lasts = all || cursor.at_any(&["schema", "database", "system"]);
    if lasts { Effect::CommitsItself } else { Effect::MayCommitItself }
}
