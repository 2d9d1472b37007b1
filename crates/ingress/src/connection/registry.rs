//! The open connections of a server, and the choice of those that make room for new ones.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BUSY, Connection};

/// The most connections by default; each costs a task, two buffers and a file descriptor.
pub const CONNECTIONS_MAX: usize = 10_000;

/// The connections beyond the limit, as a divisor of it, while idle ones close for them.
const CLOSING_DIVISOR: usize = 32;

/// Number of idle connections that one search for the oldest finds: a search looks at every
/// connection, and under a flood of connections a new one comes after the other.
const CLOSED_AT_ONCE: usize = 64;

/// The open connections of a server.
pub(crate) struct Connections {
    max: usize,
    open: Mutex<Open>,
    started: Instant,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// A connection that has its place. Dropping it releases the place.
pub(crate) struct Admission {
    connections: Arc<Connections>,
    number: u64,
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    /// A registry for this many connections.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            open: Mutex::default(),
            started: Instant::now(),
        })
    }

    /// Admits a connection; `None` if all others are busy. When the server is full, those that are
    /// idle for the longest time make room.
    pub(crate) fn admit(
        self: &Arc<Self>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Option<Admission> {
        let connection = Arc::new(Connection::new(stop.child_token(), tasks.clone()));
        self.mark_idle(&connection);
        let mut open = self.open();
        let count = open.connections.len();
        if count >= self.max + self.closing_max() {
            return None;
        }
        let closed = CLOSED_AT_ONCE.min(self.closing_max());
        if count >= self.max && !close_oldest(open.connections.values(), closed) {
            return None;
        }
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, connection.clone());
        Some(Admission {
            connections: self.clone(),
            number,
            connection,
        })
    }

    /// The most connections beyond the limit.
    fn closing_max(&self) -> usize {
        (self.max / CLOSING_DIVISOR).max(1)
    }

    /// Marks a connection as idle from now on, unless it is already.
    pub(super) fn mark_idle(&self, connection: &Connection) {
        if connection.idle_since.load(Ordering::Relaxed) == BUSY {
            let since = self.started.elapsed().as_millis();
            let since = u64::try_from(since).unwrap_or(BUSY - 1);
            connection.idle_since.store(since, Ordering::Relaxed);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // The code under the lock does not panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// Marks the connection as idle or busy, as the watch found it.
    pub(super) fn mark(&self, is_idle: bool) {
        if is_idle {
            self.connections.mark_idle(&self.connection);
        } else {
            self.connection.idle_since.store(BUSY, Ordering::Relaxed);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
    }
}

/// Closes those connections that are idle for the longest time. Returns whether there is one that
/// closes or is about to.
fn close_oldest<'a>(connections: impl Iterator<Item = &'a Arc<Connection>>, count: usize) -> bool {
    let mut closing = false;
    let mut idle: Vec<_> = connections
        .filter(|connection| connection.is_idle())
        .filter(|connection| {
            closing |= connection.close.is_cancelled();
            !connection.close.is_cancelled()
        })
        .map(|connection| (connection.idle_since.load(Ordering::Relaxed), connection))
        .collect();
    if closing {
        // An earlier search has made room.
        return true;
    }
    if idle.len() > count {
        idle.select_nth_unstable_by_key(count, |(since, _)| *since);
        idle.truncate(count);
    }
    for (_, connection) in &idle {
        connection.close.cancel();
    }
    !idle.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(idle_since: u64) -> Arc<Connection> {
        let connection = Connection::new(CancellationToken::new(), TaskTracker::new());
        connection.idle_since.store(idle_since, Ordering::Relaxed);
        Arc::new(connection)
    }

    fn is_closed(connections: &[Arc<Connection>]) -> Vec<bool> {
        let closed = connections.iter();
        closed.map(|other| other.close.is_cancelled()).collect()
    }

    #[test]
    fn the_connections_that_are_idle_for_the_longest_time_are_closed() {
        let connections = [30, 10, BUSY, 20].map(connection);
        let busy = connections[2].begin();
        assert!(close_oldest(connections.iter(), 2));
        assert_eq!(is_closed(&connections), [false, true, false, true]);
        drop(busy);
    }

    #[test]
    fn no_connection_is_closed_while_all_are_busy() {
        let connections = [BUSY, BUSY].map(connection);
        let busy: Vec<_> = connections.iter().map(Connection::begin).collect();
        assert!(!close_oldest(connections.iter(), 2));
        assert_eq!(is_closed(&connections), [false, false]);
        drop(busy);
    }

    #[test]
    fn no_more_connections_are_closed_while_some_are_about_to() {
        let connections = [1, 2, 3].map(connection);
        assert!(close_oldest(connections.iter(), 1));
        assert!(close_oldest(connections.iter(), 1));
        assert_eq!(is_closed(&connections), [true, false, false]);
    }

    #[test]
    fn a_full_server_admits_new_connections_in_place_of_idle_ones() {
        let connections = Connections::new(CONNECTIONS_MAX);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut admitted: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| connections.admit(&stop, &tasks).unwrap())
            .collect();
        let newest = connections.admit(&stop, &tasks).unwrap();
        assert!(!newest.connection.close.is_cancelled());
        admitted.retain(|admission| !admission.connection.close.is_cancelled());
        assert_eq!(admitted.len(), CONNECTIONS_MAX - CLOSED_AT_ONCE);
        let busy: Vec<_> = admitted
            .iter()
            .map(|admission| admission.connection.begin())
            .collect();
        let more: Vec<_> = std::iter::from_fn(|| connections.admit(&stop, &tasks))
            .take(2 * connections.closing_max())
            .collect();
        assert!(
            more.len() < 2 * connections.closing_max(),
            "the number is bounded"
        );
        drop(busy);
    }

    #[test]
    fn a_small_server_replaces_idle_connections_one_by_one() {
        let connections = Connections::new(16);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut admitted = Vec::new();
        for _ in 0..50 {
            admitted.push(connections.admit(&stop, &tasks).unwrap());
            admitted.retain(|admission| !admission.connection.close.is_cancelled());
            assert!(admitted.len() <= 16);
        }
    }
}
