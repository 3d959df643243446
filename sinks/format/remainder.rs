//! What a format has no names for: it stands beside the rest, in the native names, so that nothing is lost on the way.

use serde_json::{Map, Value};

/// The event less its id, its number, and those members of sections that were told already.
/// Taken from the JSON itself: what a later version added is kept as well.
pub(super) fn of(json: &[u8], told: &[(&str, &[&str])]) -> Map<String, Value> {
    let Ok(mut rest) = serde_json::from_slice::<Map<String, Value>>(json) else { return Map::new() };
    rest.remove("id");
    rest.remove("seq");
    for (section, names) in told {
        let Some(Value::Object(members)) = rest.get_mut(*section) else { continue };
        members.retain(|name, _| !names.contains(&name.as_str()));
        if members.is_empty() {
            rest.remove(*section);
        }
    }
    rest
}
