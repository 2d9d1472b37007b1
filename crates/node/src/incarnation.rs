//! The incarnation of this host's process: which one it has, and whether another process has the
//! identity of the host ([ADR 16](../../../docs/adr/0016-one-process-of-each-identity.md)).
//!
//! - A start requests a sign of a process with its identity from the lattice
//!   ([`running_process`]).
//! - A host that was restored from an older disk has an incarnation that other hosts ignore. They
//!   send it the last heartbeat that they know, and [`IncarnationTask`] takes a larger one.
//! - A process that receives heartbeats of a later incarnation of its own identity is superseded,
//!   and ends ([`Joined::superseded`](crate::Joined::superseded)).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use weft_bus::{Bus, RequestError};
use weft_membership::message::{InventoryRequest, Message, Origin};
use weft_state::blocking;

use crate::call_servers::CallServers;
use crate::environment::Environment;
use crate::host_tasks::HostTasks;
use crate::identity::{StoreIncarnation, incarnation_after};
use crate::subjects::Subjects;

/// The longest wait of a start for the bus, before it requests a sign of another process: a server
/// in reach accepts a connection in less. A host that starts without a bus joins anyway.
const BUS_WAIT_MAX: Duration = Duration::from_secs(1);

/// The longest wait for the answer of another process. A process that hangs, or is cut off, does
/// not answer, and is superseded when it is back.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(500);

/// The time for which calls to an earlier incarnation of this process are still served: messages to
/// it are on their way, and channels are open.
const LINGER: Duration = Duration::from_secs(10);

/// Another process with the identity of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunningProcess {
    /// The display name of the host, as the process publishes it.
    pub(super) name: String,
    pub(super) incarnation: u64,
}

/// Requests the inventory of this host's identity, before this process serves such requests itself.
/// `None` if no process answers, or the bus is unavailable.
pub(super) async fn running_process(
    bus: &Bus,
    subjects: &Subjects,
    origin: Origin,
) -> Option<RunningProcess> {
    let mut status = bus.status();
    let connected = status.wait_for(weft_bus::Status::is_connected);
    let is_connected = matches!(timeout(BUS_WAIT_MAX, connected).await, Ok(Ok(_)));
    if !is_connected {
        return None;
    }
    let subject = subjects.inventory_requests_of(origin.host)?;
    let lattice = bus.scope().lattice().to_owned();
    let request = Message::InventoryRequest(InventoryRequest { origin });
    let request = request.encode(&lattice).ok()?;
    let answer = bus.request(&subject, request.into(), Instant::now() + ANSWER_WAIT_MAX);
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(RequestError::NoResponders { .. }) => return None,
        Err(error) => {
            tracing::warn!(%error, "a process with this host's identity may run, and does not answer");
            return None;
        }
    };
    match Message::decode(&answer, &lattice) {
        Ok(Message::Inventory(inventory)) if inventory.origin.host == origin.host => {
            Some(RunningProcess {
                name: inventory.contents.name.clone(),
                incarnation: inventory.origin.incarnation,
            })
        }
        _ => {
            tracing::warn!("ignored a malformed answer to the request for this host's identity");
            None
        }
    }
}

/// Takes a larger incarnation when other hosts know a later one.
pub(super) struct IncarnationTask {
    /// The latest incarnation of this host that another host knows.
    pub(super) outdated_by: watch::Receiver<u64>,
    /// The incarnation of this process, which the membership task follows.
    pub(super) current: watch::Sender<u64>,
    pub(super) store: Option<StoreIncarnation>,
    pub(super) call_servers: CallServers,
    /// Ends the servers of the current incarnation.
    pub(super) serving: CancellationToken,
    pub(super) tasks: HostTasks,
    pub(super) environment: Environment,
}

impl IncarnationTask {
    /// Follows the incarnations that other hosts know, until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let changed = stop.run_until_cancelled(self.outdated_by.changed()).await;
            if !matches!(changed, Some(Ok(()))) {
                return;
            }
            let known = *self.outdated_by.borrow_and_update();
            let Some(next) = self.next(known) else {
                tracing::error!(
                    known,
                    "other hosts know the largest incarnation of this host"
                );
                continue;
            };
            self.store(next).await;
            // Before any host receives the incarnation.
            let former = std::mem::replace(&mut self.serving, stop.child_token());
            self.call_servers.start(next, &self.serving).await;
            self.current.send_replace(next);
            let stop = stop.clone();
            self.tasks.spawn(async move {
                stop.run_until_cancelled(sleep(LINGER)).await;
                former.cancel();
            });
            tracing::warn!(
                known,
                incarnation = next,
                "the incarnation of this host went back, as after a restore from a backup; it \
                 continues with a larger one"
            );
        }
    }

    fn next(&self, known: u64) -> Option<u64> {
        let last = known.max(*self.current.borrow());
        incarnation_after(last, self.environment.seed())
    }

    async fn store(&self, incarnation: u64) {
        let Some(store) = self.store.clone() else {
            return;
        };
        let stored = blocking::run(move || store(incarnation)).await;
        if let Ok(Err(error)) = stored {
            // The next start is refuted again.
            tracing::error!(%error, "cannot store the incarnation of this host");
        }
    }
}
