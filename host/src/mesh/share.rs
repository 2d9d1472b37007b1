//! This host's share of what is wanted, in the words of linking: components by their place in the manifest.

use std::collections::BTreeSet;

use weft_lattice::desired;
use weft_lattice::membership::View;
use weft_lattice::store::Deployed;
use weft_lattice_config::placement::{Assignments, HostId};
use weft_lattice_config::{App, ComponentName};

use crate::linking::Share;

/// What is to run here of an app that `runs` here, if it does, with a share of its own manifest.
pub(super) fn of_app(
    deployed: &Deployed,
    me: &HostId,
    assignments: &Assignments,
    runs: Option<(&App, &Share)>,
    view: &View,
) -> Share {
    let runs = runs.map_or_else(BTreeSet::new, |(app, share)| names(app, share));
    let share = desired::share(deployed, me, assignments, &runs, view);
    let components = deployed.app.spec.components.iter().enumerate();
    let mine = components.filter(|(_, component)| share.contains(&component.name));
    Share::Part(mine.map(|(index, _)| index).collect())
}

fn names(app: &App, share: &Share) -> BTreeSet<ComponentName> {
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(|(_, component)| component.name.clone()).collect()
}
