//! What an operator wants of this host: the picture that it has, requests to other hosts, and to give its work
//! to others.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use weft_bus::{Bus, Lane, SubjectError, Subscription};
use weft_control::bus_rpc::{self, Answer, AskError, Request};
use weft_lattice_config::placement;
use weft_membership::message::HostState;
use weft_membership::{HostId, TICK_EVERY};

use crate::cluster_view::ClusterView;
use crate::inventory_publisher::holdings;
use crate::membership_task::MembershipSnapshot;
use crate::mesh::Joined;

/// How long another host may take for what is passed on to it: it writes a file, or looks at what it runs.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long it may take until the host counts itself as draining: a few of its looks at the lattice.
const DRAIN_STATE_WAIT_MAX: Duration = TICK_EVERY.saturating_mul(8);

impl Joined {
    /// What this host knows of the lattice now.
    pub(crate) fn cluster_view(&self) -> ClusterView {
        ClusterView {
            replica: self.replica.borrow().clone(),
            membership: self.membership.borrow().clone(),
            local_stores: self.local_stores.clone(),
        }
    }

    /// What the host says of itself.
    pub(crate) fn state(&self) -> HostState {
        *self.state.borrow()
    }

    /// Says that this host is about to leave: calls go to others, and so does its share.
    pub fn drain(&self) {
        self.state.send_if_modified(|state| {
            let changes = *state != HostState::Draining;
            *state = HostState::Draining;
            changes
        });
    }

    /// Says that this host works, after a drain.
    pub(crate) fn end_drain(&self) {
        self.state.send_if_modified(|state| {
            let changes = *state != HostState::Ready;
            *state = HostState::Ready;
            changes
        });
    }

    /// Waits until the host counts itself as draining or not, which it does at its next look at the lattice.
    pub(crate) async fn wait_for_drain_state(&self, drains: bool) {
        let mut membership = self.membership.clone();
        let reached = membership.wait_for(|membership| is_draining(membership, self.me) == drains);
        // Late is no failure: the host has said it.
        let _ = timeout(DRAIN_STATE_WAIT_MAX, reached).await;
    }

    /// Waits, for so long at most, until what this host ran is ready where it went. Says whether it is. What
    /// no other host may run stays, and is not waited for; while the host hears nobody, nothing is.
    pub async fn hand_over(&self, wait_max: Duration) -> bool {
        let (mut membership, mut replica) = (self.membership.clone(), self.replica.clone());
        let mut snapshots = self.writer.controller.watch();
        let hand_over = async {
            loop {
                if membership.borrow_and_update().freeze.is_some() || self.has_handed_over() {
                    return;
                }
                snapshots.borrow_and_update();
                replica.borrow_and_update();
                tokio::select! {
                    Ok(()) = membership.changed() => {}
                    Ok(()) = snapshots.changed() => {}
                    Ok(()) = replica.changed() => {}
                    else => return,
                }
            }
        };
        timeout(wait_max, hand_over).await.is_ok()
    }

    /// Whether nothing runs here that is to run elsewhere, as far as this host has heard that it drains.
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

    /// Asks another host.
    ///
    /// # Errors
    /// An [`AskError`]; what it refuses is an answer.
    pub(crate) async fn request(&self, host: HostId, request: Request) -> Result<Answer, AskError> {
        bus_rpc::ask(
            &self.bus(),
            host,
            request,
            Instant::now() + REQUEST_WAIT_MAX,
        )
        .await
    }

    /// What others ask of this host, and where they seek one.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the subjects.
    pub(crate) async fn control_subscriptions(
        &self,
    ) -> Result<(Subscription, Subscription), SubjectError> {
        let bus = self.bus();
        let requests = bus_rpc::requests(bus.scope(), self.me)?;
        let seeking = bus_rpc::seeking(bus.scope())?;
        Ok((
            bus.subscribe(&requests).await,
            bus.subscribe(&seeking).await,
        ))
    }

    /// The bus, for what operators ask.
    pub(crate) fn bus(&self) -> Bus {
        self.bus.lane(Lane::Control)
    }
}

fn is_draining(membership: &Arc<MembershipSnapshot>, me: HostId) -> bool {
    let own = membership.view.host(me);
    own.is_some_and(|own| own.state == HostState::Draining)
}
