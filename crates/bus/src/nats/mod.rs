//! The bus over NATS: connections by lane, each with its inbox.
//!
//! A connection of `async-nats` is one task that reads and writes one socket. What is added here:
//! several of them ([`CALL_CONNECTIONS`] for calls, one for control, one for heartbeats, and one for
//! the stores), a status that is only `Connected` when a message went to the server and came back,
//! answers that fail as soon as the connection is lost, and subscriptions that say what they missed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use self::connection::Connection;
pub(super) use self::dispatch::Dispatcher;
pub use self::store::StoreConnection;
use super::{Bus, FlushError, Lane, Pattern, Scope, Status, Subject, Transport};

mod batch;
mod connection;
mod dispatch;
mod options;
mod send_queue;
mod store;
mod supervisor;

/// How many connections carry calls. One task reads and writes a connection, on one core; two let a
/// large message pass beside small ones.
pub const CALL_CONNECTIONS: usize = 2;

/// How often an idle connection is asked for a sign of life. The third that stays unanswered ends the
/// connection: three seconds, as long as it takes for a host to count as dead.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);

/// How long an attempt to connect may take. Across continents, TLS included, it takes one second.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// The longest pause between attempts to connect. With it, and the time of an attempt, a host is back
/// within two seconds of its server.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long [`Bus::close`] waits for the tasks of the connections, none of which waits for anyone.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Where the servers are and how a host shows them who it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NatsOptions {
    /// `nats://host:port` or `tls://host:port`, each of one cluster or supercluster. Others that the
    /// servers tell of are used as well.
    pub servers: Vec<String>,
    /// A credentials file, as `nsc` makes it.
    pub creds: Option<PathBuf>,
    /// The seed of an nkey (`SU…`).
    pub nkey: Option<String>,
    /// TLS, if it is asked for; `tls://` asks for it with the machine's own roots.
    pub tls: Option<TlsOptions>,
    /// What the servers call this host in their lists of connections.
    pub name: String,
}

/// How a connection is made with TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM with the authorities that sign servers, beside the machine's own.
    pub ca: Option<PathBuf>,
    /// PEM with the certificate of this host and its key, if the servers ask for one.
    pub identity: Option<TlsIdentity>,
}

/// The certificate that a host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM with the certificate, and those that lead to its authority.
    pub cert: PathBuf,
    /// PEM with its key.
    pub key: PathBuf,
}

/// Why a bus over NATS could not be set up. A server that is away is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// There is no server.
    #[error("expected the address of at least one NATS server, found none")]
    NoServer,
    /// A server's address is none.
    #[error("expected the address of a NATS server as `nats://host:port`, found `{server}`")]
    Server {
        /// What was given.
        server: String,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// Credentials and an nkey were given; a host has one of them.
    #[error("expected credentials or an nkey for NATS, found both")]
    TwoIdentities,
    /// A file does not read.
    #[error("cannot read {what} for NATS from `{path}`")]
    File {
        /// `credentials`, `a certificate`, …
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said, or what is wrong with the content.
        #[source]
        source: std::io::Error,
    },
    /// The client refused the options.
    #[error("cannot set up a connection to NATS")]
    Client(#[source] async_nats::ConnectError),
}

/// The connections of one host, shared by its handles. They end when the last handle is dropped, or
/// by [`Bus::close`].
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    scope: Scope,
    calls: LaneConnections,
    control: LaneConnections,
    heartbeats: LaneConnections,
    store: StoreConnection,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// The connections of a lane.
struct LaneConnections {
    connections: Vec<Connection>,
    status: watch::Receiver<Status>,
    turn: AtomicUsize,
}

/// Sets the bus of a lattice up over NATS. This returns at once, whether a server is there or not;
/// [`Bus::status`] tells.
///
/// The handle is for [`Lane::Control`]. It has to be made within a tokio runtime, which it then uses.
///
/// Dropping the future leaves nothing behind.
///
/// # Errors
/// A [`NatsError`] if the options cannot be used.
pub async fn connect(scope: Scope, options: &NatsOptions) -> Result<Bus, NatsError> {
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    let stop_on_drop = stopping.clone().drop_guard();
    let open = |purpose: &'static str| {
        Connection::open(scope.clone(), options, purpose, &tasks, stopping.clone())
    };
    let mut calls = Vec::with_capacity(CALL_CONNECTIONS);
    for _ in 0..CALL_CONNECTIONS {
        calls.push(open("calls").await?);
    }
    let control = vec![open("control").await?];
    let heartbeats = vec![open("heartbeats").await?];
    let store = StoreConnection::open(scope.clone(), options, "store", &tasks).await?;
    let of_lane = |connections| LaneConnections::new(connections, &tasks, &stopping);
    let shared = Shared {
        calls: of_lane(calls),
        control: of_lane(control),
        heartbeats: of_lane(heartbeats),
        store,
        scope,
        tasks: tasks.clone(),
        stopping,
        _stop_on_drop: stop_on_drop,
    };
    Ok(Bus {
        lane: Lane::Control,
        transport: Transport::Nats(Connections {
            shared: Arc::new(shared),
        }),
    })
}

