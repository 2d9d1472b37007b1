//! What a host is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_node::Faults;
use weft_node::MeshConfig;
use weft_telemetry::logs::Logs;

/// The settings of a host; each default is what a developer on a laptop wants.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The host's name, for people: 1 to 64 characters of `A-Za-z0-9-_.`.
    pub name: String,
    /// Its labels, for placement. What `weft label` said of the host earlier wins.
    pub labels: BTreeMap<String, String>,
    /// Where it keeps its state. One host at a time may use a directory.
    pub data_dir: PathBuf,
    /// Where it takes HTTP requests; none takes none. Port 0 lets the system choose.
    pub http: Option<SocketAddr>,
    /// Where its admin API listens. Must be a loopback address: the protocol is not encrypted.
    pub admin: SocketAddr,
    /// Whether the calls of links between stores go through frames of the wire, within the process:
    /// slower, and a proof that frames carry all that a link does.
    pub links_over_wire: bool,
    /// The lattice that it joins; none for a host that is its own.
    pub mesh: Option<MeshConfig>,
    /// Where the lines of guests are kept for `weft logs`.
    pub logs: Logs,
    /// How the process breaks for a drill; none takes no drills.
    pub faults: Option<Arc<dyn Faults>>,
}

impl HostConfig {
    /// The defaults: HTTP on `127.0.0.1:8080`, the admin API on `127.0.0.1:7411`.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            name: "local".to_owned(),
            labels: BTreeMap::new(),
            data_dir,
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 7411)),
            links_over_wire: false,
            mesh: None,
            logs: Logs::new(),
            faults: None,
        }
    }

    pub(crate) fn paths(&self) -> Paths<'_> {
        Paths(&self.data_dir)
    }
}

/// What is where in a data directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paths<'a>(&'a Path);

impl Paths<'_> {
    pub(crate) fn state(self) -> PathBuf {
        self.0.join("state.redb")
    }

    pub(crate) fn artifacts(self) -> PathBuf {
        self.0.join("artifacts")
    }

    pub(crate) fn cache(self) -> PathBuf {
        self.0.join("cache")
    }

    pub(crate) fn cache_key(self) -> PathBuf {
        self.0.join("cache.key")
    }

    pub(crate) fn host_key(self) -> PathBuf {
        self.0.join("host.key")
    }

    pub(crate) fn host_life(self) -> PathBuf {
        self.0.join("host.life")
    }

    pub(crate) fn labels(self) -> PathBuf {
        self.0.join("labels.json")
    }

    pub(crate) fn providers(self) -> PathBuf {
        self.0.join("providers")
    }
}
