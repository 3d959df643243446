//! Keywords by what they say of values.

/// Keywords that are values, or end one.
pub(super) fn ends_value(word: &str) -> bool {
    matches!(word, "END" | "NULL" | "TRUE" | "FALSE" | "LOCALTIME" | "LOCALTIMESTAMP" | "SESSION_USER")
        || word.starts_with("CURRENT_")
}

/// Keywords that a value follows.
pub(super) fn precedes_value(word: &str) -> bool {
    matches!(
        word,
        "SELECT"
            | "THEN"
            | "ELSE"
            | "DEFAULT"
            | "WHERE"
            | "AND"
            | "OR"
            | "WHEN"
            | "HAVING"
            | "BETWEEN"
            | "SYMMETRIC"
            | "RETURN"
            | "RETURNING"
            | "LIMIT"
            | "OFFSET"
            | "BY"
            | "DISTINCT"
            | "ALL"
            | "FROM"
            | "TO"
            | "LIKE"
            | "ILIKE"
            | "RLIKE"
            | "REGEXP"
            | "DIV"
            | "XOR"
            | "CASE"
            | "IF"
            | "WHILE"
            | "INTERVAL"
            | "USING"
    )
}
