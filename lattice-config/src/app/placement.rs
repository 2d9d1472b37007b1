//! The placement section of a component.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{COMPONENTS_MAX, is_false};
use crate::label::{LabelName, LabelValues};
use crate::name::ComponentName;

/// Maximum number of replicas of a component: one for each host of the largest lattice that the
/// placement benchmark measures.
pub const REPLICAS_MAX: u32 = 1000;
/// Maximum weight of a replica: the sum over a lattice cannot overflow.
pub const WEIGHT_MAX: u32 = 1_000_000;

/// The hosts that a component requires and prefers.
///
/// Requirements always hold: a replica without a suitable host is not placed, and `weft status`
/// shows the reason. Among the suitable hosts, replicas are spread evenly over the values of
/// `spread` first, then go to hosts without a replica of the component, then to preferred hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Placement {
    /// The labels that a host must have: for each label a value, or a list of accepted values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, LabelValues>")]
    pub require: BTreeMap<LabelName, LabelValues>,
    /// The labels of preferred hosts. A host that matches more of them is preferred.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, LabelValues>")]
    pub prefer: BTreeMap<LabelName, LabelValues>,
    /// The label over whose values the replicas are spread evenly, such as `cloud`. Hosts without
    /// the label count as one more value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<LabelName>,
    /// Forbids two replicas on one host. By default, replicas share a host if there are fewer hosts
    /// than replicas.
    #[serde(skip_serializing_if = "is_false")]
    pub one_per_host: bool,
    /// The components of this app that must not run on the same host as this component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = COMPONENTS_MAX))]
    pub anti_affinity: Vec<ComponentName>,
    /// The amount of declared host capacity that one replica takes. 1 by default.
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
    reason = "serde passes skippable fields by reference"
)]
pub(super) fn is_one(number: &NonZeroU32) -> bool {
    *number == NonZeroU32::MIN
}

/// The default number of replicas.
pub(super) fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}
