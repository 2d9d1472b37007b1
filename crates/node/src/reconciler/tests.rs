//! Whole hosts on the in-process bus, in paused time.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};
use weft_bus::local::JetStreamContent;
use weft_ingress::{RouteTable, RouteTarget};
use weft_lattice_config::App;
use weft_lattice_config::placement::ComponentId;
use weft_membership::message::Failure;
use weft_membership::{SETTLE_AFTER_RETURN, SETTLE_AFTER_START};
use weft_state::buckets::BucketOptions;
use weft_state::desired::Revision;
use weft_state::desired::record_codec::{self, DecodedRecord, app_key};
use weft_state::store::Deployed;

use super::*;
use crate::controller::lost_routes;
use crate::test_support::{
    TestHost, TestLattice, app, app_name, app_on, app_with, artifact, deployed, serving, wait_for,
};

/// Longer than any change of the placement takes.
const LONG: Duration = Duration::from_secs(30);

/// An app with a replica on each of two hosts.
fn app_on_two_hosts(name: &str, revision: u64) -> App {
    let cart = json!({
        "name": "cart",
        "source": { "digest": artifact(name).0 },
        "replicas": 2,
        "placement": { "one-per-host": true },
    });
    app_with(name, revision, &json!({ "components": [cart] }))
}

fn records(host: &TestHost) -> &desired::Records {
    &host.joined.writer.stores.records
}

/// Waits until the bucket has a revision of an app.
async fn wait_for_bucket(host: &TestHost, app: &str, revision: u64) {
    let mut watch = records(host).watch();
    let arrives = async {
        while let Some(watched) = watch.next().await {
            let WatchEvent::Record { key, record } = watched else {
                continue;
            };
            if let DecodedRecord::App(found, record) = record_codec::decode(&key, &record.value)
                && found.as_str() == app
                && record.revision() == revision
            {
                return;
            }
        }
        panic!("the bus was closed");
    };
    let arrives = timeout(LONG, arrives).await;
    arrives.expect("the bucket does not have the record in time");
}

/// Waits until `observer` has received that `host` has, or does not have, a condition.
async fn wait_for_condition(
    observer: &TestHost,
    host: &TestHost,
    condition: HostCondition,
    is_present: bool,
) {
    wait_for(&observer.joined.membership, |membership| {
        let contents = membership
            .view
            .host(host.id)
            .and_then(|view| view.contents.clone());
        contents.is_some_and(|contents| contents.conditions.contains(&condition) == is_present)
    })
    .await;
}

/// The failures that a host reports.
fn failures(membership: &MembershipSnapshot, host: &TestHost) -> Vec<Failure> {
    let view = membership.view.host(host.id);
    let contents = view.and_then(|view| view.contents.clone());
    contents.map_or_else(Vec::new, |contents| contents.failures.clone())
}

/// True if a host starts to serve an app within [`LONG`].
async fn starts(host: &TestHost, app: &str) -> bool {
    timeout(LONG, host.wait_for_app(app, 1)).await.is_ok()
}

/// The two hosts, the one of the component `shop/cart` first.
fn by_placement<'h>(one: &'h TestHost, other: &'h TestHost) -> (&'h TestHost, &'h TestHost) {
    let cart: ComponentId = "shop/cart".parse().unwrap();
    let assignments = one.joined.cluster_view().plan().assignments;
    assert_eq!(assignments, other.joined.cluster_view().plan().assignments);
    if assignments[&cart][0].as_str() == one.id.to_string() {
        (one, other)
    } else {
        (other, one)
    }
}

/// Waits until a host runs the component `cart` of an app.
async fn wait_for_component(host: &TestHost, app: &str) {
    wait_for(&host.controller.watch(), |snapshot| {
        snapshot.handler(app, "cart").is_some()
    })
    .await;
}

