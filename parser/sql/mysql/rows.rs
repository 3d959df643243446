//! Statements that read and write rows: their lists of tables, and which tables of a list they write.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/join.html>, <https://mariadb.com/kb/en/join-syntax/>.

use std::collections::HashMap;

use super::frame::{Aim, Fresh, List, Table, Verb};
use super::reader::Reader;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};
use crate::sql::name::unquoted;
use crate::sql::tables::{MAX_TABLES, Mode};

impl Reader<'_> {
    /// The words that begin a statement that writes rows.
    pub(super) fn writes(&mut self, word: &str) -> bool {
        if !matches!(word, "INSERT" | "REPLACE" | "UPDATE" | "DELETE") {
            return false;
        }
        self.cursor.skip(&["low_priority", "delayed", "high_priority", "quick", "ignore"]);
        match word {
            "UPDATE" => self.enter("UPDATE", Verb::Update, List::Expect(Mode::Read)),
            "DELETE" => self.delete(),
            _ => {
                self.cursor.eat("into");
                let verb = if word == "INSERT" { "INSERT" } else { "REPLACE" };
                self.enter(verb, Verb::Insert, List::Expect(Mode::Write));
            }
        }
        true
    }

    /// `DELETE FROM t …`, `DELETE a, b.* FROM list …`, `DELETE FROM a, b.* USING list …`
    fn delete(&mut self) {
        self.enter("DELETE", Verb::Delete, List::Expect(Mode::Write));
        self.cursor.eat("history");
        let from = self.cursor.eat("from");
        let mut ahead = Self::new(self.cursor.clone());
        let mut names = Vec::new();
        while let Some(name) = ahead.name().filter(|_| names.len() < MAX_TABLES) {
            if ahead.cursor.eat_kind(Kind::Dot).is_some() {
                ahead.cursor.eat_kind(Kind::Operator); // `a.*`
            }
            names.push(name);
            if ahead.cursor.eat_kind(Kind::Comma).is_none() {
                break;
            }
        }
        if !ahead.cursor.eat(if from { "using" } else { "from" }) {
            return;
        }
        self.cursor = ahead.cursor;
        let list = self.lists;
        self.aims.extend(names.into_iter().map(|name| Aim { list, name: Some(name) }));
        self.frame().list = List::Expect(Mode::Read);
    }

    /// A table may stand here. True where tokens were taken.
    pub(super) fn expected(&mut self, token: Token) -> bool {
        let List::Expect(mode) = self.frame().list else { return false };
        if token.kind == Kind::Open || self.cursor.at_any(&["select", "with", "values", "table"]) {
            return false;
        }
        let bracket = self.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open);
        if self.cursor.at("lateral") && bracket {
            self.cursor.take();
            return true;
        }
        if self.cursor.spelling(token) == "{" {
            self.cursor.take(); // ODBC's `{ OJ a LEFT JOIN b ON … }`
            self.cursor.eat("oj");
            return true;
        }
        self.frame().list = List::After(mode);
        self.frame().fresh = Fresh::Nothing;
        let Some(name) = self.name() else {
            self.doubt = true;
            return false;
        };
        if mode == Mode::Read && self.cursor.kind() == Some(Kind::Open) {
            return true; // JSON_TABLE(…)
        }
        let dual = token.kind == Kind::Word && name.eq_ignore_ascii_case("dual");
        let known = mode == Mode::Read && (self.is_expression(&name) || dual);
        let alias = self.behind_table();
        if !known {
            self.note(name, alias, mode);
        }
        if self.frame().verb == Verb::Insert {
            self.columns();
        }
        true
    }

    /// Partitions, period, alias and index hints behind a table. Returns the alias.
    fn behind_table(&mut self) -> Option<String> {
        let cursor = &mut self.cursor;
        if cursor.eat("partition") {
            cursor.skip_parentheses();
        }
        if cursor.eat_words(&["for", "portion", "of"]) {
            cursor.take();
            cursor.eat("from");
        }
        if cursor.eat_words(&["for", "system_time"]) && !cursor.eat_words(&["as", "of"]) {
            cursor.take(); // ALL, BETWEEN, FROM
        }
        let explicit = cursor.eat("as");
        let named = explicit || !ends_table(cursor);
        let alias = cursor.peek().filter(|next| named && matches!(next.kind, Kind::Word | Kind::Quoted));
        if alias.is_some() {
            cursor.take();
        }
        let alias = alias.map(|alias| unquoted(cursor.text, alias).into_owned());
        while cursor.at_any(&["use", "force", "ignore"])
            && matches!(cursor.word_at(1).to_ascii_lowercase().as_str(), "index" | "key")
        {
            cursor.take();
            cursor.take();
            if cursor.eat("for") {
                cursor.skip(&["join", "order", "group", "by"]);
            }
            cursor.skip_parentheses();
        }
        alias
    }

    /// Behind `INSERT INTO t`: the columns go, then a query may begin.
    fn columns(&mut self) {
        let query = ["select", "with", "values", "table"]
            .iter()
            .any(|word| self.cursor.word_at(1).eq_ignore_ascii_case(word));
        let bracket = self.cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Open);
        if !query && !bracket {
            self.cursor.skip_parentheses();
        }
        let frame = self.frame();
        (frame.list, frame.fresh) = (List::Idle, Fresh::Query);
    }

    /// The words that begin or end a list of tables.
    pub(super) fn clause(&mut self, word: &str) -> bool {
        let frame = *self.frame();
        let listed = matches!(frame.list, List::After(_));
        let list = match word {
            "FROM" if frame.verb == Verb::Select => List::Expect(Mode::Read),
            "JOIN" | "STRAIGHT_JOIN" if listed => List::Expect(Mode::Read),
            "ON" if !self.cursor.at("duplicate") => return true,
            "USING" | "NATURAL" => {
                self.merges = true;
                return false;
            }
            "SET" if frame.verb == Verb::Update && listed => {
                self.frame().list = List::Idle;
                self.frame().assigns = true;
                self.assignment();
                return true;
            }
            "ON" | "WHERE" | "GROUP" | "HAVING" | "ORDER" | "LIMIT" | "WINDOW" | "RETURNING" | "INTO"
            | "FOR" | "LOCK" | "PROCEDURE" | "OFFSET" | "FETCH" => List::Idle,
            "UNION" | "EXCEPT" | "INTERSECT" | "MINUS"
                if frame.verb != Verb::Create && frame.verb != Verb::Alter =>
            {
                self.cursor.skip(&["all", "distinct"]);
                self.frame().fresh = Fresh::Query;
                List::Idle
            }
            _ => return false,
        };
        self.frame().list = list;
        self.frame().assigns = false;
        true
    }

    /// `[[database.]table.]column =` of an UPDATE.
    pub(super) fn assignment(&mut self) {
        let list = self.frame().number;
        let Some(column) = self.name() else { return };
        let name = column.rsplit_once('.').map(|(table, _)| table.to_owned());
        if self.aims.len() < MAX_TABLES {
            self.aims.push(Aim { list, name });
        } else {
            self.doubt = true;
        }
    }

    /// Finds the tables that are written in their lists.
    pub(super) fn resolve(&mut self) {
        let mut unsaid = 0;
        let aims = std::mem::take(&mut self.aims);
        let index = if aims.is_empty() { Index::default() } else { Index::of(&self.tables) };
        for Aim { list, name } in aims {
            match name {
                Some(name) => match index.find(list, &name).and_then(|at| self.tables.get_mut(at)) {
                    Some(table) => (table.mode, table.target) = (Mode::Write, true),
                    None => self.doubt = true,
                },
                // Once for all such columns of a list: it finds the same each time.
                None if list == unsaid => {}
                None => {
                    unsaid = list;
                    self.aimed_somewhere(list);
                }
            }
        }
    }

    /// A column without its table: the text does not say which, where more than one can be meant. The server refuses a
    /// column that two tables have, so that none of a table joined to itself is meant, unless the join merges them.
    fn aimed_somewhere(&mut self, list: u32) {
        let mut own: Vec<_> = self.tables.iter_mut().filter(|table| table.list == list).collect();
        let mut times: HashMap<String, u32> = HashMap::new();
        own.iter().for_each(|table| *times.entry(table.name.clone()).or_default() += 1);
        let meant = |table: &Table| self.merges || times.get(&table.name) == Some(&1);
        if own.iter().any(|table| meant(table)) {
            own.retain(|table| meant(table));
        }
        let mode = if own.len() == 1 { Mode::Write } else { Mode::Both };
        self.doubt |= own.len() != 1;
        for table in &mut own {
            if table.mode == Mode::Read {
                (table.mode, table.target) = (mode, true);
            }
        }
    }
}

