//! Cancel keys of all sessions: what a client was told, and what its server knows; and whom a KILL aims at.
//!
//! A key is looked up once per cancel request and changed once per session: a lock will do.

use std::{
    collections::{HashMap, VecDeque},
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
///
/// Where the protocol has no secret (MySQL: KILL is a statement), a session is known by its server and number alone. That
/// is asked when the KILL is told, a moment after it was done, so sessions that ended lately are still known.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    by_pid: Mutex<HashMap<u32, Vec<Told>>>,
    ended: Mutex<VecDeque<(u32, Target)>>,
}

/// Sessions without a secret that ended lately and are still known.
const ENDED: usize = 1_024;

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
            if !secret.is_empty() && bool::from(secret.as_slice().ct_eq(&key.secret)) {
                found = Some(target.clone());
            }
        }
        found
    }

    /// The session that a server knows by this number, if it has no secret.
    pub(crate) fn session_of(&self, pid: u32, upstream: &Arc<Upstream>) -> Option<Uuid> {
        let of_server = |target: &Target| Arc::ptr_eq(&target.upstream, upstream);
        let by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let told = by_pid.get(&pid).map_or(&[][..], Vec::as_slice);
        let open = told.iter().find(|(secret, target)| secret.is_empty() && of_server(target));
        if let Some((_, target)) = open {
            return Some(target.session);
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().rev().find(|(known, target)| *known == pid && of_server(target)).map(|(_, t)| t.session)
    }

    /// A session without a secret has ended.
    fn remember(&self, pid: u32, target: Target) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() == ENDED {
            ended.pop_front();
        }
        ended.push_back((pid, target));
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        let mut by_pid = self.keys.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sessions) = by_pid.get_mut(&self.pid) {
            let gone = sessions.extract_if(.., |(_, target)| target.session == self.session);
            gone.filter(|(secret, _)| secret.is_empty())
                .for_each(|(_, target)| self.keys.remember(self.pid, target));
            if sessions.is_empty() {
                by_pid.remove(&self.pid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use panoptes_config::{Mode, Protocol};

    #[test]
    fn equal_process_ids_are_told_apart_and_forgotten_with_their_session() {
        let keys = Arc::new(Keys::default());
        let upstream = Arc::new(Upstream {
            protocol: Protocol::Postgres,
            host: "db".into(),
            port: 5432,
            mode: Mode::Async,
            ansi_quotes: false,
        });
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

    #[test]
    fn without_a_secret_a_session_is_found_by_its_server_even_when_it_has_just_ended() {
        let keys = Arc::new(Keys::default());
        let server = || {
            let (protocol, mode) = (Protocol::Mysql, Mode::Async);
            Arc::new(Upstream { protocol, host: "db".into(), port: 3306, mode, ansi_quotes: false })
        };
        let (one, other) = (server(), server());
        let key = CancelKey { pid: 7, secret: vec![] };
        let pair = KeyPair { ours: key.clone(), real: vec![] };
        let guard = keys.insert(pair, Uuid::from_u128(1), Arc::clone(&one));
        assert_eq!(keys.session_of(7, &one), Some(Uuid::from_u128(1)));
        assert!(keys.session_of(7, &other).is_none() && keys.session_of(8, &one).is_none());
        assert!(keys.find(&key).is_none(), "nobody cancels by a number alone");
        drop(guard);
        assert_eq!(keys.session_of(7, &one), Some(Uuid::from_u128(1)));
    }
}
