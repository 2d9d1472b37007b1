//! The connection of stores: JetStream's own subjects are spoken on it, and it is no lane of the bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::{NatsError, NatsOptions};
use crate::{Scope, Status};

/// A connection to servers whose JetStream is used, remade for ever. A cheap handle; the connection ends
/// when the last one is dropped.
///
/// A bus has one for the lattice's own buckets. What components store goes over another one
/// ([`StoreConnection::connect`]), so that it does not delay the desired state.
#[derive(Clone)]
pub struct StoreConnection {
    shared: Arc<Shared>,
}

struct Shared {
    scope: Scope,
    connection: Connection,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl StoreConnection {
    /// A connection of its own, which is told apart in the servers' lists by `purpose`. Its answers come
    /// to subjects of the lattice. This returns at once, whether a server is there or not.
    ///
    /// It has to be made within a tokio runtime, which it then uses. Dropping the future leaves nothing
    /// behind.
    ///
    /// # Errors
    /// A [`NatsError`] if the options cannot be used.
    pub async fn connect(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
    ) -> Result<Self, NatsError> {
        Self::open(scope, options, purpose, &TaskTracker::new()).await
    }

    pub(super) async fn open(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
        tasks: &TaskTracker,
    ) -> Result<Self, NatsError> {
        let stopping = CancellationToken::new();
        let stop_on_drop = stopping.clone().drop_guard();
        let opened = Connection::open(scope.clone(), options, purpose, tasks, stopping.clone());
        let connection = opened.await?;
        Ok(Self {
            shared: Arc::new(Shared {
                scope,
                connection,
                tasks: tasks.clone(),
                stopping,
                _stop_on_drop: stop_on_drop,
            }),
        })
    }

    /// Waits until the connection is up, for as long as `wait`, and says whether it is.
    ///
    /// Dropping the future changes nothing.
    pub async fn connected_within(&self, wait: Duration) -> bool {
        let mut status = self.shared.connection.status();
        let connected = timeout(wait, status.wait_for(Status::is_connected)).await;
        matches!(connected, Ok(Ok(_)))
    }

    pub fn scope(&self) -> &Scope {
        &self.shared.scope
    }

    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Whom the tasks of the stores belong to.
    pub fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    pub fn stopping(&self) -> &CancellationToken {
        &self.shared.stopping
    }
}

impl fmt::Debug for StoreConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreConnection")
            .field("scope", &self.shared.scope)
            .finish_non_exhaustive()
    }
}
