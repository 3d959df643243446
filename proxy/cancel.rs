//! Cancel keys of all sessions: what a client was told, and what its server knows.
//!
//! A key is looked up once per cancel request and changed once per session: a lock will do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use panoptes_event::Uuid;
use panoptes_parser::wire::{CancelKey, KeyPair};
use subtle::ConstantTimeEq;

use crate::session::Upstream;

/// Where a cancel request goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The session aimed at.
    pub(crate) session: Uuid,
    /// Its server.
    pub(crate) upstream: Arc<Upstream>,
    /// The key that the server knows.
    pub(crate) key: CancelKey,
}

/// A secret that a client was told, and where it leads.
type Told = (Vec<u8>, Target);

/// The keys of all sessions. Process ids of different servers may be equal: the secret tells them apart.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    by_pid: Mutex<HashMap<u32, Vec<Told>>>,
}

/// Holds a key; it is forgotten with this.
#[derive(Debug)]
pub(crate) struct KeyGuard {
    keys: Arc<Keys>,
    pid: u32,
    session: Uuid,
}

impl Keys {
    /// Remembers a session's key until the guard goes.
    pub(crate) fn insert(
        self: &Arc<Self>,
        pair: KeyPair,
        session: Uuid,
        upstream: Arc<Upstream>,
    ) -> KeyGuard {
        let pid = pair.ours.pid;
        let target = Target { session, upstream, key: CancelKey { pid, secret: pair.real } };
        let mut by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        by_pid.entry(pid).or_default().push((pair.ours.secret, target));
        KeyGuard { keys: Arc::clone(self), pid, session }
    }

    /// The session that a key belongs to. How long it takes tells nothing about the secret.
    pub(crate) fn find(&self, key: &CancelKey) -> Option<Target> {
        let by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for (secret, target) in by_pid.get(&key.pid)? {
            if bool::from(secret.as_slice().ct_eq(&key.secret)) {
                found = Some(target.clone());
            }
        }
        found
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        let mut by_pid = self.keys.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sessions) = by_pid.get_mut(&self.pid) {
            sessions.retain(|(_, target)| target.session != self.session);
            if sessions.is_empty() {
                by_pid.remove(&self.pid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use panoptes_config::Protocol;

    #[test]
    fn equal_process_ids_are_told_apart_and_forgotten_with_their_session() {
        let keys = Arc::new(Keys::default());
        let upstream = Arc::new(Upstream { protocol: Protocol::Postgres, host: "db".into(), port: 5432 });
        let key = |secret: u8| CancelKey { pid: 7, secret: vec![secret; 4] };
        let pair = |secret, real: u8| KeyPair { ours: key(secret), real: vec![real; 4] };
        let one = keys.insert(pair(1, 11), Uuid::from_u128(1), Arc::clone(&upstream));
        let _two = keys.insert(pair(2, 22), Uuid::from_u128(2), upstream);
        let found = keys.find(&key(2)).unwrap();
        assert_eq!((found.session, found.key.secret), (Uuid::from_u128(2), vec![22; 4]));
        assert!(keys.find(&key(3)).is_none());
        assert!(keys.find(&CancelKey { pid: 7, secret: vec![] }).is_none());
        drop(one);
        assert!(keys.find(&key(1)).is_none());
    }
}