/// Where the tables of each list are, by what a column may be qualified with: a list of 1,000 has as many columns.
#[derive(Default)]
struct Index {
    /// By an alias, in lower case.
    aliases: HashMap<(u32, String), usize>,
    /// By the whole name, and by its last part.
    names: HashMap<(u32, String), usize>,
    last_parts: HashMap<(u32, String), usize>,
}

impl Index {
    /// The first of two counts that are called the same.
    fn of(tables: &[Table]) -> Self {
        let mut index = Self::default();
        for (at, table) in tables.iter().enumerate() {
            if let Some(alias) = &table.alias {
                index.aliases.entry((table.list, alias.to_ascii_lowercase())).or_insert(at);
            } else {
                index.names.entry((table.list, table.name.clone())).or_insert(at);
                index.last_parts.entry((table.list, last_part(&table.name).to_owned())).or_insert(at);
            }
        }
        index
    }

    /// `db.t` is what `t` names where db is the current database, which the text does not tell, and the other way round.
    fn find(&self, list: u32, name: &str) -> Option<usize> {
        let alias = self.aliases.get(&(list, name.to_ascii_lowercase()));
        let last = || {
            let last = last_part(name);
            let of_database = if last.len() < name.len() { &self.names } else { &self.last_parts };
            of_database.get(&(list, last.to_owned()))
        };
        alias.or_else(|| self.names.get(&(list, name.to_owned()))).or_else(last).copied()
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// What follows a table without an alias.
fn ends_table(cursor: &Cursor<'_>) -> bool {
    #[rustfmt::skip]
    const WORDS: [&str; 38] = [
        "where", "join", "inner", "left", "right", "cross", "natural", "straight_join", "on", "using", "set", "group", "order",
        "having", "limit", "for", "lock", "into", "union", "except", "intersect", "use", "force", "ignore", "procedure", "window",
        "partition", "values", "value", "select", "with", "returning", "offset", "fetch", "do", "then", "minus", "table",
    ];
    cursor.at_any(&WORDS)
}
