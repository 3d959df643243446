//! The options of EXPLAIN.

use crate::sql::cursor::Cursor;
use crate::sql::lexer::Kind;
use crate::sql::name::folded;

#[derive(Clone, Copy, Default)]
pub(in crate::sql) struct Explain {
    /// It runs what it explains.
    pub(in crate::sql) runs: bool,
    /// A literal says whether it does, as in `(ANALYZE 0)`: the normalized text does not tell.
    pub(in crate::sql) by_literal: bool,
}

/// Takes the options of EXPLAIN. Of options that come twice the last counts.
pub(in crate::sql) fn explain_options(cursor: &mut Cursor<'_>) -> Explain {
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