/// Waits until a host has received a revision of an app.
async fn wait_for_replica(host: &TestHost, app: &str, revision: u64) {
    wait_for(&host.joined.replica, |replica| {
        let record = replica.apps().get(&app_name(app));
        record.is_some_and(|record| record.revision() == revision)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_app_starts_on_the_host_that_placement_chose_and_on_no_other() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    wait_for_replica(&b, "shop", 1).await;
    let (chosen, other) = by_placement(&a, &b);
    chosen.wait_for_app("shop", 1).await;
    assert_eq!(chosen.response("shop").await.unwrap(), "shop/cart 1");
    other.wait_for_app("shop", 1).await;
    assert_eq!(other.response("shop").await, None);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_no_host_may_run_starts_nowhere() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("c", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    assert_eq!(a.response("shop").await, None);
    assert_eq!(b.response("shop").await, None);
}

#[tokio::test(start_paused = true)]
async fn the_app_of_a_dead_host_moves_to_another() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    wait_for_replica(&b, "shop", 1).await;
    let (chosen, other) = by_placement(&a, &b);
    wait_for_component(chosen, "shop").await;
    lattice.network.disconnect(&chosen.name);
    wait_for_component(other, "shop").await;
    // The dead host may only be cut off: it serves on.
    assert_eq!(chosen.response("shop").await.unwrap(), "shop/cart 1");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_cut_off_takes_over_nothing() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    wait_for_replica(&b, "shop", 1).await;
    let (chosen, other) = by_placement(&a, &b);
    wait_for_component(chosen, "shop").await;
    // The other host has the artifact, so nothing else keeps it from starting the app.
    other.wait_for_app("shop", 1).await;
    lattice.network.disconnect(&other.name);
    wait_for(&other.joined.membership, |membership| {
        membership.pause == Some(PlacementPause::Disconnected)
    })
    .await;
    let takes_over = wait_for_component(other, "shop");
    assert!(timeout(LONG, takes_over).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn placement_is_paused_while_the_view_is_frozen() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    let client = lattice.network.join("client", &lattice.scope);
    let client =
        desired::Records::open(&client, record_codec::RECORDS, &BucketOptions::default()).unwrap();
    lattice.network.disconnect("a");
    wait_for(&a.joined.membership, |membership| {
        membership.pause == Some(PlacementPause::Disconnected)
    })
    .await;
    a.store_artifact("shop");
    let key = app_key(&app_name("shop")).unwrap();
    let record = record_codec::encode_app(&deployed(1, app("shop", 1))).unwrap();
    let put = client.put(&key, record, Revision::NONE);
    put.await.unwrap();
    lattice.network.connect("a");
    let returned = Instant::now();
    wait_for_replica(&a, "shop", 1).await;
    assert!(returned.elapsed() < SETTLE_AFTER_RETURN);
    wait_for_component(&a, "shop").await;
    let paused = returned.elapsed();
    assert!(paused >= SETTLE_AFTER_RETURN, "{paused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_joins_starts_nothing_before_it_can_know_the_others() {
    let lattice = TestLattice::new();
    let disk = lattice.disk("a");
    disk.store_records(&[("shop", deployed(1, app("shop", 1)))]);
    disk.store_artifact("shop");
    let started = Instant::now();
    let a = disk.start().await;
    wait_for_component(&a, "shop").await;
    let waited = started.elapsed();
    assert!(waited >= SETTLE_AFTER_START, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_bus_serves_alone_from_its_disk() {
    let lattice = TestLattice::new();
    let disk = lattice.disk("a");
    disk.store_records(&[("shop", deployed(1, app("shop", 1)))]);
    disk.store_artifact("shop");
    let started = Instant::now();
    let a = disk.start_disconnected().await;
    a.wait_for_app("shop", 1).await;
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 1");
    let waited = started.elapsed();
    assert!(waited >= STANDALONE_AFTER, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_erased_bucket_is_refilled_and_nothing_is_undeployed() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    let stops = wait_for(&b.controller.watch(), |snapshot| {
        serving(snapshot, "shop").is_none()
    });
    lattice
        .network
        .replace_jetstream(JetStreamContent::default());
    tokio::select! {
        _ = stops => panic!("the app was undeployed"),
        () = wait_for_bucket(&a, "shop", 1) => {}
    }
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    assert_eq!(b.events_of("shop"), ["app-deployed"]);
}

#[tokio::test(start_paused = true)]
async fn an_older_bucket_is_refilled_and_no_older_revision_comes_back() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    let older = lattice.network.jetstream_content();
    a.joined.deploy(app_on("b", "shop", 2)).await.unwrap();
    b.wait_for_app("shop", 2).await;
    let returns = wait_for(&b.controller.watch(), |snapshot| {
        serving(snapshot, "shop") != Some(2)
    });
    lattice.network.replace_jetstream(older);
    tokio::select! {
        _ = returns => panic!("an older revision came back"),
        () = wait_for_bucket(&a, "shop", 2) => {}
    }
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 2");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_this_version_cannot_decode_changes_nothing() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    let key = app_key(&app_name("shop")).unwrap();
    let stored = records(&a).get(&key).await.unwrap().unwrap();
    let newer = br#"{"paused":{}}"#.as_slice().into();
    records(&a).put(&key, newer, stored.revision).await.unwrap();
    a.store_artifact("blog");
    a.joined.deploy(app("blog", 1)).await.unwrap();
    // The reconciler has processed both records by now.
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 1");
    let after = records(&a).get(&key).await.unwrap().unwrap();
    assert_eq!(&after.value[..], br#"{"paused":{}}"#);
}

#[tokio::test(start_paused = true)]
async fn missing_artifacts_delay_the_start_and_are_reported() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let record = record_codec::encode_app(&deployed(1, app_on("b", "shop", 1))).unwrap();
    let key = app_key(&app_name("shop")).unwrap();
    let put = records(&a).put(&key, record, Revision::NONE);
    put.await.unwrap();
    wait_for_condition(&a, &b, HostCondition::ArtifactsMissing, true).await;
    assert!(!starts(&b, "shop").await);
    // The host that only stores the artifact is in no trouble.
    let snapshot = a.joined.membership.borrow().clone();
    let own = snapshot.view.host(a.id).unwrap().contents.clone().unwrap();
    assert_eq!(own.conditions, []);
    let (_, bytes) = artifact("shop");
    let objects = a.joined.writer.stores.objects.as_ref().unwrap();
    objects.put(bytes.into()).await.unwrap();
    b.wait_for_app("shop", 1).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    wait_for_condition(&a, &b, HostCondition::ArtifactsMissing, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_fails_on_one_host_is_reported_to_the_others_and_tried_again() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    b.runtime.break_app(&app_name("shop"));
    a.joined.deploy(app_on("b", "shop", 2)).await.unwrap();
    let reported = wait_for(&a.joined.membership, |membership| {
        !failures(membership, &b).is_empty()
    });
    let reported = reported.await;
    let failures = failures(&reported, &b);
    assert_eq!(failures[0].revision.0, 2);
    assert_eq!(failures[0].reason, "app `shop` is broken");
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    b.runtime.repair_app(&app_name("shop"));
    b.wait_for_app("shop", 2).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 2");
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_bucket_is_reported_and_nothing_is_undeployed() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    lattice.network.set_jetstream_unreachable(&["b"]);
    wait_for_condition(&a, &b, HostCondition::BucketUnavailable, true).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    lattice.network.set_jetstream_unreachable(&[]);
    wait_for_condition(&a, &b, HostCondition::BucketUnavailable, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_ends_the_app_on_every_host() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on_two_hosts("shop", 1)).await.unwrap();
    wait_for_component(&a, "shop").await;
    wait_for_component(&b, "shop").await;
    assert_eq!(a.joined.undeploy(app_name("shop")).await.unwrap(), 2);
    assert_eq!(a.response("shop").await, None);
    wait_for(&b.controller.watch(), |snapshot| snapshot.apps.is_empty()).await;
    assert_eq!(b.events_of("shop"), ["app-deployed", "app-removed"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_missed_a_removal_does_not_bring_the_app_back() {
    let lattice = TestLattice::new();
    let a = lattice.host("a").await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    a.joined.undeploy(app_name("shop")).await.unwrap();
    let disk = lattice.disk("b");
    disk.store_records(&[("shop", deployed(1, app("shop", 1)))]);
    disk.store_artifact("shop");
    let b = disk.start().await;
    wait_for_replica(&b, "shop", 2).await;
    assert!(!starts(&b, "shop").await);
    assert_eq!(a.response("shop").await, None);
}

/// An app on each of two hosts, with the route `/` and one of its own.
fn app_with_route(name: &str) -> App {
    let cart = json!({
        "name": "cart",
        "source": { "digest": artifact(name).0 },
        "replicas": 2,
        "placement": { "one-per-host": true },
    });
    let routes =
        json!([{ "path": "/", "to": "cart" }, { "path": format!("/{name}"), "to": "cart" }]);
    app_with(name, 1, &json!({ "components": [cart], "routes": routes }))
}

/// The app on this host that requests to a path go to.
fn app_of_path(routes: &RouteTable, path: &str) -> Option<String> {
    match routes.find("any.test", path)? {
        RouteTarget::Local(handler) => handler.name().split('/').next().map(str::to_owned),
        RouteTarget::Remote(_) | RouteTarget::Typed(_) | RouteTarget::Unavailable(_) => None,
    }
}

/// Waits until requests to `/` go to an app on a host.
async fn wait_for_owner(host: &TestHost, app: &str) {
    let is_owner = |routes: &Arc<RouteTable>| app_of_path(routes, "/").as_deref() == Some(app);
    wait_for(&host.controller.routes(), is_owner).await;
}

#[tokio::test(start_paused = true)]
async fn a_route_that_two_apps_claim_belongs_to_the_same_one_on_every_host() {
    let lattice = TestLattice::new();
    let [north, south] = lattice.hosts(["north", "south"]).await;
    for name in ["shop", "blog", "wiki"] {
        north.store_artifact(name);
        south.store_artifact(name);
    }
    // As two hosts write them at once: each has checked that the route is free.
    for (name, changed_at_ms) in [("blog", 2), ("shop", 1)] {
        let record = Deployed::after(None, 1, changed_at_ms, app_with_route(name));
        let value = record_codec::encode_app(&Record::Deployed(record)).unwrap();
        let key = app_key(&app_name(name)).unwrap();
        let put = records(&north).put(&key, value, Revision::NONE);
        put.await.unwrap();
    }
    for host in [&north, &south] {
        host.wait_for_app("shop", 1).await;
        host.wait_for_app("blog", 1).await;
        wait_for_owner(host, "shop").await;
        let routes = host.controller.routes().borrow().clone();
        assert_eq!(app_of_path(&routes, "/blog").as_deref(), Some("blog"));
        let snapshot = host.controller.snapshot();
        let blog = &snapshot.apps["blog"].deployed.app;
        let reason = lost_routes(&snapshot.route_owners, blog).unwrap();
        assert!(reason.contains("belongs to app `shop`"), "{reason}");
        assert_eq!(host.events_of("blog"), ["app-deployed", "app-failed"]);
    }
    // Neither another app nor the owner is refused for it.
    let other =
        json!({ "components": [{ "name": "cart", "source": { "digest": artifact("wiki").0 } }] });
    south
        .joined
        .deploy(app_with("wiki", 1, &other))
        .await
        .unwrap();
    let mut shop = app_with_route("shop");
    shop.spec.routes.pop();
    north.joined.deploy(shop).await.unwrap();
    let refused = south.joined.deploy(app_with(
        "blog",
        2,
        &json!({
            "components": [{ "name": "cart", "source": { "digest": artifact("blog").0 } }],
            "routes": [{ "path": "/", "to": "cart" }],
        }),
    ));
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("is taken by `shop/cart`"), "{refused}");
    // The claim of the owner goes on with its next revision; the other app recovers without it.
    south.wait_for_app("shop", 2).await;
    wait_for_owner(&south, "shop").await;
    north.joined.undeploy(app_name("shop")).await.unwrap();
    for host in [&north, &south] {
        wait_for_owner(host, "blog").await;
    }
}

/// Waits until a host does not run the component `cart` of an app.
async fn wait_for_stop(host: &TestHost, app: &str) {
    wait_for(&host.controller.watch(), |snapshot| {
        snapshot.handler(app, "cart").is_none()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_no_host_may_run_takes_nothing_from_the_one_that_serves() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    // The host of the command keeps the revision, and replies at once.
    let start = Instant::now();
    b.joined.deploy(app_on("c", "shop", 2)).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    let decision = b.joined.decision.borrow().clone();
    assert_eq!(decision.kept[&app_name("shop")].desired_revision, 2);
    assert!(timeout(LONG * 3, wait_for_stop(&b, "shop")).await.is_err());
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    // Its successor is ready before it stops.
    a.joined.deploy(app_on("a", "shop", 3)).await.unwrap();
    wait_for_stop(&b, "shop").await;
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 3");
    b.wait_for_app("shop", 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_fails_on_its_host_takes_nothing_from_the_one_that_serves() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    a.runtime.break_app(&app_name("shop"));
    // Through the other host, which checks that it can run.
    b.joined.deploy(app_on("a", "shop", 2)).await.unwrap();
    assert!(timeout(LONG * 3, wait_for_stop(&b, "shop")).await.is_err());
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    a.runtime.repair_app(&app_name("shop"));
    wait_for_stop(&b, "shop").await;
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 2");
}

#[tokio::test(start_paused = true)]
async fn two_hosts_that_exchange_components_do_not_wait_for_each_other_for_ever() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let app = |revision, cart: &str, till: &str| {
        let component = |name: &str, host: &str| {
            json!({
                "name": name,
                "source": { "digest": artifact("shop").0 },
                "placement": { "require": { "host": host } },
            })
        };
        let components = [component("cart", cart), component("till", till)];
        app_with("shop", revision, &json!({ "components": components }))
    };
    a.store_artifact("shop");
    a.joined.deploy(app(1, "a", "b")).await.unwrap();
    wait_for_component(&a, "shop").await;
    b.wait_for_app("shop", 1).await;
    a.joined.deploy(app(2, "b", "a")).await.unwrap();
    wait_for_replica(&b, "shop", 2).await;
    let runs = |host: &TestHost, component: &str| {
        let snapshot = host.controller.snapshot();
        snapshot.handler("shop", component).is_some()
    };
    assert!(runs(&a, "cart") && runs(&b, "till"));
    for host in [&a, &b] {
        host.wait_for_app("shop", 2).await;
    }
    assert!(runs(&a, "till") && runs(&b, "cart"));
}
