//! Records of the desired state, and the components in them.

use weft_lattice_config::placement::{Assignments, ComponentId};
use weft_lattice_config::{App, AppName, ComponentName};
use weft_membership::HostView;
use weft_membership::message::{HostedComponent, Readiness};
use weft_state::desired::Key;
use weft_state::desired::record_codec::{self, DecodedRecord};
use weft_state::store::{Deployed, Record};

/// The deployed app of a record; `None` for a removal.
pub(crate) fn deployed(record: &Record) -> Option<&Deployed> {
    match record {
        Record::Deployed(deployed) => Some(deployed),
        Record::Removed { .. } => None,
    }
}

/// Returns whether a host is alive in the view and has a component ready, at this revision or a
/// later one.
pub(crate) fn has_ready(host: &HostView, id: &ComponentId, revision: u64) -> bool {
    let is_ready_holding = |holding: &HostedComponent| {
        holding.component == *id
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let contents = host.contents.as_ref();
    host.is_alive()
        && contents.is_some_and(|contents| contents.components.iter().any(is_ready_holding))
}

pub(crate) fn component_id(app: &App, component: &ComponentName) -> ComponentId {
    ComponentId {
        app: app.metadata.name.clone(),
        component: component.clone(),
    }
}

/// Returns whether a component has a host. Without one it stays where it runs: it may be needed,
/// and no other host has it.
pub(crate) fn is_placed(
    assignments: &Assignments,
    deployed: &Deployed,
    component: &ComponentName,
) -> bool {
    let hosts = assignments.get(&component_id(&deployed.app, component));
    hosts.is_some_and(|hosts| !hosts.is_empty())
}

/// The app of a record of the bucket, with its record.
pub(crate) fn app_record(key: &Key, value: &[u8]) -> Option<(AppName, Record)> {
    match record_codec::decode(key, value) {
        DecodedRecord::App(app, record) => Some((app, record)),
        DecodedRecord::Home(..) | DecodedRecord::Mark(..) | DecodedRecord::Unknown(_) => None,
    }
}
