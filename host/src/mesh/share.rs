//! This host's share of what is wanted. Pure.
//!
//! A plan says where everything is to run. What is to leave this host stays until it runs where it is going:
//! an instance too many costs memory, one too few costs requests.

use weft_lattice::membership::View;
use weft_lattice::membership::message::{Holding, Readiness};
use weft_lattice::store::Deployed;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};

use crate::linking::Share;

/// What is to run here of an app: what the plan says, and what runs here now and is not yet ready on every
/// host that is to have it.
pub(super) fn of_app(
    deployed: &Deployed,
    me: &HostId,
    assignments: &Assignments,
    runs: &Share,
    view: &View,
) -> Share {
    let app = &deployed.app;
    let components = app.spec.components.iter().enumerate();
    let mine = components.filter(|(index, component)| {
        let id = ComponentId {
            app: app.metadata.name.clone(),
            component: component.name.clone(),
        };
        let hosts = assignments.get(&id).map_or(&[][..], Vec::as_slice);
        hosts.contains(me) || (runs.has(*index) && !is_ready(view, &id, deployed.revision, hosts))
    });
    Share::Part(mine.map(|(index, _)| index).collect())
}

/// Whether a component is ready at a revision on all of these hosts, and there is one.
fn is_ready(view: &View, id: &ComponentId, revision: u64, hosts: &[HostId]) -> bool {
    let is_it = |holding: &Holding| {
        holding.component == *id
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let has = |wanted: &HostId| {
        view.hosts().any(|host| {
            host.is_alive()
                && host.id.to_string() == wanted.as_str()
                && host
                    .contents
                    .as_ref()
                    .is_some_and(|contents| contents.components.iter().any(is_it))
        })
    };
    !hosts.is_empty() && hosts.iter().all(has)
}
