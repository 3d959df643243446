//! The table as it is, which may be an older one: which columns there are, and what goes into them.

use std::borrow::Cow;

use panoptes_event::table::{COLUMNS, Column, Engine, Holds, Row, Value, WORD};

/// What the rows of a verdict are found by.
const OF_VERDICTS: [&str; 6] = ["verdict", "transaction_id", "session_id", "session_seq", "kind", "outcome"];

/// A column as the database tells it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) name: String,
    /// Its type, without a length.
    pub(super) kind: String,
    pub(super) nullable: bool,
    /// Whether the database has a value for it where none is given.
    pub(super) filled: bool,
}

/// The columns that are written.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Found>,
    /// Whether the table is so old that its rows do not tell which kind of event they are.
    kindless: bool,
}

/// A column of ours that the table has.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) kind: String,
    column: &'static Column,
    nullable: bool,
    /// Whether another column has the whole event, so that this one may have the head of a long text.
    cut: bool,
    /// As [`Layout::kindless`].
    kindless: bool,
}

impl Layout {
    /// Of the columns of a table; none where it is not there.
    pub(super) fn new(engine: Engine, table: &str, described: &[Described]) -> Result<Self, String> {
        if described.is_empty() {
            return Err(format!(
                "there is no table {table}; create it with `panoptes schema --engine {} --table {table}`, or set auto_create_table",
                engine.name()
            ));
        }
        let known = |name: &str| COLUMNS.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        let foreign = described.iter().find(|column| {
            !column.nullable && !column.filled && known(&column.name).is_none() && column.name != "id"
        });
        if let Some(column) = foreign {
            return Err(format!(
                "column {} of table {table} must have a value, and none is known for it; give it a default, or allow NULL",
                column.name
            ));
        }
        let whole = described.iter().any(|column| column.name == "event");
        let kindless = !whole && described.iter().all(|column| column.name != "kind");
        let columns: Vec<Found> = described
            .iter()
            .filter_map(|Described { name, kind, nullable, .. }| {
                let column = known(name)?;
                let cut = whole && column.holds == Holds::Word;
                let (kind, nullable) = (kind.clone(), *nullable);
                Some(Found { name: column.name, holds: column.holds, kind, column, nullable, cut, kindless })
            })
            .collect();
        match columns.iter().any(|column| matches!(column.name, "sql_raw" | "event")) {
            true => Ok(Self { columns, kindless }),
            false => Err(format!(
                "table {table} is none for events: it has neither a column sql_raw nor one called event; name another table"
            )),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Found> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether the table has a row for such an event. Without its kind, an intent would be a statement once more, and one that
    /// succeeded; and verdicts and checkpoints would be statements.
    pub(super) fn takes(&self, row: &Row<'_>) -> bool {
        !self.kindless || !matches!(row.kind(), "intent" | "verdict" | "checkpoint")
    }

    /// Whether its rows can be told what became of their transaction.
    pub(super) fn takes_verdicts(&self) -> bool {
        OF_VERDICTS.iter().all(|name| self.find(name).is_some())
    }

    /// What a person should know of it; `unique` where `event_id` is, `refused` where verdicts are.
    pub(super) fn notes(&self, unique: bool, refused: Option<String>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.find("event_id").is_none() {
            notes.push(
                "the table has no column event_id: a repeat after a crash cannot be told from a second event"
                    .into(),
            );
        } else if !unique {
            notes.push("the column event_id is not unique: a repeat after a crash makes a second row".into());
        }
        if self.kindless {
            notes.push(
                "the table has neither a column kind nor one called event: intents, verdicts and checkpoints have no rows; a gap \
                 and a blind stretch are rows without success whose operation_type is GAP or BLIND"
                    .into(),
            );
        }
        if let Some(reason) = refused {
            notes.push(format!("rows cannot be told the verdict of their transaction; the verdict events are there ({reason})"));
        } else if !self.takes_verdicts() {
            notes.push(format!(
                "rows cannot be told the verdict of their transaction; that needs the columns {}",
                OF_VERDICTS.join(", ")
            ));
        }
        notes
    }
}

impl Found {
    /// What a row has here. Where an older table allows no NULL, an unknown text is an empty one, and success is what
    /// its default says, but for what is no success of anybody.
    pub(super) fn of<'r>(&self, row: &'r Row<'_>) -> Value<'r> {
        match self.column.of(row) {
            Value::Text(text) if self.cut => Value::Text(head(text)),
            Value::Null if self.kindless && self.name == "operation_type" && row.kind() == "gap" => {
                Value::Text("GAP")
            }
            Value::Null if self.kindless && self.name == "operation_type" && row.kind() == "blind" => {
                Value::Text("BLIND")
            }
            Value::Null if !self.nullable => match self.holds {
                Holds::Word | Holds::Text | Holds::Long => Value::Text(""),
                Holds::Flag => {
                    let open = ["gap", "blind", "intent", "verdict", "checkpoint"];
                    Value::Flag(!open.contains(&row.kind()))
                }
                _ => Value::Null,
            },
            value => value,
        }
    }

    /// The same as text.
    pub(super) fn text_of<'r>(&self, row: &'r Row<'_>) -> Option<Cow<'r, str>> {
        match self.of(row) {
            Value::Null => None,
            Value::Text(text) => Some(text.into()),
            Value::Number(number) => Some(number.to_string().into()),
            Value::Flag(flag) => Some(if flag { "true" } else { "false" }.into()),
        }
    }
}

fn head(text: &str) -> &str {
    match text.char_indices().nth(WORD) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(names: &[&str], nullable: bool) -> Vec<Described> {
        let column =
            |name: &&str| Described { name: (*name).into(), kind: "text".into(), nullable, filled: false };
        names.iter().map(column).collect()
    }

    fn row(table: &str) -> String {
        format!(
            r#"{{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","kind":"gap","operation":{{"mainTable":"{table}"}}}}"#
        )
    }

    #[test]
    fn an_older_table_takes_what_it_has() {
        let layout = Layout::new(
            Engine::Postgres,
            "t",
            &described(&["id", "main_table", "sql_raw", "success"], false),
        )
        .unwrap();
        let names: Vec<_> = layout.columns.iter().map(|column| column.name).collect();
        assert_eq!(names, ["main_table", "sql_raw", "success"]);
        let (json, notes) = (row(&"é".repeat(300)), layout.notes(false, None));
        let row = Row::of(json.as_bytes()).unwrap();
        let values: Vec<_> =
            layout.columns.iter().map(|column| column.text_of(&row).unwrap().into_owned()).collect();
        assert_eq!(values, ["é".repeat(300), String::new(), "false".to_owned()]);
        assert!(notes[0].contains("event_id") && notes[2].contains("transaction_id"), "{notes:?}");
    }

    #[test]
    fn where_the_kind_is_not_told_only_statements_look_like_statements() {
        let older = ["id", "operation_type", "sql_raw", "success"];
        let layout = |more: &[&str]| {
            Layout::new(Engine::Postgres, "t", &described(&[&older, more].concat(), false)).unwrap()
        };
        let of_kind = |layout: &Layout, kind: &str| {
            let json = row("t").replace("gap", kind);
            let row = Row::of(json.as_bytes()).unwrap();
            let text = |name| layout.find(name).unwrap().text_of(&row).unwrap().into_owned();
            layout.takes(&row).then(|| (text("operation_type"), text("success")))
        };
        let told = |kind: &str, success: &str| Some((kind.to_owned(), success.to_owned()));
        let old = layout(&[]);
        assert!(old.notes(false, None)[1].contains("neither a column kind"));
        for kind in ["intent", "verdict", "checkpoint"] {
            assert_eq!(of_kind(&old, kind), None);
            assert_eq!(of_kind(&layout(&["kind"]), kind), told("", "false"));
            assert_eq!(of_kind(&layout(&["event"]), kind), told("", "false"));
        }
        assert_eq!(of_kind(&old, "gap"), told("GAP", "false"));
        assert_eq!(of_kind(&old, "blind"), told("BLIND", "false"));
        assert_eq!(of_kind(&old, "logout"), told("", "true"));
    }

    #[test]
    fn a_long_word_is_cut_where_the_event_is_there_in_whole() {
        let layout = Layout::new(Engine::Postgres, "t", &described(&["main_table", "event"], true)).unwrap();
        let json = row(&"é".repeat(300));
        let row = Row::of(json.as_bytes()).unwrap();
        assert_eq!(layout.columns[0].of(&row), Value::Text("é".repeat(WORD).as_str()));
        assert_eq!(layout.columns[1].of(&row), Value::Text(&json));
    }

    #[test]
    fn a_table_that_cannot_be_written_says_why() {
        for (names, nullable, why) in [
            (
                &[][..],
                true,
                "there is no table t; create it with `panoptes schema --engine sqlite --table t`",
            ),
            (&["event", "colour"], false, "column colour of table t must have a value"),
            (&["id", "success"], true, "table t is none for events"),
        ] {
            let error = Layout::new(Engine::Sqlite, "t", &described(names, nullable)).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
