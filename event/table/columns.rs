//! The columns, in order, but for `id` and `created_at`, which the database fills itself.

use super::row::{Row, text};

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether each of our own tables has an index of it.
    pub indexed: bool,
    value: for<'r> fn(&'r Row<'_>) -> Value<'r>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A text that is indexed: cut at [`WORD`] characters.
    Word,
    /// A text, most often short.
    Text,
    /// A text that may be long.
    Long,
    /// JSON.
    Json,
    /// The event, byte for byte: JSON that no database may write anew, for its hash is of its bytes.
    Event,
    /// A whole number of 64 bits.
    Number,
    /// A whole number of 32 bits.
    Small,
    /// True or false.
    Flag,
    /// An instant in microseconds, UTC.
    Timestamp,
    /// A day, UTC.
    Date,
    /// A time of day in seconds, UTC.
    Time,
    /// A UUID.
    Uuid,
}

/// The most characters in a column that is indexed: indices have limits, and a client must not be able to keep its
/// statements out of the table by long names. The `event` column has the whole.
pub const WORD: usize = 255;

/// What a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not known.
    Null,
    /// Text, JSON, a time in the forms of the event, a UUID.
    Text(&'a str),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
}

impl Column {
    /// Its value in a row.
    #[must_use]
    pub fn of<'r>(&self, row: &'r Row<'_>) -> Value<'r> {
        (self.value)(row)
    }

    const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }
}

const fn column(name: &'static str, holds: Holds, value: for<'r> fn(&'r Row<'_>) -> Value<'r>) -> Column {
    Column { name, holds, indexed: false, value }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<u64>> for Value<'_> {
    /// No counter of ours gets beyond 63 bits.
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Null, |number| Self::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(flag: Option<bool>) -> Self {
        flag.map_or(Self::Null, Self::Flag)
    }
}

/// The columns that a row has values for.
pub static COLUMNS: [Column; 55] = {
    use Holds::{Date, Event, Flag, Json, Long, Number, Small, Text, Time, Timestamp, Uuid, Word};
    [
        column("app_name", Word, |e| text(&e.meta.app_name)).indexed(),
        column("environment", Text, |e| text(&e.meta.environment)),
        column("timestamp", Timestamp, |e| text(&e.meta.timestamp)).indexed(),
        column("timestamp_unix", Number, |e| e.meta.timestamp_unix.map_or(Value::Null, Value::Number)),
        column("date", Date, |e| text(&e.meta.date)).indexed(),
        column("time", Time, |e| text(&e.meta.time)),
        column("duration_ms", Small, |e| e.meta.duration(1.0)),
        column("reason", Text, |e| text(&e.meta.reason)),
        column("db_engine", Text, |e| text(&e.db.engine)),
        column("db_host", Text, |e| text(&e.db.host)),
        column("db_name", Text, |e| text(&e.db.name)),
        column("db_user", Text, |e| text(&e.db.user)),
        column("db_schema", Text, |e| text(&e.db.schema)),
        column("operation_type", Word, |e| text(&e.operation.kind)).indexed(),
        column("operation_category", Text, |e| text(&e.operation.category)),
        column("main_table", Word, |e| text(&e.operation.main_table)).indexed(),
        column("tables_involved", Json, |e| e.operation.tables_involved.into()),
        column("sql_raw", Long, |e| text(&e.sql.raw)),
        column("sql_normalized", Long, |e| text(&e.sql.normalized)),
        column("sql_parameters", Json, |e| e.sql.parameters.into()),
        column("row_count", Number, |e| e.sql.row_count.into()),
        column("success", Flag, |e| e.sql.success.into()).indexed(),
        column("error_code", Text, |e| text(&e.sql.error_code)),
        column("error_message", Long, |e| text(&e.sql.error_message)),
        column("data_before", Json, |e| e.data.before.into()),
        column("data_after", Json, |e| e.data.after.into()),
        column("actor_type", Text, |e| text(&e.actor.actor_type)),
        column("actor_user_id", Word, |e| text(&e.actor.app_user_id)).indexed(),
        column("actor_username", Text, |e| text(&e.actor.app_username)),
        column("actor_roles", Json, |e| e.actor.app_roles.into()),
        column("actor_tenant_id", Text, |e| text(&e.actor.tenant_id)),
        column("request_ip", Text, |e| text(&e.request.ip_address)),
        column("request_user_agent", Long, |e| text(&e.request.user_agent)),
        column("request_id", Text, |e| text(&e.request.request_id)),
        column("request_session_id", Text, |e| text(&e.request.session_id)),
        // From here on ours.
        column("event_id", Uuid, |e| Value::Text(&e.id)),
        column("seq", Number, |e| e.seq.into()),
        column("kind", Word, |e| Value::Text(&e.kind)),
        column("duration_us", Number, |e| e.meta.duration(1_000.0)),
        column("outcome", Text, |e| text(&e.sql.outcome)),
        column("sql_state", Text, |e| text(&e.sql.sql_state)),
        column("fingerprint", Text, |e| text(&e.sql.fingerprint)),
        column("bytes_returned", Number, |e| e.sql.bytes_returned.into()),
        column("bytes_sent", Number, |e| e.sql.bytes_sent.into()),
        column("session_id", Uuid, |e| text(&e.session.id)),
        column("session_seq", Number, |e| e.session.seq.into()),
        column("client", Text, |e| text(&e.session.client)),
        column("transaction_id", Uuid, |e| text(&e.transaction.id)).indexed(),
        column("verdict", Text, |e| text(&e.transaction.verdict)),
        column("trust", Text, |e| text(&e.actor.trust)),
        column("traceparent", Text, |e| text(&e.request.traceparent)),
        column("source_app", Text, |e| text(&e.meta.source_app)),
        column("instance", Text, |e| text(&e.meta.instance)),
        column("intent_id", Uuid, |e| text(&e.intent_id)),
        column("event", Event, |e| Value::Text(e.json)),
    ]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_columns_are_those_of_existing_tables_and_no_name_is_there_twice() {
        const OLDER: [&str; 35] = [
            "app_name",
            "environment",
            "timestamp",
            "timestamp_unix",
            "date",
            "time",
            "duration_ms",
            "reason",
            "db_engine",
            "db_host",
            "db_name",
            "db_user",
            "db_schema",
            "operation_type",
            "operation_category",
            "main_table",
            "tables_involved",
            "sql_raw",
            "sql_normalized",
            "sql_parameters",
            "row_count",
            "success",
            "error_code",
            "error_message",
            "data_before",
            "data_after",
            "actor_type",
            "actor_user_id",
            "actor_username",
            "actor_roles",
            "actor_tenant_id",
            "request_ip",
            "request_user_agent",
            "request_id",
            "request_session_id",
        ];
        let names = COLUMNS.map(|column| column.name);
        assert_eq!(names[..OLDER.len()], OLDER);
        assert_eq!(BTreeSet::from(names).len(), names.len());
        assert!(
            COLUMNS
                .iter()
                .all(|column| column.holds != Holds::Word || column.name == "kind" || column.indexed)
        );
    }
}
