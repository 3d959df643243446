//! The parameters of a Bind as JSON: whatever they are, JSON comes of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::{
    postgres::values::{Parameters, Value, write_head, write_json},
    text::Encoding,
};

fuzz_target!(|input: (u32, bool, &[u8])| {
    let (oid, latin, body) = input;
    let encoding = Encoding::named(if latin { "LATIN1" } else { "UTF8" });
    let mut out = Vec::new();
    // Built-in types have numbers below this: else few would be met.
    for length in [body.len() as u64, u64::MAX] {
        for (format, value) in Parameters::new(body, length) {
            let mut write = |value| write_json(&mut out, oid % 4_096, format, value, &encoding);
            match value {
                Value::Null => write(None),
                Value::Whole(bytes) => write(Some(bytes)),
                Value::Head { bytes, length } => {
                    write_head(&mut out, oid % 4_096, format, bytes, length, &encoding);
                }
            }
            out.push(b'\n');
        }
    }
    for format in [0, 1] {
        write_json(&mut out, oid % 4_096, format, Some(body), &encoding);
        out.push(b'\n');
    }
    for line in std::str::from_utf8(&out).expect("UTF-8").lines() {
        serde_json::from_str::<serde::de::IgnoredAny>(line).expect("JSON");
    }
});
