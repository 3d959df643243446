//! The words whose case the normalized text folds, found without allocation.
//!
//! They are the words that give a statement its form. Words that people use as names (`name`, `value`, `type`) stay
//! out, so that an identifier keeps the case it was written in. The list is part of the fingerprint's contract:
//! a change of it changes fingerprints.

/// The upper-case form of `word`, where it is a keyword.
pub(super) fn keyword(word: &[u8]) -> Option<&'static str> {
    if word.len() > LONGEST || word.len() < 2 {
        return None;
    }
    let mut slot = hash(word);
    while let Some(found) = TABLE.get(slot).copied().filter(|index| *index != 0) {
        let candidate = KEYWORDS.get(usize::from(found) - 1)?;
        if candidate.as_bytes().eq_ignore_ascii_case(word) {
            return Some(candidate);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
}

const SLOTS: usize = 1024;
const LONGEST: usize = 19;

/// Slot → index into KEYWORDS plus one; 0 is free. Built by the compiler, open addressing.
static TABLE: [u16; SLOTS] = table();

/// Mixes the length with the first two and the last two bytes, case folded.
#[allow(clippy::indexing_slicing)] // only called with two bytes or more
const fn hash(word: &[u8]) -> usize {
    let length = word.len();
    let a = (word[0] | 0x20) as usize;
    let b = (word[1] | 0x20) as usize;
    let y = (word[length - 2] | 0x20) as usize;
    let z = (word[length - 1] | 0x20) as usize;
    (a + b * 31 + y * 173 + z * 821 + length * 401) % SLOTS
}

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: out of bounds would not build
const fn table() -> [u16; SLOTS] {
    let mut table = [0; SLOTS];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let mut slot = hash(KEYWORDS[index].as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u16 + 1;
        index += 1;
    }
    table
}

#[rustfmt::skip]
const KEYWORDS: [&str; 225] = [
    "ABORT", "ADD", "ALL", "ALTER", "ANALYSE", "ANALYZE", "AND", "ANY", "ARRAY", "AS", "ASC", "ASYMMETRIC",
    "ATOMIC", "AUTHORIZATION", "BEGIN", "BETWEEN", "BINARY", "BOTH", "BY", "CALL", "CASCADE", "CASE",
    "CAST", "CHECK", "CHECKPOINT", "CLOSE", "CLUSTER", "COALESCE", "COLLATE", "COLUMN", "COMMENT", "COMMIT",
    "CONCURRENTLY", "CONFLICT", "CONSTRAINT", "COPY", "CREATE", "CROSS", "CURRENT_CATALOG", "CURRENT_DATE",
    "CURRENT_ROLE", "CURRENT_SCHEMA", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURSOR",
    "DATABASE", "DEALLOCATE", "DECLARE", "DEFAULT", "DEFERRABLE", "DELAYED", "DELETE", "DESC", "DESCRIBE",
    "DISCARD", "DISTINCT", "DISTINCTROW", "DIV", "DO", "DROP", "DUMPFILE", "DUPLICATE", "ELSE", "ELSEIF",
    "END", "ESCAPE", "EXCEPT", "EXECUTE", "EXISTS", "EXPLAIN", "EXTENSION", "EXTRACT", "FALSE", "FETCH",
    "FILTER", "FOR", "FORCE", "FOREIGN", "FREEZE", "FROM", "FULL", "FULLTEXT", "FUNCTION", "GRANT", "GROUP",
    "GROUPING", "HANDLER", "HAVING", "HIGH_PRIORITY", "IDENTIFIED", "IF", "IGNORE", "ILIKE", "IMMEDIATE",
    "IN", "INDEX", "INFILE", "INHERITS", "INITIALLY", "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO",
    "IS", "ISNULL", "JOIN", "KEY", "KILL", "LATERAL", "LEADING", "LEFT", "LIKE", "LIMIT", "LISTEN", "LOAD",
    "LOCALTIME", "LOCALTIMESTAMP", "LOCK", "LOW_PRIORITY", "MATCHED", "MATERIALIZED", "MERGE", "MINUS",
    "MOVE", "NATURAL", "NOT", "NOTHING", "NOTIFY", "NOTNULL", "NOWAIT", "NULL", "NULLIF", "NULLS", "OF",
    "OFFSET", "ON", "ONLY", "OR", "ORDER", "OUTER", "OUTFILE", "OVER", "OVERLAPS", "OVERLAY", "PARTITION",
    "PERFORM", "PLACING", "POSITION", "PREPARE", "PRIMARY", "PROCEDURE", "QUICK", "REASSIGN", "RECURSIVE",
    "REFERENCES", "REFRESH", "REGEXP", "REINDEX", "RELEASE", "RENAME", "REPLACE", "RESET", "RESTRICT",
    "RETURN", "RETURNING", "RETURNS", "REVOKE", "RIGHT", "RLIKE", "ROLLBACK", "ROLLUP", "ROW", "ROWS",
    "SAVEPOINT", "SCHEMA", "SELECT", "SEPARATOR", "SEQUENCE", "SESSION_USER", "SET", "SHOW", "SIMILAR",
    "SOME", "SOUNDS", "SQL_CALC_FOUND_ROWS", "STRAIGHT_JOIN", "SUBSTRING", "SYMMETRIC", "TABLE",
    "TABLESAMPLE", "TEMP", "TEMPORARY", "THEN", "TIES", "TO", "TRAILING", "TRANSACTION", "TRIGGER", "TRIM",
    "TRUE", "TRUNCATE", "UNION", "UNIQUE", "UNKNOWN", "UNLISTEN", "UNLOCK", "UNLOGGED", "UPDATE", "USE",
    "USING", "VACUUM", "VALUES", "VARIADIC", "VIEW", "WHEN", "WHERE", "WHILE", "WINDOW", "WITH", "WITHIN",
    "WITHOUT", "WORK", "XOR",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_in_any_case() {
        for word in KEYWORDS {
            assert_eq!(keyword(word.as_bytes()), Some(word));
            assert_eq!(keyword(word.to_lowercase().as_bytes()), Some(word));
            assert!(word.len() <= LONGEST);
        }
    }

    #[test]
    fn names_are_no_keywords() {
        for word in ["", "a", "id", "users", "name", "value", "selects", "sql_calc_found_rowsx", "\u{130}n"] {
            assert_eq!(keyword(word.as_bytes()), None, "{word}");
        }
    }
}
