//! The admin APIs of whole hosts on the in-process bus, in paused time.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use weft_control::bus_rpc;
use weft_lattice_config::App;
use weft_membership::HostId;

use super::*;
use crate::test_support::{
    TestHost, TestLattice, app, app_name, app_on, app_with, artifact, wait_for,
};
use weft_ingress::BodyBudget;

/// No host.
const STRANGER: HostId = HostId::from_key([9; 32]);

/// The most tries until the API of a host has subscribed to requests.
const TRIES_MAX: usize = 1_000;

/// The admin API of a host, which answers requests over the bus.
async fn api(host: &TestHost) -> Arc<Api> {
    let api = silent_api(host);
    let lattice = host.joined.lattice.clone().unwrap();
    let server = bus_server::run(api.clone(), host.joined.clone(), lattice);
    api.tasks.spawn(server);
    for _ in 0..TRIES_MAX {
        let request = bus_rpc::Request {
            method: "GET".to_owned(),
            path: "/v1/hosts".to_owned(),
            body: Bytes::new(),
        };
        if host.joined.request(host.id, request).await.is_ok() {
            return api;
        }
        tokio::task::yield_now().await;
    }
    panic!("the API of `{}` does not answer", host.name);
}

/// The admin API of a host, which takes no requests over the bus.
fn silent_api(host: &TestHost) -> Arc<Api> {
    let labels = std::env::temp_dir().join("weft-no-labels");
    let about = About {
        name: host.name.clone(),
        labels: HostLabels::open(labels, &BTreeMap::new()).unwrap(),
        http: None,
        started: Instant::now(),
        runtime: host.runtime.clone(),
        token: "token".to_owned(),
    };
    let joined = host.joined.clone();
    Arc::new(Api {
        bodies: BodyBudget::default(),
        sources: Sources {
            about,
            controller: host.controller.clone(),
            mesh: host.joined.clone(),
            artifacts: host.artifacts.clone(),
            registry: Registry::default(),
            logs: Logs::new(),
            events: host.events.clone(),
            faults: None,
            readiness: Arc::new(ReadinessSource::new(move || joined.readiness())),
        },
        address: SocketAddr::from(([127, 0, 0, 1], 7411)),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    })
}

/// The status and the JSON of an answer.
async fn send(api: &Api, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Bytes::from(body.to_string())).unwrap();
    let response = api.route(request).await;
    let response = response.unwrap_or_else(|error| error.response());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn get(api: &Api, path: &str) -> Value {
    let (status, rows) = send(api, Method::GET, path, &Value::Null).await;
    assert_eq!(status, 200, "{rows}");
    rows
}

async fn call(api: &Api, path: &str, target: &str) -> (u16, Value) {
    let (app, component) = target.split_once('/').unwrap();
    let call = json!({ "app": app, "component": component, "expression": "f()", "repeat": 1 });
    send(api, Method::POST, path, &call).await
}

/// Hosts of which the second runs `shop/cart`, as all of them know.
async fn hosts_with_shop<const N: usize>(lattice: &TestLattice, names: [&str; N]) -> [TestHost; N] {
    let hosts = lattice.hosts(names).await;
    hosts[0].store_artifact("shop");
    let shop = app_on(names[1], "shop", 1);
    hosts[0].joined.deploy(shop).await.unwrap();
    wait_until_ready(&hosts, &hosts[1..2]).await;
    hosts
}

/// Waits until each of `hosts` has received that `shop/cart` is ready on each of `ready`.
async fn wait_until_ready(hosts: &[TestHost], ready: &[TestHost]) {
    for host in hosts {
        for callee in ready {
            let callee = callee.id;
            wait_for(&host.joined.membership, |membership| {
                let callees = targets::callees(&membership.view, STRANGER, "shop", "cart");
                callees.iter().any(|host| host.id == callee)
            })
            .await;
        }
    }
}

/// `shop` with a replica on each of some hosts.
fn shop_on_hosts(replicas: usize, hosts: &[&str]) -> App {
    let cart = json!({
        "name": "cart",
        "source": { "digest": artifact("shop").0 },
        "replicas": replicas,
        "placement": { "one-per-host": true, "require": { "host": hosts } },
    });
    app_with("shop", 1, &json!({ "components": [cart] }))
}

