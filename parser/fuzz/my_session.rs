//! A session of MySQL from its first byte, both directions in turn: a byte tells the side and how many bytes follow.
//! However they are cut, the same is seen, and the same is passed on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::{
    mysql::Mysql,
    wire::{Limits, Wire},
};
use panoptes_parser_fuzz::{Seen, limits};

fuzz_target!(|bytes: &[u8]| {
    for logged_in in [false, true] {
        for limits in limits() {
            assert_eq!(play(bytes, 1, logged_in, limits), play(bytes, usize::MAX, logged_in, limits));
        }
    }
});

/// Of a MySQL that offers everything.
const GREETING: &[u8] = b"\x40\0\0\0\x0a8.4.0\0\x07\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0\
    mysql_native\0";
/// Without plugins and attributes of the connection, with session tracking and attributes of queries.
const RESPONSE: &[u8] = b"\x25\0\0\x01\x01\x82\xc7\x0b\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ana\0\0";
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";

fn play(mut bytes: &[u8], piece: usize, logged_in: bool, limits: Limits) -> (Vec<String>, [Vec<u8>; 2]) {
    let mut seen = Seen::default();
    let mut wire = Mysql::new(limits);
    if logged_in {
        wire.server(&mut GREETING.to_vec(), 0, &mut seen).expect("a greeting");
        wire.client(&mut RESPONSE.to_vec(), 0, &mut seen).expect("a response");
        wire.server(&mut OK.to_vec(), 0, &mut seen).expect("an OK");
        assert!(wire.is_logged_in());
    }
    let mut passed = [Vec::new(), Vec::new()];
    'session: while let Some((head, rest)) = bytes.split_first() {
        let (run, behind) = rest.split_at(rest.len().min(usize::from(head >> 1)));
        bytes = behind;
        let is_client = head & 1 == 1;
        for chunk in run.chunks(piece) {
            let mut chunk = chunk.to_vec();
            let end = if is_client {
                wire.client(&mut chunk, 1, &mut seen)
            } else {
                wire.server(&mut chunk, 1, &mut seen)
            };
            let pass = end.map_or_else(|violation| violation.pass, |()| chunk.len());
            passed[usize::from(is_client)].extend_from_slice(&chunk[..pass]);
            if end.is_err() {
                break 'session;
            }
        }
    }
    wire.end(1, &mut seen);
    (seen.0, passed)
}
