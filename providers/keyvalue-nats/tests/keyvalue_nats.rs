//! The provider with real servers: two hosts of a lattice, and servers that are unavailable, hang
//! or lack features.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests; `allow-unwrap-in-tests` sees only the functions themselves"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use weft_bus::nats::NatsOptions;
use weft_keyvalue_nats::{BATCH_WAIT_MAX, Lattice, NamedServers, NatsFactory, OPERATION_WAIT_MAX};
use weft_provider::keyvalue::{Bucket, CasOutcome, KeyValue};
use weft_provider::stores::{ProcessMemory, StoreMemory, StoreName};
use weft_provider::{Capability, Context, Factory, LinkContext, Provider, Settings};
use weft_testkit::nats_server::{
    HUB_DOMAIN, NatsServer, free_addresses, start_leaf_and_hub, start_nats, start_nats_with,
    start_nats_without_jetstream,
};

/// Timeout for an expected state: the servers of a cluster elect their leaders first.
const WAIT_MAX: Duration = Duration::from_secs(60);

fn shop() -> Context<'static> {
    Context {
        app: "shop",
        provider: "store",
        data_dir: Path::new("/nowhere"),
        stores: new_memory(),
    }
}

/// A memory of marks that is valid to the end of the test.
fn new_memory() -> &'static Arc<dyn StoreMemory> {
    let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
    Box::leak(Box::new(memory))
}

/// A host of the lattice `test`.
fn host(nats: &NatsServer) -> NatsFactory {
    host_of("test", nats)
}

fn host_of(lattice: &str, nats: &NatsServer) -> NatsFactory {
    NatsFactory::new(
        Some(lattice_on(lattice, nats, None)),
        NamedServers::default(),
    )
}

fn lattice_on(lattice: &str, nats: &NatsServer, domain: Option<&str>) -> Lattice {
    Lattice {
        name: lattice.to_owned(),
        nats: NatsOptions {
            servers: vec![nats.url()],
            name: "host".to_owned(),
            jetstream_domain: domain.map(str::to_owned),
            ..NatsOptions::default()
        },
    }
}

/// A host without a lattice, for which an operator has defined these servers.
fn alone_with(definitions: &Value) -> NatsFactory {
    let definitions = NamedServers::parse(definitions.to_string().as_bytes());
    NatsFactory::new(None, definitions.unwrap())
}

fn settings(config: &Value) -> Settings {
    config.as_object().cloned().unwrap()
}

/// The bucket `bucket` of the provider `store` of the shop.
async fn open(host: &NatsFactory) -> Arc<dyn Bucket> {
    open_as(host, &shop(), &json!({})).await
}

async fn open_as(host: &NatsFactory, context: &Context<'_>, config: &Value) -> Arc<dyn Bucket> {
    let provider = host.make(context, &settings(config)).await.unwrap();
    bind(provider.as_ref()).open("bucket").await.unwrap()
}

fn bind(provider: &dyn Provider) -> Arc<dyn KeyValue> {
    let link = LinkContext {
        app: "shop",
        component: "cart",
        provider: "store",
        interface: "wasi:keyvalue",
        link: None,
    };
    match provider.bind(&link, &Settings::new()).unwrap() {
        Capability::KeyValue(key_value) => key_value,
        other => panic!("{other:?}"),
    }
}

