//! Routes that serve an interface: one table of requests to the shop's `orders`, sent to the host that
//! runs the component and through another one. The component has no line of HTTP or JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weft_tests::http::{Connection, Request, Response};
use weft_tests::{Files, NatsServer, PATIENCE, Weft, eventually, start_nats};

use crate::lattice::host;

pub(crate) const SPEC: &str = "\
components:
- {name: pricing, source: {file: guest:pricing}, placement: {require: {place: back}}}
- {name: orders, source: {file: guest:orders}, placement: {require: {place: back}}, limits: {body: 1MB, deadline: 5s}}
providers:
- {name: stock, type: keyvalue-memory}
- {name: log, type: logging-tracing}
links:
- {from: orders, interface: shop:catalog/pricing, to: pricing}
- {from: orders, interface: wasi:keyvalue, name: orders, to: stock}
- {from: orders, interface: wasi:logging, to: log}
routes:
- path: /api
  to: orders
  interface: shop:catalog/orders
  operations:
  - {func: place, as: POST /orders, ok: 201, location: '/orders/{id}'}
  - {func: get, as: 'GET /orders/{id}'}
  - {func: recent, as: 'GET /orders?limit={limit=20}'}
  - {func: left, as: 'GET /stock/{sku}'}
  errors:
    order-error:
      400: [empty, invalid-quantity, mixed-currencies]
      404: [unknown-sku, unknown-order]
      409: [out-of-stock]
      500: {cases: [storage], hide: true}
      503: [link-failure]
";

/// A front that runs no component, and a host that runs all.
pub(crate) struct Lattice {
    pub(crate) front: Weft,
    back: Weft,
    _nats: NatsServer,
    pub(crate) files: Files,
}

impl Lattice {
    fn start() -> Self {
        Self::of(SPEC)
    }

    /// A lattice with the shop, whose route `/api` has the operations.
    pub(crate) fn of(spec: &str) -> Self {
        let nats = start_nats();
        let (front, back) = (host(&nats, "place=front"), host(&nats, "place=back"));
        let files = Files::new();
        let manifest = files.app("shop", spec);
        front.wait_for_ready(2);
        front.deploy(&manifest).expect_code(0);
        let lattice = Self {
            front,
            back,
            _nats: nats,
            files,
        };
        for (_, address) in lattice.places() {
            eventually("the route serves", PATIENCE, || {
                let answer = Request::get("/api/orders").send(address);
                (answer.status == 200).then_some(()).ok_or(answer.text())
            });
        }
        lattice
    }