#[tokio::test(start_paused = true)]
async fn a_call_is_executed_by_a_host_that_runs_the_component() {
    let lattice = TestLattice::new();
    let hosts = hosts_with_shop(&lattice, ["north", "south", "west"]).await;
    let _callee = api(&hosts[1]).await;
    for host in &hosts {
        let (status, reply) = call(&silent_api(host), "/v1/call", "shop/cart").await;
        assert_eq!((status, &reply["result"]), (200, &json!("f()")), "{reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_for_one_host_is_executed_there_or_nowhere() {
    let lattice = TestLattice::new();
    let hosts = hosts_with_shop(&lattice, ["north", "south"]).await;
    let [north, _south] = [api(&hosts[0]).await, api(&hosts[1]).await];
    let (status, _) = call(&north, "/v1/hosts/south/call?here=true", "shop/cart").await;
    assert_eq!(status, 200);
    let (status, refused) = call(&north, "/v1/call?here=true", "shop/cart").await;
    assert_eq!(status, 404);
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("does not run on host `north`"),
        "{message}"
    );
    let (status, _) = call(&north, "/v1/call?there=true", "shop/cart").await;
    assert_eq!(status, 400);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_app_or_component_is_refused_with_the_existing_names() {
    let lattice = TestLattice::new();
    let hosts = hosts_with_shop(&lattice, ["north", "south"]).await;
    for host in &hosts {
        let api = api(host).await;
        for (target, message, help) in [
            (
                "bank/cart",
                "there is no app `bank`",
                "deployed apps: `shop`",
            ),
            (
                "shop/till",
                "app `shop` has no component `till`",
                "components of the app: `cart`",
            ),
        ] {
            let (status, refused) = call(&api, "/v1/call", target).await;
            assert_eq!(status, 404);
            assert_eq!(
                (&refused["message"], &refused["help"]),
                (&json!(message), &json!(help))
            );
        }
        let status = send(&api, Method::GET, "/v1/status?app=bank", &Value::Null).await;
        assert_eq!(status.1["message"], "there is no app `bank`");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_host_can_execute_has_the_reason() {
    let lattice = TestLattice::new();
    let [north] = lattice.hosts(["north"]).await;
    north.store_artifact("shop");
    let shop = app_on("nowhere", "shop", 1);
    north.joined.deploy(shop).await.unwrap();
    let north = api(&north).await;
    let (status, refused) = call(&north, "/v1/call", "shop/cart").await;
    assert_eq!(status, 422);
    let message = refused["message"].as_str().unwrap();
    for part in [
        "no host runs component `cart`",
        "label `host` is not `nowhere`",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_to_another_host_if_the_first_did_not_receive_it() {
    let lattice = TestLattice::new();
    let hosts = lattice.hosts(["north", "south", "west"]).await;
    hosts[0].store_artifact("shop");
    let shop = shop_on_hosts(2, &["south", "west"]);
    hosts[0].joined.deploy(shop).await.unwrap();
    wait_until_ready(&hosts, &hosts[1..]).await;
    let north = api(&hosts[0]).await;
    for deaf in [1, 2] {
        // The other one takes no requests over the bus.
        let other = api(&hosts[3 - deaf]).await;
        let (status, reply) = call(&north, "/v1/call", "shop/cart").await;
        assert_eq!(status, 200, "{reply}");
        other.stop.cancel();
        other.tasks.close();
        other.tasks.wait().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_host_is_lost_may_have_run_and_is_not_sent_again() {
    let lattice = TestLattice::new();
    let hosts = lattice.hosts(["north", "south", "west"]).await;
    hosts[0].store_artifact("shop");
    let shop = shop_on_hosts(1, &["south", "west"]);
    hosts[0].joined.deploy(shop).await.unwrap();
    let runs = |host: &TestHost| {
        let snapshot = host.controller.snapshot();
        snapshot
            .running("shop")
            .is_some_and(|app| !app.components().is_empty())
    };
    let mut others = [&hosts[1], &hosts[2]];
    for host in others {
        host.wait_for_app("shop", 1).await;
    }
    others.sort_by_key(|host| !runs(host));
    let [callee, other] = others;
    wait_until_ready(&hosts[..1], std::slice::from_ref(callee)).await;
    let (north, _other) = (api(&hosts[0]).await, api(other).await);
    // It receives the call and never answers.
    let (mut requests, _discovery) = callee.joined.control_subscriptions().await.unwrap();
    let lose = async {
        requests.next_message().await.unwrap();
        lattice.network.disconnect(&callee.name);
    };
    let started = tokio::time::Instant::now();
    let ((status, refused), ()) = tokio::join!(call(&north, "/v1/call", "shop/cart"), lose);
    assert_eq!(status, 500, "{refused}");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("which may have run"), "{message}");
    assert!(message.contains(&callee.name), "{message}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_app_is_ready_on_all_hosts_or_says_where_it_is_not() {
    let lattice = TestLattice::new();
    let hosts = lattice.hosts(["north", "south"]).await;
    hosts[0].store_artifact("shop");
    hosts[1].runtime.break_app(&app_name("shop"));
    let shop = shop_on_hosts(2, &["north", "south"]);
    hosts[0].joined.deploy(shop).await.unwrap();
    wait_for(&hosts[0].joined.membership, |membership| {
        let south = membership.view.host(hosts[1].id);
        let contents = south.and_then(|south| south.contents.clone());
        contents.is_some_and(|contents| !contents.failures.is_empty())
    })
    .await;
    wait_until_ready(&hosts[1..], &hosts[..1]).await;
    for host in &hosts {
        let api = api(host).await;
        let rows = get(&api, "/v1/apps").await;
        let row = &rows[0];
        assert_eq!(row["status"], "behind", "{row}");
        assert_eq!((&row["ready"], &row["wanted"]), (&json!(1), &json!(2)));
        let reason = row["reason"].as_str().unwrap();
        let expected = "cart 1/2: south: revision 1 does not start: app `shop` is broken";
        assert_eq!(reason, expected);
        let status = get(&api, "/v1/status?app=shop").await;
        assert_eq!(status["ready"], false);
        let why = status["components"][0]["why"][0].as_str().unwrap();
        assert!(expected.ends_with(why), "{why}");
    }
    hosts[1].runtime.repair_app(&app_name("shop"));
    wait_until_ready(&hosts, &hosts).await;
    for host in &hosts {
        let api = api(host).await;
        let rows = get(&api, "/v1/apps").await;
        assert_eq!(
            (&rows[0]["status"], &rows[0]["reason"]),
            (&json!("ready"), &Value::Null)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_host_has_the_manifest_and_the_labels_of_an_app() {
    let lattice = TestLattice::new();
    let hosts = lattice.hosts(["north", "south"]).await;
    hosts[0].store_artifact("shop");
    let mut shop = app_on("south", "shop", 1);
    shop.metadata
        .labels
        .insert("team".to_owned(), "web".to_owned());
    hosts[0].joined.deploy(shop.clone()).await.unwrap();
    wait_until_ready(&hosts, &hosts[1..]).await;
    for host in &hosts {
        let api = api(host).await;
        let record = get(&api, "/v1/apps/shop").await;
        assert_eq!(record["revision"], 1, "{record}");
        let manifest: App = serde_json::from_value(record["app"].clone()).unwrap();
        assert_eq!(manifest, shop);
        let rows = get(&api, "/v1/apps").await;
        assert_eq!(rows[0]["labels"], json!({ "team": "web" }));
        let (status, missing) = send(&api, Method::GET, "/v1/apps/shp", &Value::Null).await;
        assert_eq!(status, 404, "{missing}");
        let message = missing["message"].as_str().unwrap();
        assert_eq!(message, "there is no app `shp`");
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_starts_nowhere_has_failed() {
    let lattice = TestLattice::new();
    let hosts = lattice.hosts(["north", "south"]).await;
    hosts[0].store_artifact("shop");
    hosts[1].runtime.break_app(&app_name("shop"));
    hosts[0]
        .joined
        .deploy(app_on("south", "shop", 1))
        .await
        .unwrap();
    wait_for(&hosts[0].joined.membership, |membership| {
        let south = membership.view.host(hosts[1].id);
        let contents = south.and_then(|south| south.contents.clone());
        contents.is_some_and(|contents| !contents.failures.is_empty())
    })
    .await;
    let north = api(&hosts[0]).await;
    let rows = get(&north, "/v1/apps").await;
    assert_eq!(rows[0]["status"], "failed", "{rows}");
    let inventory = get(&north, "/v1/inventory").await;
    assert_eq!(inventory[0]["readiness"], "failed", "{inventory}");
    assert_eq!(inventory[0]["reason"], "app `shop` is broken");
    let (_, refused) = call(&north, "/v1/call", "shop/cart").await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("does not start: app `shop` is broken"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn placements_are_explained_for_one_app_or_all() {
    let lattice = TestLattice::new();
    let hosts = hosts_with_shop(&lattice, ["north", "south"]).await;
    hosts[0].store_artifact("bank");
    hosts[0].joined.deploy(app("bank", 1)).await.unwrap();
    let north = api(&hosts[0]).await;
    let rows = get(&north, "/v1/placements?why=true&app=shop").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    let fits = &rows[0]["fits"];
    assert_eq!(fits["require"], json!(["host=south"]));
    let hosts = fits["hosts"].as_array().unwrap();
    let of = |name: &str| hosts.iter().find(|row| row["host"] == name).unwrap();
    assert_eq!(of("south")["why"], "placed");
    assert_eq!(of("north")["why"], "label `host` is not `south`");
    assert_eq!(of("north")["labels"], json!(["host=north"]));
    let rows = get(&north, "/v1/placements?why=true").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    let plain = get(&north, "/v1/placements").await;
    assert!(plain[0].get("fits").is_none());
    let (status, _) = send(&north, Method::GET, "/v1/placements?whom=x", &Value::Null).await;
    assert_eq!(status, 400);
}
