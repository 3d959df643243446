//! The kinds of objects that definitions and rights are about.

use super::super::cursor::Cursor;

/// Objects by their words; the longer ones first. The second column says whether their names are tables.
#[rustfmt::skip]
pub(super) static OBJECTS: [(&[&str], &str, bool); 50] = [
    (&["materialized", "view"], "MATERIALIZED VIEW", true), (&["foreign", "table"], "FOREIGN TABLE", true),
    (&["foreign", "data", "wrapper"], "FOREIGN DATA WRAPPER", false), (&["event", "trigger"], "EVENT TRIGGER", false),
    (&["foreign", "schema"], "FOREIGN SCHEMA", false), (&["foreign", "server"], "SERVER", false),
    (&["procedural", "language"], "LANGUAGE", false),
    (&["user", "mapping"], "USER MAPPING", false), (&["access", "method"], "ACCESS METHOD", false),
    (&["default", "privileges"], "DEFAULT PRIVILEGES", false), (&["large", "object"], "LARGE OBJECT", false),
    (&["operator", "class"], "OPERATOR CLASS", false), (&["operator", "family"], "OPERATOR FAMILY", false),
    (&["text", "search", "configuration"], "TEXT SEARCH CONFIGURATION", false),
    (&["text", "search", "dictionary"], "TEXT SEARCH DICTIONARY", false),
    (&["text", "search", "parser"], "TEXT SEARCH PARSER", false),
    (&["text", "search", "template"], "TEXT SEARCH TEMPLATE", false),
    (&["table"], "TABLE", true), (&["view"], "VIEW", true), (&["index"], "INDEX", false), (&["sequence"], "SEQUENCE", false),
    (&["role"], "ROLE", false), (&["user"], "USER", false), (&["group"], "GROUP", false), (&["database"], "DATABASE", false),
    (&["schema"], "SCHEMA", false), (&["function"], "FUNCTION", false), (&["procedure"], "PROCEDURE", false),
    (&["routine"], "ROUTINE", false), (&["aggregate"], "AGGREGATE", false), (&["trigger"], "TRIGGER", false),
    (&["rule"], "RULE", false), (&["policy"], "POLICY", false), (&["type"], "TYPE", false), (&["domain"], "DOMAIN", false),
    (&["extension"], "EXTENSION", false), (&["language"], "LANGUAGE", false), (&["server"], "SERVER", false),
    (&["tablespace"], "TABLESPACE", false), (&["publication"], "PUBLICATION", false),
    (&["subscription"], "SUBSCRIPTION", false), (&["collation"], "COLLATION", false), (&["conversion"], "CONVERSION", false),
    (&["cast"], "CAST", false), (&["operator"], "OPERATOR", false), (&["statistics"], "STATISTICS", false),
    (&["event"], "EVENT", false), (&["system"], "SYSTEM", false), (&["transform"], "TRANSFORM", false),
    // Whatever a role owns: the server's own word for it.
    (&["owned", "by"], "OWNED", false),
];

/// Words between the verb and the object.
pub(super) const MODIFIERS: [&str; 21] = [
    "or",
    "replace",
    "temp",
    "temporary",
    "global",
    "local",
    "unlogged",
    "unique",
    "constraint",
    "default",
    "recursive",
    "trusted",
    "procedural",
    "fulltext",
    "spatial",
    "algorithm",
    "definer",
    "sql",
    "security",
    "invoker",
    "online",
];

pub(super) fn object(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    // Where neither FOR nor IF EXISTS follows, it is a user called mapping.
    let mapped = ["for", "if"].iter().any(|word| cursor.word_at(2).eq_ignore_ascii_case(word));
    let mut objects = OBJECTS.iter().filter(|(_, object, _)| mapped || *object != "USER MAPPING");
    let (words, object, _) = objects.find(|(words, ..)| cursor.at_words(words))?;
    words.iter().for_each(|_| _ = cursor.take());
    Some(object)
}

pub(super) fn is_table(object: Option<&str>) -> bool {
    OBJECTS.iter().any(|(_, name, table)| *table && object == Some(name))
}
