//! State that no host owns: the shop of a lattice, whose orders are on the NATS servers.

use std::path::PathBuf;

use serde_json::{Value, json};
use weft_tests::http::{Request, Response};
use weft_tests::{
    Files, HUB_DOMAIN, NatsServer, Options, PATIENCE, Weft, eventually, start_leaf_and_hub,
    start_nats, start_nats_without_jetstream,
};

use crate::lattice::host;
use crate::shop;

fn manifest() -> PathBuf {
    shop::manifest().with_file_name("shop-lattice.yaml")
}

fn order(weft: &Weft, sku: &str) -> Response {
    let body = json!({ "lines": [{ "sku": sku, "quantity": 1 }] }).to_string();
    weft.send(Request::with_body("POST", "/orders", body.as_bytes()))
}

/// Waits until a host answers this.
fn wait_for_answer(weft: &Weft, path: &str) -> Value {
    eventually("the host answers", PATIENCE, || {
        let answer = weft.fetch(path);
        match answer.status {
            200 => Ok(answer.json()),
            status => Err(format!("{path}: {status}\n{}", weft.log())),
        }
    })
}

/// The shop on as many hosts as there are zones, each of which answers all that it sells.
fn shop_on<const HOSTS: usize>(nats: &NatsServer, zones: [&str; HOSTS]) -> [Weft; HOSTS] {
    let hosts = zones.map(|zone| host(nats, zone));
    for host in &hosts {
        host.wait_for_ready(HOSTS);
    }
    hosts[0].deploy(&manifest()).expect_code(0);
    for host in &hosts {
        wait_for_answer(host, "/orders");
    }
    hosts
}

#[test]
fn an_order_outlives_the_host_that_took_it() {
    let nats = start_nats();
    let [mut a, b, c] = shop_on(&nats, ["zone=a", "zone=b", "zone=c"]);
    let placed = order(&a, "teapot");
    placed.expect(201, &[]);
    assert_eq!(placed.header("location"), Some("/orders/1"));
    for host in [&b, &c] {
        assert_eq!(host.fetch("/orders/1").json(), placed.json());
    }
    a.kill();
    for host in [&b, &c] {
        assert_eq!(wait_for_answer(host, "/orders/1"), placed.json());
    }
    // One of them takes the place of the first host, since no store binds the component to it.
    eventually("both run the orders", PATIENCE, || {
        let runs = [&b, &c].map(|host| host.own("components").len());
        if runs == [3, 3] {
            return Ok(());
        }
        Err(format!("{runs:?}"))
    });
    let next = order(&c, "kettle");
    next.expect(201, &[]);
    assert_eq!(next.header("location"), Some("/orders/2"));
    assert_eq!(b.fetch("/orders/2").json(), next.json());
}

#[test]
fn customers_of_two_hosts_never_both_get_the_last_one() {
    let nats = start_nats();
    let hosts = shop_on(&nats, ["zone=a", "zone=b"]);
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..12)
            .map(|customer| {
                scope.spawn({
                    let host = &hosts[customer % 2];
                    move || order(host, "teapot")
                })
            })
            .collect();
        let answers = customers.into_iter().map(|customer| customer.join());
        answers.map(Result::unwrap).collect()
    });
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert!(
        statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    let mut sold: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json()["id"].as_u64().unwrap())
        .collect();
    sold.sort_unstable();
    assert!((1..=5).contains(&sold.len()), "{sold:?}");
    assert!(
        sold.windows(2).all(|pair| pair[0] < pair[1]),
        "a number was given twice: {sold:?}"
    );
    for host in &hosts {
        let left = host.fetch("/products/teapot").json()["left"].clone();
        assert_eq!(left, 5 - sold.len());
        for id in &sold {
            assert_eq!(
                host.fetch(&format!("/orders/{id}")).status,
                200,
                "order {id}"
            );
        }
    }
}

#[test]
fn orders_outlive_the_server_that_keeps_them_and_meanwhile_nobody_hangs() {
    let mut nats = start_nats();
    let [a, b] = shop_on(&nats, ["zone=a", "zone=b"]);
    let placed = order(&a, "teapot");
    placed.expect(201, &[]);
    nats.kill();
    let refused = a.fetch("/orders/1").status;
    assert!((500..600).contains(&refused), "{refused}");
    // What needs no store is as it was.
    a.fetch("/").expect(200, &["A small shop"]);
    nats.start().unwrap();
    for host in [&a, &b] {
        assert_eq!(wait_for_answer(host, "/orders/1"), placed.json());
    }
    let next = order(&b, "kettle");
    assert_eq!(next.header("location"), Some("/orders/2"));
}

