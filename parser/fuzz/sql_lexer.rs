//! SQL of any bytes through all that reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::sql::{Dialect, effect, fingerprint, normalize, redact, split};

fuzz_target!(|bytes: &[u8]| {
    for dialect in
        [Dialect::POSTGRES, Dialect::MYSQL, Dialect::Postgres { standard_conforming_strings: false }]
    {
        let length: usize = split(bytes, dialect).map(|statement| statement.len()).sum();
        assert!(length <= bytes.len());
        let text = String::from_utf8_lossy(bytes);
        let mut normalized = String::new();
        normalize(&text, dialect, &mut normalized);
        fingerprint(&normalized);
        effect(&text, dialect);
        redact(&text, dialect);
    }
});
