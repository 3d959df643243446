//! Anything that a server may send, to one question of each kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::{
    postgres::Postgres,
    wire::{Limits, Wire},
};
use panoptes_parser_fuzz::{Ignore, client, server, session};

const ASKED: &[u8] = b"Q\0\0\0\x06q\0P\0\0\0\x08\0q\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0D\0\0\0\x06S\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04\
    C\0\0\0\x06S\0c\0\0\0\x04F\0\0\0\x0a\0\0\0\x01\0\0S\0\0\0\x04Q\0\0\0\x06q\0";

fuzz_target!(|bytes: &[u8]| {
    let mut wire = Postgres::new(Limits::default(), [7; 32]);
    server(&mut wire, bytes, 0, &mut Ignore);
    wire.end(0, &mut Ignore);
    let mut wire = session(Limits::default(), &mut Ignore);
    client(&mut wire, ASKED, 1, &mut Ignore);
    server(&mut wire, bytes, 1, &mut Ignore);
    wire.end(1, &mut Ignore);
});
