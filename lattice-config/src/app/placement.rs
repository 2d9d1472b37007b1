//! What a manifest says about the hosts of a component.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{COMPONENTS_MAX, is_false};
use crate::label::{LabelName, LabelValues};
use crate::name::ComponentName;

/// The most replicas a component may have: one for each host of the largest lattice that placement
/// is measured with.
pub const REPLICAS_MAX: u32 = 1000;
/// The heaviest a replica may be, so that the sum over a lattice stays far from where numbers end.
pub const WEIGHT_MAX: u32 = 1_000_000;

/// Which hosts a component may run on, and which it likes.
///
/// What is required holds always: a replica without such a host is not placed, and `weft status` says
/// why. Among the hosts that will do, replicas first go evenly over the values of `spread`, then to hosts
/// without a replica of the component, then to preferred hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Placement {
    /// Only hosts with all of these labels: for each, a value, or a list of which any will do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, LabelValues>")]
    pub require: BTreeMap<LabelName, LabelValues>,
    /// Rather hosts with these labels; the more of them, the better.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, LabelValues>")]
    pub prefer: BTreeMap<LabelName, LabelValues>,
    /// The label over whose values the replicas are spread evenly, such as `cloud`. Hosts without it
    /// count as one more value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<LabelName>,
    /// Never two replicas on one host. Without it, two share a host where there are fewer hosts than
    /// replicas.
    #[serde(skip_serializing_if = "is_false")]
    pub one_per_host: bool,
    /// Components of this app that never run on a host that this one runs on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = COMPONENTS_MAX))]
    pub anti_affinity: Vec<ComponentName>,
    /// How much of a host's declared capacity one replica takes.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(range(max = WEIGHT_MAX))]
    pub weight: NonZeroU32,
}

impl Default for Placement {
    fn default() -> Self {
        Placement {
            require: BTreeMap::new(),
            prefer: BTreeMap::new(),
            spread: None,
            one_per_host: false,
            anti_affinity: Vec::new(),
            weight: NonZeroU32::MIN,
        }
    }
}

impl Placement {
    pub(super) fn is_default(&self) -> bool {
        *self == Placement::default()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
pub(super) fn is_one(number: &NonZeroU32) -> bool {
    *number == NonZeroU32::MIN
}

/// How many replicas there are when the manifest does not say.
pub(super) fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}
