//! A host's share of an app: the components that it runs.
//!
//! The plan assigns components to hosts. A component that leaves a host keeps running there until
//! it is ready on its new hosts: an extra instance costs memory, a missing one costs requests. This
//! holds also if it now requires a label that the host lacks.

use std::collections::BTreeSet;

use weft_lattice_config::placement::{Assignments, ComponentId, HostId};
use weft_lattice_config::{ComponentName, ComponentSpec};

use crate::store::Deployed;
use weft_membership::message::{HostedComponent, Readiness};
use weft_membership::{HostView, View};

/// The components of an app that a host is to run: those that the plan assigns to it, and those
/// `running` on it that are not yet ready on every assigned host. Components are
/// matched by name, because a manifest may list them in another order than the one before it.
#[must_use]
pub fn share(
    deployed: &Deployed,
    own_id: &HostId,
    assignments: &Assignments,
    running: &BTreeSet<ComponentName>,
    view: &View,
) -> BTreeSet<ComponentName> {
    let components = deployed.app.spec.components.iter();
    let assigned = components.filter(|component| {
        let id = ComponentId {
            app: deployed.app.metadata.name.clone(),
            component: component.name.clone(),
        };
        let hosts = assignments.get(&id).map_or(&[][..], Vec::as_slice);
        let stays = running.contains(&component.name);
        hosts.contains(own_id) || (stays && !is_ready(view, &id, deployed.revision, hosts))
    });
    assigned.map(|component| component.name.clone()).collect()
}

/// Returns whether a host has all labels that a component requires, as far as its inventory is
/// known.
#[must_use]
pub fn has_required_labels(host: &HostView, component: &ComponentSpec) -> bool {
    let mut require = component.placement.require.iter();
    require.all(|(label, values)| {
        let found = host.label(label.as_str());
        let mut values = values.as_slice().iter();
        values.any(|value| Some(value.as_str()) == found)
    })
}

/// Returns whether a component is ready at a revision on all of these hosts; false for an empty
/// list.
fn is_ready(view: &View, id: &ComponentId, revision: u64, hosts: &[HostId]) -> bool {
    let is_ready_component = |hosted: &HostedComponent| {
        hosted.component == *id
            && hosted.revision.0 >= revision
            && hosted.readiness == Readiness::Ready
    };
    let has = |host: &HostView| {
        let contents = host.contents.as_ref();
        host.is_alive()
            && contents.is_some_and(|contents| contents.components.iter().any(is_ready_component))
    };
    !hosts.is_empty() && hosts.iter().all(|id| host(view, id).is_some_and(has))
}

fn host<'v>(view: &'v View, id: &HostId) -> Option<&'v HostView> {
    view.host(id.as_str().parse::<weft_membership::HostId>().ok()?)
}
