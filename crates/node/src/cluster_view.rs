//! What this host knows of the lattice as a whole, at one moment: what is wanted, who is there, and so where
//! everything is to run. What the host does follows from it, and so does what it tells an operator.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_lattice_config::placement::{self, Plan};
use weft_state::desired::DesiredReplica;
use weft_state::store::{Deployed, Record};

use crate::membership_task::MembershipSnapshot;

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct ClusterView {
    /// What is wanted, as far as this host has heard.
    pub(crate) replica: Arc<DesiredReplica>,
    pub(crate) membership: Arc<MembershipSnapshot>,
    /// The types of providers that keep what they store on the host that runs them.
    pub(crate) local_stores: Arc<BTreeSet<String>>,
}

impl ClusterView {
    /// The apps that are wanted, by name.
    pub(crate) fn apps(&self) -> impl Iterator<Item = &Deployed> {
        let records = self.replica.apps().values();
        records.filter_map(|record| match &**record {
            Record::Deployed(deployed) => Some(deployed),
            Record::Removed { .. } => None,
        })
    }

    /// Where everything is to run.
    pub(crate) fn plan(&self) -> Plan {
        let (view, stores) = (&self.membership.view, &self.local_stores);
        self.replica.with_input(view, stores, placement::plan)
    }

    /// Where everything would run if this were what is wanted of an app.
    pub(crate) fn plan_with(&self, mut deployed: Deployed) -> Plan {
        let mut replica = DesiredReplica::clone(&self.replica);
        let app = deployed.app.metadata.name.clone();
        // After a removal too, it has to be newer than what is known.
        let known = replica.apps().get(&app);
        deployed.revision = known.map_or(0, |known| known.revision()) + 1;
        replica.take_app(app, Record::Deployed(deployed));
        let (view, stores) = (&self.membership.view, &self.local_stores);
        replica.with_input(view, stores, placement::plan)
    }
}
