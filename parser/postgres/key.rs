//! The cancel key: the client is told a secret of ours, so that nobody can cancel around the proxy.
//!
//! BackendKeyData is process id and secret (4 bytes; up to 256 since protocol 3.2). The process id stays: drivers
//! compare it with `pg_backend_pid()`. The secret is replaced byte by byte as it passes, so nothing waits for it.

use crate::wire::{CancelKey, KeyPair};

/// A secret's bytes past these go on as they are: these suffice to keep anyone from guessing.
pub const SECRET_BYTES: usize = 32;

/// The longest body of a BackendKeyData that a client takes: process id, and 256 bytes since protocol 3.2.
pub(super) const MAX_KEY_DATA_BYTES: u64 = 4 + 256;

/// Where the secret begins in a BackendKeyData: behind type, length and process id.
const SECRET_AT: usize = 9;

/// Replaces the secret in the server's bytes, until it has passed.
#[derive(Debug)]
pub(super) struct KeySwap {
    secret: [u8; SECRET_BYTES],
    /// The first bytes of the frame at hand: header, and the process id of a BackendKeyData.
    head: Vec<u8>,
    /// Bytes of the frame at hand that are still to come, once its header is whole.
    missing: Option<u32>,
    ours: Vec<u8>,
    real: Vec<u8>,
}

impl KeySwap {
    /// With what the client will be told.
    pub(super) fn new(secret: [u8; SECRET_BYTES]) -> Self {
        Self { secret, head: Vec::new(), missing: None, ours: Vec::new(), real: Vec::new() }
    }

    /// Goes through a chunk; gives the keys when the secret has passed whole.
    pub(super) fn pass(&mut self, chunk: &mut [u8]) -> Option<KeyPair> {
        let mut pair = None;
        let mut place = 0;
        while let Some(byte) = chunk.get_mut(place) {
            match self.missing {
                // A body of no interest is passed over at once.
                Some(missing) if self.head.first() != Some(&b'K') => {
                    let here = usize::try_from(missing).unwrap_or(usize::MAX).min(chunk.len() - place);
                    place += here;
                    self.count(here);
                    continue;
                }
                Some(_) if self.head.len() >= SECRET_AT => self.swap(byte),
                _ => self.head.push(*byte),
            }
            place += 1;
            if self.missing.is_some() {
                self.count(1);
                if self.missing.is_none() {
                    pair = self.finish().or(pair);
                }
            } else if let [_, length @ ..] = self.head.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.missing = u32::from_be_bytes(length).checked_sub(4).filter(|missing| *missing > 0);
                if self.missing.is_none() {
                    self.head.clear();
                }
            }
        }
        pair
    }

    fn swap(&mut self, byte: &mut u8) {
        self.real.push(*byte);
        if let Some(own) = self.secret.get(self.ours.len()) {
            *byte = *own;
        }
        self.ours.push(*byte);
    }

    fn count(&mut self, bytes: usize) {
        let left = self.missing.and_then(|missing| missing.checked_sub(u32::try_from(bytes).ok()?));
        self.missing = left.filter(|left| *left > 0);
        if self.missing.is_none() && self.head.first() != Some(&b'K') {
            self.head.clear();
        }
    }

    fn finish(&mut self) -> Option<KeyPair> {
        let head = std::mem::take(&mut self.head);
        let pid = u32::from_be_bytes(head.get(5..SECRET_AT)?.try_into().ok()?);
        let ours = CancelKey { pid, secret: std::mem::take(&mut self.ours) };
        Some(KeyPair { ours, real: std::mem::take(&mut self.real) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(secret: usize) -> Vec<u8> {
        let length = u32::try_from(8 + secret).unwrap().to_be_bytes();
        let key = [&b"K"[..], &length, &77_u32.to_be_bytes(), &vec![1; secret]].concat();
        [&b"R\0\0\0\x08\0\0\0\0S\0\0\0\x06K\0"[..], b"1\0\0\0\x04", &key, b"Z\0\0\0\x05I"].concat()
    }

    #[test]
    fn the_secret_is_replaced_wherever_the_stream_is_cut() {
        for secret in [4, 32, 256] {
            let original = stream(secret);
            for cut in 0..=original.len() {
                let (mut swap, mut bytes) = (KeySwap::new([9; SECRET_BYTES]), original.clone());
                let (a, b) = bytes.split_at_mut(cut);
                let first = swap.pass(a);
                let second = swap.pass(b);
                let pair = first.or(second).unwrap();
                assert_eq!((pair.ours.pid, &pair.real), (77, &vec![1; secret]));
                let at = original.len() - 6 - secret;
                assert_eq!(bytes[at..at + secret], pair.ours.secret);
                assert_eq!(pair.ours.secret[..4], [9; 4]);
                bytes[at..at + secret].copy_from_slice(&pair.real);
                assert_eq!(bytes, original, "cut at {cut}");
            }
        }
    }
}
