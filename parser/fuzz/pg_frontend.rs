//! Anything that a client may send, before the login and after it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::{
    postgres::Postgres,
    wire::{Limits, Opening, Wire},
};
use panoptes_parser_fuzz::{Ignore, client, limits, session};

fuzz_target!(|bytes: &[u8]| {
    let mut wire = Postgres::new(Limits::default(), [7; 32]);
    if wire.open(bytes) == Opening::Dial {
        client(&mut wire, bytes, 0, &mut Ignore);
        wire.end(0, &mut Ignore);
    }
    for limits in limits() {
        let mut wire = session(limits, &mut Ignore);
        client(&mut wire, bytes, 1, &mut Ignore);
        wire.end(1, &mut Ignore);
    }
});
