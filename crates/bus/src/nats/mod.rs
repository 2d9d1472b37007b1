//! The bus over NATS: connections by lane, each with its inbox.
//!
//! A connection of `async-nats` is one task that reads and writes one socket. This module adds:
//! several connections ([`CALL_CONNECTIONS`] for calls, and one each for control, heartbeats and
//! JetStream), a status that is `Connected` only after a round trip to the server, requests that
//! fail as soon as the connection is lost, and subscriptions that mark missing messages.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::context::TokioContext;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::attempts::Attempts;
pub use self::connection::Connection;
pub(super) use self::dispatch::Dispatcher;
pub use self::jetstream::{JetStreamConnection, StoreError};
use self::lane_connections::LaneConnections;
pub use self::login::Login;
use super::{Bus, Lane, Scope, Status, Transport};

mod attempts;
mod batch;
mod connection;
mod dispatch;
mod jetstream;
mod lane_connections;
mod login;
mod options;
mod reconnect_schedule;
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

/// Longest pause between attempts to connect. All that waits for a server is served within a second
/// of its return, and the attempts of a thousand hosts are no load for it.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Time limit of [`Bus::close`] for the tasks of the connections, which never block.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Addresses of the servers, and the identity that a host presents to them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NatsOptions {
    /// `nats://host:port` or `tls://host:port`, all of one cluster or supercluster. Further servers
    /// that these announce are used as well. An address may contain the login:
    /// `nats://user:password@host`, `nats://token@host`.
    pub servers: Vec<String>,
    /// The login, if it is not part of an address.
    pub login: Option<Login>,
    /// TLS settings; a `tls://` address alone uses the system's root certificates.
    pub tls: Option<TlsOptions>,
    /// The domain of the servers with JetStream, for hosts on a leaf node without it; `None` for
    /// the servers that the host connects to.
    pub jetstream_domain: Option<String>,
    /// The name of this host in the servers' connection lists.
    pub name: String,
}

impl NatsOptions {
    /// The addresses for use in a message, without logins.
    #[must_use]
    pub fn shown_servers(&self) -> String {
        let shown = self
            .servers
            .iter()
            .map(|server| login::without_secret(server));
        shown.collect::<Vec<_>>().join(",")
    }

    /// True if the address of a server contains a login.
    #[must_use]
    pub fn has_login_in_address(&self) -> bool {
        self.servers
            .iter()
            .any(|server| login::without_secret(server) != *server)
    }
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
    /// Two different logins were given; a host has one for all servers.
    #[error(
        "two logins are set for NATS, {one} and {other}: give one, as an option or in the address \
         of each server"
    )]
    TwoLogins {
        /// Form of the one login.
        one: &'static str,
        /// Form of the other one.
        other: &'static str,
    },
    /// The seed of an nkey is malformed.
    #[error("invalid seed of an nkey for NATS: expected 58 characters that begin with `SU`")]
    Nkey,
    /// The JetStream domain is not one token of a subject.
    #[error(
        "invalid JetStream domain `{domain}`: expected the `domain` of the server's `jetstream` \
         block, without blanks, `.`, `*` and `>`"
    )]
    Domain {
        /// The domain.
        domain: String,
    },
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
    connect_with_calls_on(&Handle::current(), scope, options).await
}

/// As [`connect`], with the connections for calls on another runtime: that of the guests, whose
/// requests the calls are a part of, while no guest delays the rest of the traffic.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_calls_on(
    calls_runtime: &Handle,
    scope: Scope,
    options: &NatsOptions,
) -> Result<Bus, NatsError> {
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    let stop_on_drop = stopping.clone().drop_guard();
    let attempts = Attempts::default();
    let open = |purpose: &'static str| {
        let stop = stopping.clone();
        Connection::open(scope.clone(), options, purpose, &attempts, &tasks, stop)
    };
    let mut calls = Vec::with_capacity(CALL_CONNECTIONS);
    for _ in 0..CALL_CONNECTIONS {
        // Sockets and tasks belong to the runtime that they are made in.
        calls.push(TokioContext::new(open("calls"), calls_runtime.clone()).await?);
    }
    let control = vec![open("control").await?];
    let heartbeats = vec![open("heartbeats").await?];
    let jetstream =
        JetStreamConnection::open(scope.clone(), options, "store", &attempts, &tasks).await?;
    let of_lane = |connections| LaneConnections::new(connections, &tasks, &stopping);
    let calls = {
        let _entered = calls_runtime.enter();
        of_lane(calls)
    };
    let shared = Shared {
        calls,
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
        beside: None,
    })
}

impl Connections {
    /// The lattice of these connections.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    pub(super) async fn connected(&self, lane: Lane) -> bool {
        let mut status = self.lane(lane).status();
        tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => false,
            connected = status.wait_for(Status::is_connected) => connected.is_ok(),
        }
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

    pub(super) fn lane(&self, lane: Lane) -> &LaneConnections {
        match lane {
            Lane::Calls => &self.shared.calls,
            Lane::Control => &self.shared.control,
            Lane::Heartbeats => &self.shared.heartbeats,
        }
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the server addresses, which may contain passwords.
        formatter
            .debug_struct("NatsOptions")
            .field("name", &self.name)
            .field("login", &self.login)
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