/// Returns the error of a configuration, as a deploying user sees it.
async fn refusal(host: &NatsFactory, config: Value) -> String {
    let refused = host.check(&shop(), &settings(&config)).await.unwrap_err();
    chain(&refused)
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    error.to_string() + &cause.unwrap_or_default()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Waits for a state, with a timeout.
async fn until(state: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut turn = interval(Duration::from_millis(20));
    let waiting = async {
        while !is_so().await {
            turn.tick().await;
        }
    };
    let waited = timeout(WAIT_MAX, waiting).await;
    waited.unwrap_or_else(|_| panic!("not within {WAIT_MAX:?}: {state}"));
}

#[test]
fn it_passes_the_conformance_checks() {
    let nats = start_nats();
    let host = host(&nats);
    weft_provider::conformance::check(async || {
        bind(host.make(&shop(), &Settings::new()).await.unwrap().as_ref())
    });
}

#[test]
fn it_passes_the_conformance_checks_in_memory() {
    let nats = start_nats();
    let host = host(&nats);
    weft_provider::conformance::check(async || {
        let settings = settings(&json!({ "storage": "memory" }));
        bind(host.make(&shop(), &settings).await.unwrap().as_ref())
    });
}

/// A host of the lattice `test` on a leaf node.
fn host_on_leaf(leaf: &NatsServer) -> NatsFactory {
    let lattice = lattice_on("test", leaf, Some(HUB_DOMAIN));
    NatsFactory::new(Some(lattice), NamedServers::default())
}

/// Opens a bucket once the leaf node has reached its hub.
async fn open_on_leaf(host: &NatsFactory, config: &Value) -> Arc<dyn Bucket> {
    let settings = settings(config);
    let mut opened = None;
    until("the leaf node has reached its hub", async || {
        opened = host.make(&shop(), &settings).await.ok();
        opened.is_some()
    })
    .await;
    let provider = opened.expect("the provider started");
    bind(provider.as_ref()).open("bucket").await.unwrap()
}

#[tokio::test]
async fn hosts_on_a_leaf_node_share_the_bucket_of_its_hub() {
    let (leaf, hub) = start_leaf_and_hub();
    let on_leaf = open_on_leaf(&host_on_leaf(&leaf), &json!({})).await;
    // The servers and the domain of another host are defined under a name.
    let defined = alone_with(&json!({ "leaf": { "servers": [leaf.url()], "domain": HUB_DOMAIN } }));
    let config = json!({ "server": "leaf", "bucket": "weft" });
    let bucket = json!({ "bucket": "weft" });
    let (configured, named) = (
        open_on_leaf(&defined, &config).await,
        open_on_leaf(&host_on_leaf(&leaf), &bucket).await,
    );
    configured.set("key", bytes("1")).await.unwrap();
    assert_eq!(named.get("key").await, Ok(Some(bytes("1"))));
    let on_hub = open(&host(&hub)).await;
    assert_eq!(on_leaf.get("key").await, Ok(None));
    on_leaf.set("key", bytes("1")).await.unwrap();
    for bucket in [&on_hub, &on_leaf, &on_hub] {
        assert_eq!(bucket.get("key").await, Ok(Some(bytes("1"))));
        bucket.increment("counter", 1).await.unwrap();
        let mut keys = bucket.list_keys(None).await.unwrap().keys;
        keys.sort();
        assert_eq!(keys, ["counter", "key"]);
    }
    assert_eq!(on_leaf.increment("counter", 0).await, Ok(3));
    on_leaf.delete("key").await.unwrap();
    assert_eq!(on_hub.get("key").await, Ok(None));
}

#[tokio::test]
async fn the_first_operation_on_a_leaf_node_may_be_a_write() {
    let (leaf, _hub) = start_leaf_and_hub();
    let host = host_on_leaf(&leaf);
    until("the leaf node has reached its hub", async || {
        host.check(&shop(), &Settings::new()).await.is_ok()
    })
    .await;
    for storage in ["file", "memory"] {
        let config = json!({ "bucket": format!("new-{storage}"), "storage": storage });
        let bucket = open_on_leaf(&host, &config).await;
        bucket.set("key", bytes("1")).await.unwrap();
        assert_eq!(bucket.get("key").await, Ok(Some(bytes("1"))));
    }
}

#[tokio::test]
async fn every_form_of_login_opens_a_bucket() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let password = file("password", "secret\n");
    let token = file("token", "secret\n");
    for (authorization, config) in [
        (
            "user: shop, password: secret",
            json!({ "user": "shop", "password-file": password }),
        ),
        ("token: secret", json!({ "token-file": token })),
        ("token: secret", json!({})),
    ] {
        let nats = start_nats_with(&format!("authorization {{ {authorization} }}"));
        let mut definition = settings(&config);
        let server = match definition.is_empty() {
            true => nats.url().replace("nats://", "nats://secret@"),
            false => nats.url(),
        };
        definition.insert("servers".to_owned(), json!([server]));
        let host = alone_with(&json!({ "own": definition }));
        let config = json!({ "server": "own", "bucket": "shop" });
        let bucket = open_as(&host, &shop(), &config).await;
        bucket.set("key", bytes("value")).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_of_one_host_is_visible_to_another_one_at_once() {
    let nats = start_nats();
    let (one, other) = (open(&host(&nats)).await, open(&host(&nats)).await);
    for number in 0..50 {
        let value = bytes(&number.to_string());
        one.set("key", value.clone()).await.unwrap();
        assert_eq!(other.get("key").await, Ok(Some(value)));
        assert_eq!(other.list_keys(None).await.unwrap().keys, ["key"]);
        other.delete("key").await.unwrap();
        assert_eq!(one.get("key").await, Ok(None));
        assert_eq!(
            one.list_keys(None).await.unwrap().keys,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn increments_of_two_hosts_at_once_lose_nothing() {
    let nats = start_nats();
    let mut tasks = JoinSet::new();
    for host in [host(&nats), host(&nats)] {
        let bucket = open(&host).await;
        for _ in 0..4 {
            let bucket = Arc::clone(&bucket);
            tasks.spawn(async move {
                for _ in 0..25 {
                    bucket.increment("orders", 1).await.unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(
        open(&host(&nats)).await.increment("orders", 0).await,
        Ok(200)
    );
}

#[tokio::test]
async fn a_swap_over_a_deletion_needs_that_there_is_no_value() {
    let nats = start_nats();
    let bucket = open(&host(&nats)).await;
    bucket.set("key", bytes("1")).await.unwrap();
    bucket.delete("key").await.unwrap();
    let swap =
        async |expected: Option<&[u8]>| bucket.compare_and_swap("key", expected, bytes("2")).await;
    assert_eq!(
        swap(Some(b"1")).await,
        Ok(CasOutcome::Conflict { current: None })
    );
    assert_eq!(swap(None).await, Ok(CasOutcome::Swapped));
    assert_eq!(bucket.increment("key", 1).await, Ok(3));
}

#[tokio::test]
async fn hostile_keys_and_buckets_are_names_like_others() {
    let nats = start_nats();
    let provider = host(&nats).make(&shop(), &Settings::new()).await.unwrap();
    let long = "x y".repeat(100);
    let wide = "ü🦀".repeat(170);
    let names = [
        "*", ">", ".", "a.b", "a.>", "../a", "a b", " ", "$JS.API", "=2E", "é", "e",
    ];
    let keys: BTreeSet<&str> = names
        .into_iter()
        .chain([long.as_str(), wide.as_str()])
        .collect();
    for name in names {
        let bucket = bind(provider.as_ref()).open(name).await.unwrap();
        for key in &keys {
            bucket
                .set(key, bytes(&format!("{name}/{key}")))
                .await
                .unwrap();
        }
    }
    for name in names {
        let bucket = bind(provider.as_ref()).open(name).await.unwrap();
        for key in &keys {
            let value = bucket.get(key).await.unwrap();
            assert_eq!(value, Some(bytes(&format!("{name}/{key}"))));
        }
        let listed = bucket.list_keys(None).await.unwrap().keys;
        assert!(listed.iter().eq(&keys), "{name}: {listed:?}");
    }
}

#[tokio::test]
async fn lattices_apps_and_providers_share_a_bucket_only_by_its_name() {
    let nats = start_nats();
    let other = |app, provider| Context {
        app,
        provider,
        ..shop()
    };
    let named = json!({ "bucket": "shared" });
    let host = host(&nats);
    open(&host).await.set("key", bytes("own")).await.unwrap();
    open_as(&host, &shop(), &named)
        .await
        .set("key", bytes("shared"))
        .await
        .unwrap();

    for (lattice, context) in [
        ("test2", shop()),
        ("test", other("shop2", "store")),
        ("test", other("shop", "store2")),
        ("test-shop", other("shop", "store")),
    ] {
        let host = host_of(lattice, &nats);
        let apart = open_as(&host, &context, &json!({})).await;
        assert_eq!(apart.get("key").await, Ok(None), "{lattice} {context}");
        let shared = open_as(&host, &context, &named).await;
        assert_eq!(
            shared.get("key").await,
            Ok(Some(bytes("shared"))),
            "{lattice} {context}"
        );
    }
    // A host without a lattice shares the bucket by its name too.
    let given = json!({ "bucket": "shared", "server": "own" });
    let alone = alone_with(&json!({ "own": { "servers": [nats.url()] } }));
    let shared = open_as(&alone, &shop(), &given).await;
    assert_eq!(shared.get("key").await, Ok(Some(bytes("shared"))));
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_with_what_would() {
    let nats = start_nats();
    let check = async |config: Value, parts: &[&str]| {
        let message = refusal(&host(&nats), config).await;
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    };
    check(
        json!({ "replica": 3 }),
        &["unknown field `replica`", "replicas"],
    )
    .await;
    check(
        json!({ "replicas": 2 }),
        &["key `replicas`", "expected 1, 3 or 5 replicas, found 2"],
    )
    .await;
    check(
        json!({ "storage": "tape" }),
        &["key `storage`", "`file` or `memory`"],
    )
    .await;
    check(
        json!({ "bucket": "a.b" }),
        &["key `bucket`: invalid value `a.b`", "letters, digits"],
    )
    .await;
    check(
        json!({ "bucket": "weft-desired-test" }),
        &["key `bucket`", "do not begin with `weft-`"],
    )
    .await;
    // A manifest names no address and no file.
    for (key, value) in [
        ("servers", json!(["nats://10.0.0.1:4222"])),
        ("creds", json!("/root/.ssh/id_rsa")),
        ("tls", json!({})),
    ] {
        let expected = format!("key `{key}`: invalid value `…`");
        let parts = [
            &*expected,
            "`server: NAME`",
            "`weft up --nats-servers FILE`",
        ];
        check(json!({ key: value }), &parts).await;
    }
    check(
        json!({ "server": "analytics" }),
        &["NATS servers `analytics` are not defined on this host, expected none"],
    )
    .await;
    let defined = alone_with(&json!({
        "seed": { "servers": [nats.url()], "nkey-file": "/nowhere" },
        "web": { "servers": ["http://a"] },
    }));
    for (server, parts) in [
        ("seed", &["cannot read the seed of an nkey", "/nowhere"][..]),
        ("web", &["nats://host:port", "`http://a`"]),
        ("sea", &["expected one of `seed`, `web`"]),
    ] {
        let config = json!({ "server": server, "bucket": "shop" });
        let message = refusal(&defined, config).await;
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }
    // A single server cannot store three copies.
    check(
        json!({ "replicas": 3 }),
        &[
            "cannot start",
            "JetStream rejected the request for bucket",
            "replicas",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_host_without_a_lattice_gets_an_error_with_the_missing_options() {
    let nats = start_nats();
    let alone = alone_with(&json!({ "own": { "servers": [nats.url()] } }));
    let message = refusal(&alone, json!({})).await;
    assert!(message.contains("`weft up --nats URL`"), "{message}");
    assert!(message.contains("`server: NAME`"), "{message}");
    let message = refusal(&alone, json!({ "server": "own" })).await;
    assert!(message.contains("`bucket: shop-orders`"), "{message}");
}

#[tokio::test]
async fn servers_without_jetstream_are_refused_at_deployment() {
    let nats = start_nats_without_jetstream();
    let host = host(&nats);
    let message = refusal(&host, json!({})).await;
    assert!(
        message.contains("provider `store` of app `shop` cannot start"),
        "{message}"
    );
    assert!(message.contains("`nats-server -js`"), "{message}");
    // A starting host creates the provider anyway, and its operations report the reason.
    let bucket = open(&host).await;
    let error = bucket.get("key").await.unwrap_err().to_string();
    assert!(error.contains("no JetStream"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_fails_operations_soon_and_keeps_what_was_written() {
    let mut nats = start_nats();
    let host = host(&nats);
    let bucket = open(&host).await;
    bucket.set("key", bytes("kept")).await.unwrap();
    nats.kill();
    let killed = Instant::now();
    let read = bucket.get("key").await.unwrap_err().to_string();
    assert!(!read.contains("may have been made"), "{read}");
    let write = bucket
        .set("key", bytes("lost"))
        .await
        .unwrap_err()
        .to_string();
    assert!(write.ends_with("the change may have been made"), "{write}");
    assert!(bucket.increment("n", 1).await.is_err());
    assert!(bucket.list_keys(None).await.is_err());
    assert!(
        killed.elapsed() < 4 * OPERATION_WAIT_MAX,
        "{:?}",
        killed.elapsed()
    );
    // A deployment at this moment is refused, because the bucket cannot be checked.
    let message = refusal(&host, json!({})).await;
    assert!(message.contains("is unavailable"), "{message}");
    nats.start().unwrap();
    until("the value is read again", async || {
        bucket.get("key").await == Ok(Some(bytes("kept")))
    })
    .await;
    bucket.set("key", bytes("new")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_fails_operations_in_bounded_time() {
    let nats = start_nats();
    let bucket = open(&host(&nats)).await;
    bucket.set("key", bytes("kept")).await.unwrap();
    nats.process().unwrap().suspend().unwrap();
    let frozen = Instant::now();
    let keys: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let (get, set, list, many) = tokio::join!(
        bucket.get("key"),
        bucket.set("key", bytes("lost")),
        bucket.list_keys(None),
        bucket.get_many(&keys),
    );
    assert!(get.is_err() && set.is_err() && list.is_err() && many.is_err());
    assert!(frozen.elapsed() < BATCH_WAIT_MAX, "{:?}", frozen.elapsed());
    nats.process().unwrap().resume().unwrap();
    until("it is back", async || bucket.get("key").await.is_ok()).await;
}

/// Three servers that replicate their data.
fn cluster() -> [NatsServer; 3] {
    let routes = free_addresses(3).unwrap();
    let all = routes.iter().map(|address| format!("nats://{address}"));
    let all = all.collect::<Vec<_>>().join(", ");
    [0, 1, 2].map(|index| {
        let listen = routes[index];
        start_nats_with(&format!(
            "server_name: s{index}\n\
             cluster {{ name: test, listen: \"{listen}\", routes: [{all}] }}"
        ))
    })
}

#[tokio::test]
async fn with_three_replicas_any_server_may_be_lost() {
    let mut servers = cluster();
    let urls: Vec<_> = servers.iter().map(NatsServer::url).collect();
    let mut definitions = json!({ "all": { "servers": urls } });
    for (number, url) in urls.iter().enumerate() {
        definitions[format!("s{number}")] = json!({ "servers": [url] });
    }
    let config = |server: &str| json!({ "server": server, "bucket": "kept", "replicas": 3 });
    let host = alone_with(&definitions);
    let all = config("all");
    until("the servers have found each other", async || {
        host.check(&shop(), &settings(&all)).await.is_ok()
    })
    .await;
    // Hosts with connections to different servers, some of which are followers.
    let [one, other] = ["s0", "s1"].map(config);
    let (one, other) = (
        open_as(&host, &shop(), &one).await,
        open_as(&host, &shop(), &other).await,
    );
    for number in 1..=50 {
        assert_eq!(one.increment("n", 1).await, Ok(2 * number - 1));
        assert_eq!(other.increment("n", 1).await, Ok(2 * number));
        let value = bytes(&(2 * number).to_string());
        assert_eq!(one.get("n").await, Ok(Some(value)));
        other
            .set(&format!("key-{number}"), Bytes::new())
            .await
            .unwrap();
        let listed = one.list_keys(None).await.unwrap().keys;
        assert_eq!(listed.len() as i64, number + 1);
    }
    // One of them was the leader.
    let bucket = open_as(&host, &shop(), &all).await;
    for (lost, server) in servers.iter_mut().enumerate() {
        server.kill();
        let key = format!("without-{lost}");
        until("there is a leader again", async || {
            bucket.set(&key, bytes("1")).await.is_ok()
        })
        .await;
        until("nothing is lost", async || {
            bucket.get("n").await == Ok(Some(bytes("100")))
        })
        .await;
        server.start().unwrap();
        // With the next server lost before this one has rejoined, a majority would be missing.
        let own = config(&format!("s{lost}"));
        until("the server has rejoined", async || {
            host.check(&shop(), &settings(&own)).await.is_ok()
        })
        .await;
    }
    until("all of it is there", async || {
        let listed = bucket.list_keys(None).await;
        listed.is_ok_and(|page| page.keys.len() == 54)
    })
    .await;
}

#[tokio::test]
async fn a_value_beyond_the_limit_of_the_servers_is_refused_with_that_limit() {
    let nats = start_nats_with("max_payload: 65536");
    let bucket = open(&host(&nats)).await;
    let error = bucket
        .set("key", vec![0; 65_537].into())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("has 65537 bytes") && error.contains("at most 65536"),
        "{error}"
    );
    bucket.set("key", vec![0; 60_000].into()).await.unwrap();
}

#[tokio::test]
async fn a_bucket_in_the_memory_of_a_server_is_made_again() {
    let mut nats = start_nats();
    let bucket = open_as(&host(&nats), &shop(), &json!({ "storage": "memory" })).await;
    bucket.set("key", bytes("1")).await.unwrap();
    nats.kill();
    nats.start().unwrap();
    until("it is back", async || {
        bucket.set("key", bytes("2")).await.is_ok()
    })
    .await;
    assert_eq!(bucket.get("key").await, Ok(Some(bytes("2"))));
}

/// A server that stopped and lost its files; it keeps its address.
fn lose(nats: &mut NatsServer) {
    nats.kill();
    fs::remove_dir_all(nats.jetstream_directory()).unwrap();
    nats.start().unwrap();
}

/// The error of an operation once the server is back.
async fn loss(bucket: &dyn Bucket) -> String {
    let mut text = String::new();
    until("the loss is found", async || {
        match bucket.increment("number", 1).await {
            Ok(number) => panic!("the bucket was made again: {number}"),
            Err(error) => text = error.to_string(),
        }
        text.contains("lost")
    })
    .await;
    text
}

#[tokio::test]
async fn a_bucket_that_was_lost_fails_on_every_host_until_an_operator_agrees() {
    let mut nats = start_nats();
    let memory = Arc::<ProcessMemory>::default();
    let shared: Arc<dyn StoreMemory> = memory.clone();
    let context = Context {
        stores: &shared,
        ..shop()
    };
    let (one, other) = (host(&nats), host(&nats));
    let bucket = open_as(&one, &context, &json!({})).await;
    assert_eq!(bucket.increment("number", 1).await, Ok(1));
    let second = open_as(&other, &context, &json!({})).await;
    assert_eq!(second.increment("number", 1).await, Ok(2));
    lose(&mut nats);
    for bucket in [&bucket, &second] {
        let text = loss(bucket.as_ref()).await;
        assert!(text.contains("missing"), "{text}");
        assert!(text.contains("`weft keyvalue accept shop store`"), "{text}");
    }
    let refused = one.check(&context, &Settings::new()).await.unwrap_err();
    assert!(chain(&refused).contains("was lost"), "{refused}");
    memory.forget(&StoreName {
        app: "shop".to_owned(),
        provider: "store".to_owned(),
        place: "lattice/weft-kv__test__shop__store".to_owned(),
    });
    until("the bucket begins again", async || {
        bucket.increment("number", 1).await == Ok(1)
    })
    .await;
    until("the other host finds it", async || {
        second.increment("number", 1).await == Ok(2)
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_made_in_place_of_a_lost_one_is_not_used() {
    let mut nats = start_nats();
    let bucket = open(&host(&nats)).await;
    assert_eq!(bucket.increment("number", 1).await, Ok(1));
    lose(&mut nats);
    // Another client, with a memory of its own.
    let foreign = open(&host(&nats)).await;
    assert_eq!(foreign.increment("number", 1).await, Ok(1));
    let text = loss(bucket.as_ref()).await;
    assert!(text.contains("another store is in its place"), "{text}");
    assert_eq!(foreign.increment("number", 1).await, Ok(2));
}

#[tokio::test]
async fn a_bucket_that_is_back_with_its_data_works_again_without_an_operator() {
    let mut nats = start_nats();
    let bucket = open(&host(&nats)).await;
    assert_eq!(bucket.increment("number", 1).await, Ok(1));
    nats.kill();
    let (files, aside) = (
        nats.jetstream_directory(),
        nats.jetstream_directory().with_extension("aside"),
    );
    fs::rename(&files, &aside).unwrap();
    nats.start().unwrap();
    loss(bucket.as_ref()).await;
    nats.kill();
    fs::remove_dir_all(&files).unwrap();
    fs::rename(&aside, &files).unwrap();
    nats.start().unwrap();
    until("the number goes on", async || {
        bucket.increment("number", 1).await == Ok(2)
    })
    .await;
}

#[tokio::test]
async fn a_closed_provider_does_nothing() {
    let nats = start_nats();
    let provider = host(&nats).make(&shop(), &Settings::new()).await.unwrap();
    let bucket = bind(provider.as_ref()).open("bucket").await.unwrap();
    bucket.set("key", bytes("1")).await.unwrap();
    provider.close().await;
    let error = bucket.set("key", bytes("2")).await.unwrap_err().to_string();
    assert!(error.contains("closed"), "{error}");
    assert_eq!(
        open(&host(&nats)).await.get("key").await,
        Ok(Some(bytes("1")))
    );
}
