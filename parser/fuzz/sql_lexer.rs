//! SQL of any bytes through all that reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::sql::{effect, fingerprint, normalize, redact, split};
use panoptes_parser_fuzz::DIALECTS;

fuzz_target!(|bytes: &[u8]| {
    for dialect in DIALECTS {
        let length: usize = split(bytes, dialect).map(|statement| statement.len()).sum();
        assert!(length <= bytes.len());
        let text = String::from_utf8_lossy(bytes);
        let mut normalized = String::new();
        normalize(&text, dialect, &mut normalized);
        assert!(normalized.len() <= 3 * text.len());
        fingerprint(&normalized);
        effect(&text, dialect);
        redact(&text, dialect);
    }
});
