//! Deploys and removals of a host alone.

use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use redb::{Database, TableDefinition};
use serde_json::json;
use tokio::time::Instant;
use weft_ingress::{Readiness, RouteTarget};
use weft_lattice_config::route_owners::{RouteClaim, RouteOwners};
use weft_state::store::{Record, Store};

use super::fake_provider::provider;
use super::{TestController, TestHosts};
use crate::controller::binding::FINISH_DEADLINE;
use crate::controller::{AppState, DeployError};
use crate::desired_writer::ChangeError;
use crate::fake_runtime::FakeRuntime;
use crate::runtime::PrepareErrorKind;
use crate::test_support::{
    app, app_name, app_on, app_with, artifact, events_of, reason, serving, set_in_flight, wait_for,
};

/// An app with the route `/`, and one provider.
fn app_with_route(name: &str) -> weft_lattice_config::App {
    let cart = json!({ "name": "cart", "source": { "digest": artifact(name).0 } });
    let spec = json!({
        "components": [cart],
        "providers": [provider("db", 1)],
        "routes": [{ "path": "/", "to": "cart" }],
    });
    app_with(name, 1, &spec)
}

#[tokio::test]
async fn a_deployed_app_serves_and_is_stored() {
    let host = TestController::start().await;
    let first = host.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(first.deployed.revision, 1);
    assert_eq!(first.changes, ["new app `shop`"]);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    let second = host.joined.deploy(app("shop", 2)).await.unwrap();
    assert_eq!(second.deployed.revision, 2);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 2");
    assert_eq!(host.records(), [Record::Deployed(second.deployed)]);
    assert_eq!(events_of(&host.events, "shop"), ["app-deployed"; 2]);
}

#[tokio::test]
async fn a_host_alone_runs_every_component_whatever_its_placement_requires() {
    let host = TestController::start().await;
    host.joined
        .deploy(app_on("elsewhere", "shop", 1))
        .await
        .unwrap();
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    let plan = host.joined.cluster_view().plan();
    let hosts: Vec<_> = plan.assignments.into_values().collect();
    assert_eq!(hosts, [[host.joined.me.to_string().parse().unwrap()]]);
}

#[tokio::test]
async fn a_deploy_that_changes_nothing_makes_no_revision() {
    let host = TestController::start().await;
    host.joined.deploy(app("shop", 1)).await.unwrap();
    let again = host.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(again.deployed.revision, 1);
    assert_eq!(again.changes, [""; 0]);
    assert_eq!(host.runtime.prepared(&app_name("shop")), 1);
}

#[tokio::test]
async fn a_restarted_host_serves_the_stored_apps() {
    let host = TestController::start().await;
    host.joined.deploy(app("shop", 1)).await.unwrap();
    host.joined.deploy(app("blog", 1)).await.unwrap();
    host.joined.undeploy(app_name("blog")).await.unwrap();
    let host = host.restart(Arc::default()).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    assert_eq!(host.response("blog", "cart").await, None);
    let deployed = host.joined.deploy(app("blog", 2)).await.unwrap();
    assert_eq!(deployed.deployed.revision, 3);
}

#[tokio::test]
async fn an_app_that_does_not_start_after_a_restart_is_reported_and_stays_stored() {
    let host = TestController::start().await;
    host.joined.deploy(app("shop", 1)).await.unwrap();
    host.joined.deploy(app("blog", 1)).await.unwrap();
    let runtime = FakeRuntime::default();
    runtime.break_app(&app_name("shop"));
    let host = host.restart(Arc::new(runtime)).await;
    let snapshot = host.controller.snapshot();
    let state = &snapshot.apps["shop"].state;
    assert!(matches!(state, AppState::Failed(reason) if reason == "app `shop` is broken"));
    assert_eq!(snapshot.failed["shop"].reason, "app `shop` is broken");
    assert_eq!(events_of(&host.events, "shop"), ["app-failed"]);
    assert_eq!(serving(&snapshot, "blog"), Some(1));
    let host = host.restart(Arc::default()).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
}

