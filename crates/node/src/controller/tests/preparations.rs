//! Changes beside preparations, removals and checks that take long.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::FutureExt as _;
use serde_json::json;
use weft_lattice_config::App;
use weft_link::LocalComponents;
use weft_state::store::Record;

use super::fake_provider::provider;
use super::{TestController, TestHosts};
use crate::controller::{DeployError, DesiredApp};
use crate::test_support::{
    app, app_name, app_with, artifact, deployed, events_of, reason, serving, set_in_flight,
    wait_for,
};

/// An app with the route `/`, and the provider `db`.
fn app_with_provider(name: &str, revision: u64, value: u64) -> App {
    let cart = json!({ "name": "cart", "source": { "digest": artifact(name).0 } });
    let spec = json!({
        "components": [cart],
        "providers": [provider("db", value)],
        "routes": [{ "path": "/", "to": "cart" }],
    });
    app_with(name, revision, &spec)
}

fn removed(revision: u64) -> Record {
    Record::Removed {
        revision,
        changed_at_ms: 0,
    }
}

impl TestController {
    /// Begins to reconcile an app with all of its components.
    async fn begin(&self, app: &str, record: Record) {
        let desired = DesiredApp {
            app: app_name(app),
            record: record.into(),
            share: LocalComponents::Part(BTreeSet::from([0])),
        };
        self.controller.reconcile(vec![desired]).await.unwrap();
    }

    async fn wait_for_app(&self, app: &str, revision: u64) {
        let is_serving = |snapshot: &_| serving(snapshot, app) == Some(revision);
        wait_for(&self.controller.watch(), |snapshot| is_serving(snapshot)).await;
    }
}

#[tokio::test]
async fn a_preparation_that_does_not_end_holds_up_nothing_else() {
    let host = TestController::start_in(TestHosts::Many).await;
    let slow = app_name("slow");
    host.runtime.hold_app(&slow);
    host.begin("slow", deployed(1, app("slow", 1))).await;
    host.runtime.wait_for_preparations(&slow, 1).await;
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.wait_for_app("shop", 1).await;
    host.controller.plan(app("blog", 1)).await.unwrap();
    host.controller.check(app("blog", 1)).await.unwrap();
    host.controller.discard(app_name("blog")).await.unwrap();
    host.begin("shop", removed(2)).await;
    let removal = host.controller.wait_for_removal(app_name("shop"), 2);
    removal.await.unwrap();
    assert!(host.controller.snapshot().apps.is_empty());
    host.controller.stop().await;
    host.runtime.wait_for_preparations(&slow, 0).await;
}

#[tokio::test]
async fn what_serves_goes_on_until_its_successor_is_ready() {
    let host = TestController::start_in(TestHosts::Many).await;
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.wait_for_app("shop", 1).await;
    host.runtime.hold_app(&app_name("shop"));
    host.begin("shop", deployed(2, app("shop", 2))).await;
    host.runtime
        .wait_for_preparations(&app_name("shop"), 1)
        .await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    // The same revision again is the same preparation.
    host.begin("shop", deployed(2, app("shop", 2))).await;
    host.runtime.release_app(&app_name("shop"));
    host.wait_for_app("shop", 2).await;
    assert_eq!(host.runtime.prepared(&app_name("shop")), 2);
}

#[tokio::test]
async fn a_preparation_that_is_superseded_is_dropped() {
    let host = TestController::start_in(TestHosts::Many).await;
    let shop = app_name("shop");
    host.runtime.hold_app(&shop);
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.runtime.wait_for_preparations(&shop, 1).await;
    host.begin("shop", deployed(2, app("shop", 2))).await;
    host.runtime.release_app(&shop);
    host.wait_for_app("shop", 2).await;
    host.runtime.wait_for_preparations(&shop, 0).await;
    assert_eq!(host.runtime.prepared(&shop), 2);
    assert_eq!(events_of(&host.events, "shop"), ["app-deployed"]);
}

#[tokio::test]
async fn a_preparation_is_dropped_if_what_serves_is_desired_again() {
    let host = TestController::start_in(TestHosts::Many).await;
    let shop = app_name("shop");
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.wait_for_app("shop", 1).await;
    host.runtime.hold_app(&shop);
    host.begin("shop", deployed(2, app("shop", 2))).await;
    host.runtime.wait_for_preparations(&shop, 1).await;
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.runtime.wait_for_preparations(&shop, 0).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
}

#[tokio::test]
async fn a_preparation_that_would_stop_a_component_is_dropped_if_the_view_is_lost() {
    let host = TestController::start_in(TestHosts::Many).await;
    let (shop, blog) = (app_name("shop"), app_name("blog"));
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.wait_for_app("shop", 1).await;
    host.runtime.hold_app(&shop);
    host.runtime.hold_app(&blog);
    let moved = DesiredApp {
        app: shop.clone(),
        record: deployed(1, app("shop", 1)).into(),
        share: LocalComponents::Part(BTreeSet::new()),
    };
    host.controller.reconcile(vec![moved]).await.unwrap();
    host.begin("blog", deployed(1, app("blog", 1))).await;
    host.runtime.wait_for_preparations(&shop, 1).await;
    host.controller.keep_components().await.unwrap();
    host.runtime.wait_for_preparations(&shop, 0).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    host.runtime.release_app(&blog);
    host.wait_for_app("blog", 1).await;
}

