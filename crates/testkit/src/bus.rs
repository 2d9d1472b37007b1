//! Fixture for suites that run on both implementations of the bus: hosts join it, and lose their
//! connection, in the same way.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::nats::{NatsOptions, connect};
use weft_bus::{Bus, Lane, Scope, Status, Subject};

use crate::nats_server::{NatsServer, start_nats_with};

/// The payload limit of every rig: smaller than the default, so that tests of it are quick.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// Time limit for operations that are quick unless they hang.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// One implementation of the bus.
pub enum Rig {
    /// A NATS server.
    Nats(NatsServer),
    /// An in-process network.
    Local(LocalNetwork),
}

impl Rig {
    /// Starts a NATS server.
    pub fn nats() -> Self {
        Self::Nats(start_nats_with(&format!("max_payload: {MAX_PAYLOAD}")))
    }

    /// Creates an in-process network.
    pub fn local() -> Self {
        Self::Local(LocalNetwork::new(LocalOptions {
            max_payload: MAX_PAYLOAD,
            ..LocalOptions::default()
        }))
    }

    /// Joins the lattice `test` as a connected host.
    pub async fn join(&self, host: &str) -> Bus {
        self.join_lattice(host, "test").await
    }

    /// Joins a lattice as a connected host.
    pub async fn join_lattice(&self, host: &str, lattice: &str) -> Bus {
        let scope = Scope::new(lattice).unwrap();
        let bus = match self {
            Self::Nats(server) => connect(scope, &options(server, host)).await.unwrap(),
            Self::Local(network) => network.join(host, &scope),
        };
        for lane in [Lane::Calls, Lane::Control, Lane::Heartbeats] {
            connected(&bus.lane(lane)).await;
        }
        bus
    }

    /// Kills the server of all hosts; on the local bus, disconnects these hosts.
    pub fn cut(&mut self, hosts: &[&str]) {
        match self {
            Self::Nats(server) => server.kill(),
            Self::Local(network) => hosts.iter().for_each(|host| network.disconnect(host)),
        }
    }

    /// Undoes [`Rig::cut`].
    pub fn restore(&mut self, hosts: &[&str]) {
        match self {
            Self::Nats(server) => server.start().unwrap(),
            Self::Local(network) => hosts.iter().for_each(|host| network.connect(host)),
        }
    }
}

/// Options to connect to `server` as `host`.
pub fn options(server: &NatsServer, host: &str) -> NatsOptions {
    NatsOptions {
        servers: vec![server.url()],
        name: host.to_owned(),
        ..NatsOptions::default()
    }
}

/// Awaits a future, and panics after [`WAIT_MAX`].
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(WAIT_MAX, future)
        .await
        .expect("future did not resolve in time")
}

/// Waits until the bus is connected.
pub async fn connected(bus: &Bus) {
    soon(bus.status().wait_for(Status::is_connected))
        .await
        .unwrap();
}

/// Waits until the bus is disconnected.
pub async fn disconnected(bus: &Bus) {
    soon(bus.status().wait_for(|status| !status.is_connected()))
        .await
        .unwrap();
}

/// The subject of these names in the lattice of `bus`.
pub fn subject(bus: &Bus, names: &[&str]) -> Subject {
    bus.scope().subject(names).unwrap()
}

/// A deadline of [`WAIT_MAX`] from now.
pub fn test_deadline() -> Instant {
    Instant::now() + WAIT_MAX
}
