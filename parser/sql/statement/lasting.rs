//! Statements of PostgreSQL that commit by themselves. The server refuses them within a transaction, and behind another
//! statement of a pipeline; where one is done, it lasts, whatever fails behind it.

use super::Effect;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;

/// How they begin.
const VERBS: [&str; 10] =
    ["create", "drop", "alter", "reindex", "vacuum", "commit", "rollback", "analyze", "analyse", "cluster"];

/// The effect of such a statement, behind whose verb the cursor stands.
pub(super) fn lasting(verb: &str, cursor: &Cursor<'_>) -> Option<Effect<'static>> {
    if !cursor.dialect.is_postgres() || !VERBS.iter().any(|known| known.eq_ignore_ascii_case(verb)) {
        return None;
    }
    let mut rest = cursor.clone();
    let lasts = match verb.to_ascii_lowercase().as_str() {
        "create" => {
            rest.eat("unique");
            rest.at_any(&["database", "tablespace"]) || rest.eat("index") && rest.at("concurrently")
        }
        "drop" => rest.at_any(&["database", "tablespace"]) || rest.eat("index") && rest.at("concurrently"),
        "alter" if rest.eat("database") => has(&mut rest, &["set", "tablespace"]),
        "alter" if rest.eat("table") => detaches(&mut rest),
        "alter" => rest.at("system"),
        "reindex" => return reindex(&mut rest),
        "vacuum" => true,
        "commit" | "rollback" => rest.at("prepared"),
        // Of all tables, or of a partitioned one.
        "analyze" | "analyse" | "cluster" => return Some(Effect::MayCommitItself),
        _ => false,
    };
    // With a slot, or refreshed, unless its options say otherwise.
    let may = !lasts && cursor.at("subscription");
    if lasts { Some(Effect::CommitsItself) } else { may.then_some(Effect::MayCommitItself) }
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
fn reindex(cursor: &mut Cursor<'_>) -> Option<Effect<'static>> {
    let all = has(&mut cursor.clone(), &["concurrently"]);
    cursor.skip_parentheses();
    let lasts = all || cursor.at_any(&["schema", "database", "system"]);
    Some(if lasts { Effect::CommitsItself } else { Effect::MayCommitItself })
}
