//! Reconciliation of a host in a lattice of many.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use weft_lattice_config::App;
use weft_link::LocalComponents;
use weft_state::store::Record;

use super::{TestController, TestHosts};
use crate::controller::actor::reconcile::RETRY_FIRST;
use crate::controller::{AppState, DesiredApp};
use crate::test_support::{app_name, app_with, artifact, deployed, events_of, serving};

/// An app with the components `cart` and `till`.
fn app(name: &str, revision: u64) -> App {
    let digest = artifact(name).0;
    let component = |component| json!({ "name": component, "source": { "digest": digest } });
    let components = [component("cart"), component("till")];
    app_with(name, revision, &json!({ "components": components }))
}

fn removed(revision: u64) -> Record {
    Record::Removed {
        revision,
        changed_at_ms: 0,
    }
}

impl TestController {
    async fn reconcile(&self, app: &str, record: Record, components: &[usize]) {
        let desired = DesiredApp {
            app: app_name(app),
            record: record.into(),
            share: LocalComponents::Part(components.iter().copied().collect::<BTreeSet<_>>()),
        };
        self.controller.reconcile(vec![desired]).await.unwrap();
        self.controller.wait_for_starts().await.unwrap();
    }

    fn components(&self, app: &str) -> Vec<String> {
        let snapshot = self.controller.snapshot();
        let components = snapshot.running(app).unwrap().components();
        components.into_iter().map(|found| found.name).collect()
    }
}

#[tokio::test]
async fn the_components_of_the_share_start_and_no_others() {
    let host = TestController::start_in(TestHosts::Many).await;
    host.reconcile("shop", deployed(1, app("shop", 1)), &[1])
        .await;
    assert_eq!(host.components("shop"), ["till"]);
    assert_eq!(host.response("shop", "cart").await, None);
    assert_eq!(host.response("shop", "till").await.unwrap(), "shop/till 1");
    host.reconcile("shop", deployed(1, app("shop", 1)), &[0, 1])
        .await;
    assert_eq!(host.components("shop"), ["cart", "till"]);
    // A changed share is not a new revision.
    assert_eq!(events_of(&host.events, "shop"), ["app-deployed"]);
    // The replica on disk belongs to the reconciler.
    assert!(host.store.all().unwrap().is_empty());
}

#[tokio::test]
async fn an_app_that_is_as_desired_is_not_started_again() {
    let host = TestController::start_in(TestHosts::Many).await;
    let record = deployed(1, app("shop", 1));
    host.reconcile("shop", record.clone(), &[0]).await;
    host.reconcile("shop", record, &[0]).await;
    assert_eq!(host.runtime.prepared(&app_name("shop")), 1);
}

#[tokio::test]
async fn apps_that_are_not_given_stay_as_they_are() {
    let host = TestController::start_in(TestHosts::Many).await;
    host.reconcile("shop", deployed(1, app("shop", 1)), &[0])
        .await;
    host.reconcile("blog", deployed(1, app("blog", 1)), &[0])
        .await;
    host.controller.reconcile(Vec::new()).await.unwrap();
    let snapshot = host.controller.snapshot();
    assert_eq!(serving(&snapshot, "shop"), Some(1));
    assert_eq!(serving(&snapshot, "blog"), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_revision_is_reported_and_tried_again_after_the_backoff() {
    let host = TestController::start_in(TestHosts::Many).await;
    let shop = app_name("shop");
    host.reconcile("shop", deployed(1, app("shop", 1)), &[0])
        .await;
    host.runtime.break_app(&shop);
    let second = deployed(2, app("shop", 2));
    host.reconcile("shop", second.clone(), &[0]).await;
    let snapshot = host.controller.snapshot();
    assert_eq!(serving(&snapshot, "shop"), Some(1));
    assert_eq!(snapshot.failed["shop"].deployed.revision, 2);
    assert_eq!(snapshot.failed["shop"].reason, "app `shop` is broken");
    assert_eq!(host.runtime.prepared(&shop), 2);
    // Not due yet.
    host.reconcile("shop", second.clone(), &[0]).await;
    assert_eq!(host.runtime.prepared(&shop), 2);
    tokio::time::advance(RETRY_FIRST).await;
    host.reconcile("shop", second.clone(), &[0]).await;
    assert_eq!(host.runtime.prepared(&shop), 3);
    // Each failure doubles the pause.
    host.runtime.repair_app(&shop);
    tokio::time::advance(RETRY_FIRST).await;
    host.reconcile("shop", second.clone(), &[0]).await;
    assert_eq!(host.runtime.prepared(&shop), 3);
    tokio::time::advance(RETRY_FIRST).await;
    host.reconcile("shop", second, &[0]).await;
    let snapshot = host.controller.snapshot();
    assert_eq!(serving(&snapshot, "shop"), Some(2));
    assert!(snapshot.failed.is_empty());
    let events = events_of(&host.events, "shop");
    assert_eq!(events, ["app-deployed", "app-failed", "app-deployed"]);
}

#[tokio::test]
async fn a_first_revision_that_fails_is_desired_but_does_not_serve() {
    let host = TestController::start_in(TestHosts::Many).await;
    host.runtime.break_app(&app_name("shop"));
    host.reconcile("shop", deployed(1, app("shop", 1)), &[0])
        .await;
    let snapshot = host.controller.snapshot();
    let shop = &snapshot.apps["shop"];
    assert!(matches!(&shop.state, AppState::Failed(reason) if reason == "app `shop` is broken"));
    assert_eq!(host.response("shop", "cart").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_revision_that_is_not_desired_any_more_is_forgotten() {
    let host = TestController::start_in(TestHosts::Many).await;
    let first = deployed(1, app("shop", 1));
    host.reconcile("shop", first.clone(), &[0]).await;
    host.runtime.break_app(&app_name("shop"));
    host.reconcile("shop", deployed(2, app("shop", 2)), &[0])
        .await;
    assert!(host.controller.snapshot().failed.contains_key("shop"));
    host.reconcile("shop", first, &[0]).await;
    assert!(host.controller.snapshot().failed.is_empty());
    // A repaired revision is tried at once: the pause was for the broken one.
    host.runtime.repair_app(&app_name("shop"));
    host.reconcile("shop", deployed(3, app("shop", 3)), &[0])
        .await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 3");
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_attempts_has_a_bound() {
    let host = TestController::start_in(TestHosts::Many).await;
    let shop = app_name("shop");
    host.runtime.break_app(&shop);
    let record = deployed(1, app("shop", 1));
    for attempt in 1..=10 {
        host.reconcile("shop", record.clone(), &[0]).await;
        assert_eq!(host.runtime.prepared(&shop), attempt);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn a_removal_ends_the_app_and_an_older_one_does_not() {
    let host = TestController::start_in(TestHosts::Many).await;
    host.reconcile("shop", deployed(2, app("shop", 2)), &[0])
        .await;
    host.reconcile("shop", removed(1), &[]).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 2");
    host.reconcile("shop", removed(3), &[]).await;
    assert!(host.controller.snapshot().apps.is_empty());
    let events = events_of(&host.events, "shop");
    assert_eq!(events, ["app-deployed", "app-removed"]);
}
