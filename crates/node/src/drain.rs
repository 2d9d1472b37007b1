//! Operations on a host that has joined: its view of the lattice, drains, and requests to other
//! hosts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use weft_bus::{Bus, Lane, RequestError, SubjectError, Subscription};
use weft_control::bus_rpc::{self, Answer, BusRpcError, Request};
use weft_lattice_config::placement;
use weft_membership::message::HostState;
use weft_membership::{HostId, TICK_EVERY};

use crate::bus_return::{REQUEST_PAUSE, is_settling};
use crate::cluster_view::ClusterView;
use crate::inventory_publisher::holdings;
use crate::membership_task::MembershipSnapshot;
use crate::mesh::Joined;

/// The longest wait for a request that is forwarded to another host: it writes a file or reads its
/// state.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest wait until the membership of this host shows the new drain state: a few ticks.
const DRAIN_STATE_WAIT_MAX: Duration = TICK_EVERY.saturating_mul(8);

impl Joined {
    /// The lattice as this host sees it now.
    pub(crate) fn cluster_view(&self) -> ClusterView {
        ClusterView {
            replica: self.replica.borrow().clone(),
            membership: self.membership.borrow().clone(),
            local_stores: self.local_stores.clone(),
        }
    }

    /// The state that this host reports.
    pub(crate) fn state(&self) -> HostState {
        *self.state.borrow()
    }

    /// Reports this host as draining: calls and components go to other hosts.
    pub fn drain(&self) {
        self.state.send_if_modified(|state| {
            let changes = *state != HostState::Draining;
            *state = HostState::Draining;
            changes
        });
    }

    /// Reports this host as ready after a drain.
    pub fn end_drain(&self) {
        self.state.send_if_modified(|state| {
            let changes = *state != HostState::Ready;
            *state = HostState::Ready;
            changes
        });
    }

    /// Waits until the membership of this host shows the drain state, which the next tick updates.
    pub(crate) async fn wait_for_drain_state(&self, drains: bool) {
        let mut membership = self.membership.clone();
        let reached = membership.wait_for(|membership| is_draining(membership, self.me) == drains);
        // A timeout is not a failure: the state is reported.
        let _ = timeout(DRAIN_STATE_WAIT_MAX, reached).await;
    }

    /// Waits, for `wait_max` at most, until the components of this host are ready on other hosts.
    /// Returns whether they are. Components that may run on no other host stay and are not waited
    /// for; a host alone or with a frozen view waits for none.
    pub async fn hand_over(&self, wait_max: Duration) -> bool {
        let (mut membership, mut replica) = (self.membership.clone(), self.replica.clone());
        let mut snapshots = self.writer.controller.watch();
        let hand_over = async {
            loop {
                let is_paused = membership.borrow_and_update().pause.is_some();
                if is_paused || self.lattice.is_none() || self.has_handed_over() {
                    return;
                }
                snapshots.borrow_and_update();
                replica.borrow_and_update();
                tokio::select! {
                    biased;
                    Ok(()) = membership.changed() => {}
                    Ok(()) = snapshots.changed() => {}
                    Ok(()) = replica.changed() => {}
                    else => return,
                }
            }
        };
        timeout(wait_max, hand_over).await.is_ok()
    }

    /// True if the membership shows this host as draining and the placement has no host for any
    /// component that still runs here.
    fn has_handed_over(&self) -> bool {
        let cluster_view = self.cluster_view();
        if !is_draining(&cluster_view.membership, self.me) {
            return false;
        }
        let assignments = cluster_view.plan().assignments;
        let runs = holdings(&self.writer.controller.snapshot());
        runs.iter().all(|holding| {
            let id = placement::ComponentId {
                app: holding.component.app.clone(),
                component: holding.component.component.clone(),
            };
            assignments.get(&id).is_none_or(Vec::is_empty)
        })
    }

    /// Sends a request to another host, again if that is not back on the bus yet.
    ///
    /// # Errors
    /// An [`BusRpcError`]; a refusal of the other host is an answer.
    pub(crate) async fn request(
        &self,
        host: HostId,
        request: Request,
    ) -> Result<Answer, BusRpcError> {
        let (bus, deadline) = (self.bus(), Instant::now() + REQUEST_WAIT_MAX);
        loop {
            let answer = bus_rpc::request(&bus, host, request.clone(), deadline).await;
            let is_absent = matches!(
                answer,
                Err(BusRpcError::Bus(RequestError::NoResponders { .. }))
            );
            if !is_absent || !is_settling(&bus.status().borrow()) {
                return answer;
            }
            sleep(REQUEST_PAUSE).await;
        }
    }

    /// Sends a request that may take long to another host. Returns `None` if the host is lost
    /// before it answers: it has died, or was started again.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(crate) async fn long_request(
        &self,
        host: HostId,
        request: Request,
        deadline: Instant,
    ) -> Result<Option<Answer>, BusRpcError> {
        let mut membership = self.membership.clone();
        let view = membership.borrow_and_update().view.clone();
        let incarnation = view.host(host).map(|host| host.incarnation);
        let is_lost = |membership: &Arc<MembershipSnapshot>| {
            let host = membership.view.host(host);
            host.is_none_or(|host| !host.is_alive() || Some(host.incarnation) != incarnation)
        };
        let bus = self.bus();
        tokio::select! {
            biased;
            answer = bus_rpc::request(&bus, host, request, deadline) => answer.map(Some),
            _ = membership.wait_for(is_lost) => Ok(None),
        }
    }

    /// The subscriptions to requests for this host and to discovery.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the subjects.
    pub(crate) async fn control_subscriptions(
        &self,
    ) -> Result<(Subscription, Subscription), SubjectError> {
        let bus = self.bus();
        let requests = bus_rpc::requests(bus.scope(), self.me)?;
        let discovery = bus_rpc::discovery(bus.scope())?;
        Ok((
            bus.subscribe(&requests).await,
            bus.subscribe(&discovery).await,
        ))
    }

    /// The bus for requests of operators.
    pub(crate) fn bus(&self) -> Bus {
        self.bus.lane(Lane::Control)
    }
}

fn is_draining(membership: &Arc<MembershipSnapshot>, me: HostId) -> bool {
    let own = membership.view.host(me);
    own.is_some_and(|own| own.state == HostState::Draining)
}
