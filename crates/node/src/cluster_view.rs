//! A snapshot of the whole lattice as this host has it: the desired state, the live hosts, and the
//! placement that follows from both. The reconciler and the reports to operators use the same
//! inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_lattice_config::placement::{self, ComponentId, Explanation, Plan};
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{App, AppName};
use weft_membership::HostId;
use weft_membership::message::Labels;
use weft_state::desired::{DesiredReplica, as_ready_host};
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
        desired_apps(&self.replica)
    }

    /// The placement of all components.
    pub(crate) fn plan(&self) -> Plan {
        plan(&self.replica, &self.membership, &self.local_stores)
    }

    /// The placement if a host had other labels.
    pub(crate) fn plan_with_labels(&self, host: HostId, labels: Labels) -> Plan {
        let mut membership = MembershipSnapshot::clone(&self.membership);
        membership.view = membership.view.with_labels(host, labels);
        plan(&self.replica, &membership, &self.local_stores)
    }

    /// The standing of every host towards the components of one app, or of all apps; empty for a
    /// host alone.
    pub(crate) fn explain(&self, app: Option<&AppName>) -> BTreeMap<ComponentId, Explanation> {
        if self.membership.is_alone {
            return BTreeMap::new();
        }
        let view = &self.membership.view;
        let absent = view
            .hosts()
            .filter(|host| !host.is_placeable() && !host.is_draining());
        let absent: Vec<_> = absent.filter_map(as_ready_host).collect();
        let explain = |input: &placement::Input<'_>| placement::explain(input, &absent, app);
        self.replica.with_input(view, &self.local_stores, explain)
    }

    /// The placement if `deployed` were the desired revision of its app.
    pub(crate) fn plan_with(&self, mut deployed: Deployed) -> Plan {
        let mut replica = DesiredReplica::clone(&self.replica);
        let app = deployed.app.metadata.name.clone();
        // The revision has to exceed every known one, also that of a removal.
        let known = replica.apps().get(&app);
        deployed.revision = known.map_or(0, |known| known.revision()) + 1;
        replica.take_app(app, Record::Deployed(deployed));
        plan(&replica, &self.membership, &self.local_stores)
    }
}

/// The owners of all routes of a replica.
pub(crate) fn route_owners(replica: &DesiredReplica) -> RouteOwners {
    RouteOwners::new(desired_apps(replica).flat_map(Deployed::claims))
}

/// The placement of all components of a replica.
pub(crate) fn plan(
    replica: &DesiredReplica,
    membership: &MembershipSnapshot,
    local_stores: &BTreeSet<String>,
) -> Plan {
    if membership.is_alone {
        return plan_alone(replica, membership);
    }
    replica.with_input(&membership.view, local_stores, placement::plan)
}

/// The placement of a host alone: one replica of every component, whatever the requirements.
fn plan_alone(replica: &DesiredReplica, membership: &MembershipSnapshot) -> Plan {
    let hosts = membership.view.hosts();
    let hosts: Vec<_> = hosts
        .filter_map(|host| host.id.to_string().parse().ok())
        .collect();
    let ids = |app: &App| {
        let components = app.spec.components.iter().map(|component| ComponentId {
            app: app.metadata.name.clone(),
            component: component.name.clone(),
        });
        components.collect::<Vec<_>>()
    };
    let components = desired_apps(replica).flat_map(|deployed| ids(&deployed.app));
    Plan {
        assignments: components.map(|id| (id, hosts.clone())).collect(),
        ..Plan::default()
    }
}

fn desired_apps(replica: &DesiredReplica) -> impl Iterator<Item = &Deployed> {
    let records = replica.apps().values();
    records.filter_map(|record| match &**record {
        Record::Deployed(deployed) => Some(deployed),
        Record::Removed { .. } => None,
    })
}
