//! Routes and readiness of whole hosts on the in-process bus, in paused time.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use weft_ingress::Readiness;
use weft_membership::message::HostCondition;
use weft_state::desired::Revision;
use weft_state::desired::record_codec::{app_key, encode_app};

use super::*;
use crate::test_support::{
    TestHost, TestLattice, app_name, app_with, artifact, deployed, wait_for,
};

/// Longer than any start takes.
const LONG: Duration = Duration::from_secs(30);

/// An app whose component `cart` runs on one host, with a route of each path to it.
fn app_with_routes(host: &str, name: &str, revision: u64, paths: &[&str]) -> App {
    let cart = json!({
        "name": "cart",
        "source": { "digest": artifact(name).0 },
        "placement": { "require": { "host": host } },
    });
    let routes = paths
        .iter()
        .map(|path| json!({ "path": path, "to": "cart" }));
    let routes: Vec<_> = routes.collect();
    app_with(
        name,
        revision,
        &json!({ "components": [cart], "routes": routes }),
    )
}

/// The target of a path: `local`, `remote`, `unavailable`, `unknown` or `none`.
fn target(host: &TestHost, path: &str) -> &'static str {
    target_in(&host.controller.routes().borrow(), path)
}

fn target_in(routes: &RouteTable, path: &str) -> &'static str {
    match routes.find("localhost", path) {
        Some(RouteTarget::Local(_)) => "local",
        Some(RouteTarget::Remote(_)) => "remote",
        Some(RouteTarget::Typed(_)) => "typed",
        Some(RouteTarget::Unavailable(_)) => "unavailable",
        None if routes.is_partial() => "unknown",
        None => "none",
    }
}

async fn wait_for_target(host: &TestHost, path: &str, expected: &str) {
    wait_for(&host.controller.routes(), |routes| {
        target_in(routes, path) == expected
    })
    .await;
}

