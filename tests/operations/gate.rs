//! A statement that runs until the test lets it end: it waits for a lock that another session holds.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{postgres::Postgres, raw::Raw};

/// Holds a lock of its own from its making to [`Gate::open`].
pub(crate) struct Gate<'a> {
    server: &'a Postgres,
    holder: Raw,
    number: u32,
}

impl<'a> Gate<'a> {
    pub(crate) fn closed(server: &'a Postgres) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let mut holder = Raw::connect(server.port).expect("a session");
        holder.query(&format!("select pg_advisory_lock({number})")).expect("the lock");
        Self { server, holder, number }
    }

    /// What waits here; one row.
    pub(crate) fn statement(&self) -> String {
        format!("select pg_advisory_xact_lock({})", self.number)
    }

    /// Waits until someone waits here.
    pub(crate) fn wait_until_reached(&self) {
        self.server.wait_until(&format!("exists (select from pg_locks where {})", self.waiting()));
    }

    /// Process id and client port of the backend that waits here.
    pub(crate) fn waiter(&self) -> (u32, u16) {
        let query = format!(
            "select a.pid, a.client_port from pg_locks l join pg_stat_activity a using (pid) where {}",
            self.waiting()
        );
        let row = self.server.sql("gate", &query);
        let (pid, port) = row.trim().split_once('|').expect("a backend waits");
        (pid.parse().expect("a pid"), port.parse().expect("a port"))
    }

    /// Lets it end.
    pub(crate) fn open(mut self) {
        self.holder.query(&format!("select pg_advisory_unlock({})", self.number)).expect("the lock");
    }

    fn waiting(&self) -> String {
        format!("locktype = 'advisory' and objid = {} and not granted", self.number)
    }
}