#[tokio::test]
async fn a_preparation_of_a_removed_app_is_dropped() {
    let host = TestController::start_in(TestHosts::Many).await;
    let shop = app_name("shop");
    host.runtime.hold_app(&shop);
    host.begin("shop", deployed(1, app("shop", 1))).await;
    host.runtime.wait_for_preparations(&shop, 1).await;
    host.begin("shop", removed(2)).await;
    host.runtime.wait_for_preparations(&shop, 0).await;
    let removal = host.controller.wait_for_removal(shop, 2);
    removal.await.unwrap();
    assert!(host.controller.snapshot().apps.is_empty());
}

#[tokio::test]
async fn a_deploy_does_not_wait_for_the_check_of_another_app() {
    let host = TestController::start().await;
    host.runtime.hold_app(&app_name("slow"));
    let mut slow = pin!(host.joined.deploy(app("slow", 1)));
    assert!(slow.as_mut().now_or_never().is_none());
    host.runtime
        .wait_for_preparations(&app_name("slow"), 1)
        .await;
    host.joined.deploy(app("shop", 1)).await.unwrap();
    host.joined.undeploy(app_name("shop")).await.unwrap();
    host.runtime.release_app(&app_name("slow"));
    assert_eq!(slow.await.unwrap().deployed.revision, 1);
    assert_eq!(host.response("slow", "cart").await.unwrap(), "slow/cart 1");
}

#[tokio::test]
async fn a_route_is_taken_while_its_first_app_is_checked() {
    let host = TestController::start().await;
    let shop = app_name("shop");
    host.runtime.hold_app(&shop);
    let mut first = pin!(host.joined.deploy(app_with_provider("shop", 1, 1)));
    assert!(first.as_mut().now_or_never().is_none());
    host.runtime.wait_for_preparations(&shop, 1).await;
    let blog = || app_with_provider("blog", 1, 1);
    let error = host.joined.deploy(blog()).await.unwrap_err();
    let reason = reason(&error);
    assert!(
        matches!(reason, DeployError::RouteTaken { .. }),
        "{error:?}"
    );
    // A check that fails takes nothing.
    host.runtime.break_app(&shop);
    host.runtime.release_app(&shop);
    first.await.unwrap_err();
    host.joined.deploy(blog()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_removed_app_holds_up_no_other_app() {
    let host = TestController::start().await;
    host.joined
        .deploy(app_with_provider("shop", 1, 1))
        .await
        .unwrap();
    set_in_flight(&host.controller.snapshot(), "shop", 1);
    let mut undeploy = pin!(host.joined.undeploy(app_name("shop")));
    tokio::select! {
        _ = &mut undeploy => panic!("the app ended before its request"),
        _ = wait_for(&host.controller.watch(), |snapshot| snapshot.apps.is_empty()) => {}
    }
    let start = tokio::time::Instant::now();
    host.joined.deploy(app("blog", 1)).await.unwrap();
    assert_eq!(start.elapsed(), std::time::Duration::ZERO);
    assert!(undeploy.now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_deployed_again_takes_the_providers_over_from_its_last_requests() {
    let host = TestController::start().await;
    host.joined
        .deploy(app_with_provider("shop", 1, 1))
        .await
        .unwrap();
    let before = host.controller.snapshot();
    set_in_flight(&before, "shop", 1);
    let mut undeploy = pin!(host.joined.undeploy(app_name("shop")));
    tokio::select! {
        _ = &mut undeploy => panic!("the app ended before its request"),
        _ = wait_for(&host.controller.watch(), |snapshot| snapshot.apps.is_empty()) => {}
    }
    host.joined
        .deploy(app_with_provider("shop", 2, 1))
        .await
        .unwrap();
    assert_eq!(undeploy.await.unwrap(), 2);
    set_in_flight(&before, "shop", 0);
    // The end of the removed revision is past its last request.
    host.joined.deploy(app("blog", 1)).await.unwrap();
    tokio::time::sleep(crate::controller::binding::FINISH_DEADLINE).await;
    assert_eq!(host.providers.take(), ["make db 1"]);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 2");
    host.joined.undeploy(app_name("shop")).await.unwrap();
    assert_eq!(host.providers.take(), ["close db 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_provider_of_an_app_that_is_deployed_again_is_closed_before_it_is_made() {
    let host = TestController::start().await;
    host.joined
        .deploy(app_with_provider("shop", 1, 1))
        .await
        .unwrap();
    set_in_flight(&host.controller.snapshot(), "shop", 1);
    let mut undeploy = pin!(host.joined.undeploy(app_name("shop")));
    tokio::select! {
        _ = &mut undeploy => panic!("the app ended before its request"),
        _ = wait_for(&host.controller.watch(), |snapshot| snapshot.apps.is_empty()) => {}
    }
    host.joined
        .deploy(app_with_provider("shop", 2, 2))
        .await
        .unwrap();
    undeploy.await.unwrap();
    assert_eq!(
        host.providers.take(),
        ["make db 1", "close db 1", "make db 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stopping_host_does_not_wait_for_the_requests_of_a_removed_app() {
    let host = TestController::start().await;
    host.joined
        .deploy(app_with_provider("shop", 1, 1))
        .await
        .unwrap();
    set_in_flight(&host.controller.snapshot(), "shop", 1);
    let mut undeploy = pin!(host.joined.undeploy(app_name("shop")));
    tokio::select! {
        _ = &mut undeploy => panic!("the app ended before its request"),
        _ = wait_for(&host.controller.watch(), |snapshot| snapshot.apps.is_empty()) => {}
    }
    host.controller.stop().await;
    assert_eq!(host.providers.take(), ["make db 1", "close db 1"]);
}
