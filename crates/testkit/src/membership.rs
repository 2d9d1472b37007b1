//! Hosts that talk to a membership under test, without a bus.

use std::time::Duration;

use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, HostState, Load, Readiness, Revision};
use weft_membership::message::{Heartbeat, Holding, Inventory};
use weft_membership::{
    BusStatus, Event, HostId, HostView, Identity, Membership, SETTLE_AFTER_START, TICK_EVERY,
};

pub const LATTICE: &str = "demo";

/// The key of the host under test; others have larger ones.
pub const OWN: u8 = 0;

pub const SECOND: Duration = Duration::from_secs(1);

/// Failures are printed with their input; nothing is kept in files.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

pub fn id(key: u8) -> HostId {
    HostId::from_key([key; 32])
}

pub fn at_ms(milliseconds: u64) -> Moment {
    Moment::after_start(Duration::from_millis(milliseconds))
}

pub fn component(name: &str) -> ComponentId {
    ComponentId {
        app: "shop".parse().expect("a name"),
        component: name.parse().expect("a name"),
    }
}

/// An inventory with these components ready in revision 1.
pub fn contents(labels: &[(&str, &str)], components: &[&str]) -> Contents {
    let mut contents = Contents::default();
    for (name, value) in labels {
        contents.labels.set(name, value).expect("a label");
    }
    contents.components = components.iter().map(|name| holding(name, 1)).collect();
    contents.sorted()
}

pub fn holding(name: &str, revision: u64) -> Holding {
    Holding {
        component: component(name),
        revision: Revision(revision),
        readiness: Readiness::Ready,
    }
}

/// A host that says of itself what the test wants.
pub struct RemoteHost {
    membership: Membership,
    pub load: Load,
    pub sent_ms: u64,
}

impl RemoteHost {
    pub fn new(key: u8) -> Self {
        Self::with(key, 1, Contents::default())
    }

    pub fn with(key: u8, incarnation: u64, contents: Contents) -> Self {
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id(key),
            incarnation,
        };
        let mut membership = Membership::new(identity, contents).expect("within the bounds");
        // Its own bus is there, or it would say that it is frozen.
        membership.on_bus(Moment::START, BusStatus::Connected);
        membership.tick(Moment::START + SETTLE_AFTER_START);
        membership.set_state(HostState::Ready);
        Self {
            membership,
            load: Load::default(),
            sent_ms: 0,
        }
    }

    pub fn set_state(&mut self, state: HostState) {
        self.membership.set_state(state);
    }

    pub fn heartbeat(&mut self) -> Heartbeat {
        self.membership.heartbeat(self.sent_ms, self.load)
    }

    pub fn inventory(&self) -> Inventory {
        self.membership.inventory()
    }

    pub fn change(&mut self, contents: Contents) -> Inventory {
        let news = self.membership.set_contents(contents);
        news.expect("within the bounds").expect("it is news")
    }
}

/// A membership under test, with its clock.
pub struct LocalHost {
    pub membership: Membership,
    pub now: Moment,
    pub events: Vec<Event>,
}

impl LocalHost {
    /// One that follows what it hears.
    pub fn settled() -> Self {
        let mut local = Self::unconnected(Contents::default());
        local.connect();
        local.run(SETTLE_AFTER_START);
        local.events.clear();
        local
    }

    pub fn unconnected(contents: Contents) -> Self {
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id(OWN),
            incarnation: 5,
        };
        let membership = Membership::new(identity, contents).expect("within the bounds");
        Self {
            membership,
            now: Moment::START,
            events: Vec::new(),
        }
    }

    pub fn connect(&mut self) {
        self.membership.on_bus(self.now, BusStatus::Connected);
        self.tick();
    }

    pub fn disconnect(&mut self) {
        self.membership.on_bus(self.now, BusStatus::Disconnected);
        self.tick();
    }

    pub fn tick(&mut self) {
        self.events.extend(self.membership.tick(self.now));
    }

    /// Lets time pass, with the ticks that are due.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + TICK_EVERY);
            self.tick();
        }
    }

    /// Lets time pass while these hosts send their heartbeats, each second.
    pub fn run_with(&mut self, senders: &mut [&mut RemoteHost], seconds: u64) {
        for _ in 0..seconds {
            for sender in senders.iter_mut() {
                self.receive_heartbeat(sender);
            }
            self.run(SECOND);
        }
    }

    /// Hears a heartbeat, and draws the conclusions.
    pub fn receive_heartbeat(&mut self, sender: &mut RemoteHost) {
        let heartbeat = sender.heartbeat();
        let taken = self.membership.on_heartbeat(self.now, heartbeat);
        taken.expect("it is news");
        self.tick();
    }

    pub fn receive_inventory(&mut self, inventory: Inventory) {
        let taken = self.membership.on_inventory(self.now, inventory);
        taken.expect("it is news");
        self.tick();
    }

    #[track_caller]
    pub fn host(&self, key: u8) -> &HostView {
        let host = self.membership.view().host(id(key));
        host.expect("it is in the view")
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The view of all others.
    pub fn others(&self) -> Vec<HostView> {
        let hosts = self.membership.view().hosts();
        hosts.filter(|host| host.id != id(OWN)).cloned().collect()
    }
}
