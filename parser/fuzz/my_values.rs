//! The parameters of an execution as JSON: whatever they are, JSON comes of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::{
    mysql::values::{Attributes, BulkParameters, Cell, Parameters, Value, write_head, write_json},
    text::Encoding,
};

fuzz_target!(|input: (u16, bool, Vec<u32>, Vec<u16>, &[u8])| {
    let (declared, named, known, appended, body) = input;
    let mut out = Vec::new();
    let mut write = |kind, value| {
        match value {
            Value::Null => write_json(&mut out, kind, None, &Encoding::UTF8),
            Value::Whole(bytes) => write_json(&mut out, kind, Some(bytes), &Encoding::UTF8),
            Value::Head { bytes, length } => write_head(&mut out, kind, bytes, length, &Encoding::UTF8),
        }
        out.push(b'\n');
    };
    for parameter in Parameters::new(body, declared, named, &known, &appended) {
        write(parameter.kind, parameter.value);
    }
    for parameter in Attributes::new(body) {
        write(parameter.kind, parameter.value);
    }
    for (kind, cell) in BulkParameters::new(body, declared, &known) {
        if let Cell::Value(value) = cell {
            write(kind, value);
        }
    }
    write(declared, Value::Whole(body));
    write(declared, Value::Head { bytes: body, length: u32::MAX });
    for line in std::str::from_utf8(&out).expect("UTF-8").lines() {
        serde_json::from_str::<serde::de::IgnoredAny>(line).expect("JSON");
    }
});
