//! Publishes the inventory of this host: its components with revision and readiness, its failures
//! and its conditions.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_link::LocalComponents;
use weft_membership::message::{
    ComponentId, Contents, Failure, HostCondition, HostedComponent, Labels, MAX_COMPONENTS,
    MAX_FAILURES, MAX_REASON_BYTES, Readiness, Revision,
};
use weft_state::store::Deployed;

use crate::controller::{AppState, Snapshot};

/// Publishes the inventory at each change, until `stop`.
pub(super) async fn publish(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    mut labels: watch::Receiver<Labels>,
    mut conditions: watch::Receiver<BTreeSet<HostCondition>>,
    about: Contents,
    contents: watch::Sender<Contents>,
    stop: CancellationToken,
) {
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let current = Contents {
            labels: labels.borrow_and_update().clone(),
            components: announced(holdings(&snapshot)),
            failures: failures(&snapshot),
            conditions: conditions.borrow_and_update().iter().copied().collect(),
            ..about.clone()
        };
        contents.send_replace(current.sorted());
        tokio::select! {
            biased;
            changed = snapshots.changed() => if changed.is_err() { return },
            Ok(()) = labels.changed() => {}
            Ok(()) = conditions.changed() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The components that an inventory has room for: those that serve before the others. Placement
/// gives a host fewer, but what moves away or does not start comes in addition.
fn announced(mut components: Vec<HostedComponent>) -> Vec<HostedComponent> {
    let found = components.len();
    if found > MAX_COMPONENTS {
        tracing::warn!(
            found,
            max = MAX_COMPONENTS,
            "this host has more components than it can announce; the rest gets no calls"
        );
        components.sort_by_key(|hosted| hosted.readiness != Readiness::Ready);
        components.truncate(MAX_COMPONENTS);
    }
    components
}

/// Every component of this host at each revision, in the order of inventories.
pub(crate) fn holdings(snapshot: &Snapshot) -> Vec<HostedComponent> {
    let serving = snapshot.apps.values().flat_map(|app| {
        let readiness = match &app.state {
            AppState::Ready(_) => Readiness::Ready,
            AppState::Failed(_) => Readiness::Failed,
        };
        app_holdings(&app.deployed, &app.share, readiness)
    });
    // `sorted` keeps the first of two equal components: one that serves in one share and fails in
    // another one serves.
    let failed = snapshot
        .failed
        .values()
        .flat_map(|failed| app_holdings(&failed.deployed, &failed.share, Readiness::Failed));
    let found = Contents {
        components: serving.chain(failed).collect(),
        ..Contents::default()
    };
    found.sorted().components
}

fn app_holdings(
    deployed: &Deployed,
    share: &LocalComponents,
    readiness: Readiness,
) -> impl Iterator<Item = HostedComponent> {
    let app = &deployed.app;
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(move |(_, component)| HostedComponent {
        component: ComponentId {
            app: app.metadata.name.clone(),
            component: component.name.clone(),
        },
        revision: Revision(deployed.revision),
        readiness,
    })
}

fn failures(snapshot: &Snapshot) -> Vec<Failure> {
    let failed = snapshot.failed.iter().take(MAX_FAILURES);
    let failures = failed.map(|(_, failed)| Failure {
        app: failed.deployed.app.metadata.name.clone(),
        revision: Revision(failed.deployed.revision),
        reason: truncated_reason(&failed.reason),
    });
    failures.collect()
}

/// The prefix of a reason that fits into an inventory.
fn truncated_reason(reason: &str) -> String {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_that_serve_are_announced_before_those_that_do_not_start() {
        let hosted = |number: usize, readiness| HostedComponent {
            component: ComponentId {
                app: "shop".parse().unwrap(),
                component: format!("c{number:05}").parse().unwrap(),
            },
            revision: Revision(1),
            readiness,
        };
        let failed = (0..100).map(|number| hosted(number, Readiness::Failed));
        let ready = (100..MAX_COMPONENTS + 50).map(|number| hosted(number, Readiness::Ready));
        let found = announced(failed.chain(ready).collect());
        assert_eq!(found.len(), MAX_COMPONENTS);
        let ready = found
            .iter()
            .filter(|hosted| hosted.readiness == Readiness::Ready);
        assert_eq!(ready.count(), MAX_COMPONENTS - 50);
        let contents = Contents {
            components: found,
            ..Contents::default()
        };
        assert!(contents.sorted().hash().is_ok());
        let few: Vec<_> = (0..3)
            .map(|number| hosted(number, Readiness::Failed))
            .collect();
        assert_eq!(announced(few.clone()), few);
    }
}
