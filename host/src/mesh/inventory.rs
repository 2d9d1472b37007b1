//! What this host says that it has: each component that it runs, at which revision, and whether it serves.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_lattice::membership::message::{
    ComponentId, Contents, Holding, Labels, Readiness, Revision,
};

use crate::controller::{AppState, RunningApp, Snapshot};

/// Says it at each change, until `stop`.
pub(super) async fn tell(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    mut labels: watch::Receiver<Labels>,
    about: Contents,
    contents: watch::Sender<Contents>,
    stop: CancellationToken,
) {
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let labelled = labels.borrow_and_update().clone();
        contents.send_replace(Contents {
            labels: labelled,
            components: holdings(&snapshot),
            ..about.clone()
        });
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            Ok(()) = labels.changed() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Every component that is to run here, in the order of its app and its name.
pub(crate) fn holdings(snapshot: &Snapshot) -> Vec<Holding> {
    let mut holdings: Vec<_> = snapshot.apps.values().flat_map(|app| of_app(app)).collect();
    holdings.sort_by(|left, right| left.component.cmp(&right.component));
    holdings
}

fn of_app(app: &RunningApp) -> Vec<Holding> {
    let wanted = &app.deployed.app;
    let readiness = match &app.state {
        AppState::Ready(_) => Readiness::Ready,
        AppState::Failed(_) => Readiness::Failed,
    };
    let components = wanted.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| app.share.has(*index));
    here.map(|(_, component)| Holding {
        component: ComponentId {
            app: wanted.metadata.name.clone(),
            component: component.name.clone(),
        },
        revision: Revision(app.deployed.revision),
        readiness,
    })
    .collect()
}