    pub(crate) fn places(&self) -> [(&'static str, SocketAddr); 2] {
        [("here", self.back.http()), ("elsewhere", self.front.http())]
    }
}

/// A request with a JSON body.
fn post(address: SocketAddr, path: &str, body: &str) -> Response {
    raw_post(
        address,
        path,
        "content-type: application/json\n",
        body.as_bytes(),
    )
}

pub(crate) fn raw_post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Response {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\nhost: shop\n{headers}content-length: {length}\n\n");
    let mut connection = Connection::with(address, &head);
    connection.send(body).unwrap();
    connection.response().unwrap()
}

/// The errors of a problem document, as `POINTER: EXPECTED`.
fn errors(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = errors.map(|error| text(&error["pointer"]) + ": " + &text(&error["expected"]));
    pairs.collect()
}

#[test]
fn values_and_errors_are_json_on_every_host() {
    let lattice = Lattice::start();
    for (place, address) in lattice.places() {
        let order = post(
            address,
            "/api/orders",
            r#"{"lines":[{"sku":"cup","quantity":2}]}"#,
        );
        assert_eq!(order.status, 201, "{place}: {}", order.text());
        assert_eq!(order.header("content-type"), Some("application/json"));
        let location = order.header("location").unwrap().to_owned();
        let order = order.json();
        assert_eq!(location, format!("/api/orders/{}", order["id"]), "{place}");
        assert_eq!(order["lines"][0]["unitPrice"]["currency"], "eur", "{place}");

        let read = Request::get(&location).send(address);
        assert_eq!(read.json(), order, "{place}");
        let tag = read.header("etag").unwrap().to_owned();
        let head = format!("GET {location} HTTP/1.1\nhost: shop\nif-none-match: {tag}\n\n");
        let unchanged = Connection::with(address, &head).response().unwrap();
        assert_eq!(
            (unchanged.status, unchanged.body.len()),
            (304, 0),
            "{place}"
        );

        let recent = Request::get("/api/orders?limit=1").send(address);
        assert_eq!(recent.json()[0], order, "{place}");
        let left = Request::get("/api/stock/kettle").send(address);
        assert_eq!((left.status, left.text().as_str()), (200, "1"), "{place}");

        let missing = Request::get("/api/orders/999").send(address);
        let problem = missing.json();
        assert_eq!(missing.status, 404, "{place}");
        let type_of = missing.header("content-type");
        assert_eq!(type_of, Some("application/problem+json"), "{place}");
        assert_eq!(problem["case"], "unknown-order", "{place}");
        assert_eq!(problem["value"], 999, "{place}");
        let sold_out = post(
            address,
            "/api/orders",
            r#"{"lines":[{"sku":"kettle","quantity":9}]}"#,
        );
        let expected = json!({"sku": "kettle", "left": 1});
        assert_eq!(
            (sold_out.status, &sold_out.json()["value"]),
            (409, &expected)
        );
    }
}

#[test]
fn a_wrong_request_is_answered_in_full_and_reaches_no_component() {
    let lattice = Lattice::start();
    let requests = |lattice: &Lattice| -> u64 {
        let rows = lattice.back.own("components");
        rows.iter().filter_map(|row| row["requests"].as_u64()).sum()
    };
    let before = requests(&lattice);
    let deep = format!(r#"{{"lines":{}"#, "[".repeat(100_000));
    let many = format!(r#"{{"lines":[{}]}}"#, vec!["7"; 100].join(","));
    for (place, address) in lattice.places() {
        let wrong =
            r#"{"lines":[{"sku":7,"quantity":-1,"count":1},{"sku":"a","sku":"b"}],"more":0}"#;
        let answer = post(address, "/api/orders", wrong);
        assert_eq!(answer.status, 400, "{place}");
        let found = errors(&answer.json());
        for expected in [
            "/lines/0/sku: a string",
            "/lines/0/quantity: an integer from 0 to 4294967295",
            "/lines/0/count: ",
            "/lines/1/sku: ",
            "/lines/1/quantity: ",
            "/more: ",
        ] {
            let is_found = found.iter().any(|error| error.starts_with(expected));
            assert!(is_found, "{place}: `{expected}` in {found:?}");
        }
        let answer = post(address, "/api/orders", &many);
        assert_eq!(errors(&answer.json()).len(), 32, "{place}");

        for (name, body, status) in [
            ("nested deeply", deep.as_str(), 400),
            ("cut off", r#"{"lines":[{"sku":"cup""#, 400),
            ("something after it", r#"{"lines":[]} x"#, 400),
            (
                "a lone surrogate",
                r#"{"lines":[{"sku":"\ud800","quantity":1}]}"#,
                400,
            ),
            (
                "a huge number",
                r#"{"lines":[{"sku":"cup","quantity":1e999999}]}"#,
                400,
            ),
            ("nothing", "", 400),
            ("another type", "[]", 400),
        ] {
            let answer = post(address, "/api/orders", body);
            assert_eq!(answer.status, status, "{place}, {name}: {}", answer.text());
        }
        let utf8 = b"{\"lines\":[{\"sku\":\"\xff\",\"quantity\":1}]}";
        let json = "content-type: application/json\n";
        assert_eq!(
            raw_post(address, "/api/orders", json, utf8).status,
            400,
            "{place}"
        );
        for (headers, status) in [
            ("content-type: text/plain\n", 415),
            ("", 415),
            ("content-type: application/json\naccept: text/html\n", 406),
        ] {
            let answer = raw_post(address, "/api/orders", headers, b"{\"lines\":[]}");
            assert_eq!(answer.status, status, "{place}, {headers}");
        }
        for (path, status) in [
            ("/api/orders/x", 400),
            ("/api/orders/18446744073709551616", 400),
            ("/api/orders?limit=-1", 400),
            ("/api/orders?limits=1", 400),
            ("/api/orders/1/2", 404),
            ("/api/orders/%2e%2e", 400),
            ("/api", 404),
        ] {
            let answer = Request::get(path).send(address);
            assert_eq!(answer.status, status, "{place}, {path}: {}", answer.text());
        }
        let delete = Connection::with(address, "DELETE /api/orders HTTP/1.1\nhost: shop\n\n");
        let delete = { delete }.response().unwrap();
        assert_eq!(delete.status, 405, "{place}");
        assert_eq!(delete.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
        let large = vec![b' '; 1_000_001];
        assert_eq!(
            raw_post(address, "/api/orders", json, &large).status,
            413,
            "{place}"
        );
    }
    assert_eq!(requests(&lattice), before, "a component was called");
}

#[test]
fn a_body_that_stops_arriving_ends_at_the_deadline() {
    let lattice = Lattice::start();
    for (place, address) in lattice.places() {
        let head = "POST /api/orders HTTP/1.1\nhost: shop\ncontent-type: application/json\n\
                    content-length: 100\n\n{\"lines\":";
        let answer = Connection::with(address, head).response().unwrap();
        assert_eq!(answer.status, 408, "{place}");
    }
}

#[test]
fn silent_clients_take_no_room_at_the_component() {
    let limits = "deadline: 1h, concurrency: 2";
    let lattice = Lattice::of(&SPEC.replace("deadline: 5s", limits));
    let silent: Vec<_> = lattice
        .places()
        .iter()
        .flat_map(|(_, address)| [*address; 4])
        .map(|address| {
            let head = "POST /api/orders HTTP/1.1\nhost: shop\ncontent-type: application/json\n\
                        content-length: 100\nexpect: 100-continue\n\n";
            let mut connection = Connection::with(address, head);
            // The host reads the body now.
            assert_eq!(connection.head().unwrap().status, 100);
            connection.send(b"{\"lines\":").unwrap();
            connection
        })
        .collect();
    for (place, address) in lattice.places() {
        let order = post(
            address,
            "/api/orders",
            r#"{"lines":[{"sku":"sencha","quantity":1}]}"#,
        );
        assert_eq!(order.status, 201, "{place}: {}", order.text());
        let recent = Request::get("/api/orders").send(address);
        assert_eq!(recent.status, 200, "{place}: {}", recent.text());
    }
    for row in lattice.back.own("components") {
        assert_eq!(row["in_flight"], 0, "{row}");
    }
    drop(silent);
}

#[test]
fn cbor_is_read_and_written() {
    let lattice = Lattice::start();
    for (place, address) in lattice.places() {
        // {"lines": [{"sku": "cup", "quantity": 1}]}
        let body = b"\xa1\x65lines\x81\xa2\x63sku\x63cup\x68quantity\x01";
        let headers = "content-type: application/cbor\naccept: application/cbor\n";
        let answer = raw_post(address, "/api/orders", headers, body);
        assert_eq!(answer.status, 201, "{place}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/cbor"));
        let id = b"\x62id";
        assert!(answer.body.windows(3).any(|part| part == id), "{place}");
    }
}

#[test]
fn a_manifest_that_does_not_fit_the_interface_is_refused_with_its_lines() {
    let lattice = Lattice::start();
    let spec = SPEC
        .replace("func: left", "func: lefts")
        .replace("{id}', ok", "{id}'")
        .replace(
            "[empty, invalid-quantity, mixed-currencies]",
            "[empty, unknown]",
        )
        .replace("limit={limit=20}", "limit={limits=20}");
    let manifest = lattice.files.app("wrong", &spec.replace("/api", "/wrong"));
    let refused = lattice.front.deploy(&manifest).expect_code(1);
    for expected in [
        "lefts",
        "did you mean",
        "limits",
        "unknown",
        "mixed-currencies",
    ] {
        assert!(
            refused.stderr.contains(expected),
            "{expected} in {}",
            refused.stderr
        );
    }
}
