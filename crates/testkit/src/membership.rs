//! Hosts that exchange messages with a membership under test, without a bus.

use std::time::Duration;

use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, HostState, Load, Readiness, Revision};
use weft_membership::message::{Heartbeat, HostedComponent, Inventory};
use weft_membership::{
    BusStatus, Event, HostId, HostView, Identity, Membership, SETTLE_AFTER_START, TICK_EVERY,
};

/// The name of the lattice.
pub const LATTICE: &str = "demo";

/// The key of the host under test; remote hosts have larger ones.
pub const OWN: u8 = 0;

/// One second, the interval of heartbeats.
pub const SECOND: Duration = Duration::from_secs(1);

/// A configuration that prints the input of a failure and stores nothing in files.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// The host id with this key.
pub fn id(key: u8) -> HostId {
    HostId::from_key([key; 32])
}

/// The moment this many milliseconds after the start.
pub fn at_ms(milliseconds: u64) -> Moment {
    Moment::after_start(Duration::from_millis(milliseconds))
}

/// A component of the app `shop`.
pub fn component(name: &str) -> ComponentId {
    ComponentId {
        app: "shop".parse().expect("valid name"),
        component: name.parse().expect("valid name"),
    }
}

/// An inventory with these labels, and with these components ready in revision 1.
pub fn contents(labels: &[(&str, &str)], components: &[&str]) -> Contents {
    let mut contents = Contents::default();
    for (name, value) in labels {
        contents.labels.set(name, value).expect("valid label");
    }
    contents.components = components.iter().map(|name| hosted(name, 1)).collect();
    contents.sorted()
}

/// A ready component of the app `shop`, in this revision.
pub fn hosted(name: &str, revision: u64) -> HostedComponent {
    HostedComponent {
        component: component(name),
        revision: Revision(revision),
        readiness: Readiness::Ready,
    }
}

/// A remote host, which publishes the state that a test needs.
pub struct RemoteHost {
    membership: Membership,
    /// The load in its heartbeats.
    pub load: Load,
    /// The wall clock in its heartbeats.
    pub sent_ms: u64,
}

impl RemoteHost {
    /// A ready host in its first incarnation, with an empty inventory.
    pub fn new(key: u8) -> Self {
        Self::with(key, 1, Contents::default())
    }

    /// A ready host.
    pub fn with(key: u8, incarnation: u64, contents: Contents) -> Self {
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id(key),
            incarnation,
        };
        let mut membership = Membership::new(identity, contents).expect("within limits");
        // Connected and settled: otherwise its state would be published as frozen.
        membership.on_bus(Moment::START, BusStatus::Connected);
        membership.tick(Moment::START + SETTLE_AFTER_START);
        membership.set_state(HostState::Ready);
        Self {
            membership,
            load: Load::default(),
            sent_ms: 0,
        }
    }

    /// Sets the state in its heartbeats.
    pub fn set_state(&mut self, state: HostState) {
        self.membership.set_state(state);
    }

    /// The next heartbeat.
    pub fn heartbeat(&mut self) -> Heartbeat {
        self.membership.heartbeat(self.sent_ms, self.load)
    }

    /// The current inventory.
    pub fn inventory(&self) -> Inventory {
        self.membership.inventory()
    }

    /// Replaces the inventory, and returns the new one.
    pub fn change(&mut self, contents: Contents) -> Inventory {
        let changed = self.membership.set_contents(contents);
        changed.expect("within limits").expect("new contents")
    }
}

/// The membership under test, with its clock.
pub struct LocalHost {
    /// The state machine under test.
    pub membership: Membership,
    /// Its clock.
    pub now: Moment,
    /// The events of all ticks since the last [`LocalHost::take_events`].
    pub events: Vec<Event>,
}

impl LocalHost {
    /// A connected host whose view follows the heartbeats it receives.
    pub fn settled() -> Self {
        let mut local = Self::unconnected(Contents::default());
        local.connect();
        local.run(SETTLE_AFTER_START);
        local.events.clear();
        local
    }

    /// A host that was never connected.
    pub fn unconnected(contents: Contents) -> Self {
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id(OWN),
            incarnation: 5,
        };
        let membership = Membership::new(identity, contents).expect("within limits");
        Self {
            membership,
            now: Moment::START,
            events: Vec::new(),
        }
    }

    /// Connects its bus, and ticks.
    pub fn connect(&mut self) {
        self.membership.on_bus(self.now, BusStatus::Connected);
        self.tick();
    }

    /// Disconnects its bus, and ticks.
    pub fn disconnect(&mut self) {
        self.membership.on_bus(self.now, BusStatus::Disconnected);
        self.tick();
    }

    /// Ticks at the current time, and records the events.
    pub fn tick(&mut self) {
        self.events.extend(self.membership.tick(self.now));
    }

    /// Advances the clock, with the ticks that are due.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + TICK_EVERY);
            self.tick();
        }
    }

    /// Advances the clock while these hosts send a heartbeat each second.
    pub fn run_with(&mut self, senders: &mut [&mut RemoteHost], seconds: u64) {
        for _ in 0..seconds {
            for sender in senders.iter_mut() {
                self.receive_heartbeat(sender);
            }
            self.run(SECOND);
        }
    }

    /// Receives the next heartbeat of a host, and ticks.
    pub fn receive_heartbeat(&mut self, sender: &mut RemoteHost) {
        let heartbeat = sender.heartbeat();
        let accepted = self.membership.on_heartbeat(self.now, heartbeat);
        accepted.expect("accepted");
        self.tick();
    }

    /// Receives an inventory, and ticks.
    pub fn receive_inventory(&mut self, inventory: Inventory) {
        let accepted = self.membership.on_inventory(self.now, inventory);
        accepted.expect("accepted");
        self.tick();
    }

    /// The host with this key in the view.
    #[track_caller]
    pub fn host(&self, key: u8) -> &HostView {
        let host = self.membership.view().host(id(key));
        host.expect("host is in the view")
    }

    /// Removes and returns the recorded events.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The view without the host under test.
    pub fn others(&self) -> Vec<HostView> {
        let hosts = self.membership.view().hosts();
        hosts.filter(|host| host.id != id(OWN)).cloned().collect()
    }
}
