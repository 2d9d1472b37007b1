//! The bus over NATS: connections by lane, each with its inbox.
//!
//! A connection of `async-nats` is one task that reads and writes one socket. This module adds:
//! several connections ([`CALL_CONNECTIONS`] for calls, and one each for control, heartbeats and
//! JetStream), a status that is `Connected` only after a round trip to the server, requests that
//! fail as soon as the connection is lost, and subscriptions that mark missing messages.

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
pub use self::jetstream::JetStreamConnection;
use super::{Bus, FlushError, Lane, Pattern, Scope, Status, Subject, Transport};

mod batch;
mod connection;
mod dispatch;
mod jetstream;
mod options;
mod send_queue;
mod supervisor;

/// Number of connections for calls. One task, on one core, reads and writes a connection; with two
/// a large message does not block small ones.
pub const CALL_CONNECTIONS: usize = 2;

/// Interval of pings on an idle connection. The third unanswered one ends the connection: after
/// three seconds, the time after which a silent host counts as dead.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit of an attempt to connect. Across continents, TLS included, connecting takes one
/// second.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// Longest pause between attempts to connect. Together with the time of an attempt, a host is back
/// within two seconds of its server.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Time limit of [`Bus::close`] for the tasks of the connections, which never block.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Addresses of the servers, and the identity that a host presents to them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NatsOptions {
    /// `nats://host:port` or `tls://host:port`, all of one cluster or supercluster. Further servers
    /// that these announce are used as well.
    pub servers: Vec<String>,
    /// A credentials file, as written by `nsc`.
    pub creds: Option<PathBuf>,
    /// The seed of an nkey (`SU…`).
    pub nkey: Option<String>,
    /// TLS settings; a `tls://` address alone uses the system's root certificates.
    pub tls: Option<TlsOptions>,
    /// The name of this host in the servers' connection lists.
    pub name: String,
}

/// TLS settings of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of authorities trusted in addition to the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of this host's certificate and key, for servers that require one.
    pub identity: Option<TlsIdentity>,
}

/// The client certificate of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM file with the certificate and its intermediates.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// The reason why a bus over NATS cannot be set up. An unavailable server is not an error.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The list of servers is empty.
    #[error("missing address of a NATS server: expected at least one `nats://host:port`")]
    NoServer,
    /// A server's address is malformed.
    #[error("invalid address of a NATS server `{server}`: expected `nats://host:port`")]
    Server {
        /// The address, without a password.
        server: String,
        /// The parse error.
        #[source]
        source: std::io::Error,
    },
    /// Both credentials and an nkey were given; a host uses one of them.
    #[error("both credentials and an nkey are set for NATS: remove one of them")]
    TwoIdentities,
    /// A file is not readable.
    #[error("cannot read {what} for NATS from `{path}`")]
    File {
        /// The kind of file: `credentials`, `a certificate`, …
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system, or of parsing the file.
        #[source]
        source: std::io::Error,
    },
    /// The client rejected the options.
    #[error("cannot set up the connection to NATS")]
    Client(#[source] async_nats::ConnectError),
}

/// The connections of one host, shared by its handles. They close when the last handle is dropped,
/// or with [`Bus::close`].
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    scope: Scope,
    calls: LaneConnections,
    control: LaneConnections,
    heartbeats: LaneConnections,
    jetstream: JetStreamConnection,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// The connections of one lane.
struct LaneConnections {
    connections: Vec<Connection>,
    status: watch::Receiver<Status>,
    turn: AtomicUsize,
}

/// Sets up the bus of a lattice over NATS. Returns at once, whether a server is available or not;
/// [`Bus::status`] reports the connection.
///
/// The handle is for [`Lane::Control`]. Call this within a tokio runtime, which then runs the
/// connections.
///
/// Dropping the future leaves nothing behind.
///
/// # Errors
/// A [`NatsError`] if the options are invalid.
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
    let jetstream = JetStreamConnection::open(scope.clone(), options, "store", &tasks).await?;
    let of_lane = |connections| LaneConnections::new(connections, &tasks, &stopping);
    let shared = Shared {
        calls: of_lane(calls),
        control: of_lane(control),
        heartbeats: of_lane(heartbeats),
        jetstream,
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
    /// The lattice of these connections.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    /// The connection for a pattern in a lane.
    pub(super) fn for_pattern(&self, lane: Lane, pattern: &Pattern) -> &Connection {
        let group = self.lane(lane);
        &group.connections[hash(pattern.as_str()) % group.connections.len()]
    }

    /// The connection for a subject in a lane: always the same one, to keep messages in order. All
    /// replies to one inbox share a connection, so that they can be batched.
    pub(super) fn for_subject(&self, lane: Lane, subject: &Subject) -> &Connection {
        let group = self.lane(lane);
        let recipient = subject
            .as_answer()
            .map_or(subject.as_str(), |(inbox, _)| inbox);
        &group.connections[hash(recipient) % group.connections.len()]
    }

    /// The connection for a request, or another one of the lane that is up. Small requests to one
    /// subject share a connection, so that they can be batched; large ones rotate.
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
        self.shared.jetstream.stopping().cancel();
        self.shared.tasks.close();
        if timeout(CLOSE_WAIT_MAX, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("NATS connections did not close within the time limit");
        }
    }

    /// The connection for JetStream, for the buckets of `weft-state`. It stays open while one of
    /// them is in use.
    #[must_use]
    pub fn jetstream(&self) -> &JetStreamConnection {
        &self.shared.jetstream
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

/// Spreads subjects over a few connections, eight bytes at a time because every request needs it.
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
        // Without the seed, and without the server addresses, which may contain passwords.
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