impl Connections {
    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    /// The connection of a pattern in a lane.
    pub(super) fn for_pattern(&self, lane: Lane, pattern: &Pattern) -> &Connection {
        let group = self.lane(lane);
        &group.connections[hash(pattern.as_str()) % group.connections.len()]
    }

    /// The connection that a subject has in a lane: always the same, which keeps its messages in order. All
    /// answers to one inbox have one, so that they may go together.
    pub(super) fn for_subject(&self, lane: Lane, subject: &Subject) -> &Connection {
        let group = self.lane(lane);
        let recipient = subject
            .as_answer()
            .map_or(subject.as_str(), |(inbox, _)| inbox);
        &group.connections[hash(recipient) % group.connections.len()]
    }

    /// The connection for a request, or one that is up if that one is not. Small ones to one subject have one,
    /// so that they may go together, and large ones take turns.
    pub(super) fn for_request(&self, lane: Lane, subject: &Subject, size: usize) -> &Connection {
        let group = self.lane(lane);
        let count = group.connections.len();
        let turn = if size <= batch::BATCHED_BYTES_MAX {
            hash(subject.as_str()) % count
        } else {
            group.turn.fetch_add(1, Ordering::Relaxed) % count
        };
        let by_turn = (0..count).map(|step| &group.connections[(turn + step) % count]);
        by_turn
            .clone()
            .find(|connection| connection.is_connected())
            .unwrap_or(&group.connections[turn])
    }

    pub(super) async fn flush(&self, lane: Lane) -> Result<(), FlushError> {
        for connection in &self.lane(lane).connections {
            connection.confirm().await?;
        }
        Ok(())
    }

    pub(super) fn max_payload(&self, lane: Lane) -> usize {
        let connections = self.lane(lane).connections.iter();
        connections.map(Connection::max_payload).min().unwrap_or(0)
    }

    pub(super) fn status(&self, lane: Lane) -> watch::Receiver<Status> {
        self.lane(lane).status.clone()
    }

    pub(super) async fn close(&self) {
        self.shared.stopping.cancel();
        self.shared.store.stopping().cancel();
        self.shared.tasks.close();
        if timeout(CLOSE_WAIT_MAX, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("the connections to NATS did not end in time");
        }
    }

    /// The connection of the stores, which stays as long as one of them is used.
    pub fn store(&self) -> &StoreConnection {
        &self.shared.store
    }

    fn lane(&self, lane: Lane) -> &LaneConnections {
        match lane {
            Lane::Calls => &self.shared.calls,
            Lane::Control => &self.shared.control,
            Lane::Heartbeats => &self.shared.heartbeats,
        }
    }
}

impl LaneConnections {
    fn new(
        connections: Vec<Connection>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Self {
        let each = connections.iter().map(Connection::status).collect();
        Self {
            status: supervisor::combined_status(each, tasks, stopping),
            connections,
            turn: AtomicUsize::new(0),
        }
    }
}

/// Spreads subjects over a handful of connections, eight bytes at a time: each request asks for it.
fn hash(text: &str) -> usize {
    let mixed = text.as_bytes().chunks(8).fold(0_u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95)
    });
    (mixed >> 32) as usize
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the seed, and no password that stands in an address.
        formatter
            .debug_struct("NatsOptions")
            .field("name", &self.name)
            .field("creds", &self.creds)
            .field("has_nkey", &self.nkey.is_some())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connections")
            .field("scope", &self.shared.scope)
            .finish_non_exhaustive()
    }
}