#[tokio::test]
async fn a_revision_that_cannot_be_prepared_takes_nothing_from_the_one_that_serves() {
    let host = TestController::start().await;
    let first = host.joined.deploy(app("shop", 1)).await.unwrap();
    host.runtime.break_app(&app_name("shop"));
    let error = host.joined.deploy(app("shop", 2)).await.unwrap_err();
    let DeployError::Prepare(error) = reason(&error) else {
        panic!("{error:?}")
    };
    assert_eq!(error.kind, PrepareErrorKind::Refused);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    assert_eq!(host.records(), [Record::Deployed(first.deployed)]);
}

#[tokio::test]
async fn a_first_revision_that_is_discarded_leaves_no_provider_open() {
    let host = TestController::start().await;
    host.controller.check(app_with_route("shop")).await.unwrap();
    host.controller.discard(app_name("shop")).await.unwrap();
    assert_eq!(host.providers.take(), ["make db 1", "close db 1"]);
    assert!(host.controller.snapshot().apps.is_empty());
}

#[tokio::test]
async fn a_revision_that_is_discarded_leaves_the_old_one_with_its_providers() {
    let host = TestController::start().await;
    let shop = |revision, providers| {
        let cart = json!({ "name": "cart", "source": { "digest": artifact("shop").0 } });
        let spec = json!({ "components": [cart], "providers": providers });
        app_with("shop", revision, &spec)
    };
    let first = shop(1, json!([provider("db", 1), provider("log", 1)]));
    host.joined.deploy(first).await.unwrap();
    host.providers.take();
    let second = json!([provider("db", 2), provider("log", 1), provider("cache", 1)]);
    host.controller.check(shop(2, second)).await.unwrap();
    host.controller.discard(app_name("shop")).await.unwrap();
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    let log = [
        "close db 1",
        "make db 2",
        "make cache 1",
        "close db 2",
        "make db 1",
        "close cache 1",
    ];
    assert_eq!(host.providers.take(), log);
    host.controller.stop().await;
    assert_eq!(host.providers.take(), ["close db 1", "close log 1"]);
}

/// A host alone that starts with the bytes of a record in its database.
async fn host_with_stored_record(app: &str, record: &[u8]) -> TestController {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("desired.redb");
    drop(Store::open(&path).unwrap());
    let apps = TableDefinition::<&str, &[u8]>::new("apps.v1");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(apps).unwrap();
    table.insert(app, record).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    let store = Arc::new(Store::open(&path).unwrap());
    TestController::start_on(Arc::default(), store, directory, TestHosts::Alone).await
}

