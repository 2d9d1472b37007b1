//! Shared test fixtures: the membership of a host, and other hosts that it receives heartbeats of.

use std::sync::Arc;
use std::time::Duration;

use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, Holding, Load, Readiness, Revision};
use weft_membership::{BusStatus, HostId, Identity, Membership, TICK_EVERY};

use crate::membership_task::MembershipSnapshot;

/// The host under test.
pub(super) const OWN: HostId = HostId::from_key([1; 32]);
/// Another host.
pub(super) const OTHER: HostId = HostId::from_key([2; 32]);

/// The membership of a host, and its time.
pub(super) struct TestMembership {
    pub(super) own: Membership,
    pub(super) now: Moment,
}

/// A host in one of its incarnations, with a component `shop/cart`.
pub(super) fn host(host: HostId, incarnation: u64) -> Membership {
    let contents = Contents {
        components: vec![Holding {
            component: cart(),
            revision: Revision(1),
            readiness: Readiness::Ready,
        }],
        ..Contents::default()
    };
    let identity = Identity {
        lattice: "test".to_owned(),
        host,
        incarnation,
    };
    Membership::new(identity, contents).unwrap()
}

pub(super) fn cart() -> ComponentId {
    ComponentId {
        app: "shop".parse().unwrap(),
        component: "cart".parse().unwrap(),
    }
}

impl TestMembership {
    /// A host that has just connected.
    pub(super) fn new() -> Self {
        let mut own = host(OWN, 1);
        own.set_contents(Contents::default()).unwrap();
        own.on_bus(Moment::START, BusStatus::Connected);
        Self {
            own,
            now: Moment::START,
        }
    }

    /// Advances time; the `others` send heartbeats meanwhile.
    pub(super) fn advance(&mut self, duration: Duration, others: &mut [Membership]) {
        let end = self.now + duration;
        while self.now < end {
            for other in others.iter_mut() {
                let heartbeat = other.heartbeat(0, Load::default());
                self.own.on_heartbeat(self.now, heartbeat).unwrap();
            }
            self.now = self.now + TICK_EVERY;
            self.own.tick(self.now);
        }
    }

    /// Receives the inventory of a host whose heartbeats were received.
    pub(super) fn receive_inventory(&mut self, other: &Membership) {
        self.own.on_inventory(self.now, other.inventory()).unwrap();
        self.advance(TICK_EVERY, &mut []);
    }

    pub(super) fn snapshot(&self) -> Arc<MembershipSnapshot> {
        Arc::new(MembershipSnapshot {
            view: self.own.view().clone(),
            freeze: self.own.freeze(),
        })
    }
}
