//! The parts of an encoded event that columns are made of, read in place.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::columns::Value;

/// An event as a row. What is not in it is NULL; what is there as something else than event.md says makes it none.
#[derive(Deserialize)]
pub struct Row<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) seq: Option<u64>,
    #[serde(borrow, default)]
    pub(super) meta: Meta<'a>,
    #[serde(borrow, default)]
    pub(super) db: Db<'a>,
    #[serde(borrow, default)]
    pub(super) operation: Operation<'a>,
    #[serde(borrow, default)]
    pub(super) sql: Sql<'a>,
    #[serde(borrow, default)]
    pub(super) data: Data<'a>,
    #[serde(borrow, default)]
    pub(super) actor: Actor<'a>,
    #[serde(borrow, default)]
    pub(super) request: Request<'a>,
    #[serde(borrow, default)]
    pub(super) session: Session<'a>,
    #[serde(borrow, default)]
    pub(super) transaction: Transaction<'a>,
    #[serde(borrow, default, rename = "intentId")]
    pub(super) intent_id: Text<'a>,
    /// The whole.
    #[serde(skip)]
    pub(super) json: &'a str,
}

/// What a `verdict` event says of rows that were written before it: those of a session, from one `session.seq` to
/// another, of one transaction, that have none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The session.
    pub session: &'a str,
    /// The transaction.
    pub transaction: &'a str,
    /// The first `session.seq`.
    pub from: i64,
    /// The last `session.seq`.
    pub to: i64,
    /// What became of them.
    pub verdict: &'a str,
}

impl<'a> Row<'a> {
    /// Of an encoded event.
    ///
    /// # Errors
    /// What is no event, with what is wrong with it.
    pub fn of(json: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(json).map_err(|error| format!("no UTF-8: {error}"))?;
        let row: Row<'a> = serde_json::from_str(text).map_err(|error| format!("no event: {error}"))?;
        match uuid::Uuid::try_parse(&row.id) {
            Ok(_) => Ok(Row { json: text, ..row }),
            Err(error) => Err(format!("id: {error}")),
        }
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind of event.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it says of other rows.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict<'_>> {
        let transaction = &self.transaction;
        let number = |number: Option<u64>| i64::try_from(number?).ok();
        (self.kind == "verdict").then_some(())?;
        Some(Verdict {
            session: self.session.id.as_deref()?,
            transaction: transaction.id.as_deref()?,
            from: number(transaction.from_seq)?,
            to: number(transaction.to_seq)?,
            verdict: transaction.verdict.as_deref()?,
        })
    }
}

pub(super) fn text<'r>(text: &'r Option<Cow<'_, str>>) -> Value<'r> {
    text.as_deref().into()
}

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta<'a> {
    #[serde(borrow)]
    pub(super) app_name: Text<'a>,
    #[serde(borrow)]
    pub(super) environment: Text<'a>,
    #[serde(borrow)]
    pub(super) instance: Text<'a>,
    #[serde(borrow)]
    pub(super) source_app: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    pub(super) timestamp_unix: Option<i64>,
    #[serde(borrow)]
    pub(super) date: Text<'a>,
    #[serde(borrow)]
    pub(super) time: Text<'a>,
    duration_ms: Option<f64>,
    #[serde(borrow)]
    pub(super) reason: Text<'a>,
}

impl Meta<'_> {
    /// In parts of a millisecond, rounded.
    pub(super) fn duration(&self, parts: f64) -> Value<'_> {
        // What does not fit is the largest that does.
        self.duration_ms.map_or(Value::Null, |ms| Value::Number((ms * parts).round() as i64))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Db<'a> {
    #[serde(borrow)]
    pub(super) engine: Text<'a>,
    #[serde(borrow)]
    pub(super) host: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) user: Text<'a>,
    #[serde(borrow)]
    pub(super) schema: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Operation<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) category: Text<'a>,
    #[serde(borrow)]
    pub(super) main_table: Text<'a>,
    #[serde(borrow)]
    pub(super) tables_involved: Json<'a>,
}

