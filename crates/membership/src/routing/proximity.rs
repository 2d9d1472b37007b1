//! Proximity of two hosts.

use crate::HostView;

/// The label with a host's cloud.
pub const LABEL_CLOUD: &str = "cloud";
/// The label with a host's region in its cloud.
pub const LABEL_REGION: &str = "region";
/// The label with a host's zone in its region.
pub const LABEL_ZONE: &str = "zone";

/// Proximity of a host to this one, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proximity {
    /// The same host.
    Host,
    /// The same zone.
    Zone,
    /// The same region.
    Region,
    /// The same cloud.
    Cloud,
    /// Only the same lattice.
    Lattice,
}

impl Proximity {
    /// All values, the nearest first.
    pub const ALL: [Self; 5] = [
        Self::Host,
        Self::Zone,
        Self::Region,
        Self::Cloud,
        Self::Lattice,
    ];

    /// The proximity of another host. Names of zones and regions are reused in other clouds, so two
    /// hosts share one only if the enclosing labels are equal, or missing on both.
    #[must_use]
    pub fn between(own: &HostView, other: &HostView) -> Self {
        if own.id == other.id {
            return Self::Host;
        }
        let agree = |name| own.label(name) == other.label(name);
        let share = |name| own.label(name).is_some() && agree(name);
        if share(LABEL_ZONE) && agree(LABEL_REGION) && agree(LABEL_CLOUD) {
            Self::Zone
        } else if share(LABEL_REGION) && agree(LABEL_CLOUD) {
            Self::Region
        } else if share(LABEL_CLOUD) {
            Self::Cloud
        } else {
            Self::Lattice
        }
    }
}
