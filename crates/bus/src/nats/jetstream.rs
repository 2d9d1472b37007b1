//! A NATS connection for JetStream. It uses JetStream's own subjects and is not a lane of the bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::RequestError;
use async_nats::jetstream::{self, response::Response};
use serde::de::IgnoredAny;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::attempts::Attempts;
use super::connection::Connection;
use super::{NatsError, NatsOptions};
use crate::{Outage, Scope, Status};

/// The longest wait for the state of the store.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to servers with JetStream, reconnected without a limit on attempts. A cheap handle;
/// the connection closes when the last one is dropped.
///
/// A bus has one for the lattice's own buckets. Data of components goes over another one
/// ([`JetStreamConnection::connect`]), so that it does not delay the desired state.
#[derive(Clone)]
pub struct JetStreamConnection {
    shared: Arc<Shared>,
}

struct Shared {
    scope: Scope,
    domain: Option<String>,
    connection: Connection,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl JetStreamConnection {
    /// Opens a separate connection, listed at the servers under `purpose`. Its replies use subjects
    /// of the lattice. Returns at once, whether a server is available or not.
    ///
    /// Call this within a tokio runtime, which then runs the connection. Dropping the future leaves
    /// nothing behind.
    ///
    /// # Errors
    /// A [`NatsError`] if the options are invalid.
    pub async fn connect(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
    ) -> Result<Self, NatsError> {
        let (attempts, tasks) = (Attempts::default(), TaskTracker::new());
        Self::open(scope, options, purpose, &attempts, &tasks).await
    }

    pub(super) async fn open(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
        attempts: &Attempts,
        tasks: &TaskTracker,
    ) -> Result<Self, NatsError> {
        if let Some(domain) = &options.jetstream_domain {
            check_domain(domain)?;
        }
        let stopping = CancellationToken::new();
        let stop_on_drop = stopping.clone().drop_guard();
        let stop = stopping.clone();
        let opened = Connection::open(scope.clone(), options, purpose, attempts, tasks, stop);
        let connection = opened.await?;
        Ok(Self {
            shared: Arc::new(Shared {
                scope,
                domain: options.jetstream_domain.clone(),
                connection,
                tasks: tasks.clone(),
                stopping,
                _stop_on_drop: stop_on_drop,
            }),
        })
    }

    /// Waits up to `wait` for the connection, and returns whether it is up.
    ///
    /// Dropping the future changes nothing.
    pub async fn connected_within(&self, wait: Duration) -> bool {
        let mut status = self.shared.connection.status();
        let connected = timeout(wait, status.wait_for(Status::is_connected)).await;
        matches!(connected, Ok(Ok(_)))
    }

    /// The reason of the last failed attempt to connect, while disconnected.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        let status = self.shared.connection.status().borrow().clone();
        status.outage().cloned()
    }

    /// The version of the connected server.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.shared.connection.client().server_info().version
    }

    /// Requests the state of the store, once: whether the servers have one for this login.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`StoreError`] if they have none, or do not reply in time.
    pub async fn check_store(&self) -> Result<(), StoreError> {
        let client = self.shared.connection.client().clone();
        let mut context = match &self.shared.domain {
            Some(domain) => jetstream::with_domain(client, domain),
            None => jetstream::new(client),
        };
        context.set_timeout(STORE_TIMEOUT);
        // Servers of each release have other fields of an account, so that none is read.
        match context.request("INFO", "").await {
            Ok(Response::Ok(IgnoredAny)) => Ok(()),
            Ok(Response::Err { error }) => Err(StoreError::Refused(error.to_string())),
            Err(error) => Err(StoreError::NoReply(error)),
        }
    }

    /// The lattice whose subjects carry the replies.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    /// The domain of JetStream, if it is not that of the connected server. For the buckets in
    /// `weft-state`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.shared.domain.as_deref()
    }

    /// The underlying connection. For the buckets in `weft-state`.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// The tracker of the tasks that use it. For `weft-state`.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// Cancelled when the connection closes. For the tasks in `weft-state`.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.shared.stopping
    }
}

/// The reason for which servers store nothing for a login.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A server of the store refused.
    #[error("JetStream is not available: {0}")]
    Refused(String),
    /// No server of the store replied.
    #[error("JetStream is not available: not enabled, in another domain, or not for this login")]
    NoReply(#[source] RequestError),
}

/// Checks that a domain is one token, because it is a part of subjects.
fn check_domain(domain: &str) -> Result<(), NatsError> {
    let is_allowed = |c: char| !c.is_whitespace() && !c.is_control() && !".*>".contains(c);
    if !domain.is_empty() && domain.chars().all(is_allowed) {
        return Ok(());
    }
    let domain = domain.escape_debug().to_string();
    Err(NatsError::Domain { domain })
}

impl fmt::Debug for JetStreamConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JetStreamConnection")
            .field("scope", &self.shared.scope)
            .finish_non_exhaustive()
    }
}
