//! Each kind of event in each format, as `golden/<kind>.<format>.json` shows it. `PANOPTES_BLESS=1` writes them anew.

use std::{fs, path::Path};

use panoptes_config::Format;

use super::*;

const EVENTS: [(&str, &str); 6] = [
    ("statement", include_str!("golden/statement.native.json")),
    ("intent", include_str!("golden/intent.native.json")),
    ("refused", include_str!("golden/refused.native.json")),
    ("login", include_str!("golden/login.native.json")),
    ("grant", include_str!("golden/grant.native.json")),
    ("gap", include_str!("golden/gap.native.json")),
];

fn told(format: Format, json: &str) -> Result<String, String> {
    let mut out = Vec::new();
    write(format, &Record { seq: 1, unix_micros: 0, json: json.trim_end().as_bytes() }, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn each_format_is_as_its_golden_files_show_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("format/golden");
    for (name, event) in EVENTS {
        for (format, extension) in
            [(Format::Ecs, "ecs"), (Format::Ocsf, "ocsf"), (Format::Cloudevents, "cloudevents")]
        {
            let told = told(format, event).unwrap();
            assert!(!told.contains('\n'));
            let value: serde_json::Value = serde_json::from_str(&told).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap() + "\n";
            let file = folder.join(format!("{name}.{extension}.json"));
            if std::env::var_os("PANOPTES_BLESS").is_some() {
                fs::write(&file, &pretty).unwrap();
            }
            assert_eq!(pretty, fs::read_to_string(&file).unwrap(), "{}", file.display());
        }
        assert_eq!(told(Format::Native, event).unwrap(), event.trim_end());
    }
}

#[test]
fn what_is_no_event_is_refused_with_the_reason_and_leaves_nothing() {
    let mut out = b"before".to_vec();
    let record = Record { seq: 1, unix_micros: 0, json: br#"{"id":"x"}"# };
    let reason = write(Format::Ecs, &record, &mut out).unwrap_err();
    assert!(reason.starts_with("cannot be told in ECS: not an event that this version knows: "), "{reason}");
    assert_eq!(out, b"before");
}

/// Every leaf of an event, with the path that leads to it.
fn leaves(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => members.values().for_each(|member| leaves(member, out)),
        serde_json::Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        leaf => out.push(leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned)),
    }
}

fn session_less(event: &mut serde_json::Value, member: &str) -> Option<serde_json::Value> {
    event.get_mut("session")?.as_object_mut()?.remove(member)
}

#[test]
fn nothing_of_an_event_is_lost_in_any_format() {
    // Told in other units or words.
    let elsewhere = ["durationMs", "timestampUnix", "date", "time", "timestamp"];
    for (name, event) in EVENTS {
        let mut native: serde_json::Value = serde_json::from_str(event).unwrap();
        let meta = native["meta"].as_object_mut().unwrap();
        meta.retain(|member, _| !elsewhere.contains(&member.as_str()));
        let client = session_less(&mut native, "client");
        let tls = session_less(&mut native, "tls");
        let mut expected = Vec::new();
        leaves(&native, &mut expected);
        for format in [Format::Ecs, Format::Ocsf, Format::Cloudevents] {
            let text = told(format, event).unwrap();
            let mut found = Vec::new();
            leaves(&serde_json::from_str(&text).unwrap(), &mut found);
            let lost: Vec<_> = expected.iter().filter(|leaf| !found.contains(leaf)).collect();
            assert!(lost.is_empty(), "{name} in {format:?}: {lost:?}");
            let address = client
                .as_ref()
                .map(|client| client.as_str().unwrap().parse::<std::net::SocketAddr>().unwrap().ip());
            assert!(
                address.is_none_or(|address| text.contains(&address.to_string())),
                "{name} in {format:?}"
            );
            assert!(tls.is_none() || text.contains("1.3"), "{name} in {format:?}");
        }
    }
}