#[tokio::test]
async fn the_database_of_an_earlier_version_starts_with_its_apps_and_revisions() {
    let app = serde_json::to_string(&app("shop", 7)).unwrap();
    let record = format!(r#"{{"deployed":{{"revision":7,"changed_at_ms":1,"app":{app}}}}}"#);
    let host = host_with_stored_record("shop", record.as_bytes()).await;
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 7");
    assert_eq!(events_of(&host.events, "shop"), [""; 0]);
    assert_eq!(host.joined.undeploy(app_name("shop")).await.unwrap(), 8);
}

#[tokio::test]
async fn a_record_of_a_newer_version_takes_no_deploy_and_stays() {
    let host = host_with_stored_record("shop", br#"{"paused":{}}"#).await;
    let error = host.joined.deploy(app_with_route("shop")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("cannot be read by this version"), "{error}");
    assert_eq!(host.providers.take(), ["make db 1", "close db 1"]);
    assert!(host.controller.snapshot().apps.is_empty());
}

#[tokio::test]
async fn a_damaged_record_is_replaced_by_a_deploy_that_is_forced() {
    for record in [
        &br#"{"deployed":{"revision":7,"#[..],
        br#"{"paused":{"revision":7}}"#,
    ] {
        let host = host_with_stored_record("shop", record).await;
        let error = host.joined.deploy(app("shop", 1)).await.unwrap_err();
        assert!(error.to_string().contains("--force"), "{error}");
        let forced = host.joined.deploy_over_damage(app("shop", 1)).await;
        let forced = forced.unwrap().deployed;
        assert_eq!(forced.revision, if record[2] == b'p' { 8 } else { 1 });
        assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
        assert_eq!(host.records(), [Record::Deployed(forced)]);
        let host = host.restart(Arc::default()).await;
        assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
    }
}

#[tokio::test]
async fn a_revision_that_did_not_start_is_started_by_a_repeated_deploy() {
    let host = TestController::start().await;
    host.joined.deploy(app("shop", 1)).await.unwrap();
    let runtime = Arc::new(FakeRuntime::default());
    runtime.break_app(&app_name("shop"));
    let host = host.restart(runtime).await;
    let error = host.joined.deploy(app("shop", 1)).await.unwrap_err();
    let reason = reason(&error);
    assert!(matches!(reason, DeployError::Prepare(_)), "{error:?}");
    host.runtime.repair_app(&app_name("shop"));
    let again = host.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(again.deployed.revision, 2);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
}

#[tokio::test]
async fn a_check_and_a_plan_list_the_changes_and_make_none() {
    let host = TestController::start().await;
    let new = ["new app `shop`"];
    assert_eq!(host.controller.check(app("shop", 1)).await.unwrap(), new);
    assert_eq!(host.controller.plan(app("shop", 1)).await.unwrap(), new);
    host.runtime.break_app(&app_name("shop"));
    let planned = host.controller.plan(app("shop", 1)).await;
    let checked = host.controller.check(app("shop", 1)).await;
    for error in [planned, checked].map(Result::unwrap_err) {
        let reason = reason(&error);
        assert!(matches!(reason, DeployError::Prepare(_)), "{error:?}");
    }
    assert!(host.controller.snapshot().apps.is_empty());
    assert!(host.store.all().unwrap().is_empty());
}

#[tokio::test]
async fn a_route_of_another_app_is_rejected() {
    let host = TestController::start().await;
    let shop = app_with_route("shop");
    host.joined.deploy(shop).await.unwrap();
    let error = host.joined.deploy(app_with_route("blog")).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "route `*/` of `blog/cart` is taken by `shop/cart`; change one of them, or undeploy the \
         other app"
    );
    assert_eq!(host.runtime.prepared(&app_name("blog")), 0);
    let routes = host.controller.routes().borrow().clone();
    let Some(RouteTarget::Local(handler)) = routes.find("shop.test", "/") else {
        panic!("the route has no component of this host")
    };
    assert_eq!(handler.name(), "shop/cart");
}

#[tokio::test]
async fn a_conflict_of_two_other_apps_refuses_no_deploy() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    let [shop, blog] = [app_with_route("shop"), app_with_route("blog")];
    let claims = [(&shop, 1), (&blog, 2)].map(|(app, since)| RouteClaim {
        app: &app.metadata.name,
        route: &app.spec.routes[0],
        since,
    });
    let owners = Arc::new(RouteOwners::new(claims));
    host.controller.set_route_owners(owners).await.unwrap();
    let other = host.controller.check(app("other", 1)).await;
    other.unwrap();
    host.controller.discard(app_name("other")).await.unwrap();
    host.controller.check(shop).await.unwrap();
    let refused = host.controller.check(blog).await.unwrap_err();
    let reason = reason(&refused);
    assert!(
        matches!(reason, DeployError::RouteTaken { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_plan_and_a_deploy_have_all_mistakes_with_their_places_and_touch_no_provider() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    host.providers.take();
    host.runtime.break_app(&app_name("blog"));
    let cart = json!({ "name": "cart", "source": { "digest": artifact("blog").0 } });
    let providers = json!([
        { "name": "db", "type": "fake", "config": { "value": 1 } },
        { "name": "log", "type": "fame" },
    ]);
    let routes = json!([{ "path": "/own", "to": "cart" }, { "path": "/", "to": "cart" }]);
    let spec = json!({ "components": [cart], "providers": providers, "routes": routes });
    let blog = || app_with("blog", 1, &spec);
    let planned = host.controller.plan(blog()).await.map(drop);
    let deployed = host.joined.deploy(blog()).await.map(drop);
    for error in [planned, deployed].map(Result::unwrap_err) {
        let DeployError::Rejected(rejection) = &error else {
            panic!("{error:?}")
        };
        let mut mistakes = rejection.mistakes().0;
        mistakes.sort_by(|left, right| left.path.cmp(&right.path));
        let [broken, unknown_type, route] = &mistakes[..] else {
            panic!("{mistakes:?}")
        };
        assert_eq!(
            (&*broken.path, &*broken.message),
            ("", "app `blog` is broken")
        );
        assert_eq!(unknown_type.path, "spec.providers[1].type");
        assert_eq!(unknown_type.help.as_deref(), Some("did you mean `fake`?"));
        assert_eq!(route.path, "spec.routes[1]");
        assert!(route.message.contains("taken by `shop/cart`"), "{route:?}");
    }
    assert_eq!(host.providers.take(), [""; 0]);
    assert_eq!(host.response("shop", "cart").await.unwrap(), "shop/cart 1");
}

#[tokio::test]
async fn the_route_of_an_app_that_does_not_start_is_unavailable_and_not_unknown() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    let runtime = Arc::new(FakeRuntime::default());
    runtime.break_app(&app_name("shop"));
    let host = host.restart(runtime).await;
    let routes = host.controller.routes().borrow().clone();
    let Some(RouteTarget::Unavailable(reason)) = routes.find("shop.test", "/") else {
        panic!("the route is unknown")
    };
    assert!(reason.contains("`shop/cart`"), "{reason}");
    assert_eq!(host.joined.readiness(), Readiness::Ready);
}

#[tokio::test]
async fn a_removed_app_leaves_its_route_to_others() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    assert_eq!(host.joined.undeploy(app_name("shop")).await.unwrap(), 2);
    let routes = host.controller.routes();
    assert!(routes.borrow().find("shop.test", "/").is_none());
    host.joined.deploy(app_with_route("blog")).await.unwrap();
    let is_found = routes.borrow().find("shop.test", "/").is_some();
    assert!(is_found);
}

#[tokio::test(start_paused = true)]
async fn an_undeployed_app_ends_once_its_requests_are_done() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    assert_eq!(host.providers.take(), ["make db 1"]);
    let before = host.controller.snapshot();
    set_in_flight(&before, "shop", 1);
    let mut undeploy = pin!(host.joined.undeploy(app_name("shop")));
    let snapshots = host.controller.watch();
    tokio::select! {
        _ = &mut undeploy => panic!("the app ended before its request"),
        _ = wait_for(&snapshots, |snapshot| snapshot.apps.is_empty()) => {}
    }
    assert!(undeploy.as_mut().now_or_never().is_none());
    assert_eq!(host.providers.take(), [""; 0]);
    set_in_flight(&before, "shop", 0);
    assert_eq!(undeploy.await.unwrap(), 2);
    assert_eq!(host.providers.take(), ["close db 1"]);
}