/// JSON as it stands.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Json<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> From<Json<'a>> for Value<'a> {
    fn from(json: Json<'a>) -> Self {
        json.0.map(RawValue::get).into()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sql<'a> {
    #[serde(borrow)]
    pub(super) raw: Text<'a>,
    #[serde(borrow)]
    pub(super) normalized: Text<'a>,
    #[serde(borrow)]
    pub(super) fingerprint: Text<'a>,
    #[serde(borrow)]
    pub(super) parameters: Json<'a>,
    pub(super) row_count: Option<u64>,
    pub(super) bytes_returned: Option<u64>,
    pub(super) bytes_sent: Option<u64>,
    pub(super) success: Option<bool>,
    #[serde(borrow)]
    pub(super) outcome: Text<'a>,
    #[serde(borrow)]
    pub(super) error_code: Text<'a>,
    #[serde(borrow)]
    pub(super) error_message: Text<'a>,
    #[serde(borrow)]
    pub(super) sql_state: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    pub(super) before: Json<'a>,
    #[serde(borrow)]
    pub(super) after: Json<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub(super) actor_type: Text<'a>,
    #[serde(borrow)]
    pub(super) app_user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) app_username: Text<'a>,
    #[serde(borrow)]
    pub(super) app_roles: Json<'a>,
    #[serde(borrow)]
    pub(super) tenant_id: Text<'a>,
    #[serde(borrow)]
    pub(super) trust: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) ip_address: Text<'a>,
    #[serde(borrow)]
    pub(super) user_agent: Text<'a>,
    #[serde(borrow)]
    pub(super) request_id: Text<'a>,
    #[serde(borrow)]
    pub(super) session_id: Text<'a>,
    #[serde(borrow)]
    pub(super) traceparent: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    pub(super) seq: Option<u64>,
    #[serde(borrow)]
    pub(super) client: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Transaction<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) verdict: Text<'a>,
    from_seq: Option<u64>,
    to_seq: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::{super::COLUMNS, *};

    const EVENT: &str = r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1,"kind":"statement","seq":4182,"meta":{"appName":"sh\"op","environment":"prod","timestamp":"2026-11-22T09:14:03.218411Z","timestampUnix":1795338843,"date":"2026-11-22","time":"09:14:03","durationMs":1.872,"reason":"default:allowed"},"operation":{"type":"UPDATE","category":"DML","mainTable":"orders","tablesInvolved":["orders", "customers"]},"sql":{"raw":"UPDATE orders","parameters":["paid",null],"rowCount":1,"success":true,"outcome":"ok"},"session":{"id":"01938c5e-7a02-7c11-8f2b-9f1d3a7b5c10","seq":17},"intentId":"01938c5e-7b19-7f3e-9d53-2c9a4b1f6e20"}"#;

    fn value<'r>(row: &'r Row<'_>, name: &str) -> Value<'r> {
        COLUMNS.iter().find(|column| column.name == name).unwrap().of(row)
    }

    #[test]
    fn each_part_is_in_its_column() {
        let row = Row::of(EVENT.as_bytes()).unwrap();
        for (name, expected) in [
            ("event_id", Value::Text("01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21")),
            ("app_name", Value::Text("sh\"op")),
            ("timestamp_unix", Value::Number(1_795_338_843)),
            ("duration_ms", Value::Number(2)),
            ("duration_us", Value::Number(1_872)),
            ("tables_involved", Value::Text(r#"["orders", "customers"]"#)),
            ("sql_parameters", Value::Text(r#"["paid",null]"#)),
            ("success", Value::Flag(true)),
            ("session_seq", Value::Number(17)),
            ("intent_id", Value::Text("01938c5e-7b19-7f3e-9d53-2c9a4b1f6e20")),
            ("db_engine", Value::Null),
            ("actor_roles", Value::Null),
            ("event", Value::Text(EVENT)),
        ] {
            assert_eq!(value(&row, name), expected, "{name}");
        }
        assert_eq!(row.verdict(), None);
    }

    #[test]
    fn a_verdict_says_which_rows_it_is_about() {
        let json = EVENT.replace("\"statement\"", "\"verdict\"").replace(
            r#","session""#,
            r#","transaction":{"id":"01938c5e-7b00-7a11-a1aa-1c2d3e4f5a6b","verdict":"rolledBack","fromSeq":3,"toSeq":9},"session""#,
        );
        let row = Row::of(json.as_bytes()).unwrap();
        let Verdict { session, from, to, verdict, .. } = row.verdict().unwrap();
        assert_eq!(
            (session, from, to, verdict),
            ("01938c5e-7a02-7c11-8f2b-9f1d3a7b5c10", 3, 9, "rolledBack")
        );
    }

    #[test]
    fn what_is_no_event_says_why() {
        for (json, reason) in [
            (EVENT.replace(r#""meta":{"#, r#""meta":"none","x":{"#), "no event: invalid type: string"),
            (EVENT.replace("01938c5e-7b1a", "none"), "id: "),
            ("{".to_owned(), "no event: "),
        ] {
            let error = Row::of(json.as_bytes()).err().unwrap();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
