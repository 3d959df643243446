//! Intents against their outcomes, and against what the server says that it ran.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the intents of a trail came to.
#[derive(Debug, Default)]
pub struct Intents {
    /// How many there are.
    pub count: usize,
    /// Texts of those without an outcome.
    pub open: Vec<String>,
    /// What must not be, for people.
    pub problems: Vec<String>,
}

/// Pairs intents with the events that name them: each was told before, in the same session, and has one outcome at most.
/// A statement without an intent was refused before there was anything to run.
pub fn pair(events: &[Value]) -> Intents {
    let mut sessions = BTreeMap::<&str, Vec<&Value>>::new();
    let mut seen = BTreeMap::<&str, u64>::new();
    for event in events {
        let id = event["id"].as_str().expect("an id");
        // What a sink gets twice is the same.
        if seen.insert(id, 1).is_none()
            && let Some(session) = event["session"]["id"].as_str()
        {
            sessions.entry(session).or_default().push(event);
        }
    }
    let mut all = Intents::default();
    for mut own in sessions.into_values() {
        own.sort_by_key(|event| event["session"]["seq"].as_u64());
        all.pair_session(&own);
    }
    all
}

impl Intents {
    fn pair_session(&mut self, own: &[&Value]) {
        // In their order, as one outcome may be that of several.
        let mut intents: Vec<(&str, &Value, usize)> = Vec::new();
        for event in own {
            if event["kind"] == "intent" {
                intents.push((event["id"].as_str().expect("an id"), event, 0));
            } else if let Some(id) = event["intentId"].as_str() {
                let count = usize::try_from(event["intentCount"].as_u64().unwrap_or(1)).expect("a count");
                let first = intents.iter().position(|(intent, ..)| *intent == id);
                let met = first.and_then(|first| intents.get_mut(first..first + count));
                let Some(met) = met else {
                    self.problems.push(format!("an outcome of what was not told before: {event}"));
                    continue;
                };
                met.iter_mut().for_each(|(.., outcomes)| *outcomes += 1);
            } else if is_execution(event) {
                self.problems.push(format!("it ran without an intent: {event}"));
            }
        }
        self.count += intents.len();
        for (_, intent, outcomes) in intents {
            match outcomes {
                1 => {}
                0 => self.open.push(text(intent)),
                _ => self.problems.push(format!("{outcomes} outcomes: {intent}")),
            }
        }
    }
}

/// Texts of intents.
pub fn texts(events: &[Value]) -> impl Iterator<Item = String> {
    events.iter().filter(|event| event["kind"] == "intent").map(text)
}

/// Texts of statements of which nobody knows what became, each once.
pub fn lost_outcomes(events: &[Value]) -> Vec<&str> {
    let lost = events.iter().filter(|event| event["sql"]["outcome"] == "lost");
    // What a sink gets twice is the same.
    let by_id: BTreeMap<_, _> =
        lost.map(|event| (event["id"].as_str(), event["sql"]["raw"].as_str())).collect();
    by_id.into_values().flatten().collect()
}

/// The text of an event, or its command.
fn text(event: &Value) -> String {
    let text = event["sql"]["raw"].as_str().or_else(|| event["operation"]["command"].as_str());
    text.unwrap_or_default().to_owned()
}

/// Whether something may have run: what is refused when it is prepared, bound or described never does.
fn is_execution(event: &Value) -> bool {
    let outcome = event["sql"]["outcome"].as_str().unwrap_or_default();
    event["kind"] == "statement" && matches!(outcome, "ok" | "warning" | "cancelled" | "lost")
}