#[tokio::test(start_paused = true)]
async fn an_undeployed_app_whose_requests_do_not_end_ends_at_the_bound() {
    let host = TestController::start().await;
    host.joined.deploy(app_with_route("shop")).await.unwrap();
    set_in_flight(&host.controller.snapshot(), "shop", 1);
    let start = Instant::now();
    host.joined.undeploy(app_name("shop")).await.unwrap();
    let waited = start.elapsed();
    assert!(waited >= FINISH_DEADLINE, "{waited:?}");
    assert!(waited < FINISH_DEADLINE * 2, "{waited:?}");
    assert_eq!(host.providers.take(), ["make db 1", "close db 1"]);
}

#[tokio::test]
async fn an_app_that_is_not_deployed_cannot_be_undeployed() {
    let host = TestController::start().await;
    let error = host.joined.undeploy(app_name("shop")).await.unwrap_err();
    assert_eq!(error.to_string(), "no app `shop` is deployed");
    assert!(matches!(
        error,
        DeployError::Lattice(ChangeError::Missing { .. })
    ));
}

#[tokio::test]
async fn a_stopped_controller_takes_no_change() {
    let host = TestController::start().await;
    host.controller.stop().await;
    let error = host.joined.deploy(app("shop", 1)).await.unwrap_err();
    assert!(matches!(error, DeployError::Stopping), "{error:?}");
}
