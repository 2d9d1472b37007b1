//! What a suite runs on: one of the implementations, with the same handles to join and to break it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::nats::{NatsOptions, connect};
use weft_bus::{Bus, Lane, Scope, Status, Subject};

use crate::nats_server::NatsServer;

/// The payload limit of every rig: smaller than usual, so that tests of it are quick.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// What nothing here takes, except when it hangs.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

pub enum Rig {
    Nats(NatsServer),
    Local(LocalNetwork),
}

impl Rig {
    pub async fn nats() -> Self {
        Self::Nats(NatsServer::start(&format!("max_payload: {MAX_PAYLOAD}")).await)
    }

    pub async fn local() -> Self {
        Self::Local(LocalNetwork::new(LocalOptions {
            max_payload: MAX_PAYLOAD,
            ..LocalOptions::default()
        }))
    }

    /// A host of the lattice `test`, connected.
    pub async fn join(&self, host: &str) -> Bus {
        self.join_lattice(host, "test").await
    }

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

    /// Takes the server from all hosts; for the local bus, of these.
    pub fn cut(&mut self, hosts: &[&str]) {
        match self {
            Self::Nats(server) => server.kill(),
            Self::Local(network) => hosts.iter().for_each(|host| network.disconnect(host)),
        }
    }

    pub async fn restore(&mut self, hosts: &[&str]) {
        match self {
            Self::Nats(server) => server.restart().await,
            Self::Local(network) => hosts.iter().for_each(|host| network.connect(host)),
        }
    }
}

pub fn options(server: &NatsServer, host: &str) -> NatsOptions {
    NatsOptions {
        servers: vec![server.url()],
        name: host.to_owned(),
        ..NatsOptions::default()
    }
}

/// Waits for what has to happen soon.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(WAIT_MAX, future)
        .await
        .expect("this takes no time, or for ever")
}

pub async fn connected(bus: &Bus) {
    soon(bus.status().wait_for(Status::is_connected))
        .await
        .unwrap();
}

pub async fn disconnected(bus: &Bus) {
    soon(bus.status().wait_for(|status| !status.is_connected()))
        .await
        .unwrap();
}

pub fn subject(bus: &Bus, names: &[&str]) -> Subject {
    bus.scope().subject(names).unwrap()
}

pub fn test_deadline() -> Instant {
    Instant::now() + WAIT_MAX
}
