//! What a word says about the tables after it: verbs, the clauses of a query, the words of definitions.

use super::super::keyword::keyword;
use super::frame::{Fresh, List, Verb, With};
use super::{Mode, Tables};

impl<'a> Tables<'a> {
    pub(super) fn word(&mut self, word: &'a str) {
        let word = keyword(word.as_bytes()).unwrap_or(word);
        match self.frame().with {
            With::None | With::Name => {}
            With::Header if word == "AS" => return self.frame().with = With::Body,
            With::Next if STATEMENTS.contains(&word) => self.frame().with = With::None,
            With::Header | With::Body | With::Next => return,
        }
        let fresh = std::mem::take(&mut self.frame().fresh);
        if !self.verb(word, fresh) && !self.clause(word) && self.defines {
            self.define(word, fresh);
        }
    }

    /// The words that begin a query or statement.
    fn verb(&mut self, word: &str, fresh: Fresh) -> bool {
        let (any, statement) = (fresh != Fresh::Nothing, fresh == Fresh::Statement);
        match word {
            "WITH" if any => {
                let frame = self.frame();
                (frame.with, frame.fresh, frame.list) = (With::Name, fresh, List::Idle);
            }
            "SELECT" => self.enter("SELECT", Verb::Select, List::Idle),
            "VALUES" if any => self.enter("SELECT", Verb::Select, List::Idle),
            "TABLE" if any => self.enter("SELECT", Verb::Select, List::Expect(Mode::Read, false)),
            "INSERT" if statement => self.write("INSERT", Verb::Insert, "into"),
            "UPDATE" if statement => self.write("UPDATE", Verb::Update, ""),
            "DELETE" if statement => self.write("DELETE", Verb::Delete, "from"),
            "MERGE" if statement => self.write("MERGE", Verb::Merge, "into"),
            _ => return false,
        }
        true
    }

    fn enter(&mut self, name: &'static str, verb: Verb, list: List) {
        if self.frames.len() == 1 {
            self.main.get_or_insert(name);
        }
        let frame = self.frame();
        (frame.verb, frame.list, frame.fresh) = (verb, list, Fresh::Nothing);
    }

    fn write(&mut self, name: &'static str, verb: Verb, before_table: &str) {
        if self.frame().body {
            self.writing.get_or_insert(name);
        }
        self.cursor.eat(before_table);
        self.enter(name, verb, List::Expect(Mode::Write, true));
    }

    /// The words that begin or end a list of tables.
    fn clause(&mut self, word: &str) -> bool {
        let frame = *self.frame();
        let listed = matches!(frame.list, List::After(..));
        let read = List::Expect(Mode::Read, false);
        let list = match word {
            "FROM" if self.reads_from(frame.verb) => read,
            "JOIN" if listed => read,
            "USING"
                if frame.list == List::After(Mode::Write, true)
                    && matches!(frame.verb, Verb::Delete | Verb::Merge) =>
            {
                read
            }
            "INTO" if frame.verb == Verb::Select => {
                self.cursor.skip(&["temporary", "temp", "unlogged", "local", "global", "table"]);
                self.table(Mode::Write, true);
                List::Idle
            }
            "FOR" if self.cursor.at_any(&["update", "share", "no", "key", "read"]) => List::Idle,
            "WHERE" | "GROUP" | "HAVING" | "ORDER" | "LIMIT" | "OFFSET" | "FETCH" | "WINDOW" | "SET"
            | "RETURNING" | "WHEN" => List::Idle,
            "UNION" | "EXCEPT" | "INTERSECT" | "MINUS" => {
                self.cursor.skip(&["all", "distinct"]);
                self.frame().fresh = Fresh::Query;
                List::Idle
            }
            _ => return false,
        };
        self.frame().list = list;
        true
    }

    /// FROM names tables in a statement of its own, not in `IS DISTINCT FROM` nor in a function's brackets.
    fn reads_from(&self, verb: Verb) -> bool {
        let [first, second] = self.before;
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        let distinct = is(second, "distinct") && (is(first, "is") || is(first, "not"));
        matches!(verb, Verb::Select | Verb::Update | Verb::Delete) && !distinct
    }

    /// The words that name other tables in a definition, or begin a query in it.
    fn define(&mut self, word: &str, fresh: Fresh) {
        let [first, second] = self.before;
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        match word {
            "AS" if self.frame().verb == Verb::Define => self.frame().fresh = Fresh::Query,
            "DO" if self.frame().verb == Verb::Define => self.frame().fresh = Fresh::Statement,
            "ATOMIC" => self.frame().fresh = Fresh::Statement,
            "REFERENCES" => _ = self.table(Mode::Read, false),
            "LIKE" if second == "(" || second == "," => _ = self.table(Mode::Read, false),
            "INHERITS" => self.frame().list = List::Expect(Mode::Read, false),
            "PARTITION" if self.cursor.eat("of") => _ = self.table(Mode::Read, false),
            "PARTITION" if self.alters && (is(second, "attach") || is(second, "detach")) => {
                _ = self.table(Mode::Write, false)
            }
            _ if is(word, "also") || is(word, "instead") => self.frame().fresh = fresh,
            // `CHECK (…) NO INHERIT` is a constraint's, `NO INHERIT parent` an action.
            _ if self.alters && is(word, "inherit") && !(is(second, "no") && first == ")") => {
                _ = self.table(Mode::Read, false)
            }
            _ => {}
        }
    }
}

/// The words that end a WITH clause.
const STATEMENTS: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"];
