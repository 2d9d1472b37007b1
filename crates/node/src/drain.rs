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

use crate::cluster_view::Picture;
use crate::inventory_publisher::holdings;
use crate::membership_task::Known;
use crate::mesh::Joined;

/// How long another host may take for what is passed on to it: it writes a file, or looks at what it runs.
const ASK_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long it may take until the host counts itself as draining: a few of its looks at the lattice.
const COUNT_WAIT_MAX: Duration = TICK_EVERY.saturating_mul(8);

impl Joined {
    /// What this host knows of the lattice now.
    pub(crate) fn picture(&self) -> Picture {
        Picture {
            copy: self.followed.borrow().clone(),
            known: self.known.borrow().clone(),
            local_stores: self.local_stores.clone(),
        }
    }

    /// What the host says of itself.
    pub fn state(&self) -> HostState {
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
    pub fn work(&self) {
        self.state.send_if_modified(|state| {
            let changes = *state != HostState::Ready;
            *state = HostState::Ready;
            changes
        });
    }

    /// Waits until the host counts itself as draining or not, which it does at its next look at the lattice.
    pub(crate) async fn drain_counts(&self, drains: bool) {
        let mut known = self.known.clone();
        let counted = known.wait_for(|known| is_draining(known, self.me) == drains);
        // Late is no failure: the host has said it.
        let _ = timeout(COUNT_WAIT_MAX, counted).await;
    }

    /// Waits, for so long at most, until what this host ran is ready where it went. Says whether it is. What
    /// no other host may run stays, and is not waited for; while the host hears nobody, nothing is.
    pub async fn hand_over(&self, wait_max: Duration) -> bool {
        let (mut known, mut followed) = (self.known.clone(), self.followed.clone());
        let mut snapshots = self.deploying.controller.watch();
        let handing_over = async {
            loop {
                if known.borrow_and_update().freeze.is_some() || self.has_handed_over() {
                    return;
                }
                snapshots.borrow_and_update();
                followed.borrow_and_update();
                tokio::select! {
                    Ok(()) = known.changed() => {}
                    Ok(()) = snapshots.changed() => {}
                    Ok(()) = followed.changed() => {}
                    else => return,
                }
            }
        };
        timeout(wait_max, handing_over).await.is_ok()
    }

    /// Whether nothing runs here that is to run elsewhere, as far as this host has heard that it drains.
    fn has_handed_over(&self) -> bool {
        let picture = self.picture();
        if !is_draining(&picture.known, self.me) {
            return false;
        }
        let assignments = picture.plan().assignments;
        let runs = holdings(&self.deploying.controller.snapshot());
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
    pub(crate) async fn ask(&self, host: HostId, request: Request) -> Result<Answer, AskError> {
        bus_rpc::ask(&self.bus(), host, request, Instant::now() + ASK_WAIT_MAX).await
    }

    /// What others ask of this host, and where they seek one.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the subjects.
    pub(crate) async fn control(&self) -> Result<(Subscription, Subscription), SubjectError> {
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

fn is_draining(known: &Arc<Known>, me: HostId) -> bool {
    let own = known.view.host(me);
    own.is_some_and(|own| own.state == HostState::Draining)
}
