//! What was understood of texts, up to so many bytes.

use std::{num::NonZeroUsize, rc::Rc};

use lru::LruCache;

/// What an entry takes beside its texts, roughly.
pub(crate) const ENTRY_BYTES: usize = 256;

/// By text; what was used least recently goes first.
pub(crate) struct Cache<V> {
    entries: LruCache<Box<str>, (Rc<V>, usize)>,
    bytes: usize,
    max_bytes: usize,
}

impl<V> Cache<V> {
    /// Keeps up to `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let most = NonZeroUsize::new(max_bytes / ENTRY_BYTES).unwrap_or(NonZeroUsize::MIN);
        let mut entries = LruCache::unbounded();
        entries.resize(most);
        Self { entries, bytes: 0, max_bytes }
    }

    /// What is known of a text.
    pub(crate) fn find(&mut self, key: &str) -> Option<Rc<V>> {
        self.entries.get(key).map(|(value, _)| Rc::clone(value))
    }

    /// Keeps what is known of a text; `size` is that of both, in bytes.
    pub(crate) fn keep(&mut self, key: Box<str>, value: Rc<V>, size: usize) {
        self.bytes += size;
        if let Some((_, (_, size))) = self.entries.push(key, (value, size)) {
            self.bytes -= size;
        }
        while self.bytes > self.max_bytes {
            let Some((_, (_, size))) = self.entries.pop_lru() else { return };
            self.bytes -= size;
        }
    }

    /// Size of everything that is kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
