//! SQL of any text through classification, on a stack as large as the audit's.
#![no_main]

use std::thread;

use libfuzzer_sys::fuzz_target;
use panoptes_parser::sql::{classify, classify::STACK_BYTES, split};
use panoptes_parser_fuzz::DIALECTS;

fuzz_target!(|text: &str| {
    let check = || {
        for dialect in DIALECTS {
            for piece in split(text.as_bytes(), dialect) {
                let class = classify(&text[piece], dialect);
                let mut tables = class.tables.iter();
                assert!(class.main_table.is_none_or(|main| tables.any(|access| access.table.eq_ignore_ascii_case(&main))));
            }
        }
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        builder.spawn_scoped(scope, check).expect("a thread").join().expect("no panic");
    });
});