/// Writes a record as another host does, without its artifact.
async fn put(host: &TestHost, app: App) {
    let key = app_key(&app.metadata.name).unwrap();
    let record = encode_app(&deployed(1, app)).unwrap();
    let records = &host.joined.writer.stores.records;
    records.put(&key, record, Revision::NONE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_has_the_routes_of_its_own_copy_when_it_has_joined() {
    let lattice = TestLattice::new();
    let disk = lattice.disk("a");
    let there = app_with_routes("b", "shop", 1, &["/shop"]);
    let here = app_with_routes("a", "blog", 1, &["/blog"]);
    disk.store_records(&[("shop", deployed(1, there)), ("blog", deployed(1, here))]);
    disk.store_artifact("blog");
    let a = disk.start().await;
    // Its HTTP server opens now: nothing was placed or started yet.
    assert!(a.controller.snapshot().apps.is_empty());
    assert_eq!(target(&a, "/shop"), "remote");
    assert_eq!(target(&a, "/blog"), "remote");
    assert_eq!(target(&a, "/other"), "unknown");
    wait_for_target(&a, "/blog", "local").await;
    wait_for_target(&a, "/other", "none").await;
    assert_eq!(target(&a, "/shop"), "remote");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_artifacts_of_an_app_has_its_routes() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    for app in ["here", "there"] {
        let host = if app == "here" { "b" } else { "a" };
        put(&a, app_with_routes(host, app, 1, &[&format!("/{app}")])).await;
    }
    for app in ["/here", "/there"] {
        wait_for_target(&b, app, "remote").await;
    }
    assert!(b.controller.snapshot().apps.is_empty());
    let needed = wait_for(&a.joined.membership, |membership| {
        let contents = membership
            .view
            .host(b.id)
            .and_then(|it| it.contents.clone());
        contents.is_some_and(|it| it.conditions.contains(&HostCondition::ArtifactsMissing))
    });
    needed.await;
    assert_eq!(b.joined.readiness(), Readiness::Ready);
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_a_new_host_are_whole_once_it_has_read_the_bucket() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let shop = app_with_routes("a", "shop", 1, &["/shop"]);
    a.joined.deploy(shop).await.unwrap();
    lattice.network.set_jetstream_unreachable(&["b"]);
    let b = lattice.host("b").await;
    assert_eq!(target(&b, "/shop"), "unknown");
    assert_eq!(b.joined.readiness(), Readiness::Starting);
    lattice.network.set_jetstream_unreachable(&[]);
    wait_for_target(&b, "/shop", "remote").await;
    wait_for_target(&b, "/other", "none").await;
}

#[tokio::test(start_paused = true)]
async fn the_revision_that_serves_keeps_its_routes_beside_those_of_one_that_does_not_start() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let first = app_with_routes("a", "shop", 1, &["/old", "/both"]);
    a.joined.deploy(first).await.unwrap();
    wait_for_target(&a, "/old", "local").await;
    a.runtime.break_app(&app_name("shop"));
    put_revision(&a, 2, app_with_routes("a", "shop", 2, &["/new", "/both"])).await;
    wait_for_target(&a, "/new", "local").await;
    assert_eq!(target(&a, "/old"), "local");
    assert_eq!(target(&a, "/both"), "local");
    a.runtime.repair_app(&app_name("shop"));
    a.wait_for_app("shop", 2).await;
    wait_for_target(&a, "/old", "none").await;
    assert_eq!(target(&a, "/new"), "local");
}

/// Writes a later revision over the one in the bucket.
async fn put_revision(host: &TestHost, revision: u64, app: App) {
    let key = app_key(&app.metadata.name).unwrap();
    let record = encode_app(&deployed(revision, app)).unwrap();
    let records = &host.joined.writer.stores.records;
    let stored = records.get(&key).await.unwrap().unwrap();
    records.put(&key, record, stored.revision).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_removed_app_has_no_routes_on_any_host() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    let shop = app_with_routes("a", "shop", 1, &["/shop"]);
    a.joined.deploy(shop).await.unwrap();
    wait_for_target(&a, "/shop", "local").await;
    wait_for_target(&b, "/shop", "remote").await;
    a.joined.undeploy(app_name("shop")).await.unwrap();
    assert_eq!(target(&a, "/shop"), "none");
    wait_for_target(&b, "/shop", "none").await;
}

#[tokio::test(start_paused = true)]
async fn a_host_is_ready_after_its_first_round_and_not_while_it_drains() {
    let lattice = TestLattice::new();
    let disk = lattice.disk("a");
    let shop = app_with_routes("a", "shop", 1, &["/shop"]);
    disk.store_records(&[("shop", deployed(1, shop))]);
    disk.store_artifact("shop");
    let a = disk.start().await;
    assert_eq!(a.joined.readiness(), Readiness::Starting);
    wait_for(&a.joined.has_started, |has_started| *has_started).await;
    assert_eq!(a.joined.readiness(), Readiness::Ready);
    assert_eq!(target(&a, "/shop"), "local");
    a.joined.drain();
    assert_eq!(a.joined.readiness(), Readiness::Draining);
    a.joined.end_drain();
    assert_eq!(a.joined.readiness(), Readiness::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_bus_or_bucket_is_lost_at_its_start_is_ready_within_a_bound() {
    let lattice = TestLattice::new();
    let disk = lattice.disk("a");
    let shop = app_with_routes("a", "shop", 1, &["/shop"]);
    disk.store_records(&[("shop", deployed(1, shop))]);
    disk.store_artifact("shop");
    let a = disk.start_disconnected().await;
    let starts = wait_for(&a.joined.has_started, |has_started| *has_started);
    timeout(LONG, starts).await.unwrap();
    assert_eq!(target(&a, "/shop"), "local");
    // Other hosts may have apps that it does not know.
    assert_eq!(target(&a, "/other"), "unknown");
}

/// The component that a path leads to on other hosts.
fn remote_component(host: &TestHost, path: &str) -> Option<String> {
    let routes = host.controller.routes().borrow().clone();
    match routes.find("localhost", path) {
        Some(RouteTarget::Remote(component)) => Some(component.target().to_string()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_leads_to_the_revision_before_until_the_next_one_is_ready_somewhere() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let app = |revision, to: &str, host: &str, path: &str| {
        let component = json!({
            "name": to,
            "source": { "digest": artifact("shop").0 },
            "placement": { "require": { "host": host } },
        });
        let routes = [
            json!({ "path": "/", "to": to }),
            json!({ "path": path, "to": to }),
        ];
        let spec = json!({ "components": [component], "routes": routes });
        app_with("shop", revision, &spec)
    };
    a.store_artifact("shop");
    a.joined.deploy(app(1, "cart", "b", "/one")).await.unwrap();
    b.wait_for_app("shop", 1).await;
    wait_for_target(&a, "/one", "remote").await;
    // No host may run it.
    a.joined.deploy(app(2, "till", "c", "/two")).await.unwrap();
    a.wait_for_app("shop", 2).await;
    assert_eq!(remote_component(&a, "/").unwrap(), "shop/cart");
    assert_eq!(remote_component(&a, "/two").unwrap(), "shop/till");
    a.joined.deploy(app(3, "till", "b", "/two")).await.unwrap();
    b.wait_for_app("shop", 3).await;
    wait_for(&a.controller.routes(), |_| {
        remote_component(&a, "/").is_some_and(|component| component == "shop/till")
    })
    .await;
}
