//! How near two hosts are to each other.

use crate::HostView;

/// The label that names a host's cloud.
pub const LABEL_CLOUD: &str = "cloud";
/// The label that names a host's region in its cloud.
pub const LABEL_REGION: &str = "region";
/// The label that names a host's zone in its region.
pub const LABEL_ZONE: &str = "zone";

/// How near a host is to this one, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proximity {
    /// It is this one.
    Host,
    /// It is in the same zone.
    Zone,
    /// It is in the same region.
    Region,
    /// It is in the same cloud.
    Cloud,
    /// It is in the same lattice.
    Lattice,
}

impl Proximity {
    /// All of them, the nearest first.
    pub const ALL: [Self; 5] = [
        Self::Host,
        Self::Zone,
        Self::Region,
        Self::Cloud,
        Self::Lattice,
    ];

    /// How near another host is. Names of zones and regions come again in other clouds, so hosts share one
    /// only if they share what is around it, or neither says what that is.
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
