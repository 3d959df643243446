//! An event that is too large loses its longest parts, and says so: `sql.truncated` has the size that each of them had.

use panoptes_event::json;
use serde_json::{Map, Value};

/// What may be cut, in this order: texts get shorter, all else goes.
const PARTS: [(&str, &str); 12] = [
    ("sql", "raw"),
    ("sql", "normalized"),
    ("sql", "parameters"),
    ("data", "before"),
    ("data", "after"),
    ("sql", "errorMessage"),
    ("request", "attributes"),
    ("session", "attributes"),
    ("external", "message"),
    ("operation", "access"),
    ("operation", "tablesInvolved"),
    ("operation", "objectName"),
];
/// Room for what says that a part was cut.
const MARK: usize = 64;

/// The event in at most `max` bytes.
///
/// # Errors
/// Says why that cannot be.
pub(super) fn shorten(event: &[u8], max: usize) -> Result<Vec<u8>, String> {
    let mut value: Value = serde_json::from_slice(event).map_err(|error| format!("no JSON: {error}"))?;
    let mut size = event.len();
    for (table, name) in PARTS {
        if size <= max {
            break;
        }
        let Some(was) = cut(&mut value, table, name, size - max + MARK) else { continue };
        mark(&mut value, table, name, was);
        size = encoded(&value).len();
    }
    let shorter = encoded(&value);
    match shorter.len() <= max {
        true => Ok(shorter),
        false => {
            Err(format!("{} bytes, of which {} cannot be cut; {max} are allowed", event.len(), shorter.len()))
        }
    }
}

/// Takes at least so many bytes from a part, or all of it: how large it was.
fn cut(value: &mut Value, table: &str, name: &str, excess: usize) -> Option<usize> {
    let parts = value.get_mut(table)?.as_object_mut()?;
    match parts.get_mut(name)? {
        Value::String(text) => {
            let (was, mut left) = (text.len(), excess);
            let over = |(_, c): &(usize, char)| {
                let more = left > 0;
                left = left.saturating_sub(escaped(*c));
                more
            };
            let end = text.char_indices().rev().take_while(over).last().map_or(was, |(at, _)| at);
            text.truncate(end);
            Some(was)
        }
        _ => parts.remove(name).map(|part| encoded(&part).len()),
    }
}

/// The bytes of a character in JSON, as it is written here.
fn escaped(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' || json::deceives(c) => 6,
        c => c.len_utf8(),
    }
}

fn mark(value: &mut Value, table: &str, name: &str, was: usize) {
    let name = if table == "sql" { name.to_owned() } else { format!("{table}.{name}") };
    let object = || Value::Object(Map::new());
    let truncated = value
        .as_object_mut()
        .and_then(|event| event.entry("sql").or_insert_with(object).as_object_mut())
        .and_then(|sql| sql.entry("truncated").or_insert_with(object).as_object_mut());
    if let Some(truncated) = truncated {
        // What it was before anybody cut it.
        truncated.entry(name).or_insert_with(|| was.into());
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shortened(event: &Value, max: usize) -> Value {
        let short = shorten(event.to_string().as_bytes(), max).unwrap();
        assert!(short.len() <= max);
        serde_json::from_slice(&short).unwrap()
    }

    #[test]
    fn texts_are_cut_where_a_character_ends_and_the_rest_stays() {
        let event = json!({"id": "x", "sql": {"raw": "é\n".repeat(1_000), "outcome": "ok"}});
        let short = shortened(&event, 600);
        let raw = short["sql"]["raw"].as_str().unwrap();
        assert!(raw.len() > 300 && "é\n".repeat(1_000).starts_with(raw), "{short}");
        assert_eq!(short["sql"]["truncated"], json!({"raw": 3_000}));
        assert_eq!((&short["id"], &short["sql"]["outcome"]), (&json!("x"), &json!("ok")));
    }

    #[test]
    fn parts_go_one_by_one_and_what_was_known_of_them_stays() {
        let parameters = vec!["p"; 100];
        let event = json!({
            "sql": {"raw": "r".repeat(400), "parameters": parameters, "truncated": {"raw": 99_999}},
            "request": {"attributes": {"a": "b"}},
        });
        let short = shortened(&event, 250);
        assert_eq!(short["sql"]["truncated"], json!({"raw": 99_999, "parameters": 401}));
        assert_eq!(short["request"], event["request"]);
    }

    #[test]
    fn what_has_nothing_to_cut_is_refused() {
        let event = json!({"meta": {"reason": "r".repeat(400)}});
        assert!(shorten(event.to_string().as_bytes(), 200).unwrap_err().contains("cannot be cut"));
        assert!(shorten(b"{", 0).is_err());
    }
}
