//! A host that has joined.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_bus::Bus;
use weft_ingress::Readiness;
use weft_lattice_config::{App, AppName};
use weft_membership::message::HostState;
use weft_membership::{HostId, Moment};
use weft_state::desired::DesiredReplica;

use crate::clock::Clock;
use crate::collector::CollectorHandle;
use crate::controller::{DeployError, Deployment};
use crate::desired_writer::{DesiredWriter, Unreadable};
use crate::host_tasks::HostTasks;
use crate::membership_task::MembershipSnapshot;
use crate::reconciler::Decision;

/// A host that has joined. Cheap to clone.
#[derive(Clone)]
pub struct Joined {
    /// The name of the lattice; `None` for a host alone.
    pub(crate) lattice: Option<Arc<str>>,
    pub(crate) me: HostId,
    pub(super) superseded_by: watch::Receiver<Option<u64>>,
    pub(crate) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    /// The desired state, as far as this host has received it.
    pub(crate) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(crate) decision: watch::Receiver<Arc<Decision>>,
    pub(crate) local_stores: Arc<BTreeSet<String>>,
    pub(crate) writer: DesiredWriter,
    pub(crate) state: Arc<watch::Sender<HostState>>,
    /// True once the host may get requests.
    pub(crate) has_started: watch::Receiver<bool>,
    pub(crate) collector: CollectorHandle,
    pub(crate) stop: CancellationToken,
    /// Cancelled once this host has reported that it left.
    pub(crate) left: CancellationToken,
    pub(crate) bus: Bus,
    pub(super) clock: Clock,
    pub(super) tasks: HostTasks,
}

impl Joined {
    /// The membership as of the last tick, now and later.
    #[must_use]
    pub fn membership(&self) -> watch::Receiver<Arc<MembershipSnapshot>> {
        self.membership.clone()
    }

    /// The time by the clock of the membership.
    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// This host's replica of the desired state, now and later.
    #[must_use]
    pub fn replica(&self) -> watch::Receiver<Arc<DesiredReplica>> {
        self.replica.clone()
    }

    /// The last decision of the reconciler, published before the host acts on it.
    #[must_use]
    pub fn decision(&self) -> watch::Receiver<Arc<Decision>> {
        self.decision.clone()
    }

    /// Waits until another process with this host's identity and a later incarnation is heard, and
    /// returns that incarnation. The lattice ignores this process from then on: it has to end.
    pub async fn superseded(&self) -> u64 {
        let mut superseded_by = self.superseded_by.clone();
        let found = superseded_by.wait_for(Option::is_some).await;
        match found.map(|found| *found) {
            Ok(Some(incarnation)) => incarnation,
            // This host is stopping.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Readiness for requests of clients.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        if self.superseded_by.borrow().is_some() {
            return Readiness::Draining;
        }
        match *self.state.borrow() {
            HostState::Draining | HostState::Left => Readiness::Draining,
            // A frozen host serves: its own bus is lost, and often that of all other hosts too.
            HostState::Joining | HostState::Ready | HostState::Frozen => {
                match *self.has_started.borrow() {
                    true => Readiness::Ready,
                    false => Readiness::Starting,
                }
            }
        }
    }

    /// Deploys `app` to the lattice. Dropping the future does not undo the deploy.
    ///
    /// # Errors
    /// Any [`DeployError`]; then nothing is changed.
    pub async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        self.deploy_over(app, Unreadable::Refuse).await
    }

    /// Deploys `app` as [`deploy`](Self::deploy) does, also over a stored record of it that this
    /// version cannot read, because the record is damaged.
    ///
    /// # Errors
    /// Any [`DeployError`]; then nothing is changed.
    pub async fn deploy_over_damage(&self, app: App) -> Result<Deployment, DeployError> {
        self.deploy_over(app, Unreadable::Replace).await
    }

    async fn deploy_over(
        &self,
        app: App,
        unreadable: Unreadable,
    ) -> Result<Deployment, DeployError> {
        let writer = self.writer.clone();
        let deploy = async move { writer.deploy(app, unreadable).await };
        let deploy = self.tasks.spawn(deploy);
        deploy.await.map_err(|_| DeployError::Internal)?
    }

    /// Checks `app` as a deploy does, and returns the changes that a deploy would make.
    ///
    /// # Errors
    /// Any [`DeployError`] of a deploy, but for those of the bucket.
    pub(crate) async fn plan(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.writer.plan(app).await
    }

    /// Removes an app from the lattice. Returns the revision of the removal. Dropping the future
    /// does not undo the removal.
    ///
    /// # Errors
    /// Any [`DeployError`]; then nothing is changed.
    pub async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        let writer = self.writer.clone();
        let undeploy = self.tasks.spawn(async move { writer.undeploy(app).await });
        undeploy.await.map_err(|_| DeployError::Internal)?
    }

    /// The tasks in which guests run.
    pub(crate) fn guest_tasks(&self) -> HostTasks {
        self.tasks.for_guests()
    }

    /// Reports that this host has left, and stops its tasks.
    pub async fn leave(&self) {
        self.stop.cancel();
        // The last heartbeat reports it; if that is lost, other hosts detect the silence.
        self.left.cancelled().await;
        self.bus.close().await;
    }
}
