//! Settings of a host.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_ingress::ServerSettings;
use weft_node::{Faults, MeshConfig};
use weft_state::data_directory::{CACHE_KEY_FILE, STATE_FILE};
use weft_telemetry::logs::Logs;

/// Settings of a host. The defaults suit a developer's machine.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// A human-readable name: 1 to 64 characters of `A-Za-z0-9-_.`.
    pub name: String,
    /// Labels for placement. Labels that `weft label` set earlier take precedence.
    pub labels: BTreeMap<String, String>,
    /// The total weight of the components that the lattice may place on this host; `None` for a
    /// limit by the machine's memory and cores. A host alone has no limit.
    pub capacity: Option<u64>,
    /// The directory of the host's state, in a folder that only its user can read. One host at a
    /// time may use it.
    pub data_dir: PathBuf,
    /// The address of the HTTP server; `None` disables it. The system chooses a port in place of
    /// port 0.
    pub http: Option<SocketAddr>,
    /// The settings of the HTTP server.
    pub http_settings: ServerSettings,
    /// The address of the admin API. Must be a loopback address: the protocol is not encrypted.
    pub admin: SocketAddr,
    /// True if calls between stores of this host go over frames of the wire protocol too: slower,
    /// and a test that frames support all features of links.
    pub links_over_wire: bool,
    /// The lattice to join; `None` for a host alone.
    pub mesh: Option<MeshConfig>,
    /// True to end another process with the identity of this host, where one would refuse the
    /// start.
    pub takeover: bool,
    /// Stores the log lines of guests for `weft logs`.
    pub logs: Logs,
    /// Injects faults for drills; `None` disables drills.
    pub faults: Option<Arc<dyn Faults>>,
}

impl HostConfig {
    /// The default settings: HTTP on `127.0.0.1:8080`, the admin API on `127.0.0.1:7411`.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            name: "local".to_owned(),
            labels: BTreeMap::new(),
            capacity: None,
            data_dir,
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            http_settings: ServerSettings::default(),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 7411)),
            links_over_wire: false,
            mesh: None,
            takeover: false,
            logs: Logs::new(),
            faults: None,
        }
    }

    pub(crate) fn paths(&self) -> Paths<'_> {
        Paths(&self.data_dir)
    }
}

/// The paths in the folder of a host in its data directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paths<'a>(&'a Path);

impl Paths<'_> {
    pub(crate) fn state(self) -> PathBuf {
        self.0.join(STATE_FILE)
    }

    pub(crate) fn artifacts(self) -> PathBuf {
        self.0.join("artifacts")
    }

    pub(crate) fn cache(self) -> PathBuf {
        self.0.join("cache")
    }

    pub(crate) fn cache_key(self) -> PathBuf {
        self.0.join(CACHE_KEY_FILE)
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
