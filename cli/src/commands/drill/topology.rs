//! The NATS servers and hosts of a local lattice, and the configurations of the servers.

use std::fmt::Write as _;
use std::net::SocketAddr;

use clap::ValueEnum;

/// The label with the cloud of a host.
pub(super) const CLOUD_LABEL: &str = "cloud";

/// The clouds of a local lattice.
pub(super) const CLOUDS: [&str; 3] = ["a", "b", "c"];

/// The servers and hosts of a lattice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topology {
    /// One NATS server, one host in each of three clouds
    #[default]
    One,
    /// One NATS cluster with a server in each of three clouds, two hosts each; stored data has
    /// three replicas
    Stretched,
    /// Three NATS clusters of one server each, joined by gateways, two hosts each
    Gateways,
}

/// The addresses of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) client: SocketAddr,
    pub(super) cluster: SocketAddr,
    pub(super) gateway: SocketAddr,
}

impl Topology {
    /// The clouds that have a server.
    pub(super) fn servers(self) -> &'static [&'static str] {
        match self {
            Self::One => &CLOUDS[..1],
            Self::Stretched | Self::Gateways => &CLOUDS,
        }
    }

    /// The cloud of each host.
    pub(super) fn hosts(self) -> Vec<&'static str> {
        let each = match self {
            Self::One => 1,
            Self::Stretched | Self::Gateways => 2,
        };
        CLOUDS.iter().flat_map(|cloud| vec![*cloud; each]).collect()
    }

    /// Number of servers that store each stream.
    pub(super) fn replicas(self) -> usize {
        match self {
            Self::Stretched => 3,
            Self::One | Self::Gateways => 1,
        }
    }

    /// The configuration of the server in a cloud.
    pub(super) fn configuration(self, cloud: &str, ports: &[Ports]) -> String {
        let index = CLOUDS.iter().position(|known| *known == cloud);
        let own = ports[index.unwrap_or_default()];
        let mut text = format!("server_name: {cloud}\n");
        match self {
            Self::One => {}
            Self::Stretched => {
                let routes: Vec<_> = ports.iter().map(|ports| url(ports.cluster)).collect();
                cluster(&mut text, "stretched", own, &routes);
            }
            Self::Gateways => {
                // JetStream with gateways requires a cluster with a route; one to itself is enough.
                cluster(&mut text, cloud, own, &[url(own.cluster)]);
                let others = CLOUDS.iter().zip(ports);
                let others = others.map(|(cloud, ports)| {
                    format!("{{ name: {cloud}, url: \"{}\" }}", url(ports.gateway))
                });
                let others: Vec<_> = others.collect();
                // A write to a string does not fail.
                let _ = writeln!(
                    text,
                    "gateway {{ name: {cloud}, listen: \"{}\", gateways: [{}] }}",
                    own.gateway,
                    others.join(", ")
                );
            }
        }
        text
    }
}

fn cluster(text: &mut String, name: &str, own: Ports, routes: &[String]) {
    let routes: Vec<_> = routes.iter().map(|route| format!("\"{route}\"")).collect();
    let _ = writeln!(
        text,
        "cluster {{ name: {name}, listen: \"{}\", routes: [{}] }}",
        own.cluster,
        routes.join(", ")
    );
}

fn url(address: SocketAddr) -> String {
    format!("nats://{address}")
}
