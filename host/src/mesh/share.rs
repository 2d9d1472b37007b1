//! This host's share of what is wanted. Pure.
//!
//! A plan says where everything is to run. What is to leave this host stays until it runs where it is going:
//! an instance too many costs memory, one too few costs requests.

use std::collections::{BTreeMap, BTreeSet};

use weft_lattice::membership::View;
use weft_lattice::membership::message::{Holding, Readiness};
use weft_lattice_config::App;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};

use crate::linking::Share;

/// What is to run here of an app at a revision: what the plan says, and what runs here now and is not yet
/// ready on every host that is to have it.
pub(super) fn of_app(
    app: &App,
    revision: u64,
    me: &HostId,
    assignments: &Assignments,
    runs: &BTreeSet<usize>,
    view: &View,
) -> Share {
    let name = &app.metadata.name;
    let components = app.spec.components.iter().enumerate();
    let mine = components.filter(|(index, component)| {
        let id = ComponentId {
            app: name.clone(),
            component: component.name.clone(),
        };
        let hosts = assignments.get(&id).map_or(&[][..], Vec::as_slice);
        hosts.contains(me) || (runs.contains(index) && !is_ready(view, &id, revision, hosts))
    });
    Share::Part(mine.map(|(index, _)| index).collect())
}

/// Whether a component is ready at a revision on all of these hosts, and there is one.
fn is_ready(view: &View, id: &ComponentId, revision: u64, hosts: &[HostId]) -> bool {
    let has = |holding: &Holding| {
        (&holding.component.app, &holding.component.component) == (&id.app, &id.component)
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let ready: BTreeMap<_, _> = view
        .hosts()
        .filter(|host| host.is_alive())
        .map(|host| {
            let contents = host.contents.as_ref();
            let holds = contents.is_some_and(|contents| contents.components.iter().any(has));
            (host.id.to_string(), holds)
        })
        .collect();
    let is_ready = |host: &HostId| ready.get(host.as_str()).copied().unwrap_or(false);
    !hosts.is_empty() && hosts.iter().all(is_ready)
}
