//! The example app, as its manifest stands in the repository.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weft_tests::http::{Connection, Request, Response};
use weft_tests::{Files, Weft, guest};

/// The components that the manifest names.
const GUESTS: [&str; 3] = ["storefront", "pricing", "orders"];

pub(crate) fn manifest() -> PathBuf {
    for name in GUESTS {
        // Panics if it is missing or stale.
        guest(name);
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lattice-config/examples/shop.yaml")
}

/// The shop with each component in a store of its own.
fn isolated_manifest() -> PathBuf {
    manifest().with_file_name("isolated.yaml")
}

/// The shop's manifest with one line changed, in `files`.
fn changed(files: &Files, old: &str, new: &str) -> PathBuf {
    let text = std::fs::read_to_string(manifest()).unwrap();
    assert_eq!(
        text.matches(old).count(),
        1,
        "`{old}` stands in the manifest once"
    );
    let mut text = text.replace(old, new);
    for name in GUESTS {
        let relative = format!("../../components/target/wasm/{name}.wasm");
        text = text.replace(&relative, &guest(name).to_string_lossy());
    }
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/examples/wit");
    text = text.replace("../../components/examples/wit", &wit.to_string_lossy());
    files.write("shop.yaml", text)
}

/// The shop with its route at this path.
pub(crate) fn manifest_under(files: &Files, path: &str) -> PathBuf {
    changed(files, "- path: /\n", &format!("- path: {path}\n"))
}

/// The shop, logging this level and what is more serious.
pub(crate) fn manifest_with_log_level(files: &Files, level: &str) -> PathBuf {
    let new = format!("to: log\n    config: {{level: {level}}}\n");
    changed(files, "to: log\n", &new)
}

fn order(weft: &Weft, lines: &Value) -> Response {
    let body = json!({ "lines": lines }).to_string();
    weft.send(Request::with_body("POST", "/orders", body.as_bytes()))
}

#[test]
fn the_shop_takes_orders_and_reads_them_back() {
    takes_orders_and_reads_them_back(&manifest());
}

#[test]
fn the_shop_in_stores_of_its_own_answers_the_same() {
    takes_orders_and_reads_them_back(&isolated_manifest());
}

#[test]
fn the_links_of_the_shop_are_as_fast_as_its_manifest_lets_them() {
    let why = |manifest, interface| {
        let weft = Weft::serving(&[manifest]);
        let asked = ["link", "why", "shop", "storefront", interface, "-o", "json"];
        weft.run(&asked).expect_code(0).json().to_string()
    };
    let fused = why(manifest(), "shop:catalog/pricing");
    assert!(fused.contains(r#""mode":"fused""#), "{fused}");
    for (interface, reason) in [
        ("shop:catalog/pricing", "`isolate`"),
        ("shop:catalog/orders", "`locality: local`"),
    ] {
        let local = why(isolated_manifest(), interface);
        assert!(local.contains(r#""mode":"local""#), "{local}");
        assert!(local.contains(reason), "{local}");
    }
}

fn takes_orders_and_reads_them_back(manifest: &Path) {
    let weft = Weft::serving(&[manifest.to_owned()]);
    weft.fetch("/").expect(200, &["A small shop"]);

    let placed = order(&weft, &json!([{"sku": "teapot", "quantity": 2}]));
    placed.expect(201, &[]);
    assert_eq!(placed.header("location"), Some("/orders/1"));
    assert_eq!(placed.header("content-type"), Some("application/json"));
    assert_eq!(
        placed.json()["total"],
        json!({"cents": 9_800, "currency": "eur"})
    );
    assert_eq!(weft.fetch("/orders/1").json(), placed.json());
    assert_eq!(
        weft.fetch("/orders").json(),
        json!({"orders": [placed.json()]})
    );
    weft.fetch("/orders/2")
        .expect(404, &["there is no order 2"]);

    // sku, quantity, cents: each kind of discount.
    let prices = [
        ("teapot", 1, 4_900),
        ("cup", 3, 3_750),
        ("cup", 4, 3_750),
        ("sencha", 1, 1_190),
        ("strainer", 3, 1_950),
    ];
    for (sku, quantity, cents) in prices {
        let quote = weft.fetch(&format!("/products/{sku}?quantity={quantity}"));
        quote.expect(200, &[]);
        assert_eq!(quote.json()["total"]["cents"], cents, "{quantity} {sku}");
    }
    assert_eq!(weft.fetch("/products/teapot").json()["left"], 3);

    // The sad paths, each with its own answer.
    order(&weft, &json!([{"sku": "teapot", "quantity": 4}]))
        .expect(409, &["only 3 of `teapot` left"]);
    order(&weft, &json!([{"sku": "unicorn", "quantity": 1}]))
        .expect(404, &["does not sell `unicorn`"]);
    order(&weft, &json!([{"sku": "cup", "quantity": 0}])).expect(400, &["cannot sell 0"]);
    order(&weft, &json!([])).expect(400, &["at least one line"]);
    weft.send(Request::with_body("POST", "/orders", b"{\"lines\":"))
        .expect(400, &["an order looks like"]);
    weft.send(Request::with_body("DELETE", "/orders", b""))
        .expect(405, &[]);
    assert_eq!(
        weft.fetch("/products/teapot").json()["left"],
        3,
        "nothing was taken"
    );
}

#[test]
fn the_api_without_a_line_of_http_serves_what_the_component_with_http_does() {
    let weft = Weft::serving(&[manifest()]);
    let products = weft.fetch("/catalog/products").json();
    let by_hand = weft.fetch("/products").json();
    let names = |products: &Value| -> Vec<Value> {
        let products = products.as_array().unwrap().iter();
        products.map(|product| product["sku"].clone()).collect()
    };
    assert_eq!(names(&products), names(&by_hand["products"]));
    let found = weft.fetch("/catalog/products/teapot").json();
    assert!(products.as_array().unwrap().contains(&found), "{found}");

    for (query, quantity) in [("", 1), ("?quantity=4", 4)] {
        let price = weft.fetch(&format!("/catalog/products/cup/price{query}"));
        let quote = weft.fetch(&format!("/products/cup{query}"));
        assert_eq!(price.json()["total"], quote.json()["total"], "{query}");
        assert_eq!(price.json()["quantity"], quantity, "{query}");
    }
    let body = r#"{"lines":[{"sku":"teapot","quantity":2}]}"#;
    let post = format!(
        "POST /api/orders HTTP/1.1\nhost: shop\ncontent-type: application/json\n\
         content-length: {}\n\n{body}",
        body.len()
    );
    let placed = Connection::with(weft.http(), &post).response().unwrap();
    placed.expect(201, &[]);
    assert_eq!(placed.header("location"), Some("/api/orders/1"));
    assert_eq!(weft.fetch("/api/orders/1").json(), placed.json());
    let by_hand = weft.fetch("/orders/1").json();
    assert_eq!(by_hand["total"], placed.json()["total"]);
    assert_eq!(weft.fetch("/api/stock/teapot").text(), "3");

    for (path, status, case) in [
        ("/catalog/products/unicorn", 404, "unknown-sku"),
        ("/catalog/products/unicorn/price", 404, "unknown-sku"),
        (
            "/catalog/products/cup/price?quantity=0",
            400,
            "invalid-quantity",
        ),
        ("/api/stock/unicorn", 404, "unknown-sku"),
        ("/api/orders/2", 404, "unknown-order"),
    ] {
        let refused = weft.fetch(path);
        assert_eq!(refused.status, status, "{path}: {}", refused.text());
        assert_eq!(refused.json()["case"], case, "{path}");
    }
    weft.fetch("/catalog/products/cup/price?quantity=two")
        .expect(400, &["an integer from 0 to 4294967295"]);
}

#[test]
fn two_customers_never_both_get_the_last_one() {
    let weft = Weft::serving(&[manifest()]);
    let wish = json!([{"sku": "teapot", "quantity": 1}]);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| order(&weft, &wish).status))
            .collect();
        customers
            .into_iter()
            .map(|customer| customer.join().unwrap())
            .collect()
    });
    statuses.sort_unstable();
    let sold = statuses.iter().filter(|status| **status == 201).count();
    assert!(
        statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    assert!((1..=5).contains(&sold), "{sold} of 5 teapots were sold");
    assert_eq!(weft.fetch("/products/teapot").json()["left"], 5 - sold);
}

#[test]
fn an_order_outlives_a_killed_host_and_the_manifest() {
    let weft = Weft::serving(&[manifest()]);
    let placed = order(&weft, &json!([{"sku": "kettle", "quantity": 1}]));
    placed.expect(201, &[]);
    let weft = weft.restarted();
    assert_eq!(weft.fetch("/orders/1").json(), placed.json());
    order(&weft, &json!([{"sku": "kettle", "quantity": 1}])).expect(409, &["only 0"]);
    assert_eq!(weft.get("apps")[0]["revision"], 1);
}

#[test]
fn what_runs_can_be_listed_as_arrays() {
    let weft = Weft::serving(&[manifest()]);
    let links = weft.get("links");
    for link in &links {
        let to_provider = ["orders-db", "log"].contains(&link["to"].as_str().unwrap());
        let mode = match link["from"].as_str() {
            Some("http") => "local",
            _ if to_provider => "host",
            _ => "fused",
        };
        assert_eq!(link["mode"], mode, "{link}");
    }
    assert_eq!(links.len(), 7);
    let why = weft.run(&["link", "why", "shop", "http", "shop:catalog/orders"]);
    let why = why.expect_code(0).stdout;
    assert!(why.contains("HTTP server of this host"), "{why}");
    let operation = "  GET /api/orders/{id} → get: 200, 400, 404, 409, 500, 503; idempotent\n";
    assert!(why.contains(operation), "{why}");
    for (what, rows) in [
        ("apps", 1),
        ("components", 3),
        ("providers", 2),
        ("routes", 3),
        ("hosts", 1),
    ] {
        assert_eq!(weft.get(what).len(), rows, "{what}");
    }
    let app = &weft.get("apps")[0];
    assert_eq!(
        (&app["app"], &app["status"]),
        (&json!("shop"), &json!("ready"))
    );
    let components = weft.get("components");
    let fused = components
        .iter()
        .find(|row| row["component"] == "storefront")
        .unwrap();
    let mut names: Vec<_> = fused["fused"].as_array().unwrap().iter().collect();
    assert_eq!(names.remove(0), "storefront", "the entry comes first");
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, ["orders", "pricing"]);

    // Nothing is an array too.
    let empty = Weft::empty();
    for what in ["apps", "components", "links", "providers", "routes"] {
        assert!(empty.get(what).is_empty(), "{what}");
    }
    let text = empty.run(&["get", "apps"]).expect_code(0);
    assert_eq!(text.stdout, "");
    text.expect_stderr(&["weft deploy"]);
    let other = empty.run(&["get", "apps", "--app", "shop"]).expect_code(1);
    other.expect_stderr(&["there is no app `shop`", "no apps are deployed"]);
}
