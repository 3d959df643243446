//! Both directions in turn: a byte tells the side and how many bytes follow. However they are cut, the same is seen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use panoptes_parser::wire::{Limits, Wire};
use panoptes_parser_fuzz::{Seen, client, limits, server, session};

fuzz_target!(|bytes: &[u8]| {
    for limits in limits() {
        assert_eq!(play(bytes, 1, limits), play(bytes, usize::MAX, limits));
    }
});

fn play(mut bytes: &[u8], piece: usize, limits: Limits) -> Vec<String> {
    let mut seen = Seen::default();
    let mut wire = session(limits, &mut seen);
    let mut heard = [true; 2];
    while let Some((head, rest)) = bytes.split_first() {
        let (run, behind) = rest.split_at(rest.len().min(usize::from(head >> 1)));
        bytes = behind;
        let is_client = head & 1 == 1;
        for chunk in run.chunks(piece) {
            let still = &mut heard[usize::from(is_client)];
            if *still {
                let side = if is_client { client } else { server };
                *still = side(&mut wire, chunk, 1, &mut seen);
            }
        }
    }
    wire.end(1, &mut seen);
    seen.0
}
