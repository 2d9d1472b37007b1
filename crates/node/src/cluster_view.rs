//! A snapshot of the whole lattice as this host has it: the desired state, the live hosts, and the
//! placement that follows from both. The reconciler and the reports to operators use the same
//! inputs.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_lattice_config::placement::{self, Plan};
use weft_state::desired::DesiredReplica;
use weft_state::store::{Deployed, Record};

use crate::membership_task::MembershipSnapshot;

/// The inputs of placement at one moment.
#[derive(Debug, Clone)]
pub(crate) struct ClusterView {
    /// The desired state, as far as this host has received it.
    pub(crate) replica: Arc<DesiredReplica>,
    pub(crate) membership: Arc<MembershipSnapshot>,
    /// The types of providers that store their data on the host that runs them.
    pub(crate) local_stores: Arc<BTreeSet<String>>,
}

impl ClusterView {
    /// The desired apps, by name.
    pub(crate) fn apps(&self) -> impl Iterator<Item = &Deployed> {
        let records = self.replica.apps().values();
        records.filter_map(|record| match &**record {
            Record::Deployed(deployed) => Some(deployed),
            Record::Removed { .. } => None,
        })
    }

    /// The placement of all components.
    pub(crate) fn plan(&self) -> Plan {
        let (view, stores) = (&self.membership.view, &self.local_stores);
        self.replica.with_input(view, stores, placement::plan)
    }

    /// The placement if `deployed` were the desired revision of its app.
    pub(crate) fn plan_with(&self, mut deployed: Deployed) -> Plan {
        let mut replica = DesiredReplica::clone(&self.replica);
        let app = deployed.app.metadata.name.clone();
        // The revision has to exceed every known one, also that of a removal.
        let known = replica.apps().get(&app);
        deployed.revision = known.map_or(0, |known| known.revision()) + 1;
        replica.take_app(app, Record::Deployed(deployed));
        let (view, stores) = (&self.membership.view, &self.local_stores);
        replica.with_input(view, stores, placement::plan)
    }
}