#[test]
fn a_lost_store_fails_and_gives_no_number_again_until_an_operator_agrees() {
    let mut nats = start_nats();
    let [a, b] = shop_on(&nats, ["zone=a", "zone=b"]);
    order(&a, "teapot").expect(201, &[]);
    nats.kill();
    std::fs::remove_dir_all(nats.jetstream_directory()).unwrap();
    nats.start().unwrap();
    for host in [&a, &b] {
        eventually("the loss is found", PATIENCE, || {
            let status = host.run(&["status", "shop"]).stdout;
            assert_ne!(
                order(host, "kettle").status,
                201,
                "a number was given again"
            );
            match status.contains("weft keyvalue accept shop orders-db") {
                true => Ok(()),
                false => Err(status),
            }
        });
        assert_ne!(host.fetch("/orders/1").status, 200);
    }
    let events = a.run(&["events"]).expect_code(0).stdout;
    assert!(events.contains("store-lost"), "{events}");
    let unknown = a.run(&["keyvalue", "accept", "shop", "nothing"]);
    unknown.expect_stderr(&["provider `nothing` of app `shop` has no store"]);
    b.run(&["keyvalue", "accept", "shop", "orders-db"])
        .expect_code(0);
    for host in [&a, &b] {
        wait_for_answer(host, "/orders");
    }
    let next = order(&a, "kettle");
    next.expect(201, &[]);
    assert_eq!(next.header("location"), Some("/orders/1"));
    assert_eq!(b.fetch("/orders/1").json(), next.json());
    let status = b.run(&["status", "shop"]).stdout;
    assert!(!status.contains("lost"), "{status}");
}

#[test]
fn a_deploy_says_what_the_store_lacks() {
    let files = Files::new();
    let bare = start_nats_without_jetstream();
    let given = |config: &str| {
        let spec = format!(
            "providers:\n\
             - {{name: store, type: keyvalue-nats, config: {{{config}}}}}\n\
             - {{name: config, type: config-values}}\n\
             - {{name: outside, type: http-client}}\n\
             components: [{{name: probe, source: {{file: guest:http-probe}}}}]\n\
             links:\n\
             - {{from: probe, interface: 'wasi:keyvalue/store', to: store}}\n\
             - {{from: probe, interface: 'wasi:config/store', to: config}}\n\
             - {{from: probe, interface: 'wasi:http/outgoing-handler', to: outside}}\n"
        );
        files.app("stores", &spec)
    };
    let check = |weft: &Weft, config: &str, parts: &[&str]| {
        let refused = weft.deploy(&given(config));
        assert_ne!(refused.code, Some(0), "{config}");
        refused.expect_stderr(parts);
    };
    let definitions = json!({ "own": { "servers": [bare.url()] } }).to_string();
    let definitions = files.write("servers.json", definitions);
    let alone = Weft::start(&Options {
        arguments: &["--nats-servers", definitions.to_str().unwrap()],
        ..Options::default()
    });
    check(
        &alone,
        "",
        &["provider `store` of app `stores`", "weft up --nats URL"],
    );
    check(&alone, "replicas: 2", &["key `replicas`", "1, 3 or 5"]);
    check(
        &alone,
        "server: own, bucket: probes",
        &["`probes`", "nats-server -js"],
    );
    let servers = format!("servers: ['{}'], bucket: probes", bare.url());
    check(&alone, &servers, &["key `servers`", "`server: NAME`"]);
    assert!(alone.get("apps").is_empty());

    let url = bare.url();
    let joined = Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "test"],
        ..Options::default()
    });
    check(
        &joined,
        "",
        &["provider `store` of app `stores`", "nats-server -js"],
    );
    // With a mistake in the settings a host of a lattice refuses as well, though another one may run it.
    check(&joined, "replica: 3", &["unknown field `replica`"]);
}

#[test]
fn hosts_on_a_leaf_node_deploy_and_store_on_the_servers_of_its_hub() {
    let (leaf, hub) = start_leaf_and_hub();
    let url = leaf.url();
    let lattice = ["--nats", &url, "--lattice", "test", "--label", "zone=a"];
    let on_leaf = Weft::start(&Options {
        arguments: &[&lattice[..], &["--nats-domain", HUB_DOMAIN]].concat(),
        ..Options::default()
    });
    let on_hub = host(&hub, "zone=b");
    on_leaf.wait_for_ready(2);
    on_leaf.deploy(&manifest()).expect_code(0);
    for host in [&on_leaf, &on_hub] {
        wait_for_answer(host, "/orders");
    }
    let placed = order(&on_leaf, "teapot");
    placed.expect(201, &[]);
    assert_eq!(on_hub.fetch("/orders/1").json(), placed.json());
}
