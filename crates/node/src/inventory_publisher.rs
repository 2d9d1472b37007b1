//! What this host says that it has: each component that it runs, at which revision, and whether it serves; and
//! what is wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_membership::message::{
    ComponentId, Contents, Failure, Holding, HostCondition, Labels, MAX_FAILURES, MAX_REASON_BYTES,
    Readiness, Revision,
};
use weft_state::store::Deployed;

use crate::controller::{AppState, Snapshot};
use weft_link::Share;

/// Says it at each change, until `stop`.
pub(super) async fn tell(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    mut labels: watch::Receiver<Labels>,
    mut troubles: watch::Receiver<BTreeSet<HostCondition>>,
    about: Contents,
    contents: watch::Sender<Contents>,
    stop: CancellationToken,
) {
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let said = Contents {
            labels: labels.borrow_and_update().clone(),
            components: holdings(&snapshot),
            failures: failures(&snapshot),
            troubles: troubles.borrow_and_update().iter().copied().collect(),
            ..about.clone()
        };
        contents.send_replace(said.sorted());
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            Ok(()) = labels.changed() => {}
            Ok(()) = troubles.changed() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Every component that is to run here, at each revision, in the order of inventories.
pub(crate) fn holdings(snapshot: &Snapshot) -> Vec<Holding> {
    let serving = snapshot.apps.values().flat_map(|app| {
        let readiness = match &app.state {
            AppState::Ready(_) => Readiness::Ready,
            AppState::Failed(_) => Readiness::Failed,
        };
        of_app(&app.deployed, &app.share, readiness)
    });
    // Of what is there twice the first stays: what serves in one share and not in another one serves.
    let refused = snapshot
        .refused
        .values()
        .flat_map(|refused| of_app(&refused.deployed, &refused.share, Readiness::Failed));
    let found = Contents {
        components: serving.chain(refused).collect(),
        ..Contents::default()
    };
    found.sorted().components
}

fn of_app(
    deployed: &Deployed,
    share: &Share,
    readiness: Readiness,
) -> impl Iterator<Item = Holding> {
    let app = &deployed.app;
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(move |(_, component)| Holding {
        component: ComponentId {
            app: app.metadata.name.clone(),
            component: component.name.clone(),
        },
        revision: Revision(deployed.revision),
        readiness,
    })
}

fn failures(snapshot: &Snapshot) -> Vec<Failure> {
    let refused = snapshot.refused.iter().take(MAX_FAILURES);
    let failures = refused.map(|(_, refused)| Failure {
        app: refused.deployed.app.metadata.name.clone(),
        revision: Revision(refused.deployed.revision),
        reason: shortened(&refused.reason),
    });
    failures.collect()
}

/// As much of a reason as is told to others.
fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}
